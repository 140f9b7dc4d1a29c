"""The call model under any order of events: it never raises, and every call ends exactly once."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.ami.message import AmiEvent
from telephony.domain.call import MAX_ROWS, CallState
from telephony.domain.call_book import CallBook
from telephony.domain.call_resync import PbxSnapshot, SeenChannel, SeenWaiting
from telephony.domain.effects import Effect, Ended, Merged, Opened, Progressed
from tests.support.transcripts import events, play

pytestmark = pytest.mark.property

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CALL_IDS = ("01HZZZZZZZ0000000000000001", "01HZZZZZZZ0000000000000002", "", "nonsense", "x" * 5000)
CHANNELS = tuple(f"1795325565.{number}" for number in range(6))
NAMES = (
    "PJSIP/trunk-main-0000000a",
    "PJSIP/1001-0000000b",
    "PJSIP/1002-0000000c",
    "Local/1001@agents-0000000d;1",
    "AudioSocket/127.0.0.1:9-0000000e",
    "",
)
BRIDGES = ("b1", "b2", "")
HOSTILE = ("", "张三\r\nAction: Originate", "<b>x</b>", "\x00" * 9, "😀" * 300, "1" * 10_000, "\ud83d")


def headers(**more: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    basic = {
        "Uniqueid": st.sampled_from((*CHANNELS, "")),
        "Linkedid": st.sampled_from((*CHANNELS, "")),
        "Channel": st.sampled_from(NAMES),
    }
    return st.fixed_dictionaries({**basic, **more})


channel = st.sampled_from((*CHANNELS, ""))
text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))
variables = st.sampled_from(CALL_IDS).map(lambda call: f"HF_CALL={call}")
dest = {"DestUniqueid": channel, "DestLinkedid": channel}

EVENTS = st.one_of(
    st.tuples(
        st.just("Newchannel"),
        headers(
            ChannelState=st.sampled_from(("0", "4", "6", "?")),
            CallerIDNum=text,
            CallerIDName=text,
            Exten=text,
            ChanVariable=variables,
        ),
    ),
    st.tuples(
        st.just("Newstate"),
        headers(ChannelState=st.sampled_from(("4", "5", "6", "")), ChanVariable=variables),
    ),
    st.tuples(
        st.sampled_from(("HangupRequest", "Hangup")), headers(Cause=st.sampled_from(("16", "17", "x", "")))
    ),
    st.tuples(st.just("DialBegin"), headers(**dest, DialString=text)),
    st.tuples(
        st.just("DialEnd"),
        headers(**dest, DialStatus=st.sampled_from(("ANSWER", "NOANSWER", "CANCEL", "BUSY", ""))),
    ),
    st.tuples(
        st.sampled_from(("BridgeEnter", "BridgeLeave")), headers(BridgeUniqueid=st.sampled_from(BRIDGES))
    ),
    st.tuples(st.sampled_from(("Hold", "Unhold", "NewCallerid", "Rename")), headers(Newname=text)),
    st.tuples(st.sampled_from(("QueueCallerJoin", "QueueCallerLeave")), headers(Queue=text, Position=text)),
    st.tuples(
        st.sampled_from(("AgentCalled", "AgentConnect", "AgentRingNoAnswer")),
        headers(**dest, Queue=text, Interface=st.sampled_from(("PJSIP/1001", "Local/x", ""))),
    ),
    st.tuples(
        st.just("BlindTransfer"),
        st.fixed_dictionaries(
            {"TransfererUniqueid": channel, "Result": st.sampled_from(("Success", "Fail")), "Extension": text}
        ),
    ),
    st.tuples(
        st.just("AttendedTransfer"),
        st.fixed_dictionaries(
            {
                "OrigTransfererUniqueid": channel,
                "SecondTransfererUniqueid": channel,
                "Result": st.sampled_from(("Success", "Fail")),
            }
        ),
    ),
    st.tuples(
        st.just("UserEvent"),
        headers(
            UserEvent=st.sampled_from(("HuifangMenu", "HuifangFallback", "Other")), Label=text, Node=text
        ),
    ),
    st.tuples(st.just("ChanSpyStart"), st.fixed_dictionaries({"SpyerUniqueid": channel})),
)


def feed(book: CallBook, name: str, fields: dict[str, str], now: datetime) -> list[Effect]:
    wire = {key: value.encode("utf-8", "replace").decode() for key, value in fields.items()}
    return list(book.handle(AmiEvent.of(name, wire), now=now))


def check(book: CallBook, effects: list[Effect]) -> None:
    """What holds for any history once every channel has hung up."""
    opened = Counter(effect.call.call_id for effect in effects if isinstance(effect, Opened))
    over = Counter(effect.call.call_id for effect in effects if isinstance(effect, (Ended, Merged)))
    assert opened == over
    assert set(opened.values()) <= {1}
    assert not (book._calls or book._legs or book._linked or book._latent or book._bridges)
    for call in {id(effect.call): effect.call for effect in effects}.values():
        assert [row.seq for row in call.rows] == list(range(1, len(call.rows) + 1))
        times = [row.at for row in call.rows]
        assert times == sorted(times)
        assert call.state is CallState.ENDED
        assert call.result is not None
        assert call.ended_at is not None
        assert call.ended_at >= call.started_at
        assert call.talk >= timedelta(0)
        assert call.hold >= timedelta(0)
        assert call.talk + call.hold <= call.ended_at - call.started_at
        assert call.wait is None or call.wait >= timedelta(0)
        assert [row.kind.value for row in call.rows].count("ended") == 1
        assert call.rows[-1].kind == "ended"
        assert len(call.rows) <= MAX_ROWS + 1
        assert len(call.from_number) <= 64
        assert len(call.from_name) <= 80
        shown = call.from_number + call.from_name + call.to_number + "".join(call.menu_path)
        assert not any(char < " " for char in shown)
    told = [(id(e.call), e.row.seq) for e in effects if isinstance(e, Progressed)]
    assert len(told) == len(set(told))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(NAMES[:4]), max_size=len(CHANNELS)),
    st.lists(st.tuples(EVENTS, st.integers(-2, 30)), max_size=80),
)
def test_any_events_in_any_order(
    begun: list[str], history: list[tuple[tuple[str, dict[str, str]], int]]
) -> None:
    book, now = CallBook("pbx1"), START
    effects: list[Effect] = []
    for uniqueid, name in zip(CHANNELS, begun, strict=False):
        state = "4" if name.startswith("PJSIP") else "0"
        effects += feed(
            book, "Newchannel", {"Uniqueid": uniqueid, "Channel": name, "ChannelState": state}, now
        )
    for (name, fields), step in history:
        now += timedelta(seconds=step)  # a clock may be set back
        effects += feed(book, name, fields, now)
    for uniqueid in CHANNELS:
        effects += feed(book, "Hangup", {"Uniqueid": uniqueid}, now)
    check(book, effects)


SETS = ("answered_agent_first", "abandoned_queue", "blind_transfer", "attended_transfer", "hold", "outbound")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_stories_at_once_do_not_touch_each_other(seed: int) -> None:
    chance = random.Random(seed)
    alone = {name: play(name)[1] for name in SETS}
    streams = {name: [event for event, _ in events(name)][::-1] for name in SETS}
    book, now = CallBook("pbx1"), START
    effects: list[Effect] = []
    while streams:
        name = chance.choice(sorted(streams))
        for _ in range(chance.randint(1, 12)):
            now += timedelta(seconds=1)
            effects += book.handle(streams[name].pop(), now=now)
            if not streams[name]:
                del streams[name]
                break
    check(book, effects)

    def outcomes(found: list[Effect]) -> list[tuple[object, ...]]:
        calls = [effect.call for effect in found if isinstance(effect, Ended)]
        return sorted(
            (c.call_id, c.result, c.hangup_by, c.agent_number, tuple(r.kind for r in c.rows)) for c in calls
        )

    assert outcomes(effects) == sorted(row for found in alone.values() for row in outcomes(found))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SETS), st.data())
def test_lost_events_lose_no_call_forever(name: str, data: st.DataObject) -> None:
    story = list(events(name))
    kept = data.draw(st.lists(st.booleans(), min_size=len(story), max_size=len(story)))
    book = CallBook("pbx1")
    effects: list[Effect] = []
    for (event, at), keep in zip(story, kept, strict=True):
        if keep:
            effects += book.handle(event, now=at)
    last = story[-1][1]
    for uniqueid in tuple(book._legs):
        effects += feed(book, "Hangup", {"Uniqueid": uniqueid}, last)
    check(book, effects)


SEEN = st.builds(
    SeenChannel,
    uniqueid=st.sampled_from(CHANNELS),
    linkedid=st.sampled_from(CHANNELS),
    channel=st.sampled_from(NAMES),
    state=st.sampled_from((0, 4, 5, 6)),
    number=text,
    name=text,
    exten=st.sampled_from(("s", "4008001234", "1002", "")),
    application=st.sampled_from(("Queue", "AppQueue", "ChanSpy", "")),
    bridge=st.sampled_from(BRIDGES),
    age=st.integers(0, 100).map(lambda seconds: timedelta(seconds=seconds)),
    variables=st.sampled_from(CALL_IDS).map(lambda call: {"HF_CALL": call}),
)
SNAPSHOTS = st.builds(
    PbxSnapshot,
    channels=st.lists(SEEN, max_size=5, unique_by=lambda seen: seen.uniqueid).map(tuple),
    waiting=st.lists(
        st.builds(
            SeenWaiting,
            uniqueid=st.sampled_from(CHANNELS),
            queue=text,
            waited=st.just(timedelta(seconds=9)),
        ),
        max_size=2,
    ).map(tuple),
)
EMPTY = PbxSnapshot(channels=(), waiting=())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(EVENTS, SNAPSHOTS, st.just("boot")), max_size=40), st.booleans())
def test_gaps_and_restarts_anywhere(
    history: list[tuple[str, dict[str, str]] | PbxSnapshot | str], boot: bool
) -> None:
    book, now = CallBook("pbx1"), START
    effects: list[Effect] = []
    for item in history:
        now += timedelta(seconds=1)
        if isinstance(item, PbxSnapshot):
            effects += book.reconcile(item, now=now, since=now - timedelta(seconds=5))
        elif isinstance(item, str):
            effects += book.pbx_restarted(now)
        else:
            effects += feed(book, item[0], item[1], now)
    end = book.pbx_restarted(now) if boot else book.reconcile(EMPTY, now=now, since=now)
    check(book, [*effects, *end])
