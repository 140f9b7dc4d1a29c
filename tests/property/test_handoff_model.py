"""Hand-offs and their receipts against a model of plain facts (domain.md §1.3 C1, §4.4 Handoff).

The model: what is sent waits until the head or deputy of its own department signs for it or rejects it with a
reason; nobody signs for what they sent. Receipts of a case are numbered one after another. Once signed or
rejected a hand-off never changes: no service touches it again, and the database itself refuses. What the
department rejected goes to another one as a new hand-off; a case that is not filed takes back what waits.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from crm.complaint_input import Acceptance
from crm.complaint_tables import CaseHandoff
from crm.complaint_views import HandoffView
from crm.domain.complaint_line import AcceptMode
from crm.domain.handoff import SignatureKind, Signed
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.handoffs import Box, Dispatch
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.support.complaints import (
    DESIGN,
    DESIGNER,
    DRAWN,
    ENG_DEPUTY,
    ENG_WORKER,
    ENGINEER,
    MANAGER,
    PIN,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
)
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

# The deputy of engineering also sends, as somebody who is lent to the hotline.
LENT = replace(ENG_DEPUTY, role=Role.AGENT, department=None)
SENDERS = st.sampled_from([SPECIALIST, LENT, ENG_WORKER])
SIGNERS = st.sampled_from([ENGINEER, ENG_DEPUTY, ENG_WORKER, DESIGNER, MANAGER, SPECIALIST])
NOTHING_DRAWN = Signed(kind=SignatureKind.DRAWN, strokes=(((1, 1), (1, 1)),))
WRONG_PIN = Signed(kind=SignatureKind.PIN, pin="8520")
SIGNATURES = st.sampled_from([PIN, DRAWN, WRONG_PIN, NOTHING_DRAWN])
LINES = st.integers(0, 3)
OTHER = {"ENG": "DES", "DES": "ENG"}
HEADS = {"ENG": {ENGINEER.user_id, ENG_DEPUTY.user_id}, "DES": {DESIGNER.user_id}}


@dataclass
class World:
    """One company for all examples: each works with a complaint of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    desk: Desk


@dataclass
class Given:
    """A hand-off as the model knows it."""

    line: str
    department: str
    sender: str
    state: str = "waiting"
    by: str | None = None
    reason: str | None = None


@dataclass
class LineStory:
    """A line: where it is, and whether another department has taken its place."""

    department: str
    gone: bool = False


class HandoffsOnTheirWay(RuleBasedStateMachine):
    """The real services on SQLite beside the model."""

    world: ClassVar[World]

    @initialize(two=st.booleans())
    def register(self, two: bool) -> None:
        desk = self.world.desk
        self.world.clock.advance(timedelta(minutes=1))
        view = self.run(desk.new(*((WORKMANSHIP, DESIGN) if two else (WORKMANSHIP,))))
        self.case_id: str = view.case_id
        self.no: str = view.no
        self.lines: dict[str, LineStory] = {line.line_id: LineStory(line.department) for line in view.lines}
        self.given: list[Given] = []
        self.filed = True
        self.settled: dict[str, HandoffView] = {}

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def pick(self, place: int) -> str:
        return sorted(self.lines)[place % len(self.lines)]

    def last(self, line: str) -> Given | None:
        return next((one for one in reversed(self.given) if one.line == line), None)

    def parties(self) -> set[str]:
        """Departments that see the case: those whose lines it has."""
        return {story.department for story in self.lines.values()}

    def version(self, line: str) -> int:
        return int(self.run(self.world.desk.services.work.get(MANAGER, line)).version)

    # What people do

    @rule(place=LINES, who=SENDERS)
    def send(self, place: int, who: Actor) -> None:
        line, complaints = self.pick(place), self.world.desk.services.complaints
        expected = self.run(self.world.desk.get(self.case_id)).version
        may = self.last(line) is None and self.filed and not self.lines[line].gone
        try:
            self.run(complaints.hand_off(who, self.case_id, expected, Dispatch(), line_ids=[line]))
        except Forbidden:
            assert who is ENG_WORKER
        except (IllegalStep, Conflict):
            assert not may
        else:
            assert may and who is not ENG_WORKER
            self.given.append(Given(line, self.lines[line].department, who.user_id))

    @rule(place=LINES, who=SIGNERS, signature=SIGNATURES)
    def sign(self, place: int, who: Actor, signature: Signed) -> None:
        line = self.pick(place)
        held, heads = self.last(line), HEADS[self.lines[line].department]
        how = Acceptance(signature=signature, mode=AcceptMode.PLAN_FIRST)
        waits = held is not None and held.state == "waiting"
        try:
            self.run(self.world.desk.services.work.accept(who, line, self.version(line), how))
        except SamePerson:
            assert waits and held is not None and held.sender == who.user_id
        except NotFound:
            assert who.department is not None and who.department not in self.parties()
        except Forbidden:
            assert who.user_id not in heads
        except (IllegalStep, Conflict):
            assert not waits
        except Invalid:
            assert signature in (WRONG_PIN, NOTHING_DRAWN)
        else:
            assert waits and held is not None and held.sender != who.user_id
            assert who.user_id in heads and signature in (PIN, DRAWN)
            held.state, held.by = "signed", who.name

    @rule(place=LINES, who=SIGNERS, reason=st.sampled_from(["不是我部门的", " "]))
    def reject(self, place: int, who: Actor, reason: str) -> None:
        line = self.pick(place)
        held, heads = self.last(line), HEADS[self.lines[line].department]
        waits = held is not None and held.state == "waiting"
        try:
            self.run(self.world.desk.services.work.reject(who, line, self.version(line), reason))
        except NotFound:
            assert who.department is not None and who.department not in self.parties()
        except Forbidden:
            assert who.user_id not in heads
        except (IllegalStep, Conflict):
            assert not waits
        except Invalid:
            assert not reason.strip()
        else:
            assert waits and held is not None and who.user_id in heads and reason.strip()
            held.state, held.by, held.reason = "rejected", who.name, reason

    @rule(place=LINES)
    def give_to_another(self, place: int) -> None:
        line, complaints = self.pick(place), self.world.desk.services.complaints
        story, held = self.lines[line], self.last(line)
        to = OTHER[story.department]
        may = held is not None and held.state == "rejected" and not story.gone and self.filed
        try:
            new = self.run(
                complaints.reroute(
                    SPECIALIST, line, self.version(line), to, "转给责任部门", hand_off=Dispatch()
                )
            )
        except (IllegalStep, Conflict):
            assert not may
        else:
            assert may
            story.gone = True
            self.lines[new.line_id] = LineStory(to)
            self.given.append(Given(new.line_id, to, SPECIALIST.user_id))

    @rule()
    def not_filed(self) -> None:
        desk = self.world.desk
        expected = self.run(desk.get(self.case_id)).version
        taken = any(one.state == "signed" for one in self.given)
        try:
            self.run(desk.services.end.not_file(MANAGER, self.case_id, expected, "重复登记"))
        except Conflict:
            assert taken or not self.filed
        else:
            assert self.filed and not taken
            self.filed = False
            for one in self.given:
                if one.state == "waiting":
                    one.state, one.by, one.reason = "rejected", MANAGER.name, "不立案：重复登记"

    @rule(place=LINES, whole=st.booleans())
    def somebody_writes_into_the_table(self, place: int, whole: bool) -> None:
        """A receipt that is settled is refused by the database; none is ever deleted."""
        if not self.given:
            return
        number = place % len(self.given)
        receipt = f"{self.no}-{number + 1:02d}"
        mine = CaseHandoff.receipt_no == receipt
        statement = (
            delete(CaseHandoff).where(mine) if whole else update(CaseHandoff).where(mine).values(note="改")
        )

        async def write() -> None:
            async with self.world.desk.database.transaction() as session:
                await session.execute(statement)
                assert not whole and self.given[number].state == "waiting", "a receipt was changed"

        try:
            self.run(write())
        except IntegrityError:
            assert whole or self.given[number].state != "waiting"

    # What must be so at any time

    @invariant()
    def boxes_and_receipts_are_as_the_model_says(self) -> None:
        async def read() -> None:
            handoffs = self.world.desk.services.handoffs
            shown: dict[str, HandoffView] = {}
            for box in (Box.WAITING, Box.SIGNED, Box.REJECTED):
                page = await handoffs.page(MANAGER, box, limit=200)
                here = {item.receipt_no: item for item in page.items if item.case_id == self.case_id}
                wanted = {
                    f"{self.no}-{n:02d}" for n, one in enumerate(self.given, 1) if one.state == box.value
                }
                assert set(here) == wanted, box
                shown |= here
            own = await handoffs.page(ENGINEER, Box.ALL, limit=200)
            seen = {item.receipt_no for item in own.items if item.case_id == self.case_id}
            assert seen == {
                f"{self.no}-{n:02d}" for n, one in enumerate(self.given, 1) if one.department == "ENG"
            }
            for number, one in enumerate(self.given, 1):
                item = shown[f"{self.no}-{number:02d}"]
                assert (item.state, item.received_by, item.reject_reason) == (one.state, one.by, one.reason)
                assert (item.sent_by_id, item.line_id) == (one.sender, one.line)
                assert (item.signature_hash is not None) is (one.state == "signed")
                if one.state == "signed":
                    sheet = await handoffs.sheet(MANAGER, item.handoff_id, whole_number=False)
                    assert sheet.sound, "the receipt's hash is that of what it says"
                fixed = replace(item, line_version=0, overdue=False)
                assert self.settled.setdefault(item.receipt_no, fixed) == fixed or one.state == "waiting"
                if one.state == "waiting":
                    del self.settled[item.receipt_no]

        self.run(read())


def test_hand_offs_are_signed_and_sent_back_as_the_model_says() -> None:
    clock = FakeClock(datetime(2026, 3, 20, 1, 0, tzinfo=UTC))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, loop.run_until_complete(open_desk(database, clock)))

    run_on_sqlite(HandoffsOnTheirWay, world, examples=8, steps=14)
