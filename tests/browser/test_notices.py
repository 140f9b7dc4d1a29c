"""The bell on every page, and the list of notices, in a real browser."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from app.notice_wiring import Staff, unwanted
from crm.notices.domain import Channel, NoticeRequest
from crm.notices.messages import MessageQueue
from crm.notices.ports import Permanent
from crm.notices.service import Notices
from tests.browser.conftest import on_duty, sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.notices import FakeSender, NoticeStage
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser


async def give(
    stage: Stage,
    code: str = "limit.breached",
    no: str = "TS20261122-0001",
    to: str = "role:agent",
    link: str = "",
) -> None:
    """Give a notice as another part of the centre would."""
    queue = MessageQueue(stage.clock, Staff(), unwanted)
    notices = Notices(stage.clock, stage.bus, queue)
    now = stage.clock.now()
    parameters = {
        "no": no,
        "limit": "TS.T1",
        "due_at": (now - timedelta(minutes=5)).isoformat(),
        "department": "工程部",
        "percent": "80",
    }
    request = NoticeRequest(code=code, key=f"{code}|{no}|{to}", parameters=parameters, also=(to,), link=link)
    async with stage.database.transaction() as session:
        assert await notices.give(session, request)


async def test_the_bell_counts_live_on_every_page(stage: Stage, page: Page) -> None:
    await give(stage, "limit.warned")
    await on_duty(page, stage)
    count = page.locator("#bell-count")
    await expect(count).to_have_text("1")
    await expect(page.locator("#bell")).to_have_attribute("aria-label", "通知，1 条未读")
    await give(stage, no="TS20261122-0002")
    await expect(count).to_have_text("2")
    await expect(page.locator("#toast")).to_contain_text("已超时：TS20261122-0002 投诉受理")
    await expect(page.locator("#bell")).to_have_attribute("data-severity", "urgent")
    # The desk goes on over the same connection.
    call = await stage.ring("13800138001")
    await expect(page.locator("#state")).to_have_attribute("data-state", "ringing")
    await stage.stop_ringing(call)
    # A page without a live connection of its own has one for the bell.
    await page.goto(stage.url + "/calls")
    await expect(count).to_have_text("2")
    await give(stage, no="TS20261122-0003")
    await expect(count).to_have_text("3")


async def test_the_list_is_read_with_the_keyboard(stage: Stage, page: Page) -> None:
    await give(stage, "limit.warned", link="/calls")
    await give(stage, no="TS20261122-0002", link="/callbacks")
    await sign_in(page, stage, "agent")
    await expect(page.locator("#bell-count")).to_have_text("2")
    await page.focus("#bell")
    await page.keyboard.press("Enter")
    items = page.locator("#notices li")
    await expect(items).to_have_count(2)
    await expect(items.first).to_contain_text("已超时：TS20261122-0002 投诉受理")
    await expect(items.first).to_contain_text("工程部")
    # Keys count from when the page's scripts are there.
    await page.wait_for_load_state("load")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/callbacks")
    await expect(page.locator("#bell-count")).to_have_text("1")
    await page.goto(stage.url + "/notices?which=unread")
    await expect(items).to_have_count(1)
    await page.get_by_role("button", name="全部标为已读").click()
    await expect(page.locator(".empty")).to_have_text("没有通知。")
    await expect(page.locator("#bell")).to_have_attribute("aria-label", "通知，没有未读")
    await give(stage, no="TS20261122-0009")
    await expect(page.locator("#fresh")).to_be_visible()
    await page.click("#fresh a")
    await expect(items).to_have_count(1)


async def test_both_languages_and_hostile_words(stage: Stage, page: Page) -> None:
    await give(stage, no='<img src=x onerror="alert(1)">')
    await sign_in(page, stage, "agent")
    await page.click("button[lang=en]")
    await page.goto(stage.url + "/notices")
    first = page.locator("#notices li").first
    await expect(first).to_contain_text('Overdue: <img src=x onerror="alert(1)">, accepting the complaint')
    await expect(page.locator("#bell")).to_have_attribute("aria-label", "Notices, 1 unread")
    await give(stage, no="<b>2</b>")
    await expect(page.locator("#toast")).to_contain_text("Overdue: <b>2</b>")


async def test_somebody_elses_notices_are_not_told(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await sign_in(page, stage, "supervisor")
    await give(stage)
    await give(stage, "limit.warned", to="role:supervisor")
    await expect(page.locator("#bell-count")).to_have_text("1")
    await page.goto(stage.url + "/notices")
    await expect(page.locator("#notices li")).to_have_count(1)
    await page.goto(stage.url + "/notices/outgoing")
    await expect(page.locator("h1")).to_have_text("没有权限")
    watched.expect("403")


async def test_an_administrator_tries_a_failed_message_again(stage: Stage, page: Page) -> None:
    admin = await stage.accounts.users.get("admin")
    outside = NoticeStage(stage.database, stage.clock)
    await outside.address(admin.user_id, Channel.EMAIL, "admin@example.com")
    await give(stage, "limit.red", to="role:administrator")
    outside.sender = FakeSender(outcomes=[Permanent("the mail server refuses the address (550)")])
    worker = outside.worker()
    await worker.run_once()
    await sign_in(page, stage, "admin")
    await page.goto(stage.url + "/notices/outgoing")
    row = page.locator("tbody tr")
    await expect(row).to_contain_text("a***@example.com")
    await expect(row).to_contain_text("管理员")
    await expect(row).to_contain_text("邮件服务器拒收该地址 (550)")
    await row.get_by_role("button", name="再试一次").click()
    await expect(page.locator(".empty")).to_have_text("没有消息。")
    await worker.run_once()
    await page.goto(stage.url + "/notices/outgoing?state=sent")
    await expect(row).to_contain_text("已发出")


@pytest.mark.parametrize("width", ["desktop", "telephone"])
async def test_the_list_fits_the_screen(stage: Stage, page: Page, width: str) -> None:
    if width == "telephone":
        await page.set_viewport_size(TELEPHONE)
    for n in range(4):
        await give(stage, "limit.breached" if n % 2 else "limit.warned", no=f"TS20261122-000{n}")
    await sign_in(page, stage, "agent")
    await page.goto(stage.url + "/notices")
    await expect(page.locator("#bell-count")).to_have_text("4")
    await expect(page.locator("#bell")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
