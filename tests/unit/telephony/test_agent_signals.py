"""What the PBX's events say about agents; headers as Asterisk 22 sends them."""

from datetime import timedelta

import pytest

from telephony.agent_signals import live_legs, number_of_channel, translate
from telephony.ami.message import AmiEvent
from telephony.domain.agent_state import RingEnd
from telephony.domain.agent_steps import (
    AgentEvent,
    Answered,
    LegEnded,
    LegUp,
    LiveLeg,
    QueueGaveUp,
    Rang,
)

pytestmark = pytest.mark.unit

CALL = "01M80X33NTSGRKCAEXRZ3AAJ4X"
KNOWN = "01M80X33NTSGRKCAEXRZ3AAJ4Y"
MINUTE = timedelta(minutes=1)


def said(event: AmiEvent, calls: dict[str, str] | None = None) -> tuple[str, AgentEvent] | None:
    return translate(
        event,
        node="pbx1",
        call_of=(calls or {}).get,
        wrap_up_of=lambda queue: MINUTE if queue == "repair" else timedelta(0),
    )


def of_agent(name: str, **more: str) -> AmiEvent:
    headers = {
        "Channel": "PJSIP/trunk-main-00000000",
        "Uniqueid": "1.0",
        "ChanVariable": f"HF_CALL={CALL}",
        "DestChannel": "PJSIP/1001-00000001",
        "DestChannelState": "5",
        "DestUniqueid": "1.1",
        "Queue": "repair",
        "Interface": "PJSIP/1001",
        "MemberName": "1001",
    }
    return AmiEvent.of(name, headers | more)


def of_channel(name: str, state: str = "6", *, channel: str = "PJSIP/1001-00000001", **more: str) -> AmiEvent:
    headers = {
        "Channel": channel,
        "ChannelState": state,
        "Uniqueid": "1.1",
        "ChanVariable": [f"HF_CALL={CALL}", "HF_DIR=in"],
    }
    return AmiEvent.of(name, {**headers, **more})


def test_a_queue_rings_connects_and_ends() -> None:
    leg = "pbx1/1.1"
    assert said(of_agent("AgentCalled")) == (
        "1001",
        Rang(leg=leg, call_id=CALL, queue="repair", wrap_up=MINUTE),
    )
    assert said(of_agent("AgentConnect", Queue="service")) == (
        "1001",
        Answered(leg=leg, call_id=CALL, queue="service", wrap_up=timedelta(0)),
    )
    assert said(of_agent("AgentRingNoAnswer")) == ("1001", QueueGaveUp(leg=leg))
    # What the queue calls complete may go on: on hold, with a colleague. The telephone's own end counts.
    assert said(of_agent("AgentComplete")) is None


@pytest.mark.parametrize(
    ("cause", "ring_end"),
    [("17", RingEnd.BUSY), ("21", RingEnd.REJECTED), ("0", RingEnd.ABANDONED), ("16", RingEnd.ABANDONED)],
)
def test_the_cause_of_the_hangup_tells_how_the_ringing_ended(cause: str, ring_end: RingEnd) -> None:
    assert said(of_channel("Hangup", Cause=cause)) == (
        "1001",
        LegEnded(leg="pbx1/1.1", ring_end=ring_end),
    )


def test_internal_and_outgoing_calls() -> None:
    assert said(of_channel("Newstate", "5")) == ("1001", Rang(leg="pbx1/1.1", call_id=CALL, queue=None))
    for name in ("Newchannel", "DialBegin"):
        assert said(of_channel(name, "4")) == ("1001", LegUp(leg="pbx1/1.1", call_id=CALL))
    assert said(of_channel("Newstate", "6")) == ("1001", LegUp(leg="pbx1/1.1", call_id=CALL))
    assert said(of_channel("Newchannel", "0")) is None


def test_an_agent_who_tries_their_telephone_is_in_no_call() -> None:
    assert said(of_channel("Newchannel", "4", Context="from-agent", Exten="*43")) is None
    for name in ("Newstate", "Hangup"):
        assert said(of_channel(name, "6", Context="huifang-try", Exten="s")) is None


def test_the_call_model_knows_better_than_the_channel() -> None:
    found = said(of_channel("Newstate", "6"), {"1.1": KNOWN})
    assert found == ("1001", LegUp(leg="pbx1/1.1", call_id=KNOWN))


@pytest.mark.parametrize("value", ["", "x", "../../etc", CALL.lower(), CALL + "0", "\u202e" + CALL[1:]])
def test_a_call_id_that_is_none_is_dropped(value: str) -> None:
    found = said(of_channel("Newstate", "6", ChanVariable=f"HF_CALL={value}"))
    assert found == ("1001", LegUp(leg="pbx1/1.1", call_id=None))


@pytest.mark.parametrize(
    "channel",
    [
        "PJSIP/trunk-main-00000000",
        "Local/1001@from-agent-00000000;1",
        "PJSIP/1001",
        "PJSIP/1001-",
        "PJSIP/１００１-00000001",
        "SIP/1001-00000001",
        "PJSIP/1001-00000001 evil",
        "",
    ],
)
def test_channels_that_are_no_agents_phone(channel: str) -> None:
    assert number_of_channel(channel) is None
    assert said(of_channel("Newstate", "6", channel=channel)) is None


def test_an_event_without_uniqueid_tells_nothing() -> None:
    assert said(of_channel("Hangup", Uniqueid="")) is None
    assert said(of_agent("AgentCalled", DestChannel="")) is None


def test_a_snapshot_by_agent() -> None:
    rows = [
        of_channel("CoreShowChannel", "6"),
        of_channel("CoreShowChannel", "5", Uniqueid="1.2", channel="PJSIP/1002-00000002"),
        of_channel("CoreShowChannel", "0", Uniqueid="1.3", channel="PJSIP/1002-00000003"),
        of_channel("CoreShowChannel", "6", channel="PJSIP/trunk-main-00000000"),
    ]
    assert live_legs(rows, node="pbx1", call_of=lambda _: None) == {
        "1001": (LiveLeg(leg="pbx1/1.1", call_id=CALL, ringing=False, talking=True),),
        "1002": (
            LiveLeg(leg="pbx1/1.2", call_id=CALL, ringing=True, talking=False),
            LiveLeg(leg="pbx1/1.3", call_id=CALL, ringing=False, talking=False),
        ),
    }
