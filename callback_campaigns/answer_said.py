"""What customers said in their own words, as a list: which there is, and who may see it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Item, ItemKind
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.talk_store import CURRENT
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkSetRow, CallbackVoiceRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.classification import shipped
from crm.domain.classification import Suggestion, classify
from crm.domain.complaint import CONFIDENTIAL, ComplaintClass
from crm.domain.spoken import SURE, Opinion, TextProgress, Transcript
from crm.spoken_tables import to_transcript
from crm.tables import Customer, Project, ServiceCase
from crm.ticket_tables import TicketRow
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor
from kernel.errors import Invalid

SaidRow = CallbackVoiceRow | CallbackAnswerRow
CLEAR = 0
"""Instead of a class: there is no complaint in it."""
CLASSES = frozenset({CLEAR, *(int(one) for one in ComplaintClass)})
UNCLASSED = -1
"""Of a filter: nobody has said yet what it is about."""
HEARD_OUT = (TextProgress.DONE, TextProgress.NOTHING, TextProgress.FAILED)
"""Nobody but a person makes more of it."""
SECRET = tuple(int(one) for one in CONFIDENTIAL)


class Heard(StrEnum):
    """Which of them, by whether somebody has listened."""

    UNHEARD = "unheard"
    HEARD = "heard"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilter:
    """What to list: recordings, or with ``written`` what was written down.

    Attributes:
        class_code: 0 for those without a complaint in it, :data:`UNCLASSED` for those nobody classified.
        opinion: of recordings: what the rules make of them; UNCLEAR are those that need a person.
    """

    written: bool = False
    heard: Heard = Heard.ALL
    store_id: str | None = None
    class_code: int | None = None
    opinion: Opinion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A recording, or an answer in words (``text``).

    Attributes:
        asked: the question; empty for a message to no question.
        seconds: ``None`` of what was written.
        class_code: class of the complaint in it, 0 for none; without ``classed_by`` a machine's guess.
        note: why it was classified anew.
        suggestion: what the words look like, where there are words and they speak clearly.
        cases: problem tickets that were opened for it, id and number.
        transcript: of a recording: how far its text is, and what it comes to.
    """

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
    class_code: int | None = None
    classed_at: datetime | None = None
    classed_by: str | None = None
    note: str = ""
    suggestion: Suggestion | None = None
    cases: tuple[tuple[str, str], ...] = ()
    transcript: Transcript | None = None
    version: int = 1

    @property
    def is_recording(self) -> bool:
        """Whether there is something to listen to."""
        return self.seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidCounts:
    """How many there are by whether somebody has listened."""

    unheard: int
    heard: int

    @property
    def all(self) -> int:
        """Both together."""
        return self.unheard + self.heard

    def of(self, which: Heard) -> int:
        """Return how many a filter shows."""
        return {Heard.UNHEARD: self.unheard, Heard.HEARD: self.heard}.get(which, self.all)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidPage:
    """Some of them, newest first."""

    items: tuple[Said, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see: of integrity only the managers do, and who wrote it or said it is that."""

    actor: Actor
    secret: frozenset[str]

    def hides(self, row: SaidRow) -> bool:
        """Tell whether a row is not for whoever looks."""
        if self.actor.can(Permission.CASES_CONFIDENTIAL):
            return False
        user_id = self.actor.user_id
        if row.class_code in SECRET and row.classed_by_id != user_id:
            return True
        wrote = isinstance(row, CallbackAnswerRow) and row.by_id == user_id
        return row.item_id in self.secret and not wrote

    def conditions(self, table: Any) -> list[ColumnElement[bool]]:
        """Return the same for a query, so that what is counted is what is listed."""
        if self.actor.can(Permission.CASES_CONFIDENTIAL):
            return []
        user_id = self.actor.user_id
        open_class = or_(
            table.class_code.is_(None), table.class_code.not_in(SECRET), table.classed_by_id == user_id
        )
        open_item: ColumnElement[bool] = table.item_id.not_in(sorted(self.secret))
        if table is CallbackAnswerRow:
            open_item = or_(open_item, table.by_id == user_id)
        return [open_class, open_item]


def check_class(code: int | None) -> None:
    """Refuse what is no class. Raises Invalid."""
    if code is not None and code not in CLASSES:
        raise Invalid("no such class", field="class_code")


def table_of(wanted: ReviewFilter) -> Any:
    """Return the table that a filter is about."""
    return CallbackAnswerRow if wanted.written else CallbackVoiceRow


def _chosen(wanted: ReviewFilter, sight: Sight) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter but for whether it was heard."""
    table = table_of(wanted)
    found = sight.conditions(table)
    if wanted.written:
        found += [CURRENT, CallbackAnswerRow.kind == ItemKind.FT.value, CallbackAnswerRow.text != ""]
    if wanted.opinion is not None and not wanted.written:
        found.append(_sounds(wanted.opinion))
    if wanted.class_code == UNCLASSED:
        found.append(table.class_code.is_(None))
    elif wanted.class_code is not None:
        check_class(wanted.class_code)
        found.append(table.class_code == wanted.class_code)
    if wanted.store_id is not None:
        found.append(func.coalesce(Project.store_id, Customer.store_id) == wanted.store_id)
    return found


def _sounds(opinion: Opinion) -> ColumnElement[bool]:
    """Return the condition of what recordings come to; what is not certain is unclear."""
    row = CallbackVoiceRow
    certain = and_(row.opinion_sure >= SURE, row.opinion != Opinion.UNCLEAR.value)
    if opinion is not Opinion.UNCLEAR:
        return and_(row.opinion == opinion.value, certain)
    ended = row.text_state.in_([state.value for state in HEARD_OUT])
    return and_(ended, or_(row.opinion.is_(None), not_(certain)))


def list_query(wanted: ReviewFilter, sight: Sight, cursor: str | None) -> Select[Any]:
    """Return the query of a page, newest first. Raises Invalid for a cursor that is not one of ours."""
    table = table_of(wanted)
    chosen = _chosen(wanted, sight)
    if wanted.heard is not Heard.ALL:
        unheard = wanted.heard is Heard.UNHEARD
        chosen.append(table.heard_at.is_(None) if unheard else table.heard_at.is_not(None))
    if cursor is not None:
        at, key = read_cursor(cursor)
        chosen.append(or_(table.at < at, and_(table.at == at, table.id < key)))
    return rows_query(table).where(*chosen).order_by(table.at.desc(), table.id.desc())


def rows_query(table: Any) -> Select[Any]:
    """Return the query of rows with whom they are from and what was asked."""
    mine = and_(CallbackTalkSetRow.talk_id == table.talk_id, CallbackTalkSetRow.task_id == table.task_id)
    found: Select[Any] = (
        select(table, Customer.id, Customer.name, CallbackTalkSetRow)
        .join(CallbackTaskRow, CallbackTaskRow.id == table.task_id)
        .join(Customer, Customer.id == CallbackTaskRow.customer_id)
        .outerjoin(Project, Project.id == CallbackTaskRow.project_id)
        .join(CallbackTalkSetRow, mine)
    )
    return found


async def count_said(session: AsyncSession, wanted: ReviewFilter, sight: Sight) -> SaidCounts:
    """Return how many a filter finds, heard and not, whichever of both it asks for."""
    table = table_of(wanted)
    unheard = func.sum(case((table.heard_at.is_(None), 1), else_=0))
    query = select(func.count(), unheard).select_from(table)
    if wanted.store_id is not None:
        query = (
            query.join(CallbackTaskRow, CallbackTaskRow.id == table.task_id)
            .join(Customer, Customer.id == CallbackTaskRow.customer_id)
            .outerjoin(Project, Project.id == CallbackTaskRow.project_id)
        )
    whole, waiting = (await session.execute(query.where(*_chosen(wanted, sight)))).one()
    return SaidCounts(unheard=int(waiting or 0), heard=int(whole) - int(waiting or 0))


async def asked_in(book: QuestionnaireBook, row: SaidRow, asked: CallbackTalkSetRow | None) -> Item | None:
    """Return the question that something was said to; ``None`` for a message to none."""
    if asked is None or not row.item_id:
        return None
    sources = [(asked.code, asked.number)]
    sources += [(code, number) for code, number, item_id in asked.carried if item_id == row.item_id]
    for code, number in sources:
        item = (await book.published(code, number)).questionnaire.item(row.item_id)
        if item is not None:
            return item
    return None


def question_id(row: SaidRow) -> str:
    """Return by which name a ticket knows what it was opened for."""
    return f"{row.item_id or 'message'}-{row.id}"


async def cases_of(
    session: AsyncSession, rows: Iterable[SaidRow]
) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return the tickets that were opened for rows, by the rows' ids."""
    names: dict[tuple[str | None, str | None], str] = {
        (row.task_id, question_id(row)): row.id for row in rows
    }
    if not names:
        return {}
    query = (
        select(TicketRow.callback_ref, TicketRow.question_id, ServiceCase.id, ServiceCase.no)
        .join(ServiceCase, ServiceCase.id == TicketRow.case_id)
        .where(
            TicketRow.callback_ref.in_({task for task, _ in names}),
            TicketRow.question_id.in_({name for _, name in names}),
        )
        .order_by(ServiceCase.no)
    )
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for task_id, name, case_id, no in await session.execute(query):
        if (key := names.get((task_id, name))) is not None:
            found[key] = (*found.get(key, ()), (case_id, no))
    return found


def to_said(
    row: SaidRow,
    item: Item | None,
    customer_id: str,
    customer: str,
    cases: Sequence[tuple[str, str]] = (),
) -> Said:
    """Return a row as it is shown."""
    seconds, transcript = None, None
    text = row.text if isinstance(row, CallbackAnswerRow) else row.transcript
    if isinstance(row, CallbackVoiceRow):
        seconds, transcript = row.seconds, to_transcript(row)
    looks = classify(text, shipped()) if text else None
    return Said(
        said_id=row.id,
        at=row.at,
        task_id=row.task_id,
        customer_id=customer_id,
        customer=customer,
        asked=(item.ask_agent or item.ask) if item is not None else "",
        text=text,
        seconds=seconds,
        heard_at=row.heard_at,
        heard_by=row.heard_by,
        class_code=row.class_code,
        classed_at=row.classed_at,
        classed_by=row.classed_by,
        note=row.note,
        suggestion=looks if looks is not None and looks.sure else None,
        cases=tuple(cases),
        transcript=transcript,
        version=row.review_version,
    )
