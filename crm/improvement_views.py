"""What improvement measures look like from outside."""

from dataclasses import dataclass
from datetime import date, datetime

from crm.domain.complaint import ComplaintClass
from crm.domain.improvement import MeasureState, MeasureStep
from crm.pictures import MediaType


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMeasure:
    """A measure as it is set.

    Attributes:
        month: whose causes it answers; the present one for ``None``.
        owner_id: user of the department who sees to it; ``None``: its head.
    """

    problem: str
    measure: str
    department: str
    due_on: date
    month: str | None = None
    owner_id: str | None = None
    class_code: ComplaintClass | None = None
    subclass: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureChange:
    """What of an open measure is written anew."""

    problem: str
    measure: str
    due_on: date
    owner_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureFilter:
    """Which measures; ``open`` leaves out those that are over."""

    state: MeasureState | None = None
    is_open: bool | None = None
    department: str | None = None
    month: str | None = None
    case_id: str | None = None
    overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A file that shows what was done."""

    file_id: str
    round: int
    name: str
    media_type: MediaType
    size: int
    has_thumbnail: bool
    uploaded_at: datetime
    uploaded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureEntry:
    """A step that was taken: set, changed, reported, effective, not_effective, dropped."""

    at: datetime
    by: str
    step: str
    round: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureView:
    """A measure.

    Attributes:
        check_from: the day from which its effect can be checked.
        overdue: not done in time, or the effect not checked in the month for it.
        steps: what the actor may do with it now.
    """

    measure_id: str
    month: str
    problem: str
    measure: str
    class_code: ComplaintClass | None
    subclass: str | None
    case_id: str | None
    case_no: str | None
    department: str
    department_name: str
    owner_id: str | None
    owner: str
    due_on: date
    state: MeasureState
    round: int
    reported_on: date | None
    check_from: date | None
    overdue: bool
    steps: tuple[MeasureStep, ...]
    created_at: datetime
    created_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureDetail:
    """A measure with its history, the oldest first, and its evidence."""

    measure: MeasureView
    history: tuple[MeasureEntry, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurePage:
    """A page of measures; ``next_cursor`` leads on."""

    items: tuple[MeasureView, ...]
    next_cursor: str | None
