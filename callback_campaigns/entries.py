"""What a survey brings, as plain data: kept in the database at once, or from the disk when that comes back.

An answer whose next question was asked is never lost, though the database was locked and we died meanwhile.
What is not in the database before the customer hears the next words stands in a file of its talk, synced; at
the next start, or once the call is over, it is kept from there. Kept twice is kept once.
"""

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, assert_never

import structlog
from prometheus_client import Counter

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.talks import Talks
from kernel.errors import HuifangError
from kernel.ids import is_ulid

log = structlog.get_logger(__name__)

LOST = Counter("huifang_survey_entries_lost_total", "Answers and endings that could not be kept", ["entry"])
SPOOLED = Counter("huifang_survey_entries_spooled_total", "Answers and endings that waited on the disk")
SUFFIX = ".jsonl"
LOOK = timedelta(seconds=15)


class EntryKind(StrEnum):
    """What it is."""

    ANSWER = "answer"
    SKIP = "skip"
    VOICE = "voice"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened in a talk.

    Attributes:
        path, seconds: of a recording.
        how, appointed: of the end.
    """

    kind: EntryKind
    talk_id: str
    by: str
    item_id: str = ""
    answer: Answer | None = None
    path: str = ""
    seconds: float = 0.0
    how: TalkEnding | None = None
    appointed: datetime | None = None

    async def keep(self, talks: Talks) -> None:
        """Keep it. Raises what :class:`Talks` raises."""
        match self.kind:
            case EntryKind.ANSWER:
                await talks.answer(self.talk_id, self.item_id, self.answer or Answer(), by=self.by)
            case EntryKind.SKIP:
                await talks.skip(self.talk_id, self.item_id, by=self.by)
            case EntryKind.VOICE:
                await talks.voice(self.talk_id, self.item_id, self.path, self.seconds)
            case EntryKind.END:
                how = self.how or TalkEnding.BROKEN_OFF
                await talks.end(self.talk_id, how, by=self.by, appointed=self.appointed)
            case _:
                assert_never(self.kind)

    def encode(self) -> str:
        """Return a line of JSON."""
        told = asdict(self) | {"appointed": self.appointed.isoformat() if self.appointed else None}
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def decode(cls, line: str) -> Self:
        """Read such a line. Raises ValueError, TypeError or KeyError for any other."""
        told: dict[str, Any] = json.loads(line)
        answer, how, at = told["answer"], told["how"], told["appointed"]
        if answer is not None:
            lists = {name: tuple(answer[name]) for name in ("values", "departments")}
            told["answer"] = Answer(**{**answer, **lists})
        told["kind"] = EntryKind(told["kind"])
        told["how"] = TalkEnding(how) if how is not None else None
        told["appointed"] = datetime.fromisoformat(at) if at is not None else None
        return cls(**told)


class EntrySpool:
    """The files: one for each talk with something that waits. Its methods block, and may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: set[str] = set()

    def write(self, talk_id: str, entries: Iterable[Entry]) -> None:
        """Have all that waits of a talk on the disk; it is ours until :meth:`forget` or :meth:`leave`."""
        self._mine.add(talk_id)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(talk_id)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        lines = [entry.encode() for entry in entries]
        with open(fresh, "w", encoding="utf-8", opener=_private) as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        SPOOLED.inc()

    def forget(self, talk_id: str) -> None:
        """All of it was kept."""
        self._path(talk_id).unlink(missing_ok=True)
        self._mine.discard(talk_id)

    def leave(self, talk_id: str) -> None:
        """Let it be kept by whoever looks next."""
        self._mine.discard(talk_id)

    def waiting(self) -> Sequence[str]:
        """Return the talks with something that waits."""
        if not self._folder.is_dir():
            return ()
        return sorted(path.stem for path in self._folder.glob(f"*{SUFFIX}") if is_ulid(path.stem))

    def left(self) -> Sequence[str]:
        """Return those that no call of ours keeps."""
        return [one for one in self.waiting() if one not in self._mine]

    def read(self, talk_id: str) -> Sequence[Entry]:
        """Return what waits of a talk."""
        found = []
        for line in self._path(talk_id).read_text(encoding="utf-8").splitlines():
            try:
                found.append(Entry.decode(line))
            except (ValueError, TypeError, KeyError) as error:
                LOST.labels("unreadable").inc()
                log.error("survey_entry_unreadable", talk_id=talk_id, error=type(error).__name__)
        return found

    def _path(self, talk_id: str) -> Path:
        return self._folder / f"{talk_id}{SUFFIX}"


class EntryRecall:
    """Keeps what an earlier process, or a call that is over, left on the disk.

    Give :meth:`run` to the supervisor.
    """

    def __init__(self, talks: Talks, spool: EntrySpool, *, look: timedelta = LOOK) -> None:
        self._talks = talks
        self._spool = spool
        self._look = look

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.run_once()
            except OSError as error:
                log.error("survey_entries_not_read", error=type(error).__name__)
            await asyncio.sleep(self._look.total_seconds())

    async def run_once(self) -> int:
        """Look once; return how many talks are whole again."""
        whole = 0
        for talk_id in await asyncio.to_thread(self._spool.left):
            with suppress(FileNotFoundError):
                entries = await asyncio.to_thread(self._spool.read, talk_id)
                if not await self._keep(entries):
                    break
                await asyncio.to_thread(self._spool.forget, talk_id)
                whole += 1
                log.info("survey_entries_recalled", talk_id=talk_id, entries=len(entries))
        return whole

    async def _keep(self, entries: Sequence[Entry]) -> bool:
        """Return whether it makes sense to go on: the database answers."""
        for entry in entries:
            try:
                await entry.keep(self._talks)
            except Exception as error:  # a border: one that makes no sense must not hold up the others
                if not is_final(error):
                    log.warning("survey_entry_waits", entry=entry.kind.value, error=type(error).__name__)
                    return False
                lost(entry, error)
        return True


def is_final(error: Exception) -> bool:
    """Tell whether trying again is pointless."""
    return isinstance(error, HuifangError) and not error.retryable


def lost(entry: Entry, error: Exception) -> None:
    """Say that an entry cannot be kept."""
    LOST.labels(entry.kind.value).inc()
    log.error("survey_entry_lost", entry=entry.kind.value, error=type(error).__name__, exc_info=error)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
