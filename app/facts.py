"""``huifang facts``: what receivers could not handle, and what is to become of it."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from app.store import open_store
from kernel.audit import AuditLog
from kernel.clock import SystemClock
from kernel.errors import NotFound
from kernel.failed_facts import FactFailure, FailedFacts


async def list_failures(settings: Settings) -> Sequence[FactFailure]:
    """Return the facts that failed."""
    async with open_store(settings) as database:
        return await FailedFacts(database, SystemClock()).list()


async def try_again(settings: Settings, event_id: str | None) -> int:
    """Have one fact, or all that are set aside, tried again; return how many.

    Raises:
        NotFound: that one is not set aside.
    """

    async def work(facts: FailedFacts, session: AsyncSession) -> int:
        return await facts.try_again(session, event_id)

    return await _decide(settings, "facts.retry", event_id, work)


async def forget(settings: Settings, event_id: str) -> int:
    """Drop a fact that is set aside; return for how many receivers.

    Raises:
        NotFound: it is not set aside.
    """

    async def work(facts: FailedFacts, session: AsyncSession) -> int:
        return await facts.forget(session, event_id)

    return await _decide(settings, "facts.drop", event_id, work)


async def _decide(
    settings: Settings,
    action: str,
    event_id: str | None,
    work: Callable[[FailedFacts, AsyncSession], Awaitable[int]],
) -> int:
    clock = SystemClock()
    async with open_store(settings) as database, database.transaction() as session:
        count = await work(FailedFacts(database, clock), session)
        if not count and event_id is not None:
            raise NotFound(f"no fact {event_id[:26]} is set aside", field="event_id")
        if count:
            audit = AuditLog(database, clock)
            detail = {"facts": count}
            await audit.record(
                action,
                actor="cli",
                entity="fact",
                entity_id=event_id or "",
                detail=detail,
                session=session,
            )
    return count
