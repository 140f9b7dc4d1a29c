"""A kept place's call in the database: begun under every check, settled by how it ended.

The attempt and the place's step are committed together, before the Originate is written; whatever fails after
that, the attempt is followed like any other and the place goes by its outcome (architecture.md §3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaigns import Lines
from callback_campaigns.dial_attempts import put_attempt
from callback_campaigns.dial_queries import began_on, called, hold_trunk
from callback_campaigns.domain import attempt as attempt_rules
from callback_campaigns.domain import queue_place as rules
from callback_campaigns.domain.attempt import Attempt, AttemptState
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.queue_place import PlaceRules, PlaceState, QueuePlace
from callback_campaigns.domain.refusal import (
    Callee,
    DialCheck,
    Refusal,
    RefusalCode,
    Switch,
    TaskAsked,
    may_dial,
)
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.domain.windows import CallWish, Occasion
from callback_campaigns.exchange import Exchange
from callback_campaigns.preview import PreviewConfig
from callback_campaigns.queue_place_tables import QueuePlaceRow
from callback_campaigns.queue_places import locked, open_places, to_place, write
from callback_campaigns.task_tables import DialAttemptRow
from callback_campaigns.tasks import CallbackTasks
from crm.do_not_call import DoNotCall
from crm.domain.freeze import ContactPurpose
from crm.office import Office
from crm.service import CallbackRequests
from kernel.ids import new_ulid
from kernel.phone import Phone
from telephony.domain.call import Direction
from telephony.domain.call_id import STAFF
from telephony.tables import CallRow

log = structlog.get_logger(__name__)

NOT_REACHED = "排队回电没有接通，请人工回电"
NOT_IN_TIME = "排队回电没有等到客服，请人工回电"
ENDED = Counter("huifang_queue_places_total", "Callers' places in queues by how they ended", ["end"])


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlace:
    """A place that is not over, and whose it is."""

    place: QueuePlace
    number: str
    customer_id: str | None
    call_id: str
    agent_number: str | None


class PlaceAttempts:
    """Begins and settles the calls of places."""

    def __init__(
        self,
        office: Office,
        tasks: CallbackTasks,
        dialling: DialFile,
        do_not_call: DoNotCall,
        requests: CallbackRequests,
        lines: Lines,
        exchange: Exchange,
        config: PreviewConfig,
        kept: PlaceRules,
    ) -> None:
        self._office = office
        self._tasks = tasks
        self._dialling = dialling
        self._refusals = do_not_call
        self._requests = requests
        self._lines = lines
        self._exchange = exchange
        self._config = config
        self._rules = kept

    async def settle(self) -> tuple[OpenPlace, ...]:
        """Bring the open places up to what has happened; return those that are open after that."""
        now = self._office.now()
        async with self._office.database.session() as session:
            rows = list(await open_places(session))
            outcomes = await self._outcomes(session, [row.attempt_id for row in rows if row.attempt_id])
            talked = await self._talked(session, rows)
        left = []
        for row in rows:
            place = to_place(row)
            outcome = outcomes.get(row.attempt_id or "")

            def step(place: QueuePlace, outcome: Outcome | None = outcome, id_: str = row.id) -> QueuePlace:
                if outcome is not None:
                    place = rules.call_over(place, outcome, self._rules, now)
                if id_ in talked:
                    place = rules.taken_up(place, now)
                return rules.out_of_time(place, now)

            if step(place) != place:
                place = await self._move(row, step)
            if place.state.is_open:
                left.append(
                    OpenPlace(
                        place=place,
                        number=row.number,
                        customer_id=row.customer_id,
                        call_id=row.call_id,
                        agent_number=row.agent_number,
                    )
                )
        return tuple(left)

    async def begin(self, opened: OpenPlace, agent_number: str) -> Attempt | Refusal:
        """Commit the place's call, an agent's telephone first; or say why not, and change nothing."""
        attempt_id = new_ulid()
        try:
            async with self._office.database.transaction() as session:
                await hold_trunk(session, self._config.trunk)
                row = await locked(session, opened.place.place_id)
                now = self._office.now()
                if row is None or not to_place(row).waits(now):
                    return Refusal(code=RefusalCode.TASK_NOT_READY)
                refusal = may_dial(await self._check(session, row, agent_number, now))
                if refusal is None:
                    attempt = attempt_rules.begin(attempt_id, row.number, now=now).attempt
                    write(row, rules.begin_call(to_place(row), attempt_id, now))
                    row.agent_number = agent_number
                    session.add(self._row(attempt, row, agent_number))
                    return attempt
        except IntegrityError:
            # Another process was faster with the same number.
            refusal = Refusal(code=RefusalCode.OPEN_ATTEMPT)
        return refusal

    async def refuse(self, opened: OpenPlace, refusal: Refusal) -> None:
        """Take that a place's call was not allowed: it waits, or is for people."""
        log.info("queue_place_refused", place=opened.place.place_id, code=refusal.code.value)
        now = self._office.now()
        async with self._office.database.session() as session:
            row = await session.get(QueuePlaceRow, opened.place.place_id)
        if row is not None:
            await self._move(row, lambda place: rules.refused(place, refusal, self._rules, now))

    async def _move(self, row: QueuePlaceRow, step: Callable[[QueuePlace], QueuePlace]) -> QueuePlace:
        """Take a step that may be taken twice; who needs people is on their list before the place is over."""
        foreseen = step(to_place(row))
        if foreseen.state.for_people:
            late = foreseen.state is PlaceState.EXPIRED
            await self._requests.create(
                call_id=row.call_id,
                phone=Phone.parse(row.number),
                customer_id=row.customer_id,
                reason=NOT_IN_TIME if late else NOT_REACHED,
            )
        async with self._office.database.transaction() as session:
            mine = await locked(session, row.id)
            if mine is None:
                return replace(foreseen, state=PlaceState.CANCELLED)
            before = to_place(mine)
            after = step(before)
            write(mine, after)
        if before.state.is_open and not after.state.is_open:
            ENDED.labels(after.state.value).inc()
            log.info("queue_place_over", place=row.id, end=after.state.value)
        return after

    async def _outcomes(self, session: AsyncSession, attempts: Sequence[str]) -> dict[str, Outcome]:
        attempt = DialAttemptRow
        ended = select(attempt.id, attempt.outcome).where(
            attempt.id.in_(attempts), attempt.state == AttemptState.ENDED.value
        )
        return {
            id_: Outcome(outcome) if outcome else Outcome.UNKNOWN
            for id_, outcome in await session.execute(ended)
        }

    async def _talked(self, session: AsyncSession, rows: Sequence[QueuePlaceRow]) -> set[str]:
        """Return the places whose customers phoned again and were answered."""
        if not rows:
            return set()
        numbers = [row.number for row in rows]
        query = select(CallRow.from_number, CallRow.started_at).where(
            CallRow.from_number.in_(numbers),
            CallRow.direction == Direction.IN.value,
            CallRow.started_at > min(row.asked_at for row in rows),
            CallRow.answered_at.is_not(None),
            CallRow.agent_number.is_not(None),
        )
        calls = (await session.execute(query)).all()
        return {
            row.id
            for row in rows
            if any(number == row.number and started > row.asked_at for number, started in calls)
        }

    def _row(self, attempt: Attempt, place: QueuePlaceRow, agent_number: str) -> DialAttemptRow:
        row = DialAttemptRow(
            id=attempt.attempt_id,
            channel_id=attempt.channel_id + STAFF,
            customer_id=place.customer_id,
            number=attempt.number,
            node=self._exchange.node,
            trunk=self._config.trunk,
            carrier=self._config.carrier,
            agent=agent_number,
            survey=False,
            began_at=attempt.began_at,
        )
        put_attempt(row, attempt)
        return row

    async def _check(
        self, session: AsyncSession, row: QueuePlaceRow, agent_number: str, now: datetime
    ) -> DialCheck:
        config, number = self._config, row.number
        calendar = (await self._tasks.calendar(session)).windows.calendar
        dial = self._dialling.rules(config.carrier, calendar, self._office.zone)
        dial = replace(dial, frequency=replace(dial.frequency, number=dial.frequency.cases))
        rates = (*dial.frequency.number, *dial.carrier.rates)
        calls, is_open = await called(session, number, now - max(rate.per for rate in rates))
        against = await self._refusals.allows(session, number, row.customer_id, ContactPurpose.SERVICE)
        picture, known = self._exchange.picture(), self._lines.trunks.get(config.trunk)
        return DialCheck(
            now=now,
            rules=dial,
            task=TaskAsked(survey=False, wish=CallWish(occasion=Occasion.REQUESTED)),
            callee=Callee(
                phone=Phone.parse(number),
                refused=against.code if against is not None else None,
                open_attempt=is_open,
                on_call=self._exchange.on_call(number),
                calls=calls,
            ),
            switch=Switch(
                caller_id=config.caller_id,
                link_live=picture.live,
                as_of=picture.as_of,
                stale_after=config.stale_after,
                lines_used=self._exchange.used(config.trunk),
                lines=known.lines if known is not None else 0,
                trunk_started=await began_on(session, config.trunk, now),
                trunk_per_second=known.per_second if known is not None else 0,
            ),
        )
