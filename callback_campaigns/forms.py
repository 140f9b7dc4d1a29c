"""Links to a questionnaire as a page, for customers who were not reached by telephone (CB-7).

Whoever has the link answers, without signing in: it cannot be guessed, lasts seven days and ends with the
form. Only its hash is stored.
"""

import hashlib
import re
import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import Channel
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_sweep import FORM_LASTS
from callback_campaigns.talk_tables import CallbackFormRow
from callback_campaigns.talks import Talks
from crm.office import Office
from kernel.errors import NotFound

BY = "form"
_SECRET_BYTES = 24
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


async def make_link(session: AsyncSession, office: Office, task_id: str) -> str | None:
    """Return the token of a new link; ``None`` while one that was sent before still holds."""
    now = office.now()
    live = select(CallbackFormRow.token_hash).where(
        CallbackFormRow.task_id == task_id, CallbackFormRow.expires_at > now
    )
    if await session.scalar(live.limit(1)) is not None:
        return None
    token = secrets.token_urlsafe(_SECRET_BYTES)
    session.add(
        CallbackFormRow(token_hash=_hash(token), task_id=task_id, created_at=now, expires_at=now + FORM_LASTS)
    )
    return token


class Forms:
    """Opens and takes in forms. Nobody is signed in: the token is all that is asked for."""

    def __init__(self, office: Office, talks: Talks) -> None:
        self.office = office
        self._talks = talks

    async def open(self, token: str) -> Talk:
        """Return the questions of a form, with what was answered on the telephone before.

        Raises:
            NotFound: no such link, or it holds no more.
            IllegalStep: the callback has come to its end otherwise.
            ChannelRefused: people call about this.
        """
        row = await self._live(token)
        return await self._talks.open(row.task_id, attempt_id=None, channel=Channel.SMS_FORM, by=BY)

    async def send_in(self, token: str, answers: dict[str, Answer], shown: frozenset[str]) -> Talk:
        """Take in what was answered; the link opens nothing after that, unless an answer asks for more.

        Args:
            shown: the items that the customer had before them; others that are to be asked now come first.

        Raises: as :meth:`open`, and NoSuchAnswer.
        """
        talk = await self.open(token)
        done: set[str] = set()
        while (item := next((one for one in talk.items if one.id not in done), None)) is not None:
            done.add(item.id)
            given = answers.get(item.id)
            if given is not None and given.given:
                talk = await self._talks.answer(talk.talk_id, item.id, given, by=BY)
        if any(item.id not in shown for item in talk.items):
            return talk
        talk = await self._talks.end(talk.talk_id, TalkEnding.FINISHED, by=BY)
        async with self.office.database.transaction() as session:
            row = await session.get(CallbackFormRow, _hash(token))
            if row is not None and row.done_at is None:
                row.done_at = self.office.now()
        return talk

    async def was_sent_in(self, token: str) -> bool:
        """Tell whether a form came in: whoever sends it once more is thanked once more."""
        if _TOKEN.fullmatch(token) is None:
            return False
        async with self.office.database.session() as session:
            row = await session.get(CallbackFormRow, _hash(token))
        return row is not None and row.done_at is not None and row.expires_at > self.office.now()

    async def _live(self, token: str) -> CallbackFormRow:
        if _TOKEN.fullmatch(token) is None:
            raise NotFound("no such form", field="token")
        now = self.office.now()
        async with self.office.database.transaction() as session:
            row = await session.get(CallbackFormRow, _hash(token))
            if row is None or row.done_at is not None or row.expires_at <= now:
                raise NotFound("no such form", field="token")
            row.opened_at = row.opened_at or now
            return row


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
