"""Messages on their way out against a model of plain dictionaries.

The model: a key is one message. It is sent when it is due, in the day unless it is urgent, at most once at a
time; after trouble that may pass it is tried again after 30 s, 2 min, 8 min, 32 min and so on up to four
hours, eight times in all; what the other side refuses fails at once. A sender that dies after the message is
out is found out when its claim of 90 s has run out, and the same message goes out under the same id. A
failed one begins again when somebody says so. The customer's time line has one entry for each key.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import app.models  # noqa: F401 - every table
from crm.notices.desk import NotFailed
from crm.notices.domain import Channel
from crm.notices.messages import CustomerMessage
from crm.notices.ports import Delivered, Message, MessageSender, Permanent, Temporary
from crm.notices.sending import MessageWorker
from crm.notices.tables import OutgoingMessage
from crm.tables import Customer
from crm.timeline import Timeline
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.notices import NoticeStage
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PAUSES = [30, 120, 480, 1920, 7680, 14_400, 14_400]
"""Seconds after the first, second, … failed try; after the eighth it is over."""
CLAIM = timedelta(seconds=90)
KEYS = st.integers(0, 2)


@dataclass
class Story:
    """What has happened to a message."""

    wanted: bool
    """The customer takes texts of this kind whatever they refused."""
    urgent: bool
    state: str
    due: datetime
    tries: int = 0
    posted: int = 0


class Sender:
    """The other side: takes everything, nothing for now, or nothing at all."""

    def __init__(self) -> None:
        self.mood = "takes"
        self.got: list[str] = []

    async def send(self, message: Message) -> Delivered:
        self.got.append(message.message_id)
        if self.mood == "busy":
            raise Temporary("no answer in time")
        if self.mood == "refuses":
            raise Permanent("the receiver refused it")
        return Delivered()


class Killed(MessageWorker):
    """A worker whose process ends between the send and the mark."""

    async def _mark(self, begun: Any, outcome: Any) -> None:
        return None


@dataclass
class World:
    """One database for all examples: each works with a customer and a number of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    stage: NoticeStage
    examples: int = 0


class MessagesOnTheirWay(RuleBasedStateMachine):
    """The real queue and workers on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        world = self.world
        world.examples += 1
        self.number = f"+86138{world.examples:08}"
        self.customer = new_ulid()
        self.stories: dict[int, Story] = {}
        self.ids: dict[int, str] = {}
        self.sender = Sender()
        self.refuses = False

        async def write() -> None:
            async with world.stage.database.transaction() as session:
                now = world.clock.now()
                session.add(Customer(id=self.customer, name="王建军", level="B", created_at=now))

        self.run(write())

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def worker(self, name: str, kind: type[MessageWorker] = MessageWorker) -> MessageWorker:
        senders: dict[Channel, MessageSender] = {Channel.SMS: self.sender}
        made = self.world.stage.worker(name, senders=senders)
        made.__class__ = kind
        return made

    def night_ends(self) -> datetime | None:
        """When the quiet hours end that it is in now, 21:00 to 08:00 in Shanghai."""
        local = self.now + timedelta(hours=8)
        if 8 <= local.hour < 21:
            return None
        morning = local.replace(hour=8, minute=0, second=0, microsecond=0)
        return (morning if local.hour < 8 else morning + timedelta(days=1)) - timedelta(hours=8)

    def due(self) -> list[Story]:
        return [
            one
            for one in self.stories.values()
            if one.state in {"waiting", "sending"} and one.due <= self.now
        ]

    # What people, time and the other side do

    @rule(key=KEYS, about_case=st.booleans(), urgent=st.booleans())
    def ask(self, key: int, about_case: bool, urgent: bool) -> None:
        stage = self.world.stage
        template = "case.closed" if about_case else "callback.announced"

        async def send() -> CustomerMessage:
            async with stage.database.transaction() as session:
                return await stage.queue.send_to_customer(
                    session,
                    self.number,
                    template,
                    {},
                    f"{self.customer}|{key}",
                    urgent=urgent,
                    customer_id=self.customer,
                )

        said = self.run(send())
        if key in self.stories:
            assert said is CustomerMessage.KNOWN
            return
        held_back = self.refuses and not about_case
        assert said is (CustomerMessage.SUPPRESSED if held_back else CustomerMessage.QUEUED)
        state = "suppressed" if held_back else "waiting"
        self.stories[key] = Story(wanted=about_case, urgent=urgent, state=state, due=self.now)

    @rule(refuses=st.booleans())
    def the_customer_says(self, refuses: bool) -> None:
        self.refuses = refuses
        known = self.world.stage.do_not_call
        known.add(self.number) if refuses else known.discard(self.number)

    @rule(mood=st.sampled_from(["takes", "busy", "refuses"]))
    def the_other_side(self, mood: str) -> None:
        self.sender.mood = mood

    @rule(step=st.sampled_from([20, 60, 95, 600, 7200, 30_000]))
    def time_passes(self, step: int) -> None:
        self.world.clock.advance(timedelta(seconds=step))

    @rule(killed=st.booleans(), rivals=st.integers(1, 3))
    def work(self, killed: bool, rivals: int) -> None:
        """Workers that come at the same moment send what is due once among them."""
        due, night = self.due(), self.night_ends()
        before = len(self.sender.got)
        kind = Killed if killed else MessageWorker
        workers = [self.worker(f"w{n}-{new_ulid()}", kind) for n in range(rivals)]

        async def all_at_once() -> None:
            await asyncio.gather(*(worker.run_once() for worker in workers))

        self.run(all_at_once())
        out = 0
        for one in due:
            if self.refuses and not one.wanted:
                one.state = "suppressed"
            elif night is not None and not one.urgent:
                one.state, one.due = "waiting", night
            else:
                out += 1
                self.post(one, killed=killed)
        assert len(self.sender.got) - before == out

    def post(self, one: Story, *, killed: bool) -> None:
        one.tries += 1
        one.posted += 1
        if killed:
            one.state, one.due = "sending", self.now + CLAIM
        elif self.sender.mood == "takes":
            one.state = "sent"
        elif self.sender.mood == "refuses" or one.tries == 8:
            one.state = "failed"
        else:
            one.state, one.due = "waiting", self.now + timedelta(seconds=PAUSES[one.tries - 1])

    @rule(key=KEYS)
    def try_again(self, key: int) -> None:
        if key not in self.ids:
            return
        one, desk = self.stories[key], self.world.stage.desk
        try:
            self.run(desk.try_again(self.world.stage.actor("u-admin"), self.ids[key]))
        except NotFailed:
            assert one.state != "failed"
        else:
            assert one.state == "failed"
            one.state, one.due, one.tries = "waiting", self.now, 0

    def teardown(self) -> None:
        """Leave nothing on its way for the workers of other examples."""
        self.the_customer_says(refuses=False)
        self.sender.mood = "takes"
        morning = self.now.replace(hour=START.hour, minute=0, second=0, microsecond=0)
        self.world.clock.advance(morning + timedelta(days=2) - self.now)
        while self.run(self.worker(f"last-{new_ulid()}").run_once()):
            pass

    # What must be so at any time

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        stage = self.world.stage

        async def read() -> None:
            mine = [row for row in await stage.messages() if row.address == self.number]
            rows: dict[int, OutgoingMessage] = {int(row.dedupe_key.rpartition("|")[2]): row for row in mine}
            assert len(rows) == len(mine) == len(self.stories)
            self.ids = {key: row.message_id for key, row in rows.items()}
            for key, one in self.stories.items():
                row = rows[key]
                assert (row.state, row.attempts) == (one.state, one.tries), key
                assert self.sender.got.count(row.message_id) == one.posted, key
                if one.state == "waiting":
                    assert row.due_at == one.due
                elif one.state != "sending":
                    assert row.due_at is None
            shown = await Timeline(stage.database).page(stage.actor("u-agent"), self.customer)
            told = {entry.ref: entry.result for entry in shown.items}
            on_its_way = {"sending": "waiting"}
            assert len(shown.items) == len(told)
            assert told == {
                self.ids[key]: on_its_way.get(one.state, one.state) for key, one in self.stories.items()
            }

        self.run(read())


def test_messages_go_out_as_the_model_says() -> None:
    clock = FakeClock(START)

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, NoticeStage(database, clock))

    run_on_sqlite(MessagesOnTheirWay, world, examples=18, steps=20)
