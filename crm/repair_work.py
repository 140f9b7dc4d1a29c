"""The work on a repair: the customer contacted, visits agreed and made (domain.md §1.5 R3–R5, §2.4).

Done by the captain's people for what is routed to them; customer service writes down what crews tell them.
"""

from datetime import datetime

from crm import timeline
from crm.attachments import Attachments, Purpose
from crm.cases import tidy_text
from crm.domain import repair as rules
from crm.domain.backdated import noted_late
from crm.domain.case import CaseKind
from crm.domain.repair import Appointment, VisitOutcome
from crm.events_repairs import RepairAppointed, RepairVisitFinished
from crm.repair_input import MAX_PLAN, MAX_RESULT, MAX_SAYS, CustomerContact, NewAppointment
from crm.repair_read import RepairReader
from crm.repair_store import OpenedRepair, RepairStore
from crm.repair_tables import RepairVisitRow
from crm.repair_views import RepairView
from crm.timeline import Channel
from kernel.access import Actor
from kernel.ids import new_ulid


class RepairWork:
    """Contacts, appointments and visits; every method is one transaction and returns the repair.

    Each raises Forbidden when the repair is not the actor's, IllegalStep when its state does not allow the
    step, Invalid for times out of order, StaleVersion when somebody changed it since.
    """

    def __init__(self, store: RepairStore, reader: RepairReader, attachments: Attachments) -> None:
        self._store = store
        self._reader = reader
        self._attachments = attachments

    async def contact(
        self, actor: Actor, case_id: str, *, expected: int, contact: CustomerContact
    ) -> RepairView:
        """R3: write down what the customer said, perhaps with the appointment (R4); R3 ends."""
        says = tidy_text(contact.says, field="says", limit=MAX_SAYS)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            agreed = contact.appointment
            moved = rules.contact(
                opened.domain(),
                at=contact.at or opened.now,
                now=opened.now,
                appointment=Appointment(from_=agreed.from_, until=agreed.until) if agreed else None,
            )
            await opened.move(moved, "repair.contacted", **noted_late(contact.at, opened.now))
            opened.row.contacted_by, opened.row.customer_says = actor.name, says
            opened.row.proposed_at = None
            if agreed is not None:
                _agreed(opened, agreed)
        return await self._reader.get(actor, case_id)

    async def appoint(
        self, actor: Actor, case_id: str, *, expected: int, agreed: NewAppointment
    ) -> RepairView:
        """R4: agree on a visit, another one, or another time; R6 may be longer by its slot."""
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            window = Appointment(from_=agreed.from_, until=agreed.until)
            moved = rules.appoint(opened.domain(), window, now=opened.now)
            await opened.move(moved, "repair.appointed", from_=agreed.from_, until=agreed.until)
            _agreed(opened, agreed)
        return await self._reader.get(actor, case_id)

    async def depart(
        self, actor: Actor, case_id: str, *, expected: int, at: datetime | None = None
    ) -> RepairView:
        """Write down that somebody is on the way."""
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            moved = rules.depart(opened.domain(), at=at or opened.now, now=opened.now)
            _new_visit(opened).en_route_at = at or opened.now
            await opened.move(moved, "repair.departed", **noted_late(at, opened.now))
        return await self._reader.get(actor, case_id)

    async def arrive(
        self, actor: Actor, case_id: str, *, expected: int, at: datetime | None = None
    ) -> RepairView:
        """Write down that somebody has arrived."""
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            moved = rules.arrive(opened.domain(), at=at or opened.now, now=opened.now)
            visit = opened.visit or _new_visit(opened)
            visit.arrived_at = at or opened.now
            await opened.move(moved, "repair.arrived", **noted_late(at, opened.now))
        return await self._reader.get(actor, case_id)

    async def finish(
        self,
        actor: Actor,
        case_id: str,
        *,
        expected: int,
        outcome: VisitOutcome,
        result: str,
        signature_id: str | None = None,
        at: datetime | None = None,
    ) -> RepairView:
        """R5: write down how a visit ended. Photos name the visit when they are uploaded.

        Args:
            signature_id: the customer's, uploaded before.

        Raises:
            Conflict: nobody has arrived.
            Invalid: no such signature.
        """
        text = tidy_text(result, field="result", limit=MAX_RESULT)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            done_at = at or opened.now
            moved = rules.finish(opened.domain(), outcome, at=done_at, now=opened.now)
            visit = opened.visit
            assert visit is not None, "the rules refuse to finish what has not begun"
            if signature_id is not None:
                await self._attachments.known(opened.session, case_id, signature_id, Purpose.SIGNATURE)
            visit.done_at, visit.outcome, visit.result = done_at, outcome.value, text
            visit.signature_id, visit.open_key = signature_id, None
            late = noted_late(at, opened.now)
            await opened.move(moved, "repair.visited", outcome=outcome, visit_id=visit.id, **late)
            header = opened.header
            await timeline.add(
                opened.session,
                header.customer_id,
                at=done_at,
                channel=Channel.VISIT,
                direction="out",
                ref=visit.id,
                result=outcome.value,
                agent=actor.name,
                detail={"no": header.no, "kind": CaseKind.REPAIR.value, "case_id": header.id},
            )
            opened.tell(
                RepairVisitFinished(
                    at=opened.now,
                    case_id=case_id,
                    no=header.no,
                    customer_id=header.customer_id,
                    visit_id=visit.id,
                    outcome=outcome.value,
                    cost_owed=moved.repair.cost_owed and outcome is VisitOutcome.FIXED,
                    department=header.department_code,
                    specialist_id=header.specialist_id,
                )
            )
        return await self._reader.get(actor, case_id)


def _agreed(opened: OpenedRepair, agreed: NewAppointment) -> None:
    plan = tidy_text(agreed.plan or "", field="plan", limit=MAX_PLAN, required=opened.row.plan is None)
    opened.row.plan = plan or opened.row.plan
    opened.tell(
        RepairAppointed(
            at=opened.now,
            case_id=opened.header.id,
            no=opened.header.no,
            customer_id=opened.header.customer_id,
            visit_from=agreed.from_,
            visit_until=agreed.until,
            department=opened.header.department_code,
            specialist_id=opened.header.specialist_id,
        )
    )


def _new_visit(opened: OpenedRepair) -> RepairVisitRow:
    row = RepairVisitRow(
        id=new_ulid(),
        case_id=opened.header.id,
        open_key=opened.header.id,
        appointed_from=opened.row.appointed_from,
        appointed_until=opened.row.appointed_until,
        result="",
        by=opened.actor.name,
    )
    opened.session.add(row)
    opened.visit = row
    return row
