"""What is written down late is kept, marked, and the manager sees which breaches it took back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm.limit_worker import LimitWorker
from kernel.clock import FakeClock
from tests.support.office import DAY, HOUR, OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_T2_written_down_late_takes_the_breach_back_for_all_to_see(office: OfficeStage) -> None:
    head, work = office.who("head"), office.crm.complaints.work
    view = await office.new()
    line = await office.accept(view)
    called_at = office.clock.now() + HOUR
    office.clock.advance(2 * DAY)
    worker = LimitWorker(office.stage.database, office.clock, office.crm.limits, worker="w1")
    while await worker.run_once():
        pass
    # Three service hours late it is on the manager's red list, by the API as on the page (domain.md §0).
    async with signed_in(office, "manager") as session, session.get("/api/v1/red-list") as answer:
        (red,) = (await answer.json())["items"]
    assert (red["code"], red["record"]["no"], red["owner"]["department"]) == ("TS.T2", view.no, "ENG")
    assert red["red_at"] > red["due_at"]
    assert (await get(office, "head", "/api/v1/red-list"))[0] == 403
    line = await work.get(head, line.line_id)
    line = await work.verify(head, line.line_id, line.version, facts="业主确认", called_at=called_at)
    assert (line.verified_at, line.verified_noted_at) == (called_at, office.clock.now())
    assert line.verified_backdated
    for path in (f"/lines/{line.line_id}", f"/cases/{view.case_id}"):
        assert "补录" in (await get(office, "head", path))[1]
    # The manager reads who did it, when, and what it took back.
    async with (
        signed_in(office, "manager") as session,
        session.get("/api/v1/withdrawn-breaches") as answer,
    ):
        (found,) = (await answer.json())["items"]
    assert (found["code"], found["withdrawn_by"], found["why"]) == ("TS.T2", head.name, "complaint.verify")
    assert datetime.fromisoformat(found["happened_at"]) == called_at
    status, page = await get(office, "manager", "/red-list")
    assert status == 200
    assert "补录后撤销的超时" in page and view.no in page
    assert (await get(office, "head", "/api/v1/withdrawn-breaches"))[0] == 403


async def test_what_is_written_down_at_once_is_not_marked(office: OfficeStage) -> None:
    view = await office.new()
    line = await office.visit(view)
    assert not line.verified_backdated
    # It was noted an hour after they left.
    assert [visit.backdated for visit in line.visits] == [True]
    assert line.visits[0].noted_at - line.visits[0].left_at == timedelta(hours=1)
    assert "补录" in (await get(office, "spc", f"/cases/{view.case_id}"))[1]
