"""Checks a sheet against what is here, and writes it: all of it, or nothing."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.import_rows import Header, ParsedRow, RowProblem, read_header, read_row
from crm.events_people import LevelSet
from crm.importing.plan import FILLABLE, KnownCustomer, KnownProject, Plan, Planner, World
from crm.importing.sheet import Sheet, read_sheet
from crm.office import Office
from crm.people_tables import DoNotCallNumber, DoNotCallRow
from crm.search import Kind
from crm.search_feed import customer_document, project_document
from crm.tables import Crew, Customer, CustomerPhone, Project, Store
from kernel.access import Actor, Permission
from kernel.ids import new_ulid
from kernel.outbox import add_fact

CHUNK = 500
_LOCK = 0x48_46_49_4D  # «HFIM»
MAX_SHOWN = 2000
"""Problems that a report carries; the counts are of all."""
T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with the step (``read``, ``check``, ``write``), how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to import.

    Attributes:
        good_rows_only: write the rows that are good though others are not.
        overwrite: what differs from what is written down here replaces it; otherwise only gaps are filled.
        campaign_id: the campaign whose list it is.
    """

    good_rows_only: bool = False
    overwrite: bool = False
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do.

    Attributes:
        written: whether anything was written; false for a check, and when a bad row stopped all.
        new_tasks: callbacks that a campaign's list plans.
        problems: what is wrong, row by row, at most :data:`MAX_SHOWN`; then what was left as it was.
    """

    filename: str
    digest: str
    rows: int
    good: int
    bad: int
    new_customers: int = 0
    new_projects: int = 0
    changed_customers: int = 0
    changed_projects: int = 0
    new_phones: int = 0
    refusals: int = 0
    unchanged: int = 0
    written: bool = False
    problems: tuple[RowProblem, ...] = ()
    warnings: int = 0
    new_tasks: int = 0

    @property
    def stops(self) -> bool:
        """Whether the sheet cannot be imported as a whole."""
        return self.bad > 0


@dataclass(slots=True)
class _Read:
    """A sheet whose rows were read one by one."""

    header: Header
    rows: list[ParsedRow] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)
    total: int = 0


def _nothing(step: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Importer:
    """Imports customers and projects.

    Args:
        permission: who may.
    """

    planner: type[Planner] = Planner

    def __init__(self, office: Office, permission: Permission = Permission.DATA_IMPORT) -> None:
        self._office = office
        self._permission = permission

    async def check(
        self,
        actor: Actor,
        content: bytes,
        filename: str,
        options: Options = Options(),
        progress: Progress = _nothing,
    ) -> ImportReport:
        """Say what an import would do; nothing is written.

        Raises:
            Forbidden: the role imports nothing.
            BadSheet: the file cannot be read.
        """
        actor.need(self._permission)
        read = await self._read(content, progress)
        async with self._office.database.session() as session:
            plan = await self._plan(session, actor, read, options, progress)
        return report_of(read, plan, content, filename, written=False)

    async def run(
        self,
        actor: Actor,
        content: bytes,
        filename: str,
        options: Options = Options(),
        progress: Progress = _nothing,
    ) -> ImportReport:
        """Import in one transaction. A bad row stops all, unless only the good ones are wanted.

        The same file again changes nothing.

        Raises:
            Forbidden: the role imports nothing.
            BadSheet: the file cannot be read.
        """
        report, _ = await self._import(actor, content, filename, options, progress)
        return report

    async def _import(
        self, actor: Actor, content: bytes, filename: str, options: Options, progress: Progress
    ) -> tuple[ImportReport, Plan]:
        actor.need(self._permission)
        read = await self._read(content, progress)
        async with self._office.database.transaction() as session:
            await self._alone(session)
            plan = await self._plan(session, actor, read, options, progress)
            fatal = any(problem.row == 1 and not problem.is_warning for problem in read.problems)
            if fatal or (not options.good_rows_only and (read.bad or plan.bad_rows)):
                return report_of(read, plan, content, filename, written=False), plan
            await self._write(session, actor, plan, filename, progress)
            report = report_of(read, plan, content, filename, written=True)
            await self._office.journal.note(
                session,
                actor,
                "import_done",
                entity="import",
                entity_id=report.digest[:26],
                after={
                    "filename": filename,
                    "rows": report.rows,
                    "bad": report.bad,
                    "new_customers": report.new_customers,
                    "new_projects": report.new_projects,
                    "changed_customers": report.changed_customers,
                    "changed_projects": report.changed_projects,
                },
            )
        return report, plan

    async def _alone(self, session: AsyncSession) -> None:
        """Wait until no other import writes, or two would both find something missing."""
        # SQLite has one writer.
        if self._office.database.dialect_name == "postgresql":
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})

    async def _read(self, content: bytes, progress: Progress) -> _Read:
        progress("read", 0, 0)
        sheet = await asyncio.to_thread(read_sheet, content)
        return await asyncio.to_thread(self._read_rows, sheet, progress)

    def _read_rows(self, sheet: Sheet, progress: Progress) -> _Read:
        (_, titles), *rows = sheet.rows
        header, problems = read_header(titles)
        read = _Read(header, problems=problems, total=len(rows))
        if any(not problem.is_warning for problem in problems):
            read.bad = {number for number, _ in rows}
            return read
        today, area = self._office.today(), self._office.default_area
        for done, (number, cells) in enumerate(rows):
            if done % CHUNK == 0:
                progress("read", done, len(rows))
            row, wrong = self._row(number, header, cells, area=area, today=today)
            if row is None:
                read.bad.add(number)
                read.problems += wrong
            else:
                read.rows.append(row)
        return read

    def _row(
        self, number: int, header: Header, cells: Sequence[Any], *, area: str, today: date
    ) -> tuple[ParsedRow | None, list[RowProblem]]:
        return read_row(number, header, cells, area=area, today=today)

    async def _plan(
        self, session: AsyncSession, actor: Actor, read: _Read, options: Options, progress: Progress
    ) -> Plan:
        world = await _world(session, read.rows)
        planner = self.planner(
            world,
            read.header,
            actor=actor.name,
            now=self._office.now(),
            today=self._office.today(),
            overwrite=options.overwrite,
        )

        def work() -> None:
            for done, row in enumerate(read.rows):
                if done % CHUNK == 0:
                    progress("check", done, len(read.rows))
                planner.add(row)

        await asyncio.to_thread(work)
        return planner.plan

    async def _write(
        self, session: AsyncSession, actor: Actor, plan: Plan, filename: str, progress: Progress
    ) -> None:
        now = self._office.now()
        total = len(plan.customers) + len(plan.phones) + 2 * len(plan.projects)
        done = 0
        listed = await _refused_numbers(session, [phone["e164"] for phone in plan.phones])
        marked = {phone["customer_id"] for phone in plan.phones if phone["e164"] in listed}
        for row in plan.customers:
            row["do_not_call"] = row["id"] in marked
        tables: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
            (Customer, plan.customers),
            (CustomerPhone, plan.phones),
            (Project, _evened(plan.projects)),
        )
        for table, rows in tables:
            for chunk in _chunks(rows):
                await session.execute(insert(table), chunk)
                done += len(chunk)
                progress("write", done, total)
        fresh = {row["id"] for row in plan.customers}
        touched = set(plan.customer_changes) | marked
        touched |= {phone["customer_id"] for phone in plan.phones}
        for customer_id in sorted(touched - fresh):
            values = plan.customer_changes.get(customer_id, {}) | {
                "updated_at": now,
                "updated_by": actor.name,
            }
            if "level" in values:
                values |= {"level_set_by": actor.name, "level_set_at": now}
                add_fact(session, LevelSet(at=now, customer_id=customer_id, level=values["level"]))
            if customer_id in marked:
                values["do_not_call"] = True
            await _bump(session, Customer, customer_id, values)
        for project_id, changes in sorted(plan.project_changes.items()):
            changed = changes | {"updated_at": now, "updated_by": actor.name}
            await _bump(session, Project, project_id, changed)
        await self._refuse(session, actor, plan, filename)
        await self._index(session, plan, touched - fresh)
        progress("write", total, total)

    async def _refuse(self, session: AsyncSession, actor: Actor, plan: Plan, filename: str) -> None:
        for customer_id, level in plan.refusals:
            entry = DoNotCallRow(
                id=new_ulid(),
                customer_id=customer_id,
                level=level,
                since=self._office.now(),
                source="import",
                evidence=filename[:400],
                by=actor.name,
            )
            session.add(entry)
            await session.flush()
            query = select(CustomerPhone.e164).where(CustomerPhone.customer_id == customer_id)
            session.add_all(
                DoNotCallNumber(entry_id=entry.id, e164=e164)
                for e164 in (await session.execute(query)).scalars()
            )
            await _bump(session, Customer, customer_id, {"do_not_call": True})
        await session.flush()

    async def _index(self, session: AsyncSession, plan: Plan, changed: Iterable[str]) -> None:
        names = {row["id"]: row["name"] for row in plan.customers}
        phones: dict[str, list[str]] = {}
        for phone in plan.phones:
            phones.setdefault(phone["customer_id"], []).append(phone["e164"])
        search = self._office.search
        documents = [
            customer_document(row["id"], row["name"], phones.get(row["id"], ()), row["created_at"])
            for row in plan.customers
        ]
        documents += [
            project_document(
                row["id"], row["contract_no"], row["address"], row["customer_id"], names[row["customer_id"]]
            )
            for row in plan.projects
            if row["customer_id"] in names
        ]
        for chunk in _chunks(documents):
            await search.index.put_new(session, chunk)
        for customer_id in sorted(changed):
            await search.put(session, Kind.CUSTOMER, customer_id)
        later = [row["id"] for row in plan.projects if row["customer_id"] not in names]
        for project_id in (*later, *sorted(plan.project_changes)):
            await search.put(session, Kind.PROJECT, project_id)


async def _world(session: AsyncSession, rows: Sequence[ParsedRow]) -> World:
    """Read what is here of the rows' numbers and contracts."""
    contracts = sorted({row.contract_no for row in rows if row.contract_no})
    projects: dict[str, KnownProject] = {}
    for some in _chunks(contracts):
        found = (await session.execute(select(Project).where(Project.contract_no.in_(some)))).scalars()
        for row in found:
            fields = {name: getattr(row, name) for name in (*FILLABLE, "started_on", "finished_on")}
            projects[row.contract_no] = KnownProject(
                project_id=row.id, customer_id=row.customer_id, stage=row.stage, fields=fields
            )
    wanted = {project.customer_id for project in projects.values()}
    numbers = sorted({phone.e164 for row in rows for phone in row.phones})
    for some in _chunks(numbers):
        query = select(CustomerPhone.customer_id).where(CustomerPhone.e164.in_(some))
        wanted |= set((await session.execute(query)).scalars())
    customers: dict[str, KnownCustomer] = {}
    by_phone: dict[str, list[str]] = {}
    for some in _chunks(sorted(wanted)):
        for person in (await session.execute(select(Customer).where(Customer.id.in_(some)))).scalars():
            names = ("salutation", "level", "level_reason", "store_id", "elder_mode")
            fields = {name: getattr(person, name) for name in names}
            customers[person.id] = KnownCustomer(
                customer_id=person.id, name=person.name, phones=[], fields=fields
            )
        of = select(CustomerPhone).where(CustomerPhone.customer_id.in_(some)).order_by(CustomerPhone.position)
        for phone in (await session.execute(of)).scalars():
            customers[phone.customer_id].phones.append(phone.e164)
            by_phone.setdefault(phone.e164, []).append(phone.customer_id)
        entries = select(DoNotCallRow).where(
            DoNotCallRow.customer_id.in_(some), DoNotCallRow.lifted_at.is_(None)
        )
        for entry in (await session.execute(entries)).scalars():
            if entry.customer_id is not None:
                customers[entry.customer_id].refused.add(entry.level)
    crews: dict[str, list[tuple[str, str]]] = {}
    for crew in (await session.execute(select(Crew).order_by(Crew.id))).scalars():
        crews.setdefault(crew.name, []).append((crew.id, crew.status))
    stores = {store.name: store.id for store in (await session.execute(select(Store))).scalars()}
    return World(customers=customers, by_phone=by_phone, projects=projects, stores=stores, crews=crews)


async def _refused_numbers(session: AsyncSession, numbers: Sequence[str]) -> set[str]:
    """Return which of the numbers are on the do-not-call list."""
    found: set[str] = set()
    for some in _chunks(sorted(set(numbers))):
        query = (
            select(DoNotCallNumber.e164)
            .join(DoNotCallRow, DoNotCallRow.id == DoNotCallNumber.entry_id)
            .where(DoNotCallNumber.e164.in_(some), DoNotCallRow.lifted_at.is_(None))
        )
        found |= set((await session.execute(query)).scalars())
    return found


async def _bump(session: AsyncSession, table: Any, key: str, values: dict[str, Any]) -> None:
    """Write values over a row, whose version goes on."""
    change = update(table).where(table.id == key).values(**values, version=table.version + 1)
    await session.execute(change.execution_options(synchronize_session=False))


def _evened(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one insert need the same columns."""
    columns = {name for row in rows for name in row}
    fallback = {"kind": "home", "delivery_state": "N"}
    return [{name: row.get(name, fallback.get(name)) for name in columns} for row in rows]


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def report_of(read: _Read, plan: Plan, content: bytes, filename: str, *, written: bool) -> ImportReport:
    """Return what an import did, or would do."""
    problems = sorted([*read.problems, *plan.problems], key=lambda item: (item.is_warning, item.row))
    bad = read.bad | plan.bad_rows
    return ImportReport(
        filename=filename,
        digest=hashlib.sha256(content).hexdigest(),
        rows=read.total,
        good=read.total - len(bad),
        bad=len(bad),
        new_customers=len(plan.customers),
        new_projects=len(plan.projects),
        changed_customers=len(plan.customer_changes),
        changed_projects=len(plan.project_changes),
        new_phones=len(plan.phones),
        refusals=len(plan.refusals),
        unchanged=plan.unchanged,
        written=written,
        problems=tuple(problems[:MAX_SHOWN]),
        warnings=sum(problem.is_warning for problem in problems),
    )
