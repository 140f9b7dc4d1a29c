"""Whose rules a task follows, and how long a call about it may last inside its hours."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.retry import Opens
from callback_campaigns.domain.task import Task
from callback_campaigns.domain.windows import CallingWindows, CallWish, Span
from callback_campaigns.task_tables import DialAttemptRow
from crm.tables import Customer, Project, Store
from kernel.holidays import CalendarYearMissing


async def store_of(session: AsyncSession, task: Task) -> str | None:
    """Return the name of the store whose rules a task follows: its project's, else its customer's."""
    project = await session.get(Project, task.project_id) if task.project_id else None
    customer = await session.get_one(Customer, task.customer_id)
    store_id = (project.store_id if project else None) or customer.store_id
    store = await session.get(Store, store_id) if store_id else None
    return store.name if store else None


async def carrier_hours(
    session: AsyncSession, dialling: DialFile, attempt_id: str
) -> tuple[Span, ...] | None:
    """Return when the carrier of a call lets calls through, a campaign's or not; ``None`` for always."""
    query = (
        select(func.coalesce(DialAttemptRow.carrier, CampaignRow.carrier))
        .select_from(DialAttemptRow)
        .outerjoin(CampaignRow, CampaignRow.id == DialAttemptRow.campaign_id)
        .where(DialAttemptRow.id == attempt_id)
    )
    name = await session.scalar(query)
    found = dialling.carriers.get(name) if name is not None else None
    return found.hours if found is not None else None


def time_left(windows: CallingWindows, wish: CallWish, now: datetime) -> timedelta:
    """Return how long a call that is on may still last inside its hours."""
    try:
        return windows.left(now, wish)
    except CalendarYearMissing:
        return timedelta(0)


def preferred_hours(customer: Customer) -> Span | None:
    """Return the hours that a customer prefers."""
    begin, end = customer.preferred_from, customer.preferred_until
    return Span(begin, end) if begin and end and begin < end else None


def openings(windows: CallingWindows, wish: CallWish) -> Opens:
    """Return how to find when a task may be tried again.

    Of a year that is not loaded nobody knows: the task waits there and is not dialled, but the attempt that
    is over is settled.
    """

    def opens(since: datetime) -> datetime | None:
        try:
            return windows.opens(since, wish)
        except CalendarYearMissing:
            return since

    return opens
