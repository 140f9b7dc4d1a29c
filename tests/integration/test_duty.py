"""Duty roster, log, patrols, and who was asked first (domain.md §1.13)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from crm.domain.duty import PatrolOutOfTime, PatrolSlot, Shift
from kernel.clock import FakeClock
from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from kernel.ids import new_ulid
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

HERE = "/lists/duty"
HOSTILE = "<script>alert(1)</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime(2026, 3, 10, 1, 0, tzinfo=UTC))  # a Tuesday, 09:00 at the site
    async with web_stage(tmp_path_factory.mktemp("duty"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_1_13_the_roster_names_who_is_on_duty(office: OfficeStage) -> None:
    duty, manager, spc = office.crm.duty, office.who("manager"), office.who("spc")
    today = duty.today()
    made = await duty.plan(manager, today, Shift.EARLY, [spc.user_id, manager.user_id], expected=0)
    assert ([one.name for one in made.people], made.version) == (["周晓梅", "沈静"], 1)
    with pytest.raises(StaleVersion):
        await duty.plan(manager, today, Shift.EARLY, [], expected=0)
    changed = await duty.plan(manager, today, Shift.EARLY, [spc.user_id], expected=1)
    assert changed in await duty.roster(spc, today, 1)
    assert len(await duty.roster(spc, today, 7)) == 21
    for day, people in (
        (today - timedelta(days=1), [spc.user_id]),
        (today, [new_ulid()]),
        (today, [spc.user_id, spc.user_id]),
    ):
        with pytest.raises(Invalid):
            await duty.plan(manager, day, Shift.LATE, people, expected=0)
    for login in ("spc", "boss", "head"):
        with pytest.raises(Forbidden):
            await duty.plan(office.who(login), today, Shift.LATE, [], expected=0)
    with pytest.raises(Forbidden):
        await duty.roster(office.who("head"), today, 1)


async def test_1_13_patrol_twice_a_day_each_once_and_what_is_missing(office: OfficeStage) -> None:
    duty, spc = office.crm.duty, office.who("spc")
    today = duty.today()
    with pytest.raises(PatrolOutOfTime):
        await duty.patrol(spc, PatrolSlot.AFTERNOON, sound=True)
    with pytest.raises(Invalid) as refused:
        await duty.patrol(spc, PatrolSlot.MORNING, sound=False)
    assert refused.value.field == "found"
    made = await duty.patrol(spc, PatrolSlot.MORNING, sound=False, found="三号楼工地没有围挡")
    assert (made.late, made.by) == (False, "周晓梅")
    with pytest.raises(Conflict):
        await duty.patrol(office.who("manager"), PatrolSlot.MORNING, sound=True)
    office.clock.advance(timedelta(hours=10))
    (day,) = await duty.patrols(office.who("boss"), today, 1)
    assert (day.done, day.missing) == ((made,), (PatrolSlot.AFTERNOON,))
    _, page = await get(office, "manager", "/my-day")
    assert "下午巡查没有巡查记录" in page
    assert "巡查记录" not in (await get(office, "spc", "/my-day"))[1]
    late = await duty.patrol(spc, PatrolSlot.AFTERNOON, sound=True)
    assert late.late
    assert f"{today:%m-%d} 下午" not in (await get(office, "manager", "/my-day"))[1]


async def test_1_13_the_duty_log_only_grows(office: OfficeStage) -> None:
    duty, spc = office.crm.duty, office.who("spc")
    for text in ("夜里两点业主报漏水，已派丁大海", "停电半小时"):
        await duty.log(spc, text)
        office.clock.advance(timedelta(minutes=1))
    first = await duty.entries(office.who("boss"), limit=1)
    rest = await duty.entries(office.who("boss"), limit=1, cursor=first.next_cursor)
    assert [one.text for one in (*first.items, *rest.items)] == [
        "停电半小时",
        "夜里两点业主报漏水，已派丁大海",
    ]
    with pytest.raises(Invalid):
        await duty.log(spc, " ")
    with pytest.raises(Forbidden):
        await duty.log(office.who("boss"), "x")


async def test_1_13_the_first_person_asked_stays_responsible(office: OfficeStage) -> None:
    """首问负责制: who wrote the case down stays named in it, whoever works on it afterwards."""
    view = await office.new(TILE)
    assert view.header.opened_by == "周晓梅"
    await office.done(view)
    await office.call_back(view)
    assert (await office.fresh(view)).header.opened_by == "周晓梅"
    _, page = await get(office, "head", f"/cases/{view.case_id}")
    assert "首问责任人" in page
    repair = await office.told()
    assert repair.case.opened_by == "周晓梅"
    assert "首问责任人" in (await get(office, "manager", f"/cases/{repair.case_id}"))[1]


async def test_the_page_plans_logs_and_patrols(office: OfficeStage) -> None:
    day = (office.crm.duty.today() + timedelta(days=1)).isoformat()
    _, page = await get(office, "manager", f"{HERE}?since={day}&cell={day}/late")
    assert 'id="plan"' in page
    assert 'id="plan"' not in (await get(office, "spc", f"{HERE}?since={day}&cell={day}/late"))[1]
    form = {"day": day, "shift": "late", "version": "0", "people": office.who("spc").user_id}
    assert (await post(office, "manager", f"{HERE}/plan", form))[0] == 303
    second = form | {"people": office.who("manager").user_id}
    status, _, page = await post(office, "manager", f"{HERE}/plan", second)
    assert status == 412 and "现在排的是：周晓梅" in page and 'name="version" value="1"' in page
    assert f'value="{second["people"]}" checked' in page and f'value="{form["people"]}" checked' not in page
    assert (await post(office, "manager", f"{HERE}/plan", form | {"day": "2020-01-01"}))[0] == 400
    assert (await post(office, "spc", f"{HERE}/plan", form))[0] == 403
    assert (await post(office, "spc", f"{HERE}/steps/log", {"version": "0", "text": HOSTILE}))[0] == 303
    status, page = await get(office, "boss", f"{HERE}?since={day}")
    assert status == 200
    assert "&lt;script&gt;" in page
    assert HOSTILE not in page
    async with signed_in(office, "manager") as session:
        async with session.get(f"/api/v1/duty?since={day}&days=1") as answer:
            shifts = (await answer.json())["items"]
            assert [len(one["people"]) for one in shifts] == [0, 1, 0]
        sent = {"day": day, "shift": "night", "user_ids": [], "expected": 0}
        async with session.put("/api/v1/duty", json=sent, headers={"Origin": office.stage.url}) as answer:
            assert (answer.status, answer.headers["ETag"]) == (200, '"1"')
        async with session.put("/api/v1/duty", json=sent, headers={"Origin": office.stage.url}) as answer:
            assert answer.status == 412
        async with session.get(f"/api/v1/patrols?since={day}&days=32") as answer:
            assert answer.status == 400
        async with session.get("/api/v1/duty-log?limit=1") as answer:
            assert len((await answer.json())["items"]) == 1


async def test_2_2_the_staffing_view_is_the_leaders(office: OfficeStage) -> None:
    for period in ("today", "week", "last", "nonsense"):
        status, page = await get(office, "boss", f"/lists/staffing?period={period}")
        assert (status, "09:00" in page) == (200, True)
    async with signed_in(office, "manager") as session:
        async with session.get("/api/v1/staffing?since=2026-03-09&days=7") as answer:
            hours = (await answer.json())["items"]
            assert sum(one["cases"] for one in hours) > 0
        async with session.get("/api/v1/staffing?since=2026-03-09&days=8") as answer:
            assert answer.status == 400
