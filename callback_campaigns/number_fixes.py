"""Dead and wrong numbers: no other task dials them, and a better one makes tasks ready again."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain import task_steps
from callback_campaigns.domain.early_media import Announcement
from callback_campaigns.domain.task import Effect, Task, TaskStatus
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.refused_calls import ACTOR, refuse_now
from callback_campaigns.task_store import locked
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.bad_numbers import good_number, mark_bad
from crm.domain.customer_rules import BadNumber
from crm.office import Office, current_id
from kernel.errors import HuifangError, NotFound

if TYPE_CHECKING:
    from callback_campaigns.tasks import CallbackTasks

log = structlog.get_logger(__name__)
REACHED_SOMEBODY = frozenset({None, Outcome.ANSWERED.value})


async def carry_out_now(
    session: AsyncSession, office: Office, task: Task, effects: Sequence[Effect], attempt_id: str | None
) -> tuple[bool, Sequence[Effect]]:
    """Do in the caller's transaction what must hold for the next dial.

    Returns:
        Whether the task lost its number and the customer has another good one; and the effects that are to be
        told: nobody has to look for a number while there is another one to try first.
    """
    if Effect.DO_NOT_CALL in effects:
        await refuse_now(session, office, task, attempt_id)
    if Effect.NUMBER_FIX not in effects or task.status is not TaskStatus.BAD_NUMBER or attempt_id is None:
        return False, effects
    attempt = await session.get(DialAttemptRow, attempt_id)
    if attempt is None or attempt.outcome not in REACHED_SOMEBODY | {Outcome.EMPTY.value}:
        return False, effects
    why = BadNumber.WRONG_PERSON
    if attempt.outcome == Outcome.EMPTY.value:
        suspended = attempt.heard_as == Announcement.SUSPENDED.value
        why = BadNumber.OUT_OF_SERVICE if suspended else BadNumber.EMPTY
    try:
        async with session.begin_nested():
            await mark_bad(session, office, ACTOR, task.customer_id, attempt.number, why)
    except HuifangError as error:
        if error.retryable:
            raise
        log.warning("callback_number_not_marked", error=error.code, reason=error.message)
    if not await good_number(session, task.customer_id):
        return False, effects
    return True, tuple(effect for effect in effects if effect is not Effect.NUMBER_FIX)


async def numbers_changed(
    session: AsyncSession, tasks: "CallbackTasks", customer_id: str, *, now: datetime
) -> None:
    """Make the tasks ready again that waited for a number, if the customer has one."""
    try:
        customer_id = await current_id(session, customer_id)
    except NotFound:
        return
    if not await good_number(session, customer_id):
        return
    mine = (CallbackTaskRow.customer_id == customer_id, CallbackTaskRow.status == TaskStatus.BAD_NUMBER.value)
    for row in await locked(session, *mine):
        await tasks.apply_to(
            session,
            row,
            "number_corrected",
            lambda one: task_steps.number_corrected(one, now=now),
            by=ACTOR.name,
        )
