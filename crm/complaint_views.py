"""What complaints look like to pages and the API."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm.cases import CaseView
from crm.domain.case import CaseKind
from crm.domain.complaint import NextStep
from crm.domain.complaint_line import AcceptMode, LineStatus
from crm.domain.line_record import RecordKind
from crm.limits import TimerView


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan of a department; ``approved`` is ``None`` while nobody has decided, or nobody has to."""

    plan_id: str
    round: int
    made_at: datetime
    made_by: str
    plan: str
    visit_from: datetime | None
    visit_until: datetime | None
    solve_at: datetime
    pay_customer: Decimal | None
    penalty: Decimal | None
    needs_approval: bool
    approved: bool | None
    decided_at: datetime | None
    decided_by: str | None
    decided_why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitView:
    """A visit that took place; ``backdated``: it was written down later (:mod:`crm.domain.backdated`)."""

    visit_id: str
    round: int
    arrived_at: datetime
    left_at: datetime
    who: str
    record: str
    photos: tuple[str, ...]
    noted_at: datetime
    noted_by: str
    backdated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """A handle record 处理记录; ``backdated``: it was written down later than it was done."""

    record_id: str
    line_id: str
    round: int
    kind: RecordKind
    done_at: datetime
    who: str
    done: str
    photos: tuple[str, ...]
    noted_at: datetime
    noted_by: str
    backdated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffView:
    """A hand-off and its receipt; ``state`` is ``waiting``, ``signed`` or ``rejected``.

    Attributes:
        due_at: end of the time in which the department accepts.
        overdue: it waits, and that time is over.
        call_at: from when the department is called if it has not signed; ``called_at``: when it was.
    """

    handoff_id: str
    receipt_no: str
    case_id: str
    case_no: str
    line_id: str
    line_version: int
    department: str
    department_name: str
    state: str
    form: str
    copy_left: bool
    note: str
    sent_at: datetime
    sent_by: str
    sent_by_id: str
    due_at: datetime | None
    overdue: bool
    call_at: datetime | None
    called_at: datetime | None
    called_by: str | None
    received_at: datetime | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A cause line.

    Attributes:
        steps: what the state allows and this actor may do: words of ``complaint_line.Step``, ``assign`` and
            ``record``.
        due_at: the nearest open limit.
        verified_backdated: the call was written down later, at ``verified_noted_at``.
        overdue: a limit or a time that the department itself planned is past.
        plans: oldest first; the last one counts.
    """

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
    registered_at: datetime
    handed_off_at: datetime | None
    accepted_at: datetime | None
    accepted_by: str | None
    rejected_at: datetime | None
    rejected_by: str | None
    reject_reason: str | None
    settled_why: str | None
    verified_at: datetime | None
    verified_by: str | None
    verified_noted_at: datetime | None
    verified_backdated: bool
    facts: str | None
    planned_visit_at: datetime | None
    planned_plan_at: datetime | None
    planned_solve_at: datetime | None
    visit_from: datetime | None
    visit_until: datetime | None
    visited_at: datetime | None
    callback_from: datetime | None
    needs_contact: bool
    done_at: datetime | None
    done_by: str | None
    done_note: str | None
    unsolved_at: datetime | None
    solved_at: datetime | None
    due_at: datetime | None
    overdue: bool
    steps: tuple[str, ...]
    plans: tuple[PlanView, ...]
    visits: tuple[VisitView, ...]
    records: tuple[RecordView, ...]
    handoffs: tuple[HandoffView, ...]
    limits: tuple[TimerView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackView:
    """A callback about the result; ``lines``: line id → what the customer said of its problem."""

    callback_id: str
    round: int
    at: datetime
    by: str
    call_id: str | None
    verdict: str
    lines: dict[str, str]
    satisfaction: str | None
    timeliness: str | None
    contacted_in_time: str | None
    compensation_mentioned: bool
    note: str
    leads_to: NextStep


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefView:
    """A call of the customer about the complaint."""

    at: datetime
    call_id: str | None
    noted_by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisView:
    """Where it came from, and what is done so that it does not come again 客诉分析."""

    root_cause: str
    preventive_step: str
    owner: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationBrief:
    """The major complaint that this one became; ``state`` is ``submitted`` … ``closed``, ``code`` E0–E10."""

    escalation_id: str
    state: str
    code: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintView:
    """A complaint with everything about it that the actor may see.

    Attributes:
        header: number, status, customer, project, severity, source, specialist and so on.
        version: of the complaint; each line has its own.
        next_step: what has to be done next, ``next_label`` in Chinese.
        steps: what this actor may do now with the complaint as a whole.
        earlier: how many other complaints this customer made in the 90 days before it.
    """

    header: CaseView
    version: int
    status_label: str
    spoken_status: str
    next_step: NextStep
    next_label: str
    steps: tuple[str, ...]
    demand: str
    want_by: datetime | None
    complained_at: datetime
    registered_by_id: str
    lines: tuple[LineView, ...]
    callbacks: tuple[CallbackView, ...]
    calls: tuple[CallRefView, ...]
    limits: tuple[TimerView, ...]
    earlier: int
    called_back_at: datetime | None
    not_reached: int
    satisfaction: str | None
    timeliness: str | None
    contacted_in_time: str | None
    waived_at: datetime | None
    waived_by: str | None
    waived_why: str | None
    escalation_owed: bool
    escalation_why: str | None
    escalation: EscalationBrief | None
    reply_owed: bool
    reply_text: str | None
    replied_by: str | None
    not_filed_why: str | None
    not_filed_by: str | None
    analysis: AnalysisView | None
    closed_by: str | None

    @property
    def case_id(self) -> str:
        """The complaint's id."""
        return self.header.case_id

    @property
    def no(self) -> str:
        """The number that people know it by."""
        return self.header.no


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffSheet:
    """All that the sheet 《售中、售后问题确认单》 shows; the copy that stays with the department.

    Attributes:
        records: what the department noted down on the line since it signed.
        strokes: the drawn signature, lines of points on a pad of 0 to 4096.
        sound: the receipt is as it was signed: its hash fits.
        phone: the customer's number, masked unless the actor may see whole numbers or is to call.
    """

    handoff: HandoffView
    sound: bool
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
    complained_at: datetime
    registered_at: datetime
    source: str
    severity: int
    content: str
    demand: str
    want_by: datetime | None
    class_label: str
    subclass_label: str | None
    cause: str
    person: str | None
    manufacturer: str | None
    department_head: str | None
    specialist: str | None
    mode: AcceptMode | None
    planned_visit_at: datetime | None
    planned_plan_at: datetime | None
    planned_solve_at: datetime | None
    records: tuple[RecordView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffPage:
    """A page of hand-offs; ``next_cursor`` leads on."""

    items: tuple[HandoffView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueCount:
    """How many of a list are a person's, in a department; ``person`` is ``None`` where nobody is named."""

    department: str | None
    department_name: str | None
    person: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueSummary:
    """One of the six lists: ``which`` is a word of ``crm.limit_lists.OverdueList``.

    ``calendar_missing`` limits of it may be late or not: their year's calendar is not loaded.
    """

    which: str
    label: str
    total: int
    counts: tuple[OverdueCount, ...]
    calendar_missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueRow:
    """Something late.

    ``line_id`` is a complaint's line or a ticket's part; ``None`` where it is the case that is late.
    ``code`` is the limit that was missed, where it is one.
    """

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
    due_at: datetime
    late_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverduePage:
    """A page of a list, the latest first by how long it is late."""

    items: tuple[OverdueRow, ...]
    next_cursor: str | None
