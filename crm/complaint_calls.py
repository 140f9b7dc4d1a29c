"""A customer's calls about an open complaint, each counted once; two within 30 days make it serious."""

from datetime import datetime

from sqlalchemy import select

from crm.complaint_store import Opened
from crm.complaint_tables import ComplaintCall
from crm.domain.case import Severity
from crm.domain.complaint import raised_severity
from crm.events_cases import CustomerCalledAgain, SeverityRaised
from kernel.access import Actor
from kernel.ids import new_ulid


def a_call(case_id: str, call_id: str | None, at: datetime, actor: Actor, note: str) -> ComplaintCall:
    """Return the row of a call."""
    return ComplaintCall(
        id=new_ulid(), case_id=case_id, call_id=call_id, at=at, noted_by=actor.name, note=note
    )


async def count_call(opened: Opened, call_id: str | None, note: str) -> None:
    """Count a call on a complaint that is open, and tell of it; a call that is counted already is not again.

    Raises:
        CaseOver: it is closed; the customer's matter is a new complaint then.
    """
    opened.check_open()
    header = opened.header
    query = select(ComplaintCall).where(ComplaintCall.case_id == header.id)
    calls = list(await opened.session.scalars(query))
    if call_id is not None and call_id in {call.call_id for call in calls}:
        return
    opened.session.add(a_call(header.id, call_id, opened.now, opened.actor, note))
    header.call_count += 1
    times = [*(call.at for call in calls), opened.now]
    raise_severity(opened, raised_severity(Severity(header.severity), times, opened.now), "called again")
    opened.note("complaint.called_again", after={"call_count": header.call_count})
    opened.tell(
        CustomerCalledAgain(
            at=opened.now,
            case_id=header.id,
            no=header.no,
            customer_id=header.customer_id,
            call_count=header.call_count,
            severity=header.severity,
            departments=opened.departments(),
            specialist_id=header.specialist_id,
        )
    )


def raise_severity(opened: Opened, severity: Severity, reason: str) -> None:
    """Make a complaint graver and tell of it; it never becomes less grave here."""
    before = opened.header.severity
    if severity <= before:
        return
    opened.header.severity = int(severity)
    opened.note("complaint.severity", before={"severity": before}, after={"severity": severity}, why=reason)
    opened.tell(
        SeverityRaised(
            at=opened.now,
            case_id=opened.header.id,
            no=opened.header.no,
            severity=int(severity),
            before=before,
            reason=reason,
            specialist_id=opened.header.specialist_id,
        )
    )
