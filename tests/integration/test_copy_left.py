"""A copy of the hand-off sheet stays with the department (留底; domain.md §1.3 C1, §2.3)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.complaint_input import NewLine
from crm.complaint_views import ComplaintView
from crm.domain.handoff import HandoffForm
from crm.handoffs import Dispatch
from kernel.clock import FakeClock
from tests.support.office import TILE, WATER, OfficeStage
from tests.support.office_web import get
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_the_receipt_says_whether_a_copy_was_left_and_is_sealed_with_it(office: OfficeStage) -> None:
    async def sent(line: NewLine, how: Dispatch) -> ComplaintView:
        view = await office.new(line, hand_off=False)
        complaints = office.crm.complaints.complaints
        return await complaints.hand_off(office.who("spc"), view.case_id, view.version, how)

    left = await sent(TILE, Dispatch(form=HandoffForm.PAPER, copy_left=True))
    plain = await sent(WATER, Dispatch(copy_left=False))
    handoffs = office.crm.complaints.handoffs
    found = {}
    for view, expected in ((left, True), (plain, False)):
        handoff_id = view.lines[0].handoffs[0].handoff_id
        await office.accept(view)
        for login in ("spc", "head"):
            status, page = await get(office, login, f"/handoffs/{handoff_id}/sheet")
            assert (status, "部门留存一份" in page) == (200, expected), login
        sheet = await handoffs.sheet(office.who("head"), handoff_id)
        assert (sheet.handoff.copy_left, sheet.sound) == (expected, True)
        found[expected] = sheet.handoff.verification
    assert found[True] != found[False]
