"""Lists of contacts: what becomes of each row, the same file twice, a process that dies half way."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from callback_campaigns.campaigns import CampaignView
from callback_campaigns.contact_lists import NoListWanted
from callback_campaigns.domain.campaign import CampaignStep
from callback_campaigns.domain.task import Task
from callback_campaigns.domain.terms import Channel
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.customer import Level
from crm.importing.jobs import ImportJobs, JobState
from crm.importing.service import ImportReport, Options
from crm.tables import Customer
from kernel.access import Permission
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, NotFound
from kernel.ids import new_ulid
from tests.support.campaigns import SUPERVISOR, CampaignCentre, make_campaigns
from tests.support.limits import at
from tests.support.people import AGENT

pytestmark = pytest.mark.integration

TITLES = "客户姓名,电话,级别,合同号,地址"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-03 10:00"))


@pytest.fixture
async def here(sqlite: Database, clock: FakeClock) -> CampaignCentre:
    return await make_campaigns(sqlite, clock)


async def of_list(here: CampaignCentre, **changes: object) -> CampaignView:
    return await here.made(**({"kinds": ["RT"], "tasks_from": "list", "name": "随机回访"} | changes))


def sheet(*rows: str) -> bytes:
    return "\n".join([TITLES, *rows]).encode()


async def imported(
    here: CampaignCentre, campaign: CampaignView, content: bytes, *, good: bool = False, check: bool = False
) -> ImportReport:
    options = Options(good_rows_only=good, campaign_id=campaign.campaign.campaign_id)
    work = here.lists.check if check else here.lists.run
    return await work(SUPERVISOR, content, "名单.csv", options)


def codes(report: ImportReport) -> list[tuple[int, str]]:
    return [(item.row, item.code) for item in report.problems]


async def names(here: CampaignCentre) -> dict[str, Task]:
    found = {}
    async with here.centre.database.session() as session:
        for task in await here.centre.all():
            customer = await session.get_one(Customer, task.customer_id)
            found[customer.name] = task
    return found


async def test_rows_become_customers_who_are_here_or_new_and_a_callback_each(here: CampaignCentre) -> None:
    known = await here.centre.desk.customer("王建军", "13800138001")
    campaign = await of_list(here)
    content = sheet("王先生,13800138001,,,", "李梅,13800138002,C,,", "赵总,13800138003,A,,")
    told = await imported(here, campaign, content, check=True)
    assert (told.new_tasks, told.written, codes(told)) == (3, False, [(2, "name_differs")])
    assert await here.centre.all() == []
    report = await imported(here, campaign, content)
    assert (report.new_customers, report.new_tasks, report.written) == (2, 3, True)
    assert codes(report) == [(2, "name_differs"), (4, "level_a")]
    tasks = await names(here)
    assert tasks["王建军"].customer_id == known.customer_id
    assert {name: task.channel for name, task in tasks.items()} == {
        "王建军": Channel.IVR,
        "李梅": Channel.IVR,
        "赵总": Channel.AGENT,
    }
    assert tasks["赵总"].level is Level.A


async def test_the_same_file_twice_plans_nothing_twice(here: CampaignCentre) -> None:
    campaign = await of_list(here)
    content = sheet("李梅,13800138002,,,", "孙伟,13800138004,,,")
    await imported(here, campaign, content)
    again = await imported(here, campaign, content)
    assert (again.new_customers, again.new_tasks) == (0, 0)
    assert {code for _, code in codes(again)} == {"planned_already"}
    assert len(await here.centre.all()) == 2


async def test_what_an_ended_campaign_left_is_taken_over_by_the_next_list(here: CampaignCentre) -> None:
    first = await of_list(here, mode="preview")
    content = sheet("李梅,13800138002,,,", "孙伟,13800138004,,,")
    await imported(here, first, content)
    begun = await here.book.start(SUPERVISOR, first.campaign.campaign_id, expected=first.version)
    other = await of_list(here)
    assert (await imported(here, other, content)).new_tasks == 0  # the first one still calls them
    await here.book.stop(SUPERVISOR, first.campaign.campaign_id, expected=begun.version)
    assert (await imported(here, other, content, check=True)).new_tasks == 2
    report = await imported(here, other, content)
    assert (report.new_tasks, codes(report)) == (2, [])
    async with here.centre.database.session() as session:
        rows = (await session.scalars(select(CallbackTaskRow))).all()
    assert {(row.campaign_id, row.channel) for row in rows} == {(other.campaign.campaign_id, "ivr")}
    assert len(rows) == 2
    assert {code for _, code in codes(await imported(here, other, content))} == {"planned_already"}


async def test_what_an_ended_campaign_left_fits_a_campaign_of_all_that_is_planned(
    here: CampaignCentre,
) -> None:
    first = await of_list(here)
    await imported(here, first, sheet("李梅,13800138002,,,"))
    everybody = await here.started(kinds=["RT"])
    later = here.centre.clock.now() + timedelta(days=2)
    assert await here.book.ready(everybody.campaign, later, 10) == ()
    await here.centre.bring_due()
    await here.book.step(SUPERVISOR, first.campaign.campaign_id, CampaignStep.DISCARD, expected=first.version)
    assert len(await here.book.ready(everybody.campaign, later, 10)) == 1


async def test_a_process_that_dies_half_way_is_gone_on_with(here: CampaignCentre) -> None:
    campaign = await of_list(here)
    content = sheet("李梅,13800138002,,,", "孙伟,13800138004,,,")
    await imported(here, campaign, content)
    async with here.centre.database.transaction() as session:
        row = (await session.scalars(select(CallbackTaskRow).order_by(CallbackTaskRow.id.desc()))).first()
        await session.delete(row)
    again = await imported(here, campaign, content)
    assert (again.new_tasks, len(await here.centre.all())) == (1, 2)


async def test_who_is_not_called_is_said(here: CampaignCentre) -> None:
    refuses = await here.centre.desk.customer("钱女士", "13800138005")
    await here.centre.desk.do_not_call.add(
        SUPERVISOR, customer_id=refuses.customer_id, level=1, source="agent", evidence="通话中说明"
    )
    campaign = await of_list(here)
    content = sheet(
        "钱女士,13800138005,,,", "李梅,13800138002,,,", "李梅,13800138002,,,", "别人,13800138005,,,"
    )
    report = await imported(here, campaign, content)
    assert sorted(codes(report)) == [
        (2, "do_not_call"),
        (4, "listed_twice"),
        (5, "listed_twice"),
        (5, "name_differs"),
    ]
    assert list(await names(here)) == ["李梅"]


async def test_a_bad_row_stops_all_unless_only_the_good_ones_are_wanted(here: CampaignCentre) -> None:
    campaign = await of_list(here)
    content = sheet("李梅,13800138002,,,", "无号,12,,,")
    report = await imported(here, campaign, content)
    assert (report.written, report.bad, codes(report)) == (False, 1, [(3, "not_a_phone")])
    async with here.centre.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(Customer)) == 0
    assert (await imported(here, campaign, content, good=True)).new_tasks == 1


async def test_several_with_one_number_are_told_apart_by_name(here: CampaignCentre) -> None:
    await here.centre.desk.customer("王建军", "13800138001")
    await here.centre.desk.customer("王小明", "13800138001")
    campaign = await of_list(here)
    report = await imported(here, campaign, sheet("王先生,13800138001,,,"), check=True)
    assert codes(report) == [(2, "number_shared")]
    assert (await imported(here, campaign, sheet("王小明,13800138001,,,"))).new_tasks == 1


async def test_a_contract_leads_to_its_customer_and_none_is_made(here: CampaignCentre) -> None:
    owner = await here.centre.desk.customer("王建军", "13800138001")
    record = await here.centre.desk.project(owner.customer_id, "ZX-1")
    campaign = await of_list(here)
    report = await imported(here, campaign, sheet("王先生,13800138001,,ZX-1,", "李梅,13800138002,,ZX-9,某处"))
    assert codes(report) == [(2, "name_differs"), (3, "unknown_contract")]
    assert (report.new_projects, report.new_tasks) == (0, 2)
    tasks = await names(here)
    assert tasks["王建军"].project_id == record.project.project_id
    assert tasks["李梅"].project_id is None


async def test_only_its_own_campaign_dials_a_list(here: CampaignCentre) -> None:
    campaign = await of_list(here)
    await imported(here, campaign, sheet("李梅,13800138002,,,"))
    here.centre.clock.advance(timedelta(minutes=5))
    await here.centre.bring_due()
    general = await here.started(kinds=["RT"], priority=99)
    now = here.centre.clock.now()
    assert await here.book.ready(general.campaign, now, 10) == ()
    running = await here.book.start(SUPERVISOR, campaign.campaign.campaign_id, expected=None)
    (task,) = await here.book.ready(running.campaign, now, 10)
    assert task.number == "+8613800138002"
    counts = await here.figures.counts(SUPERVISOR, running.campaign.campaign_id)
    assert counts.ready == 1


async def test_a_campaign_without_a_list_takes_none(here: CampaignCentre) -> None:
    planned = await here.made()
    with pytest.raises(NoListWanted):
        await imported(here, planned, sheet("李梅,13800138002,,,"))
    with pytest.raises(NotFound):
        await here.lists.check(SUPERVISOR, b"x", "x.csv", Options(campaign_id=new_ulid()))
    over = await of_list(here)
    await here.book.start(SUPERVISOR, over.campaign.campaign_id, expected=None)
    await here.book.stop(SUPERVISOR, over.campaign.campaign_id, expected=None)
    with pytest.raises(NoListWanted):
        await imported(here, over, sheet("李梅,13800138002,,,"))


async def test_jobs_of_lists_and_of_customers_do_not_meet(here: CampaignCentre) -> None:
    office = here.centre.desk.office
    jobs = ImportJobs(office, here.lists, permission=Permission.CAMPAIGNS_RUN, lists=True)
    others = ImportJobs(office, here.lists)
    campaign = await of_list(here)
    key = campaign.campaign.campaign_id
    with pytest.raises(Forbidden):
        await jobs.upload(AGENT, "名单.csv", b"x", campaign_id=key)
    content = sheet("李梅,13800138002,,,")
    job = await jobs.upload(SUPERVISOR, "名单.csv", content, campaign_id=key)
    assert not await others.run_once()
    assert await jobs.run_once()
    checked = await jobs.get(SUPERVISOR, job.job_id)
    assert checked.state is JobState.CHECKED
    assert checked.report is not None
    assert checked.report.new_tasks == 1
    await jobs.start(SUPERVISOR, job.job_id, good_rows_only=False)
    assert await jobs.run_once()
    (done,) = await jobs.list(SUPERVISOR, key)
    assert (done.state, len(await here.centre.all())) == (JobState.DONE, 1)
