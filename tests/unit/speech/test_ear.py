"""An ear: sound of one speaker in, texts and gaps on the call's clock out, whatever the recogniser does."""

import asyncio
from datetime import timedelta

import pytest

from kernel.clock import FakeClock
from speech.buffer import Gap, GapReason
from speech.ear import Ear, EarConfig
from speech.listener import Ended
from speech.ports import BYTES_PER_SECOND, Heard
from tests.support.fake_recogniser import FakeRecogniser
from tests.support.waiting import eventually

pytestmark = pytest.mark.unit

VOICE = (4000).to_bytes(2, "little")
FRAME = timedelta(milliseconds=100)
QUICK = EarConfig(
    retry=timedelta(milliseconds=1), retry_most=timedelta(milliseconds=2), patience=timedelta(milliseconds=20)
)


class Told:
    """What an ear told."""

    def __init__(self) -> None:
        self.pieces: list[tuple[Heard, float]] = []
        self.gaps: list[Gap] = []
        self.states: list[tuple[str, str]] = []

    @property
    def finals(self) -> list[str]:
        return [piece.text for piece, _ in self.pieces if piece.is_final]

    def heard(self, piece: Heard, delay: float) -> None:
        self.pieces.append((piece, delay))

    def missed(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def state(self, state: str, delay: float, reason: str) -> None:
        self.states.append((state, reason))


class Call:
    """A speaker who is listened to, on a virtual clock: seven seconds into the call."""

    def __init__(self, clock: FakeClock, recogniser: FakeRecogniser) -> None:
        self.clock = clock
        self.recogniser = recogniser
        self.told = Told()
        began = clock.monotonic()
        clock.advance(timedelta(seconds=7))
        self.ear = Ear(recogniser, "zh", self.told, clock=clock, began=began, config=QUICK)
        self.ear.opened()
        self.running = asyncio.create_task(self.ear.run())

    async def say(self, seconds: float, sample: bytes = VOICE) -> None:
        for _ in range(round(seconds / FRAME.total_seconds())):
            self.clock.advance(FRAME)
            self.ear.sound(sample * round(FRAME.total_seconds() * BYTES_PER_SECOND / 2))
            for _ in range(20):  # as often as everybody wants to run
                await asyncio.sleep(0)

    async def pause(self, seconds: float) -> None:
        await self.say(seconds, b"\0\0")

    async def end(self) -> None:
        self.ear.closed(Ended.HANGUP)
        async with asyncio.timeout(20):
            await self.running


async def test_words_stand_where_they_were_spoken_and_the_last_ones_are_told_at_the_end(
    clock: FakeClock,
) -> None:
    call = Call(clock, FakeRecogniser("我家漏水", "很严重"))
    await call.say(1)
    await call.pause(0.5)
    await call.say(0.6)
    await call.end()
    assert call.told.finals == ["我家漏水", "很严重"]
    first, delay = next(item for item in call.told.pieces if item[0].is_final)
    assert [first.start, first.end] == pytest.approx([7.0, 8.0])
    assert [word.text for word in first.words] == list("我家漏水")
    assert first.words[-1].end == pytest.approx(8.0)
    assert delay == pytest.approx(0.3, abs=0.11)
    partials = [piece.text for piece, _ in call.told.pieces if not piece.is_final]
    assert partials[:3] == ["我", "我家", "我家漏"], "each once"
    assert (call.told.gaps, call.told.states[-1]) == ([], ("ended", ""))
    assert call.recogniser.streams == []


async def test_after_a_hole_the_clock_is_the_calls(clock: FakeClock) -> None:
    call = Call(clock, FakeRecogniser("前面", "后面"))
    await call.say(1)
    clock.advance(timedelta(seconds=4))
    await call.say(1)
    await call.end()
    assert call.told.finals == ["前面", "后面"], "a hole parts sentences"
    assert call.told.gaps == [], "a telephone that sends nothing says nothing"
    second = [piece for piece, _ in call.told.pieces if piece.is_final][1]
    assert second.start == pytest.approx(12.0, abs=0.11)
    assert second.end == pytest.approx(13.0, abs=0.11)


async def test_a_recogniser_that_dies_costs_what_it_had_not_said(clock: FakeClock) -> None:
    call = Call(clock, FakeRecogniser("一", "二", "三"))
    await call.say(1)
    await call.pause(0.5)
    await call.say(1)
    call.recogniser.streams[0].lose()
    await eventually(lambda: call.recogniser.opened == 2)
    await call.say(1)
    await call.end()
    (gap,) = call.told.gaps
    assert gap.reason is GapReason.RECOGNISER_LOST
    assert [gap.start, gap.end] == pytest.approx([8.0, 9.5])
    assert call.told.finals == ["一", "二"]
    last = call.told.pieces[-1][0]
    assert [last.start, last.end] == pytest.approx([9.5, 10.5]), "the clock went on"


async def test_no_place_at_the_recogniser_is_waited_for_and_said(clock: FakeClock) -> None:
    recogniser = FakeRecogniser("有了", places=0)
    call = Call(clock, recogniser)
    await call.say(5)
    await eventually(lambda: ("waiting", "recogniser_busy") in call.told.states)
    recogniser.places = 1
    await eventually(lambda: recogniser.opened == 1)
    await call.say(1)
    await call.end()
    assert call.told.finals == ["有了"]
    (gap,) = call.told.gaps
    assert gap.reason is GapReason.BEHIND
    assert gap.end - gap.start == pytest.approx(gap.lost)
    assert call.told.states.count(("waiting", "recogniser_busy")) == 1


async def test_without_any_model_a_call_ends_in_a_gap(clock: FakeClock) -> None:
    call = Call(clock, FakeRecogniser(languages=()))
    await call.say(1)
    await call.end()
    assert call.told.pieces == []
    assert ("waiting", "model_missing") in call.told.states
    assert [gap.reason for gap in call.told.gaps] == [GapReason.NOT_TAPPED]


async def test_a_recogniser_that_is_gone_with_the_call_keeps_nobody(clock: FakeClock) -> None:
    recogniser = FakeRecogniser("一", "二")
    call = Call(clock, recogniser)
    await call.say(1.1)
    recogniser.places = 0
    recogniser.streams[0].lose()
    await call.say(0.7)
    await call.end()
    assert call.told.states[-1] == ("ended", "")


async def test_a_recogniser_that_stands_still_loses_sound_and_not_time(clock: FakeClock) -> None:
    call = Call(clock, FakeRecogniser("现在"))
    await call.say(0.2)
    stream = call.recogniser.streams[0]
    stream.stalled.clear()
    await call.say(6)
    await eventually(lambda: bool(call.told.gaps))
    stream.stalled.set()
    await call.say(1)
    await call.end()
    assert {gap.reason for gap in call.told.gaps} == {GapReason.BEHIND}
    last = call.told.pieces[-1][0]
    assert last.end == pytest.approx(14.2, abs=0.11)
