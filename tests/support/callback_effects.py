"""What follows from callbacks, over a database for tests: tickets, refusals, notices, hand-over states."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from callback_campaigns.domain.task import Task
from callback_campaigns.effects import FACTS, CallbackEffects
from callback_campaigns.rule_files import shipped_plan
from callback_campaigns.talk_repairs import STEP
from callback_campaigns.task_tables import CallbackStepRow
from crm.cases import CaseRegister
from crm.complaint_services import ComplaintServices
from crm.events_tickets import RevisitWanted
from crm.limits import LimitBook
from crm.notices.events import CustomerMessageWanted, NoticeWanted
from crm.repair_services import RepairServices
from crm.search_feed import SearchFeed
from crm.tables import Department, ServiceCase
from crm.ticket_services import TicketServices
from crm.ticket_tables import TicketPart, TicketRow
from kernel.events import Event, decode
from kernel.outbox import OutboxRow
from tests.support.people import Desk
from tests.support.talks import TalkCentre

DEPARTMENTS = ("ENG", "DES", "MAT", "STO", "QC", "CS", "FIN")


@dataclass
class Followed:
    """Carries out what talks tell, and shows what came of it."""

    centre: TalkCentre
    effects: CallbackEffects
    told: set[str] = field(default_factory=set)

    async def facts(self) -> list[Event]:
        """Return every fact so far."""
        async with self.centre.callbacks.database.session() as session:
            rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.event_id))).all()
        return [decode(row.payload) for row in rows]

    async def follow(self, *, again: bool = False) -> None:
        """Take every fact that is new, or all of them once more."""
        for fact in await self.facts():
            if isinstance(fact, FACTS) and (again or fact.event_id not in self.told):
                async with self.centre.callbacks.database.transaction() as session:
                    await self.effects.take(session, fact)
                self.told.add(fact.event_id)

    async def tickets(self) -> dict[str, tuple[str, ...]]:
        """Return the tickets: question and departments."""
        async with self.centre.callbacks.database.session() as session:
            rows = (await session.scalars(select(TicketRow).order_by(TicketRow.case_id))).all()
            parts = (await session.scalars(select(TicketPart).order_by(TicketPart.position))).all()
        return {
            row.question_id or "": tuple(
                part.department_code for part in parts if part.case_id == row.case_id
            )
            for row in rows
        }

    async def repairs(self, task_id: str) -> dict[str, int]:
        """Return the repairs of a task: question and severity."""
        steps = select(CallbackStepRow.detail).where(
            CallbackStepRow.task_id == task_id, CallbackStepRow.step == STEP
        )
        async with self.centre.callbacks.database.session() as session:
            found = (await session.scalars(steps)).all()
            return {
                one["item"]: (await session.get_one(ServiceCase, one["case_id"])).severity for one in found
            }

    async def solved(self, ticket: ServiceCase, task: Task) -> None:
        """Have the department solve a callback's ticket about KG1, which asks for a REVISIT."""
        now = self.centre.clock.now()
        async with self.centre.callbacks.database.transaction() as session:
            for part in await session.scalars(select(TicketPart)):
                part.status, part.solved_at = "solved", now
            (await session.get_one(ServiceCase, ticket.id)).status = "solved"
            (await session.get_one(TicketRow, ticket.id)).solved_at = now
            fact = RevisitWanted(
                at=now,
                case_id=ticket.id,
                no=ticket.no,
                customer_id=task.customer_id,
                project_id=task.project_id,
                callback_ref=task.task_id,
                question_id="KG1",
                specialist_id=None,
            )
            await self.centre.callbacks.tasks.take(session, fact)

    async def cases(self) -> list[ServiceCase]:
        """Return the headers of every case."""
        async with self.centre.callbacks.database.session() as session:
            return list(await session.scalars(select(ServiceCase).order_by(ServiceCase.id)))

    async def notices(self) -> list[str]:
        """Return the codes of notices that were asked for."""
        return [fact.code for fact in await self.facts() if isinstance(fact, NoticeWanted)]

    async def messages(self) -> list[CustomerMessageWanted]:
        """Return the texts to customers that were asked for."""
        return [fact for fact in await self.facts() if isinstance(fact, CustomerMessageWanted)]


async def make_followed(centre: TalkCentre, departments: tuple[str, ...] = DEPARTMENTS) -> Followed:
    """Return what follows from the talks of a centre, with the departments of a company."""
    desk: Desk = centre.callbacks.desk
    office = desk.office
    register = CaseRegister(office.database, office.clock, zone=office.zone)
    limits, feed = LimitBook(office.clock), SearchFeed()
    shared: dict[str, Any] = {
        "register": register,
        "journal": office.journal,
        "limits": limits,
        "feed": feed,
        "zone": office.zone,
    }
    complaints = ComplaintServices.build(office.database, office.clock, **shared)
    tickets = TicketServices.build(
        office.database,
        office.clock,
        **{name: part for name, part in shared.items() if name != "zone"},
        handoffs=complaints.handoffs,
        complaints=complaints.complaints,
    )
    repairs = RepairServices.build(office.database, office.clock, **shared, files=Path())
    async with office.database.transaction() as session:
        session.add_all(Department(code=code, name=code) for code in departments)
    effects = CallbackEffects(
        office,
        centre.book,
        shipped_plan(),
        tasks=centre.callbacks.tasks,
        tickets=tickets,
        complaints=complaints.end,
        repairs=repairs.repairs,
        do_not_call=desk.do_not_call,
        consents=desk.consents,
        stages=desk.stages,
        page_url="https://cc.example.com/",
    )
    return Followed(centre, effects)
