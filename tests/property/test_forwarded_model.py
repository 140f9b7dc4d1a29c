"""Orders that another hotline forwards against a model of plain facts (95598 closed loop, domain.md §1.13).

The model: an order is one case, whatever it is called. From its registration its hotline waits, and whoever
registered it owes the reply within a day, or within what the order itself demands. The case does not end
before the hotline was told; it is told once. A ticket that becomes a complaint takes the order, and the time
for its reply, along.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crm.cases import AlreadyForwarded
from crm.domain.case import Source
from crm.domain.forwarded import NoReplyOwed, ReplyOwed, ReplyWay
from crm.domain.machine import IllegalStep
from crm.domain.ticket import ConvertWhy, Revisit
from crm.events_tickets import SourceReplied
from crm.forwarded import ForwardedOrders, NewReply
from crm.limit_worker import LimitWorker
from crm.ticket_services import TicketServices
from crm.ticket_views import NewTicket
from kernel.access import Actor
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from tests.support.complaints import COLLEAGUE, ENGINEER, HR, MANAGER, SPECIALIST, Desk, open_desk
from tests.support.limits import SettableClock, at, facts
from tests.support.state_machines import run_on_sqlite
from tests.support.tickets import asked, solved, source, ticket_services

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

BEGIN = at("2026-03-20T09:00")
DAY = timedelta(days=1)
PLACES = st.integers(0, 3)
REGISTER = {SPECIALIST.user_id, COLLEAGUE.user_id, MANAGER.user_id}


@dataclass
class World:
    """One company for all examples: each has orders of its own."""

    loop: asyncio.AbstractEventLoop
    clock: SettableClock
    database: Database
    desk: Desk
    tickets: TicketServices
    orders: ForwardedOrders
    limits: LimitWorker
    examples: int = 0


@dataclass
class Order:
    """What the model knows of an order; ``handled``: the customer is content, it may be closed."""

    number: str
    kind: str
    opened: datetime
    due: datetime
    by: str
    handled: bool = False
    over: bool = False
    told: datetime | None = None


class OrdersOnTheirWay(RuleBasedStateMachine):
    """The real services on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.world.examples += 1
        self.world.clock.set(BEGIN + self.world.examples * timedelta(days=30))
        self.orders: dict[str, Order] = {}

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def pick(self, place: int) -> tuple[str, Order] | None:
        return list(self.orders.items())[place % len(self.orders)] if self.orders else None

    def now(self) -> datetime:
        return self.world.clock.now()

    async def version(self, case_id: str, kind: str) -> int:
        if kind == "ticket":
            return (await self.world.tickets.tickets.get(MANAGER, case_id)).version
        return (await self.world.desk.get(case_id)).version

    @rule(
        number=st.integers(1, 4),
        ticket=st.booleans(),
        demanded=st.sampled_from([None, timedelta(hours=4)]),
        who=st.sampled_from([SPECIALIST, COLLEAGUE]),
    )
    def an_order_comes(self, number: int, ticket: bool, demanded: timedelta | None, who: Actor) -> None:
        desk, external_no = self.world.desk, f"95598-{self.world.examples}-{number}"
        kind, taken = "ticket" if ticket else "complaint", {one.number for one in self.orders.values()}
        new = NewTicket(
            found=source(desk, callback_ref=None),
            departments=("ENG",),
            source=Source.HOTLINE_FORWARD,
            external_no=external_no,
            demanded=demanded,
        )
        # Complaints have the company's time here, tickets also what the order demands.
        registered = (
            self.world.tickets.tickets.open(who, new)
            if ticket
            else desk.new(by=who, source=Source.HOTLINE_FORWARD, external_no=external_no)
        )
        try:
            view = self.run(registered)
        except AlreadyForwarded:
            assert external_no in taken
        else:
            assert external_no not in taken
            due = self.now() + ((demanded if ticket else None) or DAY)
            self.orders[view.case_id] = Order(external_no, kind, self.now(), due, who.user_id)

    @rule(hours=st.sampled_from([1, 5, 25]))
    def time_passes(self, hours: int) -> None:
        self.world.clock.advance(timedelta(hours=hours))
        self.run(self.world.limits.run_once())

    @rule(
        place=PLACES,
        who=st.sampled_from([SPECIALIST, COLLEAGUE, MANAGER, ENGINEER, HR]),
        text=st.sampled_from(["", "已处理，客户满意"]),
        when=st.sampled_from(["now", "ahead", "before"]),
        stale=st.booleans(),
    )
    def the_hotline_is_told(self, place: int, who: Actor, text: str, when: str, stale: bool) -> None:
        picked = self.pick(place)
        if picked is None:
            return
        key, order = picked
        hour = timedelta(hours=1)
        moment = {"now": None, "ahead": self.now() + hour, "before": order.opened - hour}[when]

        async def tell() -> None:
            expected = await self.version(key, order.kind) + (7 if stale else 0)
            reply = NewReply(way=ReplyWay.PHONE, text=text, told="话务员 018", replied_at=moment)
            await self.world.orders.reply(who, key, expected, reply)

        try:
            self.run(tell())
        except Forbidden:
            assert who.user_id not in REGISTER
        except StaleVersion:
            assert stale
        except NoReplyOwed:
            assert order.told is not None
        except Invalid as error:
            refused = error.field
            assert refused == ("replied_at" if text else "text") and (not text or moment)
        else:
            assert who.user_id in REGISTER and text and when == "now" and not stale and order.told is None
            order.told = self.now()

    @rule(place=PLACES)
    def a_ticket_is_solved_and_the_customer_content(self, place: int) -> None:
        picked = self.pick(place)
        if picked is None or picked[1].kind != "ticket" or picked[1].handled or picked[1].over:
            return

        async def handle() -> None:
            view = await self.world.tickets.tickets.get(SPECIALIST, picked[0])
            view = await solved(self.world.tickets, view)
            await asked(self.world.tickets, view, Revisit.SATISFIED)

        self.run(handle())
        picked[1].handled = True

    @rule(place=PLACES)
    def it_is_to_end(self, place: int) -> None:
        """A ticket is closed; of a complaint the manager says that it is no case."""
        picked = self.pick(place)
        if picked is None:
            return
        key, order = picked

        async def end() -> None:
            expected = await self.version(key, order.kind)
            if order.kind == "ticket":
                await self.world.tickets.end.close(SPECIALIST, key, expected)
            else:
                await self.world.desk.services.end.not_file(MANAGER, key, expected, "重复来单")

        try:
            self.run(end())
        except ReplyOwed:
            assert order.told is None and order.handled
        except IllegalStep:
            assert order.over or not order.handled
        except Conflict as error:
            refused = error.field
            assert order.kind == "complaint" and (order.over or order.told is None)
            assert order.over or refused == "reply_to_source"
        else:
            assert order.told is not None and not order.over, "the hotline waits for what was closed"
            order.over = True

    @rule(place=PLACES)
    def a_ticket_becomes_a_complaint(self, place: int) -> None:
        picked = self.pick(place)
        if picked is None or picked[1].kind != "ticket":
            return
        key, order = picked

        async def convert() -> str:
            expected = await self.version(key, "ticket")
            end = self.world.tickets.end
            return (await end.convert(SPECIALIST, key, expected, ConvertWhy.CUSTOMER)).converted_to or ""

        try:
            complaint = self.run(convert())
        except IllegalStep:
            assert order.over
            return
        assert not order.over
        if order.told is not None:
            order.over = True
            return
        del self.orders[key]
        self.orders[complaint] = Order(order.number, "complaint", order.opened, order.due, SPECIALIST.user_id)

    @invariant()
    def lists_show_what_the_model_says(self) -> None:
        if getattr(self, "orders", None):
            self.run(self.compare())

    async def compare(self) -> None:
        shown = {
            one.case.case_id: one
            for one in (await self.world.orders.page(MANAGER, owed=None, limit=200)).items
            if (one.case.external_no or "").startswith(f"95598-{self.world.examples}-")
        }
        assert set(shown) == set(self.orders)
        waiting = {one.case.case_id for one in (await self.world.orders.page(MANAGER, limit=200)).items}
        for key, order in self.orders.items():
            one = shown[key]
            assert (one.case.external_no, one.owed) == (order.number, order.told is None)
            assert (key in waiting) is (order.told is None)
            assert one.responsible_id == order.by
            assert one.limit is not None and one.limit.due_at == order.due
            assert one.limit.is_open is (order.told is None)
            assert one.limit.overdue is ((order.told or self.now()) > order.due)
            assert (one.reply.replied_at if one.reply else None) == order.told
        assert waiting & {key for key, order in self.orders.items() if order.over} == set()

    def teardown(self) -> None:
        """Every hotline that was told, was told once."""
        if not getattr(self, "orders", None):
            return
        mine = f"95598-{self.world.examples}-"
        told = [
            one.external_no
            for one in self.run(facts(self.world.database, SourceReplied))
            if one.external_no.startswith(mine)
        ]
        assert sorted(told) == sorted(one.number for one in self.orders.values() if one.told)


def test_forwarded_orders_are_replied_to_as_the_model_says() -> None:
    """Whatever is tried in whatever order."""
    clock = SettableClock(BEGIN)

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        desk = loop.run_until_complete(open_desk(database, clock))
        orders = ForwardedOrders(database, clock, desk.register, desk.journal, desk.book)
        worker = LimitWorker(database, clock, desk.book, worker="w1")
        return World(loop, clock, database, desk, ticket_services(desk), orders, worker)

    run_on_sqlite(OrdersOnTheirWay, world, examples=8, steps=14)
