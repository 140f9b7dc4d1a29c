"""Callback tasks for tests."""

from datetime import datetime, timedelta
from typing import Any

from callback_campaigns.domain import task_steps as steps
from callback_campaigns.domain.result import Finding, ResultCode
from callback_campaigns.domain.task import RetryTimes, Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Verdict
from callback_campaigns.domain.windows import CallingWindows, CallWish
from tests.unit.callback_campaigns.times import at

MONDAY = at("2026-03-02 09:40")
WINDOWS = CallingWindows()


def opens(moment: datetime) -> datetime | None:
    return WINDOWS.opens(moment, CallWish())


TIMES = RetryTimes(opens=opens)


def planned(**changes: Any) -> Task:
    known: dict[str, Any] = {
        "task_id": "T1",
        "key": "KG:P1:S1",
        "kind": CallbackType.START,
        "category": Category.SITE,
        "customer_id": "C1",
        "project_id": "P1",
        "status": TaskStatus.PLANNED,
        "due_at": MONDAY,
    }
    return Task(**(known | changes))


def ready(**changes: Any) -> Task:
    return planned(**({"status": TaskStatus.READY} | changes))


def dialling(attempt_id: str = "A1", *, now: datetime = MONDAY, **changes: Any) -> Task:
    return steps.dialled(ready(**changes), attempt_id, now=now).task


def talking(**changes: Any) -> Task:
    return steps.answered(dialling(**changes)).task


def in_status(status: TaskStatus) -> Task:
    """Return a task that came to ``status``, as far as its rules depend on how."""
    match status:
        case TaskStatus.DIALLING:
            return dialling()
        case TaskStatus.TALKING:
            return talking()
        case _:
            return planned(status=status)


def finding(verdict: Verdict = Verdict.SATISFIED, **changes: Any) -> Finding:
    bad = verdict is Verdict.DISSATISFIED
    known: dict[str, Any] = {
        "code": ResultCode.PROBLEM if bad else ResultCode.NO_PROBLEM,
        "verdict": verdict,
        "done_at": MONDAY + timedelta(minutes=3),
        "problem_code": "1" if bad else "",
        "explanation": "卫生间地砖空鼓" if bad else "",
        "departments": ("ENG",) if bad else (),
    }
    return Finding(**(known | changes))
