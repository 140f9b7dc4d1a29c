"""Reads forms about customers and projects, and shows them again as they were typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from aiohttp import web

from crm.domain.customer_rules import BadNumber, PhoneEntry
from kernel.errors import Conflict, HuifangError, Invalid
from web.pages.people_words import advice

ROWS = 5
"""Rows for numbers on the form; a customer with more keeps theirs."""

Form = Mapping[str, str]
EXPECTED = (Invalid, Conflict)
"""What a person can put right in the form."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was refused: which, at which field, and what to do."""

    form: str
    field: str
    text: str

    @property
    def is_stale(self) -> bool:
        """Whether somebody else was faster."""
        return self.field == "If-Match"

    @classmethod
    def of(cls, form: str, error: HuifangError) -> "Refused":
        """Return what to show for an error."""
        return cls(form, (error.field or "").split(".")[0], advice(error.field, error.code))


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """A row of the form: what was typed, and what is known of the number."""

    index: int
    phone_id: str
    number: str
    label: str
    verified: bool
    bad: str


async def read_form(request: web.Request) -> Form:
    """Return the fields of a posted form; files and repeated fields count for nothing."""
    posted = await request.post()
    return {name: value for name, value in posted.items() if isinstance(value, str)}


def version_of(form: Form) -> int:
    """Return the version that the page showed. Raises Invalid."""
    text = form.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("reload the page", field="version")
    return int(text)


def text(form: Form, name: str) -> str:
    """Return what was typed."""
    return form.get(name, "").strip()


def maybe(form: Form, name: str) -> str | None:
    """Return what was typed, ``None`` for nothing."""
    return text(form, name) or None


def day(form: Form, name: str) -> date | None:
    """Return a day. Raises Invalid."""
    typed = text(form, name)
    if not typed:
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError as error:
        raise Invalid("a day like 2026-03-02", field=name) from error


def needed_day(form: Form, name: str) -> date:
    """Return a day that must be given. Raises Invalid."""
    found = day(form, name)
    if found is None:
        raise Invalid("a day like 2026-03-02", field=name)
    return found


def hour(form: Form, name: str) -> time | None:
    """Return a time of day. Raises Invalid."""
    typed = text(form, name)
    if not typed:
        return None
    try:
        return time.fromisoformat(typed)
    except ValueError as error:
        raise Invalid("a time like 09:30", field=name) from error


def number(form: Form, name: str) -> int:
    """Return a whole number. Raises Invalid."""
    typed = text(form, name)
    try:
        return int(typed)
    except ValueError as error:
        raise Invalid("a number", field=name) from error


def customer_fields(form: Form) -> dict[str, Any]:
    """Return the fields of a customer. Raises Invalid."""
    return {
        "name": form.get("name", ""),
        "salutation": maybe(form, "salutation"),
        "store_id": maybe(form, "store_id"),
        "preferred_channel": text(form, "preferred_channel") or "phone",
        "preferred_from": hour(form, "preferred_from"),
        "preferred_until": hour(form, "preferred_until"),
        "elder_mode": "elder_mode" in form,
        "problem_reason": maybe(form, "problem_reason"),
    }


def phone_rows(form: Form) -> list[PhoneRow]:
    """Return the rows of numbers as they were typed."""
    rows = []
    for index in range(ROWS * 4):
        if f"number{index}" not in form and f"phone_id{index}" not in form:
            continue
        rows.append(
            PhoneRow(
                index=index,
                phone_id=text(form, f"phone_id{index}"),
                number=text(form, f"number{index}"),
                label=text(form, f"label{index}"),
                verified=f"verified{index}" in form,
                bad=text(form, f"bad{index}"),
            )
        )
    return rows


def phone_entries(form: Form) -> list[PhoneEntry]:
    """Return the numbers that the customer shall have: an emptied row takes its number away. Raises Invalid.

    A known number that was not touched goes by its id: who edits it may not see it whole.
    """
    preferred = text(form, "preferred")
    entries = []
    for row in phone_rows(form):
        known = row.phone_id and row.number == form.get(f"masked{row.index}", "")
        if not row.number:
            continue
        try:
            bad = BadNumber(row.bad) if row.bad else None
        except ValueError as error:
            raise Invalid("not one of the choices", field="phones") from error
        entries.append(
            PhoneEntry(
                phone_id=row.phone_id if known else None,
                number=None if known else row.number,
                label=row.label or None,
                preferred=preferred == str(row.index),
                verified=row.verified,
                bad=bad,
            )
        )
    return entries


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that is not any more as the page showed it."""

    label: str
    was: str
    now: str


def changed_since(form: Form, shown: Mapping[str, tuple[str, str]]) -> list[Changed]:
    """Return what differs from what the page showed when somebody began to type.

    The form brings that along in fields ``was-NAME``; ``shown`` has name → label and present text.
    """
    return [
        Changed(label, form[f"was-{name}"], now)
        for name, (label, now) in shown.items()
        if f"was-{name}" in form and _plain(form[f"was-{name}"]) != _plain(now)
    ]


def _plain(text: str) -> str:
    """Browsers send line ends of their own."""
    return " ".join(text.split())
