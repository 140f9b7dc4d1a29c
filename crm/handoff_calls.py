"""Hand-offs that nobody signed for two hours: the specialist calls the department's head (domain.md §2.3)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm.complaint_store import LINE_ENTITY
from crm.complaint_tables import CaseHandoff
from crm.confidential import handoff_seen
from crm.domain.handoff import HandoffState
from crm.journal import Journal
from crm.people_tables import StaffRow
from crm.tables import Department, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid
from kernel.phone import mask

MAX_OWED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWhom:
    """Somebody who may sign for a department.

    Attributes:
        phone: their number, masked for who may not see whole ones.
        whole: whether it is whole, so that it can be dialled from the page.
        agent_no: their telephone in the company.
    """

    name: str
    is_deputy: bool
    phone: str | None
    whole: bool
    agent_no: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOwed:
    """A hand-off whose department is to be called; ``whom``: its head, then the deputy, where known."""

    handoff_id: str
    receipt_no: str
    case_id: str
    case_no: str
    line_id: str
    department_name: str
    whom: tuple[CallWhom, ...]
    sent_at: datetime
    due_at: datetime | None


class HandoffCalls:
    """Notes that a department was called."""

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal

    async def called(self, actor: Actor, handoff_id: str) -> None:
        """Note that the department was called about its signature: by whom, and when.

        Raises:
            NotFound: no such hand-off, or none that the actor may see.
            Conflict: it waits for no signature, or somebody has called already.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._database.transaction() as session:
            query = (
                select(CaseHandoff).where(CaseHandoff.id == handoff_id, handoff_seen(actor)).with_for_update()
            )
            row = await session.scalar(query) if is_ulid(handoff_id) else None
            if row is None:
                raise NotFound("no such hand-off", field="handoff_id")
            if row.state != HandoffState.WAITING.value:
                raise Conflict("it waits for no signature", field="handoff_id")
            if row.called_at is not None:
                raise Conflict("somebody has called already", field="handoff_id")
            row.called_at, row.called_by = self._clock.now(), actor.name
            await self._journal.note(
                session,
                actor,
                "complaint.phone_chase",
                entity=LINE_ENTITY,
                entity_id=row.line_id,
                after={"receipt_no": row.receipt_no},
            )


async def calls_owed(
    session: AsyncSession, actor: Actor, specialist_id: str, now: datetime
) -> tuple[CallOwed, ...]:
    """Return whom a specialist has to call, the longest unsigned first."""
    head, deputy = aliased(StaffRow), aliased(StaffRow)
    query = (
        select(CaseHandoff, ServiceCase.no, Department, head, deputy)
        .join(ServiceCase, ServiceCase.id == CaseHandoff.case_id)
        .join(Department, Department.code == CaseHandoff.department_code)
        .outerjoin(head, and_(head.user_id == Department.head_user_id, head.active))
        .outerjoin(deputy, and_(deputy.user_id == Department.deputy_user_id, deputy.active))
        .where(
            CaseHandoff.state == HandoffState.WAITING.value,
            CaseHandoff.called_at.is_(None),
            # What was sent before this was kept has only the end of its limit.
            func.coalesce(CaseHandoff.call_at, CaseHandoff.due_at) <= now,
            # The manager answers for these, and no department.
            CaseHandoff.confidential.is_(False),
            ServiceCase.specialist_id == specialist_id,
            ServiceCase.closed_at.is_(None),
        )
        .order_by(CaseHandoff.sent_at, CaseHandoff.id)
        .limit(MAX_OWED)
    )
    whole = actor.can(Permission.PHONES_FULL)
    found: dict[str, CallOwed] = {}
    for row, no, department, staff, second in (await session.execute(query)).all():
        whom = (
            _whom(department.head, staff, whole=whole),
            _whom(department.deputy, second, whole=whole, is_deputy=True),
        )
        found.setdefault(
            row.id,
            CallOwed(
                handoff_id=row.id,
                receipt_no=row.receipt_no,
                case_id=row.case_id,
                case_no=no,
                line_id=row.line_id,
                department_name=department.name,
                whom=tuple(one for one in whom if one is not None),
                sent_at=row.sent_at,
                due_at=row.due_at,
            ),
        )
    return tuple(found.values())


def _whom(
    name: str | None, staff: StaffRow | None, *, whole: bool, is_deputy: bool = False
) -> CallWhom | None:
    name = name or (staff.name if staff else None)
    if name is None:
        return None
    phone = staff.phone if staff else None
    return CallWhom(
        name=name,
        is_deputy=is_deputy,
        phone=phone if whole or not phone else mask(phone),
        whole=whole and bool(phone),
        agent_no=staff.agent_no if staff else None,
    )
