"""The models of repairs as they are sent."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm.domain.case import Severity, Source
from crm.domain.classification import Nature, Urgency
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, VisitOutcome
from crm.domain.warranty import RepairClass
from crm.repair_views import RepairList
from web.api.v1.schemas import AskedTime, Query

RepairId = Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$", description="A ULID.")]
RepairStatusName = Literal[
    "registered", "routed", "notified", "contacted", "appointed", "visited", "callback", "closed"
]
Line = Annotated[str, Field(max_length=400)]


class RepairBody(BaseModel):
    """Base of bodies: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class RepairsQuery(Query):
    """Which repairs to list, newest first."""

    list: RepairList | None = Field(None, description="Only what waits for this.")
    status: RepairStatusName | None = None
    is_open: bool | None = None
    route: Route | None = None
    crew_id: RepairId | None = Field(None, description="The crew that repairs, or built the home.")
    department: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,16}$")] | None = None
    specialist_id: RepairId | None = None
    customer_id: RepairId | None = None
    project_id: RepairId | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AgendaQuery(Query):
    """Visits that begin in a time of at most 62 days."""

    since: AskedTime
    until: AskedTime


class PreviewQuery(Query):
    """Which home a repair would be about."""

    project_id: RepairId | None = None


class RouteIn(RepairBody):
    """Who is to repair; a reason whenever it is not the original crew."""

    route: Route
    reason: RouteReason | None = None
    note: Line = ""
    crew_id: RepairId | None = Field(None, description="The other crew, for `other_crew`.")


class RepairIn(RepairBody):
    """A repair as the form has it."""

    customer_id: RepairId
    project_id: RepairId | None = None
    symptoms: str = Field(min_length=1, max_length=2000)
    place: str = Field(min_length=1, max_length=60, description="Where in the home.")
    repair_class: RepairClass | None = Field(None, description="What the warranty says unless given.")
    item: str | None = Field(
        None, min_length=1, max_length=20, description="Code of the item of the warranty that is broken."
    )
    source: Source = Source.PHONE
    severity: Severity = Severity.GENERAL
    nature: Nature = Nature.REPAIR
    urgency: Urgency = Urgency.NORMAL
    external_no: str | None = Field(None, max_length=60, description="Of the hotline that forwarded it.")
    reply_within_seconds: Annotated[int, Field(ge=60, le=30 * 86400)] | None = Field(
        None, description="What the forwarded order demands instead of the company's limit."
    )
    call_id: RepairId | None = None
    route: RouteIn | None = Field(None, description="Decide at once who repairs.")


class CorrectIn(RepairBody):
    """Class and place, corrected."""

    repair_class: RepairClass
    place: str = Field(min_length=1, max_length=60)


class NotifyIn(RepairBody):
    """How whoever repairs was told, and who it was."""

    way: NoticeWay
    whom: str = Field(min_length=1, max_length=40)
    at: AskedTime | None = Field(None, description="Now unless given.")


class AppointIn(RepairBody):
    """When somebody comes and what they mean to do; an earlier plan stays unless another is given."""

    visit_from: AskedTime
    visit_until: AskedTime
    plan: str | None = Field(None, max_length=2000)


class ContactIn(RepairBody):
    """What the customer said, and perhaps the appointment."""

    says: str = Field(min_length=1, max_length=1000)
    at: AskedTime | None = Field(None, description="Now unless given.")
    appointment: AppointIn | None = None


class MomentIn(RepairBody):
    """When it happened."""

    at: AskedTime | None = Field(None, description="Now unless given.")


class RepairVisitIn(RepairBody):
    """How a visit ended."""

    outcome: VisitOutcome
    result: str = Field(min_length=1, max_length=2000)
    signature_id: RepairId | None = Field(None, description="The customer's, an attachment of the repair.")
    at: AskedTime | None = Field(None, description="Now unless given.")


class RepairCallbackIn(RepairBody):
    """What a callback brought; `not_connected` when nobody was reached, and then no answers."""

    problem: ProblemStatus
    verdict: Verdict | None = None
    contacted_in_time: InTime | None = None
    timely: InTime | None = None
    remark: str = Field("", max_length=1000)
    no_visit_reason: str = Field("", max_length=200, description="How it was solved without a visit.")
    at: AskedTime | None = Field(None, description="Now unless given.")
    call_id: RepairId | None = None


class RepairCloseIn(RepairBody):
    """Closing; the manager may waive the customer's word, with a reason."""

    waiver: Line = ""
