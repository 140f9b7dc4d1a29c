"""The sheet 《售中、售后问题确认单》 of a repair, which whoever repairs gets (domain.md §1.5 R2).

Crews are no users: customer service prints it for them, or reads from it on the telephone.
"""

from dataclasses import dataclass
from typing import Literal

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

    ``may_ask``: the whole number is there for who asks for it.
    ``crew_head``: of the crew that repairs; none while the captain does it with people of his own.
    """

    view: RepairView
    phone: str | None
    may_ask: bool
    project_manager: str | None
    crew_head: str | None


class RepairSheets:
    """Makes the sheets.

    Args:
        shown: whether whoever repairs reads the whole number: ``never``, when ``asked``, or ``always``. They
            call the customer through the company's number without it.
    """

    def __init__(
        self,
        store: RepairStore,
        reader: RepairReader,
        *,
        shown: Literal["never", "asked", "always"] = "asked",
    ) -> None:
        self._store = store
        self._reader = reader
        self._shown = shown

    async def sheet(self, actor: Actor, case_id: str, *, asked: bool = False) -> RepairSheet:
        """Return the sheet of a repair.

        The customer's whole number is on it for who may see whole numbers; and for the department that the
        repair is with, as long as there is something to call about, as the centre's setting says. Whenever it
        is shown, that is logged.

        Args:
            asked: the whole number is asked for.

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
        works = calls and actor.can(Permission.REPAIRS_WORK) and not actor.can(Permission.PHONES_FULL)
        whole = actor.can(Permission.PHONES_FULL) or (
            works and (self._shown == "always" or (asked and self._shown == "asked"))
        )
        if whole and phone is not None:
            async with self._store.database.transaction() as session:
                await self._store.journal.note(
                    session, actor, "phones_shown", entity=ENTITY, entity_id=case_id
                )
        return RepairSheet(
            view=view,
            phone=phone if whole or phone is None else mask(phone),
            may_ask=works and not whole and phone is not None and self._shown == "asked",
            project_manager=project.project_manager if project else None,
            crew_head=crew.head if crew else None,
        )
