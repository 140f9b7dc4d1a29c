"""Appraisal entries that a missed limit proposes; the manager decides whether they count (domain.md §0)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, tidy_text
from crm.complaint_tables import ComplaintLine
from crm.confidential import sees_all_confidential
from crm.journal import Journal
from crm.limit_tables import AppraisalProposalRow
from crm.months import month_of, month_period
from crm.tables import Department
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound, StaleVersion
from kernel.ids import is_ulid

MAX_NOTE = 400
MAX_EXPORTED = 10_000
ENTITY = "appraisal"


class AppraisalState(StrEnum):
    """Where an entry stands; only what is proposed can be decided."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    DROPPED = "dropped"


class AppraisalDecided(Conflict):
    """It was decided already, or taken back with the breach."""

    code = "appraisal_decided"


class OwnAppraisal(Forbidden):
    """Nobody decides about themselves."""

    code = "own_appraisal"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppraisalView:
    """An entry.

    Attributes:
        user_id: whom it is about; ``None`` when nobody in the department was named.
        points: negative.
        decided_by: who decided; ``system`` where the breach was taken back.
        period: the month it counts in, from when it was confirmed.
        confirmed_by: who confirmed it, also of one that was taken back later.
        exported_at: when it went to payroll; it goes once.
    """

    appraisal_id: str
    code: str
    record_kind: str
    record_id: str
    line_id: str
    record_no: str
    department: str | None
    department_name: str | None
    user_id: str | None
    points: int
    reason: str
    state: AppraisalState
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    period: str | None
    confirmed_by: str | None
    exported_at: datetime | None
    exported_by: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppraisalPage:
    """A page of entries; ``next_cursor`` leads on."""

    items: tuple[AppraisalView, ...]
    next_cursor: str | None


class Appraisals:
    """Shows the entries, and lets the manager decide about them.

    Args:
        zone: the site's; a month is its month.
    """

    def __init__(self, database: Database, clock: Clock, journal: Journal, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._zone = zone

    async def page(
        self,
        actor: Actor,
        *,
        state: AppraisalState | None = AppraisalState.PROPOSED,
        department: str | None = None,
        user_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AppraisalPage:
        """Return entries, the oldest first; those that wait for a decision unless said otherwise.

        Raises:
            Forbidden: the role does not see the red list.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.RED_LIST_VIEW)
        limit, row = max(1, min(limit, MAX_PAGE)), AppraisalProposalRow
        query = _QUERY
        for column, value in ((row.state, state), (row.department, department), (row.user_id, user_id)):
            if value is not None:
                query = query.where(column == value)
        if not sees_all_confidential(actor):
            query = query.where(~_secret())
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(row.proposed_at > at, (row.proposed_at == at) & (row.id > key)))
        query = query.order_by(row.proposed_at, row.id).limit(limit + 1)
        async with self._database.session() as session:
            found = [_view(*each) for each in (await session.execute(query)).all()]
        last = found[limit - 1] if len(found) > limit else None
        return AppraisalPage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(last.proposed_at, last.appraisal_id) if last else None,
        )

    async def confirmed(
        self,
        actor: Actor,
        month: str,
        *,
        department: str | None = None,
        exported: bool | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AppraisalPage:
        """Return the entries that count from a month on, as payroll wants them: by when they were confirmed.

        Whoever does not see lines about integrity does not see their entries either.

        Args:
            exported: those that went to payroll, whatever became of them since, or those that did not yet;
                all that count with ``None``.

        Raises:
            Forbidden: neither the red list nor payroll is the role's.
            Invalid: no month, or the cursor is not one of ours.
        """
        if not actor.can(Permission.RED_LIST_VIEW):
            actor.need(Permission.RECOVERY_HANDLE)
        limit, row = max(1, min(limit, MAX_PAGE)), AppraisalProposalRow
        since, until = month_period(month, self._zone)
        if exported:
            # What was taken back after it went out is listed too: payroll has to know.
            query = _QUERY.where(row.period == month, row.exported_at.is_not(None))
        else:
            query = _QUERY.where(
                row.state == AppraisalState.CONFIRMED, row.decided_at >= since, row.decided_at < until
            )
            if exported is False:
                query = query.where(row.exported_at.is_(None))
        if department is not None:
            query = query.where(row.department == department)
        if not sees_all_confidential(actor):
            query = query.where(~_secret())
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(row.decided_at > at, (row.decided_at == at) & (row.id > key)))
        query = query.order_by(row.decided_at, row.id).limit(limit + 1)
        async with self._database.session() as session:
            found = [_view(*each) for each in (await session.execute(query)).all()]
        last = found[limit - 1] if len(found) > limit else None
        return AppraisalPage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(last.decided_at, last.appraisal_id)
            if last is not None and last.decided_at is not None
            else None,
        )

    async def export(self, actor: Actor, month: str, *, department: str | None = None) -> int:
        """Hand a month's entries to payroll, each once; return how many went.

        The list of those that went is :meth:`confirmed` with ``exported``.

        Raises:
            Forbidden: payroll is not the role's.
            Invalid: no month.
        """
        actor.need(Permission.RECOVERY_HANDLE)
        month_period(month, self._zone)
        row = AppraisalProposalRow
        query = select(row).where(
            row.state == AppraisalState.CONFIRMED, row.period == month, row.exported_at.is_(None)
        )
        if department is not None:
            query = query.where(row.department == department)
        if not sees_all_confidential(actor):
            query = query.where(~_secret())
        query = query.order_by(row.decided_at, row.id).limit(MAX_EXPORTED)
        async with self._database.transaction() as session:
            found = (await session.scalars(query.with_for_update(of=row))).all()
            if not found:
                return 0
            for one in found:
                one.exported_at, one.exported_by = self._clock.now(), actor.name
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "appraisal.export",
                entity=ENTITY,
                entity_id=month,
                after={
                    "month": month,
                    "department": department,
                    "entries": len(found),
                    "points": sum(one.points for one in found),
                },
            )
            return len(found)

    async def confirm(
        self, actor: Actor, appraisal_id: str, *, expected: int, note: str = ""
    ) -> AppraisalView:
        """Let an entry count.

        Raises:
            Forbidden: the role does not decide, or it is about the actor.
            NotFound: no such entry.
            AppraisalDecided: it was decided already.
            StaleVersion: somebody changed it since.
        """
        note = tidy_text(note, field="note", limit=MAX_NOTE, required=False)
        return await self._decide(actor, appraisal_id, expected, AppraisalState.CONFIRMED, note)

    async def dismiss(self, actor: Actor, appraisal_id: str, *, expected: int, reason: str) -> AppraisalView:
        """Drop an entry, with the reason. Raises as :meth:`confirm`, and Invalid without a reason."""
        reason = tidy_text(reason, field="reason", limit=MAX_NOTE)
        return await self._decide(actor, appraisal_id, expected, AppraisalState.DROPPED, reason)

    async def _decide(
        self, actor: Actor, appraisal_id: str, expected: int, state: AppraisalState, note: str
    ) -> AppraisalView:
        actor.need(Permission.CASES_DECIDE)
        async with self._database.transaction() as session:
            row = await self._locked(session, appraisal_id)
            if row.user_id is not None and row.user_id == actor.user_id:
                raise OwnAppraisal("nobody decides about an entry of their own")
            if row.state != AppraisalState.PROPOSED:
                raise AppraisalDecided(f"the entry is {row.state} already")
            if row.version != expected:
                raise StaleVersion("somebody else changed the entry; read it again", field="If-Match")
            row.state, row.note = state, note or None
            row.decided_by, row.decided_at = actor.name, self._clock.now()
            if state is AppraisalState.CONFIRMED:
                row.period, row.confirmed_by = month_of(row.decided_at, self._zone), actor.name
            await session.flush()
            department = await session.get(Department, row.department) if row.department else None
            view = _view(row, department.name if department else None)
            await self._journal.note(
                session,
                actor,
                "appraisal.confirm" if state is AppraisalState.CONFIRMED else "appraisal.dismiss",
                entity=ENTITY,
                entity_id=row.id,
                before={"state": AppraisalState.PROPOSED.value},
                after={"state": state.value, "no": row.record_no, "code": row.code, "points": row.points},
                why=note,
            )
        return view

    async def _locked(self, session: AsyncSession, appraisal_id: str) -> AppraisalProposalRow:
        row = (
            await session.get(AppraisalProposalRow, appraisal_id, with_for_update=True)
            if is_ulid(appraisal_id)
            else None
        )
        if row is None:
            raise NotFound("no such appraisal entry", field="appraisal_id")
        return row


_QUERY: Any = select(AppraisalProposalRow, Department.name).outerjoin(
    Department, Department.code == AppraisalProposalRow.department
)


def _secret() -> ColumnElement[bool]:
    """Return that an entry is about a line about integrity, or about a case that has one."""
    row, line = AppraisalProposalRow, ComplaintLine
    return exists().where(
        or_(line.id == row.line_id, (row.line_id == "") & (line.case_id == row.record_id)),
        line.confidential.is_(True),
    )


def _view(row: AppraisalProposalRow, department_name: str | None) -> AppraisalView:
    return AppraisalView(
        appraisal_id=row.id,
        code=row.code,
        record_kind=row.record_kind,
        record_id=row.record_id,
        line_id=row.line_id,
        record_no=row.record_no,
        department=row.department,
        department_name=department_name,
        user_id=row.user_id,
        points=row.points,
        reason=row.reason,
        state=AppraisalState(row.state),
        proposed_at=row.proposed_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        note=row.note,
        period=row.period,
        confirmed_by=row.confirmed_by,
        exported_at=row.exported_at,
        exported_by=row.exported_by,
        version=row.version,
    )
