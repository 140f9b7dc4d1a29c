"""What customers said in their own words, for whoever listens to it and passes it on (domain.md §2.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Item, ItemKind
from callback_campaigns.domain.result import check_reader
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.talk_store import CURRENT
from callback_campaigns.talk_tables import (
    CallbackAnswerRow,
    CallbackTalkRow,
    CallbackTalkSetRow,
    CallbackVoiceRow,
)
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.lines import one_line
from crm.notices.events import NoticeWanted
from crm.notices.tables import Notice
from crm.office import Office
from crm.tables import Customer, Department, Project
from crm.ticket_views import CallbackSource, TicketView
from crm.tickets import Tickets
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Forbidden, Invalid, NotFound
from kernel.ids import is_ulid
from kernel.outbox import add_fact

HEARD_WITHIN = timedelta(hours=4)
LOOKED_BACK = timedelta(days=14)
AT_ONCE = 50
MAX_PAGE = 100
MAX_WORDS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilter:
    """What to list: recordings, or with ``written`` what was written down; ``unheard`` recordings only."""

    written: bool = False
    unheard: bool = False
    store_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A recording, or an answer in words (``text``); ``asked`` is the question, empty for a message."""

    said_id: str
    at: datetime
    task_id: str
    customer_id: str
    customer: str
    asked: str
    text: str = ""
    seconds: float | None = None
    heard_at: datetime | None = None
    heard_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidPage:
    """Some of them, newest first."""

    items: tuple[Said, ...]
    next_cursor: str | None


class AnswerReview:
    """Lists what was said; marks it heard; opens tickets for it."""

    def __init__(self, office: Office, book: QuestionnaireBook, tickets: Tickets) -> None:
        self._office = office
        self._book = book
        self._tickets = tickets

    async def page(
        self, actor: Actor, wanted: ReviewFilter, *, cursor: str | None = None, limit: int = 50
    ) -> SaidPage:
        """Return a page. What is about integrity is left out for those whom it is not for.

        Raises:
            Forbidden: the role works no callbacks.
            Invalid: the cursor is not one of ours.
        """
        check_reader(actor)
        limit = max(1, min(limit, MAX_PAGE))
        table: Any = CallbackAnswerRow if wanted.written else CallbackVoiceRow
        chosen: list[ColumnElement[bool]] = []
        if wanted.written:
            chosen += [CURRENT, CallbackAnswerRow.kind == ItemKind.FT.value, CallbackAnswerRow.text != ""]
        elif wanted.unheard:
            chosen.append(CallbackVoiceRow.heard_at.is_(None))
        if wanted.store_id is not None:
            chosen.append(func.coalesce(Project.store_id, Customer.store_id) == wanted.store_id)
        if cursor is not None:
            at, key = read_cursor(cursor)
            chosen.append(or_(table.at < at, and_(table.at == at, table.id < key)))
        query = (
            select(table, Customer.id, Customer.name, CallbackTalkSetRow.code, CallbackTalkSetRow.number)
            .join(CallbackTaskRow, CallbackTaskRow.id == table.task_id)
            .join(Customer, Customer.id == CallbackTaskRow.customer_id)
            .outerjoin(Project, Project.id == CallbackTaskRow.project_id)
            .join(
                CallbackTalkSetRow,
                and_(
                    CallbackTalkSetRow.talk_id == table.talk_id, CallbackTalkSetRow.task_id == table.task_id
                ),
            )
            .where(*chosen)
            .order_by(table.at.desc(), table.id.desc())
            .limit(limit + 1)
        )
        async with self._office.database.session() as session:
            found = (await session.execute(query)).all()
        shown: list[Said] = []
        for row, customer_id, name, code, number in found[:limit]:
            item = (await self._book.published(code, number)).questionnaire.item(row.item_id)
            if not _hidden(item, actor, row):
                shown.append(_said(row, item, customer_id, name))
        last = found[limit - 1][0] if len(found) > limit else None
        return SaidPage(
            items=tuple(shown), next_cursor=write_cursor(last.at, last.id) if last is not None else None
        )

    async def departments(self) -> dict[str, str]:
        """Return whom a ticket may go to, by code."""
        async with self._office.database.session() as session:
            rows = await session.execute(select(Department.code, Department.name).order_by(Department.code))
            return {row.code: row.name for row in rows}

    async def heard(self, actor: Actor, voice_id: str) -> None:
        """Mark a recording as heard; marked twice, the first stands.

        Raises:
            Forbidden: the role works no callbacks, or the answer is not for it.
            NotFound: no such recording.
        """
        check_reader(actor)
        async with self._office.database.transaction() as session:
            row, _, _ = await self._found(session, actor, voice_id)
            if not isinstance(row, CallbackVoiceRow):
                raise NotFound("no such recording", field="voice_id")
            await self._mark(session, actor, row)

    async def open_ticket(self, actor: Actor, said_id: str, *, department: str, words: str) -> TicketView:
        """Open a ticket for what was said; a recording is heard then. The same again is the same ticket.

        Raises:
            Forbidden: the role works no callbacks or registers no cases, or the answer is not for it.
            NotFound: no such recording or answer.
            Invalid: no such department, or no words.
        """
        check_reader(actor)
        what = one_line(words, field="words", limit=MAX_WORDS)
        if department not in await self.departments():
            raise Invalid("no such department", field="department")
        async with self._office.database.session() as session:
            row, item, talk = await self._found(session, actor, said_id)
            task = await session.get_one(CallbackTaskRow, row.task_id)
        recorded = isinstance(row, CallbackVoiceRow)
        source = CallbackSource(
            customer_id=task.customer_id,
            project_id=task.project_id,
            callback_ref=task.id,
            question_id=f"{row.item_id or 'message'}-{said_id}",
            question=_asked(item)[:200],
            answer=what,
            text=what,
            recording_ref=row.path if isinstance(row, CallbackVoiceRow) else talk.attempt_id,
            call_id=talk.attempt_id,
        )
        opened: TicketView = await self._tickets.open_from_callback(actor, source, (department,))
        if recorded:
            await self.heard(actor, said_id)
        return opened

    async def _found(
        self, session: AsyncSession, actor: Actor, said_id: str
    ) -> tuple[CallbackVoiceRow | CallbackAnswerRow, Item | None, CallbackTalkRow]:
        row: CallbackVoiceRow | CallbackAnswerRow | None = None
        if is_ulid(said_id):
            row = await session.get(CallbackVoiceRow, said_id) or await session.get(
                CallbackAnswerRow, said_id
            )
        if row is None:
            raise NotFound("nothing was said there", field="said_id")
        mine = (CallbackTalkSetRow.talk_id == row.talk_id, CallbackTalkSetRow.task_id == row.task_id)
        asked = (await session.scalars(select(CallbackTalkSetRow).where(*mine))).first()
        item = None
        if asked is not None:
            item = (await self._book.published(asked.code, asked.number)).questionnaire.item(row.item_id)
        if _hidden(item, actor, row):
            raise Forbidden("this answer is about integrity", field="said_id")
        return row, item, await session.get_one(CallbackTalkRow, row.talk_id)

    async def _mark(self, session: AsyncSession, actor: Actor, row: CallbackVoiceRow) -> None:
        if row.heard_at is not None:
            return
        row.heard_at, row.heard_by = self._office.now(), actor.name[:80]
        await self._office.journal.note(
            session, actor, "callback.voice_heard", entity="callback_voice", entity_id=row.id
        )


async def tell_unheard(office: Office) -> int:
    """Tell customer service of recordings that nobody has heard for too long, of each once."""
    now = office.now()
    key = literal("callback.unheard|") + CallbackVoiceRow.id
    query = (
        select(CallbackVoiceRow, CallbackTaskRow.customer_id)
        .join(CallbackTaskRow, CallbackTaskRow.id == CallbackVoiceRow.task_id)
        .where(
            CallbackVoiceRow.heard_at.is_(None),
            CallbackVoiceRow.at < now - HEARD_WITHIN,
            CallbackVoiceRow.at > now - LOOKED_BACK,
            ~exists().where(Notice.dedupe_key == key),
        )
        .order_by(CallbackVoiceRow.at)
        .limit(AT_ONCE)
    )
    async with office.database.transaction() as session:
        found: Sequence[tuple[CallbackVoiceRow, str]] = [
            (row, customer_id) for row, customer_id in await session.execute(query)
        ]
        for row, customer_id in found:
            add_fact(
                session,
                NoticeWanted(
                    at=now,
                    code="callback.unheard",
                    key=f"callback.unheard|{row.id}",
                    parameters={"customer": customer_id},
                    link="/callback-voices?unheard=1",
                ),
            )
    return len(found)


def _hidden(item: Item | None, actor: Actor, row: CallbackVoiceRow | CallbackAnswerRow) -> bool:
    if item is None or not item.is_confidential or actor.can(Permission.CASES_CONFIDENTIAL):
        return False
    return not (isinstance(row, CallbackAnswerRow) and row.by_id == actor.user_id)


def _asked(item: Item | None) -> str:
    return (item.ask_agent or item.ask) if item is not None else ""


def _said(
    row: CallbackVoiceRow | CallbackAnswerRow, item: Item | None, customer_id: str, customer: str
) -> Said:
    known: dict[str, Any] = {
        "at": row.at,
        "task_id": row.task_id,
        "customer_id": customer_id,
        "customer": customer,
    }
    if isinstance(row, CallbackAnswerRow):
        return Said(said_id=row.id, asked=_asked(item), text=row.text, **known)
    return Said(
        said_id=row.id,
        asked=_asked(item),
        seconds=row.seconds,
        heard_at=row.heard_at,
        heard_by=row.heard_by,
        **known,
    )
