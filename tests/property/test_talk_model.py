"""Talks against a model: what was answered is never lost, and a talk ends once.

The model: six questions are required. An answer holds from the moment it is given, over hang-ups, dead
processes and further calls, until another one corrects it or it turns out that it was somebody else's. A talk
that ends with all six is done, with 60 % of them it is kept as a part, with fewer it is tried again; an
appointment, a refusal and a wrong number go their own ways. What is bad and decisive makes the whole so.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

import app.models  # noqa: F401 - every table
from callback_campaigns.domain.questionnaire import answer_by_key
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Channel
from callback_campaigns.events import TalkEnded, TalkTicketsWanted
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_sweep import TalkSweep
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow
from callback_campaigns.talks import TalkOver
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.callback_centre import make_centre
from tests.support.people import make_desk
from tests.support.state_machines import run_on_sqlite
from tests.support.talks import TalkCentre, make_talks
from tests.unit.callback_campaigns.times import at

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

SCORES = {
    "KG1": (100, 0, 0),
    "KG2": (100, 60, 0),
    "KG3": (100, 0),
    "KG4": (100, 60, 0),
    "KG5": (100, 0),
    "KG7": (0, 25, 50, 75, 100),
}
BAD_AND_DECISIVE = {("KG1", 2), ("KG1", 3), ("KG3", 2), ("KG5", 2), ("KG7", 1), ("KG7", 2)}
KEYS = st.sampled_from([(item, key + 1) for item, scores in SCORES.items() for key in range(len(scores))])
ENDINGS = st.sampled_from([how for how in TalkEnding if how is not TalkEnding.TO_AGENT])
CALLABLE = {TaskStatus.READY, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED}


@dataclass
class World:
    """One database for all examples: each has a task of its own."""

    loop: asyncio.AbstractEventLoop
    centre: TalkCentre
    sweep: TalkSweep
    customer_id: str
    calls: int = 0


@dataclass
class Given:
    """An answer in the model: its key, and the number of the talk that it was given in."""

    key: int
    talk: int


@dataclass
class Known:
    """The model."""

    status: TaskStatus = TaskStatus.READY
    answers: dict[str, Given] = field(default_factory=dict)
    talks: int = 0
    goes_on: bool = False
    hung_up: bool = False
    swept: bool = False
    ended: int = 0
    told: int = 0


class TalksOnTheirWay(RuleBasedStateMachine):
    """The real talks on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.known = Known()
        self.task_id = new_ulid()
        self.talk: Talk | None = None
        self.run(self.add_task())

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    async def add_task(self) -> None:
        now = self.world.centre.clock.now()
        async with self.world.centre.callbacks.database.transaction() as session:
            session.add(
                CallbackTaskRow(
                    id=self.task_id,
                    key=self.task_id,
                    current_key=f"{self.task_id}:KG",
                    project_id=self.task_id,
                    kind="KG",
                    category="site",
                    status="ready",
                    customer_id=self.world.customer_id,
                    level="B",
                    channel="ivr",
                    origin="manual",
                    origin_ref="x",
                    call_at=now,
                    tried=[],
                    created_at=now,
                    tries=0,
                )
            )

    async def dialled(self, attempt_id: str) -> None:
        now = self.world.centre.clock.now()
        async with self.world.centre.callbacks.database.transaction() as session:
            row = await session.get_one(CallbackTaskRow, self.task_id)
            row.status, row.attempt_id, row.attempt_at, row.tried = "dialling", attempt_id, now, []
            row.due_at, row.appointed = None, False
            session.add(
                DialAttemptRow(
                    id=attempt_id,
                    channel_id=f"att-{attempt_id}",
                    task_id=self.task_id,
                    customer_id=self.world.customer_id,
                    number=f"+86{self.world.calls:011}",
                    node="pbx1",
                    trunk="main",
                    state="answered",
                    survey=True,
                    began_at=now,
                    since=now,
                    answered_at=now,
                )
            )

    async def over(self, attempt_id: str) -> None:
        async with self.world.centre.callbacks.database.transaction() as session:
            row = await session.get_one(DialAttemptRow, attempt_id)
            row.state, row.outcome, row.ended_at = "ended", "answered", self.world.centre.clock.now()

    # What happens

    @precondition(lambda self: not self.known.goes_on and self.known.status in CALLABLE)
    @rule()
    def call(self) -> None:
        attempt_id = new_ulid()
        self.world.calls += 1
        self.run(self.dialled(attempt_id))
        opened = partial(
            self.world.centre.talks.open, self.task_id, attempt_id=attempt_id, channel=Channel.IVR, by="ivr"
        )
        self.talk = self.run(opened())
        assert self.talk is not None
        assert self.run(opened()).talk_id == self.talk.talk_id
        self.known.talks += 1
        self.known.goes_on, self.known.hung_up, self.known.swept = True, False, False
        self.known.status = TaskStatus.TALKING

    @precondition(lambda self: self.talk is not None)
    @rule(pressed=KEYS, twice=st.booleans())
    def press(self, pressed: tuple[str, int], twice: bool) -> None:
        talk, (item_id, key) = self.talk, pressed
        assert talk is not None
        item = talk.item(item_id)
        assert item is not None
        answer = answer_by_key(item, str(key))
        keep = self.world.centre.talks.answer
        self.goes_on_after_all()
        if not self.known.goes_on:
            with pytest.raises(TalkOver):
                self.run(keep(talk.talk_id, item_id, answer, by="ivr"))
            return
        for _ in range(1 + twice):
            self.talk = self.run(keep(talk.talk_id, item_id, answer, by="ivr"))
        before = self.known.answers.get(item_id)
        if before is None or before.key != key:
            self.known.answers[item_id] = Given(key, self.known.talks)
            self.known.told += pressed in BAD_AND_DECISIVE

    @precondition(lambda self: self.known.goes_on)
    @rule(item_id=st.sampled_from(sorted(SCORES)))
    def skip(self, item_id: str) -> None:
        assert self.talk is not None
        self.talk = self.run(self.world.centre.talks.skip(self.talk.talk_id, item_id, by="ivr"))

    @precondition(lambda self: self.talk is not None)
    @rule(how=ENDINGS)
    def end(self, how: TalkEnding) -> None:
        assert self.talk is not None
        when = self.world.centre.clock.now() + timedelta(hours=2)
        self.goes_on_after_all()
        ended = self.run(self.world.centre.talks.end(self.talk.talk_id, how, by="ivr", appointed=when))
        self.ends(how)
        assert ended.ended is not None

    @precondition(lambda self: self.known.goes_on and not self.known.hung_up)
    @rule()
    def hang_up_while_our_process_is_dead(self) -> None:
        assert self.talk is not None
        assert self.talk.attempt_id is not None
        self.run(self.over(self.talk.attempt_id))
        self.known.hung_up = True

    @rule()
    def sweep(self) -> None:
        self.world.centre.clock.advance(timedelta(minutes=2))
        self.run(self.world.sweep.run_once())
        if self.known.goes_on and self.known.hung_up:
            self.ends(TalkEnding.BROKEN_OFF)
            self.known.swept = True

    def goes_on_after_all(self) -> None:
        """The sweep was wrong: the customer is still there, and the task only waits for another call."""
        known = self.known
        if known.swept and known.status is TaskStatus.RETRY_WAIT:
            known.goes_on, known.swept = True, False

    def ends(self, how: TalkEnding) -> None:
        """End the talk of the model; a second end is none."""
        known = self.known
        if not known.goes_on:
            return
        known.goes_on, known.swept, known.ended = False, False, known.ended + 1
        enough = len(known.answers) * 100 >= 60 * len(SCORES)
        if how is TalkEnding.WRONG_PERSON:
            # They have a number besides the one that was wrong.
            known.status = TaskStatus.READY
            known.answers = {
                name: given for name, given in known.answers.items() if given.talk != known.talks
            }
        elif how is TalkEnding.APPOINTED:
            known.status = TaskStatus.APPOINTED
        elif len(known.answers) == len(SCORES):
            known.status = TaskStatus.DONE
        elif enough:
            known.status = TaskStatus.PARTIAL
        elif how in {TalkEnding.REFUSED, TalkEnding.DO_NOT_CALL}:
            known.status = TaskStatus.REFUSED
        else:
            known.status = TaskStatus.RETRY_WAIT

    def verdict(self) -> str:
        given = [(name, one.key) for name, one in self.known.answers.items()]
        if any(one in BAD_AND_DECISIVE for one in given):
            return "dissatisfied"
        scores = [SCORES[name][key - 1] for name, key in given]
        mean = sum(scores) / len(scores)
        return "dissatisfied" if mean < 60 else "neutral" if mean < 80 else "satisfied"

    # What always holds

    @invariant()
    def nothing_is_lost(self) -> None:
        row, answers = self.run(self.stored())
        assert row.status == self.known.status.value
        assert {one.item_id: one.value for one in answers} == {
            name: self.value(name, given.key) for name, given in self.known.answers.items()
        }
        if self.known.status in {TaskStatus.DONE, TaskStatus.PARTIAL}:
            assert row.verdict == self.verdict()

    def value(self, item_id: str, key: int) -> str:
        assert self.talk is not None
        item = self.talk.item(item_id)
        assert item is not None
        return answer_by_key(item, str(key)).values[0]

    async def stored(self) -> tuple[CallbackTaskRow, list[CallbackAnswerRow]]:
        async with self.world.centre.callbacks.database.session() as session:
            row = await session.get_one(CallbackTaskRow, self.task_id)
            mine = (CallbackAnswerRow.task_id == self.task_id, CallbackAnswerRow.replaced_at.is_(None))
            return row, list(await session.scalars(select(CallbackAnswerRow).where(*mine)))

    def teardown(self) -> None:
        """Every end and every decisive bad answer was told once."""
        if not hasattr(self, "task_id"):
            return
        ended, wanted = self.run(self.told())
        assert (ended, wanted) == (self.known.ended, self.known.told)

    async def told(self) -> tuple[int, int]:
        async with self.world.centre.callbacks.database.session() as session:
            facts = [decode(row.payload) for row in await session.scalars(select(OutboxRow))]
            mine = select(CallbackTalkRow.id).where(CallbackTalkRow.task_id == self.task_id)
            talks = set(await session.scalars(mine))
        ended = sum(1 for fact in facts if isinstance(fact, TalkEnded) and fact.talk_id in talks)
        wanted = sum(1 for fact in facts if isinstance(fact, TalkTicketsWanted) and fact.talk_id in talks)
        return ended, wanted


def make_world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
    clock = FakeClock(at("2026-03-03 10:00"))
    callbacks = make_centre(database, clock)
    centre = make_talks(callbacks)
    customer = loop.run_until_complete(make_desk(database, clock).customer("王建军", "13800138001"))
    sweep = TalkSweep(callbacks.desk.office, callbacks.tasks, centre.talks, shipped_dialling())
    return World(loop, centre, sweep, customer.customer_id)


def test_talks_behave_like_the_model() -> None:
    run_on_sqlite(TalksOnTheirWay, make_world, examples=15, steps=18)
