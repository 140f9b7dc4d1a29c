"""Journeys on the real line: SIPp calls, Asterisk queues, the service follows, Chromium shows."""

import contextlib
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from telephony.domain.agent_state import AgentState
from tests.support.centre import LOGINS, PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, TELEPHONE, Watched, visitor
from tests.support.pbx import HOTLINE
from tests.support.ports import free_port
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser

WANG = "13800138001"
FAMILY = "13800138005"
STRANGER = "13999990000"
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
TICKING = re.compile(r"0:0[1-9]")
HOSTILE = "<img src=x onerror=alert(1)>\\\"'😀\u202e{{7*7}}" + "长" * 200


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningCentre]:
    """A centre that all journeys of this module share; each leaves it as it found it."""
    folder = tmp_path_factory.mktemp("centre")
    async with running_centre(folder, web={"port": free_port()}, centre={"hotline": HOTLINE}) as centre:
        yield centre


@contextlib.asynccontextmanager
async def signed_in(line: RunningCentre, browser: Browser, login: str) -> AsyncIterator[Watched]:
    """Somebody who has signed in on the login page; console errors fail the journey."""
    async with visitor(browser, viewport=DESKTOP) as watched:
        page = watched.page
        await page.goto(line.url)
        await page.fill("#login", login)
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(lambda url: "sign-in" not in url)
        yield watched


@contextlib.asynccontextmanager
async def agent(line: RunningCentre, browser: Browser, number: str = "1001") -> AsyncIterator[Watched]:
    """An agent in front of the page who takes calls; off duty again afterwards, with nothing unwritten."""
    agent_id = await line.agent_id(number)
    try:
        async with signed_in(line, browser, LOGINS[number]) as watched:
            await watched.page.click("#sign-in")
            await state_is(watched.page, "available")
            await eventually(lambda: standing(line, number), what="a member of the queues")
            yield watched
    finally:
        await eventually(line.pbx.idle, timeout=10, what="every call is over")
        await off_duty(line, agent_id)


async def off_duty(line: RunningCentre, agent_id: str) -> None:
    async def signed_out() -> bool:
        desk = line.service.desk
        for unwritten in await desk.unsaved_wrap_ups(agent_id):
            await desk.save_wrap_up(agent_id, unwritten.call_id, disposition="call_back")
        return (await desk.sign_out(agent_id)).state is AgentState.SIGNED_OUT

    await eventually(signed_out, timeout=10, interval=0.1)


async def standing(line: RunningCentre, number: str, queue: str = "service") -> str:
    """The line of ``queue show`` about an agent, empty for who is no member."""
    shown = await line.pbx.cli(f"queue show {queue}")
    return next((row for row in shown.splitlines() if f"PJSIP/{number}" in row), "")


async def state_is(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_attribute("data-state", state)


async def save_by_keyboard(page: Page, key: str, notes: str) -> None:
    """Choose a disposition by its number, write, save."""
    await expect(page.locator("#wrap-up")).to_have_attribute("data-open", "yes")
    await page.keyboard.press(key)
    await page.keyboard.press("n")
    await page.keyboard.type(notes)
    await page.keyboard.press("Control+Enter")
    await state_is(page, "available")


async def test_a_complaint_from_the_ring_to_the_customers_record(
    line: RunningCentre, browser: Browser
) -> None:
    async with (
        agent(line, browser) as watched,
        signed_in(line, browser, "shenj") as supervisor,
        agent_phone(line.pbx, "1001") as phone,
    ):
        page, board = watched.page, supervisor.page
        await expect(board.locator("#agents tr", has_text="周晓梅")).to_contain_text("空闲")
        await expect(board.locator("#calls-empty")).to_be_visible()
        async with customer(line.pbx, number=WANG, name="王建军") as caller:
            await choose(caller, "1")
            ring = await phone.rings(within=20)

            # before the telephone is picked up, the page shows who it is
            await state_is(page, "ringing")
            card = page.locator("#customer")
            await expect(card.locator(".name")).to_contain_text("王建军")
            await expect(card.locator(".level")).to_have_text("A")
            await expect(card).to_contain_text("朝阳区建国路88号3单元502室")
            await expect(card.locator(".stages [aria-current]")).to_have_text("隐蔽")
            await expect(card).to_contain_text("赵师傅施工队")
            await expect(card).to_contain_text("刘铁柱")
            await expect(page.locator("#cases")).to_contain_text("项目经理三天没有到工地")
            await expect(page.locator("#contacts li")).to_have_count(3)
            await expect(page.locator("#call-number")).to_have_text("138 0013 8001")
            await expect(page.locator("#call-path")).to_have_text("投诉")
            await expect(page.locator("#call-queue")).to_have_text("投诉热线")
            await expect(page.locator("#call-wait")).to_have_text(TICKING)
            await expect(board.locator("#calls tr")).to_contain_text("振铃")

            await ring.answer()
            await state_is(page, "on_call")
            await expect(page.locator("#call-talk")).to_have_text(TICKING)
            await expect(board.locator("#calls tr")).to_contain_text("通话中")
            await expect(board.locator("#calls tr")).to_contain_text("1001")
            await caller.hang_up()
        await state_is(page, "wrap_up")
        customer_href = await card.locator("a").get_attribute("href")
        await save_by_keyboard(page, "2", "项目经理仍未到场，已转工程部")
        await expect(board.locator("#calls-empty")).to_be_visible()

        await board.click("nav >> text=通话记录")
        row = board.locator("#results tbody tr").first
        await expect(row).to_contain_text("已接通")
        await row.locator("a").click()
        happened = board.locator(".events li")
        await expect(happened.first).to_contain_text("呼入")
        for kind in ("导航", "进入队列", "振铃", "接通"):
            await expect(happened.locator("b", has_text=kind).first).to_be_visible()
        await expect(happened.last).to_contain_text("主叫方先挂机")
        await expect(board.locator("main")).to_contain_text("已登记投诉")
        newest = page.locator("main section").last.locator("li").first

        async def written() -> bool:
            await page.goto(f"{line.url}{customer_href}")
            return "已登记投诉" in await newest.inner_text()

        await eventually(written, what="on the customer's time line")
        await expect(newest).to_contain_text("项目经理仍未到场，已转工程部")


async def test_a_stranger_with_a_hostile_name_is_an_empty_form(line: RunningCentre, browser: Browser) -> None:
    async with agent(line, browser, "1002") as watched, agent_phone(line.pbx, "1002") as phone:
        page = watched.page
        async with customer(line.pbx, number=STRANGER, name=HOSTILE) as caller:
            await choose(caller, "2")
            ring = await phone.rings(within=20)
            await expect(page.locator("#new-number")).to_have_value("139 9999 0000")
            await expect(page.locator("#call-name")).to_contain_text("<img src=x onerror=alert(1)>")
            assert await page.locator("#call-name *").count() == 0
            assert await page.evaluate(FITS)
            await ring.answer()
            await page.fill("#new-name", "钱多多")
            await page.fill("#new-address", "丰台区方庄芳古园一区8号楼")
            await caller.hang_up()
        await state_is(page, "wrap_up")
        await page.keyboard.press("Escape")
        await save_by_keyboard(page, "3", "厨房漏水")
        await page.set_viewport_size(TELEPHONE)
        await page.goto(f"{line.url}/calls")
        assert await page.evaluate(FITS)
        await page.locator("#results tbody tr a").first.click()
        await expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
        await expect(page.locator("main")).to_contain_text("来电人：钱多多")
        await expect(page.locator("main")).to_contain_text("厨房漏水")
        assert await page.evaluate(FITS)


async def test_a_shared_number_is_a_choice_and_a_reload_shows_the_truth(
    line: RunningCentre, browser: Browser
) -> None:
    async with agent(line, browser) as watched, agent_phone(line.pbx, "1001") as phone:
        page = watched.page
        async with customer(line.pbx, number=FAMILY) as caller:
            await choose(caller, "1")
            ring = await phone.rings(within=20)
            await expect(page.locator(".choice")).to_have_count(3)
            await ring.answer()
            await state_is(page, "on_call")
            await page.keyboard.press("2")
            await expect(page.locator("#customer .name")).to_contain_text("刘敏")
            await page.keyboard.press("n")
            await page.keyboard.type("想改开工日期")

            await page.reload()
            await state_is(page, "on_call")
            await expect(page.locator("#customer .name")).to_contain_text("刘敏")
            await expect(page.locator("#notes")).to_have_value("想改开工日期")
            await expect(page.locator("#call-number")).to_have_text("138 0013 8005")
            other = await page.context.new_page()
            await other.goto(line.url)
            await state_is(other, "on_call")
            await expect(other.locator("#customer .name")).to_contain_text("刘敏")
            await ring.hang_up()
            assert await caller.ended() == "far"
        await state_is(other, "wrap_up")
        await state_is(page, "wrap_up")
        await page.locator("body").press("Escape")
        await page.locator("[value=answered_enquiry]").check()
        await page.keyboard.press("Control+Enter")
        await state_is(page, "available")
        await state_is(other, "available")


async def test_the_service_restarts_in_the_middle_of_a_call(line: RunningCentre, browser: Browser) -> None:
    async with agent(line, browser) as watched, agent_phone(line.pbx, "1001") as phone:
        page = watched.page
        async with customer(line.pbx, number=WANG) as caller:
            await choose(caller, "1")
            ring = await phone.rings(within=20)
            await ring.answer()
            await state_is(page, "on_call")
            await line.stop_service()
            await expect(page.locator("#banner")).to_contain_text("连接断了")
            await page.fill("#notes", "断线时写的")
            heard = ring.ear.packets
            await line.restart_service()
            await expect(page.locator("#banner")).to_be_empty()
            await state_is(page, "on_call")
            await expect(page.locator("#customer .name")).to_contain_text("王建军")
            assert ring.ear.packets > heard  # the call went on
            await caller.hang_up()
        await state_is(page, "wrap_up")
        await expect(page.locator("#notes")).to_have_value("断线时写的")
        await page.locator("[value=answered_enquiry]").check()
        await page.keyboard.press("Control+Enter")
        await state_is(page, "available")
        for wanted in ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"):
            watched.expect(wanted)


async def test_asterisk_restarts_and_the_agent_is_a_member_again(
    line: RunningCentre, browser: Browser
) -> None:
    async with agent(line, browser) as watched, agent_phone(line.pbx, "1001") as phone:
        page = watched.page
        async with customer(line.pbx, number=WANG) as caller:
            await choose(caller, "1")
            await (await phone.rings(within=20)).answer()
            await state_is(page, "on_call")
            await line.pbx.server.stop()
            await expect(page.locator("#banner")).to_contain_text("与电话系统的连接断了")
            await line.pbx.server.start()
            await expect(page.locator("#banner")).to_be_empty()
        await state_is(page, "wrap_up")  # Asterisk took the call with it
        await page.locator("[value=answered_enquiry]").check()
        await page.keyboard.press("Control+Enter")
        await state_is(page, "available")
        await eventually(lambda: standing(line, "1001"), timeout=10, what="a member again")
        async with customer(line.pbx, number=WANG) as caller:
            await choose(caller, "1")
            await phone.rings(within=20)
            await state_is(page, "ringing")
            await caller.hang_up()
        await state_is(page, "available")


async def test_a_break_in_english_reaches_the_queue_and_so_does_its_end(
    line: RunningCentre, browser: Browser
) -> None:
    async with agent(line, browser, "1003") as watched:
        page = watched.page
        await page.click("button[lang=en]")
        await expect(page.locator("#state-name")).to_have_text("Available")
        await page.click("#pause-open")
        await page.click("[data-pause=lunch]")
        await expect(page.locator("#state-name")).to_have_text("Break")
        await eventually(lambda: member_is(line, "1003", paused=True), what="paused in the queue")
        await page.keyboard.press("r")
        await expect(page.locator("#state-name")).to_have_text("Available")
        await eventually(lambda: member_is(line, "1003", paused=False), what="in the queue again")
        await page.click("#sign-out")
        await expect(page.locator("#state-name")).to_have_text("Signed out")
        await eventually(lambda: member_is(line, "1003", there=False), what="no member any more")
        await page.click("#sign-in")
        await expect(page.locator("#state-name")).to_have_text("Available")
        await page.click("button[lang=zh-CN]")
        await expect(page.locator("#state-name")).to_have_text("空闲")
        await page.click("text=退出")
        await expect(page.locator("#login")).to_be_visible()
        await eventually(lambda: member_is(line, "1003", there=False), what="no member any more")
        await page.goto(f"{line.url}/agent")
        await expect(page.locator("#login")).to_be_visible()


async def member_is(line: RunningCentre, number: str, *, there: bool = True, paused: bool = False) -> bool:
    row = await standing(line, number)
    return bool(row) is there and ("paused" in row) is paused
