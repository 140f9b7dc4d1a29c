"""Queue members follow our tables, over a manager interface that falls silent, cuts and restarts."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from kernel.clock import SystemClock
from kernel.errors import Unavailable
from telephony.ami import AmiEvent, AmiLink, EpochEnded, EpochStarted
from telephony.domain.agent_state import Stance
from telephony.domain.queue import MemberPlan, Membership
from telephony.members import MEMBER_EVENTS, REASON_RESERVED, MemberBook, MemberSync, number_of
from tests.support.fake_ami import FakeAmi
from tests.support.fake_pbx import Member
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

FREE = Stance(present=True)
LUNCH = Stance(present=True, paused=True, reason="lunch")
WRAPPING = Stance(present=True, paused=True, reason="wrap-up")
AWAY = Stance(present=False)
OURS = frozenset({"complaint", "repair"})


def plan(stance: Stance, *, number: str = "1001", version: int = 1, repair: int = 0) -> MemberPlan:
    queues = (Membership("complaint", 0), Membership("repair", repair))
    return MemberPlan(number=number, name="李静", version=version, memberships=queues, stance=stance)


@dataclass
class Here:
    """A fake PBX, a link to it, and the members kept in line over it."""

    pbx: FakeAmi
    sync: MemberSync
    tables: dict[str, MemberPlan] = field(default_factory=dict)
    broken: bool = False

    async def load(self) -> MemberBook:
        if self.broken:
            raise Unavailable("the database is gone")
        return MemberBook(plans=tuple(self.tables.values()), queues=OURS)

    def store(self, *plans: MemberPlan) -> None:
        for item in plans:
            self.tables[item.number] = item

    def members(self, number: str = "1001") -> dict[str, tuple[int, bool, str]]:
        found = {queue: members.get(f"PJSIP/{number}") for queue, members in self.pbx.pbx.queues.items()}
        return {queue: (m.penalty, m.paused, m.reason) for queue, m in found.items() if m is not None}

    async def becomes(self, expected: dict[str, tuple[int, bool, str]], number: str = "1001") -> None:
        await eventually(lambda: self.members(number) == expected, what=f"{expected} for {number}")

    def asked(self) -> list[str]:
        names = {"QueueAdd", "QueueRemove", "QueuePause", "QueuePenalty"}
        return [action.name for action in self.pbx.actions if action.name in names]


@asynccontextmanager
async def centre(*plans: MemberPlan, up: bool = True) -> AsyncIterator[Here]:
    async with FakeAmi() as pbx:
        link = AmiLink(
            pbx.config(action_timeout=timedelta(milliseconds=200)), clock=SystemClock(), node="pbx1"
        )
        here: Here
        sync = MemberSync(link.actions, lambda: here.load(), settle=0.02, first_retry=0.02, last_retry=0.1)
        here = Here(pbx, sync)
        here.store(*plans)

        async def follow() -> None:
            async for item in link.items():
                match item:
                    case EpochStarted():
                        sync.connected()
                    case EpochEnded():
                        sync.lost()
                    case AmiEvent() if item.name in MEMBER_EVENTS:
                        sync.note(item)
                    case _:
                        pass

        tasks = [asyncio.create_task(follow()), asyncio.create_task(sync.run())]
        try:
            async with link:
                if up:
                    await eventually(lambda: sync.live)
                yield here
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def both(*, paused: bool = False, reason: str = "", repair: int = 0) -> dict[str, tuple[int, bool, str]]:
    return {"complaint": (0, paused, reason), "repair": (repair, paused, reason)}


async def test_signing_in_pausing_and_signing_out() -> None:
    async with centre() as here:
        here.sync.follow(plan(FREE))
        await here.becomes(both())
        here.sync.follow(plan(LUNCH, version=2))
        await here.becomes(both(paused=True, reason="lunch"))
        here.sync.follow(plan(FREE, version=3, repair=4))
        await here.becomes(both(repair=4))
        here.sync.follow(plan(AWAY, version=4))
        await here.becomes({})
        add = here.pbx.seen("QueueAdd")[0]
        assert (add.get("Interface"), add.get("MemberName"), add.get("StateInterface")) == (
            "PJSIP/1001",
            "1001",
            "PJSIP/1001",
        )


async def test_a_pause_is_one_action_for_all_queues() -> None:
    async with centre(plan(FREE)) as here:
        await here.becomes(both())
        here.sync.follow(plan(LUNCH, version=2))
        await here.becomes(both(paused=True, reason="lunch"))
        assert here.asked() == ["QueueAdd", "QueueAdd", "QueuePause"]


async def test_an_older_plan_changes_nothing() -> None:
    async with centre(plan(LUNCH, version=5)) as here:
        await here.becomes(both(paused=True, reason="lunch"))
        here.sync.follow(plan(FREE, version=4))
        here.sync.follow(plan(LUNCH, version=6))
        here.sync.follow(plan(FREE, number="1002", version=1))
        await here.becomes(both(), "1002")
        assert here.members() == both(paused=True, reason="lunch")


async def test_what_is_decided_without_a_link_is_done_when_it_comes() -> None:
    async with centre() as here:
        await here.pbx.stop()
        await eventually(lambda: not here.sync.live)
        here.sync.follow(plan(LUNCH))
        here.store(plan(LUNCH))
        assert here.members() == {}
        await here.pbx.listen()
        await here.becomes(both(paused=True, reason="lunch"))


async def test_after_a_restart_of_asterisk_everyone_is_back_as_they_were() -> None:
    people = (plan(FREE), plan(LUNCH, number="1002"), plan(AWAY, number="1003"))
    async with centre(*people) as here:
        await here.becomes(both())
        await here.becomes(both(paused=True, reason="lunch"), "1002")
        here.pbx.restart()
        assert here.members() == {}
        await here.becomes(both())
        await here.becomes(both(paused=True, reason="lunch"), "1002")
        assert here.members("1003") == {}
        # Nobody was a member unpaused who should not be rung.
        added = [a for a in here.pbx.seen("QueueAdd") if a.get("Interface") == "PJSIP/1002"]
        assert {a.get("Paused") for a in added} == {"true"}


async def test_strangers_leave_our_queues_and_stay_in_others() -> None:
    async with centre(up=False) as here:
        for queue in ("repair", "service"):
            here.pbx.pbx.queues[queue]["Local/9@x"] = Member("Local/9@x", "?")
            here.pbx.pbx.queues[queue]["PJSIP/1999"] = Member("PJSIP/1999", "?")
        await eventually(lambda: here.pbx.pbx.queues["repair"] == {})
        assert set(here.pbx.pbx.queues["service"]) == {"Local/9@x", "PJSIP/1999"}


async def test_what_somebody_changed_by_hand_is_put_right() -> None:
    async with centre(plan(FREE)) as here:
        await here.becomes(both())
        member = here.pbx.pbx.queues["repair"]["PJSIP/1001"]
        member.paused = True
        here.pbx.event(
            "QueueMemberPause",
            {"Queue": "repair", "Interface": "PJSIP/1001", "Paused": "1", "Penalty": "0"},
        )
        await here.becomes(both())
        here.pbx.pbx.queues["repair"].clear()
        here.pbx.event("QueueMemberRemoved", {"Queue": "repair", "Interface": "PJSIP/1001"})
        await here.becomes(both())


async def test_an_answer_that_does_not_come_is_made_good_by_a_look_at_what_is() -> None:
    async with centre(plan(FREE)) as here:
        await here.becomes(both())
        here.pbx.behaviour.silent.add("QueuePause")
        here.sync.follow(plan(LUNCH, version=2))
        await here.pbx.asked("QueuePause")
        await here.pbx.asked("QueueStatus", count=2)
        here.pbx.behaviour.silent.clear()
        await here.becomes(both(paused=True, reason="lunch"))


async def test_a_queue_that_the_pbx_does_not_know_costs_nobody_the_others() -> None:
    async with centre() as here:
        del here.pbx.pbx.queues["complaint"]
        here.sync.follow(plan(FREE))
        here.sync.follow(plan(FREE, number="1002"))
        await here.becomes({"repair": (0, False, "")})
        await here.becomes({"repair": (0, False, "")}, "1002")
        here.pbx.pbx.queues["complaint"] = {}
        await here.becomes(both())
        await here.becomes(both(), "1002")


async def test_a_member_who_was_there_already_is_looked_at_again() -> None:
    async with centre() as here:
        here.pbx.pbx.queues["repair"]["PJSIP/1001"] = Member("PJSIP/1001", "1001", penalty=7, paused=True)
        here.sync.follow(plan(FREE))
        await here.becomes(both())


async def test_without_the_database_the_known_plans_are_kept_until_it_is_back() -> None:
    async with centre(plan(FREE)) as here:
        await here.becomes(both())
        here.broken = True
        here.pbx.restart()
        await eventually(lambda: here.pbx.accepted == 2)
        here.broken = False
        await here.becomes(both())


async def test_an_early_pause_is_confirmed_or_taken_back() -> None:
    async with centre(plan(FREE)) as here:
        await here.becomes(both())
        here.sync.pause_early("1001", "wrap-up")
        await here.becomes(both(paused=True, reason="wrap-up"))
        here.sync.follow(plan(WRAPPING, version=2))
        here.sync.forget_early()
        here.sync.follow(plan(FREE, version=3))
        await here.becomes(both())
        assert here.asked().count("QueuePause") == 2
        here.sync.pause_early("1001", "wrap-up")
        await here.becomes(both(paused=True, reason="wrap-up"))
        here.sync.forget_early()
        await here.becomes(both())


async def test_an_early_pause_does_not_touch_who_is_paused_or_away() -> None:
    async with centre(plan(LUNCH), plan(AWAY, number="1002")) as here:
        await here.becomes(both(paused=True, reason="lunch"))
        for number in ("1001", "1002", "4711"):
            here.sync.pause_early(number, "wrap-up")
        here.sync.follow(plan(FREE, number="1003"))
        await here.becomes(both(), "1003")
        assert here.members() == both(paused=True, reason="lunch")
        assert here.members("1002") == {}


async def test_events_of_others_queues_and_members_are_no_business_of_ours() -> None:
    async with centre(plan(FREE)) as here:
        await here.becomes(both())
        before = here.asked()
        for headers in _foreign():
            here.pbx.event("QueueMemberPause", headers)
        here.sync.follow(plan(FREE, number="1002"))
        await here.becomes(both(), "1002")
        assert [name for name in here.asked()[len(before) :] if name != "QueueAdd"] == []


def _foreign() -> Iterable[dict[str, str]]:
    yield {"Queue": "service", "Interface": "PJSIP/1001", "Paused": "1"}
    yield {"Queue": "repair", "Interface": "Local/9@x", "Paused": "1"}
    yield {"Queue": "repair", "Interface": "PJSIP/4711", "Paused": "1", "Penalty": "x"}
    yield {"Queue": "", "Interface": ""}


@pytest.mark.parametrize(
    "interface", ["", "PJSIP/", "PJSIP/abc", "SIP/1001", "PJSIP/１００１", "PJSIP/10 01"]
)
def test_interfaces_that_are_no_agents(interface: str) -> None:
    assert number_of(interface) is None


async def test_who_became_free_while_nobody_looked_is_asked_for_before_the_queues_ring_them() -> None:
    async with centre(plan(WRAPPING)) as here:
        await here.becomes(both(paused=True, reason="wrap-up"))
        asked: list[str] = []

        def claims(wanted: MemberPlan) -> bool:
            asked.append(wanted.number)
            return True

        here.sync.claims = claims
        told: list[tuple[str, bool]] = []
        here.sync.on_held = lambda number, held: told.append((number, held))
        here.store(plan(FREE, version=2))
        here.sync.request_resync()
        await here.becomes(both(paused=True, reason=REASON_RESERVED))
        assert asked == ["1001"]
        here.sync.hold("1001")
        here.sync.release("1001")
        here.sync.release("1001")
        await here.becomes(both())
        assert told == [("1001", True), ("1001", False)]
