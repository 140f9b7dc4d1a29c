"""espeak-ng as a synthesiser: 1.52 reads Chinese characters, older ones get pinyin (architecture.md §5)."""

import asyncio
import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from ivr.ports import SynthesisFailed, VoiceMissing
from ivr.prompts.audio import NotAudio, Samples, samples_of_wav
from ivr.prompts.reading import VERSION as READING
from ivr.prompts.reading import as_read

READS_CHARACTERS = (1, 52)
MAX_TEXT = 500
MAX_OUTPUT = 64 * 1024 * 1024
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
# [[…]] is phoneme input and <…> markup for espeak-ng; neither belongs into a spoken text.
_MARKUP = re.compile(r"[\[\]<>&]|[\x00-\x1f\x7f]")
_VOICE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}")
_MARKS = re.compile(r"([.,;:!?]+(?=\s|$))")
# Another engine's speakers, for a flow that names one where only this is there: zf_xiaobei, af_heart.
_SPEAKERS = {"zf_": "cmn", "zm_": "cmn", "af_": "en-us", "am_": "en-us", "bf_": "en-gb", "bm_": "en-gb"}


def _language(voice: str) -> str:
    """Return espeak-ng's voice for a flow's."""
    return _SPEAKERS.get(voice[:3], "en-us" if voice == "en" else voice)


class EspeakSynthesiser:
    """Runs one espeak-ng process per text, two at a time.

    Args:
        command: how the program is started, without options.
        environment: variables it needs besides ours (``ESPEAK_DATA_PATH`` …).
        version: as the program tells it, ``1.52.0``.
        timeout: longest time for one text.

    Attributes:
        running: processes at work now.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        version: str,
        environment: Mapping[str, str] | None = None,
        timeout: timedelta = timedelta(seconds=15),
    ) -> None:
        self.command = tuple(command)
        self.environment = dict(environment or {})
        self.running = 0
        self._timeout = timeout
        found = _VERSION.search(version)
        known = found[0] if found else "0"
        self._identity = f"espeak-ng {known} reading {READING}"
        numbers = tuple(int(part) for part in known.split("."))
        self._reads_characters = numbers >= READS_CHARACTERS
        self._slots = asyncio.Semaphore(2)

    @property
    def identity(self) -> str:
        """Engine and version; another one makes other audio."""
        return self._identity

    async def synthesise(self, text: str, *, voice: str, speed: int) -> Samples:
        """Speak ``text`` and return 8 kHz mono samples.

        Cancelling ends the process.

        Raises:
            VoiceMissing: the program is not there.
            SynthesisFailed: it failed, said nothing, or took too long.
        """
        if len(text) > MAX_TEXT or not _VOICE.fullmatch(voice):
            raise SynthesisFailed("text is too long or the voice has no such name", voice=voice[:32])
        voice = _language(voice)
        plain = _MARKUP.sub(" ", text)
        spoken, voice = self._spelled(as_read(plain) if voice == "cmn" else plain, voice)
        async with self._slots:
            raw = await self._run(spoken, ("-v", voice, "-s", str(speed), "-b", "1", "--stdin", "--stdout"))
        try:
            return await asyncio.to_thread(samples_of_wav, raw)
        except NotAudio as error:
            raise SynthesisFailed(f"espeak-ng gave no audio: {error}", voice=voice) from error

    async def ipa(self, text: str, voice: str) -> str:
        """Return how a text is pronounced, with ties (``e^ɪ``): for a voice that has no tongue for it itself.

        Raises:
            VoiceMissing, SynthesisFailed: see :meth:`synthesise`.
        """
        if len(text) > MAX_TEXT or not _VOICE.fullmatch(voice):
            raise SynthesisFailed("text is too long or the voice has no such name", voice=voice[:32])
        # espeak-ng ends a line at each of these and does not say which it was.
        parts = [part for part in _MARKS.split(_MARKUP.sub(" ", text)) if part.strip()]
        said = ""
        for part in parts:
            if _MARKS.fullmatch(part):
                said = said.rstrip() + part[0] + " "
                continue
            async with self._slots:
                raw = await self._run(part, ("-q", "-v", voice, "--ipa", "--tie=^", "-b", "1", "--stdin"))
            said += " ".join(raw.decode(errors="replace").split()) + " "
        return said.strip()

    def _spelled(self, text: str, voice: str) -> tuple[str, str]:
        if self._reads_characters or voice != "cmn" or not _CHINESE.search(text):
            return text, voice
        # Slow to import, and not every process needs it.
        from pypinyin import Style, lazy_pinyin

        syllables = lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True)
        return " ".join(syllables), "cmn-latn-pinyin"

    async def _run(self, text: str, options: tuple[str, ...]) -> bytes:
        # The text goes through standard input: as an argument «-h» would be an option.
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command,
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **self.environment},
                limit=MAX_OUTPUT,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise VoiceMissing(f"{self.command[0]} cannot be started: {error.strerror}") from error
        except OSError as error:
            raise SynthesisFailed(f"espeak-ng cannot be started: {error.strerror}") from error
        self.running += 1
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                raw, complaint = await process.communicate(text.encode())
        except TimeoutError as error:
            raise SynthesisFailed("espeak-ng took too long", seconds=self._timeout.total_seconds()) from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            self.running -= 1
        if process.returncode != 0:
            said = complaint.decode(errors="replace").strip()[:200]
            raise SynthesisFailed(f"espeak-ng failed: {said or process.returncode}")
        return raw
