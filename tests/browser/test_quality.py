"""A call is scored beside its recording; its agent disputes it, another supervisor corrects it."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_ulid
from telephony.agent_tables import WrapUpRow
from telephony.recording_tables import RecordingRow
from telephony.tables import CallRow
from tests.browser.conftest import sign_in
from tests.browser.test_recordings import record
from tests.support.chromium import DESKTOP, TELEPHONE, Watched, visitor
from tests.support.fake_telephony import ringing_call
from tests.support.waiting import eventually
from tests.support.web_stage import PASSWORD, Stage
from web.permissions import Role

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def ended_call(stage: Stage) -> str:
    """A call of the stage's agent, forty seconds long, with its recording."""
    call_id, now = new_ulid(), stage.clock.now()
    agent_id = stage.agents[stage.agent_number]
    began, ended = now - timedelta(seconds=50), now - timedelta(seconds=10)
    stage.history.calls[call_id] = replace(
        ringing_call(call_id, "+8613800138000", "", "service", (), began, began),
        agent_id=agent_id,
        started_at=began,
        answered_at=began,
        ended_at=ended,
        state="ended",
    )
    async with stage.database.transaction() as session:
        session.add(
            CallRow(
                call_id=call_id,
                node="pbx1",
                direction="in",
                from_number="13800138000",
                to_number="4008001234",
                from_name="",
                queue="service",
                agent_id=agent_id,
                agent_number=stage.agent_number,
                state="ended",
                result="ANSWERED",
                menu_path=[],
                started_at=began,
                answered_at=began,
                ended_at=ended,
                talk_ms=40_000,
                hold_ms=0,
            )
        )
        session.add(WrapUpRow(call_id=call_id, agent_id=agent_id, queue="service", taken_at=began))
        session.add(
            RecordingRow(
                recording_id=new_ulid(), name=f"{call_id}-1.1", call_id=call_id, node="pbx1", noted_at=ended
            )
        )
    record(stage.files / "recordings", f"{call_id}-1.1", 40, written=ended.timestamp())
    return call_id


async def of_sound(page: Page, name: str, least: float) -> bool:
    return bool(await page.locator(".recording audio").evaluate(f"(sound) => sound.{name} >= {least}"))


async def answer_all(page: Page) -> None:
    """Everything was done well, by keyboard."""
    for radio in await page.locator(".criterion").filter(has=page.locator("[type=radio]")).all():
        await radio.locator("[type=radio]").first.focus()
        await page.keyboard.press("Space")
    for number in await page.locator(".criterion [type=number]").all():
        await number.fill(str(await number.get_attribute("max")))


async def test_scored_disputed_and_corrected(stage: Stage, watched: Watched, browser: Browser) -> None:
    page = watched.page
    await stage.accounts.users.create(
        login="manager", password=PASSWORD, role=Role.MANAGER, display_name="陈经理"
    )
    call_id = await ended_call(stage)
    await sign_in(page, stage, "supervisor")
    await page.goto(f"{stage.url}/calls/{call_id}")
    await page.get_by_role("button", name="评分", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#total")).to_contain_text("还差")

    # A moment of the recording, played from there later.
    await page.evaluate("() => { const a = document.querySelector('.recording audio'); a.load(); }")
    await eventually(lambda: of_sound(page, "readyState", 1), what="the recording is there")
    await page.evaluate("document.querySelector('.recording audio').currentTime = 12.3")
    await page.get_by_label("这一刻的说明").fill("打断了客户")
    await page.keyboard.press("Enter")
    await expect(page.locator("#moments li")).to_have_count(1)
    await page.get_by_role("button", name="记下这一刻：没有打断客户").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#moments li").last).to_contain_text("没有打断客户")
    await page.locator("#moments [data-remove]").last.click()
    await expect(page.locator("#moments li")).to_have_count(1)
    await expect(page.locator("#saved")).to_have_text("草稿已保存")
    await page.reload()
    await expect(page.locator("#moments li")).to_contain_text("打断了客户")
    await page.locator("#moments [data-moment]").focus()
    await page.keyboard.press("Enter")
    await eventually(lambda: of_sound(page, "currentTime", 12), what="it plays from there")

    # What is missing is pointed at; nothing is lost.
    await page.locator("#comment").fill("整体不错")
    await page.get_by_role("button", name="公布").click()
    await expect(page.get_by_role("alert")).to_contain_text("还有没评的项目")
    watched.expect("400")
    await expect(page.locator("#comment")).to_have_value("整体不错")
    await answer_all(page)
    await page.locator("#c-recorded [type=number]").fill("0")
    await expect(page.locator("#total")).to_have_text("85")
    await shoot(page, "quality_sheet")
    await page.locator("#comment").focus()
    await page.get_by_role("button", name="公布").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("已公布")
    where = page.url.partition("?")[0]

    async with visitor(browser, viewport=DESKTOP) as desk:
        await sign_in(desk.page, stage, "agent")
        await desk.page.goto(stage.url + "/quality")
        await shoot(desk.page, "quality_agent")
        await desk.page.locator("#results a.row-link").focus()
        await desk.page.keyboard.press("Enter")
        await expect(desk.page.locator(".score")).to_contain_text("85")
        await expect(desk.page.locator("#moments li")).to_contain_text("打断了客户")
        await desk.page.get_by_label("理由").fill("工单里有完整记录。")
        await desk.page.get_by_role("button", name="申诉").focus()
        await desk.page.keyboard.press("Enter")
        await expect(desk.page.get_by_role("status").first).to_contain_text("已提交申诉")
        await expect(desk.page.get_by_role("button", name="申诉")).to_have_count(0)

    await page.goto(where)
    await expect(page.get_by_text("由其他主管答复申诉")).to_be_visible()
    async with visitor(browser, viewport=DESKTOP) as office:
        await sign_in(office.page, stage, "manager")
        await office.page.goto(stage.url + "/quality?tab=disputed")
        await office.page.locator("#results a.row-link").click()
        await office.page.locator("#c-recorded [type=number]").fill("15")
        await office.page.get_by_label("答复").fill("记录在工单里，补 15 分。")
        await shoot(office.page, "quality_dispute")
        await office.page.get_by_role("button", name="按上面更正").focus()
        await office.page.keyboard.press("Enter")
        await expect(office.page.get_by_role("status").first).to_contain_text("已答复")
        await expect(office.page.locator(".score")).to_contain_text("申诉前 85")
        await office.page.goto(stage.url + "/quality?tab=done")
        await shoot(office.page, "quality_list")
        for path in ("/quality", where.removeprefix(stage.url), "/quality/form"):
            await office.page.set_viewport_size(TELEPHONE)
            await office.page.goto(stage.url + path)
            width = await office.page.evaluate("document.documentElement.scrollWidth")
            assert width == TELEPHONE["width"], path
            await shoot(office.page, f"narrow_quality{path.count('/')}{path.endswith('form')}")


async def test_calibrated(stage: Stage, watched: Watched, browser: Browser) -> None:
    page = watched.page
    call_id = await ended_call(stage)
    await sign_in(page, stage, "supervisor")
    await page.goto(f"{stage.url}/calls/{call_id}")
    await page.get_by_role("button", name="评分", exact=True).click()
    await page.get_by_role("button", name="用这通电话做校准").click()
    where = page.url
    await page.get_by_role("button", name="我来评").click()
    await answer_all(page)
    await page.get_by_role("button", name="交评分").click()
    await expect(page.get_by_role("status").first).to_contain_text("已交")
    async with visitor(browser, viewport=DESKTOP) as office:
        other = office.page
        await sign_in(other, stage, "admin")
        await other.goto(where)
        await other.get_by_role("button", name="我来评").click()
        await answer_all(other)
        await other.locator("#c-greeting").get_by_label("没做到").check()
        await other.get_by_role("button", name="交评分").click()
        await expect(other.get_by_role("status").first).to_contain_text("已交")
        await other.get_by_role("button", name="结束校准").click()
        await expect(other.locator("tr.apart")).to_have_count(1)
        await expect(other.locator("tr.sum")).to_contain_text("100.0")
        await shoot(other, "quality_calibration")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
