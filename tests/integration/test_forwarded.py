"""Orders of other hotlines (domain.md §1.13): one case each, a limit of their own, told before they close."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from crm.cases import AlreadyForwarded
from crm.complaint_views import ComplaintView
from crm.domain.case import Severity, Source
from crm.domain.complaint import Verdict
from crm.domain.forwarded import NoReplyOwed, ReplyOwed, ReplyWay, check_replied, reply_owed
from crm.events_tickets import SourceReplied
from crm.forwarded import ForwardedOrders, NewReply, guard
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import COLLEAGUE, ENGINEER, SPECIALIST, Desk, open_desk, person
from tests.support.limits import facts

pytestmark = pytest.mark.integration

TOLD = NewReply(way=ReplyWay.ORDER_SYSTEM, text="已返工,客户满意", told="95598 话务员 018")


@pytest.fixture
async def desk(database: Database, clock: FakeClock) -> Desk:
    return await open_desk(database, clock)


@pytest.fixture
def orders(desk: Desk, clock: FakeClock) -> ForwardedOrders:
    return ForwardedOrders(desk.database, clock, desk.register, desk.journal, desk.book)


async def order(desk: Desk, number: str = "95598-2026-001", **changes: Any) -> ComplaintView:
    return await desk.handed_off(source=Source.HOTLINE_FORWARD, external_no=number, **changes)


async def test_who_is_asked_first_is_responsible_and_has_a_limit(desk: Desk, orders: ForwardedOrders) -> None:
    view = await order(desk)
    (found,) = (await orders.page(SPECIALIST)).items
    assert (found.case.case_id, found.responsible, found.owed) == (view.case_id, "周晓梅", True)
    assert found.limit is not None and found.limit.code == "FO.REPLY" and found.limit.is_open
    assert found.limit.due_at == desk.now + timedelta(hours=24)
    assert (await orders.page(COLLEAGUE, mine=True)).items == ()
    assert len((await orders.page(SPECIALIST, mine=True)).items) == 1


async def test_a_reply_closes_the_loop(desk: Desk, orders: ForwardedOrders) -> None:
    view = await order(desk)
    found = await orders.reply(SPECIALIST, view.case_id, view.version, TOLD)
    assert not found.owed and found.reply is not None
    assert (found.reply.way, found.reply.told, found.reply.replied_by) == (
        ReplyWay.ORDER_SYSTEM,
        "95598 话务员 018",
        "周晓梅",
    )
    assert found.limit is not None and not found.limit.is_open and not found.limit.overdue
    assert (await orders.page(SPECIALIST)).items == ()
    assert len((await orders.page(SPECIALIST, owed=False)).items) == 1
    assert (await desk.get(view)).reply_text == "已返工,客户满意"
    (fact,) = await facts(desk.database, SourceReplied)
    assert (fact.external_no, fact.kind) == ("95598-2026-001", "complaint")
    with pytest.raises(NoReplyOwed):
        await orders.reply(SPECIALIST, view.case_id, found.case.version, TOLD)


async def test_a_complaint_does_not_close_without_the_reply(desk: Desk, orders: ForwardedOrders) -> None:
    view = await order(desk)
    await desk.done(view.lines[0])
    view = await desk.call_back(view, verdict=Verdict.SATISFIED)
    with pytest.raises(Conflict) as caught:
        await desk.close(view)
    assert caught.value.field == "reply_to_source"
    await orders.reply(SPECIALIST, view.case_id, view.version, TOLD)
    assert (await desk.close(view)).closed_by == "周晓梅"


async def test_an_order_is_one_case_and_has_a_number(desk: Desk) -> None:
    await order(desk)
    with pytest.raises(AlreadyForwarded) as caught:
        await order(desk)
    assert caught.value.field == "external_no"
    await desk.new(source=Source.REGULATOR, severity=Severity.MAJOR, external_no="95598-2026-001")
    for nothing in (None, " "):
        with pytest.raises(Invalid) as missing:
            await desk.new(source=Source.HOTLINE_FORWARD, external_no=nothing)
        assert missing.value.field == "external_no"


async def test_replies_that_cannot_be_are_refused(desk: Desk, orders: ForwardedOrders) -> None:
    view, plain = await order(desk), await desk.new()
    stranger = person("何琳", Role.HR)
    for actor, case_id, version, reply, error in (
        (ENGINEER, view.case_id, view.version, TOLD, Forbidden),
        (stranger, view.case_id, view.version, TOLD, Forbidden),
        (SPECIALIST, new_ulid(), 1, TOLD, NotFound),
        (SPECIALIST, plain.case_id, plain.version, TOLD, NoReplyOwed),
        (SPECIALIST, view.case_id, view.version + 7, TOLD, StaleVersion),
        (SPECIALIST, view.case_id, view.version, NewReply(way=ReplyWay.PHONE, text=" "), Invalid),
        (SPECIALIST, view.case_id, view.version, NewReply(way=ReplyWay.PHONE, text="好" * 900_000), Invalid),
    ):
        with pytest.raises(error):
            await orders.reply(actor, case_id, version, reply)
    for wrong in (desk.now + timedelta(minutes=1), desk.now - timedelta(days=1)):
        reply = NewReply(way=ReplyWay.PHONE, text="好", replied_at=wrong)
        with pytest.raises(Invalid) as caught:
            await orders.reply(SPECIALIST, view.case_id, view.version, reply)
        assert caught.value.field == "replied_at"
    assert (await orders.get(SPECIALIST, view.case_id)).owed
    with pytest.raises(NotFound):
        await orders.get(SPECIALIST, plain.case_id)


async def test_pages_follow_one_another(desk: Desk, orders: ForwardedOrders) -> None:
    made = [(await order(desk, f"O-{number}")).case_id for number in range(5)]
    first = await orders.page(SPECIALIST, limit=3)
    second = await orders.page(SPECIALIST, limit=3, cursor=first.next_cursor)
    seen = [item.case.case_id for item in (*first.items, *second.items)]
    assert sorted(seen) == sorted(made) and second.next_cursor is None


async def test_one_guard_for_every_kind(desk: Desk) -> None:
    assert not reply_owed("phone", "X-1", None)
    assert not reply_owed("hotline_forward", None, None)
    assert not reply_owed("hotline_forward", "X-1", desk.now)
    with pytest.raises(ReplyOwed):
        check_replied("hotline_forward", "X-1", None)
    with pytest.raises(ReplyOwed):
        guard((await order(desk)).header)
    guard((await desk.new()).header)


async def test_a_reply_written_on_the_complaint_is_the_same_reply(
    desk: Desk, orders: ForwardedOrders
) -> None:
    view = await order(desk)
    view = await desk.services.end.reply_to_source(SPECIALIST, view.case_id, view.version, "已电话告知结果")
    assert view.reply_text == "已电话告知结果" and not view.reply_owed
    found = await orders.get(SPECIALIST, view.case_id)
    assert found.reply is not None and (found.reply.way, found.owed) == (ReplyWay.PHONE, False)
    assert found.limit is not None and not found.limit.is_open
    assert len(await facts(desk.database, SourceReplied)) == 1


async def test_an_order_that_two_register_at_once_is_one_case(desk: Desk) -> None:
    outcome = await asyncio.gather(*(order(desk) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(found, ComplaintView) for found in outcome) == 1
    assert sum(isinstance(found, AlreadyForwarded) for found in outcome) == 3
