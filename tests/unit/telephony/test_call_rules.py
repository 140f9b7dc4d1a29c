"""The small rules of calls: texts of strangers, names of channels, identities, outcomes."""

from datetime import UTC, datetime, timedelta

import pytest

from kernel.ids import is_ulid, ulid_time
from telephony.ami.message import AmiEvent
from telephony.domain.call import Call, CallResult, CallState, Direction, EndReason, HangupBy
from telephony.domain.call_book import CallBook
from telephony.domain.call_id import derived_call_id, named_call
from telephony.domain.call_resync import PbxSnapshot, SeenChannel, SeenWaiting
from telephony.domain.call_table import CallRules
from telephony.domain.caller_text import MAX_NAME, MAX_NUMBER, caller_name, caller_number, clean_text
from telephony.domain.effects import Ended
from telephony.domain.leg import Endpoints, Leg, LegKind
from telephony.domain.outcome import result_of, ring_end_reason, who_ended

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("13800138000", "+8613800138000"),
        ("013800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("65551234", "+861065551234"),
        ("01065551234", "+861065551234"),
        ("4008001234", "4008001234"),
        ("1001", "1001"),
        ("*55", "*55"),
        ("", "anonymous"),
        ("<unknown>", "anonymous"),
        ("Anonymous", "anonymous"),
        ("  ", "anonymous"),
        ("\x00\r\n", "anonymous"),
        ("00a'; DROP TABLE call", "00a'; DROP TABLE call"),
        ("138\r\nAction: Originate", "138 Action: Originate"),
    ],
)
def test_numbers(raw: str, number: str) -> None:
    assert caller_number(raw, default_area="010") == number


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("王建国", "王建国"),
        ("  Li   Lei ", "Li Lei"),
        ("<unknown>", ""),
        ("Anonymous", ""),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("王\r\nAction: Hangup\r\n", "王 Action: Hangup"),
        ("\u202egnp.exe", "gnp.exe"),
        (r"\"老王\" C:\\", '"老王" C:\\'),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("a\ud83db", "a b"),
        ("王�", "王�"),
    ],
)
def test_names(raw: str, name: str) -> None:
    assert caller_name(raw) == name


@pytest.mark.parametrize("raw", ["x" * 10_000, "😀" * 10_000, " " * 10_000, "\x00" * 10_000, "1" * 10_000])
def test_texts_are_bounded(raw: str) -> None:
    assert len(caller_name(raw)) <= MAX_NAME
    assert len(caller_number(raw)) <= MAX_NUMBER
    assert len(clean_text(raw, 5)) <= 5


@pytest.mark.parametrize(
    ("channel", "kind", "agent", "machine"),
    [
        ("PJSIP/1001-0000001c", LegKind.AGENT, "1001", False),
        ("PJSIP/trunk-main-0000001c", LegKind.OUTSIDE, None, False),
        ("PJSIP/trunk-1001-0000001c", LegKind.OUTSIDE, None, False),
        ("PJSIP/carrier-0000001c", LegKind.OUTSIDE, None, False),
        ("SIP/1001-0000001c", LegKind.AGENT, "1001", False),
        ("Local/1001@from-agent-0000001c;1", LegKind.OTHER, None, False),
        ("AudioSocket/127.0.0.1:9092-0000001c", LegKind.OTHER, None, True),
        ("Snoop/1-00000001", LegKind.OTHER, None, True),
        ("", LegKind.OTHER, None, False),
    ],
)
def test_channel_names(channel: str, kind: LegKind, agent: str | None, machine: bool) -> None:
    found = Endpoints().read(channel)
    assert (found.kind, found.agent_number, found.is_machine) == (kind, agent, machine)


def test_names_of_calls() -> None:
    ulid = "01M80Z9ZYM0DR6R0MH6WVD1FVG"
    assert named_call(f" {ulid.lower()} ") == ulid
    assert named_call("") is None
    assert named_call("x" * 26) is None
    assert named_call(ulid + "0") is None


@pytest.mark.parametrize(
    ("variables", "result", "queue"),
    [
        (["HF_QUEUE=repair"], CallResult.IVR_ONLY, None),
        (["HF_QUEUE=repair", "QUEUESTATUS=JOINEMPTY"], CallResult.NO_ANSWER, "repair"),
    ],
)
def test_who_hangs_up_on_the_way_to_the_queue_was_never_in_it(
    variables: list[str], result: CallResult, queue: str | None
) -> None:
    book = CallBook("pbx1")
    call_id = "HF_CALL=01KN70000000000000000000AA"
    channel = {"Channel": "PJSIP/trunk-main-00000001", "ChannelState": "4", "Uniqueid": "1772413200.1"}
    for event in (
        AmiEvent.of("Newchannel", {**channel, "ChanVariable": call_id}),
        AmiEvent.of("HangupRequest", {**channel, "ChanVariable": call_id}),
    ):
        book.handle(event, now=START)
    gone = AmiEvent.of("Hangup", {**channel, "Cause": "16", "ChanVariable": [call_id, *variables]})
    (ended,) = [effect for effect in book.handle(gone, now=START) if isinstance(effect, Ended)]
    assert (ended.call.result, ended.call.queue, ended.call.hangup_by) == (result, queue, HangupBy.CALLER)


def test_a_derived_call_id_follows_from_the_channel_alone() -> None:
    made = derived_call_id("pbx1", "pbx1-1772415000.7", now=START)
    assert is_ulid(made)
    assert made == derived_call_id("pbx1", "pbx1-1772415000.7", now=START + SECOND)
    assert ulid_time(made) == datetime.fromtimestamp(1_772_415_000, UTC)
    assert made != derived_call_id("pbx2", "pbx1-1772415000.7", now=START)
    assert made != derived_call_id("pbx1", "pbx1-1772415000.8", now=START)
    assert is_ulid(derived_call_id("pbx1", "att-what/ever", now=START))


def call(**changes: object) -> Call:
    values: dict[str, object] = {
        "node": "pbx1",
        "direction": Direction.IN,
        "from_number": "anonymous",
        "to_number": "",
        "from_name": "",
        "started_at": START,
        "call_id": "01M80Z9ZYM0DR6R0MH6WVD1FVG",
    }
    return Call(**(values | changes))  # type: ignore[arg-type]


def leg(of: Call, **changes: object) -> Leg:
    values: dict[str, object] = {
        "call": of,
        "uniqueid": "1.2",
        "linkedid": "1.1",
        "channel": "PJSIP/trunk-main-00000001",
        "kind": LegKind.OUTSIDE,
        "agent_number": None,
        "number": "+8613800138000",
        "started_at": START,
        "dialled": True,
    }
    return Leg(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ({"answered_at": START}, CallResult.ANSWERED),
        ({"answered_at": START, "end_reason": EndReason.PBX_RESTART}, CallResult.ANSWERED),
        ({"end_reason": EndReason.PBX_RESTART, "queued_at": START}, CallResult.FAILED),
        ({}, CallResult.IVR_ONLY),
        ({"queue": "repair"}, CallResult.NO_ANSWER),
        ({"queue": "repair", "queued_at": START, "wait": 99 * SECOND}, CallResult.NO_ANSWER),
        (
            {"queue": "q", "queued_at": START, "gave_up_waiting": True, "wait": 5 * SECOND},
            CallResult.ABANDONED_SHORT,
        ),
        (
            {"queue": "q", "queued_at": START, "gave_up_waiting": True, "wait": 5.001 * SECOND},
            CallResult.ABANDONED_QUEUE,
        ),
        ({"direction": Direction.OUT}, CallResult.FAILED),
        ({"direction": Direction.INTERNAL, "menu_path": ["投诉"]}, CallResult.IVR_ONLY),
    ],
)
def test_results(facts: dict[str, object], result: CallResult) -> None:
    assert result_of(call(**facts), short_abandon=5 * SECOND) is result


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ({"refused": 17}, CallResult.BUSY),
        ({"refused": 17, "rang": True}, CallResult.BUSY),
        ({"refused": 17, "rang": True, "kind": LegKind.AGENT}, CallResult.REJECTED),
        ({"refused": 17, "kind": LegKind.AGENT}, CallResult.BUSY),
        ({"refused": 21}, CallResult.REJECTED),
        ({"refused": 1}, CallResult.EMPTY),
        ({"refused": 28}, CallResult.EMPTY),
        ({"refused": 20}, CallResult.OFF),
        ({"refused": 19}, CallResult.OFF),
        ({"refused": 19, "rang": True}, CallResult.NO_ANSWER),
        ({"refused": 34, "dial_status": "CONGESTION"}, CallResult.FAILED),
        ({"refused": 38}, CallResult.FAILED),
        ({"cause": 0, "dial_status": "CANCEL"}, CallResult.NO_ANSWER),
        ({"dial_status": "NOANSWER"}, CallResult.NO_ANSWER),
        ({"dial_status": "BUSY"}, CallResult.BUSY),
        ({"dial_status": "CHANUNAVAIL"}, CallResult.FAILED),
    ],
)
def test_results_of_dialling(facts: dict[str, object], result: CallResult) -> None:
    made = call(direction=Direction.OUT)
    made.last_dialled = leg(made, **facts)
    assert result_of(made, short_abandon=5 * SECOND) is result


@pytest.mark.parametrize(
    ("facts", "status", "gone", "reason"),
    [
        ({"refused": 21}, "NOANSWER", False, "rejected"),
        ({"refused": 17, "rang": True}, "NOANSWER", False, "rejected"),
        ({"refused": 17}, "BUSY", False, "busy"),
        ({"refused": 19}, "NOANSWER", False, "no_answer"),
        ({}, "NOANSWER", False, "no_answer"),
        ({}, "CANCEL", False, "abandoned"),
        ({}, "NOANSWER", True, "abandoned"),
    ],
)
def test_why_a_ring_ended(facts: dict[str, object], status: str, gone: bool, reason: str) -> None:
    assert ring_end_reason(leg(call(), **facts), status, caller_gone=gone) == reason


def test_who_ended_a_call_that_nobody_was_seen_to_end() -> None:
    assert who_ended(call(end_reason=EndReason.GAP)) is HangupBy.UNKNOWN
    assert who_ended(call(end_reason=EndReason.PBX_RESTART)) is HangupBy.SYSTEM
    refused = call(direction=Direction.OUT)
    refused.last_dialled = leg(refused, refused=17)
    assert who_ended(refused) is HangupBy.CALLER


def seen(uniqueid: str, channel: str, **changes: object) -> SeenChannel:
    values: dict[str, object] = {
        "uniqueid": uniqueid,
        "linkedid": "1.9",
        "channel": channel,
        "state": 6,
        "number": "13800138000",
        "name": "王建国",
        "exten": "4008001234",
        "application": "Queue",
        "bridge": "",
        "age": 30 * SECOND,
        "variables": {},
    }
    return SeenChannel(**(values | changes))  # type: ignore[arg-type]


def snapshot(*channels: SeenChannel, waiting: tuple[SeenWaiting, ...] = ()) -> PbxSnapshot:
    return PbxSnapshot(channels=channels, waiting=waiting)


CALLER = seen("1.9", "PJSIP/trunk-main-00000001")
AGENT = seen("1.10", "PJSIP/1001-00000002", exten="s", application="AppQueue", number="1001", age=2 * SECOND)


def test_a_waiting_caller_is_adopted_with_his_wait() -> None:
    book = CallBook("pbx1", CallRules(default_area="010"))
    waiting = SeenWaiting(uniqueid="1.9", queue="repair", waited=20 * SECOND)
    ringing = seen("1.10", AGENT.channel, state=5, exten="s", application="AppQueue", age=SECOND)
    book.reconcile(snapshot(ringing, CALLER, waiting=(waiting,)), now=START, since=START)
    (found,) = book.open_calls()
    assert (found.state, found.queue, found.direction) == (CallState.RINGING, "repair", Direction.IN)
    assert (found.started_at, found.queued_at) == (START - 30 * SECOND, START - 20 * SECOND)
    assert (found.from_number, found.to_number) == ("+8613800138000", "4008001234")
    assert found.adopted
    assert found.root is not None
    assert found.root.kind is LegKind.CALLER


def test_a_conversation_is_adopted_and_ends() -> None:
    book = CallBook("pbx1")
    bridged = (seen("1.9", CALLER.channel, bridge="b"), seen("1.10", AGENT.channel, exten="s", bridge="b"))
    book.reconcile(snapshot(*bridged), now=START, since=START)
    (found,) = book.open_calls()
    assert (found.state, found.agent_number) == (CallState.TALKING, "1001")
    for uniqueid in ("1.10", "1.9"):
        effects = book.handle(AmiEvent.of("Hangup", {"Uniqueid": uniqueid}), now=START + SECOND)
    assert any(isinstance(effect, Ended) for effect in effects)
    assert (found.result, found.talk) == (CallResult.ANSWERED, SECOND)


def test_a_snapshot_taken_over_twice_changes_nothing() -> None:
    book = CallBook("pbx1")
    bridged = snapshot(
        seen("1.9", CALLER.channel, bridge="b"), seen("1.10", AGENT.channel, exten="s", bridge="b")
    )
    book.reconcile(bridged, now=START, since=START)
    (found,) = book.open_calls()
    before = [row.kind.value for row in found.rows]
    book.reconcile(bridged, now=START + SECOND, since=START)
    assert [row.kind.value for row in found.rows] == [*before, "gap"]
    assert found.state is CallState.TALKING


def test_the_ear_of_a_supervisor_is_not_adopted() -> None:
    book = CallBook("pbx1")
    ear = seen("2.2", "PJSIP/1003-00000003", linkedid="2.2", application="ChanSpy", exten="s")
    tap = seen("2.3", "AudioSocket/127.0.0.1:9092-00000004", linkedid="2.3")
    book.reconcile(snapshot(ear, tap), now=START, since=START)
    assert book.open_calls() == ()
    assert book.unknown(snapshot(ear, tap)) == frozenset()


def test_a_transfer_that_happened_unseen_joins_the_two_calls() -> None:
    book = CallBook("pbx1")
    consult = seen("3.1", "PJSIP/1001-00000005", linkedid="3.1", exten="1002", number="1001", bridge="c")
    asked = seen("3.2", "PJSIP/1002-00000006", linkedid="3.1", exten="s", number="1002", bridge="c")
    talking = (seen("1.9", CALLER.channel, bridge="b"), seen("1.10", AGENT.channel, exten="s", bridge="b"))
    book.reconcile(snapshot(*talking, consult, asked), now=START, since=START)
    assert len(book.open_calls()) == 2
    moved = seen("3.2", asked.channel, linkedid="1.9", exten="s", number="1002", bridge="b")
    book.reconcile(snapshot(talking[0], moved), now=START + 9 * SECOND, since=START + SECOND)
    (found,) = book.open_calls()
    assert (found.direction, found.agent_number, found.state) == (Direction.IN, "1002", CallState.TALKING)
