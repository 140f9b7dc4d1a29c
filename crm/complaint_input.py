"""What people enter about complaints, checked and tidied before anything is stored."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import known_department, tidy_text
from crm.domain.case import Severity, Source
from crm.domain.classification import Nature, Urgency
from crm.domain.complaint import (
    CONFIDENTIAL,
    MAX_LINES,
    ComplaintClass,
    Verdict,
    check_subclass,
    department_for,
)
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.handoff import Signed
from crm.handoffs import Dispatch
from crm.members import Members, member_of
from kernel.errors import Invalid
from kernel.ids import is_ulid

MAX_DEMAND = 1000
MAX_CAUSE = 1000
MAX_NOTE = 1000
MAX_WHY = 400
MAX_PLAN = 4000
MAX_RECORD = 4000
MAX_NAME = 40
MAX_MANUFACTURER = 60
MAX_PHOTOS = 20
OLDEST = timedelta(days=366 * 5)
FURTHEST = timedelta(days=366 * 2)
"""What somebody wants later than that is a slip of the finger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A cause, and whose it is. Without ``department`` the class's own gets it (domain.md §4.3)."""

    class_: ComplaintClass
    cause: str
    subclass: str | None = None
    department: str | None = None
    person: str | None = None
    person_id: str | None = None
    manufacturer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComplaint:
    """What the form has when a complaint is registered.

    Attributes:
        complained_at: when the customer said it; now unless given.
        want_by: by when the customer wants it solved.
        severity: what the agent proposes; no word of the text decides it.
        severity_reason: why the manager takes one from a grave source for a general one.
        hand_off: hand all lines off at once.
    """

    customer_id: str
    content: str
    lines: tuple[NewLine, ...]
    project_id: str | None = None
    source: Source = Source.PHONE
    external_no: str | None = None
    demand: str = ""
    want_by: datetime | None = None
    severity: Severity = Severity.GENERAL
    severity_reason: str = ""
    nature: Nature = Nature.COMPLAINT
    urgency: Urgency = Urgency.NORMAL
    complained_at: datetime | None = None
    call_id: str | None = None
    hand_off: Dispatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """How a department accepts: the signature, the way, and what it plans."""

    signature: Signed
    mode: AcceptMode
    person: str | None = None
    person_id: str | None = None
    planned_visit_at: datetime | None = None
    planned_plan_at: datetime | None = None
    planned_solve_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """A plan for a line. Any ``pay_customer`` needs the manager's approval, and then an escalation."""

    plan: str
    solve_at: datetime
    visit_from: datetime | None = None
    visit_until: datetime | None = None
    pay_customer: Decimal | None = None
    penalty: Decimal | None = None
    needs_approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVisit:
    """What happened at the customer's. ``photos`` are ids of stored pictures."""

    arrived_at: datetime
    left_at: datetime
    who: str
    record: str
    photos: tuple[str, ...] = ()


class Timeliness(StrEnum):
    """Whether the customer found it quick enough."""

    TIMELY = "timely"
    LATE = "late"
    UNKNOWN = "unknown"


class Contacted(StrEnum):
    """Whether the department contacted the customer in time, says the customer."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCallback:
    """What the customer said when called back.

    Attributes:
        problem: of every line that can be asked about, unless ``lines`` says otherwise for one.
        lines: line id → what was said of it.
        satisfaction: the final one; the verdict unless given.
        timeliness: asked of everybody who was reached; ``unknown`` when they did not say.
    """

    verdict: Verdict
    problem: ProblemStatus | None = None
    lines: tuple[tuple[str, ProblemStatus], ...] = ()
    satisfaction: Verdict | None = None
    timeliness: Timeliness | None = None
    contacted_in_time: Contacted = Contacted.UNKNOWN
    compensation_mentioned: bool = False
    call_id: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Where a complaint came from and what keeps it from coming again."""

    root_cause: str
    preventive_step: str
    owner: str


async def read_lines(session: AsyncSession, lines: tuple[NewLine, ...], members: Members) -> list[NewLine]:
    """Return tidy lines with their departments.

    Raises:
        Invalid: none, too many, or something about one of them; the field says which.
    """
    if not lines:
        raise Invalid("at least one cause", field="lines")
    if len(lines) > MAX_LINES:
        raise Invalid(f"at most {MAX_LINES} causes", field="lines")
    return [
        await read_line(session, line, members, place=f"lines.{number}.") for number, line in enumerate(lines)
    ]


async def read_line(session: AsyncSession, line: NewLine, members: Members, *, place: str = "") -> NewLine:
    """Return a tidy line with its department. Raises Invalid, which names the field after ``place``."""
    try:
        check_subclass(line.class_, line.subclass)
        department = department_for(line.class_, line.department)
    except Invalid as error:
        raise Invalid(error.message, field=f"{place}{error.field}") from error
    await known_department(session, department, field=f"{place}department")
    if line.class_ in CONFIDENTIAL and line.person_id is not None:
        raise Invalid(
            "the manager handles it: nobody of a department is in charge", field=f"{place}person_id"
        )
    return replace(
        line,
        cause=tidy_text(line.cause, field=f"{place}cause", limit=MAX_CAUSE),
        department=department,
        person=name_of(line.person, f"{place}person"),
        person_id=await member_of(members, session, line.person_id, department, field=f"{place}person_id"),
        manufacturer=name_of(line.manufacturer, f"{place}manufacturer", MAX_MANUFACTURER),
    )


def name_of(raw: str | None, field: str, limit: int = MAX_NAME) -> str | None:
    """Return a tidy name on one line, ``None`` for an empty one. Raises Invalid."""
    if raw is None:
        return None
    text = tidy_text(raw, field=field, limit=limit, required=False)
    return " ".join(text.split()) or None


def timeliness_of(new: NewCallback) -> Timeliness | None:
    """Return whether it was quick enough, as each callback that reached the customer says (domain.md §1.3).

    Raises:
        Invalid: it was not asked, or answered by nobody.
    """
    if new.verdict is not Verdict.NOT_REACHED:
        if new.timeliness is None:
            raise Invalid("the customer was reached: write down whether it was in time", field="timeliness")
        return new.timeliness
    if new.timeliness not in {None, Timeliness.UNKNOWN}:
        raise Invalid("nobody was reached, so nobody answered", field="timeliness")
    return None


def id_of(raw: str | None, field: str) -> str | None:
    """Return an id. Raises Invalid when it is none."""
    if raw is not None and not is_ulid(raw):
        raise Invalid("is no id", field=field)
    return raw


def why_of(raw: str, field: str = "reason") -> str:
    """Return a reason that must be given. Raises Invalid."""
    return tidy_text(raw, field=field, limit=MAX_WHY)


def check_times(new: NewComplaint, now: datetime) -> datetime:
    """Return when the customer complained.

    Raises:
        Invalid: in the future, years ago, or wanted before it was said or in years.
    """
    at = new.complained_at or now
    if at > now:
        raise Invalid("lies ahead", field="complained_at")
    if now - at > OLDEST:
        raise Invalid("is too long ago", field="complained_at")
    if new.want_by is not None and new.want_by < at:
        raise Invalid("is wanted before it was complained of", field="want_by")
    if new.want_by is not None and new.want_by - now > FURTHEST:
        raise Invalid("is more than two years ahead", field="want_by")
    return at


def read_photos(photos: tuple[str, ...]) -> list[str]:
    """Return ids of stored pictures. Raises Invalid."""
    if len(photos) > MAX_PHOTOS:
        raise Invalid(f"at most {MAX_PHOTOS} photos", field="photos")
    for photo in photos:
        id_of(photo, "photos")
    return list(dict.fromkeys(photos))
