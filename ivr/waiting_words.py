"""What a caller hears again and again while waiting: how many are before them, then what they may press.

Asterisk plays the same file to everybody of a queue, and looks for it in the folder of the channel's
language. There is a folder for each place (:func:`ivr.domain.languages.channel_of`); where one has no file
yet, or nobody tells the channel's place, callers hear what all others hear.
"""

import asyncio
import os
import wave
from array import array
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from ivr.domain.languages import LANGUAGES, channel_of
from ivr.line_words import MOST_AHEAD
from telephony.audio import RATE, read_wav, write_wav

log = structlog.get_logger(__name__)

WAITING = "huifang-waiting"
LOOK = timedelta(seconds=15)
PAUSE = array("h", bytes(2 * RATE * 2 // 5))


class WaitingWords:
    """Keeps the files in line with the two that each is made of.

    Args:
        prompts: the folder of what the dialplan says.
        ahead: the audio that says how many are before somebody, by language; ``None`` until it is spoken.
    """

    def __init__(self, prompts: Path, ahead: Callable[[str, int], Path | None]) -> None:
        self._prompts = prompts
        self._ahead = ahead

    async def look(self) -> int:
        """Write what is missing or older than its parts; return how many files were written."""
        return await asyncio.to_thread(self._write)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK.total_seconds())

    def _write(self) -> int:
        written = 0
        for code, language in LANGUAGES.items():
            rest = self._prompts / language.channel / f"{WAITING}.wav"
            for ahead in range(MOST_AHEAD + 1):
                first = self._ahead(code, ahead)
                if first is None:
                    continue
                target = self._prompts / channel_of(code, ahead) / rest.name
                try:
                    written += _join(first.with_suffix(".wav"), rest, target)
                except (OSError, EOFError, wave.Error) as error:
                    log.warning("waiting_words_not_written", file=str(target), error=str(error)[:200])
        return written


def _join(first: Path, rest: Path, target: Path) -> bool:
    """Write both, one after the other, unless it is there and newer than they are."""
    if not rest.is_file():
        return False
    newest = max(first.stat().st_mtime_ns, rest.stat().st_mtime_ns)
    if target.is_file() and target.stat().st_mtime_ns >= newest:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    write_wav(fresh, read_wav(first) + PAUSE + read_wav(rest))
    # Whoever is hearing the old one hears it to its end.
    fresh.replace(target)
    return True
