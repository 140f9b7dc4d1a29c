"""Which severity is proposed, and what the manager may lower (domain.md §1.3); second departments (§4.3)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm.domain.case import Severity, Source
from crm.domain.complaint import SECOND_DEPARTMENT, ComplaintClass, proposed_severity
from kernel.clock import FakeClock
from kernel.errors import Invalid
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


@pytest.mark.parametrize("source", [Source.MEDIA, Source.REGULATOR])
async def test_1_3_not_a_general_one_without_the_managers_reason(office: OfficeStage, source: Source) -> None:
    assert proposed_severity(source) is Severity.MAJOR
    with pytest.raises(Invalid) as refused:
        await office.new(DELIVERY, source=source, severity=Severity.GENERAL, severity_reason="只是咨询")
    assert refused.value.field == "severity"
    assert (await office.new(DELIVERY, source=source, severity=Severity.SERIOUS)).header.severity == 2


async def test_1_3_the_manager_says_why_it_is_a_general_one(office: OfficeStage) -> None:
    project = office.projects[0]
    form = {
        "customer_id": str(project.customer_id),
        "project_id": str(project.id),
        "content": "电视台来问开放日的时间",
        "severity": "1",
        "source": "media",
        "form": "electronic",
        "read_back": "1",
        "lines.0.kind": "4.defect",
    }
    status, _, page = await post(office, "spc", "/cases/new", form | {"severity_reason": "只是采访"})
    assert status == 400 and "只有经理可以按一般登记" in page
    status, _, page = await post(office, "manager", "/cases/new", form)
    assert status == 400 and "请写明理由" in page
    status, _, page = await post(office, "manager", "/cases/new", form | {"severity_reason": "只是采访"})
    assert status == 303, page


async def test_1_3_safety_unauthorised_charges_and_repetition_are_proposed_as_serious(
    office: OfficeStage,
) -> None:
    async def proposed(at: int) -> str:
        _, page = await get(office, "spc", f"/cases/new?customer={office.projects[at].customer_id}")
        assert '"serious": ["7.safety", "9.private_charge"]' in page
        return next(level for level in "123" if f'name="severity" value="{level}" checked' in page)

    at = 0
    while await proposed(at) != "1":
        at += 1
    before = await office.new(DELIVERY, at=at, hand_off=False)
    assert await proposed(at) == "2"
    # What was not filed does not count, nor what is longer ago than 30 days.
    end, manager = office.crm.complaints.end, office.who("manager")
    await end.not_file(manager, before.case_id, before.version, "同一件事写了两次")
    assert await proposed(at) == "1"
    await office.new(DELIVERY, at=at)
    assert await proposed(at) == "2"
    office.clock.advance(timedelta(days=31))
    assert await proposed(at) == "1"


async def test_4_3_the_form_proposes_who_else_has_a_part(office: OfficeStage) -> None:
    assert SECOND_DEPARTMENT == {
        ComplaintClass.WORKMANSHIP: "QC",
        ComplaintClass.DELAY: "MAT",
        ComplaintClass.PRICE: "DES",
    }
    _, page = await get(office, "spc", f"/cases/new?customer={office.projects[0].customer_id}")
    assert '"second": {' in page and '"code": "MAT"' in page
    assert '"grave": ["media", "regulator"]' in page
    assert "data-second" in page and 'id="severity_reason"' not in page
    _, page = await get(office, "manager", f"/cases/new?customer={office.projects[0].customer_id}")
    assert 'data-if-source="media regulator"' in page
