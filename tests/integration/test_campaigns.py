"""Campaigns in the database: who may, versions, steps, which tasks are whose, figures, files."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callback_campaigns.campaign_results import AttemptFilter
from callback_campaigns.campaign_tasks import ReadyTask
from callback_campaigns.dial_attempts import DialRequest
from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.campaign import Campaign, CampaignState
from callback_campaigns.domain.refusal import RefusalCode, Switch
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.events import CampaignChanged
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.machine import IllegalStep
from crm.exports import FileForm
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.campaigns import SUPERVISOR, CampaignCentre, make_campaigns
from tests.support.limits import at
from tests.support.people import AGENT, MANAGER, actor

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def here(sqlite: Database, clock: FakeClock) -> CampaignCentre:
    return await make_campaigns(sqlite, clock)


async def people(here: CampaignCentre, levels: str) -> list[str]:
    """Write a task for a customer of each level, ready on Tuesday at 10:00; return the tasks' ids."""
    for place in range(len(levels)):
        await here.centre.started(f"客户{place}", f"1380013800{place}")
    here.centre.clock.advance(timedelta(hours=19))
    await here.centre.bring_due()
    tasks = await here.centre.all()
    async with here.centre.database.transaction() as session:
        for task, level in zip(tasks, levels, strict=True):
            row = await session.get_one(CallbackTaskRow, task.task_id)
            row.level, row.channel = level, "agent" if level == "A" else "ivr"
    return [task.task_id for task in tasks]


async def ready(here: CampaignCentre, campaign: Campaign, limit: int = 50) -> list[str]:
    found: tuple[ReadyTask, ...] = await here.book.ready(campaign, here.centre.clock.now(), limit)
    return [one.task_id for one in found]


async def dialled(here: CampaignCentre, campaign: Campaign, task_id: str, number: str) -> Attempt:
    now = here.centre.clock.now()
    switch = Switch(caller_id="01065558800", link_live=True, as_of=now, lines=10, per_second=50)
    wanted = DialRequest(
        task_id=task_id,
        number=number,
        node="pbx1",
        trunk="main",
        carrier="own",
        switch=switch,
        campaign_id=campaign.campaign_id,
    )
    made = await here.centre.attempts.begin(wanted)
    assert isinstance(made, Attempt), made
    return made


async def test_from_draft_to_end(here: CampaignCentre) -> None:
    async with here.bus.subscribe(CampaignChanged, name="test") as news:
        draft = await here.made()
        key = draft.campaign.campaign_id
        assert await here.book.running(here.centre.clock.now()) == ()
        running = await here.book.start(SUPERVISOR, key, expected=draft.version)
        assert [one.campaign_id for one in await here.book.running(here.centre.clock.now())] == [key]
        paused = await here.book.pause(SUPERVISOR, key, expected=running.version, reason="线路检修")
        assert await here.book.running(here.centre.clock.now()) == ()
        resumed = await here.book.resume(SUPERVISOR, key, expected=paused.version)
        stopped = await here.book.stop(SUPERVISOR, key, expected=resumed.version)
        assert stopped.campaign.state is CampaignState.ENDED
        assert stopped.ended_at is not None
        told = [await news.get() for _ in range(5)]
    assert [one.state for one in told if isinstance(one, CampaignChanged)] == [
        "draft",
        "running",
        "paused",
        "running",
        "ended",
    ]


async def test_who_may_see_and_who_may_run(here: CampaignCentre) -> None:
    draft = await here.made()
    key = draft.campaign.campaign_id
    boss = actor(Role.GENERAL_MANAGER)
    assert (await here.book.get(boss, key)).campaign == draft.campaign
    for person in (AGENT, boss):
        with pytest.raises(Forbidden):
            await here.book.create(person, here.fields())
        with pytest.raises(Forbidden):
            await here.book.change(person, key, {"name": "新名"}, expected=None)
        with pytest.raises(Forbidden):
            await here.book.start(person, key, expected=None)
    for ask in (here.book.get, here.figures.counts, here.figures.refusals):
        with pytest.raises(Forbidden):
            await ask(AGENT, key)
    with pytest.raises(Forbidden):
        await here.results.attempts(AGENT, AttemptFilter())
    with pytest.raises(Forbidden):
        await here.results.export_results(SUPERVISOR, key, form=FileForm.CSV)


async def test_a_stale_version_changes_nothing(here: CampaignCentre) -> None:
    draft = await here.made()
    key = draft.campaign.campaign_id
    changed = await here.book.change(SUPERVISOR, key, {"lines": 5}, expected=draft.version)
    assert changed.campaign.lines == 5
    for refused in (
        here.book.change(SUPERVISOR, key, {"lines": 6}, expected=draft.version),
        here.book.start(SUPERVISOR, key, expected=draft.version),
    ):
        with pytest.raises(StaleVersion):
            await refused
    same = await here.book.change(SUPERVISOR, key, {"lines": 5}, expected=changed.version)
    assert same.version == changed.version


async def test_refusals_name_the_field(here: CampaignCentre) -> None:
    for field, changes in (
        ("queue", {"mode": "progressive"}),
        ("queue", {"queue": "nowhere"}),
        ("caller_id", {"caller_id": "13800138000"}),
        ("mode", {"mode": "blast"}),
        ("kinds", {"kinds": ["XX"]}),
        ("name", {"name": " "}),
        ("ends_on", {"starts_on": at("2026-02-01 00:00").date(), "ends_on": at("2026-02-02 12:00").date()}),
        ("colour", {"colour": "red"}),
    ):
        with pytest.raises(Invalid) as caught:
            await here.made(**changes)
        assert caught.value.field == field
    without = here.fields()
    del without["trunk"]
    with pytest.raises(Invalid) as caught:
        await here.book.create(SUPERVISOR, without)
    assert caught.value.field == "trunk"
    with pytest.raises(NotFound):
        await here.book.get(SUPERVISOR, new_ulid())


async def test_a_running_campaign_is_paused_before_it_calls_others(here: CampaignCentre) -> None:
    running = await here.started()
    key = running.campaign.campaign_id
    with pytest.raises(Invalid) as caught:
        await here.book.change(SUPERVISOR, key, {"kinds": ["YB"]}, expected=running.version)
    assert caught.value.field == "kinds"
    changed = await here.book.change(SUPERVISOR, key, {"lines": 3}, expected=running.version)
    with pytest.raises(IllegalStep):
        await here.book.resume(SUPERVISOR, key, expected=changed.version)


async def test_its_last_day_passes(here: CampaignCentre) -> None:
    running = await here.started()
    here.centre.clock.advance(timedelta(days=6))
    assert await here.book.settle() == ()
    here.centre.clock.advance(timedelta(days=1))
    assert await here.book.running(here.centre.clock.now()) == ()
    (ended,) = await here.book.settle()
    assert (ended.campaign_id, ended.state) == (running.campaign.campaign_id, CampaignState.ENDED)
    assert await here.book.settle() == ()


async def test_the_list_has_pages_and_filters(here: CampaignCentre) -> None:
    for number in range(3):
        await here.made(name=f"第{number}批", kinds=["KG"] if number else ["JG"])
        here.centre.clock.advance(timedelta(minutes=1))
    first = await here.book.page(SUPERVISOR, limit=2)
    rest = await here.book.page(SUPERVISOR, limit=2, cursor=first.next_cursor)
    names = [one.campaign.name for one in (*first.items, *rest.items)]
    assert names == ["第2批", "第1批", "第0批"]
    assert rest.next_cursor is None
    of_kind = await here.book.page(SUPERVISOR, kind=next(iter(rest.items[0].campaign.kinds)))
    assert [one.campaign.name for one in of_kind.items] == ["第0批"]
    assert (await here.book.page(SUPERVISOR, states=[CampaignState.RUNNING])).items == ()


async def test_the_system_asks_b_and_c_and_people_ask_a_first(here: CampaignCentre) -> None:
    c, a, b = await people(here, "CAB")
    ivr, preview = await here.started(), await here.started(mode="preview", name="人工")
    assert await ready(here, ivr.campaign) == [b, c]
    # Of the same priority, the older one goes first.
    assert await ready(here, preview.campaign) == [a]
    await here.book.pause(SUPERVISOR, ivr.campaign.campaign_id, expected=None)
    assert await ready(here, preview.campaign) == [a, b, c]
    assert await ready(here, preview.campaign, 2) == [a, b]


async def test_a_task_belongs_to_the_campaign_of_the_highest_priority(here: CampaignCentre) -> None:
    b, c = await people(here, "BC")
    low, high = await here.started(priority=10), await here.started(priority=90, levels=["C"])
    assert await ready(here, high.campaign) == [c]
    assert await ready(here, low.campaign) == [b]
    other = await here.started(kinds=["YB"], priority=99)
    assert await ready(here, other.campaign) == []
    assert await ready(here, low.campaign) == [b]


async def test_stores_levels_and_the_time_are_looked_at(here: CampaignCentre) -> None:
    (task,) = await people(here, "B")
    running = (await here.started()).campaign
    assert await ready(here, replace(running, store_ids=frozenset({new_ulid()}))) == []
    assert await ready(here, replace(running, levels=running.levels | {"C"})) == []  # type: ignore[arg-type]
    async with here.centre.database.transaction() as session:
        row = await session.get_one(CallbackTaskRow, task)
        row.call_at = here.centre.clock.now() + timedelta(minutes=1)
    assert await ready(here, running) == []
    here.centre.clock.advance(timedelta(minutes=1))
    assert await ready(here, running) == [task]


async def test_named_hours_come_first_and_a_missing_end_last(database: Database, clock: FakeClock) -> None:
    here = await make_campaigns(database, clock)
    first, second, third = await people(here, "BBB")
    now = clock.now()
    async with database.transaction() as session:
        for task_id, changes in (
            (first, {"window_end": None}),
            (second, {"window_end": now + timedelta(days=1)}),
            (third, {"window_end": now + timedelta(days=2), "appointed": True}),
        ):
            row = await session.get_one(CallbackTaskRow, task_id)
            for name, value in changes.items():
                setattr(row, name, value)
    running = (await here.started()).campaign
    assert await ready(here, running) == [third, second, first]
    (best, *_) = await here.book.ready(running, now, 1)
    assert (best.number, best.appointed) == ("+8613800138002", True)
    await here.started(mode="preview", priority=90, kinds=["KG"], levels=["A"])
    counts = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert (counts.ready, counts.later, counts.passed_on) == (3, 0, 0)


async def test_figures_of_calls_and_refusals(here: CampaignCentre) -> None:
    first, second, third = await people(here, "BBC")
    running = (await here.started()).campaign
    counts = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert (counts.ready, counts.waiting, counts.pace, counts.ends) == (3, 3, None, None)
    assert counts.opens is not None
    assert counts.closes == at("2026-03-03 12:00")
    clock = here.centre.clock
    one = await dialled(here, running, first, "13800138000")
    two = await dialled(here, running, second, "13800138001")
    for made in (one, two):
        await here.centre.attempts.move(made.attempt_id, lambda it: rules.sent(it, now=clock.now()))
    await here.centre.attempts.move(two.attempt_id, lambda it: rules.answered(it, now=clock.now()))
    now = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert (now.dialling, now.talking, now.ready) == (1, 1, 1)
    stopping = await here.book.stop(SUPERVISOR, running.campaign_id, expected=None)
    assert stopping.campaign.state is CampaignState.STOPPED
    assert await here.book.settle() == ()
    await here.centre.attempts.move(one.attempt_id, lambda it: rules.ended(it, Outcome.BUSY, now=clock.now()))
    await here.centre.attempts.move(
        two.attempt_id, lambda it: rules.ended(it, Outcome.ABANDONED, now=clock.now())
    )
    (ended,) = await here.book.settle()
    assert ended.state is CampaignState.ENDED
    over = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert over.attempts == {Outcome.BUSY: 1, Outcome.ABANDONED: 1}
    assert (over.live, over.abandoned, over.abandoned_share, over.waiting) == (1, 1, 1.0, 0)
    async with here.centre.database.transaction() as session:
        row = await session.get_one(CallbackTaskRow, first)
        row.status, row.current_key, row.ended_at = TaskStatus.DONE.value, None, clock.now()
    brief = (await here.figures.briefs(SUPERVISOR, [ended]))[ended.campaign_id]
    assert (brief.waiting, brief.done, brief.live, brief.abandoned) == (0, 1, 1, 1)
    assert (await here.figures.counts(SUPERVISOR, running.campaign_id)).ended == {TaskStatus.DONE: 1}
    page = await here.results.attempts(SUPERVISOR, AttemptFilter(campaign_id=running.campaign_id))
    assert [item.attempt_id for item in page.items] == [two.attempt_id, one.attempt_id]
    busy = await here.results.attempts(SUPERVISOR, AttemptFilter(outcome=Outcome.BUSY, open=False))
    assert [item.customer_name for item in busy.items] == ["客户0"]
    out = await here.results.export_results(MANAGER, running.campaign_id, form=FileForm.CSV)
    rows = [row async for part in out.pages for row in part]
    assert {(row.customer_name, row.attempts) for row in rows} == {("客户0", 1), ("客户1", 1)}
    sent = await here.results.export_attempts(MANAGER, AttemptFilter(), form=FileForm.XLSX)
    assert sent.total == 2
    assert third not in {row.task_id for row in rows}


async def test_what_a_person_asks_from_now_on_is_counted_apart(here: CampaignCentre) -> None:
    task_id, _ = await people(here, "BB")
    running = (await here.started(mode="ivr")).campaign
    made = await dialled(here, running, task_id, "13800138000")
    clock = here.centre.clock
    await here.centre.attempts.move(made.attempt_id, lambda it: rules.sent(it, now=clock.now()))
    await here.centre.attempts.move(made.attempt_id, lambda it: rules.rang(it, now=clock.now()))
    await here.centre.attempts.move(
        made.attempt_id, lambda it: rules.ended(it, Outcome.NO_ANSWER, now=clock.now())
    )
    counts = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert (counts.waiting, counts.passed_on, counts.done) == (2, 0, 0)
    async with here.centre.database.transaction() as session:
        (await session.get_one(CallbackTaskRow, task_id)).channel = "agent"
    counts = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert (counts.waiting, counts.passed_on, counts.done) == (1, 1, 0)


async def test_the_end_is_worked_out_from_the_pace_in_hours_of_calls(here: CampaignCentre) -> None:
    tasks = await people(here, "BBBBBB")
    running = (await here.started()).campaign
    clock = here.centre.clock
    for place, task_id in enumerate(tasks[:4]):
        made = await dialled(here, running, task_id, f"1380013800{place}")
        now = clock.now()
        await here.centre.attempts.move(made.attempt_id, lambda it: rules.answered(it, now=clock.now()))
        await here.centre.attempts.move(
            made.attempt_id, lambda it: rules.ended(it, Outcome.ANSWERED, now=clock.now())
        )
        async with here.centre.database.transaction() as session:
            row = await session.get_one(CallbackTaskRow, task_id)
            row.status, row.verdict, row.ended_at = "done", "satisfied", now
    clock.advance(timedelta(minutes=30))
    counts = await here.figures.counts(SUPERVISOR, running.campaign_id)
    # Four in the half hour since 10:00; the two that are left take a quarter of an hour.
    assert (counts.done, counts.waiting, counts.pace) == (4, 2, 8.0)
    assert counts.ends == clock.now() + timedelta(minutes=15)


async def test_each_refusal_is_listed_with_its_code(here: CampaignCentre) -> None:
    (task,) = await people(here, "B")
    running = (await here.started()).campaign
    now = here.centre.clock.now()
    wanted = DialRequest(
        task_id=task,
        number="13800138000",
        node="pbx1",
        trunk="main",
        carrier="own",
        switch=Switch(caller_id="01065558800", link_live=False, as_of=now, lines=10),
        campaign_id=running.campaign_id,
    )
    await here.centre.attempts.begin(wanted)
    page = await here.figures.refusals(SUPERVISOR, running.campaign_id)
    (one,) = page.items
    assert (one.code, one.task_id, one.customer_name) == (RefusalCode.LINK_DOWN, task, "客户0")
    other = await here.figures.refusals(SUPERVISOR, running.campaign_id, code=RefusalCode.FROZEN)
    assert other.items == ()
    counts = await here.figures.counts(SUPERVISOR, running.campaign_id)
    assert counts.refused == {RefusalCode.LINK_DOWN: 1}
