"""The limits of records: started, stopped, paused, started anew (domain.md §0, §1.3).

Everything happens in the caller's transaction, so that a case and its limits never disagree. A record keeps
the policy version that its first limit started under, whatever is loaded later.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.calendar_book import CalendarBook
from crm.domain.limits import CALENDAR_RETRY, LimitConflict, Rule, Run, begin, pause, resume, stretch
from crm.limit_rules import PolicyBook, PolicyVersion
from crm.limit_steps import MICROSECOND, advance, note_missing, put_run, run_of, settle_row, withdraw
from crm.limit_tables import LimitTimerRow
from crm.limit_views import Owner, RecordRef, TimerState, TimerView, view_of
from kernel.business_time import BusinessClocks, ServiceHours
from kernel.clock import Clock
from kernel.ids import new_ulid

__all__ = ["LimitBook", "Owner", "RecordRef", "TimerState", "TimerView"]

NO_TIME = timedelta(0)


_OF_RECORDS = (
    select(LimitTimerRow)
    .where(LimitTimerRow.record_id.in_(bindparam("records", expanding=True)))
    .order_by(LimitTimerRow.started_at, LimitTimerRow.id)
)
_FIRST_POLICY = (
    select(LimitTimerRow.policy_id)
    .where(LimitTimerRow.record_id == bindparam("record"), LimitTimerRow.record_kind == bindparam("kind"))
    .order_by(LimitTimerRow.id)
    .limit(1)
)
_OPEN = (
    select(LimitTimerRow)
    .where(LimitTimerRow.open_key == bindparam("key"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_ALL_OPEN = (
    select(LimitTimerRow)
    .where(LimitTimerRow.record_id == bindparam("record"), LimitTimerRow.open_key.is_not(None))
    .order_by(LimitTimerRow.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)


class LimitBook:
    """Keeps the limits of all records.

    Args:
        hours: when the service clock runs; 08:30–18:00 on all days but the holidays by law unless given.
        default_set: the limit set of new records until another is chosen.
    """

    def __init__(self, clock: Clock, *, hours: ServiceHours | None = None, default_set: str = "A") -> None:
        self._clock = clock
        self.policies = PolicyBook(clock, default_set)
        self.calendar = CalendarBook(clock, hours)

    async def rule(self, session: AsyncSession, code: str, record: RecordRef, *, at: datetime) -> Rule:
        """Return the rule that a limit of ``record`` would start under at ``at``. Raises NoSuchLimit."""
        return (await self._policy_of(session, record, at, None)).policy.rule(code)

    async def start(
        self,
        session: AsyncSession,
        code: str,
        record: RecordRef,
        *,
        at: datetime,
        owner: Owner,
        set_name: str | None = None,
        slot: timedelta = NO_TIME,
        amount: timedelta | None = None,
    ) -> TimerView:
        """Start a limit at ``at``, which may lie ahead: the end of an agreed visit.

        Where the deadline falls into a year whose calendar is not loaded, it is not guessed, nor is the start
        refused: the limit runs in the state ``calendar_missing`` until the calendar is there.

        Args:
            set_name: another set than the record's own or the chosen one.
            slot: length of the agreed visit; counts where the rule says so.
            amount: what the order itself demands, instead of the rule's amount.

        Raises:
            LimitConflict: it runs already for this line of the record.
            NoSuchLimit: no such code or set.
        """
        version = await self._policy_of(session, record, at, set_name)
        rule = version.policy.rule(code)
        run, clocks = await self._begin(session, rule, at, slot, amount)
        row = LimitTimerRow(
            id=new_ulid(),
            policy_id=version.policy_id,
            code=code,
            record_kind=record.kind,
            record_id=record.record_id,
            line_id=record.line_id,
            record_no=record.no,
            department=owner.department,
            user_id=owner.user_id,
            specialist=owner.specialist,
            state=_running(run),
            open_key=_key(code, record),
            started_at=at,
            slot_us=slot // MICROSECOND,
            handled=0,
            tries=0,
            paused=[],
        )
        put_run(row, run)
        advance(session, row, rule, clocks, now=at)
        if run.waits_for is not None:
            row.due_at = self._clock.now() + CALENDAR_RETRY
            note_missing(session, run.waits_for, clocks, self._clock.now())
        # What the caller has pending is not to be blamed on the limit.
        await session.flush()
        session.add(row)
        try:
            await session.flush()
        except IntegrityError as error:
            raise LimitConflict(f"{code} runs already for this record", field="code") from error
        return view_of(row, version, clocks, self._clock.now())

    async def stop(
        self, session: AsyncSession, code: str, record: RecordRef, *, at: datetime
    ) -> TimerView | None:
        """Stop a limit: what was owed happened at ``at``. ``None`` when it does not run.

        Stopped late, its breach is written here unless the worker was faster. Stopped in time but written
        down late, a breach that was written meanwhile is withdrawn. Whether one that waits for a calendar was
        stopped in time, the worker finds out when the calendar is there.
        """
        row = await self._open(session, code, record)
        if row is None:
            return None
        version, clocks = await self._around(session, row)
        rule = version.policy.rule(code)
        settle_row(session, row, rule, clocks, self._clock.now())
        if row.deadline_at is not None and at > row.deadline_at:
            advance(session, row, rule, clocks, now=at, warn=False)
        elif row.breached_at is not None:
            await withdraw(session, row, self._clock.now())
        self._close(row, TimerState.STOPPED, at)
        await session.flush()
        return view_of(row, version, clocks, self._clock.now())

    async def restart(
        self,
        session: AsyncSession,
        code: str,
        record: RecordRef,
        *,
        at: datetime,
        owner: Owner,
        slot: timedelta = NO_TIME,
        amount: timedelta | None = None,
        reason: str = "restarted",
    ) -> TimerView:
        """Start a limit afresh; one that runs counts no more, but its breach stays.

        Raises as :meth:`start` does.
        """
        row = await self._open(session, code, record)
        if row is not None:
            await self._void(session, row, min(at, self._clock.now()), reason)
        return await self.start(session, code, record, at=at, owner=owner, slot=slot, amount=amount)

    async def happened(
        self,
        session: AsyncSession,
        family: str,
        event: str,
        record: RecordRef,
        *,
        at: datetime,
        owner: Owner,
        slot: timedelta = NO_TIME,
    ) -> tuple[TimerView, ...]:
        """Stop and start whatever the record's policy ties to an event; return the limits that were started.

        So callers need not know that set B counts T3 from the acceptance and T4 from the registration.

        Args:
            family: first part of the codes: ``TS``, ``BX``, ``ES``, ``TD``, ``FO``.
            event: an event of :data:`crm.domain.limit_file.EVENTS`.
        """
        version = await self._policy_of(session, record, at, None)
        rules = [rule for code, rule in version.policy.rules.items() if code.startswith(family + ".")]
        for rule in rules:
            if rule.stop == event:
                await self.stop(session, rule.code, record, at=at)
        return tuple(
            [
                await self.restart(session, rule.code, record, at=at, owner=owner, slot=slot)
                for rule in rules
                if rule.start == event
            ]
        )

    async def set_slot(
        self, session: AsyncSession, code: str, record: RecordRef, *, slot: timedelta
    ) -> TimerView | None:
        """Set the length of the agreed visit where the rule counts it; ``None`` when it does not run."""
        row = await self._open(session, code, record)
        if row is None:
            return None
        version, clocks = await self._around(session, row)
        rule = version.policy.rule(code)
        if rule.visit_slot and row.breached_at is None:
            run = run_of(row)
            allowed = run.allowed - row.slot_us * MICROSECOND + slot
            put_run(row, stretch(rule, run, allowed, clocks))
            row.slot_us = slot // MICROSECOND
            if row.state != TimerState.PAUSED:
                row.state = _running(run_of(row))
            advance(session, row, rule, clocks, now=self._clock.now())
            await session.flush()
        return view_of(row, version, clocks, self._clock.now())

    async def pause(
        self, session: AsyncSession, code: str, record: RecordRef, *, at: datetime, reason: str
    ) -> TimerView | None:
        """Stand a limit still; ``None`` when it does not run.

        Raises:
            LimitConflict: it is paused already, or over.
            CalendarYearMissing: how much of it is used depends on a year that is not loaded.
        """
        row = await self._open(session, code, record)
        if row is None:
            return None
        # A sum of hours is stored: the calendar is read again, another process may have loaded a year.
        self.calendar.forget()
        version, clocks = await self._around(session, row)
        rule = version.policy.rule(code)
        if row.breached_at is not None:
            raise LimitConflict(f"{code} is over: what is late cannot be paused any more")
        paused = pause(rule, run_of(row), at, clocks)
        # The warnings before it are those of the time before it.
        advance(session, row, rule, clocks, now=at)
        put_run(row, paused)
        row.state, row.due_at = TimerState.PAUSED, None
        row.paused = [*row.paused, {"from": at.isoformat(), "reason": reason[:200]}]
        await session.flush()
        return view_of(row, version, clocks, self._clock.now())

    async def resume(
        self, session: AsyncSession, code: str, record: RecordRef, *, at: datetime
    ) -> TimerView | None:
        """Let a paused limit run on; ``None`` when there is none.

        Raises:
            LimitConflict: it is not paused.
        """
        row = await self._open(session, code, record)
        if row is None:
            return None
        version, clocks = await self._around(session, row)
        rule = version.policy.rule(code)
        put_run(row, resume(rule, run_of(row), at, clocks))
        row.state = _running(run_of(row))
        row.paused = [*row.paused[:-1], {**row.paused[-1], "to": at.isoformat()}]
        advance(session, row, rule, clocks, now=at)
        await session.flush()
        return view_of(row, version, clocks, self._clock.now())

    async def hand_over(
        self, session: AsyncSession, record: RecordRef, owner: Owner, *, codes: Sequence[str] = ()
    ) -> None:
        """Let somebody else owe the open limits of a line, or those of ``codes`` among them."""
        change = update(LimitTimerRow).where(
            LimitTimerRow.record_id == record.record_id,
            LimitTimerRow.line_id == record.line_id,
            LimitTimerRow.open_key.is_not(None),
        )
        if codes:
            change = change.where(LimitTimerRow.code.in_(codes))
        await session.execute(
            change.values(department=owner.department, user_id=owner.user_id, specialist=owner.specialist)
        )

    async def void(
        self, session: AsyncSession, record: RecordRef, *, reason: str, at: datetime | None = None
    ) -> int:
        """End the open limits of a line, or without a line of the whole record, as not counting any more.

        What was missed before ``at`` (now) stays a breach. Returns how many were ended.
        """
        rows = (await session.scalars(_ALL_OPEN, {"record": record.record_id})).all()
        rows = [row for row in rows if not record.line_id or row.line_id == record.line_id]
        for row in rows:
            await self._void(session, row, at or self._clock.now(), reason)
        return len(rows)

    async def timers(
        self, session: AsyncSession, record_ids: Iterable[str]
    ) -> dict[str, tuple[TimerView, ...]]:
        """Return the limits of each record, oldest first; every id is a key."""
        found: dict[str, list[TimerView]] = {record_id: [] for record_id in record_ids}
        if not found:
            return {}
        rows = (await session.scalars(_OF_RECORDS, {"records": list(found)})).all()
        for view in await self.views(session, rows):
            found[view.record.record_id].append(view)
        return {record_id: tuple(views) for record_id, views in found.items()}

    async def views(self, session: AsyncSession, rows: Iterable[LimitTimerRow]) -> tuple[TimerView, ...]:
        """Return stored limits as lists show them now."""
        clocks, now = await self.calendar.clocks(session), self._clock.now()
        return tuple(
            [view_of(row, await self.policies.version(session, row.policy_id), clocks, now) for row in rows]
        )

    async def _policy_of(
        self, session: AsyncSession, record: RecordRef, at: datetime, set_name: str | None
    ) -> PolicyVersion:
        if set_name is None:
            first = await session.scalar(_FIRST_POLICY, {"record": record.record_id, "kind": record.kind})
            if first is not None:
                return await self.policies.version(session, first)
        return await self.policies.effective(session, at, set_name)

    async def _begin(
        self, session: AsyncSession, rule: Rule, at: datetime, slot: timedelta, amount: timedelta | None
    ) -> tuple[Run, BusinessClocks]:
        clocks = await self.calendar.clocks(session)
        run = begin(rule, at, clocks, slot=slot, amount=amount)
        if run.waits_for is not None:
            # Perhaps it has been loaded since we read it.
            self.calendar.forget()
            clocks = await self.calendar.clocks(session)
            run = begin(rule, at, clocks, slot=slot, amount=amount)
        return run, clocks

    async def _open(self, session: AsyncSession, code: str, record: RecordRef) -> LimitTimerRow | None:
        row: LimitTimerRow | None = await session.scalar(_OPEN, {"key": _key(code, record)})
        return row

    async def _around(
        self, session: AsyncSession, row: LimitTimerRow
    ) -> tuple[PolicyVersion, BusinessClocks]:
        if row.calendar_year is not None:
            # What it waits for may have been loaded since we read the calendar.
            self.calendar.forget()
        return (
            await self.policies.version(session, row.policy_id),
            await self.calendar.clocks(session),
        )

    async def _void(self, session: AsyncSession, row: LimitTimerRow, at: datetime, reason: str) -> None:
        version, clocks = await self._around(session, row)
        advance(session, row, version.policy.rule(row.code), clocks, now=at, warn=False)
        self._close(row, TimerState.VOID, at)
        row.void_reason = reason[:200]
        await session.flush()

    def _close(self, row: LimitTimerRow, state: TimerState, at: datetime) -> None:
        row.state, row.stopped_at, row.open_key = state, at, None
        if row.deadline_at is not None and at <= row.deadline_at:
            row.calendar_year = None
        # What depends on a calendar that is not there is looked at again.
        row.due_at = self._clock.now() + CALENDAR_RETRY if row.calendar_year is not None else None


def _key(code: str, record: RecordRef) -> str:
    return f"{code}:{record.kind}:{record.record_id}:{record.line_id}"


def _running(run: Run) -> TimerState:
    return TimerState.RUNNING if run.waits_for is None else TimerState.CALENDAR_MISSING
