"""The search in a real browser: found while typing, chosen by keyboard, nothing of a text is markup."""

import pytest
from playwright.async_api import Page, expect

from crm.search import Document, Kind, SearchIndex
from tests.browser.conftest import sign_in
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser


async def test_from_any_page_to_the_customer_by_keyboard_alone(stage: Stage, page: Page) -> None:
    await sign_in(page, stage, "supervisor")
    await page.goto(stage.url + "/calls")
    await page.keyboard.press("/")
    await page.keyboard.type("wangjianjun")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=wangjianjun")
    await expect(page.locator(".hits[data-kind=customer] .hit")).to_contain_text("王建军")
    await page.keyboard.press("/")
    await page.keyboard.type("王建军")
    await expect(page.locator(".hits").first).to_have_attribute("data-kind", "customer")
    await expect(page.locator(".hits[data-kind=customer] mark")).to_have_text("王建军")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await expect(page.locator(".hits[data-kind=customer] .hit")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/customers/*")
    await expect(page.locator("h1")).to_contain_text("王建军")


async def test_half_a_word_is_a_hint_and_a_slash_in_a_field_is_a_slash(stage: Stage, page: Page) -> None:
    await sign_in(page, stage, "agent")
    await page.goto(stage.url + "/search")
    await page.fill("#find", "王")
    await expect(page.locator("[role=alert]")).to_contain_text("至少写两个字")
    await page.fill("#find", "没有这样的人")
    await expect(page.locator(".empty")).to_contain_text("没有找到")
    await page.focus("#find")
    await page.keyboard.press("End")
    await page.keyboard.type("/")
    await expect(page.locator("#find")).to_have_value("没有这样的人/")


async def test_found_texts_are_only_texts(stage: Stage, page: Page) -> None:
    hostile = '<img src=x onerror="document.title=1">漏水"><script>document.title=2</script>'
    document = Document(
        kind=Kind.ARTICLE, ref_id="A1", title=hostile, texts=(hostile + "了",), updated_at=stage.clock.now()
    )
    async with stage.database.transaction() as session:
        await SearchIndex().put(session, document)
    await sign_in(page, stage, "agent")
    await page.goto(stage.url + "/search?q=漏水%22%3E")
    hit = page.locator(".hits[data-kind=article] .hit")
    await expect(hit).to_contain_text(hostile)
    await expect(hit.locator("mark").first).to_have_text('漏水">')
    assert await page.locator("main img, main script").count() == 0
    assert (await page.title()).startswith("查找")
