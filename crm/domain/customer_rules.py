"""What may be written down about a customer (domain.md §4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from enum import StrEnum

from crm.domain.customer import Level, Salutation
from crm.domain.lines import choice, maybe_line, one_line
from kernel.errors import Invalid
from kernel.phone import InvalidPhone, Phone, PhoneKind

MAX_NAME = 40
MAX_REASON = 200
MAX_LABEL = 20
MAX_PHONES = 5


class Channel(StrEnum):
    """How the customer likes to be reached."""

    PHONE = "phone"
    WECHAT = "wechat"
    SMS = "sms"


class NumberKind(StrEnum):
    """What sort of number a customer has."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    OTHER = "other"


class BadNumber(StrEnum):
    """Why nobody can be reached on a number."""

    EMPTY = "empty"
    WRONG_PERSON = "wrong_person"
    OUT_OF_SERVICE = "out_of_service"
    NEVER_ANSWERS = "never_answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneEntry:
    """A number as somebody enters it: a new one, or a known one by its id.

    Attributes:
        verified: somebody was reached on it.
        bad: why nobody can be.
    """

    number: str | None = None
    phone_id: str | None = None
    label: str | None = None
    preferred: bool = False
    verified: bool = False
    bad: BadNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A number that the customer has already."""

    phone_id: str
    e164: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPhone:
    """A number that may be stored."""

    e164: str
    kind: NumberKind
    label: str | None
    preferred: bool
    verified: bool
    bad: BadNumber | None


def kind_of(phone: Phone) -> NumberKind:
    """Return what sort of number it is."""
    match phone.kind:
        case PhoneKind.MOBILE:
            return NumberKind.MOBILE
        case PhoneKind.LANDLINE:
            return NumberKind.LANDLINE
    return NumberKind.OTHER


def parse_number(raw: str, *, area: str, field: str) -> Phone:
    """Return a number that a customer may have.

    Raises:
        InvalidPhone: it is none, or a short public one.
    """
    try:
        phone = Phone.parse(raw, default_area=area)
    except InvalidPhone as error:
        raise InvalidPhone(error.message, field=field) from error
    if phone.kind is PhoneKind.SHORT:
        raise InvalidPhone("a public short number is nobody's own", field=field)
    return phone


def check_phones(
    entries: Sequence[PhoneEntry], known: Sequence[Known], *, area: str
) -> tuple[CheckedPhone, ...]:
    """Return the numbers that a customer shall have, the preferred one marked.

    Raises:
        Invalid: none, more than five (or than there were), one twice, two preferred, or an unknown id.
        InvalidPhone: a number is none.
    """
    if not entries:
        raise Invalid("at least one phone number", field="phones")
    # A customer who was merged from two may have more; they may stay.
    if len(entries) > max(MAX_PHONES, len(known)):
        raise Invalid(f"at most {MAX_PHONES} phone numbers", field="phones")
    if sum(entry.preferred for entry in entries) > 1:
        raise Invalid("only one number can be preferred", field="phones")
    by_id = {item.phone_id: item.e164 for item in known}
    found: list[CheckedPhone] = []
    for index, entry in enumerate(entries):
        field = f"phones.{index}.number"
        if entry.phone_id is not None:
            e164 = by_id.get(entry.phone_id)
            if e164 is None:
                raise Invalid("the customer has no such number", field=f"phones.{index}.phone_id")
            phone = Phone.parse(e164)
        else:
            phone = parse_number(entry.number or "", area=area, field=field)
        if any(other.e164 == phone.e164 for other in found):
            raise Invalid("the same number twice", field=field)
        if entry.bad is not None and (entry.preferred or entry.verified):
            raise Invalid("a number that reaches nobody is neither preferred nor verified", field=field)
        found.append(
            CheckedPhone(
                e164=phone.e164,
                kind=kind_of(phone),
                label=maybe_line(entry.label, field=f"phones.{index}.label", limit=MAX_LABEL),
                preferred=entry.preferred,
                verified=entry.verified,
                bad=entry.bad,
            )
        )
    return tuple(found)


def check_name(raw: str) -> str:
    """Return the name. Raises Invalid."""
    return one_line(raw, field="name", limit=MAX_NAME)


def check_salutation(raw: str | None) -> str | None:
    """Return the title, ``None`` for none. Raises Invalid."""
    return choice(Salutation, raw, field="salutation").value if raw else None


def check_level(level: str, reason: str | None) -> tuple[Level, str]:
    """Return level and reason. Raises Invalid when either is missing."""
    if not reason or not reason.strip():
        raise Invalid("say why", field="level_reason")
    return choice(Level, level, field="level"), one_line(reason, field="level_reason", limit=MAX_REASON)


def check_window(start: time | None, end: time | None) -> None:
    """Raises Invalid when the hours in which the customer likes to be reached are not a window."""
    if (start is None) != (end is None):
        field = "preferred_from" if start is None else "preferred_until"
        raise Invalid("give both ends of the time, or neither", field=field)
    if start is not None and end is not None and start >= end:
        raise Invalid("must be after the beginning", field="preferred_until")
