"""What customers said in their own words, for whoever listens to it and says what it is about.

Recordings after the tone and answers in writing (domain.md §2.1, «results review»): each is heard once, and
its class put right; a complaint that hides in one becomes a problem ticket in the same step.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.answer_said import (
    CLEAR,
    SECRET,
    ReviewFilter,
    Said,
    SaidCounts,
    SaidPage,
    SaidRow,
    Sight,
    asked_in,
    cases_of,
    check_class,
    count_said,
    list_query,
    question_id,
    rows_query,
    to_said,
)
from callback_campaigns.domain.questionnaire import Item
from callback_campaigns.domain.result import check_reader
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow, CallbackVoiceRow
from callback_campaigns.talk_tickets import SERVICE
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.lines import maybe_line, one_line
from crm.domain.spoken import corrected
from crm.exports import Export, FileForm, begin_export
from crm.office import Office
from crm.tables import Department
from crm.ticket_views import CallbackSource, NewTicket
from crm.tickets import Tickets
from kernel.access import Actor, Permission
from kernel.cursor import write_cursor
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid

MAX_PAGE = 100
MAX_WORDS = 400
MAX_QUESTION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What somebody says of what they heard.

    Attributes:
        class_code: class of the complaint in it; 0 for none.
        why: needed where it was classified otherwise before.
        department: opens a problem ticket there, with ``words`` as what the customer said.
    """

    class_code: int
    why: str = ""
    department: str | None = None
    words: str = ""


class AnswerReview:
    """Lists what was said; notes that it was heard, and what it is about; opens tickets for it."""

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
            Invalid: the cursor is not one of ours, or there is no such class.
        """
        limit = max(1, min(limit, MAX_PAGE))
        query = list_query(wanted, await self._sight(actor), cursor).limit(limit + 1)
        async with self._office.database.session() as session:
            found = (await session.execute(query)).all()
            cases = await cases_of(session, [each[0] for each in found])
        shown = [
            to_said(row, await asked_in(self._book, row, asked), customer_id, name, cases.get(row.id, ()))
            for row, customer_id, name, asked in found[:limit]
        ]
        last = found[limit - 1][0] if len(found) > limit else None
        return SaidPage(
            items=tuple(shown), next_cursor=write_cursor(last.at, last.id) if last is not None else None
        )

    async def counts(self, actor: Actor, wanted: ReviewFilter) -> SaidCounts:
        """Return how many were heard and how many not. Raises as :meth:`page`."""
        sight = await self._sight(actor)
        async with self._office.database.session() as session:
            return await count_said(session, wanted, sight)

    async def get(self, actor: Actor, said_id: str) -> Said:
        """Return one of them. Raises Forbidden; NotFound."""
        sight = await self._sight(actor)
        async with self._office.database.session() as session:
            row = await self._row(session, sight, said_id)
            return await self._shown(session, row)

    async def departments(self) -> dict[str, str]:
        """Return whom a ticket may go to, by code."""
        async with self._office.database.session() as session:
            rows = await session.execute(select(Department.code, Department.name).order_by(Department.code))
            return {row.code: row.name for row in rows}

    async def export(self, actor: Actor, wanted: ReviewFilter, *, form: FileForm) -> Export[Said]:
        """Return a list on its way out, noted in the audit log.

        Raises:
            Forbidden: the role takes no data out.
            TooManyRows: it is longer than a file may be; nothing was noted.
        """
        actor.need(Permission.EXPORT)
        counts = await self.counts(actor, wanted)
        total = counts.of(wanted.heard)

        async def read(cursor: str | None) -> tuple[tuple[Said, ...], str | None]:
            page = await self.page(actor, wanted, cursor=cursor, limit=MAX_PAGE)
            return page.items, page.next_cursor

        asked = {
            "written": wanted.written,
            "heard": wanted.heard,
            "store": wanted.store_id,
            "class": wanted.class_code,
            "opinion": wanted.opinion,
        }
        office = self._office
        return await begin_export(
            office.database, office.journal, actor, "callback-voices", form, total, asked, read
        )

    async def heard(self, actor: Actor, said_id: str) -> Said:
        """Note that somebody has listened to it, or read it; noted twice, the first stands.

        Raises:
            Forbidden: the role works no callbacks, or the answer is not for it.
            NotFound: no such recording or answer.
        """
        async with self._changing(actor, said_id) as (session, row):
            if self._mark(actor, row):
                await self._office.journal.note(
                    session, actor, "callback.voice_heard", entity=_entity(row), entity_id=row.id
                )
            return await self._shown(session, row)

    async def classify(self, actor: Actor, said_id: str, ruling: Ruling, *, expected: int | None) -> Said:
        """Say what it is about, which marks it heard; with a department, open a ticket for it.

        Raises:
            Forbidden: the role works no callbacks, registers no cases, or the answer is not for it.
            NotFound: no such recording or answer.
            Invalid: no such class or department; no reason for another class; no words for the ticket.
            StaleVersion: somebody else has said something of it meanwhile.
        """
        check_class(ruling.class_code)
        if ruling.department is not None:
            actor.need(Permission.CASES_REGISTER)
            if ruling.class_code == CLEAR:
                raise Invalid("what is no problem goes to no department", field="class_code")
            if ruling.class_code in SECRET and ruling.department != SERVICE:
                raise Invalid("integrity is for the manager of customer service", field="department")
        async with self._changing(actor, said_id) as (session, row):
            before, code = row.class_code, ruling.class_code
            mine = before == code and row.classed_by_id == actor.user_id  # the same said twice
            if expected is not None and row.review_version != expected and not mine:
                raise StaleVersion("somebody else was faster; read it again", field="If-Match")
            why = maybe_line(ruling.why, field="why", limit=MAX_WORDS) or ""
            if before not in {None, code} and not why:
                raise Invalid("say why it is another class", field="why")
            again = before == code and row.classed_at is not None
            if not again:
                row.class_code, row.note = code, why
                row.classed_at, row.classed_by = self._office.now(), actor.name[:80]
                row.classed_by_id = actor.user_id
                row.review_version += 1
            self._mark(actor, row)
            if ruling.department is not None:
                await self._open(session, actor, row, ruling.department, ruling.words)
            if not again:
                await self._office.journal.note(
                    session,
                    actor,
                    "callback.voice_classified",
                    entity=_entity(row),
                    entity_id=row.id,
                    before={"class": before} if before is not None else None,
                    after={"class": code},
                    why=why,
                )
            return await self._shown(session, row)

    async def correct(self, actor: Actor, said_id: str, text: str, *, expected: int | None) -> Said:
        """Put the text of a recording right; what the recogniser wrote stays readable.

        What follows from what was said is not decided anew: whoever corrects it says what it is about.

        Raises:
            Forbidden: the role works no callbacks, or the answer is not for it.
            NotFound: no such recording.
            Invalid: no text, or a too long one.
            StaleVersion: somebody else has said something of it meanwhile.
        """
        said = corrected(text)
        async with self._changing(actor, said_id) as (session, row):
            if not isinstance(row, CallbackVoiceRow):
                raise NotFound("this was written, not spoken", field="said_id")
            if row.transcript != said:
                if expected is not None and row.review_version != expected:
                    raise StaleVersion("somebody else was faster; read it again", field="If-Match")
                row.transcript = said
                row.corrected_at, row.corrected_by = self._office.now(), actor.name[:80]
                row.review_version += 1
                await self._office.journal.note(
                    session, actor, "callback.voice_corrected", entity=_entity(row), entity_id=row.id
                )
            return await self._shown(session, row)

    # Within a change

    @asynccontextmanager
    async def _changing(self, actor: Actor, said_id: str) -> AsyncIterator[tuple[AsyncSession, SaidRow]]:
        sight = await self._sight(actor)
        async with self._office.database.transaction() as session:
            yield session, await self._row(session, sight, said_id, for_change=True)

    async def _sight(self, actor: Actor) -> Sight:
        check_reader(actor)
        return Sight(actor, await self._book.confidential())

    @staticmethod
    async def _row(session: AsyncSession, sight: Sight, said_id: str, *, for_change: bool = False) -> SaidRow:
        row: SaidRow | None = None
        if is_ulid(said_id):
            row = await session.get(CallbackVoiceRow, said_id, with_for_update=for_change)
            if row is None:
                row = await session.get(CallbackAnswerRow, said_id, with_for_update=for_change)
        if row is None or (isinstance(row, CallbackAnswerRow) and not row.text):
            raise NotFound("nothing was said there", field="said_id")
        if sight.hides(row):
            raise Forbidden("this answer is about integrity", field="said_id")
        return row

    async def _shown(self, session: AsyncSession, row: SaidRow) -> Said:
        await session.flush()
        table = type(row)
        query = rows_query(table).where(table.id == row.id).limit(1)
        _, customer_id, name, asked = (await session.execute(query)).one()
        cases = await cases_of(session, [row])
        return to_said(row, await asked_in(self._book, row, asked), customer_id, name, cases.get(row.id, ()))

    def _mark(self, actor: Actor, row: SaidRow) -> bool:
        """Note that it was heard; return whether it was not before."""
        if row.heard_at is not None:
            return False
        row.heard_at, row.heard_by = self._office.now(), actor.name[:80]
        row.review_version += 1
        return True

    async def _open(
        self, session: AsyncSession, actor: Actor, row: SaidRow, department: str, words: str
    ) -> None:
        what = one_line(words, field="words", limit=MAX_WORDS)
        known = await session.scalar(select(Department.code).where(Department.code == department))
        if known is None:
            raise Invalid("no such department", field="department")
        talk = await session.get_one(CallbackTalkRow, row.talk_id)
        task = await session.get_one(CallbackTaskRow, row.task_id)
        query = rows_query(type(row)).where(type(row).id == row.id).limit(1)
        asked: Item | None = await asked_in(self._book, row, (await session.execute(query)).one()[3])
        source = CallbackSource(
            customer_id=task.customer_id,
            project_id=task.project_id,
            callback_ref=task.id,
            question_id=question_id(row),
            question=((asked.ask_agent or asked.ask) if asked is not None else "")[:MAX_QUESTION],
            answer=what,
            text=what,
            recording_ref=row.path if isinstance(row, CallbackVoiceRow) else talk.attempt_id,
            call_id=talk.attempt_id,
            class_code=row.class_code or None,
        )
        await self._tickets.open_once_in(session, actor, NewTicket(found=source, departments=(department,)))


def _entity(row: SaidRow) -> str:
    return "callback_voice" if isinstance(row, CallbackVoiceRow) else "callback_answer"
