"""Photos and scans on the disk, whatever they belong to: taken in, and handed out again."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from crm.file_store import FileStore
from crm.pictures import Kept, MediaType, read_file
from kernel.errors import NotFound

AT_ONCE = 2
"""Pictures decoded at a time: each may need a hundred megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file to hand out: where it lies, what it is, and a harmless name for it."""

    path: Path
    media_type: MediaType
    filename: str


class KeptFiles:
    """Reads what people send, keeps it under its hash, finds it again."""

    def __init__(self, store: FileStore) -> None:
        self._store = store
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def read(self, content: bytes, *, allow_pdf: bool) -> Kept:
        """Return what a file is, made anew. Raises BadFile."""
        async with self._turn:
            return await asyncio.to_thread(read_file, content, allow_pdf=allow_pdf)

    async def keep(self, kept: Kept) -> tuple[str, str | None]:
        """Put a file on the disk; return its hash and that of its small picture."""
        return await asyncio.to_thread(self._put, kept)

    def _put(self, kept: Kept) -> tuple[str, str | None]:
        thumb = self._store.put(kept.thumbnail) if kept.thumbnail is not None else None
        return self._store.put(kept.content), thumb

    async def stored(
        self,
        sha256: str,
        thumb_sha256: str | None,
        media_type: str,
        *,
        called: str,
        thumbnail: bool = False,
        field: str = "file_id",
    ) -> StoredFile:
        """Return where a file, or its small picture, lies.

        Args:
            called: its name without an extension.

        Raises:
            NotFound: it is lost, or has no small picture.
        """
        if thumbnail and thumb_sha256 is None:
            raise NotFound("no such file", field=field)
        wanted = thumb_sha256 if thumbnail and thumb_sha256 else sha256
        kind = MediaType.JPEG if thumbnail else MediaType(media_type)
        path = self._store.path(wanted)
        if not await asyncio.to_thread(path.is_file):
            raise NotFound("the file is lost", field=field)
        return StoredFile(path=path, media_type=kind, filename=f"{called}.{kind.extension}")
