"""Calls that the dialler places: whose they are, whom they reach, and why they fail."""

from datetime import UTC, datetime, timedelta

import pytest

from telephony.ami.message import AmiEvent
from telephony.call_news import CallNews
from telephony.domain.call import CallResult, Direction
from telephony.domain.call_book import CallBook
from telephony.domain.call_resync import PbxSnapshot, SeenChannel
from telephony.domain.effects import Opened
from telephony.event_log import as_events, parse_line
from tests.support.transcripts import ended_calls, events, play

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CALL = "01JNA0000000000000000000CA"
CHANNEL = {"Channel": "PJSIP/trunk-main-00000001", "Uniqueid": f"att-{CALL}", "Linkedid": f"att-{CALL}"}
DIALLED = (
    "busy", "declined", "empty", "human", "machine", "no_answer", "no_way", "nobody_free", "off", "person",
    "preview_agent_busy", "preview_answered", "preview_busy", "service_away", "survey",
)  # fmt: skip


@pytest.mark.parametrize("name", DIALLED)
def test_the_call_has_the_attempts_id_and_the_customers_number(name: str) -> None:
    story = f"dialled_{name}"
    channel = next(event.get("uniqueid") for event, _ in events(story) if event.name == "Newchannel")
    _, effects = play(story)
    (call,) = ended_calls(effects)
    assert channel == f"att-{call.call_id}"
    assert call.direction is Direction.OUT
    assert call.to_number.startswith("+861380013800")
    # Known from the first word on, for whoever shows calls in progress.
    opened = next(effect.call for effect in effects if isinstance(effect, Opened))
    assert opened is call
    assert call.from_number == ("1001" if "preview" in name else "4008001234")


@pytest.mark.parametrize(
    ("name", "cause"), [("busy", 17), ("declined", 21), ("empty", 1), ("off", 19), ("no_way", 34)]
)
def test_the_networks_cause_is_told(name: str, cause: int) -> None:
    _, effects = play(f"dialled_{name}")
    (call,) = ended_calls(effects)
    assert CallNews(lambda number: None).ended(call).cause == cause


def test_a_channel_that_dies_before_it_bears_a_name_still_ends_its_attempt() -> None:
    book = CallBook("pbx1")
    born = {**CHANNEL, "ChannelState": "0", "Exten": "s", "CallerIDNum": "<unknown>"}
    assert book.handle(AmiEvent.of("Newchannel", born), now=NOW) == ()
    effects = book.handle(AmiEvent.of("Hangup", {**CHANNEL, "Cause": "20"}), now=NOW)
    (call,) = ended_calls(list(effects))
    assert (call.call_id, call.result, call.direction) == (CALL, CallResult.OFF, Direction.OUT)
    assert book.knows(CALL)
    assert not book.knows("01JNA0000000000000000000CB")


@pytest.mark.parametrize(("state", "result"), [(6, CallResult.ANSWERED), (5, CallResult.NO_ANSWER)])
def test_a_call_that_was_answered_while_nobody_listened_was_answered(state: int, result: CallResult) -> None:
    book = CallBook("pbx1")
    channel = SeenChannel(
        uniqueid=f"att-{CALL}",
        linkedid=f"att-{CALL}",
        channel="PJSIP/trunk-main-00000001",
        state=state,
        number="4008001234",
        name="",
        exten="survey",
        application="AGI" if state == 6 else "AppDial2",
        bridge="",
        age=timedelta(seconds=3),
        variables={"HF_CALL": CALL, "HF_DIR": "out", "HF_TO": "13800138000"},
    )
    book.reconcile(PbxSnapshot(channels=(channel,), waiting=()), now=NOW, since=NOW)
    call = book.get(CALL)
    assert call is not None
    assert (call.to_number, call.from_number) == ("+8613800138000", "4008001234")
    effects = book.handle(AmiEvent.of("Hangup", {**CHANNEL, "Cause": "16" if state == 6 else "19"}), now=NOW)
    (ended,) = ended_calls(list(effects))
    assert ended.result is result


def test_what_our_dialplan_said_is_read_from_the_log_after_a_gap() -> None:
    line = (
        '"APP_START","1764000000.5","PJSIP/trunk-main-00000001","att-{0}","att-{0}","{0}","4008001234","s",'
        '"huifang-dialled","UserEvent","HuifangMachine,Call: {0},Cause: LONGGREETING-1510-1500","",""\n'
    )
    row = parse_line(line.format(CALL).encode())
    assert row is not None
    ((_, event),) = as_events([row])
    assert (event.name, event.get("userevent"), event.get("call")) == ("UserEvent", "HuifangMachine", CALL)
