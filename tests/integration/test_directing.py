"""Supervisors who act on agents: force, move, tell, limit; two of them at once."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from kernel.access import Actor, Role
from kernel.audit import AuditLog, AuditRecord
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound
from telephony.agent_events import PauseOverran
from telephony.agent_messages import PER_HOUR, AgentMessages, NobodyAtWork, TooManyMessages
from telephony.desk import AgentChanged, NotSignedIn, PauseReasonUnknown
from telephony.directing import Directed, Directing
from telephony.domain.agent_state import AgentState
from telephony.domain.agent_steps import Answered, LegEnded, Rang
from telephony.domain.queue import Membership
from telephony.pause_limits import PauseLimits
from telephony.roster import QueuesChanged
from tests.support.agents import Centre, Heard, centre

pytestmark = pytest.mark.integration

ZHOU = Actor(user_id="01JZZZZZZZZZZZZZZZZZZZZZU1", name="周班长", role=Role.SUPERVISOR)
SUN = Actor(user_id="01JZZZZZZZZZZZZZZZZZZZZZU2", name="孙班长", role=Role.SUPERVISOR)
JING = Actor(user_id="01JZZZZZZZZZZZZZZZZZZZZZU3", name="李静", role=Role.AGENT)
CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"
WRAP_UP = timedelta(minutes=1)


@pytest.fixture
async def here(database: Database, clock: FakeClock) -> Centre:
    return await centre(database, clock)


def directing(here: Centre) -> Directing:
    return Directing(here.database, here.clock, here.desk, here.roster)


async def audited(here: Centre, *actions: str) -> Sequence[AuditRecord]:
    found = await AuditLog(here.database, here.clock).recent(limit=50)
    return [row for row in reversed(found) if row.action in actions]


async def test_an_agent_is_paused_freed_and_signed_out(here: Centre) -> None:
    service = directing(here)
    await here.desk.sign_in(here.jing)
    seen = AgentState.AVAILABLE
    paused = await service.force(ZHOU, here.jing, Directed.PAUSED, reason="meeting", seen=seen)
    assert (paused.state, paused.reason) == (AgentState.PAUSED, "meeting")
    assert here.follower.plans["1001"].stance.reason == "meeting"
    # the second supervisor saw the agent free: nothing is done, and they are told
    with pytest.raises(AgentChanged, match="paused"):
        await service.force(SUN, here.jing, Directed.SIGNED_OUT, seen=seen)
    freed = await service.force(SUN, here.jing, Directed.AVAILABLE, seen=AgentState.PAUSED)
    assert freed.state is AgentState.AVAILABLE
    gone = await service.force(ZHOU, here.jing, Directed.SIGNED_OUT)
    assert gone.state is AgentState.SIGNED_OUT
    with pytest.raises(NotSignedIn):
        await service.force(ZHOU, here.jing, Directed.AVAILABLE)
    told = [(row.actor, row.detail["to"]) for row in await audited(here, "agent.directed")]
    assert told == [("周班长", "paused"), ("孙班长", "available"), ("周班长", "signed_out")]


async def test_in_a_call_it_comes_after_it_and_the_wrap_up_can_be_cut_short(here: Centre) -> None:
    service = directing(here)
    await here.desk.sign_in(here.jing)
    await here.pbx(
        Rang(leg="pbx1/1", call_id=CALL, queue="repair", wrap_up=WRAP_UP),
        Answered(leg="pbx1/1", call_id=CALL, queue="repair", wrap_up=WRAP_UP),
    )
    waits = await service.force(ZHOU, here.jing, Directed.SIGNED_OUT, seen=AgentState.ON_CALL)
    assert (waits.state, waits.next_state) == (AgentState.ON_CALL, AgentState.SIGNED_OUT)
    await here.desk.save_draft(here.jing, CALL, notes="漏水，明天上门")
    await here.pbx(LegEnded(leg="pbx1/1"))
    freed = await service.force(ZHOU, here.jing, Directed.AVAILABLE, seen=AgentState.WRAP_UP)
    assert (freed.state, freed.next_state) == (AgentState.AVAILABLE, None)
    written = await here.desk.wrap_up(here.jing, CALL)
    assert written is not None
    assert written.draft_notes == "漏水，明天上门"


async def test_who_may_not_and_what_cannot_be(here: Centre) -> None:
    service, messages = directing(here), AgentMessages(here.database, here.clock)
    await here.desk.sign_in(here.jing)
    with pytest.raises(Forbidden):
        await service.force(JING, here.wei, Directed.PAUSED, reason="lunch")
    with pytest.raises(Forbidden):
        await service.set_queues(JING, here.jing, {})
    with pytest.raises(Forbidden):
        await messages.send(JING, "去吃饭")
    with pytest.raises(Forbidden):
        await service.limit_pause(JING, "lunch", limit_seconds=60, ends_itself=False)
    for reason in ("no_answer", "", "lunch;"):
        with pytest.raises(PauseReasonUnknown):
            await service.force(ZHOU, here.jing, Directed.PAUSED, reason=reason)
    for wrong in (59, 12 * 3600 + 1):
        with pytest.raises(Invalid):
            await service.limit_pause(ZHOU, "lunch", limit_seconds=wrong, ends_itself=False)
    with pytest.raises(Invalid):
        await service.limit_pause(ZHOU, "lunch", limit_seconds=None, ends_itself=True)
    with pytest.raises(NotFound):
        await service.limit_pause(ZHOU, "tab_asleep", limit_seconds=60, ends_itself=False)
    assert (await here.desk.state(here.jing)).state is AgentState.AVAILABLE


async def test_queues_are_changed_under_an_agent_who_works(here: Centre) -> None:
    service = directing(here)
    await here.desk.sign_in(here.jing)
    before = {"repair": 0, "service": 5}
    moved = await service.set_queues(ZHOU, here.jing, {"repair": 3, "complaint": 0}, before=before)
    assert moved.queues == (Membership("complaint", 0), Membership("repair", 3))
    with pytest.raises(QueuesChanged):
        await service.set_queues(SUN, here.jing, {"service": 0}, before=before)
    with pytest.raises(NotFound):
        await service.set_queues(SUN, here.jing, {"nowhere": 0})
    (row,) = await audited(here, "agent.queues")
    assert (row.actor, row.detail) == (
        "周班长",
        {"from": {"repair": 0, "service": 5}, "to": {"repair": 3, "complaint": 0}},
    )
    # what Asterisk is brought in line with, at once and after any restart
    book = await here.desk.member_book()
    plan = next(plan for plan in book.plans if plan.number == "1001")
    assert plan.memberships == moved.queues


async def test_a_message_stands_until_it_is_read(here: Centre, clock: FakeClock) -> None:
    messages = AgentMessages(here.database, here.clock)
    with pytest.raises(NobodyAtWork):
        await messages.send(ZHOU, "开会")
    await here.desk.sign_in(here.jing)
    sent = await messages.send(ZHOU, "  三点开会，\r\n请先<b>结束</b>手上的电话 ")
    assert sent.text == "三点开会， 请先<b>结束</b>手上的电话"
    assert [(one.number, one.confirmed_at) for one in sent.receipts] == [("1001", None)]
    await messages.send(SUN, "给张伟", agent_id=here.wei)
    assert [one.text for one in await messages.unread(here.jing)] == [sent.text]
    await messages.confirm(JING, here.jing, sent.message_id)
    await messages.confirm(JING, here.jing, sent.message_id)
    with pytest.raises(NotFound):
        await messages.confirm(JING, here.wei, sent.message_id)
    assert await messages.unread(here.jing) == ()
    newest, first = await messages.sent(ZHOU)
    assert (newest.by, newest.to_all, first.to_all) == ("孙班长", False, True)
    assert [one.confirmed_at for one in first.receipts] == [clock.now()]
    assert len(await audited(here, "agent.message_sent", "agent.message_read")) == 3
    clock.advance(timedelta(hours=25))
    assert await messages.unread(here.wei) == ()
    for empty in ("", " \n ", "字" * 301):
        with pytest.raises(Invalid):
            await messages.send(ZHOU, empty)
    for _ in range(PER_HOUR):
        await messages.send(SUN, "喂", agent_id=here.wei)
    with pytest.raises(TooManyMessages):
        await messages.send(SUN, "喂", agent_id=here.wei)


async def test_a_break_has_its_time(here: Centre, clock: FakeClock) -> None:
    service, limits = directing(here), PauseLimits(here.database, clock, here.bus, here.desk)
    await service.limit_pause(ZHOU, "lunch", limit_seconds=1800, ends_itself=False)
    await service.limit_pause(ZHOU, "break", limit_seconds=600, ends_itself=True)
    reasons = {one.code: one for one in await here.roster.pause_reasons()}
    assert (reasons["lunch"].limit_seconds, reasons["break"].ends_itself) == (1800, True)
    await here.desk.sign_in(here.jing)
    await here.desk.sign_in(here.wei)
    await here.desk.pause(here.jing, "lunch")
    await here.desk.pause(here.wei, "break")
    clock.advance(timedelta(seconds=599))
    assert await limits.check() == 0
    clock.advance(timedelta(seconds=1))
    assert await limits.check() == 1
    assert (await here.desk.state(here.wei)).state is AgentState.AVAILABLE
    clock.advance(timedelta(minutes=20))
    async with Heard(here.bus, PauseOverran) as heard:
        assert await limits.check() == 1
        assert await limits.check() == 1  # told once
    (told,) = heard.events
    assert isinstance(told, PauseOverran)
    assert (told.agent_name, told.reason, told.limit_seconds) == ("李静", "lunch", 1800)
    assert (await here.desk.state(here.jing)).state is AgentState.PAUSED
    # a break that ends by itself does not wake a page that sleeps
    await here.desk.pause(here.wei, "break")
    await here.desk.page_silent(here.wei)
    clock.advance(timedelta(minutes=11))
    await limits.check()
    asleep = await here.desk.state(here.wei)
    assert (asleep.state, asleep.reason) == (AgentState.PAUSED, "tab_asleep")
