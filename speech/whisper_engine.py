"""Whisper through CTranslate2: an utterance at a time, behind a voice detector.

It is never given silence, which it fills with what it remembers of films; what it makes of noise is looked at
before it counts (:func:`speech.whisper_text.imagined`).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speech import whisper_text as tokens
from speech.endpointing import Endpointer, EndpointRules, Utterance
from speech.engines import Engine, Listener, ModelUnfit
from speech.mel import FRAMES_PER_SECOND, WHOLE_FRAMES, Floats, log_mel
from speech.ports import SAMPLE_BYTES, SAMPLE_RATE, PieceKind, Word
from speech.vad import FRAME, FRAME_SECONDS, Detector, Voice
from speech.whisper_text import Guess, Vocabulary, cut_loop, imagined, loops
from speech.wire import Said

NEEDED = ("model.bin", "config.json", "vocabulary.txt", "silero_vad.onnx")
BEAM = 5
MOST_TOKENS = 224
SECONDS_PER_STEP = 0.02
"""The model tells times in steps of this."""

LEAST_FRAMES = 1000
SPARE_FRAMES = 500
"""For live text the model sees the utterance and some silence, at least ten seconds, instead of thirty.

Measured on 24 sentences: a third of the work, 2.4 points more character errors; below that it gets worse
quickly.
"""


def load(folder: Path, *, threads: int, warm: int) -> Engine:
    """Load the model; see :class:`speech.engines.LoadEngine`."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ModelUnfit(f"{missing[0]} is missing: this is no model for Whisper")
    import ctranslate2

    detector = Detector(folder / "silero_vad.onnx")
    try:
        vocabulary = Vocabulary.read(folder / "vocabulary.txt")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", inter_threads=threads, intra_threads=1
        )
    except (RuntimeError, ValueError, UnicodeDecodeError) as error:
        raise ModelUnfit(f"Whisper cannot read the model: {error}") from error
    return WhisperEngine(ctranslate2, model, vocabulary, detector, heads=config.get("alignment_heads"))


class WhisperEngine:
    """Implements :class:`speech.engines.Engine`."""

    def __init__(
        self, library: Any, model: Any, vocabulary: Vocabulary, detector: Detector, *, heads: Any
    ) -> None:
        self._library = library
        self._model = model
        self._vocabulary = vocabulary
        self._detector = detector
        self._can_align = bool(heads)

    def listener(self, language: str, phrases: Sequence[str], *, thorough: bool) -> Listener:
        """Return an ear that has heard nothing."""
        return WhisperListener(self, Voice(self._detector), language, thorough=thorough)

    def prepare(self) -> bool:
        """Its ears are ready as soon as they are made."""
        return False

    def release(self, listener: Listener) -> None:
        """Nothing to keep: an ear is small."""

    def transcribe(self, samples: Floats, language: str, *, thorough: bool) -> Said | None:
        """Return what was said in up to thirty seconds, from its first sample; ``None``: nothing."""
        seconds = len(samples) / SAMPLE_RATE
        features = self._library.StorageView.from_array(
            log_mel(samples, frames=_frames(seconds, thorough=thorough))[None]
        )
        encoded = self._model.encode(features)
        start = [tokens.START_OF_TEXT, tokens.LANGUAGES[language], tokens.TRANSCRIBE, tokens.NO_TIMESTAMPS]
        for attempt in range(2):
            result = self._model.generate(
                encoded,
                [start],
                beam_size=BEAM,
                max_length=MOST_TOKENS,
                return_scores=True,
                return_no_speech_prob=True,
                no_repeat_ngram_size=3 if attempt else 0,
            )[0]
            found = [token for token in result.sequences_ids[0] if token < tokens.SPECIAL_FROM]
            text = self._vocabulary.text(found).strip()
            if not loops(text):
                break
        guess = Guess(
            text=text,
            logprob=float(result.scores[0]),
            no_speech=float(result.no_speech_prob),
            seconds=seconds,
        )
        if imagined(guess) is not None:
            return None
        if loops(text):
            text = cut_loop(text)
            return Said(kind=PieceKind.FINAL, text=text, start=0.0, end=seconds)
        words = self._align(encoded, start, found, seconds) if self._can_align else ()
        return Said(kind=PieceKind.FINAL, text=text, start=0.0, end=seconds, words=words)

    def _align(
        self, encoded: Any, start: Sequence[int], found: Sequence[int], seconds: float
    ) -> tuple[Word, ...]:
        aligned = self._model.align(
            encoded, list(start), [list(found)], [min(round(seconds * FRAMES_PER_SECOND), 3000)]
        )[0]
        starts = [0.0] * (len(found) + 1)
        seen = -1
        for token, step in aligned.alignments:
            if token != seen and token < len(starts):
                starts[token] = step * SECONDS_PER_STEP
                seen = token
        ends = [*starts[1:-1], seconds]
        probabilities = [float(one) for one in aligned.text_token_probs]
        return self._vocabulary.words(found, starts[: len(found)], ends[: len(found)], probabilities)


def _frames(seconds: float, *, thorough: bool) -> int:
    """Return how many frames the model is shown; an even number."""
    if thorough:
        return WHOLE_FRAMES
    spoken = round(seconds * FRAMES_PER_SECOND)
    return min(max(spoken + SPARE_FRAMES, LEAST_FRAMES), WHOLE_FRAMES) // 2 * 2


class WhisperListener:
    """Implements :class:`speech.engines.Listener`; keeps at most one utterance of sound."""

    def __init__(self, engine: WhisperEngine, voice: Voice, language: str, *, thorough: bool) -> None:
        self._engine = engine
        self._voice = voice
        self._language = language
        self._thorough = thorough
        self._endpointer = Endpointer(EndpointRules())
        self._kept = np.zeros(0, np.float32)
        self._kept_from = 0  # frame
        self._rest = np.zeros(0, np.float32)

    @property
    def kept_seconds(self) -> float:
        """How much sound it holds: never more than one utterance."""
        return (len(self._kept) + len(self._rest)) / SAMPLE_RATE

    def hear(self, pcm: bytes) -> Iterator[Said]:
        """Yield the finals of the utterances that ended in this sound."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
        self._rest = np.concatenate((self._rest, samples))
        while len(self._rest) >= FRAME:
            frame, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            self._kept = np.concatenate((self._kept, frame))
            ended = self._endpointer.feed(self._voice.probability(frame))
            if ended is not None:
                yield from self._say(ended)
            self._forget()

    def finish(self) -> Iterator[Said]:
        """Yield the final of the utterance that the end cut off."""
        if len(self._rest):
            silence = bytes((FRAME - len(self._rest)) * SAMPLE_BYTES)
            yield from self.hear(silence)
        ended = self._endpointer.finish()
        if ended is not None:
            yield from self._say(ended)

    def _forget(self) -> None:
        frames = self._endpointer.needed_from - self._kept_from
        if frames > 0:
            self._kept = self._kept[frames * FRAME :]
            self._kept_from += frames

    def _say(self, utterance: Utterance) -> Iterator[Said]:
        begin = max(utterance.first - self._kept_from, 0) * FRAME
        samples = self._kept[begin : (utterance.last - self._kept_from) * FRAME]
        said = self._engine.transcribe(samples, self._language, thorough=self._thorough)
        if said is None:
            return
        at = utterance.first * FRAME_SECONDS
        yield Said(
            kind=said.kind,
            text=said.text,
            start=at + (said.words[0].start if said.words else said.start),
            end=at + (said.words[-1].end if said.words else said.end),
            words=tuple(
                Word(text=w.text, start=at + w.start, end=at + w.end, confidence=w.confidence)
                for w in said.words
            ),
        )
