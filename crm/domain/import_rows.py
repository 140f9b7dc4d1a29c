"""What the rows of an imported sheet may hold: column names in both languages, and each cell's rule.

One row is a customer, and a project of theirs when it has a contract number. A row with anything wrong is
reported with its number, its column, what is wrong and what to do.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crm.domain.customer import Level, Salutation
from crm.domain.customer_rules import MAX_NAME, MAX_PHONES, MAX_REASON, kind_of, parse_number
from crm.domain.import_columns import COLUMNS, NEEDED, PHONES, WARNINGS
from crm.domain.lines import maybe_line
from crm.domain.project import STAGE_LABELS, Stage
from crm.domain.project_rules import (
    AMOUNTS,
    DAYS,
    LINES,
    MAX_ADDRESS,
    MAX_CONTRACT_NO,
    check_days,
    check_fields,
    whole_address,
)
from kernel.errors import HuifangError
from kernel.phone import InvalidPhone

MAX_CELL = 500
_FORMULA = re.compile(r"[=@]|[+\-](?![\d\s()\-+.]*$)")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]0{1,2}:00(?::00)?)?")
_YES = frozenset({"是", "y", "yes", "true", "1", "√", "对"})
_NO = frozenset({"", "否", "n", "no", "false", "0", "×"})
_KINDS = {"家装": "home", "公装": "public", "home": "home", "public": "public"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Something wrong, or left as it was.

    Attributes:
        row: number as the sheet counts, the header is 1.
        column: as the sheet calls it.
        value: the cell, cut; empty for numbers of people.
    """

    row: int
    column: str
    code: str
    value: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the row is good nevertheless."""
        return self.code in WARNINGS


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula, or an error, rather than a value."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which column of the sheet is which; ``titles`` are the sheet's words."""

    places: Mapping[str, int]
    titles: Mapping[str, str]

    def title(self, column: str) -> str:
        """Return what the sheet calls the column."""
        return self.titles.get(column, column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of a row."""

    e164: str
    kind: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRow:
    """A row that is good in itself; whether it fits what is here shows when it is planned."""

    row: int
    name: str
    phones: tuple[Number, ...]
    customer: Mapping[str, Any]
    store: str | None
    do_not_call: int | None
    contract_no: str | None
    project: Mapping[str, Any]
    crew: str | None
    stage: Stage | None


@dataclass(slots=True)
class CellReader:
    """Reads the cells of one row and gathers what is wrong with them."""

    row: int
    header: Header
    cells: Sequence[Any]
    area: str
    problems: list[RowProblem] = field(default_factory=list)

    def wrong(self, column: str, code: str, value: object = "") -> None:
        """Note that a cell is wrong."""
        shown = "" if column in PHONES else str(value)[:40]
        self.problems.append(
            RowProblem(row=self.row, column=self.header.title(column), code=code, value=shown)
        )

    def cell(self, column: str) -> Any:
        """Return a cell's value, ``None`` for an empty or a wrong one."""
        place = self.header.places.get(column)
        value = self.cells[place] if place is not None and place < len(self.cells) else None
        if isinstance(value, Formula):
            self.wrong(column, "formula")
            return None
        if isinstance(value, str):
            text = value.strip()
            if len(text) > MAX_CELL:
                self.wrong(column, "too_long", text)
                return None
            if _FORMULA.match(text):
                self.wrong(column, "formula", text)
                return None
            return text or None
        return value

    def text(self, column: str, limit: int) -> str | None:
        """Return a cell's text in one line."""
        value = self.cell(column)
        if value is None:
            return None
        try:
            return maybe_line(_as_text(value), field=column, limit=limit)
        except HuifangError:
            self.wrong(column, "too_long", value)
            return None

    def day(self, column: str) -> date | None:
        """Return a day."""
        value = self.cell(column)
        match value:
            case None:
                return None
            case datetime():
                found: date | None = value.date()
            case date():
                found = value
            case _:
                parts = _DAY.fullmatch(unicodedata.normalize("NFKC", _as_text(value)).strip())
                try:
                    found = date(*(int(part) for part in parts.groups())) if parts else None
                except ValueError:
                    found = None
        if found is None or not 1990 <= found.year <= 2099:
            self.wrong(column, "not_a_day", value)
            return None
        return found

    def yes(self, column: str) -> bool | None:
        """Return yes or no."""
        value = self.cell(column)
        if value is None:
            return None
        word = _as_text(value).casefold()
        if word in _YES or word in _NO:
            return word in _YES
        self.wrong(column, "not_a_choice", value)
        return None

    def checked(self, column: str, code: str) -> Any:
        """Return a cell that one of the project's own rules reads."""
        value = self.cell(column)
        if value is None:
            return None
        try:
            return check_fields({column: _as_text(value)})[column]
        except HuifangError:
            self.wrong(column, code, value)
            return None

    def phones(self) -> tuple[Number, ...]:
        """Return the telephone numbers of a row."""
        found: list[Number] = []
        for column in PHONES:
            value = self.cell(column)
            if value is None:
                continue
            for part in re.split(r"[、,;/，；\s]+(?=[+\d(])", _as_text(value)):
                try:
                    phone = parse_number(part, area=self.area, field=column)
                except InvalidPhone as error:
                    self.wrong(column, "public_number" if "public" in error.message else "not_a_phone")
                    continue
                if all(other.e164 != phone.e164 for other in found):
                    found.append(Number(e164=phone.e164, kind=kind_of(phone).value, column=column))
        if len(found) > MAX_PHONES:
            self.wrong("phone", "too_many_phones")
        return tuple(found)


def read_header(
    cells: Sequence[Any],
    columns: Mapping[str, tuple[str, ...]] = COLUMNS,
    needed: Sequence[str] = NEEDED,
) -> tuple[Header, list[RowProblem]]:
    """Return which column is which, and what is wrong with the header; unknown columns are warnings."""
    names = {_plain(other): own for own, others in columns.items() for other in (own, *others)}
    places: dict[str, int] = {}
    titles: dict[str, str] = {}
    problems: list[RowProblem] = []
    for place, cell in enumerate(cells):
        title = _as_text(cell).strip()[:60] if cell is not None and not isinstance(cell, Formula) else ""
        if not title:
            continue
        own = names.get(_plain(title))
        if own is None:
            problems.append(RowProblem(row=1, column=title, code="unknown_column"))
        elif own in places:
            problems.append(RowProblem(row=1, column=title, code="repeated_column", value=titles[own]))
        else:
            places[own], titles[own] = place, title
    missing = [own for own in needed if own not in places]
    problems += [RowProblem(row=1, column=columns[own][0], code="missing_column") for own in missing]
    return Header(places, titles), problems


def _plain(title: str) -> str:
    text = unicodedata.normalize("NFKC", title).casefold()
    return re.sub(r"[\s_\-*:：()（）]", "", text)


def _as_text(value: Any) -> str:
    match value:
        case bool():
            return "是" if value else "否"
        case float():
            return str(int(value)) if value.is_integer() else str(Decimal(str(value)))
        case datetime() | date():
            return value.isoformat()[:10]
    return str(value)


def read_row(
    row: int, header: Header, cells: Sequence[Any], *, area: str, today: date
) -> tuple[ParsedRow | None, list[RowProblem]]:
    """Return the row, or ``None`` with everything that is wrong in it.

    Args:
        area: area code of numbers that are written without one.
    """
    reader = CellReader(row, header, cells, area)
    name = reader.text("name", MAX_NAME)
    if name is None and not any(item.column == header.title("name") for item in reader.problems):
        reader.wrong("name", "empty")
    phones = reader.phones()
    if not phones and not any(item.column == header.title("phone") for item in reader.problems):
        reader.wrong("phone", "empty")
    customer = _customer(reader)
    refusal = _refusal(reader)
    contract_no = reader.text("contract_no", MAX_CONTRACT_NO)
    stage = _stage(reader)
    crew = reader.text("crew", 60)
    project = _project(reader)
    if contract_no is None:
        if (crew or stage or project) and not reader.problems:
            reader.wrong("contract_no", "contract_missing")
    else:
        _whole_project(reader, project, stage, crew, today)
    if reader.problems:
        return None, reader.problems
    return (
        ParsedRow(
            row=row,
            name=name or "",
            phones=phones,
            customer=customer,
            store=reader.text("store", 60),
            do_not_call=refusal,
            contract_no=contract_no,
            project=project,
            crew=crew,
            stage=stage,
        ),
        [],
    )


def _customer(reader: CellReader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    title = reader.text("salutation", 8)
    if title is not None:
        if title in set(Salutation):
            found["salutation"] = title
        else:
            reader.wrong("salutation", "not_a_choice", title)
    level = reader.text("level", 8)
    if level is not None:
        letter = level.upper().removesuffix("级")
        if letter in set(Level):
            found["level"] = letter
        else:
            reader.wrong("level", "not_a_choice", level)
    reason = reader.text("level_reason", MAX_REASON)
    if reason is not None and "level" in found:
        found["level_reason"] = reason
    elder = reader.yes("elder_mode")
    if elder:
        found["elder_mode"] = True
    return found


def _refusal(reader: CellReader) -> int | None:
    """Level of the do-not-call list: 1, 2, 3, or yes for all. An empty cell lifts nothing."""
    value = reader.cell("do_not_call")
    if value is None:
        return None
    word = _as_text(value).strip().casefold()
    if word in {"1", "2", "3"}:
        return int(word)
    if word in _YES:
        return 3
    if word not in _NO:
        reader.wrong("do_not_call", "not_a_choice", value)
    return None


def _stage(reader: CellReader) -> Stage | None:
    value = reader.text("stage", 20)
    if value is None:
        return None
    plain = value.replace(",", "，")  # tables from elsewhere write 方案已定,未签约
    for stage in Stage:
        # Nobody would know where suspended work goes on.
        if stage is not Stage.SUSPENDED and plain in {str(int(stage)), STAGE_LABELS[stage]}:
            return stage
    reader.wrong("stage", "not_a_choice", value)
    return None


def _project(reader: CellReader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, limit in (LINES | {"address": MAX_ADDRESS}).items():
        found[column] = reader.text(column, limit) if column in COLUMNS else None
    for column in DAYS:
        found[column] = reader.day(column)
    for column in AMOUNTS:
        found[column] = reader.checked(column, "not_an_amount") if column in COLUMNS else None
    found["area_m2"] = reader.checked("area_m2", "not_an_area")
    kind = reader.text("kind", 10)
    if kind is not None:
        found["kind"] = _KINDS.get(kind.casefold())
        if found["kind"] is None:
            reader.wrong("kind", "not_a_choice", kind)
    return {column: value for column, value in found.items() if value is not None}


def _whole_project(
    reader: CellReader, project: dict[str, Any], stage: Stage | None, crew: str | None, today: date
) -> None:
    address = whole_address(project)
    if address is None:
        reader.wrong("address" if "address" in reader.header.places else "community", "address_missing")
    else:
        project["address"] = address[:MAX_ADDRESS]
    try:
        check_days(project, today=today)
    except HuifangError as error:
        code = "future_day" if "future" in error.message else "days_out_of_order"
        reader.wrong(error.field or "signed_on", code, project.get(error.field or "", ""))
    rank = stage if stage is not None and stage > 0 else Stage.REGISTERED
    if rank >= Stage.CREW_ASSIGNED and crew is None:
        reader.wrong("crew", "crew_missing")
    if rank >= Stage.STARTED and "started_on" not in project:
        reader.wrong("started_on", "start_missing")
    if rank == Stage.IN_WARRANTY and "warranty_until" not in project:
        reader.wrong("warranty_until", "warranty_missing")
