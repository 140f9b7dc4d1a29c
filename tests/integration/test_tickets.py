"""Problem tickets on both databases: domain.md §1.4, CB-5, CB-6; conversion, permissions, bad input."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from crm import opinion_notices
from crm.cases import CaseFilter
from crm.complaint_tables import CaseHandoff
from crm.complaints import Complaints
from crm.domain.case import CaseKind, CaseStatus, Severity, Source
from crm.domain.complaint import ComplaintClass
from crm.domain.forwarded import ReplyOwed, ReplyWay
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.domain.ticket import ConvertWhy, PartStatus, Revisit
from crm.events_limits import LimitBreached
from crm.events_tickets import (
    OpinionNoticeIssued,
    RevisitWanted,
    TicketConverted,
    TicketHandedOff,
    TicketOpened,
)
from crm.forwarded import ForwardedOrders, NewReply
from crm.handoffs import Box
from crm.limits import TimerState
from crm.search import Kind
from crm.search_feed import SearchFeed
from crm.search_query import Search
from crm.tables import ServiceCase
from crm.ticket_services import TicketServices
from crm.ticket_tables import OpinionNotice, TicketRow
from crm.ticket_views import CallbackSource, NewRevisit, NewTicket, PartView, TicketView
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, HuifangError, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import (
    BOSS,
    DESIGNER,
    ENG_WORKER,
    ENGINEER,
    HR,
    MANAGER,
    MATERIALS,
    PIN,
    SPECIALIST,
    Desk,
    open_desk,
)
from tests.support.limits import SettableClock, at, facts, local

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 16:30, as in the worked example of domain.md §1.3."""
    return SettableClock(at("2026-03-20T16:30"))


@pytest.fixture
async def desk(database: Database, clock: SettableClock) -> Desk:
    return await open_desk(database, clock)


@pytest.fixture
def services(desk: Desk) -> TicketServices:
    return TicketServices.build(
        desk.database,
        desk.clock,
        register=desk.register,
        journal=desk.journal,
        limits=desk.book,
        feed=SearchFeed(),
        handoffs=desk.services.handoffs,
        complaints=desk.services.complaints,
    )


def source(desk: Desk, **changes: Any) -> CallbackSource:
    what: dict[str, Any] = {
        "customer_id": desk.customer_id,
        "project_id": desk.project_id,
        "callback_ref": "HF202603200007",
        "question_id": "YB4",
        "question": "隐蔽工程的水电施工您满意吗?",
        "answer": "不满意,插座位置不对",
        "text": "客户反映厨房插座位置与图纸不符",
        "recording_ref": "HF202603200007#83",
    }
    return CallbackSource(**(what | changes))


async def opened(
    services: TicketServices,
    desk: Desk,
    *departments: str,
    severity: Severity = Severity.GENERAL,
    **changes: Any,
) -> TicketView:
    return await services.tickets.open_from_callback(
        SPECIALIST, source(desk, **changes), departments or ("ENG",), severity
    )


def part(view: TicketView, department: str = "ENG") -> PartView:
    return next(
        found
        for found in view.parts
        if found.department == department and found.status is not PartStatus.REROUTED
    )


async def solved(services: TicketServices, view: TicketView) -> TicketView:
    """Sign for every part and report it solved."""
    people = {"ENG": ENGINEER, "DES": DESIGNER, "MAT": MATERIALS}
    for found in view.parts:
        who = people[found.department]
        view = await services.work.sign(who, found.part_id, found.version, PIN)
        mine = part(view, found.department)
        view = await services.work.solve(who, mine.part_id, mine.version, "已按图纸移位")
    return await services.tickets.get(SPECIALIST, view.case_id)


async def asked(services: TicketServices, view: TicketView, said: Revisit, **more: Any) -> TicketView:
    return await services.end.revisit(SPECIALIST, view.case_id, view.version, NewRevisit(said=said, **more))


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


async def test_CONVERTED_when_the_revisit_fails_carries_everything_over(
    desk: Desk, services: TicketServices
) -> None:
    view = await solved(services, await opened(services, desk, "ENG", "DES"))
    view = await asked(services, view, Revisit.DISSATISFIED, note="插座还是不对")
    assert view.header.status is CaseStatus.CONVERTED
    assert (view.converted_why, view.converted_note) == ("revisit", "插座还是不对")
    assert view.converted_to is not None
    complaint = await desk.get(view.converted_to)
    assert complaint.no == view.converted_no == "TS202603200001"
    assert [line.department for line in complaint.lines] == ["ENG", "DES"]
    assert [line.class_code for line in complaint.lines] == [
        ComplaintClass.WORKMANSHIP,
        ComplaintClass.DESIGN,
    ]
    assert complaint.header.project_id == desk.project_id
    assert complaint.header.source == Source.CALLBACK.value
    for carried in (
        "厨房插座位置",
        "隐蔽工程的水电",
        "插座位置不对",
        "HF202603200007#83",
        "已按图纸移位",
        view.no,
    ):
        assert carried in complaint.header.content
    assert complaint.header.status is CaseStatus.HANDED_OFF
    (fact,) = await facts(desk.database, TicketConverted)
    assert (fact.complaint_id, fact.why) == (complaint.case_id, "revisit")
    async with desk.database.session() as session:
        timers = (await desk.book.timers(session, [view.case_id]))[view.case_id]
    assert not any(timer.is_open for timer in timers), "the ticket's limits end"
    assert any(timer.is_open for line in complaint.lines for timer in line.limits)


@pytest.mark.parametrize("severity", [Severity.SERIOUS, Severity.MAJOR])
async def test_CONVERTED_at_once_when_severity_is_two_or_more(
    desk: Desk, services: TicketServices, severity: Severity
) -> None:
    view = await opened(services, desk, severity=severity)
    assert (view.header.status, view.converted_why) == (CaseStatus.CONVERTED, "severity")
    assert (await desk.get(view.converted_to or "")).header.severity == severity
    assert (await desk.services.handoffs.page(ENGINEER, Box.WAITING)).items[0].case_no == view.converted_no


async def test_CONVERTED_when_it_turns_out_worse(desk: Desk, services: TicketServices) -> None:
    view = await opened(services, desk)
    view = await services.end.set_severity(
        SPECIALIST, view.case_id, view.version, Severity.SERIOUS, "插座进水"
    )
    assert view.header.status is CaseStatus.CONVERTED
    waiting = (await desk.services.handoffs.page(ENGINEER, Box.WAITING)).items
    assert [found.case_no for found in waiting] == [view.converted_no], "the ticket's own waits no more"


async def test_CONVERTED_when_the_customer_says_so_or_the_manager_decides(
    desk: Desk, services: TicketServices
) -> None:
    view = await opened(services, desk)
    with pytest.raises(Forbidden):
        await services.end.convert(SPECIALIST, view.case_id, view.version, ConvertWhy.DECIDED, note="x")
    for why in (ConvertWhy.REVISIT, ConvertWhy.SEVERITY):
        with pytest.raises(Invalid) as caught:
            await services.end.convert(MANAGER, view.case_id, view.version, why)
        assert caught.value.field == "why"
    with pytest.raises(Invalid):
        await services.end.convert(MANAGER, view.case_id, view.version, ConvertWhy.DECIDED)
    view = await services.end.convert(SPECIALIST, view.case_id, view.version, ConvertWhy.CUSTOMER)
    assert view.converted_label == "客户要求投诉"
    second = await opened(services, desk, question_id="YB9")
    second = await services.end.convert(
        MANAGER, second.case_id, second.version, ConvertWhy.DECIDED, note="涉及安全"
    )
    assert second.converted_note == "涉及安全"
    with pytest.raises(IllegalStep):
        await services.end.convert(SPECIALIST, view.case_id, view.version, ConvertWhy.CUSTOMER)


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("where", ["register_in", "_add", "_send"])
async def test_a_conversion_killed_in_the_middle_leaves_nothing(
    desk: Desk, services: TicketServices, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    view = await solved(services, await opened(services, desk))
    before = await counts(desk.database)

    original = getattr(Complaints, where)

    async def dies(self: Complaints, *arguments: Any, **more: Any) -> Any:
        await original(self, *arguments, **more)
        raise Killed

    monkeypatch.setattr(Complaints, where, dies)
    with pytest.raises(Killed):
        await asked(services, view, Revisit.DISSATISFIED)
    assert await counts(desk.database) == before
    same = await services.tickets.get(SPECIALIST, view.case_id)
    assert same == view
    monkeypatch.undo()
    assert (await asked(services, view, Revisit.DISSATISFIED)).header.status is CaseStatus.CONVERTED


async def counts(database: Database) -> tuple[int, ...]:
    async with database.session() as session:
        return tuple(
            [
                (await session.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (ServiceCase, CaseHandoff, TicketRow, OpinionNotice)
            ]
        )


async def test_a_forwarded_ticket_is_replied_to_before_it_closes(
    desk: Desk, services: TicketServices
) -> None:
    new = NewTicket(
        found=source(desk, callback_ref=None),
        departments=("ENG",),
        source=Source.HOTLINE_FORWARD,
        external_no="95598-7",
        demanded=timedelta(hours=4),
    )
    view = await services.tickets.open(SPECIALIST, new)
    (limit,) = view.limits
    assert (limit.code, limit.due_at) == ("FO.REPLY", desk.now + timedelta(hours=4))
    view = await asked(services, await solved(services, view), Revisit.SATISFIED)
    assert "close" not in view.steps and "reply_to_source" in view.steps
    with pytest.raises(ReplyOwed) as caught:
        await services.end.close(SPECIALIST, view.case_id, view.version)
    assert caught.value.field == "reply_to_source"
    orders = ForwardedOrders(desk.database, desk.clock, desk.register, desk.journal, desk.book)
    await orders.reply(SPECIALIST, view.case_id, view.version, NewReply(way=ReplyWay.PHONE, text="已解决"))
    view = await services.tickets.get(SPECIALIST, view.case_id)
    assert (await services.end.close(SPECIALIST, view.case_id, view.version)).closed_by == "周晓梅"


async def test_a_forwarded_order_goes_on_with_its_own_time_as_a_complaint(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    new = NewTicket(
        found=source(desk, callback_ref=None),
        departments=("ENG",),
        source=Source.HOTLINE_FORWARD,
        external_no="95598-8",
        demanded=timedelta(hours=4),
    )
    view = await services.tickets.open(SPECIALIST, new)
    due = view.limits[0].due_at
    clock.advance(timedelta(hours=1))
    view = await services.end.convert(SPECIALIST, view.case_id, view.version, ConvertWhy.CUSTOMER)
    assert view.header.external_no is None
    complaint = await desk.get(view.converted_to or "")
    assert (complaint.header.external_no, complaint.reply_owed) == ("95598-8", True)
    assert [timer.due_at for timer in complaint.limits if timer.is_open] == [due]


async def test_CB6_the_second_time_and_late_goes_one_level_up(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    first = await opened(services, desk)
    clock.set(at("2026-03-23T09:00"))
    second = await opened(services, desk, callback_ref="HF202603230002")
    assert second.fed_back == 2
    (notice,) = second.notices
    assert (notice.no, notice.why, notice.department) == (f"{second.no}-G01", "again", "ENG")
    assert notice.addressed_to == "总经理"
    assert [time["no"] for time in notice.sheet["times"]] == [first.no, second.no]
    assert notice.sheet["missed"][0]["no"] == first.no
    assert notice.sheet["department_head"] and notice.sheet["address"]
    assert [found.no for found in second.earlier] == [first.no]
    (fact,) = await facts(desk.database, OpinionNoticeIssued)
    assert (fact.department, fact.fed_back) == ("ENG", 2)
    assert (await services.notices.page(ENGINEER)).items[0].no == notice.no
    assert (await services.notices.page(DESIGNER)).items == ()
    with pytest.raises(NotFound):
        await services.notices.get(DESIGNER, notice.notice_id)
    with pytest.raises(Forbidden):
        await services.notices.answer(ENGINEER, notice.notice_id, 1, "知道了")
    answered = await services.notices.answer(BOSS, notice.notice_id, 1, "本周内由工程部经理到场解决")
    assert answered.answered_by == "赵总"
    with pytest.raises(StaleVersion):
        await services.notices.answer(BOSS, notice.notice_id, 1, "再说一次")
    with pytest.raises(Conflict):
        await services.notices.answer(BOSS, notice.notice_id, answered.version, "再说一次")
    assert (await services.notices.page(BOSS, answered=False)).items == ()


async def test_CB6_a_first_time_or_in_time_is_no_notice(
    desk: Desk, services: TicketServices, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await asked(services, await solved(services, await opened(services, desk)), Revisit.SATISFIED)
    await services.end.close(SPECIALIST, view.case_id, view.version)
    clock.advance(timedelta(days=2))
    second = await opened(services, desk, callback_ref="HF202603220001")
    assert (second.fed_back, second.notices) == (2, ())
    monkeypatch.setattr(opinion_notices, "LOOK_BACK", timedelta(hours=1))
    clock.advance(timedelta(days=1))
    later = await opened(services, desk, callback_ref="HF202703220001")
    assert later.fed_back == 1, "what is long ago does not count"


async def test_CB6_a_breach_of_the_second_ticket_issues_the_notice_once(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    await asked(services, await solved(services, await opened(services, desk)), Revisit.SATISFIED)
    second = await opened(services, desk, callback_ref="HF202603220001")
    assert second.notices == ()
    timer = part(second).limits[0]
    clock.set(at("2026-03-23T12:00"))
    fact = LimitBreached(
        at=desk.now,
        timer_id=timer.timer_id,
        code=timer.code,
        record_kind="ticket",
        record_id=second.case_id,
        line_id=part(second).part_id,
        record_no=second.no,
        department="ENG",
        user_id=None,
        specialist=None,
        started_at=timer.started_at,
        due_at=timer.due_at or desk.now,
    )
    for told in (fact, fact, replace(fact, record_kind="complaint"), replace(fact, record_id=new_ulid())):
        async with desk.database.transaction() as session:
            await services.notices.on_breach(session, told)
    (notice,) = (await services.tickets.get(MANAGER, second.case_id)).notices
    assert (notice.why, notice.sheet["missed"][0]["no"]) == ("late", second.no)


async def test_CB6_a_second_ticket_that_is_still_not_solved(desk: Desk, services: TicketServices) -> None:
    await asked(services, await solved(services, await opened(services, desk)), Revisit.SATISFIED)
    second = await solved(services, await opened(services, desk, callback_ref="HF202603220001"))
    second = await asked(services, second, Revisit.DISSATISFIED)
    assert [notice.why for notice in second.notices] == ["unsolved"]


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
