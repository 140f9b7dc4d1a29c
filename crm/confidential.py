"""What of cases is hidden from whom: confidential texts, and whose a case was once it is closed.

Complaints about integrity are for the manager (domain.md §4.3). Where a complaint has such a line, what was
written about the complaint as a whole may be about it: those who do not see the line read
:data:`HIDDEN` instead, and of the other lines what stands in the line itself.

Departments and crews know a customer only while the order is open (domain.md §6.4).
"""

from typing import TypeVar

from sqlalchemy import ColumnElement, false, select
from sqlalchemy.orm import aliased

from crm.complaint_tables import ComplaintLine
from crm.tables import ServiceCase
from kernel.access import Actor, Permission

HIDDEN = "含保密内容，请联系客服经理"
"""Stands where a text is not shown."""

Text = TypeVar("Text", str, str | None)

_INSIDERS = (Permission.CASES_REGISTER, Permission.CASES_DECIDE, Permission.COMPENSATION_REVIEW)


def sees_confidential(actor: Actor) -> bool:
    """Tell whether somebody sees confidential lines and their hand-offs.

    Departments do not; nor do finance and HR, who see every case for the money in it: the one who is accused
    may sit among them.
    """
    return actor.can(Permission.CASES_VIEW_ALL) and any(actor.can(permission) for permission in _INSIDERS)


def texts_hidden(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on :class:`ServiceCase` that the texts of the whole case are not for the actor."""
    if sees_confidential(actor):
        return false()
    # An alias: queries about lines ask it of the other lines of the case.
    other = aliased(ComplaintLine)
    secret = select(other.id).where(other.case_id == ServiceCase.id, other.confidential.is_(True))
    return secret.correlate(ServiceCase).exists()


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
