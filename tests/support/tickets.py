"""Problem tickets as the tests of tickets open and handle them."""

from typing import Any

from sqlalchemy import func, select

from crm.complaint_tables import CaseHandoff
from crm.domain.case import Severity
from crm.domain.ticket import PartStatus, Revisit
from crm.search_feed import SearchFeed
from crm.tables import ServiceCase
from crm.ticket_services import TicketServices
from crm.ticket_tables import OpinionNotice, TicketRow
from crm.ticket_views import CallbackSource, NewRevisit, PartView, TicketView
from kernel.db import Database
from tests.support.complaints import (
    DESIGNER,
    ENGINEER,
    MATERIALS,
    PIN,
    SPECIALIST,
    Desk,
)


def ticket_services(desk: Desk) -> TicketServices:
    """Return the services of tickets at a desk of complaints."""
    return TicketServices.build(
        desk.database,
        desk.clock,
        register=desk.register,
        journal=desk.journal,
        limits=desk.book,
        feed=SearchFeed(),
        handoffs=desk.services.handoffs,
        complaints=desk.services.complaints,
    )


def source(desk: Desk, **changes: Any) -> CallbackSource:
    what: dict[str, Any] = {
        "customer_id": desk.customer_id,
        "project_id": desk.project_id,
        "callback_ref": "HF202603200007",
        "question_id": "YB4",
        "question": "隐蔽工程的水电施工您满意吗?",
        "answer": "不满意,插座位置不对",
        "text": "客户反映厨房插座位置与图纸不符",
        "recording_ref": "HF202603200007#83",
    }
    return CallbackSource(**(what | changes))


async def opened(
    services: TicketServices,
    desk: Desk,
    *departments: str,
    severity: Severity = Severity.GENERAL,
    **changes: Any,
) -> TicketView:
    return await services.tickets.open_from_callback(
        SPECIALIST, source(desk, **changes), departments or ("ENG",), severity
    )


def part(view: TicketView, department: str = "ENG") -> PartView:
    return next(
        found
        for found in view.parts
        if found.department == department and found.status is not PartStatus.REROUTED
    )


async def solved(services: TicketServices, view: TicketView) -> TicketView:
    """Sign for every part and report it solved."""
    people = {"ENG": ENGINEER, "DES": DESIGNER, "MAT": MATERIALS}
    for found in view.parts:
        who = people[found.department]
        view = await services.work.sign(who, found.part_id, found.version, PIN)
        mine = part(view, found.department)
        view = await services.work.solve(who, mine.part_id, mine.version, "已按图纸移位")
    return await services.tickets.get(SPECIALIST, view.case_id)


async def asked(services: TicketServices, view: TicketView, said: Revisit, **more: Any) -> TicketView:
    return await services.end.revisit(SPECIALIST, view.case_id, view.version, NewRevisit(said=said, **more))


async def counts(database: Database) -> tuple[int, ...]:
    """Return how many rows a ticket and what comes of it have left."""
    async with database.session() as session:
        return tuple(
            [
                (await session.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (ServiceCase, CaseHandoff, TicketRow, OpinionNotice)
            ]
        )
