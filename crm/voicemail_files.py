"""The files of messages, as whoever decides how long they stay looks at them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.voicemail_tables import VoiceMessageRow
from kernel.errors import NotFound


class MessageFiles:
    """Finds and deletes them.

    Args:
        folder: where all of them are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, path: str) -> Path:
        """Return the file of a message. Blocks. Raises NotFound: its time was over, and it is gone."""
        found = (self._folder / path).resolve()
        if not found.is_relative_to(self._folder.resolve()) or not found.is_file():
            raise NotFound("the recording is gone", field="message_id")
        return found

    async def drop(
        self,
        session: AsyncSession,
        *,
        calls: Sequence[str] = (),
        customers: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ) -> None:
        """Delete the files of messages; their rows go after them, so that nothing is left without a name."""
        row = VoiceMessageRow
        mine = or_(row.call_id.in_(calls), row.customer_id.in_(customers), row.e164.in_(numbers))
        paths = list(await session.scalars(select(row.path).where(mine)))
        await asyncio.to_thread(self._unlink, paths)

    def _unlink(self, paths: Sequence[str]) -> None:
        root = self._folder.resolve()
        for name in paths:
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                continue
            path.unlink(missing_ok=True)
            if path.parent != root and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
