"""Calls that the dialler places: whose they are, whom they reach, and why they fail."""

from datetime import UTC, datetime, timedelta

import pytest

from callback_campaigns.dial_outcomes import CallOver, outcome_of
from callback_campaigns.domain.terms import Outcome
from telephony.ami.message import AmiEvent
from telephony.call_news import CallNews
from telephony.call_record import call_of, record_of
from telephony.domain.call import Call, CallResult, Direction, EndReason, HangupBy
from telephony.domain.call_book import CallBook
from telephony.domain.call_resync import PbxSnapshot, SeenChannel
from telephony.domain.effects import Effect, Opened
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


OWN = {"Channel": "PJSIP/trunk-main-0000000a", "Uniqueid": f"att-{CALL}-own", "Linkedid": f"att-{CALL}-own"}
CUSTOMER = {"Channel": "PJSIP/trunk-main-0000000b", "Uniqueid": "1764000000.7", "Linkedid": f"att-{CALL}-own"}


def _dest(channel: dict[str, str]) -> dict[str, str]:
    return {f"Dest{key}": value for key, value in channel.items()}


class Masked:
    """A call for which somebody of ours is rung on their mobile telephone first."""

    def __init__(self) -> None:
        self.book = CallBook("pbx1")
        self.effects: list[Effect] = []
        self.says("Newchannel", OWN, ChannelState="0", Exten="s", CallerIDNum="4008001234")
        self.says("DialBegin", _dest(OWN), DialString="13900000001@trunk-main")
        self.says("Newstate", OWN, ChannelState="5", ChanVariable=f"HF_CALL={CALL}")

    def says(self, name: str, *parts: dict[str, str], **more: str) -> None:
        """Take an event."""
        fields = {key: value for part in parts for key, value in part.items()} | more
        self.effects += self.book.handle(AmiEvent.of(name, fields), now=NOW)

    @property
    def call(self) -> Call:
        """The call as it is known now."""
        found = self.book.get(CALL)
        assert found is not None
        return found

    def told(self) -> list[tuple[str, str]]:
        """Return kind and node of the rows of the time line."""
        return [(row.kind.value, row.detail.get("node", "")) for row in self.call.rows]

    def answered(self) -> None:
        """Our own is on the line, and the customer is called."""
        self.says("Newstate", OWN, ChannelState="6")
        self.says("DialEnd", _dest(OWN), DialStatus="ANSWER")
        self.says("UserEvent", OWN, UserEvent="HuifangStaff", Call=CALL)
        self.says("Newchannel", CUSTOMER, ChannelState="0", Exten="", CallerIDNum="<unknown>")
        self.says("DialBegin", OWN, _dest(CUSTOMER), DialString="13800138000@trunk-main")
        self.says("Newstate", CUSTOMER, ChannelState="5")


def test_one_of_ours_who_is_rung_first_and_does_not_answer_leaves_the_customer_uncalled() -> None:
    masked = Masked()
    assert masked.told() == [("offered", "")]  # no telephone of a customer rings
    masked.says("Hangup", OWN, Cause="19")
    (call,) = ended_calls(masked.effects)
    assert (call.result, call.end_reason) == (CallResult.FAILED, EndReason.NO_AGENT)
    over = CallOver.of(CallNews(lambda number: None).ended(call))
    assert outcome_of(over) is Outcome.FAILED


def test_one_of_ours_on_a_mobile_telephone_is_not_whom_the_call_reached() -> None:
    masked = Masked()
    masked.answered()
    assert masked.call.answered_at is None
    assert masked.told()[1:] == [("menu", "staff"), ("ringing", "")]
    for channel in (OWN, CUSTOMER):
        masked.says("BridgeEnter", channel, BridgeUniqueid="b1")
    assert masked.call.answered_at is not None
    assert masked.call.agent_number is None
    masked.says("HangupRequest", OWN)
    for channel in (OWN, CUSTOMER):
        masked.says("Hangup", channel, Cause="16")
    (call,) = ended_calls(masked.effects)
    assert (call.result, call.hangup_by) == (CallResult.ANSWERED, HangupBy.AGENT)


@pytest.mark.parametrize(("cause", "result"), [("17", CallResult.BUSY), ("1", CallResult.EMPTY)])
def test_why_the_customer_was_not_reached_is_what_their_telephone_said(
    cause: str, result: CallResult
) -> None:
    masked = Masked()
    masked.answered()
    masked.says("HangupRequest", CUSTOMER, Cause=cause)
    for channel in (CUSTOMER, OWN):
        masked.says("Hangup", channel, Cause=cause if channel is CUSTOMER else "16")
    (call,) = ended_calls(masked.effects)
    assert call.result is result


def test_after_a_gap_one_of_ours_on_the_line_is_still_not_the_customer() -> None:
    book = CallBook("pbx1")
    own = SeenChannel(
        uniqueid=OWN["Uniqueid"],
        linkedid=OWN["Linkedid"],
        channel=OWN["Channel"],
        state=6,
        number="4008001234",
        name="",
        exten="13800138000",
        application="Dial",
        bridge="",
        age=timedelta(seconds=3),
        variables={"HF_CALL": CALL, "HF_DIR": "out", "HF_TO": "13800138000"},
    )
    book.reconcile(PbxSnapshot(channels=(own,), waiting=()), now=NOW, since=NOW)
    call = book.get(CALL)
    assert call is not None
    assert call.answered_at is None
    assert (call.to_number, call.from_number) == ("+8613800138000", "4008001234")


def test_the_language_that_was_chosen_is_the_calls() -> None:
    masked = Masked()
    masked.says("UserEvent", OWN, UserEvent="HuifangLanguage", Call=CALL, Language="en")
    assert masked.call.language == "en" and masked.told()[-1] == ("menu", "language")
    written = record_of(masked.call, saved=0, agent_id=None, ended=None)
    assert call_of(written.call, written.legs, seq=0).language == "en"
    masked.says("UserEvent", OWN, UserEvent="HuifangLanguage", Call=CALL, Language="<b>en</b>")
    assert masked.call.language == ""
