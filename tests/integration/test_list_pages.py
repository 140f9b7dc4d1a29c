"""The pages of the lists: who has which, what strange addresses do, that no text is markup."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from kernel.clock import FakeClock
from tests.support.office import DRAWING, HOUR, TILE, OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.web_stage import web_stage

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
HOSTILE = "<script>alert(1)</script>'\">"
LEADS = {"manager", "boss"}
ROLES = ("spc", "manager", "head", "member", "boss", "finance", "hr")
OPEN_TO = {
    "/lists/repeats": LEADS,
    "/lists/problem-customers": LEADS,
    "/lists/causes": LEADS | {"head"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path_factory.mktemp("lists"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_lists_open_to_their_roles_alone(office: OfficeStage) -> None:
    for path, roles in OPEN_TO.items():
        for login in ROLES:
            status, _ = await get(office, login, path)
            assert (path, login, status) == (path, login, 200 if login in roles else 403)
    async with signed_in(office, "head") as session, session.get("/lists", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/lists/causes"


async def test_a_repeat_complaint_links_to_what_came_before(office: OfficeStage) -> None:
    first = await office.new(TILE, at=3)
    office.clock.advance(HOUR)
    again = await office.new(TILE, at=3, content=HOSTILE)
    status, page = await get(office, "manager", "/lists/repeats?class=1")
    assert status == 200
    assert f'href="/cases/{again.case_id}"' in page
    assert f'href="/cases/{first.case_id}" data-same' in page
    assert HOSTILE not in page
    assert first.no not in (await get(office, "manager", "/lists/repeats?class=5"))[1]
    for query in ("days=9999999999&class=99&department=%27--&store=%3Cb%3E", "open=2&days=x"):
        assert (await get(office, "boss", f"/lists/repeats?{query}"))[0] == 200
    assert (await get(office, "boss", "/lists/repeats?cursor=nonsense"))[0] == 400


async def test_a_flagged_customer_with_the_reason_and_who_set_it(office: OfficeStage) -> None:
    people = office.crm.people.customers
    record = await people.get(office.who("manager"), office.projects[3].customer_id)
    await people.change(
        office.who("spc"), record.customer_id, {"problem_reason": HOSTILE}, expected=record.version
    )
    status, page = await get(office, "boss", "/lists/problem-customers?open=1&store=nothing")
    assert status == 200
    assert "周晓梅" in page
    assert "&lt;script&gt;" in page
    assert HOSTILE not in page
    assert (await get(office, "boss", "/lists/problem-customers?cursor=nonsense"))[0] == 400


async def test_heads_see_their_own_causes_whatever_they_ask_for(office: OfficeStage) -> None:
    await office.new(TILE, DRAWING)
    status, page = await get(office, "head", "/lists/causes?department=DES&month=2026-03")
    assert status == 200
    assert "part-ENG" in page
    assert "part-DES" not in page
    status, page = await get(office, "manager", "/lists/causes?department=DES&month=2026-99")
    assert status == 200
    assert 'value="2026-03"' in page
    assert "part-DES" in page
    assert "part-ENG" not in page
