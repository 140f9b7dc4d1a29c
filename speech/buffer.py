"""The sound of one speaker between network and recogniser: bounded, never late, with marks for gaps.

Positions are seconds on the call's clock. The buffer asks no clock: whoever pushes says what time it is.
Sound that cannot be listened to in time is dropped and leaves a mark, so that it can be filled from the
recording after the call; text is never made late by what lies before it.

Four things go wrong with a stream, and each has its answer:

* it stops, or frames are missing: what comes next stands where it was spoken, after a mark;
* it comes faster than time: what is ahead of time has no place on the clock and is dropped;
* it comes in bursts (jitter): sound that is late is held for a moment, until it has caught up or is known
  to stand behind a hole;
* the recogniser is slower than time: the oldest sound is dropped.

A clock of the far end that is a little fast or slow (telephones: up to 0.01 %) is followed.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from speech.ports import BYTES_PER_SECOND, SAMPLE_BYTES

DRIFT = 0.0005
"""The share by which a stream's clock may differ from ours without a mark."""


class GapReason(StrEnum):
    """Why sound is missing."""

    STOPPED = "stopped"
    """None came."""
    TOO_FAST = "too_fast"
    """More came than time had passed."""
    BEHIND = "behind"
    """The recogniser could not follow."""
    RECOGNISER_LOST = "recogniser_lost"
    """The recogniser died with it."""
    NOT_TAPPED = "not_tapped"
    """Nobody listened: no place, an error, or recording was paused."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound to listen to; it begins at ``start``."""

    pcm: bytes
    start: float

    @property
    def end(self) -> float:
        """Where it ends, in seconds."""
        return self.start + len(self.pcm) / BYTES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Gap:
    """Between ``start`` and ``end`` sound is missing.

    Attributes:
        lost: seconds of sound that came and were dropped; a stream too fast loses it at one point of time.
    """

    start: float
    end: float
    reason: GapReason
    lost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferConfig:
    """Seconds, all of them.

    Attributes:
        limit: most sound that waits for the recogniser.
        keep: how much of it is kept when there is more: the newest.
        hole: sound this much late, and staying so, stands behind a hole.
        settle: for so long late sound is held to see whether the rest follows.
        ahead: sound this much ahead of time is dropped, until time has come up to it.
        piece: most sound that is handed out at once.
    """

    limit: float = 2.0
    keep: float = 0.5
    hole: float = 0.5
    settle: float = 0.1
    ahead: float = 0.5
    piece: float = 0.2


class SoundBuffer:
    """Sound of one stream. Feed it with :meth:`push`, empty it with :meth:`take`.

    Args:
        now: the present, on a clock that never goes back.
        at: where on the call's clock the present is, in seconds.
    """

    def __init__(self, *, now: float, at: float = 0.0, config: BufferConfig | None = None) -> None:
        self._config = config or BufferConfig()
        self._zero = now - at
        self._until: float | None = None
        self._late: list[bytes] = []
        self._late_since: float | None = None
        self._dropping = False
        self._dropped = 0.0
        self._queue: deque[Sound | Gap] = deque()
        self._bytes = 0
        self.lost = 0.0
        """Seconds of sound that came and were dropped."""

    @property
    def waiting(self) -> float:
        """Seconds of sound that can be taken."""
        return self._bytes / BYTES_PER_SECOND

    @property
    def empty(self) -> bool:
        """Whether neither sound nor a mark can be taken."""
        return not self._queue

    @property
    def until(self) -> float | None:
        """Up to where sound, or a mark, has been taken in; ``None`` before the first."""
        return self._until

    def position(self, now: float) -> float:
        """Return where on the call's clock ``now`` is."""
        return now - self._zero

    def push(self, pcm: bytes, now: float) -> None:
        """Take what has come at once: whole samples, whose last has just been spoken."""
        if not pcm:
            return
        length = len(pcm) / BYTES_PER_SECOND
        wall = self.position(now)
        if self._until is None:
            self._until = wall - length
        behind = wall - self._until - length - self._held()
        self._zero += max(-DRIFT * length, min(DRIFT * length, behind))
        if behind > self._config.hole:
            self._hold(pcm, now)
            return
        self._release()
        if behind < -self._config.ahead or (self._dropping and behind < 0):
            self._dropping = True
            self._dropped += length
            self.lost += length
            return
        self._dropping = False
        self._note_dropped()
        self._add(pcm)

    def end(self) -> None:
        """Say that no more comes: what was held can be taken."""
        self._release()
        self._note_dropped()

    def take(self) -> Sound | Gap | None:
        """Return the next sound (what hangs together, up to a piece) or mark; ``None`` if none waits."""
        if not self._queue:
            return None
        first = self._queue.popleft()
        if isinstance(first, Gap):
            return first
        parts, most = [first.pcm], int(self._config.piece * BYTES_PER_SECOND)
        size = len(first.pcm)
        while self._queue and isinstance(self._queue[0], Sound) and size + len(self._queue[0].pcm) <= most:
            following = self._queue.popleft()
            assert isinstance(following, Sound)
            parts.append(following.pcm)
            size += len(following.pcm)
        self._bytes -= size
        return Sound(b"".join(parts), first.start)

    # -- within --------------------------------------------------------------------------------------

    def _held(self) -> float:
        return sum(len(pcm) for pcm in self._late) / BYTES_PER_SECOND

    def _hold(self, pcm: bytes, now: float) -> None:
        """Keep late sound until the rest of a burst has come, or it is clear that there is none."""
        self._late.append(pcm)
        if self._late_since is None:
            self._late_since = now
        if now - self._late_since < self._config.settle:
            return
        assert self._until is not None
        start = self.position(now) - self._held()
        self._mark(Gap(self._until, start, GapReason.STOPPED))
        self._until = start
        self._release()

    def _release(self) -> None:
        late, self._late, self._late_since = self._late, [], None
        for pcm in late:
            self._add(pcm)

    def _add(self, pcm: bytes) -> None:
        assert self._until is not None
        step = max(SAMPLE_BYTES, int(self._config.piece * BYTES_PER_SECOND) // SAMPLE_BYTES * SAMPLE_BYTES)
        for at in range(0, len(pcm), step):  # a burst is many pieces, so that only its oldest can be dropped
            sound = Sound(pcm[at : at + step], self._until)
            self._queue.append(sound)
            self._bytes += len(sound.pcm)
            self._until = sound.end
        if self.waiting > self._config.limit:
            self._make_room()

    def _make_room(self) -> None:
        start = end = self._queue[0].start
        lost = 0.0
        while self._queue and self.waiting > self._config.keep:
            oldest = self._queue.popleft()
            end = oldest.end
            if isinstance(oldest, Sound):
                length = len(oldest.pcm) / BYTES_PER_SECOND
                self._bytes -= len(oldest.pcm)
                self.lost += length
                lost += length
            else:
                lost += oldest.lost
        self._queue.appendleft(Gap(start, end, GapReason.BEHIND, lost))

    def _note_dropped(self) -> None:
        """Mark what was dropped in one stretch because it was ahead of time."""
        if self._dropped and self._until is not None:
            self._mark(Gap(self._until, self._until, GapReason.TOO_FAST, self._dropped))
        self._dropped = 0.0

    def _mark(self, gap: Gap) -> None:
        """Put a mark behind what waits; marks without sound between them are one."""
        last = self._queue[-1] if self._queue else None
        if isinstance(last, Gap):
            reason = gap.reason if gap.end - gap.start > last.end - last.start else last.reason
            self._queue[-1] = Gap(last.start, gap.end, reason, last.lost + gap.lost)
        else:
            self._queue.append(gap)


class Track:
    """Where on the call's clock a moment of the recogniser's clock is.

    A recogniser counts the sound it was given; where some is missing, its clock stands still.
    """

    LIMIT = 256

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=self.LIMIT)

    def note(self, fed: float, start: float) -> None:
        """Note that the recogniser, which was given ``fed`` seconds so far, gets sound from ``start`` on."""
        if not self._steps or abs(start - fed - self._steps[-1][1]) > 0.001:
            self._steps.append((fed, start - fed))

    def place(self, moment: float) -> float:
        """Return the call's clock at a moment of the recogniser's."""
        shift = self._steps[0][1] if self._steps else 0.0
        for fed, known in reversed(self._steps):
            if moment >= fed:
                shift = known
                break
        return moment + shift
