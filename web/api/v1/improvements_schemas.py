"""The models of improvement measures."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from crm.domain.complaint import ComplaintClass
from crm.domain.improvement import MeasureState, MeasureStep
from crm.pictures import MediaType
from web.api.v1.complaints_schemas import Code, ComplaintBody, Cursor, Id, Limit
from web.api.v1.repair_points_schemas import Month
from web.api.v1.schemas import Out, Query, SiteTime


class MeasuresQuery(Query):
    """Which measures, by due date."""

    state: MeasureState | None = None
    is_open: bool | None = None
    department: Code | None = None
    month: Month | None = None
    case_id: Id | None = None
    overdue: bool = Field(False, description="Only those not done, or not checked, in time.")
    cursor: Cursor | None = None
    limit: Limit = 50


class MeasureChangeIn(ComplaintBody):
    """What an open measure is to be."""

    problem: str = Field(min_length=1, max_length=1000)
    measure: str = Field(min_length=1, max_length=1000)
    due_on: date
    owner_id: Id | None = Field(None, description="Active user of the department; left out: its head.")


class MeasureIn(MeasureChangeIn):
    """A measure as it is set."""

    department: Code
    month: Month | None = Field(None, description="Whose causes it answers; the present one if left out.")
    class_code: ComplaintClass | None = None
    subclass: str | None = Field(None, max_length=24)
    case_id: Id | None = Field(None, description="The complaint that it answers.")


class MeasureReportIn(ComplaintBody):
    """What was done, and what shows it."""

    evidence: str = Field(min_length=1, max_length=1000)


class MeasureCheckIn(ComplaintBody):
    """Whether it had an effect."""

    effective: bool
    text: str = Field(min_length=1, max_length=1000, description="What shows it.")
    due_on: date | None = Field(None, description="Until when, where it begins again.")


class MeasureDropIn(ComplaintBody):
    """Why it is dropped."""

    reason: str = Field(min_length=1, max_length=400)


class EvidenceForm(BaseModel):
    """Nothing comes with a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MeasureOut(Out):
    """A measure; `steps` is what the caller may do with it now."""

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
    round: int = Field(description="2 and more: an effect did not come.")
    reported_on: date | None
    check_from: date | None = Field(description="From then on the effect can be checked.")
    overdue: bool
    steps: tuple[MeasureStep, ...]
    created_at: SiteTime
    created_by: str
    version: int


class MeasureList(Out):
    """A page of measures."""

    items: tuple[MeasureOut, ...]
    next_cursor: str | None


class EvidenceOut(Out):
    """A file that shows what was done."""

    file_id: str
    round: int
    name: str
    media_type: MediaType
    size: int
    has_thumbnail: bool
    uploaded_at: SiteTime
    uploaded_by: str


class MeasureEntryOut(Out):
    """A step that was taken: set, changed, reported, effective, not_effective, dropped."""

    at: SiteTime
    by: str
    step: str
    round: int
    text: str


class MeasureWhole(MeasureOut):
    """A measure with its history, the oldest first, and its evidence."""

    history: tuple[MeasureEntryOut, ...]
    evidence: tuple[EvidenceOut, ...]
