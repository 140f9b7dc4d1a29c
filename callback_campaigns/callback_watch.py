"""What no fact tells of: appointments that come near, and feedback forms that never came (§2.1, CB-11).

Two processes that look do nothing twice: a mark with the task, or the key of a plan, sees to that.
"""

from datetime import timedelta

import structlog
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.plan_rules import TriggerKind, When
from callback_campaigns.domain.planning import Trigger, owes_form_call
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.task_notices import appointment_soon
from callback_campaigns.task_store import add_step, locked, to_task
from callback_campaigns.task_tables import CallbackStepRow, CallbackTaskRow
from callback_campaigns.tasks import TIMERS, CallbackTasks
from crm.domain.project import Stage
from crm.office import Office
from crm.people_tables import StageEventRow
from crm.tables import Project
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

SOON = timedelta(minutes=10)
"""Before an appointment."""
FORM_GRACE = timedelta(days=7)
"""From the warranty on, the customer's own time to send the form back."""
AT_ONCE = 200
REMINDED = "reminded"
FORM_OF = "form:{project_id}"
FINISHED = frozenset({TaskStatus.DONE.value, TaskStatus.PARTIAL.value})


class CallbackWatch:
    """Looks at the clock."""

    def __init__(self, office: Office, tasks: CallbackTasks) -> None:
        self._office = office
        self._tasks = tasks

    async def run_once(self) -> int:
        """Look once; return how many agents were reminded and callbacks planned."""
        return await self._appointments() + await self._forms()

    async def _appointments(self) -> int:
        now, row, step = self._office.now(), CallbackTaskRow, CallbackStepRow
        near = (
            row.status == TaskStatus.APPOINTED.value,
            row.call_at > now,
            row.call_at <= now + SOON,
            ~exists().where(step.task_id == row.id, step.step == REMINDED, step.at >= now - SOON),
        )
        async with self._office.database.session() as session:
            ids = list(await session.scalars(select(row.id).where(*near).limit(AT_ONCE)))
        if not ids:
            return 0
        told = 0
        async with self._office.database.transaction() as session:
            for one in await locked(session, row.id.in_(ids), *near):
                task = to_task(one)
                name = self._tasks.rules.types[task.kind].name
                appointment_soon(session, one, task, name, now=now)
                add_step(session, task, REMINDED, by=TIMERS, now=now, was=task.status)
                told += 1
        return told

    async def _forms(self) -> int:
        """Plan the one call more that a project with a warranty and without a form is owed (CB-11)."""
        today, planned, after = self._office.today(), 0, ""
        event, task = StageEventRow, CallbackTaskRow
        asked = exists().where(
            task.project_id == Project.id,
            task.kind.in_([CallbackType.FINISHED.value, CallbackType.PERIODIC.value]),
            task.status.in_(FINISHED),
        )
        known = exists().where(
            task.project_id == Project.id, task.origin_ref == "form:" + Project.id, task.kind == "PD"
        )
        while True:
            query = (
                select(Project.id, Project.customer_id, asked.label("form"))
                .join(event, event.project_id == Project.id)
                .where(
                    Project.stage == int(Stage.IN_WARRANTY),
                    event.stage == int(Stage.IN_WARRANTY),
                    event.voided_at.is_(None),
                    event.happened_on <= today - FORM_GRACE,
                    event.happened_on >= today - self._tasks.rules.too_old,
                    ~known,
                    Project.id > after,
                )
                .order_by(Project.id)
                .limit(AT_ONCE)
            )
            async with self._office.database.session() as session:
                rows = (await session.execute(query)).all()
            for project_id, customer_id, form in rows:
                if owes_form_call(warranty_issued=True, form_received=form):
                    planned += await self._plan(project_id, customer_id)
            if len(rows) < AT_ONCE:
                return planned
            after = rows[-1].id

    async def _plan(self, project_id: str, customer_id: str) -> int:
        trigger = Trigger(
            when=When(TriggerKind.FORM_MISSING),
            ref=FORM_OF.format(project_id=project_id),
            at=self._office.now(),
            on=self._office.today(),
            customer_id=customer_id,
            project_id=project_id,
        )
        try:
            async with self._office.database.transaction() as session:
                return await self._made(session, trigger)
        except HuifangError as error:
            log.warning("form_call_not_planned", project_id=project_id, error=error.code)
            return 0

    async def _made(self, session: AsyncSession, trigger: Trigger) -> int:
        return len((await self._tasks.plan_for(session, trigger)).tasks)
