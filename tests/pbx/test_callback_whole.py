"""A stage of the work is registered: the customer's telephone rings, they answer by keys and by voice, and an
unhappy answer is in the department's inbox before the call has ended. All of it is the running centre's own,
the demo company's rules of planning and of calling hours included.
"""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from sqlalchemy import select

from app.callback_tasks import build_tasks
from app.sipp.phone import PhoneCall
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Outcome, Verdict
from callback_campaigns.talk_tables import CallbackVoiceRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.domain.project import Stage
from kernel.bus import Bus
from kernel.business_time import SHANGHAI
from kernel.clock import SystemClock
from kernel.holidays import WorkCalendar
from tests.support.centre import PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, chromium, visitor
from tests.support.dialling import ShiftedClock
from tests.support.people import MANAGER, make_desk
from tests.support.sipp import outside_phone
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

NUMBER = "13512340001"
SPEECH = array("h", [round(4000 * math.sin(index / 5)) for index in range(8000)])
AFTERNOON = time(15)


def an_afternoon() -> ShiftedClock:
    """Return a clock at three o'clock of the next day on which the demo company calls its customers.

    By its rules (`callback_campaigns/rules`) it calls from 9:30 to 12:00 and from 14:00 to 19:30, on no
    Sunday and on no day off of a holiday, and about the start of work on the day after. Tests run at any hour
    of any day: the service is given another one to go by, and keeps the rules.
    """
    day, calendar = SystemClock().now().astimezone(SHANGHAI).date(), WorkCalendar()
    while True:
        day += timedelta(days=1)
        if calendar.day(day).kind.is_working and day.isoweekday() < 7:
            return ShiftedClock(datetime.combine(day, AFTERNOON, SHANGHAI).astimezone(UTC))


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[RunningCentre]:
    async with running_centre(tmp_path, clock=an_afternoon(), centre={"hotline": "4008001234"}) as found:
        assert not list((tmp_path / "d").glob("*.yaml")), "the demo company has the shipped rules"
        yield found


async def start_campaign(centre: RunningCentre, today: date) -> None:
    part = build_tasks(centre.settings, centre.database, centre.clock, Bus())
    fields: dict[str, Any] = {
        "name": "开工回访",
        "mode": "ivr",
        "kinds": ["KG"],
        "trunk": centre.settings.pbx.trunk.name,
        "carrier": "own",
        "caller_id": centre.settings.centre.hotline,
        "starts_on": today,
        "ends_on": today + timedelta(days=6),
    }
    draft = await part.campaigns.create(MANAGER, fields)
    await part.campaigns.start(MANAGER, draft.campaign.campaign_id, expected=draft.version)


async def register_start(centre: RunningCentre, today: date) -> str:
    desk = make_desk(centre.database, centre.clock)
    record = await desk.customer("沈国强", NUMBER, level="B")
    crew = await desk.crew("沈家施工队")
    project = await desk.project(record.customer_id, "ZX-WHOLE", crew_id=crew)
    project_id: str = project.project.project_id
    planned, yesterday = today + timedelta(days=30), today - timedelta(days=1)
    await desk.reach(project_id, Stage.STARTED, yesterday, concealed_planned=planned, midterm_planned=planned)
    return project_id


async def hears_something(call: PhoneCall) -> None:
    packets = call.ear.packets
    await eventually(lambda: call.ear.packets > packets + 25, timeout=10)


async def test_from_the_stage_to_the_answer_on_the_departments_desk(centre: RunningCentre) -> None:
    today = centre.clock.now().astimezone(SHANGHAI).date()
    async with (
        outside_phone(centre.pbx, NUMBER) as network,
        chromium() as browser,
        visitor(browser, viewport=DESKTOP) as watched,
    ):
        page = watched.page
        await page.goto(f"{centre.url}/sign-in")
        await page.fill("#login", "chenjg")
        await page.fill("#password", PASSWORD)
        await page.click("form.card button")
        await page.wait_for_url("**/inbox")
        await expect(page.locator("main")).not_to_contain_text("沈国强")

        await start_campaign(centre, today)
        project_id = await register_start(centre, today)

        call = await network.rings(within=120)
        await call.answer()
        await eventually(lambda: call.ear.loudness() > 300, timeout=20)
        await call.press("1")
        await hears_something(call)
        # Nobody came to the briefing: a bad answer to a decisive question.
        await call.press("3")
        seen = asyncio.create_task(expect(page.locator("main")).to_contain_text("沈国强", timeout=60_000))
        answers = centre.settings.data_dir / "answers"
        await eventually(lambda: list(answers.rglob("*.wav")), timeout=20, what="recording")
        call.handset.say(SPEECH)
        await call.handset.finished()
        await call.press("#")
        await hears_something(call)
        await seen
        assert call.up, "the ticket is there while the customer still talks"
        for key in "1111151#":
            await call.press(key)
            await hears_something(call)
        assert await call.ended(within=90) == "far"

    async def settled() -> bool:
        async with centre.database.session() as session:
            mine = CallbackTaskRow.project_id == project_id
            task = (await session.scalars(select(CallbackTaskRow).where(mine))).one()
            attempts = list(
                await session.scalars(select(DialAttemptRow).where(DialAttemptRow.task_id == task.id))
            )
        return (
            task.status in {TaskStatus.DONE.value, TaskStatus.PARTIAL.value}
            and task.verdict == Verdict.DISSATISFIED.value
            and [one.outcome for one in attempts] == [Outcome.ANSWERED.value]
        )

    await eventually(settled, timeout=20)
    async with centre.database.session() as session:
        assert (await session.scalars(select(CallbackVoiceRow.item_id))).all() == ["KG1"]
