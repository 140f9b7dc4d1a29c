"""Alerts from calls and from new cases, over a real database."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from app.call_alerts import CallListener
from app.settings import Settings
from crm.call_alerts import CallAlerts, FinishedCall
from crm.case_alerts import look_at_case
from crm.complaint_views import ComplaintView
from crm.domain.case import Severity
from crm.events_alerts import CauseRising, OpenCaseCaller, RefusedNumberCalled, WatchwordFound
from crm.events_cases import ComplaintRegistered, CustomerCalledAgain
from crm.events_tickets import TicketConverted
from crm.repair_input import NewRepair
from crm.repair_services import RepairServices
from crm.search_feed import SearchFeed
from crm.tables import Crew, CustomerPhone, Project
from kernel.bus import Bus
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import Event, decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from telephony.events import CallEnded
from tests.support.complaints import DESIGN, INTEGRITY, SPECIALIST, WORKMANSHIP, Desk, open_desk
from tests.support.tickets import opened, ticket_services

pytestmark = pytest.mark.integration

T = TypeVar("T", bound=Event)
FAMILY = "+8613800138005"
REFUSES = "+8613800138010"


@pytest.fixture
async def desk(sqlite: Database, clock: FakeClock) -> Desk:
    return await open_desk(sqlite, clock)


async def facts(desk: Desk, kind: type[T]) -> list[T]:
    """Return the facts of a kind that were told so far, the oldest first."""
    async with desk.database.session() as session:
        rows = await session.scalars(select(OutboxRow.payload).order_by(OutboxRow.event_id))
        return [fact for fact in (decode(payload) for payload in rows) if isinstance(fact, kind)]


async def owner(desk: Desk, phone: str) -> tuple[str, str]:
    """Return a customer with that number, and their project."""
    async with desk.database.session() as session:
        query = (
            select(Project.customer_id, Project.id)
            .join(CustomerPhone, CustomerPhone.customer_id == Project.customer_id)
            .where(CustomerPhone.e164 == phone)
        )
        row = (await session.execute(query.limit(1))).one()
        return row.customer_id, row.id


async def phone_of(desk: Desk, customer_id: str) -> str:
    async with desk.database.session() as session:
        query = select(CustomerPhone.e164).where(CustomerPhone.customer_id == customer_id)
        return (await session.scalars(query.limit(1))).one()


def repairs_of(desk: Desk) -> RepairServices:
    return RepairServices.build(
        desk.database,
        desk.clock,
        register=desk.register,
        journal=desk.journal,
        limits=desk.book,
        feed=SearchFeed(),
        zone=SHANGHAI,
        files=Path(),
    )


def alerts(desk: Desk) -> CallAlerts:
    return CallAlerts(desk.services.store, repairs_of(desk).store, ticket_services(desk).end)


async def calls(desk: Desk, phone: str, **how: Any) -> FinishedCall:
    """Let a call be over; answered and inbound unless said otherwise."""
    what: dict[str, Any] = {
        "call_id": new_ulid(),
        "outbound": False,
        "phone": phone,
        "answered": True,
        "started_at": desk.now,
        "ended_at": desk.now + timedelta(minutes=3),
        "agent": "周晓梅",
        "user_id": "u-agent",
    }
    call = FinishedCall(**(what | how))
    desk.clock.advance(timedelta(minutes=5))
    async with desk.database.transaction() as session:
        await alerts(desk).take(session, call)
    return call


async def some_complaint(desk: Desk) -> tuple[ComplaintView, str]:
    """Register a complaint of a customer who has no other, and let an hour pass."""
    customer_id, project_id = await owner(desk, "+8613800138011")
    view = await desk.handed_off(customer_id=customer_id, project_id=project_id)
    desk.clock.advance(timedelta(hours=1))
    return view, await phone_of(desk, customer_id)


async def test_a_call_on_an_open_complaint_is_counted_and_makes_it_serious(desk: Desk) -> None:
    view, phone = await some_complaint(desk)
    await calls(desk, phone)
    found = await desk.get(view)
    assert (found.header.call_count, found.header.severity) == (2, Severity.SERIOUS)
    (told,) = await facts(desk, CustomerCalledAgain)
    assert told.case_id == view.case_id and told.specialist_id == view.header.specialist_id
    assert await facts(desk, OpenCaseCaller) == []


async def test_a_call_on_an_open_repair_is_counted_once_and_makes_it_serious(desk: Desk) -> None:
    customer_id, project_id = await owner(desk, "+8613800138011")
    services = repairs_of(desk)
    new = NewRepair(customer_id=customer_id, project_id=project_id, symptoms="地漏返水", place="主卫")
    repair = await services.repairs.register(SPECIALIST, new)
    desk.clock.advance(timedelta(hours=1))
    call = await calls(desk, await phone_of(desk, customer_id))
    await calls(desk, call.phone, call_id=call.call_id)
    found = (await services.reader.get(SPECIALIST, repair.case_id)).case
    assert (found.call_count, found.severity) == (2, Severity.SERIOUS)
    (told,) = await facts(desk, CustomerCalledAgain)
    assert (told.case_id, told.severity) == (repair.case_id, Severity.SERIOUS)


async def test_a_ticket_about_which_the_customer_calls_becomes_a_complaint(desk: Desk) -> None:
    customer_id, project_id = await owner(desk, "+8613800138011")
    services = ticket_services(desk)
    ticket = await opened(services, desk, customer_id=customer_id, project_id=project_id)
    desk.clock.advance(timedelta(hours=1))
    await calls(desk, await phone_of(desk, customer_id))
    (told,) = await facts(desk, TicketConverted)
    assert (told.case_id, told.why) == (ticket.case_id, "severity")
    assert [fact.case_id for fact in await facts(desk, CustomerCalledAgain)] == [ticket.case_id]


async def test_with_a_repair_and_a_complaint_open_the_agent_decides(desk: Desk) -> None:
    view, phone = await some_complaint(desk)
    assert view.header.project_id is not None
    new = NewRepair(
        customer_id=view.header.customer_id,
        project_id=view.header.project_id,
        symptoms="地漏返水",
        place="主卫",
    )
    repair = await repairs_of(desk).repairs.register(SPECIALIST, new)
    desk.clock.advance(timedelta(hours=1))
    await calls(desk, phone)
    assert {told.case_id for told in await facts(desk, OpenCaseCaller)} == {view.case_id, repair.case_id}
    assert not await facts(desk, CustomerCalledAgain)


async def test_the_same_call_told_again_counts_once(desk: Desk) -> None:
    view, phone = await some_complaint(desk)
    call = await calls(desk, phone)
    await calls(desk, phone, call_id=call.call_id)
    assert (await desk.get(view)).header.call_count == 2
    assert len(await facts(desk, CustomerCalledAgain)) == 1


async def test_a_call_that_nobody_answered_is_told_and_not_counted(desk: Desk) -> None:
    view, phone = await some_complaint(desk)
    call = await calls(desk, phone, answered=False)
    (told,) = await facts(desk, OpenCaseCaller)
    assert (told.case_id, told.call_id, told.answered) == (view.case_id, call.call_id, False)
    assert (await desk.get(view)).header.call_count == 1


async def test_of_two_open_complaints_no_one_is_counted_and_both_are_told(desk: Desk) -> None:
    view, phone = await some_complaint(desk)
    other = await desk.new(
        DESIGN, customer_id=view.header.customer_id, project_id=view.header.project_id or ""
    )
    desk.clock.advance(timedelta(minutes=1))
    await calls(desk, phone)
    assert {told.case_id for told in await facts(desk, OpenCaseCaller)} == {view.case_id, other.case_id}
    assert (await desk.get(view)).header.call_count == 1


async def test_the_call_in_which_a_complaint_was_registered_is_none_about_it(desk: Desk) -> None:
    began = desk.now
    desk.clock.advance(timedelta(minutes=2))
    view, phone = await some_complaint(desk)
    await calls(desk, phone, started_at=began)
    assert (await desk.get(view)).header.call_count == 1
    assert await facts(desk, OpenCaseCaller) == []


async def test_a_number_of_two_customers_says_nothing(desk: Desk) -> None:
    customer_id, project_id = await owner(desk, FAMILY)
    await desk.new(customer_id=customer_id, project_id=project_id)
    desk.clock.advance(timedelta(hours=1))
    await calls(desk, FAMILY)
    assert not await facts(desk, OpenCaseCaller)
    assert not await facts(desk, CustomerCalledAgain)


async def test_dialling_a_number_that_refuses_every_call_is_told(desk: Desk) -> None:
    desk.clock.advance(timedelta(hours=1))
    call = await calls(desk, REFUSES, outbound=True)
    (told,) = await facts(desk, RefusedNumberCalled)
    assert (told.call_id, told.user_id, told.agent) == (call.call_id, "u-agent", "周晓梅")


async def test_one_may_call_in_spite_of_a_refusal_about_an_open_case(desk: Desk) -> None:
    customer_id, project_id = await owner(desk, REFUSES)
    await desk.new(customer_id=customer_id, project_id=project_id)
    desk.clock.advance(timedelta(hours=1))
    await calls(desk, REFUSES, outbound=True)
    assert await facts(desk, RefusedNumberCalled) == []


async def test_a_call_from_a_refusing_customer_is_no_hit(desk: Desk) -> None:
    desk.clock.advance(timedelta(hours=1))
    await calls(desk, REFUSES)
    assert await facts(desk, RefusedNumberCalled) == []


async def look(desk: Desk) -> None:
    """Let the alerts look at the newest complaint."""
    newest = (await facts(desk, ComplaintRegistered))[-1]
    async with desk.database.transaction() as session:
        await look_at_case(session, newest)


async def test_three_complaints_of_one_cause_with_one_crew_within_seven_days_are_a_rise(desk: Desk) -> None:
    views = []
    for day in (0, 3, 3):
        desk.clock.advance(timedelta(days=day))
        views.append(await desk.new())
        await look(desk)
    (told,) = await facts(desk, CauseRising)
    assert told.case_ids == tuple(view.case_id for view in views)
    async with desk.database.session() as session:
        project = await session.get_one(Project, desk.project_id)
        crew = await session.get_one(Crew, project.crew_id)
    assert (told.subject, told.count, told.days) == (crew.name, 3, 7)


async def test_three_complaints_of_one_cause_with_one_manufacturer_are_a_rise(desk: Desk) -> None:
    for phone, maker in ((FAMILY, "东方瓷砖"), (REFUSES, "西山瓷砖"), ("+8613800138011", "东方瓷砖")):
        customer_id, project_id = await owner(desk, phone)
        async with desk.database.transaction() as session:
            (await session.get_one(Project, project_id)).crew_id = None
        line = replace(WORKMANSHIP, manufacturer=maker)
        view = await desk.new(line, customer_id=customer_id, project_id=project_id)
        assert view.lines[0].manufacturer == maker
        await look(desk)
    assert await facts(desk, CauseRising) == []
    view = await desk.new(
        replace(WORKMANSHIP, manufacturer="东方瓷砖"), customer_id=customer_id, project_id=project_id
    )
    await look(desk)
    (told,) = await facts(desk, CauseRising)
    assert (told.subject, told.subject_key, told.count) == ("东方瓷砖", "manufacturer:东方瓷砖", 3)
    assert view.case_id in told.case_ids


async def test_complaints_that_lie_apart_are_no_rise(desk: Desk) -> None:
    for day in (0, 4, 4):
        desk.clock.advance(timedelta(days=day))
        await desk.new()
        await look(desk)
    assert await facts(desk, CauseRising) == []


async def test_complaints_of_other_causes_are_no_rise(desk: Desk) -> None:
    for line in (None, DESIGN, None):
        await desk.new(*([line] if line else []))
        await look(desk)
    assert await facts(desk, CauseRising) == []


async def test_a_rise_of_confidential_causes_is_told_to_nobody(desk: Desk) -> None:
    for _ in range(3):
        await desk.new(INTEGRITY)
        await look(desk)
    assert await facts(desk, CauseRising) == []


async def test_a_complaint_that_speaks_of_a_regulator_is_told(desk: Desk) -> None:
    await desk.new()
    await look(desk)
    assert await facts(desk, WatchwordFound) == []
    view = await desk.new(demand="三天不解决我就打12315投诉")
    await look(desk)
    (told,) = await facts(desk, WatchwordFound)
    assert (told.case_id, told.about, told.word) == (view.case_id, "regulator", "12315")


def ended(desk: Desk, **how: Any) -> CallEnded:
    """Return the fact of an answered call of an hour ago."""
    what: dict[str, Any] = {
        "call_id": new_ulid(),
        "node": "pbx1",
        "direction": "in",
        "result": "ANSWERED",
        "queue": "service",
        "agent_id": None,
        "agent_number": "1001",
        "from_number": "",
        "to_number": "01065558800",
        "menu_path": (),
        "started_at": desk.now,
        "queued_at": desk.now,
        "answered_at": desk.now,
        "ended_at": desk.now,
        "wait_seconds": 3.0,
        "talk_seconds": 60.0,
        "hangup_by": "caller",
    }
    return CallEnded(at=desk.now, **(what | how))


async def test_finished_calls_reach_the_alerts(desk: Desk) -> None:
    view, phone = await some_complaint(desk)
    listener = CallListener(Settings(), desk.database, desk.clock, Bus())
    for fact in (
        ended(desk, from_number=phone),
        ended(desk, from_number="anonymous"),
        ended(desk, from_number=phone, direction="internal"),
        ended(desk, from_number="1001", to_number=REFUSES, direction="out"),
    ):
        async with desk.database.transaction() as session:
            await listener.take(session, fact)
    assert (await desk.get(view)).header.call_count == 2
    (told,) = await facts(desk, RefusedNumberCalled)
    assert told.agent == "1001"
