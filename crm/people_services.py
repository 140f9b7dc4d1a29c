"""All services of customers and projects in one bundle, built over what they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import structlog

from crm.consents import Consents
from crm.do_not_call import DoNotCall
from crm.freezes import Freezes
from crm.gates import ProjectGates
from crm.importing.jobs import ImportJobs
from crm.importing.service import Importer
from crm.importing.staff import StaffImport
from crm.members import AgentNumbers
from crm.merging import Merging
from crm.office import Office
from crm.organisation import Organisation
from crm.payment_notices import PaymentNotices
from crm.payments import Payments
from crm.people import People
from crm.projects import Projects
from crm.skills import Skills
from crm.stages import ProjectStages
from kernel.access import Actor
from kernel.events import Event

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleServices:
    """Customers, what they refused and agreed to, projects, payments, the company's own lists, imports."""

    office: Office
    customers: People
    freezes: Freezes
    do_not_call: DoNotCall
    consents: Consents
    merging: Merging
    projects: Projects
    stages: ProjectStages
    payments: Payments
    payment_notices: PaymentNotices
    organisation: Organisation
    skills: Skills
    staff_import: StaffImport
    importer: Importer
    jobs: ImportJobs

    @classmethod
    def build(
        cls,
        office: Office,
        *,
        publish: Callable[[Event], None] | None = None,
        gates: ProjectGates | None = None,
        numbers: AgentNumbers | None = None,
    ) -> Self:
        """Return the services over ``office``.

        Args:
            publish: tells pages how far an import is.
            gates: what hand-overs and payment notices wait for.
            numbers: knows the telephones of users.
        """
        stages, importer = ProjectStages(office, gates), Importer(office)
        organisation = Organisation(office, numbers)
        return cls(
            office=office,
            customers=People(office),
            freezes=Freezes(office),
            do_not_call=DoNotCall(office),
            consents=Consents(office),
            merging=Merging(office),
            projects=Projects(office),
            stages=stages,
            payments=Payments(office, stages),
            payment_notices=PaymentNotices(office, gates),
            organisation=organisation,
            skills=Skills(office),
            staff_import=StaffImport(office, organisation),
            importer=importer,
            jobs=ImportJobs(office, importer, publish),
        )

    async def lift_and_expire(self) -> None:
        """End freezes and warranties whose day has come. Any number of processes may call it."""
        actor = Actor.system("timers")
        lifted = await self.freezes.lift_due(actor)
        expired = await self.stages.expire_warranties(actor)
        if lifted or expired:
            log.info("days_have_come", freezes=lifted, warranties=expired)
