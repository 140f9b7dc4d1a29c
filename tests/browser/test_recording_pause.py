"""The pause of a recording: on the page of the call's agent, and beside the call on the board."""

import pytest
from playwright.async_api import Browser, Page, Request, expect
from sqlalchemy import insert, update

from telephony.events import ListeningPaused
from telephony.recording_pause_tables import RecordingPauseRow
from telephony.tables import CallRow
from tests.browser.conftest import on_duty, sign_in
from tests.support.chromium import DESKTOP, visitor
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser


async def stored(stage: Stage, call_id: str) -> None:
    """Let the call be on record, as the process that follows the PBX writes it down."""
    values = {
        "call_id": call_id,
        "node": "pbx1",
        "direction": "in",
        "from_number": "+8613800138001",
        "to_number": "4008001234",
        "from_name": "",
        "agent_id": stage.agents[stage.agent_number],
        "agent_number": stage.agent_number,
        "state": "talking",
        "menu_path": [],
        "started_at": stage.clock.now(),
        "talk_ms": 0,
        "hold_ms": 0,
        "adopted": False,
    }
    async with stage.database.transaction() as session:
        await session.execute(insert(CallRow).values(values))


async def silenced(stage: Stage, call_id: str) -> None:
    """Let the PBX have done it."""
    now = stage.clock.now()
    async with stage.database.transaction() as session:
        await session.execute(update(RecordingPauseRow).values(muted_at=now))
    stage.bus.publish(ListeningPaused(at=now, call_id=call_id))


async def test_both_see_at_once_who_paused_it_and_may_go_on(
    stage: Stage, page: Page, browser: Browser
) -> None:
    await on_duty(page, stage)
    call_id = await stage.ring("13800138001")
    await stored(stage, call_id)
    await stage.answer(call_id)
    await expect(page.locator("#recording-pause")).to_have_attribute("data-shown", "yes")
    stage.board.add_call(call_id, "+8613800138001", "talking", queue="complaint", agent=stage.agent_number)
    async with visitor(browser, viewport=DESKTOP) as other:
        board = other.page
        await sign_in(board, stage, "supervisor")
        cell = board.locator("#calls td.pause")
        await expect(cell).to_have_attribute("data-state", "running")
        await expect(cell.locator("button")).to_have_accessible_name("暂停录音")

        asked: list[str] = []

        def note(request: Request) -> None:
            asked.append(request.url)

        await page.keyboard.press("F8")
        await expect(page.locator("#recording-state")).to_have_text("正在暂停录音…")
        await expect(cell).to_have_attribute("data-state", "pausing")
        await silenced(stage, call_id)
        await expect(page.locator("#recording-state")).to_have_text("录音已暂停")
        await expect(cell.locator(".chip")).to_have_text("已暂停")
        await expect(cell.locator(".pause-by")).to_have_text("李娜")
        await expect(cell.locator(".pause-time")).not_to_be_empty()

        page.on("request", note)
        await cell.locator("button").click()
        await expect(cell.locator(".chip")).to_be_hidden()
        await expect(page.locator("#recording-state")).to_be_empty()
        await expect(page.locator("#recording-action")).to_have_text("暂停录音")
        assert [url for url in asked if "/recording" in url] == [], "the live connection tells"

        await cell.locator("button").click()
        await expect(cell.locator(".pause-by")).to_have_text("王主管")
        await silenced(stage, call_id)
        await expect(page.locator("#recording-state")).to_have_text("录音已暂停")
