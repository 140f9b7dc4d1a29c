"""A customer answers the form by SMS on a telephone."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.callback_calls import sent_form
from tests.support.chromium import TELEPHONE, visitor
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser


async def test_the_form_is_answered_on_a_telephone(stage: Stage, browser: Browser) -> None:
    _, token = await sent_form(stage, name="<b>王</b>建军")
    async with visitor(browser, viewport=TELEPHONE) as watched:
        page = watched.page
        await page.goto(f"{stage.url}/f/{token}")
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wide)
        # What is to be tapped is large enough for a thumb.
        sizes = await page.locator("fieldset label").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().height)"
        )
        assert min(sizes) >= 32
        # Without an answer the browser asks for it.
        await page.click("button.primary")
        assert await page.locator("input:invalid").count() > 0
        for item in await page.locator("input[name=shown]").evaluate_all("all => all.map(one => one.value)"):
            options = page.locator(f"input[type=radio][name=v-{item}]")
            if await options.count():
                await options.first.check()
        await page.locator("input[name=v-KG1][value=nobody_came]").check()
        await page.locator("textarea").last.fill('<img src=x onerror="alert(1)">交底没人来')
        await page.click("button.primary")
        await expect(page.locator("h1")).to_have_text("谢谢您")
        await expect(page.locator("main")).to_contain_text("已经转给责任部门")
        assert not await page.evaluate(wide)
