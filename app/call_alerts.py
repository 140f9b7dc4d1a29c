"""Joins finished calls to what they tell customer service."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from app.web_settings import web_settings
from app.wiring import customer_number
from crm.call_alerts import CallAlerts, FinishedCall
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from telephony.agent_tables import AgentRow
from telephony.events import CallEnded
from web.crm_part import build_crm
from web.deps import WebSettings
from web.tables import UserRow

CALL_FACTS: tuple[type[Event], ...] = (CallEnded,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    settings: WebSettings
    database: Database
    clock: Clock
    bus: Bus


class CallListener:
    """Hears of finished calls."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, bus: Bus) -> None:
        ground = _Ground(settings=web_settings(settings), database=database, clock=clock, bus=bus)
        crm = build_crm(ground)
        self._alerts = CallAlerts(crm.complaints.store, crm.repairs.store, crm.tickets.end)

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Take a fact; those that are no finished call with a customer change nothing."""
        if not isinstance(fact, CallEnded) or fact.direction == "internal":
            return
        phone = customer_number(fact)
        if phone is None:
            return
        agent = await session.get(AgentRow, fact.agent_id) if fact.agent_id else None
        user_id = None
        if fact.agent_id:
            query = select(UserRow.user_id).where(UserRow.agent_id == fact.agent_id)
            user_id = await session.scalar(query.limit(1))
        await self._alerts.take(
            session,
            FinishedCall(
                call_id=fact.call_id,
                outbound=fact.direction == "out",
                phone=phone,
                answered=fact.answered_at is not None,
                started_at=fact.started_at,
                ended_at=fact.ended_at,
                agent=agent.name if agent else fact.agent_number or "",
                user_id=user_id,
            ),
        )
