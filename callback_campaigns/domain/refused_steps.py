"""What becomes of a task whose call was refused: it leaves the list of those that may be dialled.

============================================ =========================================================
refusal                                      the task
============================================ =========================================================
do not call, no consent                      REFUSED
stopped for the project                      CANCELLED
number unreadable, wrong, not to be dialled  BAD_NUMBER: the store is to find the right one
attempts used up, region not served          UNREACHED: by form, or for level A by a named person
anything that passes                         waits: PLANNED, or APPOINTED, until it is worth asking again
what only the campaign or the lines lack     stays READY
============================================ =========================================================
"""

from dataclasses import replace
from datetime import datetime, timedelta

from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.domain.task import CancelWhy, Effect, Moved, Task, TaskStatus
from callback_campaigns.domain.task_steps import cancel, refuse_calls, unreached
from crm.domain.machine import refuse

AT_ONCE = frozenset(
    {
        RefusalCode.TASK_NOT_READY,
        RefusalCode.TASK_CHANGED,
        RefusalCode.CAMPAIGN_STOPPED,
        RefusalCode.PAUSED,
        RefusalCode.NO_CALLER_ID,
        RefusalCode.LINK_DOWN,
        RefusalCode.STALE_STATE,
        RefusalCode.NO_AGENTS,
        RefusalCode.ABANDONMENT,
        RefusalCode.CONCURRENCY,
        RefusalCode.CALLS_PER_SECOND,
    }
)
"""Refusals that are no property of the task: it stays where it is."""

SOON = timedelta(minutes=2)
LATER = timedelta(minutes=30)
NEVER_OPENS = timedelta(days=1)
_WAITS = {
    RefusalCode.OPEN_ATTEMPT: SOON,
    RefusalCode.CUSTOMER_ON_CALL: SOON,
    RefusalCode.FROZEN: LATER,
    RefusalCode.COMPLAINT_WAITS: LATER,
    RefusalCode.CALENDAR_UNKNOWN: LATER,
    RefusalCode.TASK_FREQUENCY: LATER,
}
LONGEST = timedelta(days=400)


def after_refusal(task: Task, refusal: Refusal, *, now: datetime) -> Moved:
    """Return a task that waits to be dialled after its call was refused; any other stays as it is."""
    if task.status is not TaskStatus.READY or refusal.code in AT_ONCE:
        return Moved(task)
    match refusal.code:
        case RefusalCode.DO_NOT_CALL | RefusalCode.NO_CONSENT:
            return refuse_calls(task, now=now, do_not_call=False)
        case RefusalCode.STOPPED:
            return cancel(task, CancelWhy.STOPPED, now=now)
        case RefusalCode.NOT_DIALABLE | RefusalCode.BAD_NUMBER:
            return number_wrong(task)
        case RefusalCode.EXHAUSTED | RefusalCode.REGION_BLOCKED:
            return unreached(task, (), now)
        case code:
            until = refusal.until or now + _WAITS.get(code, NEVER_OPENS)
            return put_off(task, min(max(until, now + timedelta(seconds=1)), now + LONGEST))


def put_off(task: Task, until: datetime) -> Moved:
    """It may not be called before ``until``. An appointment stays one. Raises IllegalStep."""
    _check(task, "put_off")
    status = TaskStatus.APPOINTED if task.appointed else TaskStatus.PLANNED
    return Moved(replace(task, status=status, due_at=until))


def number_wrong(task: Task) -> Moved:
    """There is no number that the system may dial: the store is to find one. Raises IllegalStep."""
    _check(task, "number_wrong")
    return Moved(replace(task, status=TaskStatus.BAD_NUMBER), (Effect.NUMBER_FIX,))


def _check(task: Task, step: str) -> None:
    if task.status is not TaskStatus.READY:
        raise refuse(step, task.status, (TaskStatus.READY,))
