"""What calls tell customer service: who has an open case called; who is not to be called was dialled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.case_calls import count_repair_call, counted_calls
from crm.complaint_calls import count_call
from crm.complaint_store import ComplaintStore
from crm.complaint_tables import ComplaintCall
from crm.domain.case import CaseKind
from crm.domain.freeze import RefusalLevel
from crm.events_alerts import OpenCaseCaller, RefusedNumberCalled
from crm.people_tables import DoNotCallNumber, DoNotCallRow
from crm.repair_store import RepairStore
from crm.tables import Customer, CustomerPhone, ServiceCase
from crm.ticket_end import TicketEnd
from kernel.access import Actor
from kernel.outbox import add_fact

MOST_CASES = 20
NOTE = "系统按来电号码自动记录"
_BY = Actor.system("telephony")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedCall:
    """A call that is over.

    Attributes:
        phone: the customer's number, E.164.
        agent: name or number of who talked; ``user_id`` as far as it is known.
    """

    call_id: str
    outbound: bool
    phone: str
    answered: bool
    started_at: datetime
    ended_at: datetime
    agent: str
    user_id: str | None


class CallAlerts:
    """Takes calls in the transaction in which they are told."""

    def __init__(self, complaints: ComplaintStore, repairs: RepairStore, tickets: TicketEnd) -> None:
        self._complaints = complaints
        self._repairs = repairs
        self._tickets = tickets

    async def take(self, session: AsyncSession, call: FinishedCall) -> None:
        """Tell what there is to tell of a call."""
        owners = list(
            await session.scalars(
                select(Customer.id)
                .join(CustomerPhone, CustomerPhone.customer_id == Customer.id)
                .where(CustomerPhone.e164 == call.phone, Customer.merged_into.is_(None))
            )
        )
        cases = await _open_cases(session, owners, call.started_at)
        if call.outbound:
            await _dialled(session, call, owners, has_case=bool(cases))
        elif len(owners) == 1:
            # A family may share a number: of several customers nobody knows who called.
            await self._called(session, call, cases)

    async def _called(self, session: AsyncSession, call: FinishedCall, cases: Sequence[ServiceCase]) -> None:
        # What the customer said decides about which case it was; with one there is nothing to decide, unless
        # the agent has said already that it was another one.
        noted = await _noted(session, call.call_id, cases)
        still = [case for case in cases if case.closed_at is None]
        if len(cases) == 1 and still and call.answered and not noted:
            await self._count(session, call, still[0])
            return
        for case in still:
            if case.id not in noted:
                add_fact(
                    session,
                    OpenCaseCaller(
                        at=call.ended_at,
                        case_id=case.id,
                        no=case.no,
                        kind=case.kind,
                        customer_id=case.customer_id,
                        call_id=call.call_id,
                        specialist_id=case.specialist_id,
                        answered=call.answered,
                        called_at=call.started_at,
                    ),
                )

    async def _count(self, session: AsyncSession, call: FinishedCall, case: ServiceCase) -> None:
        if case.kind == CaseKind.COMPLAINT.value:
            async with self._complaints.changing_in(session, _BY, case.id) as opened:
                await count_call(opened, call.call_id, NOTE)
            return
        if case.kind == CaseKind.TICKET.value:
            await self._tickets.called_again_in(session, _BY, case.id, call.call_id)
            return
        earlier = await counted_calls(session, case.kind, case.id)
        if call.call_id in earlier.ids:
            return
        async with self._repairs.changing_in(session, _BY, case.id) as repair:
            count_repair_call(repair, call.call_id, earlier)


async def _open_cases(
    session: AsyncSession, owners: Sequence[str], before: datetime
) -> Sequence[ServiceCase]:
    """Return the customers' cases that were open when the call began, those closed since among them."""
    query = (
        select(ServiceCase)
        .where(
            ServiceCase.customer_id.in_(owners),
            or_(ServiceCase.closed_at.is_(None), ServiceCase.closed_at >= before),
            ServiceCase.opened_at < before,
        )
        .order_by(ServiceCase.opened_at.desc())
        .limit(MOST_CASES)
    )
    return (await session.scalars(query)).all() if owners else ()


async def _noted(session: AsyncSession, call_id: str, cases: Sequence[ServiceCase]) -> frozenset[str]:
    """Return the cases for which the call is counted already: the agent said that it was about them."""
    ids = [case.id for case in cases]
    query = select(ComplaintCall.case_id).where(
        ComplaintCall.case_id.in_(ids), ComplaintCall.call_id == call_id
    )
    found = set(await session.scalars(query)) if ids else set()
    for case in cases:
        if case.kind != CaseKind.COMPLAINT.value:
            counted = await counted_calls(session, case.kind, case.id)
            found |= {case.id} if call_id in counted.ids else set()
    return frozenset(found)


async def _dialled(
    session: AsyncSession, call: FinishedCall, owners: Sequence[str], *, has_case: bool
) -> None:
    """Tell of a number that refuses every call. About an open case one may call in spite of that."""
    if has_case:
        return
    query = (
        select(DoNotCallRow.id)
        .join(DoNotCallNumber, DoNotCallNumber.entry_id == DoNotCallRow.id)
        .where(
            DoNotCallNumber.e164 == call.phone,
            DoNotCallRow.level >= int(RefusalLevel.ALL),
            DoNotCallRow.since <= call.started_at,
            func.coalesce(DoNotCallRow.lifted_at, call.ended_at) >= call.started_at,
        )
        .limit(1)
    )
    entry = await session.scalar(query)
    if entry is not None:
        add_fact(
            session,
            RefusedNumberCalled(
                at=call.ended_at,
                call_id=call.call_id,
                entry_id=entry,
                customer_id=owners[0] if len(owners) == 1 else None,
                user_id=call.user_id,
                agent=call.agent,
                called_at=call.started_at,
            ),
        )
