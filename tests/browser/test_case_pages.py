"""Cases in a real browser: registered beside a call by keyboard, nothing typed is lost, pages stay fresh."""

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from crm.complaint_input import NewCallback
from crm.domain.complaint import Verdict
from tests.browser.conftest import on_duty, sign_in
from tests.integration.test_case_pages import PEOPLE, actor, complaint
from tests.support.chromium import TELEPHONE, Watched
from tests.support.waiting import eventually
from tests.support.web_stage import PASSWORD, Stage
from web.crm_part import CRM

pytestmark = pytest.mark.browser

CUSTOMER = "13800138001"


@pytest_asyncio.fixture(loop_scope="session")
async def people(stage: Stage) -> None:
    for login, name, role, department in PEOPLE:
        await stage.accounts.users.create(
            login=login, password=PASSWORD, role=role, display_name=name, department=department
        )


async def test_a_complaint_is_registered_beside_the_call_by_keyboard(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    call = await stage.ring(CUSTOMER, menu_path=("投诉",))
    await stage.answer(call)
    await expect(page.locator("#customer .name")).to_contain_text("王建军")
    await page.focus("#notes")
    await page.keyboard.type("客户很急")
    await page.keyboard.press("Escape")
    async with page.context.expect_page() as opened:
        await page.keyboard.press("t")
    form = await opened.value
    await expect(form.locator(".known-name")).to_contain_text("王建军")
    await expect(form.locator("#content")).to_be_focused()
    await form.keyboard.type("卫生间漏水，楼下找上门了")
    await expect(form.locator("#said")).to_have_text("卫生间漏水，楼下找上门了")
    await form.keyboard.press("Tab")
    await form.keyboard.type("当天来人")
    await form.locator("[data-part=kind]").first.focus()
    await form.locator("[data-part=kind]").first.select_option("1.waterproof")
    await expect(form.locator("[data-auto]").first).to_have_text("自动：工程部")
    # Water that comes through to the neighbours is a hazard: a serious one, it proposes (domain.md §1.3).
    await expect(form.locator("[name=severity][value='2']")).to_be_checked()
    await form.keyboard.press("Alt+l")
    await expect(form.locator("[data-line]")).to_have_count(2)
    await expect(form.locator("[data-line]").nth(1).locator("[data-part=kind]")).to_be_focused()
    await form.locator("[data-line]").nth(1).locator("[data-part=kind]").select_option("6.manner")
    await form.keyboard.press("Control+Enter")
    await expect(form.locator("[role=alert]")).to_contain_text("请检查标红的地方")
    await expect(form.locator("#content")).to_have_value("卫生间漏水，楼下找上门了")
    await form.check("#read_back")
    await form.locator("[data-line]").nth(1).locator("[data-part=department]").select_option("DES")
    await form.keyboard.press("Control+Enter")
    await form.wait_for_url("**/cases/*?done=registered")
    await expect(form.locator(".form-done")).to_contain_text("已登记，单号 TS")
    await expect(form.locator(".case-line")).to_have_count(2)
    await expect(form.locator("#case")).to_contain_text("卫生间漏水，楼下找上门了")
    # The call's page was not left: its notes are still there.
    await expect(page.locator("#notes")).to_have_value("客户很急")


async def test_what_is_typed_survives_a_closed_tab(stage: Stage, page: Page) -> None:
    known = await complaint(stage)
    await sign_in(page, stage, "agent")
    address = f"{stage.url}/cases/new?customer={known.header.customer_id}"
    await page.goto(address)
    await page.fill("#content", "木门关不上")
    await page.keyboard.press("Alt+l")
    await page.locator("[data-part=cause]").nth(1).fill("门套变形")

    async def kept() -> bool:
        return bool(await page.evaluate("Object.values(localStorage).join().includes('门套变形')"))

    await eventually(kept)
    await page.goto(stage.url + "/cases")
    await page.goto(address)
    await expect(page.locator("#content")).to_have_value("木门关不上")
    await expect(page.locator("[data-part=cause]").nth(1)).to_have_value("门套变形")
    await page.locator("[data-part=kind]").nth(0).select_option("8.late")
    await page.locator("[data-part=kind]").nth(1).select_option("4.defect")
    await page.check("#read_back")
    await page.click("#save")
    await page.wait_for_url("**/cases/*?done=registered")
    await page.goto(address)
    await expect(page.locator("#content")).to_have_value("")


async def test_the_same_matter_is_counted_and_not_written_twice(stage: Stage, page: Page) -> None:
    known = await complaint(stage)
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/cases/new?customer={known.header.customer_id}")
    row = page.locator(".known li").filter(has_text=known.no)
    await row.get_by_role("button", name="客户再次来电").click()
    await page.wait_for_url(f"**/cases/{known.case_id}?done=called_again")
    await expect(page.locator("#case")).to_contain_text("来电 2 次")
    await expect(page.locator(".case-title")).to_contain_text("严重")


async def test_a_case_page_is_fresh_and_leaves_what_is_being_written(
    stage: Stage, page: Page, people: None
) -> None:
    view = await complaint(stage)
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/cases/{view.case_id}")
    await page.locator("#step-severity summary").click()
    await page.locator("#step-severity-reason").fill("家里有老人")
    assert stage.app is not None
    services = stage.app[CRM].complaints
    eng = await actor(stage, "eng")
    line = view.lines[0]
    await services.work.reject(eng, line.line_id, line.version, "不是我们的问题")
    await expect(page.locator(".case-line")).not_to_contain_text("不是我们的问题")
    await page.locator("h1").click()
    await page.locator("#step-severity-reason").blur()
    await expect(page.locator(".case-line")).to_contain_text("不是我们的问题")
    await expect(page.locator("#next-title")).to_contain_text("部门退回了")
    await expect(page.locator("#step-severity-reason")).to_have_value("家里有老人")


async def test_a_saved_page_of_before_shows_what_changed(
    stage: Stage, watched: Watched, people: None
) -> None:
    page = watched.page
    view = await complaint(stage)
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/cases/{view.case_id}")
    await page.locator("#step-severity summary").click()
    await page.locator("#step-severity-severity").select_option("2")
    await page.locator("#step-severity-reason").fill("家里有老人")
    assert stage.app is not None
    services = stage.app[CRM].complaints
    eng = await actor(stage, "eng")
    line = view.lines[0]
    await services.work.reject(eng, line.line_id, line.version, "不是我们的问题")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".changed")).to_contain_text("陈建国 部门退回")
    await expect(page.locator("#step-severity-reason")).to_have_value("家里有老人")
    await page.locator("#step-severity-reason").focus()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".form-done")).to_contain_text("已更改严重程度")
    watched.expect("412")


async def test_the_callback_is_written_down_and_the_case_closed(
    stage: Stage, page: Page, people: None
) -> None:
    view = await complaint(stage)
    assert stage.app is not None
    services, agent = stage.app[CRM].complaints, await actor(stage, "agent")
    eng, line = await actor(stage, "eng"), view.lines[0]
    await services.work.reject(eng, line.line_id, line.version, "客户弄错了")
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/cases/{view.case_id}")
    await page.locator(f"#step-unfounded-{line.line_id} summary").click()
    await expect(page.locator(f"#step-unfounded-{line.line_id}-reason")).to_be_focused()
    await page.keyboard.type("与客户核对过，不属实")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#next-title")).to_contain_text("回访客户")
    await page.locator("#step-callback-verdict").select_option("satisfied")
    await page.locator("#step-callback-problem").select_option("solved")
    await page.locator("#step-callback-timeliness").select_option("timely")
    await page.locator("#step-callback-note").fill("客户说弄清楚了")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".form-done")).to_contain_text("已记录回访")
    await expect(page.locator("#next-title")).to_contain_text("结案")
    await page.locator("#step-close-form .button.primary").click()
    await expect(page.locator(".form-done")).to_contain_text("已结案")
    await expect(page.locator("#next-title")).to_contain_text("已经办结")
    closed = await services.complaints.get(agent, view.case_id)
    assert closed.header.closed_at is not None
    assert closed.callbacks[-1].verdict == Verdict.SATISFIED.value
    assert NewCallback(verdict=Verdict.SATISFIED).call_id is None


async def test_lists_hear_of_new_cases_and_are_walked_by_keyboard(
    stage: Stage, page: Page, people: None
) -> None:
    first = await complaint(stage)
    await sign_in(page, stage, "agent")
    await page.goto(stage.url + "/cases")
    await expect(page.locator(".case-row")).to_have_count(1)
    second = await complaint(stage, content="客厅吊顶开裂", hand_off=None)
    await expect(page.locator(".case-row")).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await expect(page.locator(".case-link").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/cases/0*")
    await page.goto(stage.url + "/my-day")
    await expect(page.locator(".unfinished")).to_contain_text("今天未完成：")
    await expect(page.locator("[data-part=returned]")).to_contain_text(second.no)
    await page.goto(stage.url + "/handoffs")
    await expect(page.locator(".case-row")).to_contain_text(first.no)
    await expect(page.locator(".due").first).to_contain_text("还剩")


async def test_a_repair_warns_of_a_home_that_is_not_finished(stage: Stage, page: Page) -> None:
    known = await complaint(stage)
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/cases/new?kind=repair&customer={known.header.customer_id}")
    await expect(page.locator(".warranty-warning")).to_contain_text("工程还没有完工")
    await page.keyboard.type("地漏返水")
    await page.fill("#place", "卫生间")
    await page.locator("#route").select_option("captain")
    await page.locator("#reason").select_option("customer_demand")
    await page.check("#read_back")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_url("**/cases/*?done=registered")
    await expect(page.locator("h1")).to_contain_text("BX")
    await expect(page.locator("#next-title")).to_contain_text("通知维修方")
    await page.locator("#step-notify-way").select_option("phone")
    await page.fill("#step-notify-whom", "马师傅")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#next-title")).to_contain_text("维修方联系客户")


@pytest.mark.parametrize("path", ["/cases", "/my-day", "/handoffs", "/cases/new", "case"])
async def test_nothing_is_wider_than_a_telephone(stage: Stage, page: Page, path: str) -> None:
    view = await complaint(stage, content="长" * 2000)
    await page.set_viewport_size(TELEPHONE)
    await sign_in(page, stage, "agent")
    await page.goto(stage.url + (f"/cases/{view.case_id}" if path == "case" else path))
    assert await page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"]
