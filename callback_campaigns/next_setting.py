"""The next callback, as an agent decides it when one is over: set, none, the same again (domain.md §1.1)."""

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain import planning
from callback_campaigns.domain.plan_rules import TriggerKind, When
from callback_campaigns.domain.planning import NextAction, NextSetting, Trigger
from callback_campaigns.domain.task import Task
from callback_campaigns.task_store import add_step
from callback_campaigns.tasks import CallbackTasks
from crm.office import Office
from kernel.errors import Invalid
from kernel.ids import new_ulid

ACTIONS = {NextAction.NONE: "next_none", NextAction.SET: "next_set", NextAction.REPEAT: "next_repeat"}


class NextNotNow(Invalid):
    """This callback is not over: it will be called about once more before there is a next one."""

    code = "next_not_now"


async def set_next(
    office: Office, tasks: CallbackTasks, session: AsyncSession, task: Task, setting: NextSetting, *, by: str
) -> str | None:
    """Plan what was decided, in the transaction that ends the task; return the new task, ``None`` for none.

    It takes the place of the one of its type that waits for the same project (CB-1).

    Raises:
        NextNotNow: the task goes on.
        Invalid: names the field that is missing, too much, or past.
        IllegalStep: the customer is just being called about the one that it would replace.
        CalendarYearMissing: the day's year is not loaded.
    """
    if task.status.is_open:
        raise NextNotNow("this callback is not over yet", field="next_type")
    now = office.now()
    trigger = Trigger(
        when=When(TriggerKind.MANUAL),
        ref=f"next:{task.task_id}",
        at=now,
        on=setting.on or office.today(),
        customer_id=task.customer_id,
        project_id=task.project_id,
        case_id=task.case_id,
    )
    context = await tasks.context(session, trigger, None)
    calendar = await tasks.calendar(session)
    made = planning.next_of(task, setting, tasks.rules, context, calendar, now=now, new_id=new_ulid)
    added = await tasks.add(session, made) if made is not None else None
    detail = {"kind": added.kind.value, "task_id": added.task_id} if added is not None else {}
    add_step(session, task, ACTIONS[setting.action], by=by, now=now, was=task.status, detail=detail)
    return added.task_id if added is not None else None
