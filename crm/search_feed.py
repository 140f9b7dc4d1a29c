"""What the search knows of customers, projects, cases and calls: read from their tables as they are now.

A writer calls ``await feed.case(session, case_id)`` at the end of its change, in the same transaction; the
rebuild reads the same way. Parts with tables of their own add what only they know (:meth:`SearchFeed.extend`)
or a whole kind (:meth:`SearchFeed.add`).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from crm.search import Document, Kind, SearchIndex
from crm.tables import CallNote, CaseParty, Customer, CustomerPhone, Project, ServiceCase
from kernel.db import Database
from kernel.ids import is_ulid, ulid_time

PAGE = 500
NOTE_TITLE = 60

Load = Callable[[AsyncSession, Sequence[str]], Awaitable[list[Document]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the documents of a kind come from.

    Attributes:
        key: column of the things' ids, ascending when the rebuild reads them.
        only: which rows of the table are of this kind; all when ``None``.
        load: documents of some ids; an id that is gone has none.
    """

    kind: Kind
    key: InstrumentedAttribute[str]
    load: Load
    only: ColumnElement[bool] | None = None

    async def count(self, session: AsyncSession) -> int:
        """Return how many things there are."""
        query = select(func.count()).select_from(self.key.class_)
        query = query if self.only is None else query.where(self.only)
        return (await session.execute(query)).scalar_one()

    async def after(self, session: AsyncSession, ref_id: str, limit: int) -> Sequence[str]:
        """Return the next ids."""
        query = select(self.key).where(self.key > ref_id).order_by(self.key).limit(limit)
        query = query if self.only is None else query.where(self.only)
        return (await session.execute(query)).scalars().all()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseExtra:
    """What a kind of case adds to the header's document."""

    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    confidential: bool = False


Progress = Callable[[Kind, int, int], None]
Extra = Callable[[AsyncSession, Sequence[str]], Awaitable[dict[str, CaseExtra]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """How many things of a kind there are, and how many of them can be found."""

    kind: Kind
    things: int
    documents: int
    indexed: int

    @property
    def complete(self) -> bool:
        """Whether the index has all of them and nothing else."""
        return self.things == self.documents == self.indexed


class SearchFeed:
    """Reads documents from the tables and puts them into the index."""

    def __init__(self, index: SearchIndex | None = None) -> None:
        self.index = index or SearchIndex()
        self._extras: dict[Kind, Extra] = {}
        self._sources: dict[Kind, Source] = {}
        here = Customer.merged_into.is_(None)
        self.add(Source(kind=Kind.CUSTOMER, key=Customer.id, load=_customers, only=here))
        self.add(Source(kind=Kind.PROJECT, key=Project.id, load=_projects))
        for kind in (Kind.COMPLAINT, Kind.REPAIR, Kind.TICKET):
            only = ServiceCase.kind == kind.value
            self.add(Source(kind=kind, key=ServiceCase.id, load=self._cases, only=only))
        self.add(
            Source(kind=Kind.CALL_NOTE, key=CallNote.call_id, load=_call_notes, only=CallNote.notes != "")
        )

    def add(self, source: Source) -> None:
        """Add a kind, or read it in another way."""
        self._sources[source.kind] = source

    def extend(self, kind: Kind, extra: Extra) -> None:
        """Add what the header of a case does not know; ``extra`` gets case ids."""
        self._extras[kind] = extra

    # For writers, in their transactions

    async def customer(self, session: AsyncSession, customer_id: str) -> None:
        """Index a customer as they are now, and what carries their name."""
        await self.put(session, Kind.CUSTOMER, customer_id)
        projects = select(Project.id).where(Project.customer_id == customer_id)
        for project_id in (await session.execute(projects)).scalars().all():
            await self.put(session, Kind.PROJECT, project_id)
        cases = select(ServiceCase.kind, ServiceCase.id).where(ServiceCase.customer_id == customer_id)
        for kind, case_id in (await session.execute(cases)).all():
            await self.put(session, Kind(kind), case_id)

    async def project(self, session: AsyncSession, project_id: str) -> None:
        """Index a project as it is now."""
        await self.put(session, Kind.PROJECT, project_id)

    async def case(self, session: AsyncSession, case_id: str) -> None:
        """Index a case as it is now."""
        kind = await session.scalar(select(ServiceCase.kind).where(ServiceCase.id == case_id))
        if kind is not None:
            await self.put(session, Kind(kind), case_id)

    async def put(self, session: AsyncSession, kind: Kind, ref_id: str) -> None:
        """Index a thing as it is now; one that is gone is removed."""
        await session.flush()
        documents = await self._sources[kind].load(session, [ref_id])
        for document in documents:
            await self.index.put(session, document)
        if not documents:
            await self.index.remove(session, kind, ref_id)

    # The whole index

    async def rebuild(self, database: Database, progress: Progress | None = None) -> None:
        """Forget the index and read everything again, page by page; ``progress`` gets done and total.

        Others may write meanwhile; what they put stays.
        """
        async with database.transaction() as session:
            await self.index.clear(session)
        for kind, source in self._sources.items():
            async with database.session() as session:
                total = await source.count(session)
            done, last = 0, ""
            report = progress or _silent
            report(kind, 0, total)
            while True:
                async with database.transaction() as session:
                    ids = await source.after(session, last, PAGE)
                    known = await self.index.known(session, kind, ids)
                    missing = [ref_id for ref_id in ids if ref_id not in known]
                    if missing:
                        await self.index.put_new(session, await source.load(session, missing))
                if not ids:
                    break
                done, last = done + len(ids), ids[-1]
                report(kind, done, total)

    async def fill(self, database: Database) -> bool:
        """Read everything if nothing is indexed yet, or by an older version; tell whether it was."""
        async with database.session() as session:
            if await self.index.is_current(session):
                return False
        await self.rebuild(database)
        return True

    async def check(self, session: AsyncSession) -> tuple[Completeness, ...]:
        """Count what there is and what can be found."""
        documents = await self.index.counts(session)
        return tuple(
            [
                Completeness(
                    kind=kind,
                    things=await source.count(session),
                    documents=documents.get(kind, 0),
                    indexed=await self.index.indexed(session, kind),
                )
                for kind, source in self._sources.items()
            ]
        )

    async def _cases(self, session: AsyncSession, ids: Sequence[str]) -> list[Document]:
        query = (
            select(ServiceCase, Customer.name)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .where(ServiceCase.id.in_(ids))
        )
        rows = [(row, name) for row, name in (await session.execute(query)).all()]
        parties = await _parties(session, ids)
        extras: dict[str, CaseExtra] = {}
        for kind, extra in self._extras.items():
            mine = [row.id for row, _ in rows if row.kind == kind]
            extras |= await extra(session, mine) if mine else {}
        return [case_document(row, name, parties.get(row.id, ()), extras.get(row.id)) for row, name in rows]


def _silent(_kind: Kind, _done: int, _total: int) -> None:
    """Nobody watches."""


# One thing each


def customer_document(customer_id: str, name: str, phones: Iterable[str], created_at: datetime) -> Document:
    """Return a customer as the search knows them."""
    return Document(
        kind=Kind.CUSTOMER,
        ref_id=customer_id,
        customer_id=customer_id,
        title=name,
        names=(name,),
        phones=tuple(phones),
        updated_at=created_at,
    )


def project_document(
    project_id: str, contract_no: str, address: str, customer_id: str, name: str
) -> Document:
    """Return a project as the search knows it: its address, its contract, whose it is."""
    return Document(
        kind=Kind.PROJECT,
        ref_id=project_id,
        customer_id=customer_id,
        title=address,
        numbers=(contract_no,),
        names=(name,),
        label=f"{contract_no} {name}",
        updated_at=ulid_time(project_id) if is_ulid(project_id) else datetime(2000, 1, 1, tzinfo=UTC),
    )


def case_document(
    row: ServiceCase, name: str, parties: Iterable[str], extra: CaseExtra | None = None
) -> Document:
    """Return a case as the search knows it; ``name`` is the customer's."""
    extra = extra or CaseExtra()
    # A single department stood in the header before parties were kept.
    departments = dict.fromkeys([*parties, *([row.department_code] if row.department_code else [])])
    return Document(
        kind=Kind(row.kind),
        ref_id=row.id,
        customer_id=row.customer_id,
        title=row.summary,
        numbers=(row.no, *([row.external_no] if row.external_no else [])),
        names=(name, *extra.names),
        label=f"{row.no} {name}",
        texts=(row.content or row.summary, *extra.texts),
        departments=(*departments, *extra.departments),
        users=extra.users,
        confidential=extra.confidential,
        updated_at=row.updated_at or row.opened_at,
    )


async def _customers(session: AsyncSession, ids: Sequence[str]) -> list[Document]:
    found = select(CustomerPhone.customer_id, CustomerPhone.e164).where(CustomerPhone.customer_id.in_(ids))
    phones: dict[str, list[str]] = {}
    for customer_id, e164 in await session.execute(found.order_by(CustomerPhone.position)):
        phones.setdefault(customer_id, []).append(e164)
    query = select(Customer.id, Customer.name, Customer.created_at).where(
        Customer.id.in_(ids), Customer.merged_into.is_(None)
    )
    return [
        customer_document(row.id, row.name, phones.get(row.id, ()), row.created_at)
        for row in await session.execute(query)
    ]


async def _projects(session: AsyncSession, ids: Sequence[str]) -> list[Document]:
    query = (
        select(Project.id, Project.contract_no, Project.address, Customer.id.label("owner"), Customer.name)
        .join(Customer, Customer.id == Project.customer_id)
        .where(Project.id.in_(ids))
    )
    return [
        project_document(row.id, row.contract_no, row.address, row.owner, row.name)
        for row in await session.execute(query)
    ]


async def _parties(session: AsyncSession, ids: Sequence[str]) -> dict[str, list[str]]:
    query = select(CaseParty.case_id, CaseParty.department_code).where(CaseParty.case_id.in_(ids))
    found: dict[str, list[str]] = {}
    for case_id, code in await session.execute(query.order_by(CaseParty.department_code)):
        found.setdefault(case_id, []).append(code)
    return found


async def _call_notes(session: AsyncSession, ids: Sequence[str]) -> list[Document]:
    query = select(CallNote).where(CallNote.call_id.in_(ids), CallNote.notes != "")
    return [
        Document(
            kind=Kind.CALL_NOTE,
            ref_id=row.call_id,
            customer_id=row.customer_id,
            title=row.notes[:NOTE_TITLE],
            texts=(row.notes,),
            updated_at=row.noted_at,
        )
        for row in (await session.execute(query)).scalars()
    ]
