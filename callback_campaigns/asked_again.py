"""Plans the callback that asks a customer again whose problem is solved (REVISIT)."""

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain import task_steps
from callback_campaigns.domain.planning import Planned
from callback_campaigns.domain.task import Hold, Moved, Task
from callback_campaigns.domain.terms import Verdict, is_frozen_by
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from crm.events_tickets import RevisitWanted
from kernel.ids import is_ulid, new_ulid

if TYPE_CHECKING:
    from callback_campaigns.tasks import CallbackTasks


async def ask_again(session: AsyncSession, tasks: "CallbackTasks", fact: RevisitWanted, *, by: str) -> None:
    """Ask once more by another task, linked to the first one."""
    ref = fact.callback_ref
    rows = await locked(session, CallbackTaskRow.id == ref) if ref and is_ulid(ref) else ()
    for row in rows:
        task = to_task(row)
        bad = task.finding is not None and task.finding.verdict is Verdict.DISSATISFIED
        if task.revisit_id is not None or not bad:
            continue
        at = await tasks.opening_today(session, task)
        scopes = await tasks.freezes(session, task.customer_id)
        linked, again = task_steps.revisit(task, new_ulid(), at=at)
        await tasks.apply_to(session, row, "revisited", partial(_instead, linked), by=by)
        if any(is_frozen_by(again.category, scope) for scope in scopes):
            again = task_steps.hold(again, Hold.CUSTOMER).task
        await tasks.add(session, Planned(task=again, first_by=at))


def _instead(linked: Task, _: Task) -> Moved:
    return Moved(linked)
