"""What supervisors do to agents: pause them, free them, sign them out, change their queues.

Two supervisors who act on one agent: each says in which state they saw the agent, or which queues; the second
is refused and told what is now. Every act is in the audit log, in the transaction of the act.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from telephony.agent_views import AgentSnapshot
from telephony.desk import AgentDesk
from telephony.domain.agent_state import AgentState
from telephony.domain.agent_steps import AgentEvent, Pause, SignIn, SignOut, Unpause, WrapUpTimedOut
from telephony.roster import Roster


class Directed(StrEnum):
    """What a supervisor may want an agent to be."""

    AVAILABLE = "available"
    PAUSED = "paused"
    SIGNED_OUT = "signed_out"


class Directing:
    """Use cases of supervisors. Safe to use from many tasks and processes."""

    def __init__(self, database: Database, clock: Clock, desk: AgentDesk, roster: Roster) -> None:
        self._desk = desk
        self._roster = roster
        self._audit = AuditLog(database, clock)

    async def force(
        self,
        actor: Actor,
        agent_id: str,
        wanted: Directed,
        *,
        reason: str = "",
        seen: AgentState | None = None,
    ) -> AgentSnapshot:
        """Have an agent paused, free or signed out; in a call and its wrap-up it comes after them.

        ``available`` ends a break, a wrap-up and a wish to leave; what was written of the call is kept. The
        agent may come back from a break, or sign in again, at any time: nobody is locked out.

        Args:
            reason: of a pause.
            seen: in which state the supervisor saw the agent.

        Raises:
            Forbidden: the role may not direct agents.
            AgentUnknown, NotSignedIn, PauseReasonUnknown: as they say.
            AgentChanged: the agent is in another state than the supervisor saw.
        """
        actor.need(Permission.AGENTS_DIRECT)
        if wanted is Directed.PAUSED:
            await self._desk.check_reason(reason)

        async def note(session: AsyncSession, before: AgentSnapshot) -> None:
            detail = {"from": before.state.value, "to": wanted.value, "agent": before.number}
            await self._note(session, actor, agent_id, "agent.directed", {**detail, "reason": reason})

        def events(before: AgentSnapshot) -> tuple[AgentEvent, ...]:
            return steps_to(wanted, before, reason)

        return await self._desk.direct(agent_id, events, seen=seen, then=note)

    async def set_queues(
        self,
        actor: Actor,
        agent_id: str,
        penalties: Mapping[str, int],
        *,
        before: Mapping[str, int] | None = None,
    ) -> AgentSnapshot:
        """Make these the agent's queues (name → penalty), also while they work; Asterisk follows at once.

        Args:
            before: the queues as the supervisor saw them.

        Raises:
            Forbidden: the role may not direct agents.
            NotFound, Invalid: no such agent or queue, or a penalty out of range.
            QueuesChanged: somebody else changed them meanwhile.
        """
        actor.need(Permission.AGENTS_DIRECT)

        async def note(session: AsyncSession, was: Mapping[str, int]) -> None:
            detail = {"from": dict(was), "to": dict(penalties)}
            await self._note(session, actor, agent_id, "agent.queues", detail)

        await self._roster.set_memberships(agent_id, penalties, before=before, then=note)
        return await self._desk.state(agent_id)

    async def limit_pause(
        self, actor: Actor, code: str, *, limit_seconds: int | None, ends_itself: bool
    ) -> None:
        """Say for how long agents may pause for a reason, and whether the break then ends by itself.

        Raises:
            Forbidden: the role may not direct agents.
            NotFound, Invalid: no such reason, or no such time.
        """
        actor.need(Permission.AGENTS_DIRECT)

        async def note(session: AsyncSession) -> None:
            detail = {"limit_seconds": limit_seconds, "ends_itself": ends_itself}
            await self._audit.record(
                "pause_reason.limited",
                actor=actor.name,
                ip=actor.ip,
                entity="pause_reason",
                entity_id=code,
                detail=detail,
                session=session,
            )

        await self._roster.limit_pause(code, limit_seconds=limit_seconds, ends_itself=ends_itself, then=note)

    async def _note(
        self, session: AsyncSession, actor: Actor, agent_id: str, action: str, detail: Mapping[str, Any]
    ) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity="agent",
            entity_id=agent_id,
            detail=detail,
            session=session,
        )


def steps_to(wanted: Directed, before: AgentSnapshot, reason: str) -> tuple[AgentEvent, ...]:
    """Return what must happen to an agent so that they come to be what is wanted."""
    match wanted:
        case Directed.PAUSED:
            return (Pause(reason),)
        case Directed.SIGNED_OUT:
            return (SignOut(),)
        case Directed.AVAILABLE:
            ended = before.wrap_up_call_id
            return (SignIn(), Unpause(), *((WrapUpTimedOut(ended),) if ended is not None else ()))
