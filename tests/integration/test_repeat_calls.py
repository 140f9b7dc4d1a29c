"""A repeat call on an open case raises severity (domain.md §1.3), noted by hand for cases of every kind."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.call_alerts import CallAlerts, FinishedCall
from crm.complaint_store import CaseOver
from crm.domain.case import CaseKind, CaseStatus
from crm.events_alerts import OpenCaseCaller
from crm.events_cases import CustomerCalledAgain
from crm.tables import CustomerPhone
from crm.ticket_views import CallbackSource, NewTicket, TicketView
from kernel.clock import FakeClock
from kernel.errors import Forbidden
from kernel.ids import new_ulid
from tests.support.limits import facts
from tests.support.office import HOUR, TILE, OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.waiting import eventually
from tests.support.web_stage import web_stage
from web.live import LIVE

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
SAID = "<b>又漏了</b>"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def a_ticket(office: OfficeStage, at: int = 0) -> TicketView:
    project = office.projects[at]
    source = CallbackSource(customer_id=project.customer_id, project_id=project.id, text="墙面有裂纹")
    return await office.crm.tickets.tickets.open(
        office.who("spc"), NewTicket(found=source, departments=("ENG",))
    )


async def test_1_3_on_a_repair_the_second_call_in_30_days_makes_it_serious(office: OfficeStage) -> None:
    repair = await office.repair()
    office.clock.advance(timedelta(days=31))
    crm, spc = office.crm, office.who("spc")
    assert await crm.repeat_calls.note(spc, repair.case_id, note=SAID) is CaseKind.REPAIR
    case = (await crm.repairs.reader.get(spc, repair.case_id)).case
    assert (case.call_count, case.severity) == (2, 1), "the first was longer ago"
    office.clock.advance(HOUR)
    await crm.repeat_calls.note(spc, repair.case_id)
    case = (await crm.repairs.reader.get(spc, repair.case_id)).case
    assert (case.call_count, case.severity) == (3, 2), "two calls without an id are two calls"
    assert [told.call_count for told in await facts(office.stage.database, CustomerCalledAgain)] == [2, 3]
    _, page = await get(office, "spc", f"/cases/{repair.case_id}")
    assert "来电 3 次" in page and "&lt;b&gt;又漏了" in page and SAID not in page
    with pytest.raises(Forbidden):
        await crm.repeat_calls.note(office.who("head"), repair.case_id)


async def test_1_4_on_a_ticket_it_becomes_a_complaint(office: OfficeStage) -> None:
    ticket = await a_ticket(office)
    form = {"note": "又打来问", "call_id": "", "version": "", "line_id": ""}
    _, page = await get(office, "spc", f"/cases/{ticket.case_id}")
    assert "客户再次来电" in page
    status, where, _ = await post(office, "spc", f"/cases/{ticket.case_id}/steps/called_again", form)
    assert (status, where) == (303, f"/cases/{ticket.case_id}?done=called_again")
    now = await office.crm.tickets.tickets.get(office.who("spc"), ticket.case_id)
    assert now.header.status is CaseStatus.CONVERTED and now.converted_to
    with pytest.raises(CaseOver):
        await office.crm.repeat_calls.note(office.who("spc"), ticket.case_id)


async def test_repeat_calls_over_the_api_ask_for_the_version_and_count_once(office: OfficeStage) -> None:
    repair, ticket = await office.repair(), await a_ticket(office, 1)
    from_us = {"Origin": office.stage.url}
    call_id = new_ulid()
    async with signed_in(office, "spc") as session:
        for kind, case_id in (("repairs", repair.case_id), ("tickets", ticket.case_id)):
            path = f"/api/v1/{kind}/{case_id}"
            async with session.get(path) as answer:
                etag = answer.headers["ETag"]
            body = {"call_id": call_id, "note": "催办"}
            async with session.post(f"{path}/calls", json=body, headers=from_us) as answer:
                assert answer.status == 428
            stale = from_us | {"If-Match": '"99"'}
            async with session.post(f"{path}/calls", json=body, headers=stale) as answer:
                assert answer.status == 412
            fresh = from_us | {"If-Match": etag, "Idempotency-Key": "k"}
            for _ in range(2):
                async with session.post(f"{path}/calls", json=body, headers=fresh) as answer:
                    assert answer.status == 200, await answer.text()
                    counted = await answer.json()
        assert counted["converted_to"], "serious, so it is a complaint now"
    assert (await office.crm.repairs.reader.get(office.who("spc"), repair.case_id)).case.call_count == 2


async def test_2_1_with_several_open_the_agent_says_beside_the_call_which_it_is(office: OfficeStage) -> None:
    view, repair = await office.new(TILE), await office.repair()
    office.clock.advance(HOUR)
    stage = office.stage
    assert stage.app is not None
    async with stage.database.session() as session:
        mine = CustomerPhone.customer_id == view.header.customer_id
        phone = (await session.scalars(select(CustomerPhone.e164).where(mine).limit(1))).one()
    pops, agent_id = stage.app[LIVE].pops, stage.agents[stage.agent_number]
    await stage.desk.sign_in(agent_id)
    started = office.clock.now()
    call_id = await stage.ring(phone)
    await pops.prepare(agent_id)
    await eventually(lambda: pops.chosen(agent_id, call_id) == view.header.customer_id, timeout=20)
    await stage.answer(call_id)
    stranger = await office.new(TILE, at=2)
    async with signed_in(office, "agent") as browser:

        async def say(case_id: str, call: str = call_id) -> int:
            body = {"call_id": call, "case_id": case_id}
            headers = {"Origin": stage.url}
            async with browser.post("/agent/repeat-calls", json=body, headers=headers) as answer:
                return answer.status

        assert await say(stranger.case_id) == 400, "not the caller's"
        assert await say(repair.case_id, new_ulid()) == 409, "not the call on the page"
        assert (await say(repair.case_id), await say(repair.case_id)) == (204, 204)
    (pop,) = [data for name, data in pops.snapshot(f"agent:{agent_id}") if name == "pop"]
    assert isinstance(pop, dict) and pop["about"] == [repair.case_id]
    spc = office.who("spc")
    assert (await office.crm.repairs.reader.get(spc, repair.case_id)).case.call_count == 2
    # When the call is over nothing is counted a second time, and only the other's specialist is told.
    office.clock.advance(timedelta(minutes=5))
    alerts = CallAlerts(office.crm.complaints.store, office.crm.repairs.store, office.crm.tickets.end)
    over = FinishedCall(
        call_id=call_id,
        outbound=False,
        phone=phone,
        answered=True,
        started_at=started,
        ended_at=office.clock.now(),
        agent="李娜",
        user_id=None,
    )
    async with stage.database.transaction() as session:
        await alerts.take(session, over)
    assert (await office.crm.repairs.reader.get(spc, repair.case_id)).case.call_count == 2
    assert (await office.fresh(view)).header.call_count == 1
    told = {fact.case_id for fact in await facts(stage.database, OpenCaseCaller)}
    assert view.case_id in told and repair.case_id not in told
