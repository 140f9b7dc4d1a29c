"""Links of messages open the right page after signing in (domain.md §2.3); class 9 is told at once (§4.3)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from crm.complaint_input import NewLine
from crm.domain.complaint import ComplaintClass
from crm.events_cases import ConfidentialRegistered
from crm.handoffs import Dispatch
from kernel.clock import FakeClock
from tests.support.limits import facts
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get
from tests.support.web_stage import PASSWORD, web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
BRIBE = NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause="监理收了红包")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_2_3_the_link_opens_the_place_to_sign_after_signing_in(office: OfficeStage) -> None:
    view = await office.new(TILE)
    line = view.lines[0]
    link = f"/handoffs/{line.handoffs[0].handoff_id}"
    async with ClientSession(base_url=office.stage.url, cookie_jar=CookieJar(unsafe=True)) as stranger:
        async with stranger.get(link) as answer:
            assert answer.url.path == "/sign-in" and answer.url.query["next"] == link
            assert view.no not in await answer.text()
        form = {"login": "head", "password": PASSWORD, "next": link}
        headers = {"Origin": office.stage.url}
        async with stranger.post("/sign-in", data=form, headers=headers) as answer:
            page = await answer.text()
            assert (answer.status, answer.url.path) == (200, f"/lines/{line.line_id}")
            assert view.no in page and "签名接收" in page
    assert (await get(office, "designer", link))[0] == 404, "another department's head opens nothing"


async def test_4_3_class_9_without_a_hand_off_is_told_once_and_with_one_by_the_hand_off(
    office: OfficeStage,
) -> None:
    async def told() -> list[str]:
        return [fact.case_id for fact in await facts(office.stage.database, ConfidentialRegistered)]

    plain = await office.new(TILE, hand_off=False)
    assert not await told()
    secret = await office.new(BRIBE, at=1, hand_off=False)
    assert await told() == [secret.case_id]
    await office.new(BRIBE, at=2)
    assert await told() == [secret.case_id], "the hand-off says it"
    complaints, spc = office.crm.complaints.complaints, office.who("spc")
    more = await complaints.add_line(spc, plain.case_id, plain.version, BRIBE)
    assert await told() == [secret.case_id, plain.case_id]
    await complaints.add_line(spc, plain.case_id, more.version, BRIBE, hand_off=Dispatch())
    assert await told() == [secret.case_id, plain.case_id]
