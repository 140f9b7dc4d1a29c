"""The notice that asks a customer for the mid-term payment: 满意 → 交纳中期款 (domain.md §1.1, ZQ)."""

from crm import project_reads
from crm.domain.project import Stage
from crm.domain.stages import refuse_stage
from crm.gates import MIDTERM_NOTICE, ProjectGates, check_gate
from crm.notices.events import CustomerMessageWanted
from crm.office import Office, project_for_change
from crm.project_views import ProjectRecord
from kernel.access import Actor, Permission
from kernel.outbox import add_fact

ASKED = "payment_asked"


class PaymentNotices:
    """Asks customers for payments."""

    def __init__(self, office: Office, gates: ProjectGates | None = None) -> None:
        self._office = office
        self._gates = gates

    async def ask_midterm(self, actor: Actor, project_id: str) -> ProjectRecord:
        """Ask for the mid-term payment; asked again, the customer still gets one message.

        Raises:
            Forbidden: only finance asks.
            NotFound: no such project.
            IllegalStep: the mid-term inspection was not passed yet, or it is paid.
            GateShut: the customer was not called back, or is dissatisfied; the manager may open the gate.
        """
        actor.need(Permission.PAYMENTS_POST)
        async with self._office.database.transaction() as session:
            row = await project_for_change(session, project_id, None)
            course = await project_reads.course_of(session, row)
            if course.stage is not Stage.MIDTERM:
                raise refuse_stage(
                    Stage.MID_PAID, course.stage, "asked for between the mid-term inspection and its payment"
                )
            await check_gate(self._gates, session, row, MIDTERM_NOTICE)
            add_fact(
                session,
                CustomerMessageWanted(
                    at=self._office.now(),
                    customer_id=row.customer_id,
                    template="payment.midterm",
                    key=f"payment.midterm|{row.id}",
                    parameters={"contract": row.contract_no},
                ),
            )
            await self._office.journal.note(
                session, actor, ASKED, entity="project", entity_id=row.id, after={"period": "mid"}
            )
            return await project_reads.record(session, actor, row.id)
