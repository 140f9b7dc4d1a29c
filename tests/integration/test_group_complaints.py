"""Group complaints are proposed as major: by the form, the case, the API and a notice (domain.md §1.3)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from crm.case_alerts import look_at_case
from crm.complaint_views import ComplaintView
from crm.domain.case import Severity
from crm.events_alerts import GroupComplaint
from crm.events_cases import ComplaintRegistered
from crm.tables import Project
from kernel.clock import FakeClock
from tests.support.limits import facts
from tests.support.office import DELIVERY, TILE, OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    """Four homes stand in one community."""
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        one_each = {project.customer_id: project for project in found.projects}
        found.projects = list(one_each.values())
        homes = [project.id for project in found.projects[:4]]
        async with stage.database.transaction() as session:
            await session.execute(
                update(Project).where(Project.id.in_(homes)).values(community="翠湖<b>花园")
            )
        yield found


async def look(office: OfficeStage, view: ComplaintView) -> list[GroupComplaint]:
    """Look at a registered complaint as the centre does, and return what was told of it."""
    database = office.stage.database
    fact = next(one for one in await facts(database, ComplaintRegistered) if one.case_id == view.case_id)
    async with database.transaction() as session:
        await look_at_case(session, fact)
    return [told for told in await facts(database, GroupComplaint) if told.case_id == view.case_id]


async def test_1_3_the_third_customer_of_a_community_makes_it_a_group(office: OfficeStage) -> None:
    first, second = await office.new(TILE), await office.new(TILE, at=1)
    assert not await look(office, second)
    third = office.projects[2]
    form = f"/cases/new?customer={third.customer_id}&project={third.id}"
    _, page = await get(office, "spc", form)
    assert '"groups": {"1": {"customers": 3' in page and first.no in page
    query = f"/api/v1/complaint-severity?class_code=1&project_id={third.id}"
    async with signed_in(office, "spc") as session:
        async with session.get(query) as answer:
            proposal = await answer.json()
        assert (proposal["severity"], proposal["reasons"]) == (Severity.MAJOR, ["group"])
        assert proposal["group"]["nos"] == [second.no, first.no]
        async with session.get(
            "/api/v1/complaint-severity?class_code=7&subclass=safety&source=media"
        ) as answer:
            proposal = await answer.json()
        assert (proposal["severity"], proposal["reasons"]) == (3, ["source", "cause"])
    assert (await get(office, "head", query))[0] == 403
    # Whoever registers it decides; as long as it is not a major one, everybody in charge is reminded.
    view = await office.new(TILE, at=2)
    (told,) = await look(office, view)
    assert (told.customers, told.days, told.specialist_id) == (3, 30, office.who("spc").user_id)
    _, page = await get(office, "spc", f"/cases/{view.case_id}")
    assert "data-group" in page and first.no in page
    assert "data-group" not in (await get(office, "head", f"/cases/{view.case_id}"))[1]
    complaints, fresh = office.crm.complaints.complaints, await office.fresh(view)
    await complaints.set_severity(
        office.who("spc"), view.case_id, fresh.version, Severity.MAJOR, "同小区多户投诉"
    )
    assert "data-group" not in (await get(office, "spc", f"/cases/{view.case_id}"))[1]
    assert not [fact for fact in await look(office, view) if fact is not told][1:]


async def test_1_3_another_cause_another_community_or_long_ago_is_no_group(office: OfficeStage) -> None:
    await office.new(TILE)
    await office.new(DELIVERY, at=1)
    await office.new(TILE, at=5)
    assert not await look(office, await office.new(TILE, at=2))
    office.clock.advance(timedelta(days=31))
    assert not await look(office, await office.new(TILE, at=3))
