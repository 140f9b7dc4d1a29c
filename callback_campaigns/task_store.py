"""Callback tasks as rows: loaded, moved by the domain's steps, stored with their history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.result import Finding, ResultCode
from callback_campaigns.domain.retry import Tried
from callback_campaigns.domain.task import CancelWhy, Effect, Hold, InvalidAttempt, Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Channel, Origin, Outcome, Verdict
from callback_campaigns.events import CallbackMoved
from callback_campaigns.task_tables import CallbackStepRow, CallbackTaskRow, InvalidAttemptRow
from crm.domain.customer import Level
from kernel.ids import new_ulid
from kernel.outbox import add_fact

WAITS_FOR_TIME = frozenset({TaskStatus.PLANNED, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED})


def current_key(task: Task) -> str | None:
    """Return what only one open task may have: its project, case or customer, with its type (CB-1)."""
    if not task.status.is_open:
        return None
    about = task.case_id if task.category is Category.CASE else task.project_id
    return f"{about or task.customer_id}:{task.kind}"


def to_task(row: CallbackTaskRow, invalid: Sequence[InvalidAttemptRow] = ()) -> Task:
    """Return a task as the rules see it."""
    return Task(
        task_id=row.id,
        key=row.key,
        kind=CallbackType(row.kind),
        category=Category(row.category),
        customer_id=row.customer_id,
        status=TaskStatus(row.status),
        due_at=row.call_at,
        project_id=row.project_id,
        case_id=row.case_id,
        point=row.point,
        level=Level(row.level),
        channel=Channel(row.channel),
        origin=Origin(row.origin),
        origin_ref=row.origin_ref,
        previous_id=row.previous_id,
        window_end=row.window_end,
        appointed=row.appointed,
        holds=frozenset(Hold(word) for word in row.holds.split(",") if word),
        attempt_id=row.attempt_id,
        attempt_at=row.attempt_at,
        tried=tuple(
            Tried(datetime.fromisoformat(at), Outcome(outcome), Channel(channel))
            for at, outcome, channel in row.tried
        ),
        invalid=tuple(_to_invalid(one) for one in invalid),
        ends_in_call=CancelWhy(row.ends_in_call) if row.ends_in_call else None,
        finding=_to_finding(row.finding),
        result_code=ResultCode(row.result_code) if row.result_code else None,
        answered=row.answered,
        cancelled_why=CancelWhy(row.cancelled_why) if row.cancelled_why else None,
        replaced_by=row.replaced_by,
        revisit_id=row.revisit_id,
        ended_at=row.ended_at,
    )


def put(row: CallbackTaskRow, task: Task) -> None:
    """Write a task into its row."""
    row.current_key = current_key(task)
    row.status = task.status.value
    row.call_at = task.due_at
    row.due_at = task.due_at if task.status in WAITS_FOR_TIME else None
    row.claimed_by = row.claimed_until = None
    row.customer_id, row.project_id, row.case_id = task.customer_id, task.project_id, task.case_id
    row.channel, row.level = task.channel.value, task.level.value
    row.previous_id, row.replaced_by, row.revisit_id = task.previous_id, task.replaced_by, task.revisit_id
    row.appointed = task.appointed
    row.holds = ",".join(sorted(task.holds))
    row.attempt_id, row.attempt_at = task.attempt_id, task.attempt_at
    row.tried = [[one.at.isoformat(), one.outcome.value, one.channel.value] for one in task.tried]
    row.ends_in_call = task.ends_in_call.value if task.ends_in_call else None
    row.result_code = task.result_code.value if task.result_code else None
    row.verdict = task.finding.verdict.value if task.finding else None
    row.score = task.finding.score if task.finding else None
    row.finding = _from_finding(task.finding)
    row.answered = task.answered
    row.cancelled_why = task.cancelled_why.value if task.cancelled_why else None
    row.ended_at = task.ended_at


def new_row(task: Task, *, first_by: datetime | None, now: datetime) -> CallbackTaskRow:
    """Return the row of a new task."""
    row = CallbackTaskRow(
        id=task.task_id,
        key=task.key,
        kind=task.kind.value,
        category=task.category.value,
        point=task.point,
        origin=task.origin.value,
        origin_ref=task.origin_ref,
        window_end=task.window_end,
        planned_for=task.due_at,
        first_by=first_by,
        created_at=now,
        tries=0,
    )
    put(row, task)
    return row


def add_step(
    session: AsyncSession,
    task: Task,
    step: str,
    *,
    by: str,
    now: datetime,
    was: TaskStatus | None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write down what happened to a task."""
    session.add(
        CallbackStepRow(
            id=new_ulid(),
            task_id=task.task_id,
            at=now,
            by=by[:80],
            step=step[:24],
            status_was=was.value if was else None,
            status=task.status.value,
            detail=detail or {},
        )
    )


async def locked(session: AsyncSession, *chosen: ColumnElement[bool]) -> Sequence[CallbackTaskRow]:
    """Return task rows for a change, in the order of their ids: two changes never wait for each other."""
    query = select(CallbackTaskRow).where(*chosen).order_by(CallbackTaskRow.id).with_for_update()
    return (await session.execute(query)).scalars().all()


_ONE = select(CallbackTaskRow).where(CallbackTaskRow.id == bindparam("task_id")).with_for_update()


async def locked_one(session: AsyncSession, task_id: str) -> CallbackTaskRow | None:
    """Return one task's row for a change."""
    return await session.scalar(_ONE, {"task_id": task_id})


async def invalid_of(session: AsyncSession, task_id: str) -> Sequence[InvalidAttemptRow]:
    """Return the records of a task's attempts that brought nothing, oldest first."""
    order = (InvalidAttemptRow.at, InvalidAttemptRow.id)
    query = select(InvalidAttemptRow).where(InvalidAttemptRow.task_id == task_id).order_by(*order)
    return (await session.execute(query)).scalars().all()


def add_invalid(session: AsyncSession, task_id: str, record: InvalidAttempt) -> str:
    """Keep an attempt that brought nothing as a record of its own (CB-8); return its id."""
    key = new_ulid()
    session.add(
        InvalidAttemptRow(
            id=key,
            task_id=task_id,
            attempt_id=record.attempt_id,
            at=record.at,
            outcome=record.outcome.value,
            channel=record.channel.value,
            agent=record.agent,
            node=record.node[:40],
            remark=record.remark[:200],
        )
    )
    return key


def tell(
    session: AsyncSession,
    task: Task,
    effects: Sequence[Effect],
    *,
    now: datetime,
    attempt_id: str | None,
) -> None:
    """Tell what follows outside of a task, to be carried out once this is committed."""
    told = tuple(effect.value for effect in effects if effect is not Effect.INVALID_ATTEMPT)
    if told:
        add_fact(
            session,
            CallbackMoved(
                at=now,
                task_id=task.task_id,
                customer_id=task.customer_id,
                project_id=task.project_id,
                kind=task.kind.value,
                level=task.level.value,
                status=task.status.value,
                effects=told,
                attempt_id=attempt_id,
            ),
        )


def _to_invalid(row: InvalidAttemptRow) -> InvalidAttempt:
    return InvalidAttempt(
        attempt_id=row.attempt_id,
        at=row.at,
        outcome=Outcome(row.outcome),
        channel=Channel(row.channel),
        agent=row.agent,
        node=row.node,
        remark=row.remark,
    )


def _from_finding(found: Finding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "code": found.code.value,
        "verdict": found.verdict.value,
        "done_at": found.done_at.isoformat(),
        "score": found.score,
        "problem_code": found.problem_code,
        "explanation": found.explanation,
        "departments": list(found.departments),
    }


def _to_finding(kept: dict[str, Any] | None) -> Finding | None:
    if kept is None:
        return None
    return Finding(
        code=ResultCode(kept["code"]),
        verdict=Verdict(kept["verdict"]),
        done_at=datetime.fromisoformat(kept["done_at"]),
        score=kept["score"],
        problem_code=kept["problem_code"],
        explanation=kept["explanation"],
        departments=tuple(kept["departments"]),
    )
