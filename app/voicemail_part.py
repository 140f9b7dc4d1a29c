"""Where messages of callers are kept: the files of this node, and the CRM's list of those to be called back.

Beside each recording lies a note of whose it is until the message is stored: a message survives a database
that is away, and a process that is killed while the caller speaks.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.office import office_of
from app.settings import Settings
from callback_campaigns.answer_files import AnswerFiles, HeardAnswer
from crm.service import CustomerDirectory
from crm.voicemail import LeftMessage, VoiceMail
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import HuifangError
from kernel.ids import is_ulid, new_ulid
from kernel.phone import Phone

log = structlog.get_logger(__name__)

LONGEST = timedelta(seconds=300)
"""No flow records longer."""
NOTE = ".json"
STILL = timedelta(minutes=7)
"""A note so old is of a recording that nobody is making any more."""
STORED_WITHIN = timedelta(seconds=3)
"""The caller waits for so long at most; what is late is stored by the sweep."""
MOST_AT_ONCE = 100


class MessageBox:
    """Implements :class:`ivr.ports.Mailbox`.

    Args:
        folder: where all messages are; the PBX must be able to write there.
    """

    def __init__(self, folder: Path, mail: VoiceMail, directory: CustomerDirectory, clock: Clock) -> None:
        self._folder = folder
        self._files = AnswerFiles(folder, longest=LONGEST)
        self._mail = mail
        self._directory = directory
        self._clock = clock
        self._late: set[asyncio.Task[Any]] = set()

    async def place(
        self, *, call_id: str, phone: Phone | None, customer_id: str | None, origin: str
    ) -> Path | None:
        """Return where to record, without extension; ``None`` where there is no room."""
        call_id = call_id if is_ulid(call_id) else new_ulid()
        number = phone.e164 if phone is not None and phone.dialable else ""
        note = {
            "call_id": call_id,
            "number": number,
            "customer_id": customer_id,
            "origin": origin,
            "at": self._clock.now().isoformat(),
        }
        try:
            return await asyncio.to_thread(self._begin, call_id, note)
        except OSError as error:
            log.error("voice_message_has_no_place", error=str(error)[:200])
            return None

    async def keep(self, path: Path) -> bool:
        """Keep what was recorded; return whether somebody speaks in it."""
        heard = await asyncio.to_thread(self._files.heard, path)
        if heard is None:
            await asyncio.to_thread(_note_of(path).unlink, missing_ok=True)
            return False
        storing = asyncio.create_task(self._store(path, heard), name="voice message")
        self._late.add(storing)
        storing.add_done_callback(self._late.discard)
        # A locked database is not waited for: the message lies there, and its note with it.
        await asyncio.wait({storing}, timeout=STORED_WITHIN.total_seconds())
        return True

    async def close(self) -> None:
        """Wait a moment for what is being stored."""
        if self._late:
            await asyncio.wait(self._late, timeout=STORED_WITHIN.total_seconds())

    async def run_once(self) -> int:
        """Store what could not be stored, and tell of what nobody hears; return how many there were."""
        before = self._clock.now() - STILL
        stored = 0
        for path in await asyncio.to_thread(self._left_over, before):
            heard = await asyncio.to_thread(self._files.heard, path)
            if heard is None:
                await asyncio.to_thread(_note_of(path).unlink, missing_ok=True)
            elif await self._store(path, heard):
                stored += 1
        return stored + await self._mail.tell_unheard()

    def _begin(self, call_id: str, note: dict[str, Any]) -> Path | None:
        path = self._files.fresh(call_id, "")
        if path is not None:
            _note_of(path).write_text(json.dumps(note), encoding="utf-8")
        return path

    def _left_over(self, before: datetime) -> list[Path]:
        found = sorted(self._folder.glob(f"*/*{NOTE}"))
        old = [one for one in found if datetime.fromtimestamp(one.stat().st_mtime, UTC) < before]
        return [one.with_suffix("") for one in old[:MOST_AT_ONCE]]

    async def _store(self, path: Path, heard: HeardAnswer) -> bool:
        note = _note_of(path)
        try:
            said = json.loads(await asyncio.to_thread(note.read_text, encoding="utf-8"))
            phone = Phone.parse(said["number"]) if said["number"] else None
            customer_id = said["customer_id"] or await self._customer(phone)
            left = LeftMessage(
                call_id=said["call_id"],
                path=heard.path,
                seconds=heard.seconds,
                at=datetime.fromisoformat(said["at"]),
                phone=phone,
                customer_id=customer_id,
                origin=said["origin"],
            )
            await self._mail.keep(left)
            await asyncio.to_thread(note.unlink, missing_ok=True)
        except (SQLAlchemyError, HuifangError, OSError) as error:
            log.warning("voice_message_not_stored_yet", error=type(error).__name__)
            return False
        except (ValueError, KeyError) as error:
            # Nobody can say any more whose it is; the recording stays where it is.
            log.error("voice_message_note_unreadable", path=note.name, error=type(error).__name__)
            return False
        return True

    async def _customer(self, phone: Phone | None) -> str | None:
        """Return whose number it is, if it is one customer's."""
        if phone is None:
            return None
        found = await self._directory.find_by_phone(phone)
        return found[0].customer_id if len(found) == 1 else None


def build_mailbox(settings: Settings, database: Database, clock: Clock) -> MessageBox:
    """Return where the messages of this site's callers are kept."""
    mail = VoiceMail(office_of(settings, database, clock))
    return MessageBox(settings.data_dir / "messages", mail, CustomerDirectory(database), clock)


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}{NOTE}")
