"""What a company warrants, item by item, and what the law gives at least (domain.md §1.10).

The terms are data (``crm/warranty_terms.yaml``); a project that is handed over gets its items from them.
"""

import calendar
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from crm.domain.lines import maybe_line, one_line
from crm.domain.warranty import WarrantyItem
from kernel.errors import ConfigurationError, Invalid

MAX_ITEMS = 40
MAX_NAME = 40
MAX_WHY = 120
LONGEST = 600
"""Months."""
LAW = {"decoration": 24, "wiring": 24, "pipes": 24, "waterproof": 60}
"""Months that the law gives at least, whatever a centre's own file says."""
_CODE = re.compile(r"[a-z][a-z0-9_]{0,19}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long one item is warranted; ``floor`` is what the law gives, 0 where it gives nothing."""

    code: str
    name: str
    months: int
    floor: int = 0


Terms = Mapping[str, Term]


def parse_terms(text: str, source: str = "warranty_terms.yaml") -> Terms:
    """Read the terms.

    Raises:
        ConfigurationError: what is wrong, with its place.
    """
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: not YAML: {str(error)[:200]}") from error
    rows = tree.get("items") if isinstance(tree, dict) and set(tree) == {"items"} else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_ITEMS:
        raise ConfigurationError(f"{source}: one list «items» with 1 to {MAX_ITEMS} entries")
    found: dict[str, Term] = {}
    for place, row in enumerate(rows):
        term = _term(row, f"{source}: items[{place}]")
        if term.code in found:
            raise ConfigurationError(f"{source}: items[{place}].code: {term.code} stands there twice")
        found[term.code] = term
    return found


def _term(row: Any, place: str) -> Term:
    if not isinstance(row, dict) or not set(row) <= {"code", "name", "months", "floor"}:
        raise ConfigurationError(f"{place}: code, name, months and perhaps floor")
    code, name = row.get("code"), row.get("name")
    months, floor = row.get("months"), row.get("floor", 0)
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        raise ConfigurationError(f"{place}.code: small letters, digits and _")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_NAME:
        raise ConfigurationError(f"{place}.name: 1 to {MAX_NAME} characters")
    for key, value in (("months", months), ("floor", floor)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LONGEST:
            raise ConfigurationError(f"{place}.{key}: 0 to {LONGEST} months")
    assert isinstance(months, int), "it was looked at"
    floor = max(floor, LAW.get(code, 0))
    if months < floor or months == 0:
        raise ConfigurationError(f"{place}.months: the law gives at least {floor or 1}")
    return Term(code=code, name=name.strip(), months=months, floor=floor)


@cache
def shipped_terms() -> Terms:
    """Return the terms that come with the product."""
    return parse_terms((files("crm") / "warranty_terms.yaml").read_text(encoding="utf-8"))


def months_after(day: date, months: int) -> date:
    """Return the same day so many months later, or the last of a month that has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def default_items(terms: Terms, accepted_on: date) -> tuple[WarrantyItem, ...]:
    """Return what a home is warranted for whose acceptance was passed on a day."""
    return tuple(
        WarrantyItem(
            code=term.code,
            name=term.name,
            starts_on=accepted_on,
            ends_on=months_after(accepted_on, term.months),
        )
        for term in terms.values()
    )


def checked_items(given: Iterable[WarrantyItem], terms: Terms) -> tuple[WarrantyItem, ...]:
    """Return items as they are stored.

    Raises:
        Invalid: a code twice, days out of order, an exclusion without a reason, less than the law gives.
    """
    found: dict[str, WarrantyItem] = {}
    for place, item in enumerate(given):
        field = f"items.{place}"
        if place == MAX_ITEMS:
            raise Invalid(f"at most {MAX_ITEMS} items", field="items")
        if _CODE.fullmatch(item.code) is None:
            raise Invalid("small letters, digits and _", field=f"{field}.code")
        if item.code in found:
            raise Invalid("stands there already", field=f"{field}.code")
        if item.ends_on < item.starts_on:
            raise Invalid("ends before it begins", field=f"{field}.ends_on")
        term = terms.get(item.code)
        least = months_after(item.starts_on, term.floor) if term is not None and term.floor else None
        if least is not None and item.ends_on < least and not item.excluded:
            raise Invalid(f"the law gives at least until {least}", field=f"{field}.ends_on")
        why = maybe_line(item.why, field=f"{field}.why", limit=MAX_WHY) or ""
        if item.excluded and not why:
            raise Invalid("say why it is not warranted", field=f"{field}.why")
        name = one_line(item.name, field=f"{field}.name", limit=MAX_NAME)
        found[item.code] = WarrantyItem(
            code=item.code,
            name=name,
            starts_on=item.starts_on,
            ends_on=item.ends_on,
            excluded=item.excluded,
            why=why if item.excluded else "",
        )
    return tuple(found.values())
