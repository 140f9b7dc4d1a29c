"""``/api/v1/callback-tasks``: what is planned and how it went; the stop of a node for a project."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from callback_campaigns.domain.gates import GateState
from callback_campaigns.domain.terms import Gate
from callback_campaigns.task_desk import CallbackDesk, ListedTask, TaskDetail, TaskFilter
from web.api.operation import Call, operation
from web.api.v1.callback_tasks_schemas import (
    CallbackAppointIn,
    CallbackAssignIn,
    CallbackCancelIn,
    CallbackPlanIn,
    CallbackStepOut,
    CallbackStopIn,
    CallbackStopOut,
    CallbackTaskDetail,
    CallbackTaskOut,
    CallbackTaskPage,
    CallbackTasksQuery,
    CallbackTriedIn,
    GateList,
    GateOpenIn,
    GateOut,
    InvalidAttemptOut,
)
from web.api.v1.schemas import NoQuery
from web.callback_part import CALLBACKS
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "callbacks"
ME = "me"
TASK = (("task_id", "Id of the callback task."),)
PROJECT = (("project_id", "Id of the project."),)


def desk(request: web.Request) -> CallbackDesk:
    """Return what people see and decide of callback tasks."""
    return request.app[CALLBACKS].desk


@operation(
    query=CallbackTasksQuery,
    response=CallbackTaskPage,
    permission=Permission.CALLBACKS_WORK,
    summary="List callback tasks",
    tag=TAG,
)
async def list_callback_tasks(call: Call[CallbackTasksQuery]) -> CallbackTaskPage:
    """Return a page of tasks."""
    asked = call.query
    wanted = TaskFilter(
        status=asked.status,
        kind=asked.kind,
        customer_id=asked.customer_id,
        project_id=asked.project_id,
        open_only=asked.open,
        until=asked.until,
        whose=asked.whose,
    )
    page = await desk(call.request).page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    return CallbackTaskPage(items=tuple(_out(item) for item in page.items), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=CallbackTaskDetail,
    permission=Permission.CALLBACKS_WORK,
    summary="Read a callback task with its history",
    description="That it was opened is written into the audit log.",
    tag=TAG,
    path_parameters=TASK,
)
async def get_callback_task(call: Call[NoQuery]) -> CallbackTaskDetail:
    """Return a task."""
    return _detail(await desk(call.request).get(call.actor, _task(call)))


@operation(
    query=NoQuery,
    response=CallbackTaskDetail,
    permission=Permission.CALLBACKS_WORK,
    summary="Plan a callback by hand",
    description="It takes the place of the one of its type that waits for the same project.",
    tag=TAG,
    body=CallbackPlanIn,
    status=201,
    idempotent=Idempotency.REQUIRED,
)
async def plan_callback(call: Call[NoQuery]) -> CallbackTaskDetail:
    """Plan a callback."""
    new = call.body(CallbackPlanIn)
    return _detail(
        await desk(call.request).plan(
            call.actor, new.kind, on=new.on, customer_id=new.customer_id, project_id=new.project_id
        )
    )


@operation(
    query=NoQuery,
    response=CallbackTaskDetail,
    permission=Permission.CALLBACKS_WORK,
    summary="Write down the time that the customer named",
    tag=TAG,
    path_parameters=TASK,
    body=CallbackAppointIn,
    if_match=True,
    idempotent=Idempotency.REQUIRED,
)
async def appoint_callback(call: Call[NoQuery]) -> CallbackTaskDetail:
    """Appoint a callback."""
    at = call.body(CallbackAppointIn).at
    return _detail(await desk(call.request).appoint(call.actor, _task(call), at, expected=call.expected))


@operation(
    query=NoQuery,
    response=CallbackTaskDetail,
    permission=Permission.CALLBACKS_WORK,
    summary="Say which agent is to call",
    description="Agents take tasks on and give their own back; supervisors give them to anybody.",
    tag=TAG,
    path_parameters=TASK,
    body=CallbackAssignIn,
    if_match=True,
)
async def assign_callback(call: Call[NoQuery]) -> CallbackTaskDetail:
    """Assign a callback."""
    to, task_id = call.body(CallbackAssignIn).user_id, _task(call)
    assignments = call.request.app[CALLBACKS].assignments
    if to is None:
        await assignments.give_back(call.actor, task_id, expected=call.expected)
    elif to in {ME, call.actor.user_id}:
        await assignments.take(call.actor, task_id, expected=call.expected)
    else:
        await assignments.assign(call.actor, task_id, to, expected=call.expected)
    return _detail(await desk(call.request).get(call.actor, task_id))


@operation(
    query=NoQuery,
    response=CallbackTaskDetail,
    permission=Permission.CALLBACKS_WORK,
    summary="Write down an attempt from another telephone that brought nothing",
    description="It counts as any other attempt; when to try again follows from the rules.",
    tag=TAG,
    path_parameters=TASK,
    body=CallbackTriedIn,
    if_match=True,
)
async def record_callback_attempt(call: Call[NoQuery]) -> CallbackTaskDetail:
    """Record an attempt."""
    given, task_id = call.body(CallbackTriedIn), _task(call)
    await call.request.app[CALLBACKS].attempts_by_hand.record(
        call.actor, task_id, given.outcome, reason=given.reason, expected=call.expected
    )
    return _detail(await desk(call.request).get(call.actor, task_id))


@operation(
    query=NoQuery,
    response=CallbackTaskDetail,
    permission=Permission.PROJECTS_CORRECT,
    summary="Do without a callback",
    tag=TAG,
    path_parameters=TASK,
    body=CallbackCancelIn,
    if_match=True,
)
async def cancel_callback(call: Call[NoQuery]) -> CallbackTaskDetail:
    """Cancel a callback."""
    why = call.body(CallbackCancelIn).reason
    done = await desk(call.request).cancel(call.actor, _task(call), reason=why, expected=call.expected)
    return _detail(done)


@operation(
    query=NoQuery,
    response=CallbackStopOut,
    permission=Permission.PROJECTS_CORRECT,
    summary="Stop the callbacks of a type for a project, or enable them again",
    description="What waits is cancelled; a call in progress ends as it would. If-Match carries the project's"
    " `version`, which is another one afterwards.",
    tag=TAG,
    path_parameters=PROJECT,
    body=CallbackStopIn,
    if_match=True,
)
async def set_callback_stop(call: Call[NoQuery]) -> CallbackStopOut:
    """Stop or enable."""
    given, project_id = call.body(CallbackStopIn), call.request.match_info["project_id"]
    change = desk(call.request).stop if given.stopped else desk(call.request).enable
    version = await change(call.actor, project_id, given.kind, reason=given.reason, expected=call.expected)
    return CallbackStopOut(project_id=project_id, kind=given.kind, stopped=given.stopped, version=version)


@operation(
    query=NoQuery,
    response=GateList,
    permission=Permission.PROJECTS_VIEW,
    summary="Say what of a project waits for a callback",
    tag=TAG,
    path_parameters=PROJECT,
)
async def list_callback_gates(call: Call[NoQuery]) -> GateList:
    """Return the gates."""
    project_id = call.request.match_info["project_id"]
    found = await call.request.app[CALLBACKS].gates.of_project(call.actor, project_id)
    return GateList(items=tuple(_gate(gate, state) for gate, state in found.items()))


@operation(
    query=NoQuery,
    response=GateOut,
    permission=Permission.PROJECTS_CORRECT,
    summary="Open a gate by the manager's decision",
    description="Once; a gate that is open is refused, and what was decided is never changed.",
    tag=TAG,
    path_parameters=PROJECT,
    body=GateOpenIn,
)
async def open_callback_gate(call: Call[NoQuery]) -> GateOut:
    """Open a gate."""
    project_id, given = call.request.match_info["project_id"], call.body(GateOpenIn)
    desk = call.request.app[CALLBACKS].gates
    return _gate(given.gate, await desk.open(call.actor, project_id, given.gate, reason=given.reason))


def _gate(gate: Gate, state: GateState) -> GateOut:
    decided = state.override
    return GateOut(
        gate=gate,
        open=state.open,
        why=state.why,
        opened_by=decided.by if decided else None,
        reason=decided.reason if decided else None,
    )


def _task(call: Call[NoQuery]) -> str:
    return call.request.match_info["task_id"]


def _detail(found: TaskDetail) -> CallbackTaskDetail:
    return CallbackTaskDetail(
        task=_out(found.listed),
        steps=tuple(CallbackStepOut.model_validate(step) for step in found.steps),
        invalid_attempts=tuple(InvalidAttemptOut.model_validate(one) for one in found.invalid),
        version=found.listed.version,
    )


def _out(item: ListedTask) -> CallbackTaskOut:
    task = item.task
    return CallbackTaskOut(
        task_id=task.task_id,
        kind=task.kind,
        status=task.status,
        customer_id=task.customer_id,
        customer_name=item.customer_name,
        project_id=task.project_id,
        contract_no=item.contract_no,
        case_id=task.case_id,
        point=task.point,
        level=task.level,
        channel=task.channel,
        origin=task.origin,
        due_at=task.due_at,
        first_by=item.first_by,
        window_end=task.window_end,
        appointed=task.appointed,
        holds=tuple(sorted(task.holds)),
        attempts=len(task.tried),
        verdict=task.finding.verdict if task.finding else None,
        score=task.finding.score if task.finding else None,
        previous_id=task.previous_id,
        revisit_id=task.revisit_id,
        cancelled_why=task.cancelled_why,
        ended_at=task.ended_at,
        assignee_id=item.assignee_id,
        assignee_name=item.assignee_name,
        version=item.version,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/callback-tasks", list_callback_tasks),
    ("POST", "/callback-tasks", plan_callback),
    ("GET", "/callback-tasks/{task_id}", get_callback_task),
    ("POST", "/callback-tasks/{task_id}/appoint", appoint_callback),
    ("PUT", "/callback-tasks/{task_id}/assignee", assign_callback),
    ("POST", "/callback-tasks/{task_id}/attempts", record_callback_attempt),
    ("POST", "/callback-tasks/{task_id}/cancel", cancel_callback),
    ("PUT", "/projects/{project_id}/callback-stop", set_callback_stop),
    ("GET", "/projects/{project_id}/callback-gates", list_callback_gates),
    ("POST", "/projects/{project_id}/callback-gates", open_callback_gate),
)
