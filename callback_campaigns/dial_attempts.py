"""Attempts in the database: begun under every check, in one transaction, before anything is sent.

Nobody is dialled twice (architecture.md §3): :meth:`DialAttempts.begin` commits the attempt as SENDING, and
only then may its one Originate be written. Whatever fails after that, the attempt is moved by what is found
under its channel id, never begun again. A call that is refused leaves a row with its code.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.dial_queries import (
    OPEN,
    called,
    case_call,
    for_person,
    hold_trunk,
    is_bad,
    surveyed,
    was_for_person,
)
from callback_campaigns.dial_refusals import note_refusal
from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.attempt import Attempt, AttemptEffect, AttemptMoved, AttemptState
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.early_media import MAX_TEXT, Announcement, HeardBefore
from callback_campaigns.domain.refusal import (
    Callee,
    DialCheck,
    DialRules,
    Refusal,
    RefusalCode,
    Switch,
    TaskAsked,
    may_dial,
)
from callback_campaigns.domain.refused_steps import after_refusal
from callback_campaigns.domain.retry import next_attempt
from callback_campaigns.domain.task import Task, TaskStatus
from callback_campaigns.domain.terms import Category, Outcome, is_frozen_by, purpose_of
from callback_campaigns.talk_facts import complaints_unaccepted
from callback_campaigns.task_store import locked_one, to_task
from callback_campaigns.task_tables import (
    CallbackStopRow,
    CallbackTaskRow,
    DialAttemptRow,
)
from callback_campaigns.tasks import CallbackTasks
from crm.case_watch import touched
from crm.do_not_call import DoNotCall
from crm.office import Office
from crm.tables import ServiceCase
from kernel.errors import NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.phone import InvalidPhone, Phone

SwitchNow = Callable[[AsyncSession], Awaitable[Switch]]
"""Returns the switch as it is inside the transaction: a campaign that was just paused dials no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRequest:
    """A call that somebody wants to make.

    Attributes:
        version: of the task when it was chosen; ``None`` when that does not matter.
        carrier: whose rules hold for the trunk.
        agent: who takes or makes the call; ``None`` for the system.
        ring: how long the telephones may ring; what is asked after that must still end inside the window.
        on_call: the number is in a call with us, as the PBX says.
        switch: the campaign, the lines and the agents, now.
        by_system: nobody asked for this call in person; if it is refused, its task is moved out of the way.
    """

    task_id: str
    number: str
    node: str
    trunk: str
    carrier: str
    switch: Switch | SwitchNow
    version: int | None = None
    campaign_id: str | None = None
    agent: str | None = None
    ring: timedelta = timedelta(0)
    on_call: bool = False
    by_system: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt that is not over, and what it was made for."""

    attempt: Attempt
    task_id: str | None
    campaign_id: str | None
    trunk: str
    agent: str | None


class DialAttempts:
    """Begins attempts and moves them."""

    def __init__(
        self, office: Office, tasks: CallbackTasks, do_not_call: DoNotCall, dialling: DialFile
    ) -> None:
        self._office = office
        self._tasks = tasks
        self._refusals = do_not_call
        self._dialling = dialling

    async def begin(self, wanted: DialRequest) -> Attempt | Refusal:
        """Commit an attempt, after which its Originate is to be written once; or say why not.

        Raises:
            NotFound: no such task, or no rules for the carrier.
        """
        attempt_id = new_ulid()
        try:
            async with self._office.database.transaction() as session:
                await hold_trunk(session, wanted.trunk)
                check, row = await self._check(session, wanted)
                task = to_task(row)
                refusal = may_dial(check)
                if refusal is not None:
                    return await self._refuse(session, wanted, refusal, row)
                phone = check.callee.phone
                assert phone is not None
                attempt = rules.begin(attempt_id, phone.e164, now=check.now).attempt
                session.add(_new_row(attempt, wanted, task))
                row.tried_campaign_id = wanted.campaign_id or row.tried_campaign_id
                await self._tasks.apply_to(
                    session,
                    row,
                    "dialled",
                    lambda one: task_steps.dialled(one, attempt_id, now=check.now),
                    by=wanted.agent or wanted.node,
                )
                return attempt
        except IntegrityError:
            # Another process was faster with the same number: the index keeps what a look could not see.
            refusal = Refusal(code=RefusalCode.OPEN_ATTEMPT)
            async with self._office.database.transaction() as session:
                asked = await locked_one(session, wanted.task_id)
                return await self._refuse(session, wanted, refusal, asked)

    async def move(self, attempt_id: str, step: Callable[[Attempt], AttemptMoved]) -> AttemptMoved:
        """Move an attempt by a step of its rules; what nobody answered is told to its task at once.

        What somebody answered is told by whoever talked: with answers, an appointment, a refusal.

        Raises:
            NotFound: no such attempt.
            IllegalStep: the step does not fit its state.
        """
        async with self._office.database.transaction() as session:
            moved = await self.move_in(session, attempt_id, step)
        if moved is None:
            raise NotFound("no such attempt", field="attempt_id")
        return moved

    async def move_all(
        self, steps: Sequence[tuple[str, Callable[[Attempt], AttemptMoved]]]
    ) -> list[AttemptMoved]:
        """Do :meth:`move` for many in one transaction, all or none; what is no attempt is passed over."""
        ids = sorted({attempt_id for attempt_id, _ in steps if is_ulid(attempt_id)})
        query = select(DialAttemptRow).where(DialAttemptRow.id.in_(ids))
        moved = []
        async with self._office.database.transaction() as session:
            locking = query.order_by(DialAttemptRow.id).with_for_update()
            rows = {row.id: row for row in await session.scalars(locking)}
            for attempt_id, step in steps:
                row = rows.get(attempt_id)
                if row is not None:
                    moved.append(await self._move(session, row, step))
        return moved

    async def move_in(
        self, session: AsyncSession, attempt_id: str, step: Callable[[Attempt], AttemptMoved]
    ) -> AttemptMoved | None:
        """Do :meth:`move` in the caller's transaction; ``None`` when there is no such attempt."""
        if not is_ulid(attempt_id):
            return None
        query = select(DialAttemptRow).where(DialAttemptRow.id == attempt_id).with_for_update()
        row = await session.scalar(query)
        return await self._move(session, row, step) if row is not None else None

    async def _move(
        self, session: AsyncSession, row: DialAttemptRow, step: Callable[[Attempt], AttemptMoved]
    ) -> AttemptMoved:
        before = to_attempt(row)
        moved = step(before)
        if not moved.taken and await was_for_person(session, row):
            moved = rules.for_person(moved)
        told = moved.attempt.connect_seconds
        if told is not None and told != before.connect_seconds and not await for_person(session, row):
            # Who asked for a person in a survey, or was rung by one, was not kept waiting.
            moved = replace(moved, attempt=replace(moved.attempt, connect_seconds=None))
        if moved.attempt != before:
            put_attempt(row, moved.attempt)
            if row.case_id is not None and (header := await session.get(ServiceCase, row.case_id)):
                touched(session, header)
            answered = before.answered_at is None and moved.attempt.answered_at is not None
            if row.task_id is not None and (answered or moved.effects):
                await self._tell(session, row.task_id, row, moved)
        return moved

    async def open_ones(self, node: str) -> Sequence[Attempt]:
        """Return the attempts of a PBX that are not over: what is looked for after a failure."""
        return [one.attempt for one in await self.in_progress(node)]

    async def in_progress(self, node: str) -> Sequence[OpenAttempt]:
        """Return the attempts of a PBX that are not over, with what they were made for."""
        query = select(DialAttemptRow).where(OPEN, DialAttemptRow.node == node).order_by(DialAttemptRow.id)
        async with self._office.database.session() as session:
            return [
                OpenAttempt(
                    attempt=to_attempt(row),
                    task_id=row.task_id,
                    campaign_id=row.campaign_id,
                    trunk=row.trunk,
                    agent=row.agent,
                )
                for row in await session.scalars(query)
            ]

    async def held_back(self, campaign_id: str, refusal: Refusal) -> None:
        """Write down what keeps a whole campaign from dialling."""
        async with self._office.database.transaction() as session:
            await note_refusal(
                session,
                refusal,
                task_id=None,
                campaign_id=campaign_id,
                now=self._office.now(),
                policy=self._dialling.retry,
            )

    async def _tell(
        self, session: AsyncSession, task_id: str, row: DialAttemptRow, moved: AttemptMoved
    ) -> None:
        told = await locked_one(session, task_id)
        if told is None or told.attempt_id != row.id:
            return
        task, attempt, now = to_task(told), moved.attempt, self._office.now()
        by = row.agent or row.node
        if attempt.answered_at is not None and task.status is TaskStatus.DIALLING:
            await self._tasks.apply_to(session, told, "answered", task_steps.answered, by=by)
        outcome = attempt.outcome
        if AttemptEffect.SETTLE in moved.effects and outcome is not None and outcome is not Outcome.ANSWERED:
            times = await self._tasks.retry_times(session, task, self._dialling)
            await self._tasks.apply_to(
                session,
                told,
                "not_reached",
                lambda one: task_steps.not_reached(
                    one, outcome, times, now=now, agent=row.agent, node=row.node
                ),
                by=by,
            )

    async def _check(self, session: AsyncSession, wanted: DialRequest) -> tuple[DialCheck, CallbackTaskRow]:
        row = await locked_one(session, wanted.task_id)
        if row is None:
            raise NotFound("no such callback task", field="task_id")
        task, now = to_task(row), self._office.now()
        calendar = await self._tasks.calendar(session)
        dial: DialRules = self._dialling.rules(wanted.carrier, calendar.windows.calendar, self._office.zone)
        asked = TaskAsked(
            ready=task.is_dialable(now),
            changed=wanted.version is not None and row.version != wanted.version,
            survey=task.category is not Category.CASE,
            wish=replace(await self._tasks.wish(session, task), ring=wanted.ring),
            tried=task.tried,
        )
        rates = (*dial.frequency.number, *dial.carrier.rates)
        looked_back = max((rate.per for rate in rates), default=timedelta(0))
        callee = await self._callee(session, task, wanted, now, now - looked_back)
        switch = wanted.switch if isinstance(wanted.switch, Switch) else await wanted.switch(session)
        check = DialCheck(now=now, rules=dial, task=asked, callee=callee, switch=switch)
        return check, row

    async def _callee(
        self, session: AsyncSession, task: Task, wanted: DialRequest, now: datetime, since: datetime
    ) -> Callee:
        """Return what is known of whom the call is for; ``since`` when calls count for some rate."""
        try:
            phone = Phone.parse(wanted.number, default_area=self._office.default_area)
        except InvalidPhone:
            return Callee(phone=None)
        about, waiting = None, 0
        if task.category is Category.CASE:
            # Nothing could be asked in the call (CB-4).
            waiting = await complaints_unaccepted(session, task.customer_id)
            in_person = wanted.agent is not None and not wanted.by_system
            about = await case_call(session, task.case_id, in_person=in_person)
        against = await self._refusals.allows(
            session, phone.e164, task.customer_id, purpose_of(task.category), call=about
        )
        calls, is_open = await called(session, phone.e164, since)
        stopped = None
        if task.project_id is not None:
            stopped = await session.get(CallbackStopRow, (task.project_id, task.kind.value))
        scopes = await self._tasks.freezes(session, task.customer_id)
        return Callee(
            phone=phone,
            bad_number=await is_bad(session, task.customer_id, phone.e164),
            refused=against.code if against is not None else None,
            frozen=bool(task.holds) or any(is_frozen_by(task.category, scope) for scope in scopes),
            complaint_waits=waiting > 0,
            stopped=stopped is not None,
            open_attempt=is_open,
            on_call=wanted.on_call,
            calls=calls,
            surveys=await surveyed(session, task.customer_id, now - self._dialling.frequency.surveys.per),
        )

    async def _refuse(
        self, session: AsyncSession, wanted: DialRequest, refusal: Refusal, row: CallbackTaskRow | None
    ) -> Refusal:
        now = self._office.now()
        task = to_task(row) if row is not None else None
        if refusal.code is RefusalCode.TASK_FREQUENCY and task is not None:
            times = await self._tasks.retry_times(session, task, self._dialling)
            until = next_attempt(times.policy, task.tried, now=now, opens=times.opens)
            refusal = replace(refusal, until=until)
        await note_refusal(
            session,
            refusal,
            task_id=wanted.task_id,
            campaign_id=wanted.campaign_id,
            now=now,
            policy=self._dialling.retry,
        )
        if wanted.by_system and row is not None:
            name = f"refused_{refusal.code.value}"[:24]
            await self._tasks.apply_to(
                session, row, name, lambda one: after_refusal(one, refusal, now=now), by=wanted.node
            )
        return refusal


def to_attempt(row: DialAttemptRow) -> Attempt:
    """Return an attempt as its rules see it."""
    return Attempt(
        attempt_id=row.id,
        number=row.number,
        state=AttemptState(row.state),
        began_at=row.began_at,
        since=row.since,
        answered_at=row.answered_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        ended_at=row.ended_at,
        corrected=row.corrected,
        connect_seconds=row.connect_seconds,
        cause=row.cause,
        heard=heard_of(row),
    )


def heard_of(row: DialAttemptRow) -> HeardBefore | None:
    """Return what was heard before anybody answered, as it is stored."""
    if row.heard is None:
        return None
    said = Announcement(row.heard_as) if row.heard_as else None
    return HeardBefore(announcement=said, text=row.heard, sure=row.heard_sure)


async def was_answered(session: AsyncSession, attempt_id: str, now: datetime) -> None:
    """Whoever talks with the customer knows that they answered, whatever was heard of the call."""
    query = select(DialAttemptRow).where(DialAttemptRow.id == attempt_id).with_for_update()
    row = await session.scalar(query)
    if row is not None:
        moved = rules.answered(to_attempt(row), now=now)
        if moved.attempt.outcome is Outcome.UNKNOWN:
            moved = rules.ended(moved.attempt, Outcome.ANSWERED, now=now)
        put_attempt(row, moved.attempt)


def _new_row(attempt: Attempt, wanted: DialRequest, task: Task) -> DialAttemptRow:
    row = DialAttemptRow(
        id=attempt.attempt_id,
        channel_id=attempt.channel_id,
        task_id=task.task_id,
        campaign_id=wanted.campaign_id,
        customer_id=task.customer_id,
        number=attempt.number,
        node=wanted.node,
        trunk=wanted.trunk,
        carrier=wanted.carrier,
        agent=wanted.agent,
        survey=task.category is not Category.CASE,
        began_at=attempt.began_at,
    )
    put_attempt(row, attempt)
    return row


def put_attempt(row: DialAttemptRow, attempt: Attempt) -> None:
    """Write an attempt into its row."""
    row.state = attempt.state.value
    row.since = attempt.since
    row.answered_at = attempt.answered_at
    row.outcome = attempt.outcome.value if attempt.outcome else None
    row.ended_at = attempt.ended_at
    row.corrected = attempt.corrected
    row.connect_seconds = attempt.connect_seconds
    row.cause = attempt.cause
    heard = attempt.heard
    row.heard = heard.text[:MAX_TEXT] if heard else None
    row.heard_as = heard.announcement.value if heard and heard.announcement else None
    row.heard_sure = heard.sure if heard else None
