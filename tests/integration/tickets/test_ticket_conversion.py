"""Problem tickets that become complaints, and those that a hotline forwarded."""

from datetime import timedelta
from typing import Any

import pytest

from crm.complaints import Complaints
from crm.domain.case import CaseStatus, Severity, Source
from crm.domain.complaint import ComplaintClass
from crm.domain.forwarded import ReplyOwed, ReplyWay
from crm.domain.machine import IllegalStep
from crm.domain.ticket import ConvertWhy, Revisit
from crm.events_tickets import (
    TicketConverted,
)
from crm.forwarded import ForwardedOrders, NewReply
from crm.handoffs import Box
from crm.ticket_services import TicketServices
from crm.ticket_views import NewTicket
from kernel.errors import Forbidden, Invalid
from tests.support.complaints import (
    ENGINEER,
    MANAGER,
    SPECIALIST,
    Desk,
)
from tests.support.limits import SettableClock, facts
from tests.support.tickets import asked, counts, opened, solved, source

pytestmark = pytest.mark.integration


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
