"""Models of problem tickets, opinion notices, forwarded orders."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from crm.domain.case import CaseStatus, Severity, Source
from crm.domain.forwarded import ReplyWay
from crm.domain.ticket import PartStatus, Revisit
from web.api.v1.case_schemas import CaseLimit
from web.api.v1.complaints_answers import HandoffOut
from web.api.v1.complaints_schemas import (
    CasesQuery,
    Code,
    ComplaintBody,
    Cursor,
    Id,
    Limit,
    SignatureIn,
    Why,
)
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime

TicketStatusName = Literal["open", "in_hand", "solved", "verified", "closed", "converted"]
Note = Annotated[str, Field(max_length=400)]


class TicketsQuery(CasesQuery):
    """Which tickets to list, newest first."""

    status: TicketStatusName | None = None


class RevisitsQuery(Query):
    """Which tickets wait for the revisit."""

    mine: bool = Field(False, description="Only those that the caller tracks.")
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    limit: Limit = 50


class TicketIn(ComplaintBody):
    """A ticket as the form, or a callback, has it."""

    customer_id: Id
    project_id: Id | None = None
    text: str = Field(min_length=1, max_length=2000)
    departments: tuple[Code, ...] = Field(min_length=1, max_length=8)
    severity: Severity = Field(Severity.GENERAL, description="2 and up make a complaint of it at once.")
    question: str = Field("", max_length=200)
    answer: str = Field("", max_length=400)
    question_id: str | None = Field(None, max_length=40)
    callback_ref: str | None = Field(
        None, max_length=40, description="With `question_id`: the same finding sent again is the same ticket."
    )
    recording_ref: str | None = Field(None, max_length=200)
    call_id: Id | None = None
    class_code: int | None = Field(None, ge=1, le=10, description="Of the complaint it would become.")
    source: Source = Source.CALLBACK
    external_no: str | None = Field(None, max_length=60, description="Of the hotline that forwarded it.")
    demanded_minutes: int | None = Field(
        None, ge=10, le=86_400, description="Time for the reply that the forwarded order itself demands."
    )


class AddPartIn(ComplaintBody):
    """Another department."""

    department: Code


class ReroutePartIn(ComplaintBody):
    """Where a refused part goes."""

    department: Code
    reason: Why


class SignPartIn(ComplaintBody):
    """The head's signature."""

    signature: SignatureIn


class SolvePartIn(ComplaintBody):
    """What the department did."""

    solution: str = Field(min_length=1, max_length=2000)


class RevisitIn(ComplaintBody):
    """What the customer said when asked again; `dissatisfied` makes a complaint of the ticket."""

    said: Revisit
    revisited_at: AskedTime | None = Field(None, description="Now unless given.")
    ref: str | None = Field(None, max_length=40, description="The callback in which it was said.")
    note: Note = ""


class ConvertIn(ComplaintBody):
    """Why it becomes a complaint; `decided` is the manager's and needs a note."""

    why: Literal["customer", "decided"]
    note: Note = ""


class TicketSeverityIn(ComplaintBody):
    """How bad it is; 2 and up make a complaint of it."""

    severity: Severity
    reason: Why


class TicketHeader(Out):
    """The header of a ticket."""

    case_id: str
    no: str
    status: CaseStatus
    customer_id: str
    customer_name: str
    project_id: str | None
    contract_no: str | None
    address: str | None
    department: str | None
    department_name: str | None
    summary: str
    content: str
    severity: int
    source: str
    external_no: str | None
    replied_to_source_at: SiteTime | None
    specialist_id: str | None
    specialist: str | None
    store: str | None
    opened_at: SiteTime
    opened_by: str | None
    updated_at: SiteTime | None
    closed_at: SiteTime | None
    version: int


class TicketList(Out):
    """A page of tickets."""

    items: tuple[TicketHeader, ...]
    next_cursor: str | None


class TicketPartOut(Out):
    """A department's part; it has a version of its own."""

    part_id: str
    position: int
    version: int
    department: str
    department_name: str
    department_head: str | None
    status: PartStatus
    status_label: str
    opened_at: SiteTime
    signed_at: SiteTime | None
    signed_by: str | None
    refused_at: SiteTime | None
    refused_by: str | None
    refuse_reason: str | None
    settled_why: str | None
    solved_at: SiteTime | None
    solved_by: str | None
    solution: str | None
    rerouted_from: str | None
    due_at: SiteTime | None
    overdue: bool
    steps: tuple[str, ...] = Field(description="What the caller may do with it now.")
    handoffs: tuple[HandoffOut, ...]
    limits: tuple[CaseLimit, ...]


class EarlierTicket(Out):
    """The same problem, fed back before."""

    case_id: str
    no: str
    opened_at: SiteTime
    status: CaseStatus
    status_label: str


class OpinionNoticeOut(Out):
    """A customer opinion notice; `sheet` has all that the printed page shows."""

    notice_id: str
    no: str
    case_id: str
    case_no: str
    department: str
    department_name: str
    addressed_to: str
    fed_back: int
    why: str
    why_label: str
    issued_at: SiteTime
    issued_by: str
    answered_at: SiteTime | None
    answered_by: str | None
    answer: str | None
    version: int
    sheet: Mapping[str, Any]


class OpinionNoticeList(Out):
    """A page of opinion notices."""

    items: tuple[OpinionNoticeOut, ...]
    next_cursor: str | None


class OpinionNoticesQuery(Query):
    """Which notices to list, newest first."""

    answered: bool | None = None
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    limit: Limit = 50


class NoticeAnswerIn(ComplaintBody):
    """What the level above decides."""

    text: str = Field(min_length=1, max_length=2000)


class TicketDetail(Out):
    """A ticket with everything about it that the caller may see."""

    header: TicketHeader
    version: int
    status_label: str
    spoken_status: str
    steps: tuple[str, ...] = Field(description="What the caller may do with the ticket as a whole.")
    question: str
    answer: str
    question_id: str | None
    callback_ref: str | None
    recording_ref: str | None
    class_code: int | None
    fed_back: int
    earlier: tuple[EarlierTicket, ...]
    parts: tuple[TicketPartOut, ...]
    limits: tuple[CaseLimit, ...]
    notices: tuple[OpinionNoticeOut, ...]
    solved_at: SiteTime | None
    not_reached: int
    revisited_at: SiteTime | None
    revisit_ref: str | None
    revisit_note: str | None
    verified_at: SiteTime | None
    verified_by: str | None
    waived_why: str | None
    converted_to: str | None
    converted_no: str | None
    converted_at: SiteTime | None
    converted_by: str | None
    converted_why: str | None
    converted_label: str | None
    converted_note: str | None
    reply_owed: bool
    closed_by: str | None


class WaitingRevisit(Out):
    """A ticket whose customer is to be asked again."""

    case: TicketHeader
    question: str
    callback_ref: str | None
    question_id: str | None
    solved_at: SiteTime
    not_reached: int


class WaitingRevisits(Out):
    """A page of them, the longest waiting first."""

    items: tuple[WaitingRevisit, ...]
    next_cursor: str | None


class ForwardedQuery(Query):
    """Which forwarded orders to list, newest first."""

    owed: bool | None = Field(True, description="Those whose hotline waits; `false` those it was told of.")
    mine: bool = Field(False, description="Only those for which the caller is responsible.")
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    limit: Limit = 50


class SourceReplyIn(ComplaintBody):
    """What the forwarding hotline was told."""

    way: ReplyWay
    text: str = Field(min_length=1, max_length=2000)
    told: str = Field("", max_length=40, description="Who took it there.")
    replied_at: AskedTime | None = Field(None, description="Now unless given.")


class SourceReplyOut(Out):
    """A reply."""

    replied_at: SiteTime
    replied_by: str
    way: ReplyWay
    told: str
    text: str
    noted_at: SiteTime


class ForwardedOut(Out):
    """A forwarded order; `limit` is the time for the reply."""

    case: TicketHeader
    kind: str
    responsible: str | None
    responsible_id: str | None
    owed: bool
    limit: CaseLimit | None
    reply: SourceReplyOut | None
    version: int


class ForwardedList(Out):
    """A page of forwarded orders."""

    items: tuple[ForwardedOut, ...]
    next_cursor: str | None
