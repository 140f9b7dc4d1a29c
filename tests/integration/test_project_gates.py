"""What waits for callbacks really waits: the mid-term payment notice and the hand-over (domain.md §1.1)."""

from datetime import date

import pytest
from sqlalchemy import select

from callback_campaigns.domain.terms import Gate
from callback_campaigns.gate_desk import GateDesk
from callback_campaigns.rule_files import shipped_plan
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.machine import IllegalStep
from crm.domain.project import Stage
from crm.domain.stages import Delivery
from crm.gates import GateShut
from crm.notices.events import CustomerMessageWanted
from crm.payment_notices import PaymentNotices
from crm.stages import NewStage, ProjectStages
from crm.tables import Project
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden
from kernel.events import decode
from kernel.outbox import OutboxRow
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.people import AGENT, FINANCE, MANAGER, actor
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
def centre(sqlite: Database, clock: FakeClock) -> CallbackCentre:
    return make_centre(sqlite, clock)


async def finding(centre: CallbackCentre, verdict: str) -> None:
    """Give the newest task a result."""
    async with centre.database.transaction() as session:
        row = (await session.scalars(select(CallbackTaskRow).order_by(CallbackTaskRow.id.desc()))).first()
        assert row is not None
        row.status, row.ended_at = "done", centre.clock.now()
        row.finding = {
            "code": "problem" if verdict == "dissatisfied" else "no_problem",
            "verdict": verdict,
            "done_at": centre.clock.now().isoformat(),
            "score": None,
            "problem_code": "",
            "explanation": "",
            "departments": [],
        }


async def messages(centre: CallbackCentre) -> list[str]:
    async with centre.database.session() as session:
        facts = [decode(row.payload) for row in await session.scalars(select(OutboxRow))]
    return [fact.template for fact in facts if isinstance(fact, CustomerMessageWanted)]


async def test_ZQ_the_mid_term_payment_is_asked_for_once_the_callback_is_not_dissatisfied(
    centre: CallbackCentre,
) -> None:
    project_id = await centre.started()
    gates = GateDesk(centre.desk.office, shipped_plan())
    notices = PaymentNotices(centre.desk.office, gates)
    with pytest.raises(IllegalStep):
        await notices.ask_midterm(FINANCE, project_id)
    for stage in (Stage.CONCEALED, Stage.MIDTERM):
        await centre.desk.reach(project_id, stage, date(2026, 3, 2))
        await centre.tell()
    with pytest.raises(Forbidden):
        await notices.ask_midterm(actor(Role.HR), project_id)
    with pytest.raises(GateShut) as shut:
        await notices.ask_midterm(FINANCE, project_id)
    assert shut.value.context["why"] == "no_callback"
    await finding(centre, "dissatisfied")
    with pytest.raises(GateShut) as shut:
        await notices.ask_midterm(FINANCE, project_id)
    assert shut.value.context["why"] == "dissatisfied"
    assert await messages(centre) == []
    await gates.open(MANAGER, project_id, Gate.MIDTERM_NOTICE, reason="客户书面同意")
    await notices.ask_midterm(FINANCE, project_id)
    assert await messages(centre) == ["payment.midterm"]


async def test_WG_no_hand_over_without_a_successful_completion_callback(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    gates = GateDesk(centre.desk.office, shipped_plan())
    stages = ProjectStages(centre.desk.office, gates)
    async with centre.database.transaction() as session:
        project = await session.get_one(Project, project_id)
        project.stage, project.delivery_state = int(Stage.FINAL_PAID), "S"
    with pytest.raises(GateShut):
        await stages.move_delivery(AGENT, project_id, Delivery.CALLED, expected=None)
    async with centre.database.transaction() as session:
        project = await session.get_one(Project, project_id)
        project.delivery_state, project.appraised_at = "Y", centre.clock.now()
    handed = NewStage(stage=Stage.DELIVERED, happened_on=date(2026, 3, 2))
    with pytest.raises(GateShut):
        await stages.register(AGENT, project_id, handed, expected=None)
    await gates.open(MANAGER, project_id, Gate.HANDOVER, reason="客户书面同意")
    done = await stages.register(AGENT, project_id, handed, expected=None)
    assert done.project.stage is Stage.DELIVERED
