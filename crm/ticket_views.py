"""What problem tickets look like to pages and the API, and what people enter about them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crm.cases import CaseView
from crm.complaint_views import HandoffView
from crm.domain.case import CaseStatus, Severity, Source
from crm.domain.ticket import PartStatus, Revisit
from crm.limits import TimerView


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSource:
    """What a callback found.

    Attributes:
        callback_ref: the callback's task; with ``question_id`` it opens one ticket however often it is told.
        text: what is wrong, in the words of the ticket.
        recording_ref: place in the recording, for who handles it.
        class_code: of the complaint that it would become (``ComplaintClass``).
        specialist_id: who talked to the customer and tracks the ticket; the actor unless given.
        problem_key: of the ticket before about the same problem, which was fed back once more (CB-6).
    """

    customer_id: str
    text: str
    project_id: str | None = None
    callback_ref: str | None = None
    question_id: str | None = None
    question: str = ""
    answer: str = ""
    recording_ref: str | None = None
    call_id: str | None = None
    class_code: int | None = None
    specialist_id: str | None = None
    specialist: str | None = None
    problem_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A ticket to open.

    Attributes:
        demanded: time for the reply that the forwarding hotline's order itself demands.
    """

    found: CallbackSource
    departments: tuple[str, ...]
    severity: Severity = Severity.GENERAL
    source: Source = Source.CALLBACK
    external_no: str | None = None
    demanded: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRevisit:
    """What the customer said when asked again; ``ref`` is the callback in which it was."""

    said: Revisit
    revisited_at: datetime | None = None
    ref: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """A department's part.

    Attributes:
        steps: what the state allows and this actor may do: words of ``ticket.PartStep``.
        due_at: the nearest open limit; ``overdue`` when it is past.
    """

    part_id: str
    case_id: str
    position: int
    version: int
    department: str
    department_name: str
    department_head: str | None
    status: PartStatus
    status_label: str
    opened_at: datetime
    signed_at: datetime | None
    signed_by: str | None
    refused_at: datetime | None
    refused_by: str | None
    refuse_reason: str | None
    settled_why: str | None
    solved_at: datetime | None
    solved_by: str | None
    solution: str | None
    rerouted_from: str | None
    due_at: datetime | None
    overdue: bool
    steps: tuple[str, ...]
    handoffs: tuple[HandoffView, ...]
    limits: tuple[TimerView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierView:
    """The same problem, fed back before."""

    case_id: str
    no: str
    opened_at: datetime
    status: CaseStatus
    status_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """A customer opinion notice 客户意见反馈告知单; ``sheet`` has all that the printed page shows."""

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
    issued_at: datetime
    issued_by: str
    answered_at: datetime | None
    answered_by: str | None
    answer: str | None
    version: int
    sheet: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """A ticket with everything about it that the actor may see.

    Attributes:
        version: of the ticket; each part has its own.
        steps: what this actor may do with the ticket as a whole: add_part, revisit, waive, close, convert,
            severity, reply_to_source.
        fed_back: how often the problem was fed back, this time included; ``earlier`` are the other times.
    """

    header: CaseView
    version: int
    status_label: str
    spoken_status: str
    steps: tuple[str, ...]
    question: str
    answer: str
    question_id: str | None
    callback_ref: str | None
    recording_ref: str | None
    class_code: int | None
    fed_back: int
    earlier: tuple[EarlierView, ...]
    parts: tuple[PartView, ...]
    limits: tuple[TimerView, ...]
    notices: tuple[NoticeView, ...]
    solved_at: datetime | None
    not_reached: int
    revisited_at: datetime | None
    revisit_ref: str | None
    revisit_note: str | None
    verified_at: datetime | None
    verified_by: str | None
    waived_why: str | None
    converted_to: str | None
    converted_no: str | None
    converted_at: datetime | None
    converted_by: str | None
    converted_why: str | None
    converted_label: str | None
    converted_note: str | None
    reply_owed: bool
    closed_by: str | None

    @property
    def case_id(self) -> str:
        """The ticket's id."""
        return self.header.case_id

    @property
    def no(self) -> str:
        """The number that people know it by."""
        return self.header.no


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisitView:
    """A ticket that waits for the revisit."""

    case: CaseView
    question: str
    callback_ref: str | None
    question_id: str | None
    solved_at: datetime
    not_reached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisitPage:
    """A page of tickets that wait for the revisit, the longest first."""

    items: tuple[RevisitView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePage:
    """A page of opinion notices, newest first."""

    items: tuple[NoticeView, ...]
    next_cursor: str | None
