"""Recorded answers for whoever works on callbacks; every time one is heard is written down (CB-10)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from callback_campaigns.answer_files import AnswerFiles
from callback_campaigns.answer_said import Sight
from callback_campaigns.domain.result import check_reader
from callback_campaigns.talk_tables import CallbackVoiceRow
from callback_campaigns.talks import Talks
from crm.domain.spoken import TextProgress, check_playable
from crm.office import Office
from kernel.access import Actor
from kernel.errors import Forbidden, NotFound
from kernel.ids import is_ulid


@dataclass(frozen=True, slots=True)
class PlayedAnswer:
    """A recording to be handed out, with a harmless name for it."""

    path: Path
    filename: str


class AnswerPlayer:
    """Hands out what customers said after the tone."""

    def __init__(self, office: Office, talks: Talks, files: AnswerFiles) -> None:
        self._office = office
        self._talks = talks
        self._files = files

    async def open(self, actor: Actor, voice_id: str) -> PlayedAnswer:
        """Return a recording, and write down that it is heard.

        Raises:
            Forbidden: the role works no callbacks, or the answer is about integrity and not for it.
            NotFound: no such recording, or its time was over and it is gone.
            StillListening: it is being looked through for card numbers.
        """
        check_reader(actor)
        async with self._office.database.session() as session:
            row = await session.get(CallbackVoiceRow, voice_id) if is_ulid(voice_id) else None
        if row is None:
            raise NotFound("no such recording", field="voice_id")
        item = (await self._talks.get(row.talk_id)).item(row.item_id)
        asked = frozenset({item.id}) if item is not None and item.is_confidential else frozenset()
        if Sight(actor, asked).hides(row):
            raise Forbidden("this answer is about integrity", field="voice_id")
        check_playable(TextProgress(row.text_state), row.at, self._office.now())
        path = await asyncio.to_thread(self._files.find, row.path)
        async with self._office.database.transaction() as session:
            await self._office.journal.note(
                session,
                actor,
                "callback.voice_played",
                entity="callback_voice",
                entity_id=voice_id,
                after={"talk_id": row.talk_id, "item_id": row.item_id},
            )
        return PlayedAnswer(path, f"{row.item_id or 'message'}-{voice_id}.wav")
