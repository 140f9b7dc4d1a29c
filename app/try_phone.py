"""An agent tries their own telephone: they are asked for a sentence, and hear what they have said.

What was said is deleted as soon as it was played. None of it is a call of the centre.
"""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from kernel.clock import Clock
from kernel.ids import new_ulid
from telephony.agi.server import Handler
from telephony.agi.session import AgiSession

log = structlog.get_logger(__name__)

ROUTE: Final = "try-phone"
PROMPT: Final = "huifang-try"
"""What asks for a sentence, among the dialplan's prompts."""
LIMIT: Final = timedelta(seconds=6)
SILENCE: Final = timedelta(seconds=2)
"""Who says nothing for so long has said it."""
LEFT_BEHIND: Final = timedelta(minutes=5)
"""No test takes so long: what is older was left by a process that was killed."""


class PhoneTrial:
    """Answers test calls of one node.

    Args:
        folder: where what was said lies for seconds; the PBX must be able to write there.
        prompt, tone: what is played before, without extension.
    """

    def __init__(self, folder: Path, *, prompt: Path, tone: Path, clock: Clock) -> None:
        self._folder = folder
        self._prompt = prompt
        self._tone = tone
        self._clock = clock

    def routes(self) -> dict[str, Handler]:
        """Return the handler by the name that the dialplan calls."""
        return {ROUTE: self.answer}

    async def answer(self, session: AgiSession) -> None:
        """Ask, listen, play it back; tell the dialplan that it is done."""
        path = await asyncio.to_thread(self._place)
        try:
            await session.answer()
            await session.stream_file(self._prompt)
            await session.stream_file(self._tone, length=timedelta(seconds=1))
            await session.record_file(path, escape="#", limit=LIMIT, beep=False, silence=SILENCE)
            await session.stream_file(path, length=LIMIT)
            await session.set_variable("HF_TRIED", "yes")
        finally:
            await asyncio.shield(asyncio.to_thread(_forget, path))

    def _place(self) -> Path:
        """Return where to record, without extension, and delete what was left behind."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # The PBX may run as somebody else, of the group that the folder has.
        self._folder.chmod(0o2770)
        before = self._clock.now() - LEFT_BEHIND
        for old in self._folder.glob("*.wav"):
            with contextlib.suppress(FileNotFoundError):
                if datetime.fromtimestamp(old.stat().st_mtime, UTC) < before:
                    old.unlink()
        return self._folder / new_ulid()


def _forget(path: Path) -> None:
    path.with_name(f"{path.name}.wav").unlink(missing_ok=True)
