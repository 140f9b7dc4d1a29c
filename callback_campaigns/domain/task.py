"""A callback task 回访任务 (domain.md §1.2): where it stands, what may happen to it, what follows.

The steps themselves are in :mod:`callback_campaigns.domain.task_steps`.

============ ========================================================================================
status       steps
============ ========================================================================================
PLANNED      due → READY
READY        dialled → DIALLING
DIALLING     answered → TALKING; the attempt ends: RETRY_WAIT, UNREACHED or BAD_NUMBER
TALKING      finished → DONE; broken off → PARTIAL, RETRY_WAIT or UNREACHED; wrong person → BAD_NUMBER
RETRY_WAIT   due → READY
APPOINTED    due → READY, at the time that the customer named
BAD_NUMBER   number corrected → READY
FROZEN       released by all that hold it → PLANNED; answered «not needed» → CANCELLED
============ ========================================================================================

A task that is not in a call can be appointed, refused, held, cancelled and replaced at any time. During a
call the same is remembered, and done when the call has ended: calls in progress end as they would.
DONE, PARTIAL, REFUSED, UNREACHED and CANCELLED are final. A dissatisfied customer is asked again by another
task, linked to this one (REVISIT).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callback_campaigns.domain.result import Finding, ResultCode
from callback_campaigns.domain.retry import Opens, RetryPolicy, Tried
from callback_campaigns.domain.terms import CallbackType, Category, Channel, Origin, Outcome
from callback_campaigns.domain.windows import Occasion
from crm.domain.customer import Level


class TaskStatus(StrEnum):
    """Where a task stands."""

    PLANNED = "planned"
    READY = "ready"
    DIALLING = "dialling"
    TALKING = "talking"
    DONE = "done"
    PARTIAL = "partial"
    RETRY_WAIT = "retry_wait"
    APPOINTED = "appointed"
    REFUSED = "refused"
    BAD_NUMBER = "bad_number"
    UNREACHED = "unreached"
    FROZEN = "frozen"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self not in FINAL


FINAL = frozenset(
    {TaskStatus.DONE, TaskStatus.PARTIAL, TaskStatus.REFUSED, TaskStatus.UNREACHED, TaskStatus.CANCELLED}
)
IN_CALL = frozenset({TaskStatus.DIALLING, TaskStatus.TALKING})
WAITING = frozenset(set(TaskStatus) - FINAL - IN_CALL)

STATUS_LABELS = {
    TaskStatus.PLANNED: "已计划",
    TaskStatus.READY: "待回访",
    TaskStatus.DIALLING: "正在拨打",
    TaskStatus.TALKING: "通话中",
    TaskStatus.DONE: "已完成",
    TaskStatus.PARTIAL: "部分完成",
    TaskStatus.RETRY_WAIT: "等待重拨",
    TaskStatus.APPOINTED: "已预约",
    TaskStatus.REFUSED: "客户拒绝",
    TaskStatus.BAD_NUMBER: "号码有误",
    TaskStatus.UNREACHED: "无效回访",
    TaskStatus.FROZEN: "已冻结",
    TaskStatus.CANCELLED: "已取消",
}


class Hold(StrEnum):
    """What holds a task back."""

    CUSTOMER = "customer"
    """The customer's callbacks are frozen (CB-3)."""
    PROJECT = "project"
    """The work stands still."""
    QUESTION = "question"
    """It was thawed, and nobody has said yet whether the callback is still needed (CB-3)."""


class CancelWhy(StrEnum):
    """Why a task is not done any more."""

    PROJECT_ENDED = "project_ended"
    STAGE_CORRECTED = "stage_corrected"
    STOPPED = "stopped"
    """Callbacks of this node were stopped for the project (CB-9)."""
    REPLACED = "replaced"
    """A newer setting took its place (CB-1)."""
    NOT_NEEDED = "not_needed"
    CASE_CLOSED = "case_closed"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidAttempt:
    """An attempt that brought nothing, kept as its own record and shown at the next one (CB-8)."""

    attempt_id: str
    at: datetime
    outcome: Outcome
    channel: Channel
    agent: str | None = None
    node: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task, as far as the rules need to know.

    Attributes:
        key: the same plan gives the same key, and a key makes one task.
        due_at: when it may be called next: planned, to be tried again, or appointed.
        window_end: when the callback is late.
        ends_in_call: what is to become of it when the call that is on has ended.
        answered: the most required answers that a talk has brought so far.
        replaced_by, revisit_id: the tasks that took its place or follow from it.
    """

    task_id: str
    key: str
    kind: CallbackType
    category: Category
    customer_id: str
    status: TaskStatus
    due_at: datetime
    project_id: str | None = None
    case_id: str | None = None
    point: str = ""
    level: Level = Level.B
    channel: Channel = Channel.IVR
    origin: Origin = Origin.AUTO_EVENT
    origin_ref: str = ""
    previous_id: str | None = None
    window_end: datetime | None = None
    appointed: bool = False
    holds: frozenset[Hold] = frozenset()
    attempt_id: str | None = None
    attempt_at: datetime | None = None
    tried: tuple[Tried, ...] = ()
    invalid: tuple[InvalidAttempt, ...] = ()
    ends_in_call: CancelWhy | None = None
    finding: Finding | None = None
    result_code: ResultCode | None = None
    answered: int = 0
    cancelled_why: CancelWhy | None = None
    replaced_by: str | None = None
    revisit_id: str | None = None
    ended_at: datetime | None = None

    @property
    def last_invalid(self) -> InvalidAttempt | None:
        """What whoever calls next is shown (CB-8)."""
        return self.invalid[-1] if self.invalid else None

    @property
    def occasion(self) -> Occasion:
        """Which hours hold for the next call: a case is the customer's own request (domain.md §6.1)."""
        if self.category is Category.CASE:
            return Occasion.REQUESTED
        return Occasion.APPOINTED if self.appointed else Occasion.ROUTINE

    def is_dialable(self, now: datetime) -> bool:
        """Tell whether it waits to be dialled and its time has come."""
        return self.status is TaskStatus.READY and self.due_at <= now


class Effect(StrEnum):
    """What follows from a step besides the task's own state."""

    NUMBER_FIX = "number_fix"
    """The store is to find the right number."""
    DO_NOT_CALL = "do_not_call"
    """The customer goes on the do-not-call list for surveys."""
    TICKETS = "tickets"
    """Problem tickets to the departments named, the same day (CB-5)."""
    SEND_FORM = "send_form"
    """The questionnaire goes out by SMS (CB-7, levels B and C)."""
    TO_PERSON = "to_person"
    """A named person takes it on by letter, WeChat or visit (CB-7, level A)."""
    TELL_MANAGER = "tell_manager"
    INVALID_ATTEMPT = "invalid_attempt"
    """Keep the last of ``invalid`` as a record of its own (CB-8)."""
    HANDOVER_YES = "handover_yes"
    """The completion callback succeeded: the hand-over may go on."""
    HANDOVER_FAILED = "handover_failed"
    HANDOVER_NOT_REACHED = "handover_not_reached"
    """Not reached: the hand-over goes back to the start (CB-2)."""
    ASK_IF_NEEDED = "ask_if_needed"
    """Somebody must say whether the callback is still needed (CB-3)."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A task after a step, with what follows from it."""

    task: Task
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTimes:
    """When to call again: the policy, and when calls may begin at all for this task."""

    opens: Opens
    policy: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkEnd:
    """How a talk ended.

    Attributes:
        answered: required answers that are there, of this talk and of those before it.
        finding: the result; required unless it broke off so early that it is tried again.
    """

    answered: int
    required: int
    finding: Finding | None = None
    remark: str = ""
