"""A customer's calls about an open repair or ticket, each counted once; two within 30 days make it serious.

Which calls were counted stands in the journal. One that somebody notes by hand may have no id.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.case import Severity
from crm.domain.complaint import raised_severity
from crm.events_cases import CustomerCalledAgain, SeverityRaised
from crm.repair_store import OpenedRepair
from crm.tables import ServiceCase
from crm.ticket_store import OpenedTicket
from kernel.audit import AuditRow

CALLED_AGAIN = "called again"


@dataclass(frozen=True, slots=True)
class Earlier:
    """The calls about a case that are counted already: when they were, and the ids of those that have one."""

    times: tuple[datetime, ...] = ()
    ids: frozenset[str] = frozenset()


def count_repair_call(opened: OpenedRepair, call_id: str | None, earlier: Earlier, note: str = "") -> None:
    """Count a call on an open repair and tell of it; ``note``: what the customer said."""
    header, now = opened.header, opened.now
    severity = _severity(header, earlier, now)
    header.call_count += 1
    opened.note("repair.called_again", after={"call_count": header.call_count, "call_id": call_id}, why=note)
    if severity > header.severity:
        before, header.severity = header.severity, int(severity)
        opened.note(
            "repair.severity", before={"severity": before}, after={"severity": severity}, why=CALLED_AGAIN
        )
        opened.tell(
            SeverityRaised(
                at=now,
                case_id=header.id,
                no=header.no,
                severity=int(severity),
                before=before,
                reason=CALLED_AGAIN,
                specialist_id=header.specialist_id,
            )
        )
    departments = (header.department_code,) if header.department_code else ()
    opened.tell(_told(header, departments, now))


def count_ticket_call(
    opened: OpenedTicket, call_id: str | None, earlier: Earlier, note: str = ""
) -> Severity:
    """Count a call on an open ticket and tell of it; return how severe that makes it."""
    header = opened.header
    header.call_count += 1
    opened.note("ticket.called_again", after={"call_count": header.call_count, "call_id": call_id}, why=note)
    departments = dict.fromkeys(part.department_code for part in opened.parts)
    opened.tell(_told(header, tuple(departments), opened.now))
    return _severity(header, earlier, opened.now)


async def counted_calls(session: AsyncSession, kind: str, case_id: str) -> Earlier:
    """Return the calls about a repair or ticket that were counted."""
    query = select(AuditRow.at, AuditRow.detail).where(
        AuditRow.action == f"{kind}.called_again", AuditRow.entity == kind, AuditRow.entity_id == case_id
    )
    rows = (await session.execute(query)).all()
    ids = (detail.get("after", {}).get("call_id") for _, detail in rows)
    return Earlier(tuple(at for at, _ in rows), frozenset(str(call_id) for call_id in ids if call_id))


def _severity(header: ServiceCase, earlier: Earlier, now: datetime) -> Severity:
    return raised_severity(Severity(header.severity), (header.opened_at, *earlier.times, now), now)


def _told(header: ServiceCase, departments: tuple[str, ...], now: datetime) -> CustomerCalledAgain:
    return CustomerCalledAgain(
        at=now,
        case_id=header.id,
        no=header.no,
        customer_id=header.customer_id,
        call_count=header.call_count,
        severity=header.severity,
        departments=departments,
        specialist_id=header.specialist_id,
    )
