"""The models of complaints as they are shown."""

from decimal import Decimal

from pydantic import Field

from crm.domain.case import CaseKind
from crm.domain.complaint import NextStep, Verdict
from crm.domain.complaint_line import AcceptMode, LineStatus
from crm.limit_lists import OverdueList
from web.api.v1.case_schemas import CaseLimit
from web.api.v1.complaint_records_schemas import LineRecordOut
from web.api.v1.complaints_schemas import ComplaintStatusName
from web.api.v1.schemas import Out, Seconds, SiteTime


class ComplaintHeader(Out):
    """The header of a complaint."""

    case_id: str
    no: str
    status: ComplaintStatusName
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
    nature: str | None = Field(description="What the customer wants; `null` of cases from before.")
    urgency: str
    major: bool
    source: str
    external_no: str | None
    replied_to_source_at: SiteTime | None
    call_count: int
    call_id: str | None
    specialist_id: str | None
    specialist: str | None
    store: str | None
    round: int
    limit_set: str | None
    opened_at: SiteTime
    opened_by: str | None
    updated_at: SiteTime | None
    closed_at: SiteTime | None
    version: int


class ComplaintList(Out):
    """A page of complaints."""

    items: tuple[ComplaintHeader, ...]
    next_cursor: str | None


class ComplaintPlan(Out):
    """A department's plan."""

    plan_id: str
    round: int
    made_at: SiteTime
    made_by: str
    plan: str
    visit_from: SiteTime | None
    visit_until: SiteTime | None
    solve_at: SiteTime
    pay_customer: Decimal | None
    penalty: Decimal | None
    needs_approval: bool
    approved: bool | None
    decided_at: SiteTime | None
    decided_by: str | None
    decided_why: str | None


class ComplaintVisit(Out):
    """A visit that took place."""

    visit_id: str
    round: int
    arrived_at: SiteTime
    left_at: SiteTime
    who: str
    record: str
    photos: tuple[str, ...]
    noted_at: SiteTime
    noted_by: str
    backdated: bool = Field(description="It was written down later than it took place.")


class HandoffOut(Out):
    """A hand-off and its receipt."""

    handoff_id: str
    receipt_no: str
    case_id: str
    case_no: str
    line_id: str
    line_version: int = Field(description="For `If-Match` of accepting or rejecting.")
    department: str
    department_name: str
    state: str
    form: str
    copy_left: bool
    note: str
    sent_at: SiteTime
    sent_by: str
    due_at: SiteTime | None
    overdue: bool
    called_at: SiteTime | None = Field(description="When the department was called about its signature.")
    called_by: str | None
    received_at: SiteTime | None
    received_by: str | None
    received_ip: str | None
    signature_kind: str | None
    signature_hash: str | None
    reject_reason: str | None
    verification: str | None
    customer_name: str
    address: str | None
    summary: str
    severity: int
    class_label: str


class HandoffList(Out):
    """A page of hand-offs."""

    items: tuple[HandoffOut, ...]
    next_cursor: str | None


class HandoffSheetOut(Out):
    """All that the sheet 《售中、售后问题确认单》 shows."""

    handoff: HandoffOut
    sound: bool = Field(description="The receipt is as it was signed.")
    strokes: tuple[tuple[tuple[int, int], ...], ...]
    customer_name: str
    phone: str | None
    contract_no: str | None
    address: str | None
    store: str | None
    project_manager: str | None
    designer: str | None
    inspector: str | None
    crew: str | None
    complained_at: SiteTime
    registered_at: SiteTime
    source: str
    severity: int
    content: str
    demand: str
    want_by: SiteTime | None
    class_label: str
    subclass_label: str | None
    cause: str
    person: str | None
    manufacturer: str | None
    department_head: str | None
    specialist: str | None
    mode: AcceptMode | None
    planned_visit_at: SiteTime | None
    planned_plan_at: SiteTime | None
    planned_solve_at: SiteTime | None
    records: tuple[LineRecordOut, ...] = Field(
        description="What was noted down on the line since it was signed."
    )


class CauseLine(Out):
    """A department's part in a complaint, with a version of its own."""

    line_id: str
    case_id: str
    position: int
    version: int
    status: LineStatus
    status_label: str
    class_code: int
    class_label: str
    subclass: str | None
    subclass_label: str | None
    cause: str
    department: str
    department_name: str
    department_head: str | None
    confidential: bool
    person: str | None
    person_id: str | None
    manufacturer: str | None
    rerouted_from: str | None
    mode: AcceptMode | None
    registered_at: SiteTime
    handed_off_at: SiteTime | None
    accepted_at: SiteTime | None
    accepted_by: str | None
    rejected_at: SiteTime | None
    rejected_by: str | None
    reject_reason: str | None
    settled_why: str | None
    verified_at: SiteTime | None
    verified_by: str | None
    verified_noted_at: SiteTime | None
    verified_backdated: bool = Field(description="The call was written down later than it was made.")
    facts: str | None
    planned_visit_at: SiteTime | None
    planned_plan_at: SiteTime | None
    planned_solve_at: SiteTime | None
    visit_from: SiteTime | None
    visit_until: SiteTime | None
    visited_at: SiteTime | None
    callback_from: SiteTime | None
    needs_contact: bool
    done_at: SiteTime | None
    done_by: str | None
    done_note: str | None
    unsolved_at: SiteTime | None
    solved_at: SiteTime | None
    due_at: SiteTime | None
    overdue: bool
    steps: tuple[str, ...] = Field(description="What the caller may do with it now.")
    plans: tuple[ComplaintPlan, ...]
    visits: tuple[ComplaintVisit, ...]
    records: tuple[LineRecordOut, ...]
    handoffs: tuple[HandoffOut, ...]
    limits: tuple[CaseLimit, ...]


class ComplaintCallbackOut(Out):
    """A callback about the result."""

    callback_id: str
    round: int
    at: SiteTime
    by: str
    call_id: str | None
    verdict: Verdict
    lines: dict[str, str]
    satisfaction: str | None
    timeliness: str | None
    contacted_in_time: str | None
    compensation_mentioned: bool
    note: str
    leads_to: NextStep


class ComplaintCallRef(Out):
    """A call of the customer about it."""

    at: SiteTime
    call_id: str | None
    noted_by: str
    note: str


class ComplaintAnalysis(Out):
    """The analysis 客诉分析."""

    root_cause: str
    preventive_step: str
    owner: str
    at: SiteTime
    by: str


class ComplaintEscalation(Out):
    """The major complaint that it became."""

    escalation_id: str
    state: str
    code: str
    label: str


class ComplaintDetail(Out):
    """A complaint with all that the caller may see of it."""

    header: ComplaintHeader
    version: int
    status_label: str
    spoken_status: str
    next_step: NextStep
    next_label: str
    steps: tuple[str, ...] = Field(description="What the caller may do with it now.")
    demand: str
    want_by: SiteTime | None
    complained_at: SiteTime
    lines: tuple[CauseLine, ...]
    callbacks: tuple[ComplaintCallbackOut, ...]
    calls: tuple[ComplaintCallRef, ...]
    limits: tuple[CaseLimit, ...]
    earlier: int = Field(description="Other complaints of the customer in the 90 days before it.")
    called_back_at: SiteTime | None
    not_reached: int
    satisfaction: str | None
    timeliness: str | None
    contacted_in_time: str | None
    waived_at: SiteTime | None
    waived_by: str | None
    waived_why: str | None
    escalation_owed: bool
    escalation_why: str | None
    escalation: ComplaintEscalation | None
    reply_owed: bool
    reply_text: str | None
    replied_by: str | None
    not_filed_why: str | None
    not_filed_by: str | None
    analysis: ComplaintAnalysis | None
    closed_by: str | None


class OverdueCountOut(Out):
    """How many are whose."""

    department: str | None
    department_name: str | None
    person: str | None
    count: int


class OverdueSummaryOut(Out):
    """One of the six lists."""

    which: OverdueList
    label: str
    total: int
    counts: tuple[OverdueCountOut, ...]
    calendar_missing: int


class OverdueSummaries(Out):
    """All six lists."""

    items: tuple[OverdueSummaryOut, ...]


class OverdueRowOut(Out):
    """Something late: a line of a complaint, a part of a ticket, or without `line_id` the case itself."""

    case_id: str
    no: str
    kind: CaseKind
    code: str | None
    line_id: str | None
    department: str | None
    department_name: str | None
    person: str | None
    specialist: str | None
    customer_name: str
    address: str | None
    summary: str
    severity: int
    status: str
    status_label: str
    due_at: SiteTime
    late_seconds: Seconds


class WithdrawnRecord(Out):
    """What a limit belonged to; ``line_id`` is empty for the record as a whole."""

    kind: str
    record_id: str
    line_id: str
    no: str


class WithdrawnBreachOut(Out):
    """A breach that was taken back: what ended the limit was written down late, as having been in time."""

    timer_id: str
    record: WithdrawnRecord
    code: str
    department: str | None
    breached_at: SiteTime
    happened_at: SiteTime | None = Field(description="When, so the person wrote, it was done.")
    withdrawn_at: SiteTime
    withdrawn_by: str
    why: str = Field(description="The step that was written down, a word of the audit log.")


class WithdrawnBreaches(Out):
    """A page of them."""

    items: tuple[WithdrawnBreachOut, ...]
    next_cursor: str | None


class OverdueRows(Out):
    """A page of a list."""

    items: tuple[OverdueRowOut, ...]
    next_cursor: str | None
