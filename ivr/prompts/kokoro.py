"""Kokoro-82M as a synthesiser: a natural voice in Mandarin and English (architecture.md §5)."""

import asyncio
import contextlib
import json
import sys
from array import array
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from ivr.ports import SynthesisFailed, VoiceMissing
from ivr.prompts import mandarin, reading
from ivr.prompts.audio import Samples
from ivr.prompts.phonemes import NotSpoken, of_english_ipa, sentences, tokens

MODEL_FILE = "kokoro-v1.0.int8.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES = Path(__file__).parent / "voices"
"""Style vectors of the voices that come with the program, from kokoro-js 1.2.1 (Apache-2.0)."""

MANDARIN, ENGLISH = "zf_xiaobei", "af_heart"
MAX_TEXT = 500
MAX_SECONDS = 300

_ENGINE = "kokoro-82m-1.0-int8"
_RATE = 8000
# Between two sentences.
_PAUSE = 0.32

Ipa = Callable[[str, str], Awaitable[str]]
"""(English text, espeak-ng's voice) → IPA with ties."""


def speaker_of(voice: str) -> str | None:
    """Return which of Kokoro's speakers speaks for a flow's voice; ``None`` if it is another language."""
    if (VOICES / f"{voice}.bin").is_file():
        return voice
    if voice == "cmn":
        return MANDARIN
    return ENGLISH if voice == "en" or voice.startswith("en-") else None


class KokoroSynthesiser:
    """Implements :class:`ivr.ports.Synthesiser` with one child process, started when it is needed.

    Args:
        model: the file with the weights, :data:`MODEL_FILE`.
        english: reads English for it; without one only Mandarin is spoken.
        timeout: longest time for one text, the start of the process included.
        command: how the process is started, for tests.
    """

    def __init__(
        self,
        model: Path,
        *,
        english: Ipa | None = None,
        timeout: timedelta = timedelta(seconds=60),
        command: tuple[str, ...] = (sys.executable, "-m", "ivr.prompts.kokoro_child"),
    ) -> None:
        self._model = model
        self._english = english
        self._timeout = timeout
        self._command = command
        self._child: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def identity(self) -> str:
        """Engine, weights and reading; another one makes other audio."""
        return f"{_ENGINE} {MODEL_SHA256[:8]} reading {reading.VERSION}.{mandarin.VERSION}"

    def speaks(self, voice: str) -> bool:
        """Whether the model is installed and there is a speaker for a flow's voice."""
        return self._knows(voice) and self._model.is_file()

    def _knows(self, voice: str) -> bool:
        speaker = speaker_of(voice)
        return speaker is not None and (speaker[0] == "z" or self._english is not None)

    async def synthesise(self, text: str, *, voice: str, speed: int) -> Samples:
        """Speak ``text`` and return 8 kHz mono samples; the same text always gives the same.

        Cancelling ends the process; the next text starts another.

        Raises:
            VoiceMissing: the model, or the library that runs it, is not there.
            SynthesisFailed: no speaker for this voice, nothing to say, or it took too long.
        """
        speaker = speaker_of(voice)
        if len(text) > MAX_TEXT or speaker is None or not self._knows(voice):
            raise SynthesisFailed("text is too long or the voice has no such name", voice=voice[:32])
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                spoken = [tokens(one) for one in sentences(await self._symbols(text, speaker))]
                async with self._one_at_a_time:
                    return await self._ask(
                        {"voice": speaker, "speed": pace(speed), "tokens": spoken, "pause": _PAUSE}
                    )
        except TimeoutError as error:
            raise SynthesisFailed("Kokoro took too long", seconds=self._timeout.total_seconds()) from error
        except NotSpoken as error:
            raise SynthesisFailed(f"Kokoro cannot say it: {error}", voice=voice) from error

    async def _symbols(self, text: str, speaker: str) -> str:
        if speaker.startswith("z"):
            return await asyncio.to_thread(lambda: mandarin.symbols_of(reading.as_read(text)))
        if self._english is None:
            raise SynthesisFailed("English needs espeak-ng", voice=speaker)
        british = speaker.startswith("b")
        return of_english_ipa(await self._english(text, "en-gb" if british else "en-us"), british=british)

    async def _ask(self, request: dict[str, object]) -> Samples:
        used = self._child is not None
        child = await self._started()
        if child.stdin is None or child.stdout is None:
            raise SynthesisFailed("Kokoro's process has no pipes")
        whole = False
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write(json.dumps(request).encode() + b"\n")
                await child.stdin.drain()
            line = await child.stdout.readline()
            if not line and used:
                # It had just ended for lack of work.
                await self._end()
                whole = True
                return await self._ask(request)
            answer = json.loads(line or b'{"error": "the process ended"}')
            if "error" in answer:
                raise SynthesisFailed(f"Kokoro gave no audio: {answer['error']}")
            count = int(answer["samples"])
            if not 0 < count <= MAX_SECONDS * _RATE:
                raise SynthesisFailed("Kokoro gave too much or too little", samples=count)
            samples = array("h", await child.stdout.readexactly(2 * count))
            whole = True
        except (OSError, ValueError, KeyError, asyncio.IncompleteReadError) as error:
            raise SynthesisFailed(f"Kokoro's process failed: {type(error).__name__}") from error
        finally:
            # Half an answer would be taken for the next one's.
            if not whole:
                await self._end()
        if sys.byteorder == "big":
            samples.byteswap()
        return samples

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is None:
            return self._child
        if not await asyncio.to_thread(self._model.is_file):
            raise VoiceMissing(f"{self._model.name} is not installed: run «huifang speech install voice-zh»")
        try:
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                str(self._model),
                str(VOICES),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=MAX_SECONDS * _RATE * 2,
            )
        except OSError as error:
            raise SynthesisFailed(f"Kokoro's process cannot be started: {error.strerror}") from error
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()

    async def close(self) -> None:
        """End the process; it starts again when something is to be said."""
        await self._end()


def pace(speed: int) -> float:
    """Return Kokoro's factor for words a minute as flows give them; 0.5 to 2.

    165, the menus' pace, is 0.85 of its natural one, four syllables a second; 225, the surveys', is 1.05.
    """
    return round(min(2.0, max(0.5, 0.85 + (speed - 165) / 300)), 3)
