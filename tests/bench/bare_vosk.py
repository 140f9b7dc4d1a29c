"""Bare Vosk in the place of everything: ``python -m tests.bench.bare_vosk MODEL STREAMS SECONDS``.

So many speak at the same time, in real time, each to a recogniser of its own in a thread of its own, a tenth
of a second at a time: no telephone, no Asterisk, no service, no page. What the machine can do with this model
and these sentences; a program that streams text can be no quicker. Prints what came of each sentence as JSON.
"""

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speech.vosk_engine import prepare, quieted
from telephony.audio import RATE, Law, decode, encode
from tests.bench.talking import QUIET_SECONDS, Clip, Line, Told, korean, told_of

PIECE = RATE // 10
PATIENCE_SECONDS = 8.0


class Speaker:
    """Says one sentence after the other to a recogniser, and notes what it answers when."""

    def __init__(self, ear: Any, clips: Sequence[Clip], dice: random.Random) -> None:
        self._ear = ear
        self._clips = clips
        self._dice = dice
        self._pieces = 0
        self._began = 0.0
        self.told: list[Told] = []
        self.lines: list[Line] = []

    def run(self, seconds: float) -> None:
        """Speak for a while."""
        self._began = time.monotonic()
        number = 0
        while time.monotonic() < self._began + seconds:
            said = self._clips[number % len(self._clips)]
            self._say(said)
            number += 1

    def _say(self, said: Clip) -> None:
        before = [0] * round(self._dice.uniform(0.1, 1.0) * RATE)
        sound = decode(encode(said.samples, Law.A), Law.A)
        pcm = bytes(2 * len(before)) + sound.tobytes()
        self.lines = []
        for at in range(0, len(pcm), 2 * PIECE):
            self._hear(pcm[at : at + 2 * PIECE].ljust(2 * PIECE, b"\0"))
        # The last piece was only full of silence from here on.
        ended = self._began + self._pieces * PIECE / RATE - (-len(pcm) % (2 * PIECE)) / 2 / RATE
        while time.monotonic() < ended + PATIENCE_SECONDS:
            self._hear(bytes(2 * PIECE))
            last = self.lines[-1] if self.lines else None
            if last and last.kind == "final" and time.monotonic() - max(ended, last.at) > QUIET_SECONDS:
                break
        self.told.append(told_of(said, self.lines, ended))

    def _hear(self, pcm: bytes) -> None:
        position = self._pieces * PIECE
        self._pieces += 1
        time.sleep(max(0.0, self._began + self._pieces * PIECE / RATE - time.monotonic()))
        if self._ear.AcceptWaveform(quieted(pcm, position)):
            kind, text = "final", json.loads(self._ear.Result())["text"]
        else:
            kind, text = "partial", json.loads(self._ear.PartialResult())["partial"]
        if text:
            self.lines.append(Line(time.monotonic(), kind, text))


def main(model: str, streams: int, seconds: float) -> None:
    """Have so many speak, and print it."""
    import vosk

    vosk.SetLogLevel(-1)
    clips = korean()
    with tempfile.TemporaryDirectory(prefix="huifang-bench-") as place:
        prepare(Path(model), Path(place))
        loaded = vosk.Model(model_path=place)
    speakers = []
    for index in range(streams):
        ear = vosk.KaldiRecognizer(loaded, float(RATE))
        # The first sound stalls one that has heard nothing.
        ear.AcceptWaveform(bytes(2 * RATE))
        ear.FinalResult()
        first = index % len(clips)
        speakers.append(Speaker(ear, clips[first:] + clips[:first], random.Random(streams * 100 + index)))
    threads = [threading.Thread(target=one.run, args=(seconds,)) for one in speakers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [one for speaker in speakers for one in speaker.told]
    print(json.dumps([{"text": one.text, "shown": one.shown, "final": one.final} for one in told]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
