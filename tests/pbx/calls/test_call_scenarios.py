"""Every case of a call, on a real Asterisk with SIPp's phones: one call each, right in the database."""

import pytest

from app.sipp.phone import answers, rejects
from telephony.events import AgentRinging, CallEnded
from telephony.history import CallHistory
from telephony.views import CallFilter, CallView
from tests.pbx.calls.conftest import ANSWERED, IMPATIENT, Stage, check, kinds, queued, talking
from tests.support.sipp import agent_phone, customer, outside_phone, sign_in
from tests.support.waiting import eventually

# One Asterisk for all of them: every story ends with no channel and no member left.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]


async def test_answered_and_the_customer_hangs_up_first(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        await caller.hang_up()
        assert await call.ended() == "far"
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.agent, found.queue) == (
            "ANSWERED",
            "caller",
            "1001",
            "repair",
        )
        assert kinds(found) == f"{ANSWERED} ended"
        assert [(leg.kind, leg.agent_number) for leg in found.legs] == [("caller", None), ("agent", "1001")]
        (ring,) = stage.here.of(AgentRinging)
        assert (ring.from_number, ring.caller_name, ring.queue) == ("+8613800138000", "王建国", "repair")
        assert ring.menu_path == ("报修",)
        assert found.wait_seconds is not None
        assert found.answered_at is not None


async def test_answered_and_the_agent_hangs_up_first(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        await call.hang_up()
        await caller.ended(within=10)
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, kinds(found)) == ("ANSWERED", "agent", f"{ANSWERED} ended")


async def test_hold_is_counted_apart(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        await call.hold()
        await stage.state("held")
        await call.unhold()
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        assert kinds(found) == f"{ANSWERED} held unheld ended"
        assert found.hold_seconds > 0


async def test_abandoned_in_the_menu(stage: Stage) -> None:
    async with customer(stage.pbx, name="王建国") as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.hang_up()
        found = await stage.the_call()
        assert (found.result, found.hangup_by, found.queue) == ("IVR_ONLY", "caller", None)
        assert kinds(found) == "offered ended"


async def test_abandoned_in_the_queue(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, queued(stage, "1001") as caller:
        await phone.rings(within=10)
        waited = stage.here.ingest.live_calls()[0]
        assert waited.queued_at is not None
        await eventually(lambda: (stage.here.ingest.live_calls()[0].wait_seconds or 0) > 1.2)
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.agent) == ("ABANDONED_QUEUE", "caller", None)
        assert kinds(found) == "offered menu queued ringing ring_ended left_queue ended"
        assert next(e for e in found.timeline if e.kind == "ring_ended").detail["reason"] == "abandoned"


async def test_a_short_abandon(stage: Stage) -> None:
    async with queued(stage) as caller:
        await stage.state("queued")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by) == ("ABANDONED_SHORT", "caller")
        assert kinds(found) == "offered menu queued left_queue ended"


async def test_no_agent_until_the_queue_gives_up(stage: Stage) -> None:
    async with queued(stage, number=IMPATIENT) as caller:
        await caller.ended(within=15)
        found = await stage.the_call()
        assert (found.result, found.hangup_by) == ("NO_ANSWER", "system")
        assert found.end_reason in ("no_agent", "queue_timeout")
        assert kinds(found) == "offered menu queued left_queue ended"
        assert found.wait_seconds == pytest.approx(2, abs=0.9)


@pytest.mark.parametrize("code", [486, 603])
async def test_an_agent_rejects_and_the_next_answers(stage: Stage, code: int) -> None:
    async with (
        agent_phone(stage.pbx, "1001", rejects(code)) as first,
        agent_phone(stage.pbx, "1002", answers()) as second,
        queued(stage, "1001") as caller,
    ):
        await first.rings(within=10)
        await sign_in(stage.pbx, "1002", "repair")
        await stage.pbx.cli("queue pause member PJSIP/1001")
        await second.rings(within=10)
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent) == ("ANSWERED", "1002")
        ends = [(e.agent, e.detail["reason"]) for e in found.timeline if e.kind == "ring_ended"]
        assert ends[0] == ("1001", "rejected")
        assert ends[-1] == ("1002", "answered")
        assert stage.rings()[0] == "1001"
        assert stage.rings()[-1] == "1002"


async def test_an_agent_does_not_answer_and_the_next_does(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as first,
        agent_phone(stage.pbx, "1002", answers()) as second,
        queued(stage, "1001") as caller,
    ):
        await first.rings(within=10)
        await sign_in(stage.pbx, "1002", "repair")
        await second.rings(within=15)
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent) == ("ANSWERED", "1002")
        ends = [(e.agent, e.detail["reason"]) for e in found.timeline if e.kind == "ring_ended"]
        assert ends == [("1001", "no_answer"), ("1002", "answered")]


async def test_blind_transfer_is_one_call(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        agent_phone(stage.pbx, "1002", answers()) as colleague,
        talking(stage, phone) as (caller, call),
    ):
        await call.transfer("1002")
        await colleague.rings(within=10)
        await eventually(lambda: [c.agent for c in stage.here.ingest.live_calls()] == ["1002"])
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1002", "caller")
        assert kinds(found) == f"{ANSWERED} transferred ringing ring_ended answered ended"
        moved = next(entry for entry in found.timeline if entry.kind == "transferred")
        assert (moved.agent, moved.detail) == ("1001", {"type": "blind", "to": "1002"})
        assert stage.rings() == ["1001", "1002"]
        history = CallHistory(stage.here.database)
        for agent in ("1001", "1002"):
            assert [c.call_id for c in await found_by(history, agent)] == [found.call_id]


async def found_by(history: CallHistory, agent: str) -> tuple[CallView, ...]:
    return (await history.page(CallFilter(agent=agent))).items


async def test_attended_transfer_is_one_call(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        agent_phone(stage.pbx, "1002", answers()) as colleague,
        talking(stage, phone) as (caller, call),
    ):
        await call.hold()
        asked = await phone.dial("1002")
        await colleague.rings(within=10)
        await eventually(lambda: len(stage.here.ingest.live_calls()) == 2, what="the consultation")
        await call.transfer_to(asked)
        await eventually(
            lambda: [(c.direction, c.agent) for c in stage.here.ingest.live_calls()] == [("in", "1002")],
            what="one call again, with the colleague",
        )
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1002", "caller")
        assert kinds(found) == f"{ANSWERED} held unheld transferred answered ended"
        assert len(found.legs) == 4
        assert [ended.call_id for ended in stage.here.of(CallEnded)] == [found.call_id]


async def test_an_internal_call(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        agent_phone(stage.pbx, "1002", answers()) as colleague,
    ):
        call = await phone.dial("1002")
        await colleague.rings(within=10)
        await stage.state("talking")
        await call.hang_up()
        found = await stage.the_call()
        assert (found.direction, found.from_number, found.to_number) == ("internal", "1001", "1002")
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1002", "caller")
        assert kinds(found) == "offered ringing ring_ended answered ended"


async def test_a_call_to_the_outside(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        outside_phone(stage.pbx, "13900139000", answers()) as outside,
    ):
        await phone.dial("13900139000")
        taken = await outside.rings(within=10)
        await stage.state("talking")
        await taken.hang_up()
        found = await stage.the_call()
        assert (found.direction, found.from_number, found.to_number) == ("out", "1001", "+8613900139000")
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1001", "caller")


@pytest.mark.parametrize(
    ("code", "result"), [(486, "BUSY"), (404, "EMPTY"), (603, "REJECTED"), (480, "NO_ANSWER")]
)
async def test_a_call_to_the_outside_that_fails(stage: Stage, code: int, result: str) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        outside_phone(stage.pbx, "13900139000", rejects(code)) as outside,
    ):
        await phone.dial("13900139000", wait=False)
        await outside.rings(within=10)
        found = await stage.the_call()
        assert (found.direction, found.result) == ("out", result)


@pytest.mark.parametrize(
    ("number", "name", "shown"),
    [
        ("anonymous", "", ("anonymous", "")),
        ("13800138000", "<script>alert(1)</script>", ("+8613800138000", "<script>alert(1)</script>")),
        ("13800138000", "😀王" * 5, ("+8613800138000", "😀王" * 5)),
        ("1001", "李静", ("1001", "李静")),
    ],
)
async def test_whatever_the_network_says_about_the_caller(
    stage: Stage, number: str, name: str, shown: tuple[str, str]
) -> None:
    async with customer(stage.pbx, number=number, name=name) as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.hang_up()
        found = await stage.the_call()
        assert (found.from_number, found.from_name) == shown
        assert found.direction == "in"


async def test_a_name_that_the_pbx_cuts_in_the_middle_of_a_character(stage: Stage) -> None:
    name = "😀王" * 20
    async with customer(stage.pbx, name=name) as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.hang_up()
        shown = (await stage.the_call()).from_name
        assert name.startswith(shown.rstrip("\ufffd"))
        assert len(shown) > 10
