"""The limits of a complaint's lines: what each step starts, stops and starts afresh (domain.md §1.3).

Which event starts and stops which limit is the policy's matter: set A counts T3 from the verification, set B
from the acceptance, and T4 from the registration. Here events are only told.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import ComplaintLine
from crm.domain.case import Source
from crm.domain.line_steps import Limit
from crm.limits import LimitBook, Owner, RecordRef, TimerView
from crm.tables import ServiceCase

KIND = "complaint"
_ACCEPT, _VERIFY, _PLAN, _CALLBACK = "TS.T1", "TS.T2", "TS.T3", "TS.T4"
_EVENTS = frozenset({Limit.ACCEPTED, Limit.VERIFIED, Limit.PLANNED, Limit.VISIT_OVER, Limit.CALLED_BACK})


class LineLimits:
    """Tells the book of limits what happened to a line."""

    def __init__(self, book: LimitBook) -> None:
        self.book = book

    async def registered(
        self, session: AsyncSession, header: ServiceCase, line: ComplaintLine, at: datetime
    ) -> None:
        """C0 of a line: T1 runs from now, so that a late hand-off does not stop the clock.

        Where the callback is owed so long after the registration, it is the complaint's registration that
        counts, also for a line that came later.
        """
        record = _record(header, line)
        started = await self.book.happened(
            session, "TS", "registered", record, at=at, owner=_department(header, line)
        )
        for timer in started:
            if timer.code == _CALLBACK:
                owner = _specialist(header)
                if at == header.opened_at:
                    await self.book.hand_over(session, record, owner, codes=(_CALLBACK,))
                else:
                    await self.book.restart(
                        session, _CALLBACK, record, at=header.opened_at, owner=owner, reason="from C0"
                    )
            header.limit_set = timer.policy

    async def apply(
        self,
        session: AsyncSession,
        header: ServiceCase,
        line: ComplaintLine,
        limits: Iterable[tuple[Limit, datetime]],
    ) -> None:
        """Do what a step means for the limits, in its order."""
        record, owner = _record(header, line), _department(header, line)
        for limit, at in limits:
            if limit in _EVENTS:
                owes = _specialist(header) if limit is Limit.VISIT_OVER else owner
                await self.book.happened(session, "TS", limit.value, record, at=at, owner=owes)
            elif limit is Limit.REFUSED:
                await self.book.stop(session, _ACCEPT, record, at=at)
            elif limit is Limit.VOID:
                await self.book.void(session, record, reason=line.status, at=at)
            else:
                await self._again(session, limit, record, owner, at)

    async def _again(
        self, session: AsyncSession, limit: Limit, record: RecordRef, owner: Owner, at: datetime
    ) -> None:
        codes = [_PLAN]
        if limit is Limit.CONTACT_AGAIN:
            codes = [_VERIFY]
            rule = await self.book.rule(session, _PLAN, record, at=at)
            # Unless verifying starts it, planning is owed from now too.
            codes += [_PLAN] if rule.start != Limit.VERIFIED.value else []
        for code in codes:
            await self.book.restart(session, code, record, at=at, owner=owner, reason="called back: unsolved")

    async def hand_over(self, session: AsyncSession, header: ServiceCase, line: ComplaintLine) -> None:
        """Let the person who is assigned owe what the department owes."""
        owner = _department(header, line)
        await self.book.hand_over(session, _record(header, line), owner, codes=(_ACCEPT, _VERIFY, _PLAN))

    async def forwarded(self, session: AsyncSession, header: ServiceCase, at: datetime) -> None:
        """Another hotline forwarded it: it must be told the result in time (domain.md §1.13)."""
        if header.source == Source.HOTLINE_FORWARD and header.external_no:
            await self.book.happened(
                session, "FO", "received", _record(header), at=at, owner=_specialist(header)
            )

    async def end(self, session: AsyncSession, header: ServiceCase, reason: str, at: datetime) -> None:
        """Nothing is owed any more about the whole complaint."""
        await self.book.void(session, _record(header), reason=reason, at=at)

    async def note_due(
        self, session: AsyncSession, case_id: str, lines: Sequence[ComplaintLine]
    ) -> tuple[TimerView, ...]:
        """Repeat on the lines when their open limits end; return the complaint's limits."""
        timers = (await self.book.timers(session, [case_id]))[case_id]
        due = {(timer.record.line_id, timer.code): timer.due_at for timer in timers if timer.is_open}
        for line in lines:
            line.accept_due_at = due.get((line.id, _ACCEPT))
            line.verify_due_at = due.get((line.id, _VERIFY))
            line.plan_due_at = due.get((line.id, _PLAN))
            line.callback_due_at = due.get((line.id, _CALLBACK))
        return timers


def _record(header: ServiceCase, line: ComplaintLine | None = None) -> RecordRef:
    return RecordRef(KIND, header.id, line.id if line else "", header.no)


def _department(header: ServiceCase, line: ComplaintLine) -> Owner:
    if line.confidential:
        return Owner(user_id=line.person_id, specialist=header.specialist_id)
    return Owner(department=line.department_code, user_id=line.person_id, specialist=header.specialist_id)


def _specialist(header: ServiceCase) -> Owner:
    return Owner(user_id=header.specialist_id, specialist=header.specialist_id)
