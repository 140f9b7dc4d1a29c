"""Looks for watchwords in what a customer said in a call: told of the call's case, or of the call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from crm.alert_rules import rules_at
from crm.complaint_tables import ComplaintCall
from crm.domain.watchwords import About, Words, find_watchword
from crm.events_alerts import WatchwordFound, WatchwordSaid
from crm.tables import Customer, CustomerPhone, ServiceCase
from kernel.outbox import add_fact


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a customer said in one go.

    Attributes:
        second: of the call.
        texts: as it was heard, and as it may have been meant.
    """

    second: float
    texts: tuple[str, ...]


async def look_at_said(
    session: AsyncSession,
    call_id: str,
    phone: str | None,
    said: Sequence[Utterance],
    at: datetime,
    words: Words | None = None,
) -> None:
    """Tell of the first word of each kind that a customer said.

    Args:
        phone: the customer's number, E.164, if it is known.
        words: the centre's own, until the manager sets others; without any, those of the product.
    """
    rules = await rules_at(session, at, words)
    found: dict[About, tuple[str, float]] = {}
    for about, wanted in rules.words.items():
        for one in said:
            word = find_watchword(one.texts, {about: wanted})
            if word is not None:
                found[about] = (word.word, one.second)
                break
    if not found:
        return
    cases = await _cases(session, call_id)
    customer = await _customer(session, phone) if not cases else None
    for about, (text, second) in found.items():
        for case in cases:
            add_fact(
                session,
                WatchwordFound(
                    at=at,
                    case_id=case.id,
                    no=case.no,
                    about=about.value,
                    word=text,
                    specialist_id=case.specialist_id,
                ),
            )
        if not cases:
            add_fact(
                session,
                WatchwordSaid(
                    at=at,
                    call_id=call_id,
                    about=about.value,
                    word=text,
                    customer_id=customer,
                    second=second,
                ),
            )


async def _cases(session: AsyncSession, call_id: str) -> Sequence[ServiceCase]:
    """Return the cases that the call is about: made in it, or called about in it again."""
    ids = union_all(
        select(ServiceCase.id).where(ServiceCase.call_id == call_id),
        select(ComplaintCall.case_id).where(ComplaintCall.call_id == call_id),
    ).subquery()
    query = select(ServiceCase).where(ServiceCase.id.in_(select(ids.c.id))).order_by(ServiceCase.id)
    return (await session.scalars(query.limit(20))).all()


async def _customer(session: AsyncSession, phone: str | None) -> str | None:
    query = (
        select(Customer.id)
        .join(CustomerPhone, CustomerPhone.customer_id == Customer.id)
        .where(CustomerPhone.e164 == phone, Customer.merged_into.is_(None))
        .limit(2)
    )
    owners = (await session.scalars(query)).all() if phone else ()
    return owners[0] if len(owners) == 1 else None
