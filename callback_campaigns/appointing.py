"""Times that customers name: any within the hours in which somebody may call them."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.task import Task
from callback_campaigns.tasks import CallbackTasks
from kernel.errors import Invalid


async def check_callable(
    session: AsyncSession, tasks: CallbackTasks, task: Task, at: datetime, *, field: str
) -> None:
    """Refuse a time at which nobody is called, or at which the questions would last into such a time.

    Raises:
        Invalid: nobody is called then.
        CalendarYearMissing: the day's year is not loaded.
    """
    windows = (await tasks.calendar(session)).windows
    wish = await tasks.wish(session, replace(task, appointed=True))
    if windows.closed(at, wish) is not None:
        raise Invalid("nobody is called then", field=field)
