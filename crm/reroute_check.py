"""The 24 h check: repairs whose customer nobody contacted are proposed for re-routing (domain.md §1.5)."""

from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.case import CaseStatus
from crm.events_limits import LimitBreached
from crm.events_repairs import RerouteProposed
from crm.repair_store import CHAIN, ENTITY
from crm.repair_tables import RepairRow
from crm.tables import ServiceCase
from kernel.events import Event
from kernel.outbox import add_fact

REROUTE_FACTS: tuple[type[Event], ...] = (LimitBreached,)


async def propose_reroute(session: AsyncSession, fact: Event) -> None:
    """Mark a repair whose limit R3 was missed and tell its specialist, once; others are left alone.

    Nothing is routed by itself: the specialist decides, and the list of proposals shows it at once, whether
    or not this fact has arrived.
    """
    if not isinstance(fact, LimitBreached) or fact.record_kind != ENTITY:
        return
    if fact.code != "BX.R3" or fact.line_id != CHAIN:
        return
    row = await session.get(RepairRow, fact.record_id, with_for_update=True)
    header = await session.get(ServiceCase, fact.record_id)
    if row is None or header is None or row.proposed_at is not None:
        return
    if CaseStatus(header.status) is not CaseStatus.NOTIFIED:
        return
    row.proposed_at = fact.at
    add_fact(
        session,
        RerouteProposed(
            at=fact.at,
            case_id=header.id,
            no=header.no,
            route=row.route or "",
            department=header.department_code,
            specialist_id=header.specialist_id,
            due_at=fact.due_at,
        ),
    )
