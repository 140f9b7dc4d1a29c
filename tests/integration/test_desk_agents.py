"""The agents' desk on real databases: what people do, what the PBX does, what is kept."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from kernel.events import decode
from kernel.outbox import OutboxRow
from telephony.agent_tables import AgentStateLogRow, WrapUpRow
from telephony.desk import AgentUnknown, NotSignedIn, PauseReasonUnknown
from telephony.domain.agent_state import AgentPolicy, AgentState, RingEnd, Stance
from telephony.domain.agent_steps import Answered, LegEnded, LegUp, LiveLeg, QueueGaveUp, Rang
from telephony.domain.queue import Membership
from telephony.events import AgentStateChanged, DispositionSaved
from telephony.page_watch import PageWatch
from telephony.wrap_ups import CallNotYours, DispositionUnknown
from tests.support.agents import Centre, Heard, centre
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CALL = "01JNA0000000000000000000CA"
OTHER = "01JNA0000000000000000000CB"
MINUTE = timedelta(minutes=1)
LEG = "pbx1/1.1"


@pytest.fixture
async def here(database: Database, clock: FakeClock) -> Centre:
    return await centre(database, clock)


def rang(call: str = CALL) -> Rang:
    return Rang(leg=LEG, call_id=call, queue="repair", wrap_up=MINUTE)


def answered(call: str = CALL) -> Answered:
    return Answered(leg=LEG, call_id=call, queue="repair", wrap_up=MINUTE)


ENDED = LegEnded(leg=LEG)


async def facts(here: Centre) -> list[DispositionSaved]:
    async with here.database.session() as session:
        rows = (await session.execute(select(OutboxRow).order_by(OutboxRow.created_at))).scalars().all()
    found = [decode(row.payload) for row in rows]
    return [item for item in found if isinstance(item, DispositionSaved)]


async def test_signing_in_is_stored_followed_and_told(here: Centre, clock: FakeClock) -> None:
    async with Heard(here.bus, AgentStateChanged) as heard:
        shown = await here.desk.sign_in(here.jing)
        await here.desk.sign_in(here.jing)
    assert shown.state is AgentState.AVAILABLE
    assert shown.signed_in_at == clock.now()
    assert shown.queues == (Membership("repair", 0), Membership("service", 5))
    plan = here.follower.plans["1001"]
    assert (plan.name, plan.stance) == ("李静", Stance(present=True))
    assert plan.memberships == shown.queues
    assert [(e.agent_number, e.state) for e in heard.events if isinstance(e, AgentStateChanged)] == [
        ("1001", "available")
    ]


async def test_everyone_is_listed_whether_signed_in_or_not(here: Centre) -> None:
    await here.desk.sign_in(here.wei)
    states = {item.number: (item.name, item.state) for item in await here.desk.states()}
    assert states == {"1001": ("李静", AgentState.SIGNED_OUT), "1002": ("张伟", AgentState.AVAILABLE)}


async def test_the_state_says_when_the_pbx_is_out_of_reach(here: Centre) -> None:
    here.follower.live = False
    shown = await here.desk.sign_in(here.jing)
    assert shown.stale
    assert shown.state is AgentState.AVAILABLE
    assert here.follower.plans["1001"].stance == Stance(present=True)


async def test_pauses_need_a_sign_in_and_a_known_reason(here: Centre) -> None:
    with pytest.raises(NotSignedIn):
        await here.desk.pause(here.jing, "lunch")
    with pytest.raises(NotSignedIn):
        await here.desk.unpause(here.jing)
    await here.desk.sign_in(here.jing)
    for reason in ("", "no_such", "tab_asleep", "no_answer", "x" * 500, "lunch\x00"):
        with pytest.raises(PauseReasonUnknown):
            await here.desk.pause(here.jing, reason)
    shown = await here.desk.pause(here.jing, "lunch")
    assert (shown.state, shown.reason) == (AgentState.PAUSED, "lunch")
    assert here.follower.plans["1001"].stance == Stance(present=True, paused=True, reason="lunch")
    assert (await here.desk.unpause(here.jing)).state is AgentState.AVAILABLE


async def test_unknown_and_retired_agents(here: Centre) -> None:
    with pytest.raises(AgentUnknown):
        await here.desk.sign_in("01JNA00000000000000000000X")
    with pytest.raises(AgentUnknown):
        await here.desk.state("nobody")
    await here.desk.sign_in(here.jing)
    await here.roster.retire_agent(here.jing)
    with pytest.raises(AgentUnknown):
        await here.desk.sign_in(here.jing)
    book = await here.desk.member_book()
    assert {plan.number: plan.stance.present for plan in book.plans}["1001"] is False
    assert [item.number for item in await here.desk.states()] == ["1002"]


async def test_a_call_and_its_wrap_up(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang())
    shown = await here.desk.state(here.jing)
    assert (shown.state, shown.call_id, shown.queue) == (AgentState.RINGING, CALL, "repair")
    await here.pbx(answered())
    assert here.follower.plans["1001"].stance.reason == "wrap-up"
    clock.advance(timedelta(seconds=90))
    await here.pbx(ENDED)
    shown = await here.desk.state(here.jing)
    assert shown.state is AgentState.WRAP_UP
    assert (shown.wrap_up_call_id, shown.wrap_up_until) == (CALL, clock.now() + MINUTE)
    view = await here.desk.save_wrap_up(
        here.jing, CALL, disposition="repair_logged", notes="卫生间漏水，周三上门", customer_id="42"
    )
    assert view.saved_at == clock.now()
    assert (await here.desk.state(here.jing)).state is AgentState.AVAILABLE
    assert here.follower.plans["1001"].stance == Stance(present=True)
    (fact,) = await facts(here)
    assert (fact.call_id, fact.agent_id, fact.agent_number) == (CALL, here.jing, "1001")
    assert (fact.disposition, fact.notes, fact.customer_id) == ("repair_logged", "卫生间漏水，周三上门", "42")


async def test_the_wrap_up_timer_survives_a_restart(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    again = here.desk_of_another_process()
    assert await again.end_wrap_ups() == 0
    clock.advance(MINUTE)
    assert await again.end_wrap_ups() == 1
    assert (await again.state(here.jing)).state is AgentState.AVAILABLE
    assert await again.end_wrap_ups() == 0


async def test_a_timer_that_outlived_its_wrap_up_ends_nothing(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    await here.desk.save_wrap_up(here.jing, CALL, disposition="nuisance")
    async with here.database.transaction() as session:
        row = await session.get_one(WrapUpRow, (CALL, here.jing))
        row.due_at = clock.now()
    await here.pbx(rang(OTHER), answered(OTHER), ENDED)
    assert await here.desk.end_wrap_ups() == 1
    shown = await here.desk.state(here.jing)
    assert (shown.state, shown.call_id) == (AgentState.WRAP_UP, OTHER)
    assert await here.desk.end_wrap_ups() == 0


async def test_saving_twice_tells_once_and_correcting_tells_again(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    for _ in range(2):
        await here.desk.save_wrap_up(here.jing, CALL, disposition="nuisance", notes="  打错了 \r\n")
    assert [fact.notes for fact in await facts(here)] == ["打错了"]
    clock.advance(timedelta(seconds=1))
    await here.desk.save_wrap_up(here.jing, CALL, disposition="call_back", notes="打错了")
    assert [fact.disposition for fact in await facts(here)] == ["nuisance", "call_back"]


async def test_a_disposition_may_come_late_and_after_work(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    clock.advance(MINUTE)
    await here.desk.end_wrap_ups()
    await here.desk.sign_out(here.jing)
    assert [item.call_id for item in await here.desk.unsaved_wrap_ups(here.jing)] == [CALL]
    clock.advance(timedelta(hours=5))
    await here.desk.save_wrap_up(here.jing, CALL, disposition="answered_enquiry")
    assert await here.desk.unsaved_wrap_ups(here.jing) == ()
    assert (await here.desk.state(here.jing)).state is AgentState.SIGNED_OUT


async def test_saving_during_the_call_skips_the_wrap_up(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered())
    await here.desk.save_wrap_up(here.jing, CALL, disposition="answered_enquiry")
    await here.pbx(ENDED)
    assert (await here.desk.state(here.jing)).state is AgentState.AVAILABLE


async def test_only_ones_own_calls(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    for call_id in (OTHER, "", "x" * 400, "'; drop table call --"):
        with pytest.raises(CallNotYours):
            await here.desk.save_wrap_up(here.jing, call_id, disposition="nuisance")
    with pytest.raises(CallNotYours):
        await here.desk.save_wrap_up(here.wei, CALL, disposition="nuisance")
    assert await here.desk.wrap_up(here.wei, CALL) is None


async def test_a_form_that_is_not_sound_saves_nothing(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    with pytest.raises(DispositionUnknown):
        await here.desk.save_wrap_up(here.jing, CALL, disposition="no_such")
    with pytest.raises(Invalid):
        await here.desk.save_wrap_up(here.jing, CALL, disposition="nuisance", notes="长" * 2001)
    with pytest.raises(Invalid):
        await here.desk.save_wrap_up(here.jing, CALL, disposition="nuisance", customer_id="")
    assert await facts(here) == []
    assert (await here.desk.state(here.jing)).state is AgentState.WRAP_UP


async def test_hostile_notes_are_kept_as_plain_text(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered(), ENDED)
    notes = "<b>x</b>\x00\x07 \u202e反\n\t第二行\u3000😀 \ud800"
    view = await here.desk.save_wrap_up(here.jing, CALL, disposition="nuisance", notes=notes)
    assert view.notes == "<b>x</b> 反\n\t第二行\u3000😀 ?"


async def test_a_draft_is_kept_until_it_is_saved(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), answered())
    await here.desk.save_draft(here.jing, CALL, disposition="call_back", notes="客户说")
    view = await here.desk_of_another_process().wrap_up(here.jing, CALL)
    assert view is not None
    assert (view.draft_disposition, view.draft_notes, view.saved_at) == ("call_back", "客户说", None)
    await here.desk.save_wrap_up(here.jing, CALL, disposition="call_back", notes="客户说明天")
    view = await here.desk.wrap_up(here.jing, CALL)
    assert view is not None
    assert (view.draft_notes, view.notes) == (None, "客户说明天")


async def test_two_tabs_press_at_once(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    other = here.desk_of_another_process()
    await asyncio.gather(
        here.desk.pause(here.jing, "lunch"),
        other.pause(here.jing, "break"),
        here.desk.unpause(here.jing),
        other.pause(here.jing, "meeting"),
        other.unpause(here.jing),
    )
    mine, theirs = await here.desk.state(here.jing), await other.state(here.jing)
    assert mine == theirs
    assert mine.version > 1
    async with here.database.session() as session:
        query = select(AgentStateLogRow).where(AgentStateLogRow.ended_at.is_(None))
        (open_row,) = (await session.execute(query)).scalars().all()
    assert (open_row.state, open_row.reason) == (mine.state.value, mine.reason)


async def test_the_day_is_logged_without_gaps(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    for step in ((rang(),), (answered(),), (ENDED,)):
        clock.advance(timedelta(seconds=10))
        await here.pbx(*step)
    clock.advance(timedelta(seconds=10))
    await here.desk.pause(here.jing, "lunch")
    await here.desk.save_wrap_up(here.jing, CALL, disposition="nuisance")
    clock.advance(timedelta(seconds=10))
    await here.desk.sign_out(here.jing)
    async with here.database.session() as session:
        query = select(AgentStateLogRow).order_by(AgentStateLogRow.started_at, AgentStateLogRow.entry_id)
        rows = (await session.execute(query)).scalars().all()
    assert [(row.state, row.reason, row.call_id) for row in rows] == [
        ("available", None, None),
        ("ringing", None, CALL),
        ("on_call", None, CALL),
        ("wrap_up", None, CALL),
        ("paused", "lunch", None),
        ("signed_out", None, None),
    ]
    assert [row.ended_at for row in rows[:-1]] == [row.started_at for row in rows[1:]]


async def test_missed_calls_pause_the_agent(database: Database, clock: FakeClock) -> None:
    here = await centre(database, clock, policy=AgentPolicy(no_answers_before_pause=1))
    await here.desk.sign_in(here.jing)
    await here.pbx(rang(), QueueGaveUp(leg=LEG), LegEnded(leg=LEG, ring_end=RingEnd.REJECTED))
    assert (await here.desk.state(here.jing)).state is AgentState.AVAILABLE
    await here.pbx(rang(), QueueGaveUp(leg=LEG), ENDED)
    shown = await here.desk.state(here.jing)
    assert (shown.state, shown.reason) == (AgentState.PAUSED, "no_answer")
    assert here.follower.plans["1001"].stance.paused


async def test_a_resync_leaves_nobody_ringing_or_talking_without_a_channel(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    await here.desk.sign_in(here.wei)
    await here.pbx(rang(), answered())
    await here.pbx(Rang(leg="pbx1/2.1", call_id=OTHER, queue="complaint"), number="1002")
    unseen = LiveLeg(leg="pbx1/3.1", call_id=None, ringing=False, talking=True)
    await here.desk.resync("pbx1", {"1002": (unseen,), "4711": (unseen,)})
    states = {item.number: item.state for item in await here.desk.states()}
    assert states == {"1001": AgentState.WRAP_UP, "1002": AgentState.ON_CALL}
    await here.desk.resync("pbx1", {})
    states = {item.number: item.state for item in await here.desk.states()}
    assert states == {"1001": AgentState.WRAP_UP, "1002": AgentState.AVAILABLE}


async def test_a_merged_consultation_keeps_what_was_written(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.pbx(LegUp(leg=LEG, call_id=CALL))
    await here.desk.save_draft(here.jing, CALL, notes="咨询同事")
    await here.desk.move_call(CALL, OTHER)
    assert (await here.desk.state(here.jing)).call_id == OTHER
    view = await here.desk.wrap_up(here.jing, OTHER)
    assert view is not None
    assert view.draft_notes == "咨询同事"
    assert await here.desk.wrap_up(here.jing, CALL) is None


async def test_a_silent_page_is_paused_and_wakes_again(here: Centre, clock: FakeClock) -> None:
    watch = PageWatch(here.database, clock, here.desk)
    await here.desk.sign_in(here.jing)
    await here.desk.sign_in(here.wei)
    await here.desk.heartbeat(here.jing)
    clock.advance(timedelta(seconds=46))
    assert await watch.check() == 1
    shown = await here.desk.state(here.jing)
    assert (shown.state, shown.reason) == (AgentState.PAUSED, "tab_asleep")
    assert (await here.desk.state(here.wei)).state is AgentState.AVAILABLE
    assert await watch.check() == 0
    await here.desk.heartbeat(here.jing)
    assert (await here.desk.state(here.jing)).state is AgentState.AVAILABLE


async def test_after_our_own_absence_pages_get_time_to_be_heard(here: Centre, clock: FakeClock) -> None:
    await here.desk.sign_in(here.jing)
    await here.desk.heartbeat(here.jing)
    clock.advance(timedelta(hours=1))
    watch = PageWatch(here.database, clock, here.desk)
    assert await watch.check() == 0
    clock.advance(timedelta(seconds=46))
    await here.desk.heartbeat(here.jing)
    assert await watch.check() == 0


async def test_heartbeats_of_the_signed_out_and_unknown_matter_to_nobody(here: Centre) -> None:
    await here.desk.heartbeat(here.jing)
    await here.desk.heartbeat("nobody")
    assert (await here.desk.state(here.jing)).state is AgentState.SIGNED_OUT


async def test_what_another_process_did_is_carried_out_here(here: Centre) -> None:
    follow = asyncio.create_task(here.desk.run_follow())
    try:
        await asyncio.sleep(0)
        other = here.desk_of_another_process()
        await other.sign_in(here.jing)
        here.bus.publish(
            AgentStateChanged(
                at=here.clock.now(),
                agent_id=here.jing,
                agent_number="1001",
                state="available",
                since=here.clock.now(),
                version=1,
            )
        )
        await eventually(lambda: here.follower.plans.get("1001") is not None)
        assert here.follower.plans["1001"].stance == Stance(present=True)
        await here.roster.set_memberships(here.jing, {"complaint": 1})
        await eventually(lambda: here.follower.plans["1001"].memberships == (Membership("complaint", 1),))
    finally:
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
