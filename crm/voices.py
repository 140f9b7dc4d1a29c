"""Suggestions and news of competitors, noted beside a call or a case (domain.md §1.12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm.cases import MAX_PAGE, CaseRegister, tidy_text
from crm.domain.voice import VoiceKind, competitor_of
from crm.journal import Journal
from crm.months import month_of, month_period
from crm.office import current_id
from crm.tables import Customer, ServiceCase
from crm.voice_tables import CustomerVoice
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import is_ulid, new_ulid

MAX_TEXT = 1000
MONTHS = 12
_ROW = CustomerVoice


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVoice:
    """What somebody notes. The customer is that of the case when it is left out."""

    kind: VoiceKind
    text: str
    competitor: str | None = None
    customer_id: str | None = None
    case_id: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceView:
    """A note."""

    voice_id: str
    kind: VoiceKind
    text: str
    competitor: str
    customer_id: str | None
    customer_name: str | None
    case_id: str | None
    case_no: str | None
    call_id: str | None
    month: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceFilter:
    """Which notes."""

    kind: VoiceKind | None = None
    month: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePage:
    """A page of notes; ``next_cursor`` leads on."""

    items: tuple[VoiceView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMonth:
    """How many notes of each kind a month has."""

    month: str
    counts: Mapping[VoiceKind, int]


class Voices:
    """Takes and shows the notes: all to who leads, their own to who wrote them.

    Args:
        zone: the site's; a month is its month.
    """

    def __init__(
        self, database: Database, clock: Clock, cases: CaseRegister, journal: Journal, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._cases = cases
        self._journal = journal
        self._zone = zone

    async def note(self, actor: Actor, new: NewVoice) -> VoiceView:
        """Write a note down.

        Raises:
            Forbidden: the role talks to no customers.
            Invalid: no text, no competitor where one is told of, no such case or call.
            NotFound: no such customer.
        """
        actor.need(Permission.CASES_REGISTER)
        text = tidy_text(new.text, field="text", limit=MAX_TEXT)
        competitor = competitor_of(new.kind, new.competitor)
        if new.call_id is not None and not is_ulid(new.call_id):
            raise Invalid("no such call", field="call_id")
        customer_id = new.customer_id
        if new.case_id is not None:
            case = await self._cases.get(actor, new.case_id) if is_ulid(new.case_id) else None
            if case is None:
                raise Invalid("no such case", field="case_id")
            if customer_id not in {None, case.customer_id}:
                raise Invalid("the case is another customer's", field="customer_id")
            customer_id = case.customer_id
        now = self._clock.now()
        async with self._database.transaction() as session:
            row = CustomerVoice(
                id=new_ulid(),
                kind=new.kind.value,
                text=text,
                competitor=competitor,
                customer_id=await current_id(session, customer_id) if customer_id is not None else None,
                case_id=new.case_id,
                call_id=new.call_id,
                month=month_of(now, self._zone),
                at=now,
                by=actor.name,
                by_id=actor.user_id,
            )
            session.add(row)
            await session.flush()
            await self._journal.note(
                session, actor, "voice.noted", entity="voice", entity_id=row.id, after={"kind": row.kind}
            )
            found = (await session.execute(_QUERY.where(_ROW.id == row.id))).one()
            return _view(*found)

    async def page(
        self, actor: Actor, wanted: VoiceFilter, *, cursor: str | None = None, limit: int = 50
    ) -> VoicePage:
        """Return notes, the newest first. Raises Forbidden; Invalid for a month or cursor that is none."""
        limit = max(1, min(limit, MAX_PAGE))
        query = _QUERY.where(*self._conditions(actor, wanted))
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(_ROW.at < at, and_(_ROW.at == at, _ROW.id < key)))
        query = query.order_by(_ROW.at.desc(), _ROW.id.desc()).limit(limit + 1)
        async with self._database.session() as session:
            found = [_view(*each) for each in (await session.execute(query)).all()]
        last = found[limit - 1] if len(found) > limit else None
        return VoicePage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(last.at, last.voice_id) if last is not None else None,
        )

    async def count(self, actor: Actor, wanted: VoiceFilter) -> int:
        """Return how many notes there are. Raises as :meth:`page`."""
        query = select(func.count()).select_from(_ROW).where(*self._conditions(actor, wanted))
        async with self._database.session() as session:
            return await session.scalar(query) or 0

    async def months(self, actor: Actor) -> tuple[VoiceMonth, ...]:
        """Return the newest months that have notes, with how many of each kind. Raises Forbidden."""
        query = (
            select(_ROW.month, _ROW.kind, func.count())
            .where(*self._conditions(actor, VoiceFilter()))
            .group_by(_ROW.month, _ROW.kind)
            .order_by(_ROW.month.desc())
            .limit(MONTHS * len(VoiceKind))
        )
        found: dict[str, dict[VoiceKind, int]] = {}
        async with self._database.session() as session:
            for month, kind, count in await session.execute(query):
                found.setdefault(month, {})[VoiceKind(kind)] = count
        return tuple(VoiceMonth(month=month, counts=counts) for month, counts in found.items())[:MONTHS]

    def _conditions(self, actor: Actor, wanted: VoiceFilter) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if not actor.can(Permission.RED_LIST_VIEW):
            actor.need(Permission.CASES_VIEW_ALL)
            found.append(_ROW.by_id == actor.user_id)
        if wanted.kind is not None:
            found.append(_ROW.kind == wanted.kind)
        if wanted.month is not None:
            month_period(wanted.month, self._zone)
            found.append(_ROW.month == wanted.month)
        return found


_QUERY: Any = (
    select(_ROW, Customer.name, ServiceCase.no)
    .outerjoin(Customer, Customer.id == _ROW.customer_id)
    .outerjoin(ServiceCase, ServiceCase.id == _ROW.case_id)
)


def _view(row: CustomerVoice, customer: str | None, case_no: str | None) -> VoiceView:
    return VoiceView(
        voice_id=row.id,
        kind=VoiceKind(row.kind),
        text=row.text,
        competitor=row.competitor,
        customer_id=row.customer_id,
        customer_name=customer,
        case_id=row.case_id,
        case_no=case_no,
        call_id=row.call_id,
        month=row.month,
        at=row.at,
        by=row.by,
    )
