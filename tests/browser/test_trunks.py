"""An administrator looks at the line to the telephone network and has it tested."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from kernel.ids import new_ulid
from telephony.ami.errors import AmiDown
from telephony.asterisk.model import TrunkConfig
from telephony.tables import CallLegRow, CallRow
from telephony.trunks import TrunkDesk
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.sip_server import sip_server
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


class Away:
    """A link that is down: what the PBX knows is not known."""

    async def request(self, *args: Any, **kwargs: Any) -> None:
        raise AmiDown("the link is down", sent=False)


@contextlib.asynccontextmanager
async def telephony_with(stage: Stage, port: int) -> AsyncIterator[None]:
    trunk = TrunkConfig(name="main", host="127.0.0.1", port=port)
    actions: Any = Away
    desk = TrunkDesk(actions, (trunk,), stage.bus, stage.clock, node="pbx1", user="4008001234")
    task = asyncio.create_task(desk.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def calls_today(stage: Stage) -> None:
    """Three calls out, one answered; one call in."""
    now = stage.clock.now()
    async with stage.database.transaction() as session:
        for direction, answered, cause in (
            *(("out", True, 16), ("out", False, 17), ("out", False, 34)),
            ("in", True, 16),
        ):
            call_id = new_ulid()
            session.add(
                CallRow(
                    call_id=call_id,
                    node="pbx1",
                    direction=direction,
                    from_number="x",
                    to_number="y",
                    from_name="",
                    state="ended",
                    menu_path=[],
                    started_at=now,
                    answered_at=now if answered else None,
                    ended_at=now + timedelta(seconds=1),
                    talk_ms=0,
                    hold_ms=0,
                )
            )
            await session.flush()
            session.add(
                CallLegRow(
                    node="pbx1",
                    uniqueid=call_id,
                    call_id=call_id,
                    linkedid=call_id,
                    channel=f"PJSIP/trunk-main-{call_id[-8:]}",
                    kind="callee",
                    number="y",
                    started_at=now,
                    taken=True,
                    cause=cause,
                )
            )


async def test_looked_at_and_tested(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await calls_today(stage)
    await sign_in(page, stage, "admin")
    await page.goto(stage.url + "/admin/trunks")
    await expect(page.get_by_role("alert")).to_contain_text("话务进程没有回答")
    async with sip_server("200 OK") as (_, port), telephony_with(stage, port):
        await page.goto(stage.url + "/admin/trunks")
        card = page.locator("section.card")
        await expect(card).to_contain_text("占线 1；线路没有空位 1")
        await expect(card).to_contain_text("接通 1 · 33 %")
        await page.get_by_role("button", name="测试 main").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").first).to_contain_text("服务器在，回答正常")
        await shoot(page, "trunks")
    async with sip_server("403 Forbidden") as (_, port), telephony_with(stage, port):
        await page.get_by_role("button", name="测试 main").click()
        await expect(page.get_by_role("status").first).to_contain_text("拒绝了这个地址或号码")
        await page.set_viewport_size(TELEPHONE)
        await page.goto(stage.url + "/admin/trunks")
        assert await page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"]
        await shoot(page, "trunks_narrow")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
