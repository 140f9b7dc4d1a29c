"""Calls in the database as the writer leaves them while they go on."""

from kernel.clock import Clock
from kernel.db import Database
from telephony.tables import CallRow


async def store_talk(database: Database, clock: Clock, call_id: str, *, agent: str | None = "1001") -> None:
    """Store a call in which an agent talks; without one it waits."""
    async with database.transaction() as session:
        session.add(
            CallRow(
                call_id=call_id,
                node="pbx1",
                direction="in",
                from_number="+8613800138000",
                to_number="4008001234",
                from_name="",
                agent_number=agent,
                state="talking" if agent else "queued",
                menu_path=[],
                started_at=clock.now(),
                answered_at=clock.now() if agent else None,
                talk_ms=0,
                hold_ms=0,
            )
        )
