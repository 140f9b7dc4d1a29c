"""Money for a major complaint: who bears it, who decides, whose pay it comes from (domain.md §1.3b).

The product keeps the decisions that people made; it computes nobody's pay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from zoneinfo import ZoneInfo

from crm.domain.line_steps import SamePerson
from crm.domain.machine import refuse
from kernel.access import Role
from kernel.errors import Forbidden, Invalid

CENT = Decimal("0.01")
MOST = Decimal("9999999.99")
WHOLE = Decimal("100.00")
MAX_STAFF = 20


class Bearer(StrEnum):
    """Who bears a part of an amount (domain.md §4.3), and the staff, whose part HR is told of."""

    CREW = "crew"
    CUSTOMER = "customer"
    COMPANY = "company"
    MANUFACTURER = "manufacturer"
    STAFF = "staff"
    OTHER = "other"


class LiableParty(StrEnum):
    """Among whom liability is shared (domain.md §1.3b E3)."""

    MANUFACTURER = "manufacturer"
    CREW = "crew"
    CUSTOMER = "customer"
    COMPANY = "company"


class CompensationKind(StrEnum):
    """In what form the customer gets it."""

    CASH = "cash"
    DISCOUNT = "discount"
    REWORK = "rework"
    GOODS = "goods"


class CompensationState(StrEnum):
    """Where a request for compensation stands."""

    REQUESTED = "requested"
    REVIEWED = "reviewed"
    """The company's head agrees who bears what; finance writes the voucher."""
    VOUCHERED = "vouchered"
    APPROVED = "approved"
    PAID = "paid"
    REFUSED = "refused"


def read_amount(raw: Decimal | str | int, *, field: str, zero: bool = False) -> Decimal:
    """Return an amount of money with two decimals.

    Raises:
        Invalid: no number, negative, nothing (unless ``zero``), too much, or more than two decimals.
    """
    try:
        amount = Decimal(raw)
    except (InvalidOperation, ValueError) as error:
        raise Invalid("is no amount", field=field) from error
    if not amount.is_finite():
        raise Invalid("is no amount", field=field)
    if amount < 0 or (amount == 0 and not zero):
        raise Invalid("must not be negative" if zero else "must be more than nothing", field=field)
    if amount > MOST:
        raise Invalid(f"at most {MOST}", field=field)
    rounded = amount.quantize(CENT)
    if rounded != amount:
        raise Invalid("at most two decimals", field=field)
    return rounded


def read_shares(
    shares: Mapping[LiableParty, Decimal], *, field: str = "shares"
) -> dict[LiableParty, Decimal]:
    """Return the liability shares in percent, all four parties; together exactly 100.00.

    Raises:
        Invalid: names the share, or ``shares`` when they do not sum up.
    """
    found = {
        party: read_amount(shares.get(party, Decimal(0)), field=f"{field}.{party}", zero=True)
        for party in LiableParty
    }
    total = sum(found.values(), Decimal(0))
    if total != WHOLE:
        raise Invalid(f"the shares sum to {total}, not to {WHOLE}", field=field)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LiablePerson:
    """Somebody of the staff who is liable, with a percentage or an amount, or neither yet."""

    name: str
    staff_id: str | None = None
    percent: Decimal | None = None
    amount: Decimal | None = None


def read_persons(persons: Sequence[LiablePerson], *, field: str = "persons") -> tuple[LiablePerson, ...]:
    """Return the staff who are liable, with tidy figures.

    Raises:
        Invalid: too many, one named twice, a figure that cannot be, or more than 100 % together.
    """
    _check_names([(person.staff_id, person.name) for person in persons], field)
    found = []
    for place, person in enumerate(persons):
        name = f"{field}.{place}"
        if person.percent is not None and person.amount is not None:
            raise Invalid("a percentage or an amount, not both", field=f"{name}.amount")
        percent, amount = person.percent, person.amount
        if percent is not None:
            percent = read_amount(percent, field=f"{name}.percent")
        if amount is not None:
            amount = read_amount(amount, field=f"{name}.amount")
        found.append(replace(person, percent=percent, amount=amount))
    total = sum((person.percent or Decimal(0) for person in found), Decimal(0))
    if total > WHOLE:
        raise Invalid(f"the persons' shares sum to {total}, more than {WHOLE}", field=field)
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryShare:
    """What somebody of the staff bears."""

    name: str
    amount: Decimal
    staff_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An amount, who bears it, and of the staff's part each one's."""

    amount: Decimal
    bearers: Mapping[Bearer, Decimal]
    recovery: tuple[RecoveryShare, ...] = ()


def read_split(
    amount: Decimal, bearers: Mapping[Bearer, Decimal], recovery: Iterable[RecoveryShare]
) -> Split:
    """Return an amount and its bearers, which sum to it; the staff's part is spread over named people.

    Raises:
        Invalid: names the field that does not fit.
    """
    total = read_amount(amount, field="amount")
    found = {
        bearer: read_amount(part, field=f"bearers.{bearer}", zero=True) for bearer, part in bearers.items()
    }
    found = {bearer: part for bearer, part in found.items() if part}
    borne = sum(found.values(), Decimal(0))
    if borne != total:
        raise Invalid(f"the bearers' parts sum to {borne}, not to {total}", field="bearers")
    people = tuple(recovery)
    _check_names([(person.staff_id, person.name) for person in people], "recovery")
    people = tuple(
        replace(person, amount=read_amount(person.amount, field=f"recovery.{place}.amount"))
        for place, person in enumerate(people)
    )
    named = sum((person.amount for person in people), Decimal(0))
    staff = found.get(Bearer.STAFF, Decimal(0))
    if named != staff:
        raise Invalid(f"named people bear {named}, the staff's part is {staff}", field="recovery")
    return Split(amount=total, bearers=found, recovery=people)


def _check_names(people: Sequence[tuple[str | None, str]], field: str) -> None:
    if len(people) > MAX_STAFF:
        raise Invalid(f"at most {MAX_STAFF} people", field=field)
    keys = [staff_id or name for staff_id, name in people]
    if len(set(keys)) != len(keys):
        raise Invalid("somebody is named twice", field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """A request for compensation, as far as the rules depend on it.

    Attributes:
        entered_by: everybody who entered or changed an amount of it, the voucher's included.
    """

    state: CompensationState
    amount: Decimal
    requested_by: str
    entered_by: frozenset[str]
    approved_at: datetime | None = None


def change_amount(found: Compensation, amount: Decimal, by: str) -> Compensation:
    """Change what is requested, before anybody has agreed to it."""
    _need(found, "change the amount", CompensationState.REQUESTED)
    return replace(found, amount=amount, entered_by=found.entered_by | {by})


def review(
    found: Compensation, by: str, role: Role | None, *, agreed: bool, threshold: Decimal
) -> Compensation:
    """E5: the company's head agrees to the amount and who bears it, or not.

    Raises:
        SamePerson: whoever entered or changed the amount does not decide on it.
        Forbidden: it is over the threshold and the general manager is somebody else.
    """
    _need(found, "review", CompensationState.REQUESTED)
    check_decider(found, by, role, threshold)
    return replace(found, state=CompensationState.REVIEWED if agreed else CompensationState.REFUSED)


def write_voucher(found: Compensation, amount: Decimal, by: str) -> Compensation:
    """E6: finance writes the voucher.

    Raises:
        Invalid: its amount is not the one that was agreed to.
    """
    _need(found, "write a voucher", CompensationState.REVIEWED)
    if amount != found.amount:
        raise Invalid(f"the voucher says {amount}, agreed was {found.amount}", field="amount")
    return replace(found, state=CompensationState.VOUCHERED, entered_by=found.entered_by | {by})


def approve(
    found: Compensation, by: str, role: Role | None, now: datetime, *, approved: bool, threshold: Decimal
) -> Compensation:
    """E7: the signature that releases the money, or a refusal. Raises as :func:`review`."""
    _need(found, "approve", CompensationState.VOUCHERED)
    check_decider(found, by, role, threshold)
    if not approved:
        return replace(found, state=CompensationState.REFUSED)
    return replace(found, state=CompensationState.APPROVED, approved_at=now)


def pay(found: Compensation, paid_at: datetime, now: datetime) -> Compensation:
    """E8: the money is with the customer.

    Raises:
        Invalid: paid before it was approved, or in the future.
    """
    _need(found, "pay", CompensationState.APPROVED)
    if paid_at > now:
        raise Invalid("lies ahead", field="paid_at")
    if found.approved_at is not None and paid_at < found.approved_at:
        raise Invalid("is before the approval", field="paid_at")
    return replace(found, state=CompensationState.PAID)


def payroll_month(approved_at: datetime, zone: ZoneInfo) -> str:
    """Return the month whose pay it comes from: that of the approval on the site's calendar, ``2026-03``."""
    return approved_at.astimezone(zone).strftime("%Y-%m")


def _need(found: Compensation, step: str, state: CompensationState) -> None:
    if found.state is not state:
        raise refuse(step, found.state, ())


def check_decider(found: Compensation, by: str, role: Role | None, threshold: Decimal) -> None:
    """Refuse who may not decide about the money. Raises SamePerson and Forbidden."""
    if by in found.entered_by or by == found.requested_by:
        raise SamePerson("whoever entered the amount does not decide on it", field="amount")
    if role is None:
        raise Forbidden("a person decides about money")
    if found.amount > threshold and role is not Role.GENERAL_MANAGER:
        raise Forbidden(f"more than {threshold}: the general manager decides", field="amount")
