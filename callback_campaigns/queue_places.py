"""Callers' places in queues as they are stored: kept, shown, put forward, taken out; for any process.

Whoever waits presses a key, confirms a number and hangs up; the place goes on waiting with the caller's own
time and priority (:mod:`callback_campaigns.domain.queue_place`). :mod:`callback_campaigns.place_caller` calls
them when it is their turn. A number has one open place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain import queue_place as rules
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.queue_place import PlaceRules, PlaceState, QueuePlace
from callback_campaigns.queue_place_tables import QueuePlaceRow
from crm.office import Office
from crm.tables import Customer
from kernel.access import Actor, Permission
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.phone import Phone

MOST_SHOWN = 200
OPEN = (PlaceState.WAITING.value, PlaceState.CALLING.value)
ENTITY = "queue_place"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """A place as it is shown; ``number`` is whole."""

    place: QueuePlace
    number: str
    customer_id: str | None
    customer_name: str
    call_id: str
    asked_at: datetime
    agent_number: str | None
    ended_by: str | None


class QueuePlaces:
    """Keeps places.

    Args:
        dialling: says in which hours a customer's own wish is returned.
    """

    def __init__(self, office: Office, dialling: DialFile, kept: PlaceRules | None = None) -> None:
        self._office = office
        self._dialling = dialling
        self.rules = kept or PlaceRules()

    async def keep(
        self,
        *,
        call_id: str,
        phone: Phone,
        queue: str,
        joined_at: datetime,
        priority: int = 0,
        customer_id: str | None = None,
        language: str = "zh",
    ) -> bool:
        """Keep a caller's place; a number that has one already keeps that. False: nobody is called now.

        Raises:
            Invalid: the number is not one that can be called.
        """
        if not phone.dialable:
            raise Invalid("this number cannot be called back", field="phone")
        now = self._office.now()
        local = now.astimezone(self._office.zone).time()
        hours = self._dialling.calling.requested
        span = next((one for one in hours if one.start <= local < one.end), None)
        if span is None:
            return False
        closing = now.astimezone(self._office.zone).replace(
            hour=span.end.hour, minute=span.end.minute, second=0, microsecond=0
        )
        row = QueuePlaceRow(
            id=new_ulid(),
            open_number=phone.e164,
            number=phone.e164,
            customer_id=customer_id,
            call_id=call_id,
            queue=queue[:64],
            language=language[:8],
            priority=max(0, min(priority, 100)),
            joined_at=min(joined_at, now),
            asked_at=now,
            expires_at=min(now + self.rules.kept, closing.astimezone(now.tzinfo)),
            due_at=now,
            state=PlaceState.WAITING.value,
            tries=0,
            misses=0,
        )
        try:
            async with self._office.database.transaction() as session:
                known = select(QueuePlaceRow.id).where(QueuePlaceRow.open_number == phone.e164)
                if await session.scalar(known) is None:
                    session.add(row)
        except IntegrityError:
            # Another process kept the same number's place between our look and our write.
            return True
        return True

    async def list_open(self, actor: Actor) -> tuple[PlaceView, ...]:
        """Return the open places, in the order of the queues. Raises Forbidden."""
        actor.need(Permission.CALLBACKS_WORK)
        return await self._views(QueuePlaceRow.state.in_(OPEN), QueuePlaceRow.queue, QueuePlaceRow.joined_at)

    async def list_over(self, actor: Actor, *, limit: int = 30) -> tuple[PlaceView, ...]:
        """Return the places that ended last, the newest first. Raises Forbidden."""
        actor.need(Permission.CALLBACKS_WORK)
        over = QueuePlaceRow.state.not_in(OPEN)
        return await self._views(over, QueuePlaceRow.ended_at.desc(), limit=limit)

    async def _views(self, where: object, *order: object, limit: int = MOST_SHOWN) -> tuple[PlaceView, ...]:
        query = (
            select(QueuePlaceRow, Customer.name)
            .outerjoin(Customer, Customer.id == QueuePlaceRow.customer_id)
            .where(where)  # type: ignore[arg-type]
            .order_by(*order)  # type: ignore[arg-type]
            .limit(limit)
        )
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
        views = [
            PlaceView(
                place=to_place(row),
                number=row.number,
                customer_id=row.customer_id,
                customer_name=name or "",
                call_id=row.call_id,
                asked_at=row.asked_at,
                agent_number=row.agent_number,
                ended_by=row.ended_by,
            )
            for row, name in rows
        ]
        return tuple(views)

    async def cancel(self, actor: Actor, place_id: str) -> None:
        """Take a place out of its queue.

        Raises:
            Forbidden: not a supervisor.
            NotFound: no such place.
            PlaceNotOpen: it is over, or being called.
        """
        await self._act(actor, place_id, "cancelled", lambda session, place, now: rules.cancel(place, now))

    async def forward(self, actor: Actor, place_id: str) -> None:
        """Put a place before all others of its queue that are kept; raises as :meth:`cancel` does."""
        await self._act(actor, place_id, "put_forward", None)

    async def _act(
        self,
        actor: Actor,
        place_id: str,
        name: str,
        step: Callable[[AsyncSession, QueuePlace, datetime], QueuePlace] | None,
    ) -> None:
        actor.need(Permission.CALLBACKS_WORK)
        actor.need(Permission.BOARD_VIEW)
        async with self._office.database.transaction() as session:
            row = await locked(session, place_id)
            if row is None:
                raise NotFound("no such place in a queue", field="place_id")
            before, now = to_place(row), self._office.now()
            if step is None:
                others = select(func.max(QueuePlaceRow.priority)).where(
                    QueuePlaceRow.queue == row.queue, QueuePlaceRow.state.in_(OPEN)
                )
                after = rules.forward(before, int(await session.scalar(others) or 0), now)
            else:
                after = step(session, before, now)
            write(row, after)
            row.ended_by = actor.name[:80] if not after.state.is_open else None
            await self._office.journal.note(
                session,
                actor,
                f"{ENTITY}.{name}",
                entity=ENTITY,
                entity_id=place_id,
                before={"priority": before.priority, "state": before.state.value},
                after={"priority": after.priority, "state": after.state.value},
            )


async def open_places(session: AsyncSession) -> Sequence[QueuePlaceRow]:
    """Return the open places."""
    query = select(QueuePlaceRow).where(QueuePlaceRow.state.in_(OPEN)).order_by(QueuePlaceRow.joined_at)
    return list(await session.scalars(query.limit(1000)))


async def locked(session: AsyncSession, place_id: str) -> QueuePlaceRow | None:
    """Return a place locked for a change, ``None`` when there is none."""
    if not is_ulid(place_id):
        return None
    query = select(QueuePlaceRow).where(QueuePlaceRow.id == place_id).with_for_update()
    row: QueuePlaceRow | None = await session.scalar(query)
    return row


def to_place(row: QueuePlaceRow) -> QueuePlace:
    """Return a place as its rules see it."""
    return QueuePlace(
        place_id=row.id,
        queue=row.queue,
        joined_at=row.joined_at,
        expires_at=row.expires_at,
        due_at=row.due_at,
        priority=row.priority,
        state=PlaceState(row.state),
        attempt_id=row.attempt_id,
        tries=row.tries,
        misses=row.misses,
        ended_at=row.ended_at,
    )


def write(row: QueuePlaceRow, place: QueuePlace) -> None:
    """Write a place into its row."""
    row.state = place.state.value
    row.priority = place.priority
    row.due_at = place.due_at
    row.attempt_id = place.attempt_id
    row.tries = place.tries
    row.misses = place.misses
    row.ended_at = place.ended_at
    if not place.state.is_open:
        row.open_number = None
