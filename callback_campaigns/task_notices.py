"""Alerts about callback tasks (domain.md §1.1, §2.1): due, appointed soon, open while the work goes on."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.planning import Trigger
from callback_campaigns.domain.task import Task
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.task_tables import CallbackTaskRow
from crm.notices.events import NoticeWanted
from kernel.outbox import add_fact

SPECIALISTS = ("role:agent",)
"""Who hears of what is nobody's."""
WORK_GOES_ON = ("department:ENG", "role:supervisor")


def _page(task_id: str) -> str:
    return f"/callback-tasks/{task_id}"


def _tell(
    session: AsyncSession,
    row: CallbackTaskRow,
    task: Task,
    code: str,
    name: str,
    due: datetime,
    now: datetime,
) -> None:
    add_fact(
        session,
        NoticeWanted(
            at=now,
            code=code,
            key=f"{code}|{task.task_id}|{task.due_at:%Y%m%d%H%M}",
            parameters={"customer": task.customer_id, "no": name, "due_at": due.isoformat()},
            link=_page(task.task_id),
            owner_user_id=row.assignee_id,
            also=() if row.assignee_id is not None else SPECIALISTS,
        ),
    )


def callback_due(
    session: AsyncSession, row: CallbackTaskRow, task: Task, name: str, *, now: datetime
) -> None:
    """Tell who is to call that the time has come; what the system asks by itself needs nobody."""
    if task.channel is Channel.AGENT:
        _tell(session, row, task, "callback.due", name, task.window_end or row.first_by or task.due_at, now)


def appointment_soon(
    session: AsyncSession, row: CallbackTaskRow, task: Task, name: str, *, now: datetime
) -> None:
    """Tell who is to call that the time which the customer named is ten minutes off."""
    _tell(session, row, task, "callback.soon", name, task.due_at, now)


def work_goes_on(
    session: AsyncSession,
    rules: PlanRules,
    kinds: Sequence[CallbackType],
    trigger: Trigger,
    recorded_by: str,
    *,
    now: datetime,
) -> None:
    """Warn that a stage was registered while the callback about the one before is open (domain.md §1.1)."""
    for kind in kinds:
        add_fact(
            session,
            NoticeWanted(
                at=now,
                code="callback.open",
                key=f"callback.open|{kind.value}|{trigger.ref}",
                parameters={
                    "customer": trigger.customer_id,
                    "title": rules.types[kind].name,
                    "by": recorded_by,
                },
                link=f"/projects/{trigger.project_id}",
                also=WORK_GOES_ON,
            ),
        )
