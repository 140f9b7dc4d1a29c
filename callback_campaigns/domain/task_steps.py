"""The steps of a callback task; its states and their table are in :mod:`callback_campaigns.domain.task`."""

from dataclasses import replace
from datetime import datetime

from callback_campaigns.domain.result import Finding, ResultCode, check_finding, is_kept
from callback_campaigns.domain.retry import Tried, next_attempt, wants_person
from callback_campaigns.domain.task import (
    IN_CALL,
    WAITING,
    CancelWhy,
    Effect,
    Hold,
    InvalidAttempt,
    Moved,
    RetryTimes,
    TalkEnd,
    Task,
    TaskStatus,
)
from callback_campaigns.domain.terms import CallbackType, Channel, Origin, Outcome, Verdict
from crm.domain.customer import Level
from crm.domain.machine import IllegalStep, refuse
from kernel.errors import Invalid


def due(task: Task, *, now: datetime) -> Moved:
    """Its time has come: it may be dialled. Before its time nothing happens.

    Raises:
        IllegalStep: it does not wait for a time.
    """
    _check(task, "due", {TaskStatus.PLANNED, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED})
    return Moved(replace(task, status=TaskStatus.READY) if task.due_at <= now else task)


def dialled(task: Task, attempt_id: str, *, now: datetime) -> Moved:
    """An attempt was committed, or an agent took it. Raises IllegalStep."""
    _check(task, "dialled", {TaskStatus.READY})
    if task.due_at > now:
        raise IllegalStep("it is not due yet", field="due_at")
    return Moved(replace(task, status=TaskStatus.DIALLING, attempt_id=attempt_id, attempt_at=now))


def answered(task: Task) -> Moved:
    """Somebody answered. Raises IllegalStep."""
    _check(task, "answered", {TaskStatus.DIALLING})
    return Moved(replace(task, status=TaskStatus.TALKING))


def not_reached(
    task: Task,
    outcome: Outcome,
    times: RetryTimes,
    *,
    now: datetime,
    agent: str | None = None,
    node: str = "",
    remark: str = "",
) -> Moved:
    """The attempt ended without a talk, or the talk broke off before it brought anything.

    Raises:
        IllegalStep: no call is on.
    """
    _check(task, "not_reached", IN_CALL)
    task = _attempt_over(task, outcome, now=now, agent=agent, node=node, remark=remark)
    effects: tuple[Effect, ...] = (Effect.INVALID_ATTEMPT,)
    if task.ends_in_call is not None:
        return _with(cancel(task, task.ends_in_call, now=now), effects)
    if outcome is Outcome.EMPTY:
        return _held(replace(task, status=TaskStatus.BAD_NUMBER), (*effects, Effect.NUMBER_FIX))
    return _again(task, times, effects, now=now)


def wrong_person(task: Task, *, now: datetime, agent: str | None = None, node: str = "") -> Moved:
    """Somebody answered who does not know the customer: the number is wrong. Raises IllegalStep."""
    _check(task, "wrong_person", (WAITING - {TaskStatus.BAD_NUMBER}) | {TaskStatus.TALKING})
    if task.status is not TaskStatus.TALKING:
        return _held(replace(task, status=TaskStatus.BAD_NUMBER), (Effect.NUMBER_FIX,))
    task = _attempt_over(task, Outcome.ANSWERED, now=now, agent=agent, node=node, remark="wrong_person")
    if task.ends_in_call is not None:
        return _with(cancel(task, task.ends_in_call, now=now), (Effect.INVALID_ATTEMPT,))
    bad = replace(task, status=TaskStatus.BAD_NUMBER)
    return _held(bad, (Effect.INVALID_ATTEMPT, Effect.NUMBER_FIX))


def talked(
    task: Task, end: TalkEnd, times: RetryTimes, *, now: datetime, agent: str | None = None, node: str = ""
) -> Moved:
    """The talk ended: with everything answered, or midway.

    Raises:
        IllegalStep: nobody is talking.
        Invalid: the result is missing or incomplete (CB-2), or there are more answers than questions.
    """
    _check(task, "talked", {TaskStatus.TALKING})
    if not 0 <= end.answered <= end.required:
        raise Invalid("between none and all that are required", field="answered")
    complete = end.answered == end.required
    if end.finding is not None:
        check_finding(end.finding)
    most = max(task.answered, end.answered)
    if not is_kept(end.answered, end.required):
        # A short talk is tried again; what was answered is kept.
        return not_reached(
            replace(task, answered=most),
            Outcome.ANSWERED,
            times,
            now=now,
            agent=agent,
            node=node,
            remark=end.remark or "broken_off",
        )
    if end.finding is None:
        raise Invalid("every callback has a result", field="code")
    tried = (*task.tried, Tried(task.attempt_at or now, Outcome.ANSWERED, task.channel))
    done = replace(
        task,
        status=TaskStatus.DONE if complete else TaskStatus.PARTIAL,
        tried=tried,
        attempt_id=None,
        attempt_at=None,
        ends_in_call=None,
        finding=end.finding,
        result_code=end.finding.code,
        answered=most,
        holds=frozenset(),
        ended_at=now,
    )
    return Moved(done, _after_result(done))


def asked_otherwise(task: Task, end: TalkEnd, *, now: datetime, channel: Channel) -> Moved:
    """The customer was asked without a call of its own: by form, at a visit, in a call about something else.

    Too few answers change nothing but how many there are: it is called about as it would have been.

    Raises:
        IllegalStep: a call about it is on, or it is over otherwise than by reaching nobody.
        Invalid: as :func:`talked`.
    """
    _check(task, "asked", WAITING | {TaskStatus.UNREACHED})
    if not 0 <= end.answered <= end.required:
        raise Invalid("between none and all that are required", field="answered")
    most = max(task.answered, end.answered)
    if not is_kept(end.answered, end.required):
        return Moved(replace(task, answered=most))
    if end.finding is None:
        raise Invalid("every callback has a result", field="code")
    check_finding(end.finding)
    done = replace(
        task,
        status=TaskStatus.DONE if end.answered == end.required else TaskStatus.PARTIAL,
        channel=channel,
        finding=end.finding,
        result_code=end.finding.code,
        answered=most,
        holds=frozenset(),
        appointed=False,
        ended_at=now,
    )
    return Moved(done, _after_result(done))


def spoke_of_problem(task: Task, found: Finding) -> Moved:
    """What the customer said in their own words is worse than what they chose: the result follows it.

    A result is never made better, and one that is bad already stays as it was given.

    Raises:
        IllegalStep: it has no result that could change.
        Invalid: the result is incomplete (CB-2), or no problem.
    """
    _check(task, "spoke_of_problem", {TaskStatus.DONE, TaskStatus.PARTIAL})
    check_finding(found)
    if found.verdict is not Verdict.DISSATISFIED:
        raise Invalid("what was said makes a result worse, never better", field="verdict")
    if task.finding is None or task.finding.verdict is Verdict.DISSATISFIED:
        return Moved(task)
    worse = replace(task, finding=found, result_code=found.code)
    return Moved(worse, _after_result(worse))


def appoint(task: Task, at: datetime, *, now: datetime) -> Moved:
    """The customer named another time: on the phone, or through any other channel.

    Raises:
        IllegalStep: it is over, or the phone is still ringing.
        Invalid: the time has passed.
    """
    _check(task, "appoint", (WAITING - {TaskStatus.BAD_NUMBER}) | {TaskStatus.TALKING})
    if at <= now:
        raise Invalid("the time has passed", field="at")
    if task.status is TaskStatus.TALKING:
        task = _attempt_over(task, Outcome.ANSWERED, now=now, remark="appointed", invalid=False)
        if task.ends_in_call is not None:
            return cancel(task, task.ends_in_call, now=now)
    return _held(replace(task, status=TaskStatus.APPOINTED, due_at=at, appointed=True))


def refuse_calls(task: Task, *, now: datetime, do_not_call: bool) -> Moved:
    """The customer does not want this call, or with ``do_not_call`` none of its kind. Raises IllegalStep."""
    _check(task, "refuse", WAITING | {TaskStatus.TALKING})
    if task.status is TaskStatus.TALKING:
        task = _attempt_over(task, Outcome.ANSWERED, now=now, remark="refused", invalid=False)
    task = replace(task, status=TaskStatus.REFUSED, holds=frozenset(), ends_in_call=None, ended_at=now)
    return Moved(task, (Effect.DO_NOT_CALL,) if do_not_call else ())


def number_corrected(task: Task, *, now: datetime) -> Moved:
    """The store found the right number. Raises IllegalStep."""
    _check(task, "number_corrected", {TaskStatus.BAD_NUMBER})
    return _held(replace(task, status=TaskStatus.READY, due_at=now))


def hold(task: Task, why: Hold) -> Moved:
    """Hold it back; during a call from when that has ended. What is over stays as it is."""
    if not task.status.is_open:
        return Moved(task)
    # A new freeze makes the question about the last one pointless.
    holds = task.holds - {Hold.QUESTION} if why is Hold.CUSTOMER else task.holds
    return _held(replace(task, holds=holds | {why}))


def release(task: Task, why: Hold, *, now: datetime) -> Moved:
    """What held it back is over.

    After a customer's freeze somebody must first say whether the callback is still needed (CB-3); the task
    waits for that. Work that goes on needs no answer.
    """
    if why not in task.holds:
        return Moved(task)
    holds = task.holds - {why}
    if why is Hold.CUSTOMER and task.status is TaskStatus.FROZEN:
        return Moved(replace(task, holds=holds | {Hold.QUESTION}), (Effect.ASK_IF_NEEDED,))
    return Moved(_released(replace(task, holds=holds), now))


def answer_thaw(task: Task, *, needed_at: datetime | None, now: datetime) -> Moved:
    """Somebody said whether the callback is needed after the thaw, and when (CB-3).

    Raises:
        IllegalStep: nobody asked.
    """
    if Hold.QUESTION not in task.holds:
        raise refuse("answer", task.status, ())
    if needed_at is None:
        return cancel(replace(task, holds=frozenset()), CancelWhy.NOT_NEEDED, now=now)
    holds = task.holds - {Hold.QUESTION}
    task = replace(task, holds=holds, due_at=needed_at, appointed=False)
    return Moved(_released(task, now))


def cancel(task: Task, why: CancelWhy, *, now: datetime, replaced_by: str | None = None) -> Moved:
    """It is not done any more. A call in progress ends as it would: a full talk still counts.

    What is over stays as it is.
    """
    if not task.status.is_open:
        return Moved(task)
    if task.status in IN_CALL:
        return Moved(replace(task, ends_in_call=task.ends_in_call or why))
    gone = replace(
        task,
        status=TaskStatus.CANCELLED,
        cancelled_why=why,
        replaced_by=replaced_by,
        holds=frozenset(),
        ends_in_call=None,
        ended_at=now,
    )
    return Moved(gone)


def take_place(current: Task | None, new: Task, *, now: datetime) -> tuple[Task | None, Task]:
    """Return the older task, replaced, and the newer one linked to it (CB-1).

    One task of a project and kind is current; what is over is history and stays as it is.

    Raises:
        IllegalStep: the customer is just being called about the older one.
    """
    if current is None or not current.status.is_open:
        return None, new
    if current.status in IN_CALL:
        raise IllegalStep("the customer is just being called about this", field="kind")
    why = CancelWhy.REPLACED
    return (
        cancel(current, why, now=now, replaced_by=new.task_id).task,
        replace(new, previous_id=new.previous_id or current.task_id),
    )


def revisit(task: Task, task_id: str, *, at: datetime) -> tuple[Task, Task]:
    """Return the task, linked, and the one that asks again once the problem is solved (REVISIT).

    Raises:
        IllegalStep: it found no problem, or is asked again already.
    """
    solved_later = task.finding is not None and task.finding.verdict is Verdict.DISSATISFIED
    if not solved_later or task.revisit_id is not None:
        raise refuse("revisit", task.status, ())
    again = Task(
        task_id=task_id,
        key=f"revisit:{task.task_id}",
        kind=task.kind,
        category=task.category,
        customer_id=task.customer_id,
        status=TaskStatus.PLANNED,
        due_at=at,
        project_id=task.project_id,
        case_id=task.case_id,
        point=task.point,
        level=task.level,
        # Whoever was let down once is not asked by a machine.
        channel=Channel.AGENT,
        origin=Origin.REVISIT,
        origin_ref=task.task_id,
        previous_id=task.task_id,
    )
    return replace(task, revisit_id=task_id), again


def _check(task: Task, step: str, states: frozenset[TaskStatus] | set[TaskStatus]) -> None:
    if task.status not in states:
        raise refuse(step, task.status, states)


def _with(moved: Moved, effects: tuple[Effect, ...]) -> Moved:
    return Moved(moved.task, (*effects, *moved.effects))


def _attempt_over(
    task: Task,
    outcome: Outcome,
    *,
    now: datetime,
    agent: str | None = None,
    node: str = "",
    remark: str = "",
    invalid: bool = True,
) -> Task:
    began = task.attempt_at or now
    records = task.invalid
    if invalid:
        record = InvalidAttempt(
            attempt_id=task.attempt_id or "",
            at=began,
            outcome=outcome,
            channel=task.channel,
            agent=agent,
            node=node,
            remark=remark,
        )
        records = (*records, record)
    return replace(
        task,
        # Between two attempts; the caller decides where it goes from here.
        status=TaskStatus.RETRY_WAIT,
        tried=(*task.tried, Tried(began, outcome, task.channel)),
        invalid=records,
        attempt_id=None,
        attempt_at=None,
        appointed=False,
    )


def _again(task: Task, times: RetryTimes, effects: tuple[Effect, ...], *, now: datetime) -> Moved:
    moment = next_attempt(times.policy, task.tried, now=now, opens=times.opens)
    if moment is None:
        return unreached(task, effects, now)
    channel = task.channel
    if channel is Channel.IVR and wants_person(times.policy, task.tried):
        channel = Channel.AGENT
    return _held(replace(task, status=TaskStatus.RETRY_WAIT, due_at=moment, channel=channel), effects)


def unreached(task: Task, effects: tuple[Effect, ...], now: datetime) -> Moved:
    """The telephone is given up: by form, or for level A by a named person (CB-7)."""
    if task.level is Level.A:
        effects += (Effect.TO_PERSON, Effect.TELL_MANAGER)
    else:
        effects += (Effect.SEND_FORM,)
    if task.kind is CallbackType.COMPLETION:
        effects += (Effect.HANDOVER_NOT_REACHED,)
    over = replace(
        task,
        status=TaskStatus.UNREACHED,
        result_code=ResultCode.NOT_REACHED,
        holds=frozenset(),
        ended_at=now,
    )
    return Moved(over, effects)


def _after_result(task: Task) -> tuple[Effect, ...]:
    found = task.finding
    if found is None:
        return ()
    bad = found.verdict is Verdict.DISSATISFIED
    effects: tuple[Effect, ...] = ()
    if bad:
        effects += (Effect.TICKETS,)
        if task.level is Level.A:
            effects += (Effect.TELL_MANAGER,)
    if task.kind is CallbackType.COMPLETION:
        effects += (Effect.HANDOVER_FAILED if bad else Effect.HANDOVER_YES,)
    return effects


def _held(task: Task, effects: tuple[Effect, ...] = ()) -> Moved:
    """Return the task FROZEN if something holds it back and no call is on."""
    if task.holds and task.status in WAITING and task.status is not TaskStatus.BAD_NUMBER:
        return Moved(replace(task, status=TaskStatus.FROZEN), effects)
    return Moved(task, effects)


def _released(task: Task, now: datetime) -> Task:
    if task.status is not TaskStatus.FROZEN or task.holds:
        return task
    status = TaskStatus.APPOINTED if task.appointed else TaskStatus.PLANNED
    return replace(task, status=status, due_at=max(task.due_at, now))
