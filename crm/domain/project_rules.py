"""What may be written down about a project (domain.md §4.1)."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from crm.domain.lines import choice, maybe_line, one_line
from crm.domain.payments import money
from crm.domain.project import Stage
from kernel.errors import Invalid

MAX_CONTRACT_NO = 40
MAX_ADDRESS = 200
EARLIEST = date(1990, 1, 1)
LATEST = date(2099, 12, 31)


class ProjectKind(StrEnum):
    """Whose place it is."""

    HOME = "home"
    PUBLIC = "public"


LINES = {
    "community": 60,
    "building": 20,
    "unit": 20,
    "room": 20,
    "package": 60,
    "project_manager": 40,
    "designer": 40,
    "inspector": 40,
    "sales_person": 40,
    "gang": 60,
    "warranty_no": 40,
    "audit_ref": 40,
    "archive_no": 40,
}
DAYS = (
    "signed_on",
    "contract_starts_on",
    "contract_ends_on",
    "started_on",
    "finished_on",
    "concealed_planned",
    "midterm_planned",
    "warranty_until",
)
AMOUNTS = ("amount", "changes")
PARTS = ("community", "building", "unit", "room")
FIELDS = frozenset(
    {"contract_no", "address", "area_m2", "kind", "store_id", "crew_id", *LINES, *DAYS, *AMOUNTS}
)


def check_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in the form in which they are stored.

    Raises:
        Invalid: a field is unknown, too long, no day, or no amount.
    """
    unknown = sorted(set(given) - FIELDS)
    if unknown:
        raise Invalid("not a field of a project", field=unknown[0])
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in LINES:
            found[name] = maybe_line(value, field=name, limit=LINES[name])
        elif name in AMOUNTS:
            found[name] = None if value is None else money(value, field=name)
        elif name in DAYS:
            found[name] = _day(value, name)
        elif name == "contract_no":
            found[name] = one_line(value or "", field=name, limit=MAX_CONTRACT_NO)
        elif name == "address":
            found[name] = maybe_line(value, field=name, limit=MAX_ADDRESS)
        elif name == "kind":
            found[name] = choice(ProjectKind, value or "", field=name).value
        elif name == "area_m2":
            found[name] = None if value is None else _area(value)
        else:
            found[name] = value or None
    return found


def _day(value: object, field: str) -> date | None:
    if value is None:
        return None
    if not isinstance(value, date):
        raise Invalid("a day like 2026-03-02", field=field)
    if not EARLIEST <= value <= LATEST:
        raise Invalid(f"a day between {EARLIEST} and {LATEST}", field=field)
    return value


def _area(raw: object) -> Decimal:
    try:
        area = Decimal(str(raw).strip())
    except InvalidOperation as error:
        raise Invalid("not a number of square metres", field="area_m2") from error
    if not area.is_finite() or not 0 < area < 100_000 or area != area.quantize(Decimal("0.01")):
        raise Invalid("square metres between 0 and 100000, at most two decimals", field="area_m2")
    return area.quantize(Decimal("0.01"))


def whole_address(given: Mapping[str, Any]) -> str | None:
    """Return the address in one line, made of its parts where it is not given."""
    if given.get("address"):
        return str(given["address"])
    community = given.get("community")
    if not community:
        return None
    text = str(community)
    for name, word in (("building", "号楼"), ("unit", "单元"), ("room", "室")):
        part = given.get(name)
        if part:
            text += f"{part}{word}" if str(part).isalnum() and str(part).isascii() else str(part)
    return text


def check_days(given: Mapping[str, Any], *, today: date) -> None:
    """Raises Invalid when days are out of order, or what has happened lies in the future."""
    for earlier, later in (
        ("contract_starts_on", "contract_ends_on"),
        ("signed_on", "started_on"),
        ("started_on", "finished_on"),
        ("concealed_planned", "midterm_planned"),
        ("started_on", "concealed_planned"),
    ):
        first, second = given.get(earlier), given.get(later)
        if first is not None and second is not None and second < first:
            raise Invalid(f"must not be before {earlier} ({first})", field=later)
    for name in ("signed_on", "started_on", "finished_on"):
        day = given.get(name)
        if day is not None and day > today:
            raise Invalid("lies in the future", field=name)


def check_standing(given: Mapping[str, Any], stage: Stage) -> None:
    """Raises Invalid when a project that is written down at ``stage`` lacks what it must have by then."""
    if stage >= Stage.CREW_ASSIGNED and not given.get("crew_id"):
        raise Invalid("a crew is required from stage 35 on", field="crew_id")
    if stage >= Stage.STARTED and not given.get("started_on"):
        raise Invalid("work that has begun has a day on which it began", field="started_on")
    if stage == Stage.IN_WARRANTY and not given.get("warranty_until"):
        raise Invalid("say until when the warranty lasts", field="warranty_until")
