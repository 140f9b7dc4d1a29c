"""An agent leads a questionnaire beside a call: by keys, with the network gone for a while, to its end."""

from datetime import time

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from callback_campaigns.talk_tables import CallbackAnswerRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.tables import Customer
from tests.browser.conftest import sign_in
from tests.support.callback_calls import NUMBER, dial, picked_up, ready_task
from tests.support.chromium import DESKTOP, Watched
from tests.support.waiting import eventually
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.browser


async def answers(stage: Stage) -> dict[str, CallbackAnswerRow]:
    async with stage.database.session() as session:
        rows = await session.scalars(select(CallbackAnswerRow).where(CallbackAnswerRow.replaced_at.is_(None)))
        return {row.item_id: row for row in rows}


async def become(page: Page, stage: Stage, login: str) -> None:
    """Sign somebody in, as another tab would."""
    secret = await stage.session_secret(login)
    await page.context.clear_cookies()
    await page.context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": stage.url}])


async def test_a_questionnaire_pops_beside_the_call_and_is_led_by_keys(
    stage: Stage, page: Page, watched: Watched
) -> None:
    task_id = await ready_task(stage)
    await sign_in(page, stage, "agent")
    await page.set_viewport_size(DESKTOP)
    await page.goto(f"{stage.url}/callback-tasks")
    await expect(page.locator(f"[data-task='{task_id}']")).to_contain_text("开工回访")

    await page.goto(f"{stage.url}/agent")
    await page.click("#sign-in")
    call_id = await dial(stage, task_id)
    await stage.ring(NUMBER, call_id=call_id)
    await expect(page.locator("#runner")).to_contain_text("接通后就可以开始提问")
    await stage.answer(call_id)
    # The agent's own telephone is up; there is nobody to ask before the customer answers.
    async with page.expect_response(f"**/agent/questionnaires/{call_id}"):
        pass
    await expect(page.locator("fieldset[data-item]")).to_have_count(0)
    await picked_up(stage, call_id)
    first = page.locator("fieldset[data-item=KG1]")
    await expect(first).to_be_visible()

    # A bad answer asks why, and what the customer says is kept as it is typed.
    await page.keyboard.press("3")
    await expect(first.locator("input[name=r-KG1]")).to_be_focused()
    await page.keyboard.type("等到十点没有人来")
    await expect(first.locator("[data-saved]")).to_have_text("已保存")
    await expect(page.locator("#runner-head")).to_contain_text("目前：不满意")

    async def explained() -> bool:
        return (await answers(stage))["KG1"].reason == "等到十点没有人来"

    await eventually(explained)

    # Nothing is lost while there is no network, and it goes on by itself.
    await page.context.set_offline(True)
    await page.locator("fieldset[data-item=KG2] input[value=satisfied]").check()
    await expect(page.locator("fieldset[data-item=KG2] [data-saved]")).to_contain_text("正在重试")
    await page.context.set_offline(False)
    await expect(page.locator("fieldset[data-item=KG2] [data-saved]")).to_have_text("已保存")

    watched.expect("net::ERR_INTERNET_DISCONNECTED")

    # Nor while one is signed out: it waits in this browser, and whoever else signs in does not send it.
    await page.context.clear_cookies()
    await page.locator("fieldset[data-item=KG3] input").first.check()
    await expect(page.locator("fieldset[data-item=KG3] [data-saved]")).to_contain_text("请在新标签页重新登录")
    await become(page, stage, "supervisor")
    async with page.expect_response("**/answers/KG3") as refused:
        await page.evaluate("window.dispatchEvent(new Event('focus'))")
    assert (await refused.value).status == 401
    await become(page, stage, "agent")
    async with page.expect_response("**/answers/KG3") as taken:
        await page.evaluate("window.dispatchEvent(new Event('focus'))")
    assert (await taken.value).status == 200
    await expect(page.locator("fieldset[data-item=KG3] [data-saved]")).to_have_text("已保存")
    watched.expect("401")

    await page.goto(f"{stage.url}/callback-tasks/{task_id}")
    await expect(page.locator("input[name=r-KG1]")).to_have_value("等到十点没有人来")
    await page.keyboard.press("F9")
    await expect(page.locator("#runner-problem")).to_contain_text("再按一次")
    # When they like to be called has a beginning and an end, and stays with the customer.
    await page.fill("#hours-from", "18:30")
    await page.keyboard.press("F9")
    await expect(page.locator("#runner-problem")).to_contain_text("请把方便的时间填完整")
    await page.fill("[name=preferred_until]", "20:00")
    await page.keyboard.press("F9")
    await expect(page.locator("#runner .ended")).to_contain_text("已问完")
    await expect(page.locator("#task-facts")).to_contain_text("等待重拨")
    async with stage.database.session() as session:
        told = select(Customer.preferred_from).join(
            CallbackTaskRow, CallbackTaskRow.customer_id == Customer.id
        )
        assert await session.scalar(told.where(CallbackTaskRow.id == task_id)) == time(18, 30)
