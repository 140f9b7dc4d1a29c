"""The process that speaks with Kokoro: ``python -m ivr.prompts.kokoro_child MODEL VOICES``.

It is another process because the model takes half a gigabyte and its own time on the processor; it is the
first to step back when calls need one, and ends by itself when nothing was asked of it for a while.

A request is one line of JSON on standard input: ``{"voice", "speed", "tokens": [[…], …], "pause"}``. The
answer is one line of JSON, ``{"samples": n}`` and 2 × n bytes, 16 bit at 8 kHz, or ``{"error": "…"}``.
"""

import json
import os
import select
import sys
from pathlib import Path
from typing import Any, BinaryIO

RATE = 24_000
IDLE_SECONDS = 120.0
NICENESS = 10
VOICE_ROWS, STYLE = 510, 256
MAX_REQUEST = 1_000_000

_SEED = 1
_EDGE_LEVEL = 0.004
"""Softer than this is the silence around a sentence."""
_TAPS = 145
_CUTOFF = 3600.0


class Speaker:
    """The model in memory."""

    def __init__(self, model: Path, voices: Path) -> None:
        import numpy
        import onnxruntime

        self._np = numpy
        self._ort: Any = onnxruntime
        self._model = model
        self._voices = voices
        self._styles: dict[str, Any] = {}
        self._session: Any = None
        taps = numpy.arange(_TAPS) - _TAPS // 2
        low = numpy.sinc(2 * _CUTOFF / RATE * taps) * numpy.kaiser(_TAPS, 8.0)
        self._low_pass = low / low.sum()

    def speak(self, tokens: list[list[int]], *, voice: str, speed: float, pause: float) -> bytes:
        """Return sentences with a pause between them as 16 bit at 8 kHz."""
        np = self._np
        silence = np.zeros(round(pause * RATE), np.float32)
        parts: list[Any] = []
        for sentence in tokens:
            parts += [*([silence] if parts else []), self._sentence(sentence, voice, speed)]
        audio = np.concatenate(parts)
        narrow = np.convolve(np.concatenate([audio, np.zeros(3, np.float32)]), self._low_pass, "same")[::3]
        return bytes((np.clip(narrow, -1, 1) * 32_000).astype("<i2").tobytes())

    def _sentence(self, tokens: list[int], voice: str, speed: float) -> Any:
        np = self._np
        style = self._style(voice)[min(len(tokens), VOICE_ROWS) - 1]
        (audio, *_) = self._fresh().run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": style.reshape(1, STYLE),
                "speed": np.array([speed], np.float32),
            },
        )
        audio = np.asarray(audio, np.float32).ravel()
        loud = np.flatnonzero(np.abs(audio) > _EDGE_LEVEL * max(1.0, float(np.abs(audio).max())))
        if not loud.size:
            raise ValueError("the model said nothing")
        edge = RATE // 50
        return audio[max(0, loud[0] - edge) : loud[-1] + edge]

    def _fresh(self) -> Any:
        """Return the model with its noise at the beginning: the same text always sounds the same."""
        if self._session is None:
            options = self._ort.SessionOptions()
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            self._ort.set_seed(_SEED)
            self._session = self._ort.InferenceSession(
                str(self._model), options, providers=["CPUExecutionProvider"]
            )
        return self._session

    def _style(self, voice: str) -> Any:
        if voice not in self._styles:
            rows = self._np.fromfile(self._voices / f"{voice}.bin", dtype="<f4")
            self._styles[voice] = rows.reshape(VOICE_ROWS, STYLE)
        return self._styles[voice]


def serve(speaker: Speaker, requests: BinaryIO, answers: BinaryIO, *, idle: float = IDLE_SECONDS) -> None:
    """Answer until standard input ends or nothing was asked for a while."""
    while select.select([requests], [], [], idle)[0]:
        line = requests.readline(MAX_REQUEST)
        if not line:
            return
        try:
            asked = json.loads(line)
            audio = speaker.speak(
                asked["tokens"], voice=asked["voice"], speed=asked["speed"], pause=asked["pause"]
            )
        except Exception as error:  # the border of this process: what went wrong is told, and it lives on
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}).encode() + b"\n")
        else:
            answers.write(json.dumps({"samples": len(audio) // 2}).encode() + b"\n" + audio)
        answers.flush()


def main(model: str, voices: str) -> None:
    """Load, say so, and serve."""
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not come between the answers.
    os.dup2(2, 1)
    requests = os.fdopen(0, "rb", buffering=0)
    try:
        speaker = Speaker(Path(model), Path(voices))
    except ImportError as error:
        answers.write(json.dumps({"error": f"{error}"}).encode() + b"\n")
        answers.flush()
        return
    serve(speaker, requests, answers)


if __name__ == "__main__":
    main(*sys.argv[1:3])
