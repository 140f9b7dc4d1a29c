"""Vosk: words while they are spoken.

Hazards of its library, each kept away from: it kills its process when it dislikes something (so it runs in
one of its own), hangs on a sample rate below zero, goes to the network for a model it was only given the name
of, raises on anything but ``bytes``, and says «» again and again in silence.
"""

import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speech.engines import Engine, Listener, ModelUnfit
from speech.ports import SAMPLE_BYTES, SAMPLE_RATE, PieceKind, Word
from speech.wire import Said

NEEDED = ("am/final.mdl", "conf/mfcc.conf")
PREPARED = "huifang-vosk-"
NOISE_SAMPLES = 65_521
"""Length of the noise that is laid under the sound, again and again; a prime, so that nothing resonates."""

WARM_UP = bytes(SAMPLE_RATE * SAMPLE_BYTES)
"""A second of silence: the first sound stalls a recogniser that has heard nothing for 0.6 s."""

WORN_SAMPLES = SAMPLE_RATE * 600
"""An ear that has heard ten minutes is not used again: what it remembers of the language grows without end,
and with it the moments at which it puts that in order, in which the speaker's text stands still."""

QUIET_SAMPLES = SAMPLE_RATE * 22 // 10
"""So long a silence ends what was said, whatever Vosk believes. By itself it ends after two seconds of what
it takes for silence; after a voice that it hardly understands it may hear words in it, and no end comes."""

QUIET_PEAK = 64
QUIET_SHARE = 0.02
"""Silence: no sample above this, or above this share of the loudest of what was said."""

FLUSH = bytes(SAMPLE_BYTES * SAMPLE_RATE // 50)


def load(folder: Path, *, threads: int, warm: int) -> Engine:
    """Load the model; see :class:`speech.engines.LoadEngine`."""
    check_files(folder)
    import vosk

    vosk.SetLogLevel(-1)
    with tempfile.TemporaryDirectory(prefix=PREPARED) as place:
        prepare(folder, Path(place))
        try:
            model = vosk.Model(model_path=place)
        except Exception as error:  # the library knows one exception only
            raise ModelUnfit(f"Vosk cannot read the model: {error}") from error
    return VoskEngine(vosk, model, warm=warm, at_once=min(warm, threads))


def prepare(folder: Path, place: Path) -> None:
    """Lay the model's files into ``place``, with its own random noise switched off.

    Kaldi adds a little noise to all sound, another each time: the same sound then gives another text. We add
    the same noise each time (:func:`quieted`); without any, the silence of a muted telephone, all zeros, is
    unlike everything that a model learnt.
    """
    for child in folder.iterdir():
        if child.name != "conf":
            (place / child.name).symlink_to(child.resolve())
    shutil.copytree(folder / "conf", place / "conf")
    with (place / "conf" / "mfcc.conf").open("a", encoding="utf-8") as file:
        file.write("\n--dither=0.0\n")


@cache
def _noise() -> NDArray[np.int16]:
    drawn = np.random.default_rng(20221214).normal(0.0, 1.0, NOISE_SAMPLES)
    twice = np.rint(np.concatenate((drawn, drawn))).astype(np.int16)
    return np.clip(twice, -3, 3)


def quieted(pcm: bytes, position: int) -> bytes:
    """Return the sound with noise of one part in 32768 under it, the same at each ``position`` (samples)."""
    samples = np.frombuffer(pcm, "<i2")
    noise, heard = _noise(), np.empty(len(samples), "<i2")
    for start in range(0, len(samples), NOISE_SAMPLES):
        part = samples[start : start + NOISE_SAMPLES]
        begin = (position + start) % NOISE_SAMPLES
        mixed = part.astype(np.int32) + noise[begin : begin + len(part)]
        heard[start : start + len(part)] = np.clip(mixed, -32768, 32767)
    return heard.tobytes()


def check_files(folder: Path) -> None:
    """Refuse what would end the process or be heard wrongly.

    Raises:
        ModelUnfit: a file is missing, or the model is made for less than telephone sound.
    """
    for name in NEEDED:
        if not (folder / name).is_file():
            raise ModelUnfit(f"{name} is missing: this is no model for Vosk")
    options = _options(folder / "conf" / "mfcc.conf")
    rate = float(options.get("sample-frequency", "16000"))
    if rate > SAMPLE_RATE and options.get("allow-upsample") != "true":
        raise ModelUnfit(f"the model takes sound at {rate:.0f} Hz only, a telephone's has {SAMPLE_RATE} Hz")


def _options(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition("#")[0].strip().removeprefix("--").partition("=")
        if name:
            found[name.strip()] = value.strip() or "true"
    return found


class VoskEngine:
    """Implements :class:`speech.engines.Engine`; keeps used recognisers, since new ones are slow."""

    def __init__(self, library: Any, model: Any, *, warm: int, at_once: int) -> None:
        self._library = library
        self._model = model
        self._idle: list[VoskListener] = []
        self._keep = max(warm, 1)
        self._lock = threading.Lock()
        for _ in range(at_once):
            self._idle.append(self._warmed())

    def listener(self, language: str, phrases: Sequence[str], *, thorough: bool) -> Listener:
        """Return an ear that has heard nothing, a used one if there is one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new()

    def release(self, listener: Listener) -> None:
        """Make the ear forget what it heard and keep it."""
        assert isinstance(listener, VoskListener)
        if listener.taken > WORN_SAMPLES:
            return
        listener.forget()
        with self._lock:
            if len(self._idle) < self._keep:
                self._idle.append(listener)

    def prepare(self) -> bool:
        """Have one more ear ready."""
        with self._lock:
            if len(self._idle) >= self._keep:
                return False
        fresh = self._warmed()
        with self._lock:
            self._idle.append(fresh)
            return len(self._idle) < self._keep

    def _warmed(self) -> "VoskListener":
        fresh = self._new()
        fresh.warm_up()
        return fresh

    def _new(self) -> "VoskListener":
        recogniser = self._library.KaldiRecognizer(self._model, float(SAMPLE_RATE))
        recogniser.SetWords(True)
        return VoskListener(recogniser)


class VoskListener:
    """Implements :class:`speech.engines.Listener`."""

    def __init__(self, recogniser: Any) -> None:
        self._recogniser = recogniser
        self._taken = 0  # samples, since the recogniser was made: its clock never starts again
        self._began = 0
        self._partial = ""
        self._spoken_since: float | None = None
        self._loudest = 0
        self._quiet = 0  # samples

    @property
    def taken(self) -> int:
        """Samples it has heard since it was made."""
        return self._taken

    def warm_up(self) -> None:
        """Let it hear silence, so that the first speaker does not wait."""
        self._accept(WARM_UP)
        self.forget()

    def hear(self, pcm: bytes) -> Iterator[Said]:
        """Yield the final that ended in this sound, or the partial that changed."""
        if self._accept(pcm) or self._silent_since(pcm):
            self._partial = ""
            self._loudest = self._quiet = 0
            yield from self._final(self._recogniser.Result())
            return
        text = json.loads(self._recogniser.PartialResult()).get("partial", "")
        if text and text != self._partial:
            now = (self._taken - self._began) / SAMPLE_RATE
            yield Said(kind=PieceKind.PARTIAL, text=text, start=self._partial_start(now), end=now)
        self._partial = text

    def finish(self) -> Iterator[Said]:
        """Yield the last final."""
        yield from self._final(self._recogniser.FinalResult())

    def forget(self) -> None:
        """Start as if new: the adaptation to the last voice goes too, since the next is another's."""
        # Only a final result makes it drop everything, and only in the middle of an utterance.
        self._accept(FLUSH)
        self._recogniser.FinalResult()
        self._began = self._taken
        self._partial = ""
        self._spoken_since = None
        self._loudest = self._quiet = 0

    def _silent_since(self, pcm: bytes) -> bool:
        """Return whether words stand there and nothing has been heard for long."""
        samples = np.frombuffer(pcm, "<i2").astype(np.int32)
        peak = int(np.abs(samples).max(initial=0))
        self._loudest = max(self._loudest, peak)
        silent = peak <= max(QUIET_PEAK, self._loudest * QUIET_SHARE)
        self._quiet = self._quiet + len(samples) if silent else 0
        return bool(self._partial) and self._quiet >= QUIET_SAMPLES

    def _partial_start(self, now: float) -> float:
        if not self._partial or self._spoken_since is None:
            self._spoken_since = now
        return self._spoken_since

    def _accept(self, pcm: bytes) -> bool:
        heard = quieted(pcm, self._taken - self._began)
        self._taken += len(pcm) // SAMPLE_BYTES
        return bool(self._recogniser.AcceptWaveform(heard))

    def _final(self, said: str) -> Iterator[Said]:
        result = json.loads(said)
        text = result.get("text", "").strip()
        if not text:
            return
        offset = self._began / SAMPLE_RATE
        words = []
        for word in result.get("result", ()):
            with contextlib.suppress(KeyError):
                words.append(
                    Word(
                        text=word["word"],
                        start=max(word["start"] - offset, 0.0),
                        end=max(word["end"] - offset, 0.0),
                        confidence=round(float(word["conf"]), 3),
                    )
                )
        heard_to = (self._taken - self._began) / SAMPLE_RATE
        start = words[0].start if words else heard_to
        end = words[-1].end if words else heard_to
        yield Said(kind=PieceKind.FINAL, text=text, start=start, end=max(start, end), words=tuple(words))
