"""Nature and urgency (domain.md §1.15): suggested while typing, confirmed, kept, filtered, their norm."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.domain.classification import Nature, Urgency
from kernel.clock import FakeClock
from tests.support.office import DELIVERY, OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime(2026, 3, 10, 1, 0, tzinfo=UTC))
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_1_15_typed_words_suggest_nature_and_urgency(office: OfficeStage) -> None:
    said = {"text": "卫生间插座漏电，麻手，快派人修一下", "kind": ""}
    status, _, part = await post(office, "spc", "/cases/new/advice", said)
    assert status == 200
    assert 'data-nature="repair" data-urgency="emergency"' in part
    assert "5 分钟内答复，2 小时内解决" in part or "5 分钟内答复，120 分钟内解决" in part
    customer = office.projects[0].customer_id
    for kind, nature in (("complaint", "complaint"), ("repair", "repair")):
        _, page = await get(office, "spc", f"/cases/new?kind={kind}&customer={customer}")
        assert 'id="nature"' in page and 'id="urgency"' in page
        assert f'<option value="{nature}" selected>' in page


async def test_1_15_what_the_agent_confirms_is_kept_shown_and_filtered(office: OfficeStage) -> None:
    project = office.projects[0]
    form = {
        "customer_id": str(project.customer_id),
        "project_id": str(project.id),
        "content": "厨房漏水，老人在家，很急",
        "severity": "2",
        "source": "phone",
        "nature": "repair",
        "urgency": "urgent",
        "form": "electronic",
        "read_back": "1",
        "lines.0.kind": "1.waterproof",
    }
    status, where, page = await post(office, "spc", "/cases/new", form)
    assert status == 303, page
    status, _, page = await post(office, "spc", "/cases/new", form | {"urgency": "soon"})
    assert status == 400, "no such urgency"
    await office.new(DELIVERY, at=1)
    repair = await office.repair(nature=Nature.REPAIR, urgency=Urgency.EMERGENCY)
    _, page = await get(office, "spc", where)
    assert "data-target" in page and "60 分钟内答复、24 小时内解决" in page
    _, page = await get(office, "spc", f"/cases/{repair.case_id}")
    assert "5 分钟内答复" in page
    for query, many in (("nature=repair", 2), ("urgency=urgent", 1), ("urgency=emergency", 1)):
        _, page = await get(office, "spc", f"/cases?whose=all&{query}")
        assert page.count('class="case-row"') == many, query
