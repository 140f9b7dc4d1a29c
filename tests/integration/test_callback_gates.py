"""Gates of a project in the database: the callback's result, its tickets, what they became, the manager."""

import pytest

from callback_campaigns.domain.gates import GateWhy
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Gate, Verdict
from callback_campaigns.gate_desk import GateDesk
from callback_campaigns.rule_files import shipped_plan
from callback_campaigns.task_store import new_row
from callback_campaigns.task_tables import CallbackTaskRow
from crm.tables import Project, ServiceCase
from crm.ticket_tables import TicketRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid
from kernel.ids import new_ulid
from tests.support.callback_centre import make_centre
from tests.support.people import AGENT, MANAGER
from tests.unit.callback_campaigns.tasks import finding, planned
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


async def test_the_mid_term_notice_waits_for_the_result_and_its_tickets(
    database: Database, clock: FakeClock
) -> None:
    centre = make_centre(database, clock)
    gates = GateDesk(centre.desk.office, shipped_plan())
    project_id = await centre.started()
    (start,) = await centre.all()

    async def why() -> GateWhy:
        return (await gates.of_project(AGENT, project_id))[Gate.MIDTERM_NOTICE].why

    assert await why() is GateWhy.NO_CALLBACK
    now, task_id = clock.now(), new_ulid()
    done = planned(
        task_id=task_id,
        key="ZQ",
        kind=CallbackType.MIDTERM,
        status=TaskStatus.DONE,
        customer_id=start.customer_id,
        project_id=project_id,
        finding=finding(Verdict.DISSATISFIED),
        ended_at=now,
    )
    async with database.transaction() as session:
        session.add(new_row(done, first_by=None, now=now))
    assert await why() is GateWhy.DISSATISFIED

    ticket_id, complaint_id = new_ulid(), new_ulid()
    for case_id, kind in ((ticket_id, "ticket"), (complaint_id, "complaint")):
        async with database.transaction() as session:
            session.add(
                ServiceCase(
                    id=case_id,
                    no=f"{kind[:2]}1",
                    kind=kind,
                    status="open",
                    customer_id=start.customer_id,
                    project_id=project_id,
                    summary="空鼓",
                    severity=1,
                    opened_at=now,
                )
            )
    async with database.transaction() as session:
        ticket = TicketRow(case_id=ticket_id, callback_ref=task_id, problem_key="x", fed_back=1)
        session.add(ticket)
    assert await why() is GateWhy.DISSATISFIED

    async def set_case(case_id: str, status: str) -> None:
        async with database.transaction() as session:
            (await session.get_one(ServiceCase, case_id)).status = status

    await set_case(ticket_id, "closed")
    assert await why() is GateWhy.TICKETS_CLOSED
    # It became a complaint: the problem lives on in that.
    await set_case(ticket_id, "converted")
    async with database.transaction() as session:
        (await session.get_one(TicketRow, ticket_id)).converted_to = complaint_id
    assert await why() is GateWhy.DISSATISFIED
    await set_case(complaint_id, "closed")
    assert await why() is GateWhy.TICKETS_CLOSED

    async with database.transaction() as session:
        row = await session.get_one(CallbackTaskRow, task_id)
        row.finding = {**(row.finding or {}), "verdict": "satisfied"}
    assert await why() is GateWhy.SATISFIED


async def test_the_manager_opens_a_gate_once_with_a_reason(sqlite: Database, clock: FakeClock) -> None:
    centre = make_centre(sqlite, clock)
    gates = GateDesk(centre.desk.office, shipped_plan())
    project_id = await centre.started()
    with pytest.raises(Forbidden):
        await gates.open(AGENT, project_id, Gate.HANDOVER, reason="快")
    with pytest.raises(Invalid):
        await gates.open(MANAGER, project_id, Gate.HANDOVER, reason=" ")
    with pytest.raises(Invalid):
        await gates.open(MANAGER, project_id, Gate.CASE_CLOSE, reason="好")
    opened = await gates.open(MANAGER, project_id, Gate.HANDOVER, reason="客户书面同意")
    assert (opened.open, opened.why) == (True, GateWhy.OVERRIDDEN)
    with pytest.raises(Conflict):
        await gates.open(MANAGER, project_id, Gate.HANDOVER, reason="再一次")
    async with sqlite.session() as session:
        seen = (await session.get_one(Project, project_id)).version
    await centre.callbacks.stop(MANAGER, project_id, "ZQ", reason="客户要求", expected=seen)
    assert (await gates.of_project(AGENT, project_id))[Gate.MIDTERM_NOTICE].why is GateWhy.NOT_REQUIRED
