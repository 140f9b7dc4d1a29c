"""Who is kept for a caller's place, and for how long, whatever the database and the PBX do meanwhile."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callback_campaigns.domain import queue_place as rules
from callback_campaigns.domain.attempt import Attempt, begin
from callback_campaigns.domain.queue_place import PlaceRules, QueuePlace, Waiting
from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.place_attempts import OpenPlace
from callback_campaigns.place_caller import HELD_FOR, PASSING_FOR, PATIENCE, FreeAgent, Hall, PlaceCaller
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.ids import new_ulid
from telephony.ami.errors import AmiDown
from telephony.domain.agent_state import Stance
from telephony.domain.queue import MemberPlan, Membership
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit

NOON = at("2026-03-02 12:00")
ATTEMPT = new_ulid()
QUEUE = frozenset({"repair"})
PLAN = MemberPlan(
    number="1001", name="", version=2, memberships=(Membership("repair"),), stance=Stance(present=True)
)


class House:
    """Everything around a caller of places: one queue, its agents, its places."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.held: set[str] = set()
        self.free: list[FreeAgent] = []
        self.busy: list[FreeAgent] = []
        self.line: list[Waiting] = []
        self.places: list[QueuePlace] = []
        self.broken = False
        self.refusal: Refusal | None = None
        self.refused: list[RefusalCode] = []
        self.placed: list[str] = []
        self.claims: Any = None
        office = SimpleNamespace(clock=self.clock, now=self.clock.now)
        hall = Hall(
            members=cast(Any, self),
            waiting=self.waiting,
            free=lambda: self.free,
            busy=lambda: self.busy,
            connected=lambda *_: None,
        )
        placing = SimpleNamespace(place=lambda opened, order, now: self.placed.append(order.agent_number))
        config = SimpleNamespace(trunk="t", caller_id="c", ring=timedelta(seconds=1))
        self.caller = PlaceCaller(
            cast(Any, office), cast(Any, self), cast(Any, placing), hall, cast(Any, config), bus=Bus()
        )

    # Members

    def hold(self, number: str) -> None:
        self.held.add(number)

    def release(self, number: str) -> None:
        self.held.discard(number)

    def is_held(self, number: str) -> bool:
        return number in self.held

    # the queue, and what is stored

    async def waiting(self) -> Mapping[str, Sequence[Waiting]]:
        if self.broken:
            raise AmiDown("no link", sent=False)
        return {"repair": self.line}

    async def settle(self) -> tuple[OpenPlace, ...]:
        return tuple(
            OpenPlace(place=place, number="+8613800138000", customer_id=None, call_id="C", agent_number=None)
            for place in self.places
        )

    async def begin(self, opened: OpenPlace, agent_number: str) -> Attempt | Refusal:
        if self.refusal is not None:
            return self.refusal
        now = self.clock.now()
        self.places = [rules.begin_call(opened.place, ATTEMPT, now)]
        return begin(ATTEMPT, opened.number, now=now).attempt

    async def refuse(self, opened: OpenPlace, refusal: Refusal) -> None:
        self.refused.append(refusal.code)
        self.places = [rules.refused(opened.place, refusal, PlaceRules(), self.clock.now())]

    # what happens

    def keep_place(self, *, minutes: int = 5) -> None:
        joined = NOON - timedelta(minutes=minutes)
        self.places.append(
            QueuePlace(
                place_id="P",
                queue="repair",
                joined_at=joined,
                due_at=joined,
                expires_at=NOON + timedelta(hours=1),
            )
        )

    def later_caller(self) -> None:
        self.line.append(Waiting(0, NOON - timedelta(minutes=1)))

    async def fail(self) -> None:
        """A look that fails, as :meth:`PlaceCaller.run` takes it."""
        with pytest.raises(AmiDown):
            await self.caller.round()
        self.caller._failed()


@pytest.fixture
def house() -> House:
    return House()


async def test_who_becomes_free_before_anything_is_known_is_kept_for_the_place(house: House) -> None:
    house.keep_place()
    house.later_caller()
    house.later_caller()
    assert house.caller._claims(PLAN)
    house.hold(PLAN.number)
    await house.caller.round()
    assert house.held == {"1001"}, "though the board does not say yet that they are free"
    house.free = [FreeAgent("1001", QUEUE)]
    assert await house.caller.round() == 1
    assert house.placed == ["1001"]


async def test_who_was_kept_for_nobody_is_let_go_by_the_first_look(house: House) -> None:
    house.later_caller()
    assert house.caller._claims(PLAN)
    house.hold(PLAN.number)
    await house.caller.round()
    assert house.held == set()
    assert not house.caller._claims(PLAN), "now it is known that there is no place"


async def test_nobody_is_kept_for_long_when_nothing_can_be_known(house: House) -> None:
    house.keep_place()
    house.broken = True
    assert house.caller._claims(PLAN)
    house.hold(PLAN.number)
    await house.fail()
    assert house.held == {"1001"}
    house.clock.advance(PATIENCE)
    await house.fail()
    assert house.held == set()
    assert not house.caller._claims(PLAN)


async def test_a_look_that_fails_leaves_the_turn_as_it_was(house: House) -> None:
    house.keep_place()
    house.later_caller()
    house.busy = [FreeAgent("1001", QUEUE)]
    await house.caller.round()
    assert house.held == {"1001"}, "held ahead, while they talk"
    house.broken = True
    house.clock.advance(timedelta(seconds=3))
    await house.fail()
    assert house.held == {"1001"}
    assert house.caller._claims(PLAN), "the place is still first"


@pytest.mark.parametrize("code", [RefusalCode.STALE_STATE, RefusalCode.LINK_DOWN], ids=str)
async def test_what_passes_in_a_moment_does_not_cost_the_turn(house: House, code: RefusalCode) -> None:
    house.keep_place()
    house.later_caller()
    house.free = [FreeAgent("1001", QUEUE)]
    house.refusal = Refusal(code=code)
    assert await house.caller.round() == 0
    assert (house.held, house.refused) == ({"1001"}, [])
    house.clock.advance(timedelta(seconds=2))
    house.refusal = None
    assert await house.caller.round() == 1
    assert house.placed == ["1001"]


async def test_what_does_not_pass_frees_the_agent_for_the_next(house: House) -> None:
    house.keep_place()
    house.free = [FreeAgent("1001", QUEUE)]
    house.refusal = Refusal(code=RefusalCode.STALE_STATE)
    await house.caller.round()
    house.clock.advance(PASSING_FOR)
    assert PASSING_FOR < HELD_FOR
    await house.caller.round()
    assert (house.held, house.refused) == (set(), [RefusalCode.STALE_STATE])
    await house.caller.round()
    assert house.held == set(), "the place is due later"


async def test_a_refusal_that_lasts_frees_the_agent_at_once(house: House) -> None:
    house.keep_place()
    house.free = [FreeAgent("1001", QUEUE)]
    house.refusal = Refusal(code=RefusalCode.DO_NOT_CALL)
    await house.caller.round()
    assert (house.held, house.refused) == (set(), [RefusalCode.DO_NOT_CALL])
