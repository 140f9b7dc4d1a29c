"""What the stores of all kinds of cases share: notes for the journal, and what follows from every change."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from crm import timeline
from crm.journal import Journal, Values
from crm.search_feed import SearchFeed
from crm.tables import ServiceCase
from crm.timeline import Channel
from kernel.access import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is to stand in the journal."""

    action: str
    entity: str
    entity_id: str
    before: Values
    after: Values
    why: str


async def tell_everywhere(
    session: AsyncSession,
    actor: Actor,
    header: ServiceCase,
    notes: Sequence[Note],
    *,
    feed: SearchFeed,
    journal: Journal,
    direction: str = "in",
) -> None:
    """Bring the customer's time line, the search and, last of all, the journal up to a change of a case."""
    await timeline.add(
        session,
        header.customer_id,
        at=header.opened_at,
        channel=Channel.CASE,
        direction=direction,
        ref=header.id,
        result=header.status,
        agent=header.opened_by,
        detail={"no": header.no, "kind": header.kind, "summary": header.summary},
    )
    await feed.case(session, header.id)
    for note in notes:
        await journal.note(
            session,
            actor,
            note.action,
            entity=note.entity,
            entity_id=note.entity_id,
            before=note.before,
            after=note.after,
            why=note.why,
        )
