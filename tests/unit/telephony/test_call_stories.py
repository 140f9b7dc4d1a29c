"""Every story that was recorded from the real Asterisk becomes the call it was."""

from dataclasses import dataclass

import pytest

from telephony.domain.call import Call, CallResult, CallState, Direction, EndReason, HangupBy
from telephony.domain.call_book import CallBook
from telephony.domain.effects import Answered, Effect, Merged, Opened, RingEnded, RingStarted
from telephony.domain.leg import LegKind
from tests.support.transcripts import NAMES, ended_calls, events, play

pytestmark = pytest.mark.unit

R, H, E = CallResult, HangupBy, EndReason


@dataclass
class Story:
    result: CallResult
    by: HangupBy
    agent: str | None = None
    queue: str | None = "service"
    reason: EndReason = EndReason.HANGUP
    direction: Direction = Direction.IN
    rings: tuple[tuple[str, str], ...] = ()
    kinds: str = ""


ANSWERED_1001 = (("1001", "answered"),)
STORIES = {
    "answered_agent_first": Story(
        R.ANSWERED,
        H.AGENT,
        "1001",
        rings=ANSWERED_1001,
        kinds="offered menu queued ringing ring_ended answered ended",
    ),
    "answered_caller_first": Story(
        R.ANSWERED,
        H.CALLER,
        "1001",
        rings=ANSWERED_1001,
        kinds="offered menu queued ringing ring_ended answered ended",
    ),
    "hold": Story(
        R.ANSWERED,
        H.CALLER,
        "1001",
        rings=ANSWERED_1001,
        kinds="offered menu queued ringing ring_ended answered held unheld ended",
    ),
    "ami_hangup": Story(R.ANSWERED, H.SYSTEM, "1001", rings=ANSWERED_1001),
    "spy": Story(R.ANSWERED, H.CALLER, "1001", rings=ANSWERED_1001),
    "abandoned_menu": Story(R.IVR_ONLY, H.CALLER, queue=None, kinds="offered menu ended"),
    "abandoned_queue": Story(
        R.ABANDONED_QUEUE,
        H.CALLER,
        rings=(("1001", "no_answer"), ("1002", "abandoned")),
        kinds="offered menu queued ringing ring_ended ringing ring_ended left_queue ended",
    ),
    "short_abandon": Story(R.ABANDONED_SHORT, H.CALLER, rings=(("1001", "abandoned"),)),
    "no_agent_joinempty": Story(R.NO_ANSWER, H.SYSTEM, reason=E.NO_AGENT, kinds="offered menu ended"),
    "no_agent_leaveempty": Story(
        R.NO_ANSWER,
        H.SYSTEM,
        reason=E.NO_AGENT,
        rings=(("1001", "no_answer"),),
        kinds="offered menu queued ringing ring_ended left_queue ended",
    ),
    "no_agent_timeout": Story(
        R.NO_ANSWER, H.SYSTEM, reason=E.QUEUE_TIMEOUT, rings=(("1001", "no_answer"), ("1002", "no_answer"))
    ),
    "agent_rejects": Story(R.ANSWERED, H.CALLER, "1002", rings=(("1001", "rejected"), ("1002", "answered"))),
    "agent_declines_603": Story(
        R.ANSWERED, H.CALLER, "1002", rings=(("1001", "rejected"), ("1002", "answered"))
    ),
    "agent_no_answer_next": Story(
        R.ANSWERED,
        H.AGENT,
        "1002",
        rings=(("1001", "no_answer"), ("1002", "answered")),
        kinds="offered menu queued ringing ring_ended ringing ring_ended answered ended",
    ),
    "blind_transfer": Story(
        R.ANSWERED,
        H.CALLER,
        "1003",
        rings=(("1001", "answered"), ("1003", "answered")),
        kinds="offered menu queued ringing ring_ended answered transferred ringing ring_ended answered ended",
    ),
    "blind_transfer_phone_byes": Story(
        R.ANSWERED, H.AGENT, "1003", rings=(("1001", "answered"), ("1003", "answered"))
    ),
    "attended_transfer": Story(
        R.ANSWERED,
        H.CALLER,
        "1003",
        rings=(("1001", "answered"), ("1003", "answered")),
        kinds="offered menu queued ringing ring_ended answered held unheld transferred answered ended",
    ),
    "attended_transfer_ringing": Story(
        R.ANSWERED, H.CALLER, "1003", rings=(("1001", "answered"), ("1003", "answered"))
    ),
    "internal": Story(
        R.ANSWERED,
        H.CALLER,
        "1002",
        queue=None,
        direction=Direction.INTERNAL,
        rings=(("1002", "answered"),),
        kinds="offered ringing ring_ended answered ended",
    ),
    "internal_callee_first": Story(
        R.ANSWERED,
        H.AGENT,
        "1002",
        queue=None,
        direction=Direction.INTERNAL,
        rings=(("1002", "answered"),),
    ),
    "internal_busy": Story(
        R.REJECTED, H.AGENT, queue=None, direction=Direction.INTERNAL, rings=(("1002", "rejected"),)
    ),
    "internal_cancel": Story(
        R.NO_ANSWER, H.CALLER, queue=None, direction=Direction.INTERNAL, rings=(("1002", "abandoned"),)
    ),
    "pbx_stops": Story(
        R.ANSWERED,
        H.SYSTEM,
        "1002",
        queue=None,
        reason=E.PBX_RESTART,
        direction=Direction.INTERNAL,
        rings=(("1002", "answered"),),
    ),
    "outbound": Story(R.ANSWERED, H.CALLER, "1001", queue=None, direction=Direction.OUT),
    **{
        f"dialled_{name}": Story(result, by, None, None, reason, Direction.OUT, kinds=kinds)
        for name, result, by, reason, kinds in (
            ("busy", R.BUSY, H.CALLER, E.HANGUP, "offered ended"),
            ("declined", R.REJECTED, H.CALLER, E.HANGUP, "offered ended"),
            ("empty", R.EMPTY, H.SYSTEM, E.HANGUP, "offered ended"),
            ("off", R.OFF, H.SYSTEM, E.HANGUP, "offered ended"),
            ("no_way", R.FAILED, H.SYSTEM, E.HANGUP, "offered ended"),
            ("no_answer", R.NO_ANSWER, H.SYSTEM, E.HANGUP, "offered ringing ring_ended ended"),
            ("machine", R.NO_ANSWER, H.SYSTEM, E.MACHINE, "offered ringing ring_ended answered menu ended"),
            ("human", R.ANSWERED, H.SYSTEM, E.HANGUP, "offered ringing ring_ended answered menu ended"),
            ("survey", R.ANSWERED, H.SYSTEM, E.HANGUP, "offered ringing ring_ended answered menu ended"),
            ("service_away", R.ANSWERED, H.SYSTEM, E.HANGUP, "offered ringing ring_ended answered ended"),
        )
    },
    "dialled_nobody_free": Story(R.ABANDONED_QUEUE, H.SYSTEM, reason=E.NO_AGENT, direction=Direction.OUT),
    "dialled_person": Story(
        R.ANSWERED,
        H.CALLER,
        "1001",
        rings=ANSWERED_1001,
        direction=Direction.OUT,
        kinds="offered ringing ring_ended answered queued ringing ring_ended answered ended",
    ),
    "dialled_preview_answered": Story(
        R.ANSWERED,
        H.CALLER,
        "1001",
        queue=None,
        rings=ANSWERED_1001,
        direction=Direction.OUT,
        kinds="offered ringing ring_ended ringing ring_ended answered ended",
    ),
    "dialled_preview_busy": Story(
        R.BUSY, H.CALLER, "1001", queue=None, rings=ANSWERED_1001, direction=Direction.OUT
    ),
    "dialled_preview_agent_busy": Story(
        R.FAILED, H.SYSTEM, "1001", queue=None, rings=(("1001", "rejected"),), direction=Direction.OUT
    ),
    "outbound_off": Story(R.OFF, H.SYSTEM, "1001", queue=None, direction=Direction.OUT),
    "outbound_empty": Story(R.EMPTY, H.SYSTEM, "1001", queue=None, direction=Direction.OUT),
}


def the_call(name: str) -> tuple[Call, list[Effect]]:
    book, effects = play(name)
    calls = ended_calls(effects)
    assert len(calls) == 1
    assert len(book) == 0
    return calls[0], effects


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_story_is_one_call_with_its_outcome(name: str) -> None:
    story = STORIES[name]
    call, effects = the_call(name)
    assert (call.result, call.hangup_by, call.end_reason) == (story.result, story.by, story.reason)
    assert (call.agent_number, call.queue, call.direction) == (story.agent, story.queue, story.direction)
    assert call.state is CallState.ENDED
    if story.rings:
        ends = [(e.leg.agent_number, e.reason) for e in effects if isinstance(e, RingEnded)]
        assert ends == list(story.rings)
    if story.kinds:
        assert [row.kind.value for row in call.rows] == story.kinds.split()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_stays_behind(name: str) -> None:
    book, effects = play(name)
    opened = {effect.call.call_id for effect in effects if isinstance(effect, Opened)}
    ended = {effect.call.call_id for effect in effects if isinstance(effect, Merged)}
    ended |= {call.call_id for call in ended_calls(effects)}
    assert opened == ended
    assert not (book._legs or book._linked or book._latent or book._bridges or book._calls)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_story_gives_the_same_records(name: str) -> None:
    def rows() -> list[object]:
        _, effects = play(name)
        return [(call.call_id, call.result, call.wait, call.talk, call.rows) for call in ended_calls(effects)]

    assert rows() == rows()


@pytest.mark.parametrize("moment", ["AgentConnect", "DialEnd"])
def test_a_caller_who_hangs_up_in_the_very_moment_of_the_answer(moment: str) -> None:
    story = list(events("answered_caller_first"))
    told = [event.name for event, _ in story]
    story.insert(told.index(moment), story.pop(told.index("HangupRequest")))
    book = CallBook("pbx1")
    effects = [effect for event, at in story for effect in book.handle(event, now=at)]
    (call,) = ended_calls(effects)
    assert (call.result, call.hangup_by, call.agent_number) == (R.ANSWERED, H.CALLER, "1001")


def test_who_called_whom() -> None:
    call, _ = the_call("answered_agent_first")
    assert (call.from_number, call.to_number, call.from_name) == ("+8613800138000", "4000", "张三的公司")
    assert call.menu_path == ["报修"]
    assert [leg.kind for leg in call.legs.values()] == [LegKind.CALLER, LegKind.AGENT]
    call, _ = the_call("outbound")
    assert (call.from_number, call.to_number) == ("1001", "+8613800138000")
    call, _ = the_call("internal")
    assert (call.from_number, call.to_number) == ("1001", "1002")


def test_times_of_waiting_talking_and_holding() -> None:
    call, _ = the_call("hold")
    assert call.wait is not None
    assert call.wait.total_seconds() < 0.1
    assert call.talk.total_seconds() == pytest.approx(1.1, abs=0.05)
    assert call.hold.total_seconds() == pytest.approx(1.0, abs=0.05)
    call, _ = the_call("abandoned_queue")
    assert call.wait is not None
    assert call.wait.total_seconds() == pytest.approx(6.5, abs=0.05)


def test_the_ring_is_told_with_all_the_page_needs() -> None:
    _, effects = the_call("answered_agent_first")
    ring = next(effect for effect in effects if isinstance(effect, RingStarted))
    assert (ring.leg.agent_number, ring.queue) == ("1001", "service")
    assert effects.index(ring) < next(i for i, e in enumerate(effects) if isinstance(e, RingEnded))


def test_one_call_survives_an_attended_transfer() -> None:
    call, effects = the_call("attended_transfer")
    merged = [effect for effect in effects if isinstance(effect, Merged)]
    assert [(m.call.direction, m.into) for m in merged] == [(Direction.INTERNAL, call)]
    assert merged[0].call.end_reason is EndReason.MERGED
    assert [e.agent_number for e in effects if isinstance(e, Answered) and e.call is call] == ["1001", "1003"]
    assert len(call.legs) == 4
    transfer = next(row for row in call.rows if row.kind == "transferred")
    assert transfer.agent == "1001"
    assert transfer.detail["type"] == "attended"
    assert transfer.detail["to"] == "1003"


def test_a_transfer_to_a_ringing_colleague_shows_him_the_customer() -> None:
    call, effects = the_call("attended_transfer_ringing")
    rings = [(e.call.direction, e.leg.agent_number) for e in effects if isinstance(e, RingStarted)]
    assert rings == [(Direction.IN, "1001"), (Direction.INTERNAL, "1003"), (Direction.IN, "1003")]
    assert call.agent_number == "1003"


def test_two_calls_at_once_are_two() -> None:
    _, effects = play("snapshot")
    assert sorted(str(call.result) for call in ended_calls(effects)) == ["ABANDONED_QUEUE", "IVR_ONLY"]
