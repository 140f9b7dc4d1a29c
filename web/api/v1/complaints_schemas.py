"""The models of complaints as they are sent."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm.cases import CaseFilter
from crm.complaint_input import Contacted, Timeliness
from crm.domain.case import CaseKind, CaseStatus, Severity, Source
from crm.domain.classification import Nature, Urgency
from crm.domain.complaint import ComplaintClass, Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.handoff import HandoffForm, SignatureKind
from crm.handoffs import Box
from crm.limit_lists import OverdueList
from web.api.v1.schemas import AskedTime, Query

Id = Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$", description="A ULID.")]
Code = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[A-Za-z0-9_-]+$")]
Why = Annotated[str, Field(min_length=1, max_length=400)]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Money = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=14)]
Cursor = Annotated[str, Field(min_length=1, max_length=200)]
Limit = Annotated[int, Field(ge=1, le=200)]

ComplaintStatusName = Literal[
    "registered",
    "handed_off",
    "rejected",
    "accepted",
    "verified",
    "planned",
    "on_site",
    "done",
    "callback",
    "closed",
    "not_filed",
]


class ComplaintBody(BaseModel):
    """Base of bodies: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class CasesQuery(Query):
    """Which cases to list; a kind of case adds its states."""

    is_open: bool | None = None
    department: Code | None = None
    specialist_id: Id | None = None
    customer_id: Id | None = None
    project_id: Id | None = None
    severity: Severity | None = None
    source: Source | None = None
    since: AskedTime | None = Field(None, description="Registered then or later.")
    until: AskedTime | None = Field(None, description="Registered before then.")
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    limit: Limit = 50

    def wanted(self, status: str | None) -> CaseFilter:
        """Return the filter that it asks for."""
        return CaseFilter(
            statuses=(CaseStatus(status),) if status else (),
            is_open=self.is_open,
            department=self.department,
            specialist_id=self.specialist_id,
            customer_id=self.customer_id,
            project_id=self.project_id,
            severity=self.severity,
            source=self.source,
            opened_since=self.since,
            opened_until=self.until,
        )


class ComplaintsQuery(CasesQuery):
    """Which complaints to list, newest first."""

    status: ComplaintStatusName | None = None


class DispatchIn(ComplaintBody):
    """How something is handed off."""

    form: HandoffForm = HandoffForm.ELECTRONIC
    copy_left: bool = Field(True, description="A copy of the sheet stays with the department.")
    note: str = Field("", max_length=400)


class CauseLineIn(ComplaintBody):
    """A cause, and whose it is."""

    class_code: ComplaintClass = Field(description="1 workmanship … 10 contract (domain.md §4.3).")
    subclass: str | None = Field(None, max_length=24)
    cause: str = Field(min_length=1, max_length=1000)
    department: Code | None = Field(None, description="The class's own department unless given.")
    person: str | None = Field(None, max_length=40)
    person_id: Id | None = None
    manufacturer: str | None = Field(None, max_length=60)


class ComplaintIn(ComplaintBody):
    """A complaint as the form has it."""

    customer_id: Id
    project_id: Id | None = None
    source: Source = Source.PHONE
    external_no: str | None = Field(None, max_length=60, description="Of the hotline that forwarded it.")
    content: str = Field(min_length=1, max_length=2000)
    demand: str = Field("", max_length=1000)
    want_by: AskedTime | None = None
    severity: Severity = Field(
        Severity.GENERAL, description="From `media` or `regulator` not 1, unless the manager gives a reason."
    )
    severity_reason: str = Field("", max_length=400)
    nature: Nature = Nature.COMPLAINT
    urgency: Urgency = Urgency.NORMAL
    complained_at: AskedTime | None = Field(None, description="Now unless given.")
    call_id: Id | None = None
    lines: tuple[CauseLineIn, ...] = Field(min_length=1, max_length=12)
    hand_off: DispatchIn | None = Field(None, description="Hand all lines off at once.")


class CalledAgainIn(ComplaintBody):
    """Another call of the customer; the same call counts once."""

    call_id: Id | None = None
    note: str = Field("", max_length=1000)


class AddLineIn(ComplaintBody):
    """A further cause."""

    line: CauseLineIn
    hand_off: DispatchIn | None = None


class SeverityIn(ComplaintBody):
    """How grave it is; less grave is the manager's decision."""

    severity: Severity
    reason: Why


class HandOffIn(DispatchIn):
    """Which lines to hand off, and how; all that are not sent yet unless some are named."""

    line_ids: tuple[Id, ...] | None = Field(None, min_length=1, max_length=12)


class SignatureIn(ComplaintBody):
    """A signature; what belongs to its kind must be there, and nothing else."""

    kind: SignatureKind
    strokes: tuple[tuple[tuple[float, float], ...], ...] | None = Field(
        None, max_length=200, description="Drawn lines: points of 0 to 4096."
    )
    pin: str | None = Field(None, max_length=12)
    scan_sha256: str | None = Field(None, max_length=64)


class AcceptIn(ComplaintBody):
    """The head's signature, and how the department goes about it."""

    signature: SignatureIn
    mode: AcceptMode
    person: str | None = Field(None, max_length=40)
    person_id: Id | None = None
    planned_visit_at: AskedTime | None = None
    planned_plan_at: AskedTime | None = None
    planned_solve_at: AskedTime | None = None


class ReasonIn(ComplaintBody):
    """Why."""

    reason: Why


class RerouteIn(ReasonIn):
    """Whose it is instead."""

    department: Code
    person: str | None = Field(None, max_length=40)
    hand_off: DispatchIn | None = None


class AssignIn(ComplaintBody):
    """Who is in charge."""

    person: str = Field(min_length=1, max_length=40)
    person_id: Id | None = None


class VerifyIn(ComplaintBody):
    """What the customer said on the telephone."""

    facts: Text
    called_at: AskedTime | None = Field(None, description="Now unless given.")


class AgreeVisitIn(ComplaintBody):
    """A visit that was agreed with the customer."""

    visit_from: AskedTime
    visit_until: AskedTime
    planned_plan_at: AskedTime | None = None


class PlanIn(ComplaintBody):
    """A plan. Money for the customer needs the manager, and then an escalation."""

    plan: Text
    solve_at: AskedTime
    visit_from: AskedTime | None = None
    visit_until: AskedTime | None = None
    pay_customer: Money | None = None
    penalty: Money | None = None
    needs_approval: bool = False


class PlanDecisionIn(ComplaintBody):
    """The manager's decision; a refusal needs a reason."""

    approved: bool
    reason: str = Field("", max_length=400)


class VisitIn(ComplaintBody):
    """A visit that took place."""

    arrived_at: AskedTime
    left_at: AskedTime
    who: str = Field(min_length=1, max_length=80)
    record: Text
    photos: tuple[Id, ...] = Field((), max_length=20)


class DoneIn(ComplaintBody):
    """What was done."""

    note: Text


class CallbackIn(ComplaintBody):
    """What the customer said when called back."""

    verdict: Verdict
    problem: ProblemStatus | None = Field(None, description="Of every line that can be asked about.")
    lines: dict[Id, ProblemStatus] = Field(
        {}, max_length=12, description="Of single lines, where it differs."
    )
    satisfaction: Verdict | None = Field(None, description="The final one; the verdict unless given.")
    timeliness: Timeliness | None = Field(
        None, description="Whether it was quick enough; must be given unless nobody was reached."
    )
    contacted_in_time: Contacted = Contacted.UNKNOWN
    compensation_mentioned: bool = False
    call_id: Id | None = None
    note: str = Field("", max_length=1000)


class ReplyIn(ComplaintBody):
    """What the forwarding hotline was told."""

    text: str = Field(min_length=1, max_length=2000)


class AnalysisIn(ComplaintBody):
    """Where it came from, and what keeps it from coming again."""

    root_cause: str = Field(min_length=1, max_length=2000)
    preventive_step: str = Field(min_length=1, max_length=2000)
    owner: str = Field(min_length=1, max_length=40)


class CloseIn(ComplaintBody):
    """Closing; the analysis may follow later."""

    analysis: AnalysisIn | None = None


class HandoffsQuery(Query):
    """Which hand-offs to list, newest first."""

    box: Box = Box.WAITING
    department: Code | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class WithdrawnQuery(Query):
    """Whose breaches that were taken back, the latest first."""

    department: Code | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class OverdueQuery(Query):
    """Which list, the longest late first."""

    which: OverdueList
    kind: CaseKind | None = None
    department: Code | None = None
    specialist_id: Id | None = None
    cursor: Cursor | None = None
    limit: Limit = 50
