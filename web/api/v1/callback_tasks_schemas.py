"""Models of callback tasks."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from callback_campaigns.domain.gates import GateWhy
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel, Gate, Origin, Outcome, Verdict
from callback_campaigns.task_desk import Whose
from crm.domain.customer import Level
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime

Key = Annotated[str, Field(min_length=1, max_length=120)]
Limit = Annotated[int, Field(ge=1, le=200)]


class CallbackTasksQuery(Query):
    """Which tasks to list, the one that is due first at the top."""

    status: TaskStatus | None = None
    kind: CallbackType | None = Field(None, description="Type of callback, such as `KG`.")
    customer_id: Key | None = None
    project_id: Key | None = None
    open: bool = Field(False, description="Only those of which something may still come.")
    until: AskedTime | None = Field(None, description="Due by then.")
    whose: Whose = Field(Whose.ALL, description="`own`: those of whoever asks, and nobody's.")
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    limit: Limit = 50


class CallbackTaskOut(Out):
    """A callback task."""

    task_id: str
    kind: CallbackType
    status: TaskStatus
    customer_id: str
    customer_name: str
    project_id: str | None
    contract_no: str | None
    case_id: str | None
    point: str = Field(description="Point of the plan of finished customers, such as `M1`; else empty.")
    level: Level
    channel: Channel
    origin: Origin
    due_at: SiteTime = Field(description="When it may be called next.")
    first_by: SiteTime | None = Field(description="Until when somebody must have tried.")
    window_end: SiteTime | None = Field(description="From when on it is late.")
    appointed: bool = Field(description="The customer named the time.")
    holds: tuple[str, ...] = Field(description="What holds it back.")
    attempts: int
    verdict: Verdict | None
    score: int | None
    previous_id: str | None
    revisit_id: str | None
    cancelled_why: str | None
    ended_at: SiteTime | None
    assignee_id: str | None = Field(description="The user who is to call; `null` for whoever is free.")
    assignee_name: str
    version: int


class CallbackTaskPage(Out):
    """A page of tasks."""

    items: tuple[CallbackTaskOut, ...]
    next_cursor: str | None


class CallbackStepOut(Out):
    """One line of a task's history."""

    at: SiteTime
    by: str
    step: str
    status_was: TaskStatus | None
    status: TaskStatus


class InvalidAttemptOut(Out):
    """An attempt that brought nothing."""

    at: SiteTime
    outcome: Outcome
    channel: Channel
    agent: str | None
    node: str
    remark: str


class CallbackTaskDetail(Out):
    """A task with what happened to it."""

    task: CallbackTaskOut
    steps: tuple[CallbackStepOut, ...]
    invalid_attempts: tuple[InvalidAttemptOut, ...]
    version: int


class CallbackPlanIn(BaseModel):
    """A callback to plan by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: CallbackType
    on: date = Field(description="The site's day on which the customer is to be called.")
    customer_id: Key
    project_id: Key | None = None


class CallbackAppointIn(BaseModel):
    """The time that the customer named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AskedTime


class CallbackCancelIn(BaseModel):
    """Why there is to be no callback."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class CallbackAssignIn(BaseModel):
    """Who is to call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: Key | None = Field(
        description="`me` to take it on, `null` to give it back, or a user whom the supervisor names."
    )


class CallbackTriedIn(BaseModel):
    """An attempt from another telephone that brought nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Outcome = Field(description="`no_answer`, `busy`, `rejected`, `off` or `empty`.")
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class CallbackStopIn(BaseModel):
    """Stop or enable the callbacks of a type for a project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: CallbackType
    stopped: bool
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class CallbackStopOut(Out):
    """Whether the callbacks of a type are stopped for a project."""

    project_id: str
    kind: CallbackType
    stopped: bool
    version: int = Field(description="Of the project, for the next change of it.")


class GateOut(Out):
    """Something of a project that waits for a callback."""

    gate: Gate
    open: bool
    why: GateWhy
    opened_by: str | None = Field(description="The manager who opened it by hand.")
    reason: str | None


class GateList(Out):
    """The gates of a project."""

    items: tuple[GateOut, ...]


class GateOpenIn(BaseModel):
    """Why a gate is opened though its callback does not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: Gate
    reason: Annotated[str, Field(min_length=1, max_length=400)]
