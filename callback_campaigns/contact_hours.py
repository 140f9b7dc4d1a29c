"""The hours in which a customer likes to be called, as they said in a callback (domain.md §3.0, level A)."""

from dataclasses import dataclass
from datetime import time

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Do, Item
from callback_campaigns.talk_store import Talk
from crm.domain.customer_rules import check_window
from crm.journal import Journal
from crm.tables import Customer
from kernel.access import Actor

PREFERENCE = "preferred_channel"


@dataclass(frozen=True, slots=True)
class ContactHours:
    """From when until when, by the site's clock. Raises Invalid where they are no window."""

    begin: time
    end: time

    def __post_init__(self) -> None:
        check_window(self.begin, self.end)


def hours_of(begin: time | None, end: time | None) -> ContactHours | None:
    """Return the hours that were given; ``None`` where none were. Raises Invalid of one end alone."""
    check_window(begin, end)
    return ContactHours(begin, end) if begin is not None and end is not None else None


def asks_hours(talk: Talk) -> bool:
    """Tell whether the customer is asked how they like to be reached; then also when."""
    return any(_stores_preference(item) for item in talk.items)


async def keep_hours(
    session: AsyncSession, journal: Journal, actor: Actor, talk_id: str, customer_id: str, hours: ContactHours
) -> None:
    """Keep them with the customer; calls of routine keep to them from now on."""
    row = await session.get_one(Customer, customer_id)
    before = (row.preferred_from, row.preferred_until)
    after = (hours.begin, hours.end)
    if before == after:
        return
    row.preferred_from, row.preferred_until = after
    await session.flush()
    await journal.note(
        session,
        actor,
        "customer_changed",
        entity="customer",
        entity_id=customer_id,
        before=_named(before),
        after=_named(after),
        why=f"callback:{talk_id}",
    )


def _stores_preference(item: Item) -> bool:
    return any(
        rule.do is Do.STORE and rule.detail == PREFERENCE for option in item.options for rule in option.rules
    )


def _named(hours: tuple[time | None, time | None]) -> dict[str, str | None]:
    names = ("preferred_from", "preferred_until")
    return {name: f"{moment:%H:%M}" if moment else None for name, moment in zip(names, hours, strict=True)}
