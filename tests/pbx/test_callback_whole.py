"""A stage of the work is registered: the customer's telephone rings, they answer by keys and by voice, and an
unhappy answer is in the department's inbox before the call has ended. All of it is the running centre's own.
"""

import math
from array import array
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
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
from kernel.clock import SystemClock
from tests.support.centre import PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, chromium, visitor
from tests.support.people import MANAGER, make_desk
from tests.support.sipp import outside_phone
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

NUMBER = "13512340001"
SPEECH = array("h", [round(4000 * math.sin(index / 5)) for index in range(8000)])
AFTERNOON = 15


def zone_of_the_afternoon() -> str:
    """Return a zone in which customers may be called at this moment, whenever the test runs."""
    ahead = AFTERNOON - datetime.now(UTC).hour
    ahead = ahead - 24 if ahead > 14 else ahead
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def own_rules(folder: Path) -> None:
    """Have the start of work called about at once, on any day."""
    shipped = files("callback_campaigns") / "rules"
    dialling = (shipped / "dialling.yaml").read_text(encoding="utf-8")
    dialling = dialling.replace("[1, 2, 3, 4, 5, 6]", "[1, 2, 3, 4, 5, 6, 7]")
    folder.mkdir(parents=True)
    (folder / "dialling.yaml").write_text(
        dialling.replace("closing: period", "closing: never"), encoding="utf-8"
    )
    planning = (shipped / "planning.yaml").read_text(encoding="utf-8")
    (folder / "planning.yaml").write_text(planning.replace("offset: 1d", "offset: 0d", 1), encoding="utf-8")


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[RunningCentre]:
    own_rules(tmp_path / "data")
    at_home = {"timezone": zone_of_the_afternoon(), "hotline": "4008001234"}
    async with running_centre(tmp_path, centre=at_home) as found:
        yield found


async def start_campaign(centre: RunningCentre, today: date) -> None:
    part = build_tasks(centre.settings, centre.database, SystemClock(), Bus())
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
    desk = make_desk(centre.database, SystemClock())
    record = await desk.customer("沈国强", NUMBER, level="B")
    crew = await desk.crew("沈家施工队")
    project = await desk.project(record.customer_id, "ZX-WHOLE", crew_id=crew)
    project_id: str = project.project.project_id
    planned = today + timedelta(days=30)
    await desk.reach(project_id, Stage.STARTED, today, concealed_planned=planned, midterm_planned=planned)
    return project_id


async def hears_something(call: PhoneCall) -> None:
    packets = call.ear.packets
    await eventually(lambda: call.ear.packets > packets + 25, timeout=10)


async def test_from_the_stage_to_the_answer_on_the_departments_desk(centre: RunningCentre) -> None:
    today = SystemClock().now().astimezone(centre.settings.zone).date()
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
        await expect(page.locator("main")).to_contain_text("沈国强")
        assert call.up

        answers = centre.settings.data_dir / "answers"
        await eventually(lambda: list(answers.rglob("*.wav")), timeout=20, what="recording")
        call.handset.say(SPEECH)
        await call.handset.finished()
        await call.press("#")
        await hears_something(call)
        for key in "111151#":
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
