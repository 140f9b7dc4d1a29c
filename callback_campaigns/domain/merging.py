"""Several callbacks to one customer become one call that asks both sets (domain.md §6.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from callback_campaigns.domain.task import Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category

JOINING = frozenset({TaskStatus.READY, TaskStatus.PLANNED, TaskStatus.RETRY_WAIT})


@dataclass(frozen=True, slots=True)
class OneCall:
    """A call about ``task``, in which the ``others`` are asked as well, in this order."""

    task: Task
    others: tuple[Task, ...]
    longest: timedelta


def merge(
    tasks: Iterable[Task],
    lengths: Mapping[CallbackType, timedelta],
    *,
    now: datetime,
    within: timedelta,
    longest: timedelta,
) -> tuple[OneCall, ...]:
    """Return the calls to make for tasks that may be dialled now and those that join them.

    A call is about the most pressing task of a customer: a case first, then what is late soonest. Others of
    the same customer join it when they are due by ``now + within`` and the call does not grow longer than
    ``longest``. A case does not join another call, and nothing joins an appointment or a call by another
    channel that the customer did not ask for.
    """
    by_customer: dict[str, list[Task]] = {}
    for task in sorted(tasks, key=_press):
        by_customer.setdefault(task.customer_id, []).append(task)
    calls = []
    for group in by_customer.values():
        left = list(group)
        while (first := next((task for task in left if task.is_dialable(now)), None)) is not None:
            left.remove(first)
            others, total = joining(first, left, lengths, now=now, within=within, longest=longest)
            left = [task for task in left if task not in others]
            calls.append(OneCall(first, others, total))
    return tuple(calls)


def joining(
    first: Task,
    tasks: Iterable[Task],
    lengths: Mapping[CallbackType, timedelta],
    *,
    now: datetime,
    within: timedelta,
    longest: timedelta,
) -> tuple[tuple[Task, ...], timedelta]:
    """Return which tasks of the same customer are asked in the call about ``first``, and how long it takes.

    The most pressing come first. The same questions are not asked twice in one call.
    """
    total, kinds = lengths[first.kind], {first.kind}
    others: list[Task] = []
    for task in sorted(tasks, key=_press):
        fits = _joins(task, first, now + within) and task.kind not in kinds
        if fits and total + lengths[task.kind] <= longest:
            total += lengths[task.kind]
            kinds.add(task.kind)
            others.append(task)
    return tuple(others), total


def _press(task: Task) -> tuple[bool, bool, datetime, str]:
    return (
        task.category is not Category.CASE,
        not task.appointed,
        task.window_end or task.due_at,
        task.task_id,
    )


def _joins(task: Task, first: Task, until: datetime) -> bool:
    return (
        task.status in JOINING
        and task.category is not Category.CASE
        and not task.appointed
        and task.channel is first.channel
        and task.due_at <= until
    )
