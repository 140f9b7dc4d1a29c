"""What a month's complaints were about, department by department (客诉报表 RC, domain.md §1.3, §1.9, §2.3).

======================== =====================================================================================
figure                   reading «interp»
======================== =====================================================================================
lines                    registered in the month, of complaints that were filed
responsible              those that the department did not send back and that were not found unfounded
share of responsibility  the department's responsible lines over all departments' of that month
liability                of the major complaints judged in the month: the mean of each party's share
compensation             paid in the month for complaints in which the department has a responsible line;
                         one with two departments counts for both, in the sum once
======================== =====================================================================================

Departments see their own part, without lines about integrity and what was paid for such complaints.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, distinct, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import ComplaintLine
from crm.confidential import line_seen, sees_all_confidential
from crm.domain.case import CaseStatus
from crm.domain.compensation import LiableParty
from crm.domain.complaint import ComplaintClass
from crm.domain.complaint_line import LineStatus
from crm.domain.follow_up import Share
from crm.escalation_tables import CompensationRow, EscalationRow
from crm.months import month_of, month_period
from crm.tables import Department, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database

MAX_MAJOR = 300
_L = ComplaintLine
_REFUSED = (LineStatus.REJECTED.value, LineStatus.UNFOUNDED.value, LineStatus.REROUTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """How many lines have a class and subclass, how many of them the department answers for."""

    class_: ComplaintClass
    subclass: str | None
    lines: int
    responsible: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorCause:
    """A major complaint judged in the month, or paid for in it; ``shares`` is empty until it is judged."""

    escalation_id: str
    case_id: str
    no: str
    cause: str
    departments: tuple[str, ...]
    shares: dict[LiableParty, Decimal]
    paid: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentCauses:
    """A department's month.

    Attributes:
        share: its responsible lines over all departments'.
        liability: mean share of each party over ``judged`` major complaints; empty when there is none.
        paid: compensation of the month for ``paid_cases`` complaints it answers for.
        causes: the most frequent first.
    """

    department: str
    department_name: str
    complaints: int
    lines: int
    responsible: int
    refused: int
    unsolved: int
    share: Share
    judged: int
    liability: dict[LiableParty, Decimal]
    paid_cases: int
    paid: Decimal
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCauses:
    """The report; ``paid`` counts what several departments answer for once."""

    month: str
    as_of: datetime
    departments: tuple[DepartmentCauses, ...]
    major: tuple[MajorCause, ...]
    lines: int
    responsible: int
    paid: Decimal


class MonthCausesReader:
    """Computes the report for the managers, and for the heads of departments their own part.

    Args:
        zone: the site's; a month is its month.
    """

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    async def read(self, actor: Actor, month: str | None, *, department: str | None = None) -> MonthCauses:
        """Return a month, the present one for ``None``, of all departments or of one.

        Raises:
            Forbidden: the role does not see the red list.
            Invalid: no month.
        """
        actor.need(Permission.RED_LIST_VIEW)
        return await self._read(actor, month, department)

    async def own(self, actor: Actor, month: str | None) -> MonthCauses:
        """Return a month of the actor's department; nothing for who belongs to none.

        Raises:
            Forbidden: the role does not sign for a department.
            Invalid: no month.
        """
        actor.need(Permission.CASES_SIGN)
        return await self._read(actor, month, actor.department or "")

    async def _read(self, actor: Actor, month: str | None, department: str | None) -> MonthCauses:
        now = self._clock.now()
        month = month or month_of(now, self._zone)
        since, until = month_period(month, self._zone)
        async with self._database.session() as session:
            major = await _major(session, actor, since, until)
            found = await _lines(session, actor, since, until)
            named = await session.execute(select(Department.code, Department.name))
            names = {str(code): str(name) for code, name in named}
        total = sum(one.responsible for rows, _ in found.values() for one in rows)
        codes = set(found) | {code for one in major for code in one.departments}
        parts = [
            _department(code, names.get(code, code), found.get(code), major, total)
            for code in codes
            if department is None or code == department
        ]
        shown = [one for one in major if department is None or department in one.departments]
        return MonthCauses(
            month=month,
            as_of=now,
            departments=tuple(sorted(parts, key=lambda part: (-part.responsible, part.department))),
            major=tuple(shown),
            lines=sum(part.lines for part in parts),
            responsible=total,
            paid=sum((one.paid for one in shown), Decimal(0)),
        )


_Rows = tuple[list[Cause], tuple[int, int, int]]
"""Causes of a department, and its numbers of complaints, refused and unsolved lines."""


async def _lines(session: AsyncSession, actor: Actor, since: datetime, until: datetime) -> dict[str, _Rows]:
    chosen = [
        _L.registered_at >= since,
        _L.registered_at < until,
        ServiceCase.status != CaseStatus.NOT_FILED.value,
    ]
    chosen.append(line_seen(actor))
    refused = func.sum(case((_L.status.in_(_REFUSED), 1), else_=0))
    about = (
        select(_L.department_code, _L.class_code, _L.subclass, func.count(), refused)
        .join(ServiceCase, ServiceCase.id == _L.case_id)
        .where(*chosen)
        .group_by(_L.department_code, _L.class_code, _L.subclass)
    )
    whole = (
        select(
            _L.department_code,
            func.count(distinct(_L.case_id)),
            refused,
            func.sum(case((_L.unsolved_at.is_not(None), 1), else_=0)),
        )
        .join(ServiceCase, ServiceCase.id == _L.case_id)
        .where(*chosen)
        .group_by(_L.department_code)
    )
    causes: dict[str, list[Cause]] = defaultdict(list)
    for code, class_code, subclass, count, sent_back in await session.execute(about):
        causes[code].append(
            Cause(
                class_=ComplaintClass(class_code),
                subclass=subclass,
                lines=count,
                responsible=count - int(sent_back or 0),
            )
        )
    return {
        code: (causes[code], (cases, int(sent_back or 0), int(unsolved or 0)))
        for code, cases, sent_back, unsolved in await session.execute(whole)
    }


async def _major(
    session: AsyncSession, actor: Actor, since: datetime, until: datetime
) -> tuple[MajorCause, ...]:
    paid = (
        select(CompensationRow.escalation_id, func.sum(CompensationRow.amount).label("amount"))
        .where(CompensationRow.paid_at >= since, CompensationRow.paid_at < until)
        .group_by(CompensationRow.escalation_id)
        .subquery()
    )
    row = EscalationRow
    judged = and_(row.liability_at >= since, row.liability_at < until)
    query = (
        select(row.id, row.case_id, ServiceCase.no, row.cause, row.shares, judged, paid.c.amount)
        .join(ServiceCase, ServiceCase.id == row.case_id)
        .outerjoin(paid, paid.c.escalation_id == row.id)
        .where(or_(judged, paid.c.amount.is_not(None)), *_not_hidden(actor))
        .order_by(row.submitted_at, row.id)
        .limit(MAX_MAJOR)
    )
    found = (await session.execute(query)).all()
    answer: dict[str, set[str]] = defaultdict(set)
    lines = select(_L.case_id, _L.department_code).where(
        _L.case_id.in_([one[1] for one in found]), _L.status.not_in(_REFUSED)
    )
    for case_id, code in await session.execute(lines):
        answer[case_id].add(code)
    return tuple(
        MajorCause(
            escalation_id=key,
            case_id=case_id,
            no=no,
            cause=cause,
            departments=tuple(sorted(answer[case_id])),
            shares=_shares(shares if is_judged else None),
            paid=_money(amount),
        )
        for key, case_id, no, cause, shares, is_judged, amount in found
    )


def _not_hidden(actor: Actor) -> Sequence[ColumnElement[bool]]:
    if sees_all_confidential(actor):
        return ()
    hidden = exists().where(_L.case_id == EscalationRow.case_id, _L.confidential.is_(True))
    return (~hidden.correlate(EscalationRow),)


def _shares(raw: dict[str, Any] | None) -> dict[LiableParty, Decimal]:
    return {LiableParty(party): Decimal(str(share)) for party, share in (raw or {}).items()}


def _money(raw: Any) -> Decimal:
    return Decimal(str(raw or 0)).quantize(Decimal("0.01"))


def _department(
    code: str, name: str, rows: _Rows | None, major: Iterable[MajorCause], total: int
) -> DepartmentCauses:
    causes, (complaints, refused, unsolved) = rows or ([], (0, 0, 0))
    responsible = sum(one.responsible for one in causes)
    mine = [one for one in major if code in one.departments]
    judged = [one.shares for one in mine if one.shares]
    paid = [one.paid for one in mine if one.paid]
    return DepartmentCauses(
        department=code,
        department_name=name,
        complaints=complaints,
        lines=sum(one.lines for one in causes),
        responsible=responsible,
        refused=refused,
        unsolved=unsolved,
        share=Share(responsible, total),
        judged=len(judged),
        liability=_means(judged),
        paid_cases=len(paid),
        paid=sum(paid, Decimal(0)),
        causes=tuple(sorted(causes, key=lambda one: (-one.lines, one.class_, one.subclass or ""))),
    )


def _means(judged: Sequence[dict[LiableParty, Decimal]]) -> dict[LiableParty, Decimal]:
    if not judged:
        return {}
    sums = {party: sum((one.get(party, Decimal(0)) for one in judged), Decimal(0)) for party in LiableParty}
    return {party: (whole / len(judged)).quantize(Decimal("0.01")) for party, whole in sums.items()}
