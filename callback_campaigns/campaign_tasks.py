"""Which tasks a campaign works on, the most pressing first (features.md C2, C4).

A task belongs to one running campaign at most: what a list brought to that list's campaign, every other one
to the running campaign of the highest priority that it fits. What is open when a list's campaign ends is
nobody's any more: a later list takes it over, or any campaign that it fits. The order is level A first, then
by the end of the task's window, then by when it was to be called; before all of them come the hours that
customers named.

One statement for each part of that order, because a missing end is sorted differently by the two databases.
Each follows an index and stops at ``limit``; conditions are written so that no other index fits them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, not_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState, TasksFrom
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.task_store import locked
from callback_campaigns.task_tables import READY_APPOINTED, READY_TASK, CallbackTaskRow
from crm.domain.customer import Level
from crm.tables import Customer, CustomerPhone, Project

MAX_READY = 1_000
Ts = TypeVarTuple("Ts")
NO_STORE = ""
_TASK = CallbackTaskRow
# Written out, not bound: only then do both databases see that the partial index holds every such row.
READY = text(READY_TASK)
APPOINTED = text(READY_APPOINTED)
STORE = func.coalesce(Project.store_id, Customer.store_id, NO_STORE)

_BEST_FIRST = (CustomerPhone.bad_since.is_not(None), CustomerPhone.preferred.desc(), CustomerPhone.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyTask:
    """A task that may be dialled now, as far as its own clock says.

    Attributes:
        number: where the customer is reached best; ``None`` when nobody wrote one down.
    """

    task_id: str
    version: int
    customer_id: str
    kind: CallbackType
    level: Level
    appointed: bool
    window_end: datetime | None
    call_at: datetime
    number: str | None


async def ready_tasks(
    session: AsyncSession, campaign: Campaign, others: Sequence[Campaign], now: datetime, limit: int
) -> tuple[ReadyTask, ...]:
    """Return the tasks that a campaign may dial next.

    Args:
        others: all running campaigns; those that go before this one keep what fits them.
    """
    limit = max(0, min(limit, MAX_READY))
    chosen = [mine(campaign, others), func.coalesce(_TASK.call_at, _TASK.call_at) <= now]
    by_store = bool(campaign.store_ids) or any(one.store_ids for one in others)
    found: list[Row[*tuple[Any, ...]]] = []
    for part, order in (
        ((APPOINTED,), (_TASK.call_at, _TASK.id)),
        ((READY, _TASK.window_end.is_not(None)), (_TASK.level, _TASK.window_end, _TASK.call_at, _TASK.id)),
        ((READY, _TASK.window_end.is_(None)), (_TASK.level, _TASK.call_at, _TASK.id)),
    ):
        query = with_stores(_selected(), by_store).where(*part, *chosen).order_by(*order).limit(limit)
        found += (await session.execute(query)).all()
    once = {row.id: row for row in sorted(found, key=_press)}
    best = tuple(once.values())[:limit]
    numbers = await _numbers(session, {row.customer_id for row in best})
    return tuple(_ready(row, numbers.get(row.customer_id)) for row in best)


async def release_list(session: AsyncSession, campaign: Campaign) -> None:
    """Let go of the open tasks that the list of a campaign that has ended brought."""
    if campaign.state is CampaignState.ENDED and campaign.tasks_from is TasksFrom.LIST:
        mine = (_TASK.campaign_id == campaign.campaign_id, _TASK.current_key.is_not(None))
        for row in await locked(session, *mine):
            row.campaign_id = None


async def _numbers(session: AsyncSession, customers: Collection[str]) -> dict[str, str]:
    """Return where each customer is reached best."""
    query = select(CustomerPhone.customer_id, CustomerPhone.e164).where(
        CustomerPhone.customer_id.in_(sorted(customers))
    )
    found: dict[str, str] = {}
    for customer_id, e164 in await session.execute(query.order_by(*_BEST_FIRST)):
        found.setdefault(customer_id, e164)
    return found


def mine(campaign: Campaign, others: Sequence[Campaign]) -> ColumnElement[bool]:
    """Return the condition that a task is this campaign's, and no other's that runs."""
    if campaign.tasks_from is TasksFrom.LIST:
        return and_(_TASK.campaign_id == campaign.campaign_id, _TASK.channel.in_(_channels(campaign)))
    before = [
        not_(fits(one))
        for one in others
        if one.campaign_id != campaign.campaign_id
        and one.tasks_from is TasksFrom.ALL
        and goes_before(one, campaign)
    ]
    return and_(func.coalesce(_TASK.campaign_id, "") == "", fits(campaign), *before)


def fits(campaign: Campaign) -> ColumnElement[bool]:
    """Return the condition that a planned task fits a campaign's kinds, levels, stores and way of asking."""
    parts: list[ColumnElement[bool]] = [
        _TASK.kind.in_(sorted(campaign.kinds)),
        _TASK.channel.in_(_channels(campaign)),
    ]
    if campaign.levels:
        parts.append(_TASK.level.in_(sorted(campaign.levels)))
    if campaign.store_ids:
        parts.append(STORE.in_(sorted(campaign.store_ids)))
    return and_(*parts)


def goes_before(one: Campaign, other: Campaign) -> bool:
    """Tell whether a task that both want is the first one's."""
    return (-one.priority, one.campaign_id) < (-other.priority, other.campaign_id)


def with_stores(query: Select[*Ts], by_store: bool) -> Select[*Ts]:
    """Join what a task's store is known by, where somebody asks for it."""
    if not by_store:
        return query
    return query.join(Customer, Customer.id == _TASK.customer_id).outerjoin(
        Project, Project.id == _TASK.project_id
    )


def _channels(campaign: Campaign) -> list[str]:
    """A person may ask what the system would have asked; never the other way round."""
    if campaign.mode is CampaignMode.IVR:
        return [Channel.IVR.value]
    return [Channel.AGENT.value, Channel.IVR.value]


def _selected() -> Select[str, int, str, str, str, bool, datetime | None, datetime]:
    return select(
        _TASK.id,
        _TASK.version,
        _TASK.customer_id,
        _TASK.kind,
        _TASK.level,
        _TASK.appointed,
        _TASK.window_end,
        _TASK.call_at,
    )


def _ready(row: Row[*tuple[Any, ...]], number: str | None) -> ReadyTask:
    return ReadyTask(
        task_id=row.id,
        version=row.version,
        customer_id=row.customer_id,
        kind=CallbackType(row.kind),
        level=Level(row.level),
        appointed=row.appointed,
        window_end=row.window_end,
        call_at=row.call_at,
        number=number,
    )


def _press(one: Row[*tuple[Any, ...]]) -> tuple[object, ...]:
    if one.appointed:
        return (0, one.call_at, one.id)
    ends = one.window_end.timestamp() if one.window_end is not None else float("inf")
    return (1, one.level, ends, one.call_at, one.id)
