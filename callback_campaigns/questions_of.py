"""Whose questions a callback asks that has none of its own: those of the work as far as it has come.

Random callbacks 随机回访 reach customers whose work goes on as well as those who live in it (domain.md §1.2).
"""

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.project import Stage
from crm.domain.stages import ENDED
from crm.tables import Project

BY_STAGE = (
    (Stage.DELIVERED, CallbackType.FINISHED),
    (Stage.MIDTERM, CallbackType.MIDTERM),
    (Stage.CONCEALED, CallbackType.CONCEALED),
)


def asked_as(kind: CallbackType, stage: int | None, stage_before: int | None = None) -> CallbackType:
    """Return the kind whose questions are asked.

    Args:
        stage_before: of work that stands still, how far it had come.
    """
    if kind is not CallbackType.RANDOM or stage is None:
        return kind
    if stage in ENDED:
        return CallbackType.CHURNED
    reached = stage_before if stage == Stage.SUSPENDED and stage_before is not None else stage
    return next((asked for least, asked in BY_STAGE if reached >= least), CallbackType.START)


async def questions_of(session: AsyncSession, task: CallbackTaskRow) -> CallbackType:
    """Return the kind whose questions a task asks."""
    kind = CallbackType(task.kind)
    if kind is not CallbackType.RANDOM or task.project_id is None:
        return kind
    project = await session.get(Project, task.project_id)
    return kind if project is None else asked_as(kind, project.stage, project.stage_before)
