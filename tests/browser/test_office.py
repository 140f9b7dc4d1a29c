"""The office in a real browser: signing on a telephone, deciding, shares that add up, the captain's visit."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, FilePayload, Page, expect

from crm.attachments import Purpose
from crm.domain.complaint_line import LineStatus
from crm.domain.escalation import EscalationState
from kernel.clock import FakeClock
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched, visitor
from tests.support.office import HOUR, TILE, WATER, OfficeStage
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[Watched]:
    async with visitor(browser, viewport=TELEPHONE, has_touch=True) as found:
        yield found


def noise(width: int, height: int) -> bytes:
    """Return a picture of more than a megabyte, as telephones take them."""
    held = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(held, format="PNG")
    return held.getvalue()


async def draw(page: Page) -> None:
    """Draw a signature on the pad."""
    pad = page.locator("canvas.pad")
    await pad.scroll_into_view_if_needed()
    box = await pad.bounding_box()
    assert box is not None
    left, top = box["x"] + 40, box["y"] + box["height"] / 2
    await page.mouse.move(left, top)
    await page.mouse.down()
    for step in range(1, 16):
        await page.mouse.move(left + step * 12, top + (24 if step % 2 else -24))
    await page.mouse.up()
    await expect(page.locator("[data-pad]")).to_have_attribute("data-signed", "yes")


async def test_a_head_signs_on_a_telephone_and_works_on(office: OfficeStage, phone: Watched) -> None:
    view = await office.new(TILE)
    line_id, page = view.lines[0].line_id, phone.page
    await sign_in(page, office.stage, "head")
    await expect(page).to_have_url(office.stage.url + "/inbox")
    await page.click(f"text={view.no}")
    await page.wait_for_url("**/lines/*")
    await page.click("text=先出方案")
    await page.fill("#accept-person", "刘铁柱")
    await draw(page)
    await page.click("text=签名接收")
    await expect(page.locator("[data-saved]")).to_contain_text("已签收")
    await page.fill("#verify-facts", "已和业主通话，空鼓属实")
    await page.click("text=保存核实情况")
    await expect(page.locator("[data-saved]")).to_contain_text("已记录核实情况")
    line = await office.crm.complaints.work.get(office.who("head"), line_id)
    assert line.status is LineStatus.VERIFIED
    assert line.person == "刘铁柱"
    await page.goto(f"{office.stage.url}/handoffs/{line.handoffs[0].handoff_id}/sheet")
    await expect(page.locator(".ink path")).to_have_count(1)
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= TELEPHONE["width"]


async def test_signing_by_keyboard_alone(office: OfficeStage, watched: Watched) -> None:
    page = watched.page
    line = (await office.new(TILE)).lines[0]
    await sign_in(page, office.stage, "head")
    await page.goto(f"{office.stage.url}/lines/{line.line_id}")
    await page.focus("#accept-mode")
    await page.keyboard.press("Space")
    await page.focus("#accept-pin")
    await page.keyboard.type("12")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("[role=alert]").first).to_be_visible()
    await expect(page.locator("#accept-pin")).to_be_focused()
    watched.expect("status of 400")
    await page.keyboard.type("2580")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("[data-saved]")).to_contain_text("已签收")


async def test_the_inbox_shows_a_new_hand_off_by_itself(office: OfficeStage, page: Page) -> None:
    await sign_in(page, office.stage, "head")
    await expect(page.locator(".tap")).to_have_count(await page.locator(".tap").count())
    view = await office.new(TILE)
    await expect(page.locator(f"[data-case='{view.case_id}']")).to_contain_text(view.no)


async def test_what_is_drawn_and_typed_stays_when_somebody_else_changes_the_case(
    office: OfficeStage, page: Page
) -> None:
    view = await office.new(TILE)
    await sign_in(page, office.stage, "head")
    await page.goto(f"{office.stage.url}/lines/{view.lines[0].line_id}")
    await page.fill("#accept-person", "张师傅")
    await draw(page)
    await page.evaluate("document.activeElement.blur()")
    await office.crm.complaints.complaints.called_again(office.who("spc"), view.case_id, note="又来电催")
    await expect(page.locator("#line h1")).to_contain_text(view.no)
    await expect(page.locator(".tags .chip[data-tone=amber]").first).to_be_visible()
    await expect(page.locator("#accept-person")).to_have_value("张师傅")
    await expect(page.locator("[data-pad]")).to_have_attribute("data-signed", "yes")


async def test_shares_are_added_up_while_typing(office: OfficeStage, page: Page) -> None:
    found = await office.reviewed(await office.new(WATER))
    await sign_in(page, office.stage, "manager")
    await page.goto(f"{office.stage.url}/escalations/{found.escalation_id}")
    await page.fill("[name=shares-crew]", "69.99")
    await page.fill("[name=shares-company]", "30")
    await expect(page.locator("[data-sum-line]")).to_contain_text("还差 0.01")
    await page.fill("[name=shares-crew]", "70")
    await expect(page.locator("[data-sum-line]")).to_contain_text("正好")
    await page.fill("[name=with_head]", "陈建国")
    await page.press("[name=with_head]", "Control+Enter")
    await expect(page.locator("[data-saved]")).to_contain_text("已界定责任")
    now = await office.crm.complaints.escalations.get(office.who("manager"), found.escalation_id)
    assert now.state is EscalationState.LIABILITY


async def test_the_general_manager_decides_from_the_list(office: OfficeStage, page: Page) -> None:
    found = await office.requested(await office.new(WATER))
    await sign_in(page, office.stage, "boss")
    await expect(page).to_have_url(office.stage.url + "/approvals")
    await page.click(f"text={found.header.no}")
    await expect(page.locator(".why")).to_contain_text("您可以审批")
    await page.click("label:has-text('同意') >> nth=0")
    await page.click("text=签字 >> nth=-1")
    await expect(page.locator("[data-saved]")).to_contain_text("已审批")


async def test_the_captains_visit_on_a_telephone(office: OfficeStage, phone: Watched) -> None:
    await office.set_warranty()
    repair, page = await office.appointed(ahead=HOUR), phone.page
    await sign_in(page, office.stage, "captain")
    await expect(page).to_have_url(office.stage.url + "/captain")
    await page.click(f"[data-case='{repair.case_id}'] a")
    await page.click("text=出发了")
    await expect(page.locator("[data-saved]")).to_contain_text("已记录出发")
    await page.click("text=到了")
    await expect(page.locator("[data-saved]")).to_contain_text("已记录到达")
    office.clock.advance(HOUR)
    await page.select_option("#step-finish-outcome", "fixed")
    await page.fill("#step-finish-result", "换了地漏，闭水试验正常")
    large = FilePayload(name="IMG_1.png", mimeType="image/png", buffer=noise(2600, 1300))
    await page.set_input_files("#step-finish-photos", [large])
    await expect(page.locator("[data-chosen]").first).to_have_text("已选 1 张")
    await draw(page)
    await page.click("button:has-text('完成上门')")
    await expect(page.locator("[data-saved]")).to_contain_text("已记录这次上门")
    await expect(page.locator(".ink-picture")).to_be_visible()
    await expect(page.locator(".pictures img")).to_have_count(1)
    files = await office.crm.repairs.attachments.of_case(office.who("captain"), repair.case_id)
    sizes = {(file.width, file.height) for file in files if file.purpose is Purpose.PHOTO}
    assert sizes == {(2000, 1000)}
    await page.click("a.primary:has-text('核算费用')")
    await page.fill("#labour", "200")
    await page.fill("#material-0-item", "地漏")
    await page.fill("#material-0-quantity", "2")
    await page.fill("#material-0-price", "35.50")
    await expect(page.locator("[data-total]")).to_have_text("271.00")
    await expect(page.locator("[data-kind]")).to_contain_text("非正常维修")
    await page.click("text=其余由施工队承担")
    await expect(page.locator("[data-sum-line]")).to_contain_text("正好")
    await page.click("text=保存核算单")
    await expect(page.locator("[data-saved]")).to_contain_text("等客服部主管签字")
    cost = await office.crm.repairs.costs.of_repair(office.who("captain"), repair.case_id)
    assert cost.total == Decimal("271.00")
