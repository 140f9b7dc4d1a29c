"""What of cases is hidden from whom: confidential texts, and whose a case was once it is closed.

Complaints about integrity are for the manager (domain.md §4.3): besides the manager and the general manager,
who may be accused in one sees nothing of it, and anybody may. So of customer service only who wrote the
complaint down and its specialist read such lines. Where a complaint has one, what was written about the
complaint as a whole may be about it: those who do not see the line read :data:`HIDDEN` instead, and of the
other lines what stands in the line itself. That there is a complaint, and its number, everybody sees who sees
cases: a customer who calls again must be sent to the right person.

Departments and crews know a customer only while the order is open (domain.md §6.4).
"""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_, select, true, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm.complaint_tables import CaseHandoff, Complaint, ComplaintCall, ComplaintLine
from crm.tables import ServiceCase
from kernel.access import Actor, Permission

HIDDEN = "含保密内容，请联系客服经理"
"""Stands where a text is not shown."""

Text = TypeVar("Text", str, str | None)


def sees_all_confidential(actor: Actor) -> bool:
    """Tell whether somebody sees every confidential line and its hand-off."""
    return actor.can(Permission.CASES_CONFIDENTIAL)


def is_trusted(actor: Actor, trusted: Collection[str | None]) -> bool:
    """Tell whether somebody sees the confidential lines of one complaint.

    Args:
        trusted: ids of who wrote it down and of its specialist.
    """
    if sees_all_confidential(actor):
        return True
    return actor.can(Permission.CASES_REGISTER) and actor.user_id in trusted


def line_seen(actor: Actor, line: Any = ComplaintLine) -> ColumnElement[bool]:
    """Return the condition that a line, of an entity in the query, is shown to the actor."""
    if sees_all_confidential(actor):
        return true()
    return or_(line.confidential.is_(False), _trusted(actor, line, line.case_id))


def handoff_seen(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on :class:`CaseHandoff` that it is of a line that is shown to the actor."""
    if sees_all_confidential(actor):
        return true()
    return or_(CaseHandoff.confidential.is_(False), _trusted(actor, CaseHandoff, CaseHandoff.case_id))


def texts_hidden(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on :class:`ServiceCase` that the texts of the whole case are not for the actor."""
    if sees_all_confidential(actor):
        return false()
    return and_(has_secret(ServiceCase, ServiceCase.id), not_(_trusted(actor, ServiceCase, ServiceCase.id)))


def has_secret(outer: Any, case_id: Any) -> ColumnElement[bool]:
    """Return the condition that a case, named by a column of ``outer``, has a confidential line."""
    # An alias: queries about lines ask it of the other lines of the case.
    other = aliased(ComplaintLine)
    secret = select(other.id).where(other.case_id == case_id, other.confidential.is_(True))
    return secret.correlate(outer).exists()


async def calls_hidden(session: AsyncSession, actor: Actor, call_ids: Sequence[str]) -> frozenset[str]:
    """Return those of the calls whose words are not for the actor: they are about what is confidential."""
    if not call_ids or sees_all_confidential(actor):
        return frozenset()
    ids, closed = tuple(call_ids), texts_hidden(actor)
    noted = (
        select(ComplaintCall.call_id)
        .join(ServiceCase, ServiceCase.id == ComplaintCall.case_id)
        .where(ComplaintCall.call_id.in_(ids), closed)
    )
    opened = select(ServiceCase.call_id).where(ServiceCase.call_id.in_(ids), closed)
    return frozenset(str(one) for one in await session.scalars(union(noted, opened)))


def _trusted(actor: Actor, outer: Any, case_id: Any) -> ColumnElement[bool]:
    """Return the condition that the actor wrote a complaint down, or is its specialist."""
    if not actor.can(Permission.CASES_REGISTER):
        return false()
    header, complaint = aliased(ServiceCase), aliased(Complaint)
    keeps = exists().where(header.id == case_id, header.specialist_id == actor.user_id)
    wrote = exists().where(complaint.case_id == case_id, complaint.registered_by_id == actor.user_id)
    return or_(keeps.correlate(outer), wrote.correlate(outer))


def hide(text: Text, *, hidden: bool) -> Text:
    """Return a text, or :data:`HIDDEN` in the place of one that is not shown."""
    return HIDDEN if hidden and text else text


def knows_customer(actor: Actor, header: ServiceCase) -> bool:
    """Tell whether the actor may see whose a case is, and where they live."""
    return header.closed_at is None or actor.can(Permission.CASES_VIEW_ALL)


def name_for(actor: Actor, header: ServiceCase, name: str) -> str:
    """Return the customer's name as the actor may see it: of a closed case the surname at the most."""
    return name if knows_customer(actor, header) else mask_name(name)


def address_for(actor: Actor, header: ServiceCase, address: str | None) -> str | None:
    """Return the address as the actor may see it: none of a closed case."""
    return address if knows_customer(actor, header) else None


def mask_name(name: str) -> str:
    """Return ``王**`` for 王小明: the first character, however long the rest is."""
    return f"{name[:1]}**" if name else ""
