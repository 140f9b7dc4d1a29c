"""What ``crm`` shows to others: frozen values, safe to pass between tasks."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectBrief:
    """A project beside a call."""

    project_id: str
    contract_no: str
    address: str
    stage: int
    stage_label: str
    crew: str | None
    crew_status: str | None
    project_manager: str | None
    designer: str | None
    inspector: str | None
    warranty_until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBrief:
    """A case beside a call; ``spoken_status`` is a sentence that may be read to the caller."""

    case_id: str
    no: str
    kind: str
    kind_label: str
    status: str
    status_label: str
    spoken_status: str
    summary: str
    department: str | None
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactBrief:
    """One entry of the customer's time line."""

    contact_id: str
    at: datetime
    channel: str
    direction: str
    ref: str
    result: str | None
    agent: str | None
    queue: str | None
    disposition: str | None
    notes: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCard:
    """What an agent sees of a customer when the phone rings.

    Attributes:
        greeting: how to address them (``王先生``), empty when not known.
        phones_masked: every number with its middle hidden.
        open_cases: newest first.
        recent_contacts: the last three, newest first.
    """

    customer_id: str
    name: str
    salutation: str | None
    greeting: str
    level: str
    level_reason: str | None
    store: str | None
    phones_masked: tuple[str, ...]
    projects: tuple[ProjectBrief, ...]
    open_cases: tuple[CaseBrief, ...]
    recent_contacts: tuple[ContactBrief, ...]
    do_not_call: bool
    frozen_reason: str | None
    problem_reason: str | None
    elder_mode: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequestView:
    """An open wish to be called back."""

    request_id: str
    phone: str
    customer_id: str | None
    customer_name: str | None
    call_id: str
    reason: str
    requested_at: datetime
    wanted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContact:
    """A finished call, as the time line wants it.

    Attributes:
        customer_id: whom we called, where that is known; else the number says whose call it was.
        case_id, no: the case that it was made about.
    """

    call_id: str
    at: datetime
    direction: str
    phone: str | None
    result: str
    agent: str | None
    queue: str | None
    talk_seconds: float
    menu_path: tuple[str, ...]
    customer_id: str | None = None
    case_id: str | None = None
    no: str | None = None
