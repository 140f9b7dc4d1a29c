"""The agent's page in a real browser: the pop, the clocks, the wrap-up, and things that break."""

import json
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from kernel.access import Actor, Role
from telephony.dispositions import DispositionBook, DispositionText
from telephony.domain.disposition import Need
from tests.browser.conftest import on_duty, sign_in
from tests.support.chromium import DESKTOP, TELEPHONE, Watched
from tests.support.waiting import eventually
from tests.support.web_stage import PASSWORD, Stage

pytestmark = pytest.mark.browser

WANG = "13800138001"
FAMILY = "13800138005"
STRANGER = "13911112222"


async def state_is(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_attribute("data-state", state)


async def test_a_call_from_the_ring_to_the_saved_wrap_up(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    await expect(page.locator("#next-step")).to_have_text("等待来电")
    assert len(page.workers) == 1  # the heart of the page, which beats while it is hidden

    call = await stage.ring(WANG, menu_path=("投诉", "施工质量"), waited=timedelta(seconds=12))
    customer = page.locator("#customer")
    await expect(customer.locator(".name")).to_contain_text("王建军")
    await state_is(page, "ringing")
    await expect(customer.locator(".level")).to_have_text("A")
    await expect(customer).to_contain_text("合同金额达到A级标准")
    await expect(customer).to_contain_text("赵师傅施工队")
    await expect(customer).to_contain_text("刘铁柱")
    await expect(customer.locator(".stages [aria-current]")).to_have_text("隐蔽")
    await expect(page.locator("#cases li")).to_have_count(1)
    await expect(page.locator("#contacts li")).to_have_count(3)
    await expect(page.locator("#call-number")).to_have_text("138 0013 8001")
    await expect(page.locator("#call-greeting")).to_contain_text("您好，安居装饰客服")
    await expect(page.locator("#call-greeting")).to_be_visible()
    await expect(page.locator("#call-path")).to_have_text("投诉 › 施工质量")
    await expect(page.locator("#call-queue")).to_have_text("投诉热线")
    before = await page.locator("#call-wait").inner_text()
    await expect(page.locator("#call-wait")).not_to_have_text(before)  # it ticks
    await expect(page.locator("#notes")).to_be_disabled()

    await stage.answer(call)
    await state_is(page, "on_call")
    await expect(page.locator("#call-phase")).to_have_text("正在通话")
    await expect(page.locator("#call-talk")).to_have_text("0:01")
    await page.keyboard.press("n")
    await page.keyboard.type("厨房瓷砖空鼓")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#toast")).to_contain_text("通话结束后再保存")

    await stage.hang_up(call)
    await state_is(page, "wrap_up")
    await expect(page.locator("#wrap-up")).to_have_attribute("data-open", "yes")
    await expect(page.locator("#wrap-left")).to_contain_text("剩余")
    await page.keyboard.press("Escape")
    await page.keyboard.press("2")
    await expect(page.locator("[value=complaint_logged]")).to_be_checked()
    await page.keyboard.press("Control+Enter")
    await state_is(page, "available")
    saved = await stage.desk.wrap_up(stage.agents[stage.agent_number], call)
    assert saved is not None
    assert (saved.disposition, saved.notes) == ("complaint_logged", "厨房瓷砖空鼓")
    assert saved.customer_id is not None
    await expect(page.locator("#notes")).to_have_value("")
    await page.goto(f"{stage.url}/customers/{saved.customer_id}")
    await expect(page.locator(f'a[href="/calls/{call}"]')).to_be_visible()


async def test_a_family_that_shares_a_number_is_a_choice_by_key(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    call = await stage.ring(FAMILY)
    await expect(page.locator(".choice")).to_have_count(3)
    await stage.answer(call)
    await expect(page.locator("#next-step")).to_contain_text("请问是哪一位客户")
    await page.keyboard.press("2")
    await expect(page.locator("#customer .name")).to_contain_text("刘敏")
    await page.click("#customer button")
    await page.keyboard.press("0")
    await expect(page.locator("#new-number")).to_have_value("138 0013 8005")
    await page.click("#customer .project button")
    await page.keyboard.press("1")
    await expect(page.locator("#customer .name")).to_contain_text("刘洋")
    await stage.hang_up(call)
    await page.keyboard.press("1")
    await page.keyboard.press("Control+Enter")
    await state_is(page, "available")
    saved = await stage.desk.wrap_up(stage.agents[stage.agent_number], call)
    (liu, *_) = await stage.directory.search("刘洋")
    assert saved is not None
    assert saved.customer_id == liu.customer_id


async def test_an_unknown_caller_is_a_form_and_nothing_typed_is_lost(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    call = await stage.ring(STRANGER, queue="service")
    await expect(page.locator("#new-number")).to_have_value("139 1111 2222")
    await page.fill("#new-name", "钱多多")  # before the phone is even picked up
    await stage.answer(call)
    await state_is(page, "on_call")
    await expect(page.locator("#new-name")).to_have_value("钱多多")
    await page.select_option("#new-salutation", "女士")
    await page.fill("#notes", "想了解报价")
    # Gone before the draft was due to be sent, and opened again: everything is there.
    await page.reload()
    await expect(page.locator("#notes")).to_have_value("想了解报价")
    await expect(page.locator("#new-name")).to_have_value("钱多多")
    await expect(page.locator("#new-salutation")).to_have_value("女士")
    await page.locator("#notes").press("End")
    await page.locator("#notes").type("，周末可来店")
    await expect(page.locator("#draft-state")).to_contain_text("草稿已保存")
    # Another machine, which never saw what was typed, gets it from the server.
    await page.evaluate("localStorage.clear()")
    await page.reload()
    await expect(page.locator("#notes")).to_have_value("来电人：钱多多女士\n想了解报价，周末可来店")


async def test_a_session_that_has_ended_loses_nothing_typed(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await on_duty(page, stage)
    call = await stage.ring(WANG)
    await stage.answer(call)
    await state_is(page, "on_call")
    await page.context.clear_cookies()
    await page.fill("#notes", "水管今晚还在漏")
    await expect(page.locator(".ended")).to_contain_text("您写下的内容都还在")
    await page.fill("#login", "agent")
    await page.fill("#password", PASSWORD)
    await page.click("form.card button")
    await page.wait_for_url("**/agent")
    await expect(page.locator("#notes")).to_have_value("水管今晚还在漏")
    watched.expect("401")


async def test_a_wrap_up_that_ran_out_can_be_written_later(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    agent_id = stage.agents[stage.agent_number]
    call = await stage.ring(WANG)
    await stage.answer(call)
    await state_is(page, "on_call")
    await page.fill("#notes", "客户很急")
    await stage.hang_up(call)
    await state_is(page, "wrap_up")
    await stage.end_wrap_up()
    await state_is(page, "available")
    await expect(page.locator("#unfinished")).to_contain_text("客户很急")
    await page.click("#unfinished button")
    await expect(page.locator("#notes")).to_have_value("客户很急")
    await page.keyboard.press("Escape")
    await expect(page.locator("#follow-up")).to_be_hidden()
    await page.keyboard.press("7")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#toast")).to_contain_text("约定回电的时间")
    when = f"{stage.clock.now().astimezone(ZoneInfo('Asia/Shanghai')) + timedelta(days=1):%Y-%m-%dT%H:%M}"
    await page.fill("#follow-up", when)
    await page.reload()
    await page.click("#unfinished button")
    await expect(page.locator("#follow-up")).to_have_value(when)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#unfinished-card")).to_be_hidden()
    saved = await stage.desk.wrap_up(agent_id, call)
    assert saved is not None
    assert (saved.disposition, saved.notes) == (
        "call_back",
        f"约定回电：{when.replace('T', ' ')}\n客户很急",
    )


HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "'\"><svg onload=alert(3)>",
    "王😀\u202eabc\u2066\u200d" * 20,
    "{{7*7}}${7*7}<%= 7*7 %>",
    "长" * 4000,
)


async def test_a_caller_may_be_named_anything(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    for name in HOSTILE_NAMES:
        call = await stage.ring(STRANGER, caller_name=name)
        await expect(page.locator("#call-name")).to_have_text(name)
        assert await page.locator("#call-name *").count() == 0
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await stage.stop_ringing(call, "abandoned")
        await expect(page.locator("#call-name")).to_be_empty()


async def test_a_missed_ring_is_told_and_the_next_step_named(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    call = await stage.ring(WANG)
    await expect(page.locator("#customer .name")).to_be_visible()
    await stage.stop_ringing(call)
    await state_is(page, "available")
    await expect(page.locator("#call-phase")).to_have_text("刚才的来电没有接听")
    await expect(page.locator("#call-number")).to_have_text("138****8001")
    await expect(page.locator("#customer")).to_contain_text("还没有来电")


async def test_a_break_with_a_reason_and_back_by_keyboard(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    await page.keyboard.press("p")
    await page.keyboard.press("Enter")
    await state_is(page, "paused")
    await expect(page.locator("#state-why")).to_have_text("午休")
    await page.keyboard.press("r")
    await state_is(page, "available")
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.locator("#keys-on").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("p")
    await expect(page.locator("#pause-menu")).not_to_have_attribute("open", "")


async def test_a_break_asked_for_during_a_call_waits_and_can_be_taken_back(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    await stage.answer(await stage.ring(WANG))
    await state_is(page, "on_call")
    await page.click("#pause-open")
    await page.click("[data-pause=lunch]")
    await expect(page.locator("#next-more")).to_contain_text("结束后将小休：午休")
    await page.click("#resume")
    await expect(page.locator("#next-more")).to_have_text("")


async def test_the_page_says_when_it_is_cut_off_and_comes_back_with_the_truth(
    stage: Stage, watched: Watched
) -> None:
    page = watched.page
    await on_duty(page, stage)
    call = await stage.ring(WANG)
    await stage.answer(call)
    await state_is(page, "on_call")
    port = int(stage.url.rsplit(":", 1)[1])
    await stage.stop()
    await expect(page.locator("#banner")).to_contain_text("连接断了")
    await expect(page.locator("#next-step")).to_have_text("正在重新连接")
    await page.fill("#notes", "断线时写的")
    await expect(page.locator("#draft-state")).to_contain_text("草稿已存在本机")
    await stage.hang_up(call)
    await stage.start(port)
    await expect(page.locator("#banner")).to_be_empty()
    await state_is(page, "wrap_up")
    agent_id = stage.agents[stage.agent_number]

    async def draft_arrived() -> bool:
        kept = await stage.desk.wrap_up(agent_id, call)
        return kept is not None and kept.draft_notes == "断线时写的"

    await eventually(draft_arrived, timeout=10)
    watched.expect("ERR_CONNECTION_REFUSED")
    watched.expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
    watched.expect("ERR_CONNECTION_RESET")


async def test_an_older_tab_gives_way_and_can_take_over(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    context = page.context
    others = [await context.new_page() for _ in range(4)]
    for other in others:
        await other.goto(stage.url + "/agent")
        await state_is(other, "available")
    await expect(page.locator("#banner")).to_contain_text("在别的窗口打开了")
    await page.click("#banner button")
    await expect(page.locator("#banner")).to_be_empty()


async def test_nothing_on_the_desk_moves_from_state_to_state(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)

    async def places() -> str:
        script = """() => JSON.stringify(["#state", "#call", "#call-number", ".clocks", "#wrap-up",
            "#dispositions", "#notes", "#wrap-save", "#customer", "#cases"].map((name) => {
                const box = document.querySelector(name).getBoundingClientRect();
                return [name, Math.round(box.x), Math.round(box.y)]; }))"""
        return json.dumps(json.loads(await page.evaluate(script)))

    seen = {"available": await places()}
    call = await stage.ring(WANG, menu_path=("投诉",))
    await expect(page.locator("#customer .name")).to_be_visible()
    await state_is(page, "ringing")
    seen["ringing"] = await places()
    await stage.answer(call)
    await state_is(page, "on_call")
    seen["on_call"] = await places()
    await stage.hang_up(call)
    await expect(page.locator("#wrap-left")).to_contain_text("剩余")
    seen["wrap_up"] = await places()
    await page.keyboard.press("1")
    await page.keyboard.press("Control+Enter")
    await state_is(page, "available")
    await page.keyboard.press("p")
    await page.keyboard.press("Enter")
    await state_is(page, "paused")
    seen["paused"] = await places()
    assert len(set(seen.values())) == 1, seen
    assert await page.evaluate("document.documentElement.scrollHeight") <= DESKTOP["height"]


async def test_the_english_page_shows_a_whole_call_without_scrolling(stage: Stage, page: Page) -> None:
    await sign_in(page, stage, "agent")
    await page.click("button[lang=en]")
    await page.click("#sign-in")
    call = await stage.ring(WANG)
    await stage.answer(call)
    await expect(page.locator("#customer .name")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollHeight") <= DESKTOP["height"]
    await stage.hang_up(call)
    await expect(page.locator("#wrap-left")).to_contain_text("left")
    assert await page.evaluate("document.documentElement.scrollHeight") <= DESKTOP["height"]


async def test_a_telephones_screen_shows_it_all_without_sideways_scrolling(stage: Stage, page: Page) -> None:
    await page.set_viewport_size(TELEPHONE)
    await on_duty(page, stage)
    await stage.answer(await stage.ring(WANG, menu_path=("投诉",)))
    await expect(page.locator("#customer .name")).to_be_visible()
    await state_is(page, "on_call")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in ("#state", "#next-step", "#call-number", "#customer .name", "#notes", "#cases"):
        assert await page.locator(part).is_visible(), part


async def test_every_control_can_be_reached_with_the_tab_key(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    call = await stage.ring(WANG)
    await stage.answer(call)
    await stage.hang_up(call)
    await expect(page.locator("#wrap-left")).to_contain_text("剩余")
    await page.evaluate("document.activeElement.blur()")
    reached: set[str] = set()
    for _ in range(40):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement.id || document.activeElement.name || ''"))
    assert {"pause-open", "sign-out", "help-open", "disposition", "notes", "wrap-save"} <= reached


async def test_the_english_page_has_no_chinese_but_the_records(stage: Stage, page: Page) -> None:
    await sign_in(page, stage, "agent")
    await page.click("button[lang=en]")
    await expect(page.locator("#state-name")).to_have_text("Signed out")
    await page.click("#sign-in")
    await stage.answer(await stage.ring(STRANGER, menu_path=("x",)))
    await expect(page.locator("#state-name")).to_have_text("On a call")
    await expect(page.locator("#new-number")).to_be_visible()
    script = """() => {
        for (const node of document.querySelectorAll(".who, [lang=zh-CN]:not(html)")) node.remove();
        return document.body.innerText + [...document.querySelectorAll("[title],[placeholder],[aria-label]")]
            .map((node) => [node.title, node.placeholder, node.ariaLabel].join(" ")).join(" "); }"""
    text = await page.evaluate(script)
    assert [character for character in text if "\u3400" <= character <= "\u9fff"] == []


async def test_the_outcomes_are_those_of_the_queue(stage: Stage, page: Page) -> None:
    book = DispositionBook(stage.database, stage.clock)
    manager = Actor(user_id="0" * 26, name="孟经理", role=Role.MANAGER)
    water = DispositionText(label_zh="漏水", label_en="Leak", queues=frozenset({"repair"}), position=90)
    group = await book.put(manager, None, water, expected=None)
    roof = replace(water, label_zh="屋面", parent=group.code, needs=frozenset({Need.NOTES}))
    leaf = await book.put(manager, None, roof, expected=None)
    await on_duty(page, stage)
    chosen = page.locator(f"label:has([value={leaf.code}])")
    call = await stage.ring(WANG, queue="complaint")
    await expect(page.locator("#customer .name")).to_contain_text("王建军")
    await expect(chosen).to_be_hidden()
    await stage.answer(call)
    await stage.hang_up(call)
    await state_is(page, "wrap_up")
    await page.keyboard.press("Escape")
    await page.keyboard.press("8")  # the eighth of the centre's is not this queue's
    await page.keyboard.press("6")
    await page.keyboard.press("Control+Enter")
    await state_is(page, "available")

    call = await stage.ring(WANG, queue="repair")
    await expect(page.locator("#call-queue")).to_have_text("报修热线")
    await expect(chosen).to_be_visible()
    await expect(chosen.locator("kbd")).to_have_text("8")
    await expect(page.locator("#dispositions .group")).to_have_text("漏水")
    await stage.answer(call)
    await stage.hang_up(call)
    await state_is(page, "wrap_up")
    await page.keyboard.press("Escape")
    await page.keyboard.press("8")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#toast")).to_contain_text("请写一句备注")
    await page.keyboard.type("屋面漏水")
    await page.keyboard.press("Control+Enter")
    await state_is(page, "available")
    saved = await stage.desk.wrap_up(stage.agents[stage.agent_number], call)
    assert saved is not None
    assert (saved.disposition, saved.notes) == (leaf.code, "屋面漏水")
