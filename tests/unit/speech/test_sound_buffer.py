"""The buffer of a speaker's sound, on a virtual clock."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.buffer import BufferConfig, Gap, GapReason, Sound, SoundBuffer, Track
from speech.ports import BYTES_PER_SECOND

pytestmark = pytest.mark.unit

FRAME = 0.02


def sound(seconds: float, value: int = 1) -> bytes:
    return value.to_bytes(2, "little") * round(seconds * BYTES_PER_SECOND / 2)


class Speaker:
    """Pushes frames on a clock of its own; ``now`` starts anywhere."""

    def __init__(self, *, at: float = 0.0, config: BufferConfig | None = None) -> None:
        self.now = 1000.0
        self.buffer = SoundBuffer(now=self.now, at=at, config=config)
        self.taken: list[Sound | Gap] = []

    def speak(self, seconds: float, *, speed: float = 1.0, listening: bool = True) -> None:
        for _ in range(round(seconds / FRAME)):
            self.now += FRAME / speed
            self.buffer.push(sound(FRAME), self.now)
            if listening:
                self.listen()

    def silent(self, seconds: float) -> None:
        self.now += seconds

    def listen(self) -> None:
        while (item := self.buffer.take()) is not None:
            self.taken.append(item)

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.taken if isinstance(item, Gap)]

    @property
    def heard(self) -> float:
        return sum(item.end - item.start for item in self.taken if isinstance(item, Sound))


def close(value: float) -> object:
    return pytest.approx(value, abs=0.03)


def test_what_is_empty_has_nothing_waiting_whatever_went_through() -> None:
    speaker = Speaker()
    for frames in (1, 3, 7, 11, 13):
        speaker.speak(FRAME * frames, listening=False)
        speaker.listen()
        assert (speaker.buffer.empty, speaker.buffer.waiting) == (True, 0.0)


def test_sound_in_time_comes_out_whole_and_where_it_was_spoken() -> None:
    speaker = Speaker(at=7.0)
    speaker.speak(5)
    assert speaker.gaps == []
    assert speaker.heard == close(5)
    first, last = speaker.taken[0], speaker.taken[-1]
    assert isinstance(first, Sound)
    assert (first.start, last.end) == (close(7.0), close(12.0))
    assert speaker.buffer.position(speaker.now) == close(12.0)


def test_silence_is_sound_like_any_other() -> None:
    speaker = Speaker()
    speaker.now += 1
    speaker.buffer.push(bytes(BYTES_PER_SECOND), speaker.now)
    speaker.listen()
    assert (speaker.heard, speaker.gaps) == (close(1), [])


def test_a_stream_that_stops_leaves_a_mark_and_goes_on_where_it_is_spoken() -> None:
    speaker = Speaker()
    speaker.speak(2)
    speaker.silent(3)
    speaker.speak(2)
    (gap,) = speaker.gaps
    assert (gap.start, gap.end, gap.reason, gap.lost) == (close(2), close(5), GapReason.STOPPED, 0)
    assert speaker.taken[-1].end == close(7)
    assert speaker.heard == close(4)


def test_a_stream_that_never_goes_on_leaves_no_mark() -> None:
    speaker = Speaker()
    speaker.speak(2)
    speaker.silent(60)
    speaker.buffer.end()
    speaker.listen()
    assert (speaker.gaps, speaker.heard) == ([], close(2))


@pytest.mark.parametrize("frames_at_once", [2, 5, 20])
def test_jitter_loses_nothing(frames_at_once: int) -> None:
    speaker = Speaker()
    for _ in range(40):
        speaker.now += FRAME * frames_at_once
        for _ in range(frames_at_once):
            speaker.buffer.push(sound(FRAME), speaker.now)
            speaker.now += 0.0001
        speaker.now -= 0.0001 * frames_at_once
        speaker.listen()
    assert (speaker.gaps, speaker.heard) == ([], close(40 * FRAME * frames_at_once))


def test_a_telephone_that_loses_one_frame_in_twenty_stays_within_half_a_second_of_the_clock() -> None:
    speaker = Speaker()
    for _ in range(60):
        for _ in range(2):
            speaker.speak(0.48)
            speaker.silent(FRAME)
            assert speaker.buffer.until is not None
            assert speaker.buffer.position(speaker.now) - speaker.buffer.until < 0.65
    assert speaker.heard == close(60 * 2 * 0.48)
    assert speaker.buffer.lost == 0
    assert {gap.reason for gap in speaker.gaps} == {GapReason.STOPPED}
    assert len(speaker.gaps) < 8, "not a mark for each frame"


def test_a_stall_that_is_made_good_at_once_loses_nothing() -> None:
    speaker = Speaker()
    speaker.speak(2)
    speaker.silent(1.5)
    for _ in range(75):  # the frames of the stall, one after the other
        speaker.buffer.push(sound(FRAME), speaker.now)
    speaker.speak(1)
    assert (speaker.gaps, speaker.heard) == ([], close(4.5))


def test_the_same_in_one_piece() -> None:
    speaker = Speaker()
    speaker.speak(2)
    speaker.silent(1.5)
    speaker.buffer.push(sound(1.5), speaker.now)
    speaker.speak(1)
    assert (speaker.gaps, speaker.heard) == ([], close(4.5))


def test_a_stream_twice_as_fast_as_time_is_never_ahead_of_it_by_more_than_half_a_second() -> None:
    speaker = Speaker()
    for _ in range(20):
        speaker.speak(1, speed=2)
        assert speaker.buffer.until is not None
        assert speaker.buffer.until - speaker.buffer.position(speaker.now) < 0.55
    speaker.buffer.end()
    speaker.listen()
    assert speaker.heard + speaker.buffer.lost == close(20)
    assert 0.4 < speaker.buffer.lost / 20 < 0.6
    assert {gap.reason for gap in speaker.gaps} == {GapReason.TOO_FAST}
    assert len(speaker.gaps) <= 20, "dropped in stretches, not frame by frame"
    assert sum(gap.lost for gap in speaker.gaps) == close(speaker.buffer.lost)


def test_a_recogniser_that_does_not_follow_costs_the_oldest_sound() -> None:
    speaker = Speaker()
    speaker.speak(10, listening=False)
    assert speaker.buffer.waiting <= 2.0
    speaker.listen()
    first = speaker.taken[0]
    assert isinstance(first, Gap)
    assert (first.start, first.reason) == (close(0), GapReason.BEHIND)
    assert first.lost == close(first.end - first.start)
    assert speaker.taken[-1].end == close(10)
    assert speaker.heard + first.lost == close(10)
    assert len(speaker.gaps) == 1


def test_pieces_are_joined_up_to_a_limit() -> None:
    speaker = Speaker()
    speaker.speak(1, listening=False)
    speaker.listen()
    assert [round(item.end - item.start, 3) for item in speaker.taken] == [0.2] * 5


def test_a_telephone_whose_clock_is_slow_by_a_hair_for_three_hours() -> None:
    speaker = Speaker()
    for _ in range(3 * 3600):
        speaker.now += 1.0001
        speaker.buffer.push(sound(1.0), speaker.now)
        speaker.listen()
        speaker.taken = [item for item in speaker.taken if isinstance(item, Gap)]
    assert (speaker.gaps, speaker.buffer.lost) == ([], 0)


def test_nothing_is_nothing() -> None:
    speaker = Speaker()
    speaker.buffer.push(b"", speaker.now)
    assert (speaker.buffer.until, speaker.buffer.take()) == (None, None)


events = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.floats(0.02, 3), st.sampled_from([0.5, 1.0, 1.0, 2.0, 10.0])),
        st.tuples(st.just("silent"), st.floats(0, 5), st.just(1.0)),
        st.tuples(st.just("burst"), st.floats(0.02, 4), st.just(1.0)),
        st.tuples(st.just("listen"), st.just(0.0), st.just(1.0)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(events)
def test_whatever_comes_it_is_bounded_in_order_and_accounted_for(
    happenings: list[tuple[str, float, float]],
) -> None:
    speaker = Speaker()
    pushed = 0.0
    for kind, seconds, speed in happenings:
        if kind == "speak":
            speaker.speak(seconds, speed=speed, listening=False)
            pushed += round(seconds / FRAME) * FRAME
        elif kind == "burst":
            piece = sound(seconds)
            speaker.buffer.push(piece, speaker.now)
            pushed += len(piece) / BYTES_PER_SECOND
        elif kind == "silent":
            speaker.silent(seconds)
        else:
            speaker.listen()
        assert speaker.buffer.waiting <= 2.0 + 1e-6
    speaker.buffer.end()
    speaker.listen()
    assert speaker.heard + speaker.buffer.lost == pytest.approx(pushed, abs=0.01)
    for before, after in pairwise(speaker.taken):
        assert before.start <= before.end + 1e-6
        assert before.end <= after.start + 1e-6


def placed(*given: tuple[float, float]) -> Callable[[float], float]:
    track = Track()
    for fed, start in given:
        track.note(fed, start)
    return track.place


def test_the_recognisers_clock_is_read_back_into_the_calls() -> None:
    place = placed((0.0, 7.0), (1.0, 8.0), (2.0, 12.0), (3.5, 13.5))
    assert [place(moment) for moment in (0.0, 1.5, 2.0, 4.0)] == [7.0, 8.5, 12.0, 14.0]


def test_a_track_without_sound_changes_nothing_and_never_grows() -> None:
    assert placed()(3.0) == 3.0
    track = Track()
    for n in range(10_000):
        track.note(float(n), n * 2.0)
    assert len(track._steps) == Track.LIMIT
