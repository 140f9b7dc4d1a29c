"""What the services of customers show: frozen values. Numbers are whole; the web masks them by role."""

from dataclasses import dataclass
from datetime import date, datetime, time

from crm.domain.freeze import (
    CallbackKind,
    ConsentBasis,
    ConsentPurpose,
    FreezeScope,
    RefusalLevel,
    RefusalSource,
)
from kernel.phone import mask


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneView:
    """A number of a customer. ``phone_id`` names it to people who see it masked."""

    phone_id: str
    number: str
    kind: str
    label: str | None
    preferred: bool
    verified_at: datetime | None
    bad_since: datetime | None
    bad_reason: str | None

    @property
    def masked(self) -> str:
        """The number with its middle hidden."""
        return mask(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeView:
    """A freeze. ``active`` is as of the moment it was read; one that ended by itself has no ``thawed_by``."""

    freeze_id: str
    customer_id: str
    customer_name: str
    scope: FreezeScope
    since: datetime
    planned_thaw: date | None
    reason: str
    by: str
    active: bool
    thawed_at: datetime | None
    thawed_by: str | None
    thaw_reason: str | None
    callback_needed: bool | None
    callback_kind: CallbackKind | None
    callback_on: date | None
    answered_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalView:
    """An entry of the do-not-call list."""

    entry_id: str
    customer_id: str | None
    level: RefusalLevel
    since: datetime
    source: RefusalSource
    evidence: str
    by: str
    numbers: tuple[str, ...]
    lifted_at: datetime | None
    lifted_by: str | None
    lift_reason: str | None
    lift_evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """A consent; ``withdrawn_at`` is empty while it holds."""

    consent_id: str
    purpose: ConsentPurpose
    basis: ConsentBasis
    given_at: datetime
    evidence: str
    text_version: str
    recorded_by: str
    withdrawn_at: datetime | None
    withdrawn_evidence: str | None
    withdrawn_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord:
    """Everything that is written down about a customer.

    Attributes:
        asked_id: the id that was asked for; another one when that customer was merged into this one.
        freeze: the freeze in force; ``freezes`` are all of them, newest first.
        refusals: entries of the do-not-call list in force.
        consents: newest first, withdrawn ones too.
    """

    customer_id: str
    asked_id: str
    name: str
    salutation: str | None
    level: str
    level_reason: str | None
    level_set_by: str | None
    level_set_at: datetime | None
    store_id: str | None
    store: str | None
    phones: tuple[PhoneView, ...]
    preferred_channel: str
    preferred_from: time | None
    preferred_until: time | None
    elder_mode: bool
    problem_reason: str | None
    freeze: FreezeView | None
    freezes: tuple[FreezeView, ...]
    refusals: tuple[RefusalView, ...]
    consents: tuple[ConsentView, ...]
    created_at: datetime
    created_by: str | None
    updated_at: datetime | None
    updated_by: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSummary:
    """A customer in a list; numbers are masked."""

    customer_id: str
    name: str
    salutation: str | None
    level: str
    store: str | None
    phones_masked: tuple[str, ...]
    projects: int
    do_not_call: bool
    frozen: bool
    problem: bool
    elder_mode: bool
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """A page of customers, newest first."""

    items: tuple[CustomerSummary, ...]
    next_cursor: str | None
