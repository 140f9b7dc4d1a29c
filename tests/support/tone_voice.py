"""A voice of tones: every text is a chord of two notes, so that whoever hears it knows what was said.

A customer who is played by the tests hears which question is asked, out of the audio that came over the line,
and presses the key for it; a question costs a tenth of a second instead of ten seconds.
"""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from app.handset import Ear
from app.sipp.phone import PhoneCall
from callback_campaigns.ports import Sound
from telephony.audio import FRAME_SAMPLES, RATE, Law, decode, loudness, write_wav

LOW: Final = tuple(400 + 100 * step for step in range(10))
HIGH: Final = tuple(1600 + 150 * step for step in range(10))
LENGTH: Final = timedelta(milliseconds=600)
"""Longer than a key is held: a key ends what is being said, and does not come between two texts."""
HEARD_FRAMES: Final = 4
"""So much of a chord is listened to: 80 ms tell 100 Hz apart."""
PURE: Final = 0.7
"""Of what is heard so much must be the chord; less is the seam between two of them."""
NEW_AFTER: Final = 150
"""Frames of silence after which the same chord is said once more: a question is, after five seconds without a
key, and less may be the machine's own stall.
"""
LOOK: Final = 0.02


@dataclass
class ToneVoice:
    """Implements :class:`callback_campaigns.ports.Speaking`."""

    folder: Path
    texts: list[str] = field(default_factory=list)

    async def speak(
        self, text: str, *, slow: bool = False, passing: bool = False, within: timedelta | None = None
    ) -> Sound:
        """Return the chord of a text."""
        return Sound(self.path(text), LENGTH)

    def path(self, text: str) -> Path:
        """Return the file of a text, without extension; made when it is asked for first."""
        if text not in self.texts:
            assert len(self.texts) < len(LOW) * len(HIGH), "there are no more chords"
            self.texts.append(text)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_wav(self._file(text), _chord(*self._notes(text)))
        return self._file(text).with_suffix("")

    def said(self, samples: "array[int]") -> str | None:
        """Return the text of a chord; ``None`` for anything else."""
        whole = sum(sample * sample for sample in samples)
        low, high = (max((_energy(samples, note), note) for note in notes) for notes in (LOW, HIGH))
        if low[0] + high[0] < PURE * whole:
            return None
        number = LOW.index(low[1]) * len(HIGH) + HIGH.index(high[1])
        return self.texts[number] if number < len(self.texts) else None

    def _notes(self, text: str) -> tuple[int, int]:
        low, high = divmod(self.texts.index(text), len(HIGH))
        return LOW[low], HIGH[high]

    def _file(self, text: str) -> Path:
        return self.folder / f"chord-{self.texts.index(text)}.wav"


@dataclass
class Listener:
    """Somebody at the other end of the line, who hears one text after the other."""

    voice: ToneVoice
    call: PhoneCall

    async def texts(self) -> AsyncIterator[str]:
        """Yield what is said, each text as soon as it is recognised, until the call is over."""
        at, last, last_end = 0, "", -NEW_AFTER
        while True:
            ear: Ear = self.call.ear
            if ear.packets < at + HEARD_FRAMES:
                if self.call.ended_by:
                    return
                await asyncio.sleep(LOOK)
                continue
            frames = ear.frames[at : at + HEARD_FRAMES]
            said = self._recognised(frames)
            if said is None:
                at += 1
                continue
            begins, at = frames[0][0], at + HEARD_FRAMES
            if said != last or begins - last_end > NEW_AFTER:
                yield said
            last, last_end = said, frames[-1][0]

    def _recognised(self, frames: Sequence[tuple[int, bytes, Law]]) -> str | None:
        if frames[-1][0] - frames[0][0] >= 2 * HEARD_FRAMES:
            return None
        samples = array("h")
        for _, payload, law in frames:
            samples.extend(decode(payload, law))
        return self.voice.said(samples) if loudness(samples) > 500 else None


def _chord(*notes: int) -> "array[int]":
    count = round(LENGTH.total_seconds() * RATE / FRAME_SAMPLES) * FRAME_SAMPLES
    return array(
        "h",
        (
            round(sum(5000 * math.sin(2 * math.pi * note * at / RATE) for note in notes))
            for at in range(count)
        ),
    )


def _energy(samples: "array[int]", note: int) -> float:
    """Return how much of the samples' energy is in one note (Goertzel)."""
    turn = 2 * math.cos(2 * math.pi * note / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * power / len(samples)
