"""The sheet 《售中、售后问题确认单》 of a repair, which whoever repairs gets (domain.md §1.5 R2).

Crews are no users: customer service prints it for them, or reads from it on the telephone.
"""

from dataclasses import dataclass

from sqlalchemy import select

from crm.domain.repair_terms import Route
from crm.repair_read import RepairReader
from crm.repair_store import ENTITY, RepairStore
from crm.repair_views import RepairView
from crm.tables import Crew, CustomerPhone, Project
from kernel.access import Actor, Permission
from kernel.phone import mask


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSheet:
    """What the sheet shows; ``phone`` is the customer's preferred number, whole or masked.

    ``crew_head``: of the crew that repairs; none while the captain does it with people of his own.
    """

    view: RepairView
    phone: str | None
    project_manager: str | None
    crew_head: str | None


class RepairSheets:
    """Makes the sheets."""

    def __init__(self, store: RepairStore, reader: RepairReader) -> None:
        self._store = store
        self._reader = reader

    async def sheet(self, actor: Actor, case_id: str) -> RepairSheet:
        """Return the sheet of a repair.

        The customer's whole number is on it for who may see whole numbers, and for the department that the
        repair is with, as long as there is something to call about; that is logged.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such repair, or none that the actor may see.
        """
        view = await self._reader.get(actor, case_id)
        # The captain's repairs are not those of the crew that once built the home.
        crew_id = view.crew_id or (view.original_crew_id if view.route is not Route.CAPTAIN else None)
        async with self._store.database.session() as session:
            numbers = select(CustomerPhone.e164).where(CustomerPhone.customer_id == view.case.customer_id)
            order = (CustomerPhone.preferred.desc(), CustomerPhone.position)
            phone = await session.scalar(numbers.order_by(*order).limit(1))
            project = await session.get(Project, view.case.project_id) if view.case.project_id else None
            crew = await session.get(Crew, crew_id) if crew_id else None
        calls = actor.department == view.case.department and view.case.closed_at is None
        whole = actor.can(Permission.PHONES_FULL) or (calls and actor.can(Permission.REPAIRS_WORK))
        if whole and phone is not None:
            async with self._store.database.transaction() as session:
                await self._store.journal.note(
                    session, actor, "phones_shown", entity=ENTITY, entity_id=case_id
                )
        return RepairSheet(
            view=view,
            phone=phone if whole or phone is None else mask(phone),
            project_manager=project.project_manager if project else None,
            crew_head=crew.head if crew else None,
        )
