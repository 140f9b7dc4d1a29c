"""Imports a sheet of staff 员工: all of it or nothing; the same sheet again changes nothing (domain.md §4.1).

Somebody is known by the number of their telephone, without one by name and job. What the sheet leaves empty
stays as it is here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.customer_rules import parse_number
from crm.domain.import_columns import STAFF, STAFF_NEEDED
from crm.domain.import_rows import CellReader, Header, RowProblem, read_header
from crm.domain.staff import agent_number, skill_words, split_skills
from crm.importing.sheet import BadSheet, read_sheet
from crm.office import Office
from crm.organisation import NameTaken, Organisation, OtherNumber
from crm.organisation_views import STAFF_ROLE_LABELS, StaffRole
from crm.people_tables import StaffRow
from crm.tables import Department, Store
from kernel.access import Actor, Permission
from kernel.errors import HuifangError, Invalid

MAX_STAFF = 2000
MAX_SHOWN = 500
_ROLES = {role.value.casefold(): role for role in StaffRole} | {
    word: role for role, word in STAFF_ROLE_LABELS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffReport:
    """What an import of staff did, or would do.

    Attributes:
        written: false for a check, and when a bad row stopped all.
    """

    rows: int
    bad: int
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    written: bool = False
    problems: tuple[RowProblem, ...] = ()


class _Undone(Exception):
    """Takes back what a check, or a sheet with a bad row, has written."""


@dataclass(slots=True)
class _Work:
    """An import under way; ``seen`` are the people whom a row has named."""

    header: Header
    problems: list[RowProblem]
    bad: set[int] = field(default_factory=set)
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    seen: set[str] = field(default_factory=set)

    def wrong(self, row: int, column: str, code: str, value: str = "") -> None:
        """Note what is wrong with a row."""
        title = self.header.title(column)
        self.problems.append(RowProblem(row=row, column=title, code=code, value=value[:40]))
        self.bad.add(row)


@dataclass(frozen=True, slots=True)
class _Places:
    """The departments and stores by name; departments by code as well."""

    departments: Mapping[str, str]
    stores: Mapping[str, str]


class StaffImport:
    """Imports staff."""

    def __init__(self, office: Office, organisation: Organisation) -> None:
        self._office = office
        self._organisation = organisation

    async def run(self, actor: Actor, content: bytes, filename: str, *, write: bool) -> StaffReport:
        """Check a sheet, and write it down when ``write`` and every row is good.

        Raises:
            Forbidden: the role keeps no staff.
            BadSheet: the file cannot be read, or has too many rows.
        """
        actor.need(Permission.STAFF_EDIT)
        sheet = await asyncio.to_thread(read_sheet, content)
        (_, titles), *rows = sheet.rows
        if len(rows) > MAX_STAFF:
            raise BadSheet(f"more than {MAX_STAFF} rows: split the file", field="file")
        header, problems = read_header(titles, STAFF, STAFF_NEEDED)
        work = _Work(header, problems)
        if any(not problem.is_warning for problem in problems):
            work.bad = {number for number, _ in rows}
            return _report(work, len(rows), written=False)
        try:
            async with self._office.database.transaction() as session:
                places = await _places(session)
                for number, cells in rows:
                    await self._row(session, actor, work, places, number, cells)
                if work.bad or not write:
                    raise _Undone
                await self._office.journal.note(
                    session,
                    actor,
                    "staff_imported",
                    entity="staff",
                    entity_id="import",
                    after={"filename": filename[:120], "rows": len(rows), "new": work.new},
                )
        except _Undone:
            return _report(work, len(rows), written=False)
        return _report(work, len(rows), written=True)

    async def _row(
        self,
        session: AsyncSession,
        actor: Actor,
        work: _Work,
        places: _Places,
        number: int,
        cells: Sequence[Any],
    ) -> None:
        reader = CellReader(number, work.header, cells, self._office.default_area)
        given = _given(reader, places)
        if reader.problems:
            work.problems += reader.problems
            work.bad.add(number)
            return
        known = await _known(session, given)
        if len(known) > 1:
            work.wrong(number, "name", "ambiguous_staff", given["name"])
            return
        row = known[0] if known else None
        changes = given if row is None else _changes(row, given)
        if row is not None and row.id in work.seen:
            work.wrong(number, "name", "staff_twice", given["name"])
            return
        if row is not None:
            work.seen.add(row.id)
        if not changes:
            work.unchanged += 1
            return
        expected = row.version if row is not None else None
        try:
            async with session.begin_nested():
                view = await self._organisation.put_staff_in(
                    session, actor, row.id if row is not None else None, changes, expected=expected
                )
        except NameTaken:
            work.wrong(number, "agent_no", "agent_no_taken", given.get("agent_no", ""))
        except OtherNumber:
            work.wrong(number, "agent_no", "agent_no_differs", given.get("agent_no", ""))
        else:
            work.seen.add(view.staff_id)
            work.new += row is None
            work.changed += row is not None


def _given(reader: CellReader, places: _Places) -> dict[str, Any]:
    """Return what a row says; empty cells say nothing."""
    found: dict[str, Any] = {}
    name = reader.text("name", 40)
    if name is None:
        reader.wrong("name", "empty")
    role = reader.text("role", 20)
    if role is None:
        reader.wrong("role", "empty")
    elif role.casefold() not in _ROLES:
        reader.wrong("role", "not_a_choice", role)
    else:
        found["role"] = _ROLES[role.casefold()].value
    found["name"] = name or ""
    for column, key, known in (
        ("department", "department_code", places.departments),
        ("store", "store_id", places.stores),
    ):
        text = reader.text(column, 60)
        if text is not None and text not in known:
            reader.wrong(column, f"unknown_{column}", text)
        elif text is not None:
            found[key] = known[text]
    phone = reader.text("phone", 40)
    if phone is not None:
        try:
            found["phone"] = parse_number(phone, area=reader.area, field="phone").e164
        except HuifangError:
            reader.wrong("phone", "not_a_phone")
    try:
        agent_no = agent_number(reader.text("agent_no", 40))
    except Invalid:
        reader.wrong("agent_no", "not_an_agent_no")
    else:
        found |= {"agent_no": agent_no} if agent_no else {}
    try:
        skills = skill_words(split_skills(reader.text("skills", 300)))
    except Invalid:
        reader.wrong("skills", "skills_wrong")
    else:
        found |= {"skills": list(skills)} if skills else {}
    active = reader.yes("active")
    return found if active is None else found | {"active": active}


def _changes(row: StaffRow, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if getattr(row, name) != value}


async def _known(session: AsyncSession, given: Mapping[str, Any]) -> list[StaffRow]:
    """Return the people whom a row may mean: by number, else by name and job; who left comes last."""
    query = select(StaffRow).order_by(StaffRow.active.desc(), StaffRow.id)
    if "agent_no" in given:
        mine = StaffRow.agent_no == given["agent_no"], StaffRow.name == given["name"]
        found = (await session.scalars(query.where(*mine).limit(1))).all()
        if found:
            return list(found)
    same = StaffRow.name == given["name"], StaffRow.role == given["role"]
    rows = list((await session.scalars(query.where(*same))).all())
    if "agent_no" in given:
        # Somebody with another number is another person of the same name.
        rows = [row for row in rows if row.agent_no is None]
    return [row for row in rows if row.active] or rows[:1]


async def _places(session: AsyncSession) -> _Places:
    departments: dict[str, str] = {}
    for code, name in (await session.execute(select(Department.code, Department.name))).all():
        departments |= {code: code, name: code}
    stores = {name: key for key, name in (await session.execute(select(Store.id, Store.name))).all()}
    return _Places(departments, stores)


def _report(work: _Work, rows: int, *, written: bool) -> StaffReport:
    return StaffReport(
        rows=rows,
        bad=len(work.bad),
        new=work.new,
        changed=work.changed,
        unchanged=work.unchanged,
        written=written,
        problems=tuple(sorted(work.problems, key=lambda problem: problem.row)[:MAX_SHOWN]),
    )
