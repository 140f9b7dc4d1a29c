"""The register of cases: headers, numbers, versions, who may see them, and their lists.

Complaints, repairs and tickets have services of their own; those open, load and move headers through
:class:`CaseRegister`, inside their own transactions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from crm.confidential import address_for, hide, name_for, texts_hidden
from crm.domain.case import PREFIXES, CaseKind, CaseStatus, Severity, Source, summary_of
from crm.domain.classification import Nature, Urgency
from crm.numbering import next_number
from crm.office import current_id
from crm.tables import CaseParty, Customer, Department, Project, ServiceCase, Store
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid

MAX_CONTENT = 2000
MAX_EXTERNAL_NO = 60
MAX_PAGE = 200


class AlreadyForwarded(Conflict):
    """The order of this source has a case already (domain.md §1.13)."""

    code = "already_forwarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What is known when a case is opened. ``content`` is at most :data:`MAX_CONTENT` characters."""

    kind: CaseKind
    customer_id: str
    project_id: str | None
    content: str
    source: Source = Source.PHONE
    severity: Severity = Severity.GENERAL
    nature: Nature | None = None
    urgency: Urgency = Urgency.NORMAL
    external_no: str | None = None
    call_id: str | None = None
    limit_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """The header of a case, as lists show it.

    ``texts_hidden``: what is written about the whole case is not for who reads it (:mod:`crm.confidential`).
    """

    case_id: str
    no: str
    kind: CaseKind
    status: CaseStatus
    customer_id: str
    customer_name: str
    project_id: str | None
    contract_no: str | None
    address: str | None
    department: str | None
    department_name: str | None
    summary: str
    content: str
    severity: int
    nature: str | None
    urgency: str
    major: bool
    source: str
    external_no: str | None
    replied_to_source_at: datetime | None
    call_count: int
    call_id: str | None
    specialist_id: str | None
    specialist: str | None
    store: str | None
    round: int
    limit_set: str | None
    opened_at: datetime
    opened_by: str | None
    updated_at: datetime | None
    closed_at: datetime | None
    version: int
    texts_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases to list; what is ``None`` does not matter."""

    kind: CaseKind | None = None
    statuses: tuple[CaseStatus, ...] = ()
    is_open: bool | None = None
    department: str | None = None
    specialist_id: str | None = None
    customer_id: str | None = None
    project_id: str | None = None
    severity: int | None = None
    nature: Nature | None = None
    urgency: Urgency | None = None
    source: Source | None = None
    opened_since: datetime | None = None
    opened_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """A page of cases, newest first."""

    items: tuple[CaseView, ...]
    next_cursor: str | None


class CaseRegister:
    """Opens, loads, moves and lists the headers of cases.

    Args:
        zone: the site's; a number carries the site's day.
    """

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    # For the services of the kinds, inside their transactions

    async def open(self, session: AsyncSession, actor: Actor, new: NewCase, *, at: datetime) -> ServiceCase:
        """Add a header with the next number of the day; the actor becomes its specialist.

        Raises:
            Invalid: no content or too much; the project is not the customer's.
            NotFound: no such customer or project.
            AlreadyForwarded: the hotline's order is a case already.
        """
        content = tidy_text(new.content, field="content", limit=MAX_CONTENT)
        external_no = await self._external_no(session, new)
        customer_id, store = await self._check_owner(session, new.customer_id, new.project_id)
        row = ServiceCase(
            id=new_ulid(),
            no=await self.number(session, new.kind, at),
            kind=new.kind.value,
            customer_id=customer_id,
            project_id=new.project_id,
            status=(CaseStatus.OPEN if new.kind is CaseKind.TICKET else CaseStatus.REGISTERED).value,
            summary=summary_of(content),
            content=content,
            severity=int(new.severity),
            nature=new.nature.value if new.nature else None,
            urgency=new.urgency.value,
            major=False,
            source=new.source.value,
            external_no=external_no,
            call_count=1,
            call_id=new.call_id,
            specialist_id=actor.user_id,
            specialist_name=actor.name,
            store=store,
            round=1,
            limit_set=new.limit_set,
            opened_at=at,
            opened_by=actor.name,
            updated_at=at,
        )
        session.add(row)
        try:
            await session.flush()
        except IntegrityError as error:
            if external_no is None:
                raise
            raise AlreadyForwarded("somebody else is just registering it", field="external_no") from error
        return row

    async def _external_no(self, session: AsyncSession, new: NewCase) -> str | None:
        """Return the forwarding hotline's number: it must have one, which no other case of it has."""
        number = tidy_text(
            new.external_no or "",
            field="external_no",
            limit=MAX_EXTERNAL_NO,
            required=new.source is Source.HOTLINE_FORWARD,
        )
        if not number:
            return None
        same = select(ServiceCase.no).where(
            ServiceCase.source == new.source.value, ServiceCase.external_no == number
        )
        taken = await session.scalar(same)
        if taken is not None:
            raise AlreadyForwarded(f"it is {taken} already", field="external_no")
        return number

    async def number(self, session: AsyncSession, kind: CaseKind, at: datetime) -> str:
        """Return the next number of the kind and the site's day; gaps stay where a transaction failed."""
        prefix = PREFIXES[kind] + at.astimezone(self._zone).strftime("%Y%m%d")
        return await next_number(session, self._database.dialect_name, prefix, ServiceCase.no)

    async def load(
        self, session: AsyncSession, actor: Actor, case_id: str, *, kind: CaseKind, expected: int | None
    ) -> ServiceCase:
        """Return a header locked for a change.

        Args:
            expected: the version that the person has seen; ``None`` for a change that depends on none.

        Raises:
            NotFound: no such case of that kind, or none that the actor may see.
            StaleVersion: somebody changed it since.
        """
        query = select(ServiceCase).where(ServiceCase.id == case_id, ServiceCase.kind == kind.value)
        if not actor.can(Permission.CASES_VIEW_ALL):
            query = query.where(_party(actor))
        row = (await session.execute(query.with_for_update(of=ServiceCase))).scalar_one_or_none()
        if row is None:
            raise NotFound("no such case", field="case_id")
        if expected is not None and row.version != expected:
            raise StaleVersion("the case was changed by somebody else; read it again", field="If-Match")
        return row

    def move(self, row: ServiceCase, status: CaseStatus, *, at: datetime) -> None:
        """Set the state; a final one closes the case."""
        row.status = status.value
        row.updated_at = at
        row.closed_at = (row.closed_at or at) if not status.is_open else None

    async def let_see(self, session: AsyncSession, case_id: str, departments: Iterable[str]) -> None:
        """Give departments a part in the case."""
        insert = sqlite.insert if self._database.dialect_name == "sqlite" else postgresql.insert
        rows = [{"case_id": case_id, "department_code": code} for code in sorted(set(departments))]
        if rows:
            await session.execute(insert(CaseParty).on_conflict_do_nothing(), rows)

    async def _check_owner(
        self, session: AsyncSession, customer_id: str, project_id: str | None
    ) -> tuple[str, str | None]:
        """Return whose the case is, merges followed, and the store. Raises NotFound and Invalid."""
        customer_id = await current_id(session, customer_id)
        customer = await session.get_one(Customer, customer_id)
        if project_id is not None:
            project = await session.get(Project, project_id) if is_ulid(project_id) else None
            if project is None:
                raise NotFound("no such project", field="project_id")
            if project.customer_id != customer_id:
                raise Invalid("the project belongs to somebody else", field="project_id")
        return customer_id, await store_name(session, customer.store_id)

    # For everybody

    async def get(self, actor: Actor, case_id: str) -> CaseView:
        """Return one header.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such case, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            found = await self.views(session, actor, ServiceCase.id == case_id, limit=1)
        if not found:
            raise NotFound("no such case", field="case_id")
        return found[0]

    async def page(
        self, actor: Actor, wanted: CaseFilter, *, cursor: str | None = None, limit: int = 50
    ) -> CasePage:
        """Return a page of headers, newest first.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        chosen = conditions(wanted)
        if cursor is not None:
            at, case_id = read_cursor(cursor)
            chosen.append(
                or_(
                    ServiceCase.opened_at < at,
                    and_(ServiceCase.opened_at == at, ServiceCase.id < case_id),
                )
            )
        async with self._database.session() as session:
            found = await self.views(session, actor, *chosen, limit=limit + 1)
        more = len(found) > limit
        return CasePage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(found[limit - 1].opened_at, found[limit - 1].case_id) if more else None,
        )

    async def views(
        self, session: AsyncSession, actor: Actor, *chosen: ColumnElement[bool], limit: int
    ) -> Sequence[CaseView]:
        """Return headers that fulfil the conditions and that the actor may see, newest first."""
        newest = (ServiceCase.opened_at.desc(), ServiceCase.id.desc())
        keys = select(ServiceCase.id).where(*chosen).order_by(*newest).limit(limit)
        if not actor.can(Permission.CASES_VIEW_ALL):
            keys = keys.where(_party(actor))
        # What a page shows is read for its rows alone, not for all that are sorted.
        page = keys.subquery()
        query = (
            select(ServiceCase, Customer.name, Project.contract_no, Project.address, texts_hidden(actor))
            .join(page, page.c.id == ServiceCase.id)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .outerjoin(Project, Project.id == ServiceCase.project_id)
            .options(joinedload(ServiceCase.department))
            .order_by(*newest)
        )
        return [view_of(actor, *row) for row in (await session.execute(query)).all()]


def view_of(
    actor: Actor,
    row: ServiceCase,
    customer: str,
    contract_no: str | None,
    address: str | None,
    hidden: bool,
) -> CaseView:
    """Return a header as lists show it to the actor; its department must be loaded."""
    return CaseView(
        case_id=row.id,
        no=row.no,
        kind=CaseKind(row.kind),
        status=CaseStatus(row.status),
        customer_id=row.customer_id,
        customer_name=name_for(actor, row, customer),
        project_id=row.project_id,
        contract_no=contract_no,
        address=address_for(actor, row, address),
        department=row.department_code,
        department_name=row.department.name if row.department else None,
        summary=hide(row.summary, hidden=bool(hidden)),
        content=hide(row.content or row.summary, hidden=bool(hidden)),
        severity=row.severity,
        nature=row.nature,
        urgency=row.urgency,
        major=row.major,
        source=row.source,
        external_no=row.external_no,
        replied_to_source_at=row.replied_to_source_at,
        call_count=row.call_count,
        call_id=row.call_id,
        specialist_id=row.specialist_id,
        specialist=row.specialist_name,
        store=row.store,
        round=row.round,
        limit_set=row.limit_set,
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
        version=row.version,
        texts_hidden=bool(hidden),
    )


def seen_by(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on :class:`ServiceCase` that a person may see it."""
    return true() if actor.can(Permission.CASES_VIEW_ALL) else _party(actor)


def _party(actor: Actor) -> ColumnElement[bool]:
    mine = exists().where(
        CaseParty.case_id == ServiceCase.id, CaseParty.department_code == (actor.department or "")
    )
    return or_(mine, ServiceCase.department_code == (actor.department or ""))


def conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    """Return what a filter asks of headers."""
    chosen: list[ColumnElement[bool]] = []
    if wanted.statuses:
        chosen.append(ServiceCase.status.in_([status.value for status in wanted.statuses]))
    if wanted.is_open is not None:
        chosen.append(
            ServiceCase.closed_at.is_(None) if wanted.is_open else ServiceCase.closed_at.is_not(None)
        )
    if wanted.department is not None:
        part = exists().where(
            CaseParty.case_id == ServiceCase.id, CaseParty.department_code == wanted.department
        )
        chosen.append(or_(part, ServiceCase.department_code == wanted.department))
    for column, value in (
        (ServiceCase.kind, wanted.kind),
        (ServiceCase.specialist_id, wanted.specialist_id),
        (ServiceCase.customer_id, wanted.customer_id),
        (ServiceCase.project_id, wanted.project_id),
        (ServiceCase.severity, wanted.severity),
        (ServiceCase.nature, wanted.nature),
        (ServiceCase.urgency, wanted.urgency),
        (ServiceCase.source, wanted.source),
    ):
        if value is not None:
            chosen.append(column == value)
    if wanted.opened_since is not None:
        chosen.append(ServiceCase.opened_at >= wanted.opened_since)
    if wanted.opened_until is not None:
        chosen.append(ServiceCase.opened_at < wanted.opened_until)
    return chosen


async def store_name(session: AsyncSession, store_id: str | None) -> str | None:
    """Return the name of a store."""
    store = await session.get(Store, store_id) if store_id else None
    return store.name if store else None


async def known_department(session: AsyncSession, code: str, *, field: str = "department") -> Department:
    """Return a department. Raises Invalid, which names the field, when there is none of that code."""
    found = await session.get(Department, code) if 0 < len(code) <= 16 else None
    if found is None:
        raise Invalid("no such department", field=field)
    return found


def tidy_text(raw: str, *, field: str, limit: int, required: bool = True) -> str:
    """Return a text without control characters and outer blanks; line ends become ``\\n``.

    Raises:
        Invalid: it is empty though required, or longer than ``limit`` characters.
    """
    if len(raw) > limit * 2:
        raise Invalid(f"at most {limit} characters", field=field)
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(char for char in text if char in "\n\t" or char.isprintable()).strip()
    if required and not text:
        raise Invalid("must not be empty", field=field)
    if len(text) > limit:
        raise Invalid(f"at most {limit} characters", field=field)
    return text
