"""The models of the manager's lists: repeat complaints, flagged customers, a month's causes."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from crm.domain.case import CaseStatus
from crm.domain.compensation import LiableParty
from crm.domain.complaint import ComplaintClass
from web.api.v1.complaints_answers import ComplaintHeader
from web.api.v1.complaints_schemas import Code, Cursor, Limit
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime

Number = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]
StoreName = Annotated[str, Field(min_length=1, max_length=60)]
Month = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]


class RepeatsQuery(Query):
    """Which complaints that repeat, newest first."""

    since: AskedTime = Field(description="Registered then or later.")
    until: AskedTime = Field(description="Registered before then; at most 400 days later.")
    department: Code | None = Field(None, description="With a part of this department.")
    store: StoreName | None = None
    class_code: ComplaintClass | None = Field(None, description="With a line of this class.")
    open: bool | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class EarlierComplaintOut(Out):
    """A complaint that came before; read it at `/complaints/{case_id}`."""

    case_id: str
    no: str
    status: CaseStatus
    opened_at: SiteTime
    classes: tuple[ComplaintClass, ...]
    same_class: bool = Field(description="Of a class of the later one, on its project.")


class RepeatOut(Out):
    """A complaint that repeats: the same customer within 90 days, or the same class on the same project."""

    case: ComplaintHeader
    classes: tuple[ComplaintClass, ...]
    causes: tuple[str, ...]
    earlier: tuple[EarlierComplaintOut, ...] = Field(description="Newest first, at most ten.")
    times: int = Field(description="How many came before.")
    same_class: bool


class RepeatCountOut(Out):
    """How many repeat complaints have a line of a class."""

    class_code: ComplaintClass
    count: int


class RepeatList(Out):
    """A page of repeat complaints; the counts are those of all pages."""

    items: tuple[RepeatOut, ...]
    by_class: tuple[RepeatCountOut, ...]
    next_cursor: str | None


class ProblemCustomersQuery(Query):
    """Which flagged customers, the newest flag first."""

    store: StoreName | None = None
    with_open_cases: bool = False
    cursor: Cursor | None = None
    limit: Limit = 50


class FlagChangeOut(Out):
    """A change of the flag; `reason` is `null` where it was taken away."""

    at: SiteTime
    by: str
    reason: str | None
    before: str | None


class ProblemCustomerOut(Out):
    """A flagged customer; `set_at` and `set_by` are those of the reason in force."""

    customer_id: str
    name: str
    salutation: str | None
    level: str
    store: str | None
    reason: str
    set_at: SiteTime
    set_by: str | None
    open_cases: int
    complaints: int
    last_case_at: SiteTime | None
    history: tuple[FlagChangeOut, ...] = Field(description="Newest first, at most ten.")


class ProblemCustomerList(Out):
    """A page of flagged customers."""

    items: tuple[ProblemCustomerOut, ...]
    next_cursor: str | None


class OwnCausesQuery(Query):
    """Which month."""

    month: Month | None = Field(None, description="`2026-03`; the present one unless given.")


class MonthCausesQuery(OwnCausesQuery):
    """Which month, of all departments or of one."""

    department: Code | None = None


class ShareOut(Out):
    """A share with its numerator and denominator; `value` is `null` over nothing."""

    done: int
    all: int
    value: float | None


class CauseOut(Out):
    """A cause and how often it came up."""

    class_code: ComplaintClass
    subclass: str | None
    lines: int
    responsible: int


class MajorCauseOut(Out):
    """A major complaint judged or paid for in the month; `shares` is empty when it was not judged in it."""

    escalation_id: str
    case_id: str
    no: str
    cause: str
    departments: tuple[str, ...]
    shares: dict[LiableParty, Number]
    paid: Number


class DepartmentCausesOut(Out):
    """A department's month."""

    department: str
    department_name: str
    complaints: int
    lines: int
    responsible: int = Field(description="Lines neither sent back nor unfounded.")
    refused: int
    unsolved: int
    share: ShareOut = Field(description="Its responsible lines over all departments'.")
    judged: int
    liability: dict[LiableParty, Number] = Field(description="Mean share over what was judged.")
    paid_cases: int
    paid: Number = Field(description="A complaint of two departments counts for both.")
    causes: tuple[CauseOut, ...]


class MonthCausesOut(Out):
    """What a month's complaints were about."""

    month: str
    as_of: SiteTime
    departments: tuple[DepartmentCausesOut, ...]
    major: tuple[MajorCauseOut, ...]
    lines: int
    responsible: int
    paid: Number = Field(description="Counted once.")
