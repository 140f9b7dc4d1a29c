"""Counts what belongs to campaigns, each from an index that holds all it needs: no row of a task is read.

A task that was tried belongs to the campaign that tried it last; what waits to the one that would call next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_tasks import mine, with_stores
from callback_campaigns.domain.attempt import AT_ONCE, AttemptState
from callback_campaigns.domain.campaign import Campaign, CampaignState
from callback_campaigns.domain.task import FINAL, TaskStatus
from callback_campaigns.domain.terms import Outcome, Verdict
from callback_campaigns.task_tables import WAITING_TASK, CallbackTaskRow, DialAttemptRow

ABANDONMENT_OVER = timedelta(hours=24)
TRIED = (TaskStatus.PLANNED, TaskStatus.READY, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED)
_TASK, _TRY = CallbackTaskRow, DialAttemptRow
# Written so that SQLite finds no other index for them than the one that holds every open task.
_status, _call_at = func.coalesce(_TASK.status, ""), func.coalesce(_TASK.call_at, _TASK.call_at)
_OPEN = (text(WAITING_TASK), _status.in_([status.value for status in TRIED]))
_ENDED = AttemptState.ENDED.value
_IN_PROGRESS = [state.value for state in AttemptState if state is not AttemptState.ENDED]
_LATE = or_(_TRY.outcome == Outcome.ABANDONED.value, _TRY.connect_seconds > AT_ONCE)
_ONE = case((_LATE, 1), else_=0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tasks that may be dialled, that may be before the last day ends, and that a person calls now."""

    ready: int = 0
    later: int = 0
    passed_on: int = 0


@dataclass(frozen=True, slots=True)
class Live:
    """What people answered in the last 24 hours, and how many of them had nobody within two seconds."""

    answered: int = 0
    abandoned: int = 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Attempts that are not over, before and after the answer, and the others by outcome."""

    dialling: int = 0
    talking: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """What came to its end; ``recent``: lately; ``first``: when the campaign first called somebody."""

    statuses: Mapping[TaskStatus, int]
    verdicts: Mapping[Verdict, int]
    recent: int
    first: datetime | None


async def waiting(
    session: AsyncSession,
    campaign: Campaign,
    others: Sequence[Campaign],
    now: datetime,
    zone: ZoneInfo,
    *,
    with_passed_on: bool = True,
) -> Waiting:
    """Return what waits for a campaign, beside ``others`` that run."""
    if campaign.state in {CampaignState.STOPPED, CampaignState.ENDED}:
        return Waiting()
    by_store = bool(campaign.store_ids) or any(one.store_ids for one in others)
    last = datetime.combine(campaign.ends_on + timedelta(days=1), time.min, zone)
    is_ready = case((and_(_status == TaskStatus.READY.value, _call_at <= now), 1), else_=0)
    query = with_stores(select(func.sum(is_ready), func.count()).select_from(_TASK), by_store).where(
        *_OPEN, _call_at < last, mine(campaign, others)
    )
    ready, whole = (await session.execute(query)).one()
    passed_on = 0
    if with_passed_on:
        passed = with_stores(select(func.count()).select_from(_TASK), by_store).where(
            _TASK.tried_campaign_id == campaign.campaign_id,
            _TASK.status.in_([status.value for status in TRIED]),
            not_(mine(campaign, others)),
        )
        passed_on = int(await session.scalar(passed) or 0)
    return Waiting(int(ready or 0), int(whole) - int(ready or 0), passed_on)


async def done(session: AsyncSession, campaign_ids: Sequence[str]) -> dict[str, int]:
    """Return how many tasks of each campaign came to their end."""
    query = (
        select(_TASK.tried_campaign_id, func.count())
        .where(_TASK.tried_campaign_id.in_(campaign_ids), _is_over())
        .group_by(_TASK.tried_campaign_id)
    )
    return {str(campaign_id): count for campaign_id, count in await session.execute(query)}


async def ended(session: AsyncSession, campaign_id: str, since: datetime) -> Ended:
    """Return what came to its end, the verdicts, and how much of it after ``since``."""
    lately = case((_TASK.ended_at > since, 1), else_=0)
    query = (
        select(_TASK.status, _TASK.verdict, func.count(), func.sum(lately))
        .where(_TASK.tried_campaign_id == campaign_id, _is_over())
        .group_by(_TASK.status, _TASK.verdict)
    )
    statuses: dict[TaskStatus, int] = {}
    verdicts: dict[Verdict, int] = {}
    recent = 0
    for status, verdict, count, fresh in await session.execute(query):
        statuses[TaskStatus(status)] = statuses.get(TaskStatus(status), 0) + count
        recent += int(fresh or 0)
        if verdict is not None:
            verdicts[Verdict(verdict)] = verdicts.get(Verdict(verdict), 0) + count
    first = await session.scalar(select(func.min(_TRY.began_at)).where(_TRY.campaign_id == campaign_id))
    return Ended(statuses, verdicts, recent, first)


async def calls(session: AsyncSession, campaign_id: str) -> Calls:
    """Return the attempts of a campaign."""
    query = (
        select(_TRY.state, _TRY.outcome, func.count())
        .where(_TRY.campaign_id == campaign_id)
        .group_by(_TRY.state, _TRY.outcome)
    )
    dialling = talking = 0
    outcomes: dict[Outcome, int] = {}
    for state, outcome, count in await session.execute(query):
        if state == AttemptState.ANSWERED.value:
            talking += count
        elif state != _ENDED:
            dialling += count
        elif outcome is not None:
            outcomes[Outcome(outcome)] = count
    return Calls(dialling, talking, outcomes)


async def live(session: AsyncSession, campaign_ids: Sequence[str], now: datetime) -> dict[str, Live]:
    """Return what people answered lately of each campaign's calls, also those that are not over."""
    over = and_(_TRY.state == _ENDED, _TRY.outcome.in_([Outcome.ANSWERED.value, Outcome.ABANDONED.value]))
    in_progress = and_(
        _TRY.state.in_(_IN_PROGRESS), _TRY.outcome.is_(None), _TRY.connect_seconds.is_not(None)
    )
    found: dict[str, Live] = {}
    for part in (over, in_progress):
        query = (
            select(_TRY.campaign_id, func.count(), func.sum(_ONE))
            .where(_TRY.campaign_id.in_(campaign_ids), part, _TRY.answered_at > now - ABANDONMENT_OVER)
            .group_by(_TRY.campaign_id)
        )
        for campaign_id, count, alone in await session.execute(query):
            before = found.get(campaign_id, Live())
            found[campaign_id] = Live(before.answered + count, before.abandoned + int(alone or 0))
    return found


def _is_over() -> ColumnElement[bool]:
    return _TASK.status.in_([status.value for status in FINAL])
