"""Problem tickets on both databases: domain.md §1.4, CB-5; limits, receipts, permissions, bad input."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crm.cases import CaseFilter
from crm.domain.case import CaseKind, CaseStatus, Severity, Source
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.domain.ticket import PartStatus, Revisit
from crm.events_tickets import (
    RevisitWanted,
    TicketHandedOff,
    TicketOpened,
)
from crm.handoffs import Box
from crm.limits import TimerState
from crm.search import Kind
from crm.search_query import Search
from crm.ticket_services import TicketServices
from crm.ticket_views import NewTicket
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.errors import Forbidden, HuifangError, Invalid, NotFound, StaleVersion
from tests.support.complaints import (
    DESIGNER,
    ENG_WORKER,
    ENGINEER,
    HR,
    MANAGER,
    MATERIALS,
    PIN,
    SPECIALIST,
    Desk,
)
from tests.support.limits import SettableClock, at, facts, local
from tests.support.tickets import asked, counts, opened, part, solved, source

pytestmark = pytest.mark.integration


async def test_a_callback_opens_a_ticket_handed_off_the_same_moment_CB5(
    desk: Desk, services: TicketServices
) -> None:
    view = await opened(services, desk, "ENG", "DES")
    assert (view.no, view.header.status) == ("TD202603200001", CaseStatus.OPEN)
    assert view.header.source == Source.CALLBACK.value and view.fed_back == 1
    assert [found.handoffs[0].receipt_no for found in view.parts] == [f"{view.no}-01", f"{view.no}-02"]
    assert local(part(view).due_at) == "Sat 03-21 10:00", "T1 as complaints"
    assert view.recording_ref == "HF202603200007#83"
    (fact,) = await facts(desk.database, TicketOpened)
    assert fact.departments == ("ENG", "DES")
    sent = await facts(desk.database, TicketHandedOff)
    assert [local(found.due_at) for found in sent] == ["Sat 03-21 10:00"] * 2
    (waiting,) = (await desk.services.handoffs.page(ENGINEER, Box.WAITING)).items
    assert (waiting.case_no, waiting.line_id, waiting.line_version) == (
        view.no,
        part(view).part_id,
        part(view).version,
    )
    assert waiting.class_label == "回访问题"


async def test_the_same_finding_told_twice_is_one_ticket(desk: Desk, services: TicketServices) -> None:
    first, second = await asyncio.gather(opened(services, desk), opened(services, desk))
    assert first.case_id == second.case_id
    third = await opened(services, desk)
    assert third.case_id == first.case_id
    other = await opened(services, desk, question_id="YB5")
    assert other.case_id != first.case_id


async def test_TD_T1_and_T2_run_for_each_department(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    view = await opened(services, desk, "ENG", "DES")
    clock.set(at("2026-03-21T09:10"))
    view = await services.work.sign(ENGINEER, part(view).part_id, part(view).version, PIN)
    signed = part(view)
    assert (signed.status, signed.signed_by) == (PartStatus.IN_HAND, "陈建国")
    assert view.header.status is CaseStatus.OPEN, "DES has not signed"
    by_code = {timer.code: timer for timer in signed.limits}
    assert by_code["TD.T1"].state is TimerState.STOPPED
    assert local(by_code["TD.T2"].due_at) == "Sun 03-22 09:10"
    view = await services.work.sign(DESIGNER, part(view, "DES").part_id, part(view, "DES").version, PIN)
    assert view.header.status is CaseStatus.IN_HAND
    clock.set(at("2026-03-21T15:00"))
    view = await services.work.solve(ENG_WORKER, signed.part_id, part(view).version, "插座已移位")
    assert part(view).solution == "插座已移位"
    assert {timer.state for timer in part(view).limits} == {TimerState.STOPPED}
    assert await facts(desk.database, RevisitWanted) == []


async def test_the_receipt_is_signed_as_in_C1_and_can_be_printed(
    desk: Desk, services: TicketServices
) -> None:
    view = await opened(services, desk)
    await services.work.sign(ENGINEER, part(view).part_id, part(view).version, PIN)
    (signed,) = (await desk.services.handoffs.page(ENGINEER, Box.SIGNED)).items
    sheet = await desk.services.handoffs.sheet(ENGINEER, signed.handoff_id)
    assert sheet.sound and sheet.handoff.received_by == "陈建国" and sheet.handoff.received_ip == "10.1.2.3"
    assert (sheet.class_label, sheet.cause) == ("回访问题", "客户反映厨房插座位置与图纸不符")


async def test_all_solved_wants_a_revisit_and_satisfied_closes(desk: Desk, services: TicketServices) -> None:
    view = await solved(services, await opened(services, desk, "ENG", "DES"))
    assert view.header.status is CaseStatus.SOLVED
    (wish,) = await facts(desk.database, RevisitWanted)
    assert (wish.case_id, wish.callback_ref, wish.question_id) == (view.case_id, "HF202603200007", "YB4")
    (waiting,) = (await services.tickets.revisits(SPECIALIST, mine=True)).items
    assert (waiting.case.case_id, waiting.not_reached) == (view.case_id, 0)
    view = await asked(services, view, Revisit.NOT_REACHED)
    assert (view.header.status, view.not_reached) == (CaseStatus.SOLVED, 1)
    view = await asked(services, view, Revisit.SATISFIED, ref="HF202603230001")
    assert (view.header.status, view.verified_by) == (CaseStatus.VERIFIED, "周晓梅")
    assert (await services.tickets.revisits(SPECIALIST)).items == ()
    view = await services.end.close(SPECIALIST, view.case_id, view.version)
    assert view.header.status is CaseStatus.CLOSED and view.header.closed_at == desk.now
    assert view.steps == ()
    assert (await AuditLog(desk.database, desk.clock).verify()).broken_at is None


async def test_a_refused_part_goes_to_another_department_with_fresh_limits(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    view = await opened(services, desk)
    clock.set(at("2026-03-21T09:00"))
    view = await services.work.refuse(ENGINEER, part(view).part_id, part(view).version, "图纸本来如此")
    assert part(view).status is PartStatus.REFUSED and part(view).refuse_reason == "图纸本来如此"
    refused = part(view)
    view = await services.tickets.reroute(SPECIALIST, refused.part_id, refused.version, "DES", "设计出错")
    assert [found.status for found in view.parts] == [PartStatus.REROUTED, PartStatus.OPEN]
    assert local(part(view, "DES").due_at) == "Sat 03-21 12:00"
    with pytest.raises(NotFound):
        await services.tickets.get(MATERIALS, view.case_id)
    assert (await services.tickets.get(DESIGNER, view.case_id)).no == view.no
    refused = part(
        await services.work.refuse(DESIGNER, part(view, "DES").part_id, part(view, "DES").version, "不属实"),
        "DES",
    )
    view = await services.tickets.unfounded(SPECIALIST, refused.part_id, refused.version, "现场看过")
    assert view.header.status is CaseStatus.SOLVED


async def test_another_department_can_be_added(desk: Desk, services: TicketServices) -> None:
    view = await opened(services, desk)
    view = await services.tickets.add_part(SPECIALIST, view.case_id, view.version, "MAT")
    assert [found.department for found in view.parts] == ["ENG", "MAT"]
    assert part(view, "MAT").handoffs[0].state == "waiting"
    assert (await services.tickets.get(MATERIALS, view.case_id)).case_id == view.case_id


async def test_who_may_do_what(desk: Desk, services: TicketServices) -> None:
    view = await opened(services, desk)
    mine = part(view)
    refused: tuple[tuple[Awaitable[Any], type[HuifangError]], ...] = (
        (services.tickets.open_from_callback(ENGINEER, source(desk, question_id="X"), ("ENG",)), Forbidden),
        (services.tickets.get(DESIGNER, view.case_id), NotFound),
        (services.work.sign(ENG_WORKER, mine.part_id, mine.version, PIN), Forbidden),
        (services.work.sign(DESIGNER, mine.part_id, mine.version, PIN), NotFound),
        (services.work.sign(SPECIALIST, mine.part_id, mine.version, PIN), Forbidden),
        (services.work.refuse(MANAGER, mine.part_id, mine.version, "x"), Forbidden),
        (services.work.solve(MANAGER, mine.part_id, mine.version, "x"), Forbidden),
        (services.work.solve(ENGINEER, mine.part_id, mine.version, "x"), IllegalStep),
        (services.end.waive(SPECIALIST, view.case_id, view.version, "x"), Forbidden),
        (services.end.close(ENGINEER, view.case_id, view.version), Forbidden),
        (services.end.close(SPECIALIST, view.case_id, view.version), IllegalStep),
        (services.tickets.add_part(HR, view.case_id, view.version, "MAT"), Forbidden),
        (services.tickets.add_part(SPECIALIST, view.case_id, view.version + 1, "MAT"), StaleVersion),
        (services.work.sign(ENGINEER, mine.part_id, mine.version + 1, PIN), StaleVersion),
    )
    for attempt, error in refused:
        with pytest.raises(error):
            await attempt
    assert await services.tickets.get(SPECIALIST, view.case_id) == view
    assert part(await services.tickets.get(ENGINEER, view.case_id)).steps == ("sign", "refuse")
    assert (await services.tickets.get(ENGINEER, view.case_id)).steps == ()
    assert view.steps == ("add_part", "convert", "severity")


async def test_who_sends_does_not_sign(desk: Desk, services: TicketServices) -> None:
    both = replace(ENGINEER, user_id=SPECIALIST.user_id)
    view = await opened(services, desk)
    with pytest.raises(SamePerson):
        await services.work.sign(both, part(view).part_id, part(view).version, PIN)


async def test_the_manager_may_do_without_a_revisit(desk: Desk, services: TicketServices) -> None:
    view = await solved(services, await opened(services, desk))
    with pytest.raises(Invalid):
        await services.end.waive(MANAGER, view.case_id, view.version, " ")
    view = await services.end.waive(MANAGER, view.case_id, view.version, "客户出国,三次未接通")
    assert (view.header.status, view.waived_why) == (CaseStatus.VERIFIED, "客户出国,三次未接通")


@pytest.mark.parametrize(
    ("changes", "departments", "field"),
    [
        ({"text": " "}, ("ENG",), "content"),
        ({"text": "水" * 1_000_000}, ("ENG",), "content"),
        ({"question": "问" * 201}, ("ENG",), "question"),
        ({"answer": "答" * 100_000}, ("ENG",), "answer"),
        ({"recording_ref": "r" * 201}, ("ENG",), "recording_ref"),
        ({"class_code": 11}, ("ENG",), "class_code"),
        ({"call_id": "../../etc"}, ("ENG",), "call_id"),
        ({}, (), "departments"),
        ({}, ("ENG", "ENG"), "departments"),
        ({}, ("ENG", "NOPE"), "departments.1"),
        ({"customer_id": "nobody"}, ("ENG",), "customer_id"),
    ],
)
async def test_bad_findings_are_refused_by_name(
    desk: Desk, services: TicketServices, changes: dict[str, Any], departments: tuple[str, ...], field: str
) -> None:
    before = await counts(desk.database)
    with pytest.raises(HuifangError) as caught:
        await services.tickets.open_from_callback(SPECIALIST, source(desk, **changes), departments)
    assert caught.value.field == field
    assert await counts(desk.database) == before


async def test_times_out_of_order_are_refused(desk: Desk, services: TicketServices) -> None:
    view = await solved(services, await opened(services, desk))
    for wrong in (desk.now + timedelta(minutes=1), desk.now - timedelta(days=1)):
        with pytest.raises(Invalid) as caught:
            await asked(services, view, Revisit.SATISFIED, revisited_at=wrong)
        assert caught.value.field == "revisited_at"
    new = NewTicket(found=source(desk, question_id="X"), departments=("ENG",), demanded=timedelta(minutes=1))
    with pytest.raises(Invalid) as demanded:
        await services.tickets.open(SPECIALIST, new)
    assert demanded.value.field == "demanded"


async def test_a_ticket_is_listed_and_found(desk: Desk, services: TicketServices) -> None:
    view = await solved(services, await opened(services, desk))
    page = await services.tickets.page(SPECIALIST, CaseFilter(is_open=True))
    assert [case.no for case in page.items] == [view.no]
    search = Search(desk.database)
    for query in (view.no, "插座位置", "隐蔽工程的水电", "按图纸移位"):
        hits = await search.search(SPECIALIST, query, kinds=(Kind.TICKET,))
        assert [hit.ref_id for hit in hits.items] == [view.case_id], query
    assert (await search.search(MATERIALS, "插座位置", kinds=(Kind.TICKET,))).items == ()
    assert CaseKind.TICKET.value == page.items[0].kind


async def test_a_callback_by_the_system_belongs_to_who_talked(desk: Desk, services: TicketServices) -> None:
    view = await services.tickets.open_from_callback(
        Actor.system("callbacks"),
        source(desk, specialist_id=SPECIALIST.user_id, specialist=SPECIALIST.name),
        ("ENG",),
        Severity.SERIOUS,
    )
    assert view.header.specialist == "周晓梅"
    assert (await desk.get(view.converted_to or "")).header.specialist_id == SPECIALIST.user_id
