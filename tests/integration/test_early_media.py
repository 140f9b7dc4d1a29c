"""What networks say before anybody answers: listened to on the side, remembered for the call's end."""

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from app.early_media import EVENTS, EarlyConfig, EarlyEars
from callback_campaigns.domain.early_media import Announcement, HeardBefore
from kernel.clock import FakeClock
from kernel.ids import new_ulid
from speech.listener import Ended, Sink, StreamListener
from telephony.ami.actions import AmiActions
from telephony.ami.epoch import EpochEnded
from telephony.ami.errors import AmiDown, AmiNoSuch
from telephony.ami.message import AmiEvent
from tests.support.fake_recogniser import FakeRecogniser
from tests.support.network_tones import silence, tone
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LOUD = array("h", [3000, -3000] * 80).tobytes()
QUIET = bytes(320)
CHANNEL = "PJSIP/trunk-main-00000001"
EMPTY, OFF, MUSIC = "您好，您拨打的号码是空号。", "您拨打的电话已关机", "月亮代表我的心"


class Pbx:
    """What is asked of Asterisk, and of the listener."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.hung_up: list[str] = []
        self.down = False

    async def originate(self, channel: str, **wanted: Any) -> None:
        if self.down:
            raise AmiDown("no link", sent=False)
        self.asked.append({"channel": channel, **wanted})

    async def hangup(self, channel: str) -> None:
        if self.down:
            raise AmiNoSuch("no such channel")
        self.hung_up.append(channel)


class Listener(StreamListener):
    """Gives its sinks away."""

    def __init__(self) -> None:
        super().__init__()
        self.sinks: list[Sink] = []
        self.closed: list[UUID] = []

    def expect(self, sink: Sink) -> UUID:
        self.sinks.append(sink)
        return super().expect(sink)

    def close(self, stream: UUID) -> None:
        self.closed.append(stream)
        super().close(stream)


class Stage:
    """Ears over a fake recogniser."""

    def __init__(self, clock: FakeClock, script: tuple[str, ...], config: EarlyConfig) -> None:
        self.clock = clock
        self.pbx = Pbx()
        self.recogniser = FakeRecogniser(*script)
        self.listener = Listener()
        self.attempts: set[str] = set()
        self.ears = EarlyEars(
            cast(AmiActions, self.pbx),
            self.listener,
            self.recogniser,
            address=lambda: "127.0.0.1:1",
            clock=clock,
            config=config,
        )
        self.ears.follows = self.attempts.__contains__

    def tell(self, name: str, **headers: str) -> None:
        assert name in EVENTS
        self.ears.sink(AmiEvent.of(name, headers), self.clock.now())

    def attempt(self, status: str = "PROGRESS") -> str:
        """Have a call dialled whose network says something; return its id."""
        call_id = new_ulid()
        self.attempts.add(call_id)
        self.progress(call_id, status)
        return call_id

    def progress(self, call_id: str, status: str) -> None:
        self.tell("DialState", destuniqueid=f"att-{call_id}", destchannel=CHANNEL, dialstatus=status)

    async def sink(self, number: int = 0) -> Sink:
        """Return where the sound of a call goes, once it is tapped."""
        await eventually(lambda: len(self.listener.sinks) > number, timeout=20)
        sink = self.listener.sinks[number]
        sink.opened()
        return sink

    def say(self, sink: Sink, seconds: float = 0.4, frame: bytes = LOUD) -> None:
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(timedelta(milliseconds=20))
            sink.sound(frame)

    def sentence(self, sink: Sink) -> None:
        """Say one sentence."""
        self.say(sink)
        self.say(sink, 0.6, QUIET)


@asynccontextmanager
async def playing(clock: FakeClock, *script: str, **config: Any) -> AsyncIterator[Stage]:
    """Have ears that hear the lines of a script."""
    stage = Stage(clock, script, EarlyConfig(**config))
    await stage.listener.start()
    yield stage
    await stage.ears.aclose()
    await stage.listener.stop()


async def test_an_announcement_is_tapped_understood_and_left_alone_again(clock: FakeClock) -> None:
    async with playing(clock, EMPTY) as stage:
        call_id = stage.attempt()
        sink = await stage.sink()
        await eventually(lambda: stage.pbx.asked, timeout=20)
        (asked,) = stage.pbx.asked
        assert asked["channel"].startswith("AudioSocket/127.0.0.1:1/")
        assert (asked["application"], asked["data"]) == ("ChanSpy", f"{CHANNEL},qouES")
        assert stage.ears.heard(call_id) is None
        stage.sentence(sink)
        await eventually(lambda: stage.listener.closed, timeout=20, what="nothing more is listened to")
        assert stage.ears.heard(call_id) == HeardBefore(
            announcement=Announcement.EMPTY, text="您好，您拨打的号码是空号。", sure=0.85
        )
        assert stage.ears.listening == 0
        assert stage.pbx.hung_up == [], "nobody wanted it to"
        await eventually(lambda: not stage.recogniser.streams, timeout=20)


async def test_only_attempts_of_ours_are_listened_to_and_only_the_far_end(clock: FakeClock) -> None:
    async with playing(clock, EMPTY) as stage:
        stage.progress(new_ulid(), "PROGRESS")
        call_id = stage.attempt("BUSY")
        own = {"destuniqueid": f"att-{call_id}-own", "destchannel": CHANNEL, "dialstatus": "PROGRESS"}
        stage.tell("DialState", **own)
        agent = {"destuniqueid": f"att-{call_id}", "destchannel": "PJSIP/1001-00000001"}
        stage.tell("DialState", **agent, dialstatus="PROGRESS")
        hostile = {"destuniqueid": f"att-{call_id}", "destchannel": CHANNEL + ",q&SIP/x"}
        stage.tell("DialState", **hostile, dialstatus="PROGRESS")
        assert stage.ears.listening == 0
        # The customer's leg of a call in which one of ours was rung first.
        second = {"destuniqueid": "pbx1-1.2", "destchannel": CHANNEL, "dialstatus": "PROGRESS"}
        stage.tell("DialState", **second, destchanvariable=f"HF_CALL={call_id}")
        assert stage.ears.listening == 1
        stage.tell("DialState", **second, destchanvariable=f"HF_CALL={call_id}")
        assert stage.ears.listening == 1


async def test_who_answers_is_a_person_whatever_played_before(clock: FakeClock) -> None:
    async with playing(clock, EMPTY) as stage:
        call_id = stage.attempt()
        sink = await stage.sink()
        await eventually(lambda: stage.recogniser.streams, timeout=20)
        stage.say(sink)
        stage.tell("Newstate", uniqueid=f"att-{call_id}", channelstate="6")
        assert stage.ears.listening == 0
        await eventually(lambda: not stage.recogniser.streams, timeout=20)
        stage.sentence(sink)
        assert stage.ears.heard(call_id) is None


async def test_a_telephone_that_rings_is_no_dead_number(clock: FakeClock) -> None:
    async with playing(clock, EMPTY, OFF) as stage:
        rings = stage.attempt()
        stage.progress(rings, "RINGING")
        sink = await stage.sink()
        stage.sentence(sink)
        await eventually(lambda: stage.ears.heard(rings), timeout=20)
        assert stage.ears.heard(rings) == HeardBefore(text=EMPTY)
        assert stage.ears.listening == 1, "it may say something else still"
        # Ringing after that: the same.
        dead = HeardBefore(announcement=Announcement.SUSPENDED, text="…", sure=0.9)
        later = stage.attempt()
        stage.ears.note(later, dead)
        stage.progress(later, "RINGING")
        assert stage.ears.heard(later) == HeardBefore(text="…")


async def test_a_busy_tone_needs_no_recogniser(clock: FakeClock) -> None:
    async with playing(clock, MUSIC) as stage:
        stage.recogniser.places = 0
        call_id = stage.attempt()
        sink = await stage.sink()
        for _ in range(5):
            for part in (tone(450, 0.35), silence(0.35)):
                sink.sound(part)
        assert stage.ears.heard(call_id) == HeardBefore(announcement=Announcement.BUSY, sure=0.9)
        assert stage.ears.listening == 0


async def test_a_minute_of_ring_back_music_is_not_listened_to_and_means_nothing(clock: FakeClock) -> None:
    async with playing(clock, MUSIC, longest=timedelta(seconds=5)) as stage:
        call_id = stage.attempt()
        sink = await stage.sink()
        for _ in range(60):
            stage.sentence(sink)
        assert stage.ears.listening == 0
        await eventually(lambda: not stage.recogniser.streams, timeout=20)
        heard = stage.ears.heard(call_id)
        assert heard is None or heard.announcement is None


async def test_who_brings_no_sound_leaves_the_place_to_another(clock: FakeClock) -> None:
    moment = timedelta(milliseconds=20)
    async with playing(clock, OFF, most=1, sound_within=moment, quiet=2 * moment) as stage:
        for frames in (0, 5):
            stage.attempt()
            silent = await stage.sink(len(stage.listener.sinks))
            for _ in range(frames):
                silent.sound(QUIET)
            second = stage.attempt()
            assert stage.ears.listening == 1
            assert stage.ears.heard(second) is None
            await eventually(lambda: stage.ears.listening == 0, timeout=20)


async def test_a_killed_recogniser_is_asked_for_again_and_one_that_is_away_costs_nothing(
    clock: FakeClock,
) -> None:
    async with playing(clock, OFF) as stage:
        call_id = stage.attempt()
        sink = await stage.sink()
        await eventually(lambda: stage.recogniser.streams, timeout=20)
        stage.say(sink)
        stage.recogniser.streams[0].lose()
        await eventually(lambda: stage.recogniser.opened == 2, timeout=20)
        stage.sentence(sink)
        await eventually(lambda: stage.ears.heard(call_id), timeout=20)
        heard = stage.ears.heard(call_id)
        assert heard is not None
        assert heard.announcement is Announcement.OFF

        stage.recogniser.places = 0
        away = stage.attempt()
        sink = await stage.sink(1)
        stage.sentence(sink)
        sink.closed(Ended.HANGUP)
        assert stage.ears.heard(away) is None
        assert stage.ears.listening == 0
        stage.recogniser.languages = frozenset()
        stage.attempt()
        assert stage.ears.listening == 0


async def test_live_text_and_the_number_of_places_come_first(clock: FakeClock) -> None:
    async with playing(clock, OFF, most=2) as stage:
        stage.ears.late = lambda: True
        stage.attempt()
        assert stage.ears.listening == 0
        stage.ears.late = lambda: False
        stage.attempt("RINGING")
        stage.attempt("RINGING")
        assert stage.ears.listening == 1, "half of the places are for networks that bring sound"
        stage.attempt()
        stage.attempt()
        assert stage.ears.listening == 2
        stage.pbx.down = True
        await eventually(lambda: stage.ears.listening == 0, timeout=20, what="no link, no tap")


async def test_a_hopeless_call_is_ended_where_that_is_wanted(clock: FakeClock) -> None:
    async with playing(clock, OFF, hang_up=True) as stage:
        call_id = stage.attempt()
        stage.sentence(await stage.sink())
        await eventually(lambda: stage.pbx.hung_up, timeout=20)
        assert stage.pbx.hung_up == [f"att-{call_id}"]
        heard = stage.ears.heard(call_id)
        assert heard is not None
        assert heard.announcement is Announcement.OFF


async def test_a_person_hangs_up_themselves(clock: FakeClock) -> None:
    async with playing(clock, OFF, hang_up=True) as stage:
        call_id = new_ulid()
        stage.attempts.add(call_id)
        leg = {"destuniqueid": "pbx1-1.2", "destchannel": CHANNEL, "destchanvariable": f"HF_CALL={call_id}"}
        stage.tell("DialState", **leg, dialstatus="PROGRESS")
        stage.sentence(await stage.sink())
        await eventually(lambda: stage.ears.heard(call_id), timeout=20)
        await eventually(lambda: stage.ears.listening == 0, timeout=20)
        assert stage.pbx.hung_up == []


async def test_what_was_heard_waits_for_the_end_within_bounds(clock: FakeClock) -> None:
    async with playing(clock, OFF, remembered=3) as stage:
        calls = [new_ulid() for _ in range(5)]
        for call_id in calls:
            stage.ears.note(call_id, HeardBefore(text=call_id))
        assert [stage.ears.heard(one) is not None for one in calls] == [False, False, True, True, True]
        stage.attempt()
        stage.ears.sink(EpochEnded(epoch=1, node="pbx1", at=clock.now(), reason="eof"), clock.now())
        assert stage.ears.listening == 1, "sound comes on a way of its own"
