"""Customers, projects and imports in a real browser: edited, refused without loss, imported, by keyboard."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select, update

from crm.tables import Customer, CustomerPhone, Project
from tests.browser.conftest import sign_in
from tests.support.chromium import Watched
from tests.support.web_stage import PASSWORD, Stage
from web.permissions import Role

pytestmark = pytest.mark.browser

NARROW = {"width": 390, "height": 844}
REFUSED = "status of 400"
"""What Chromium says about a form that comes back."""


async def manager(page: Page, stage: Stage) -> None:
    await stage.accounts.users.create(
        login="manager", password=PASSWORD, role=Role.MANAGER, display_name="沈静"
    )
    await sign_in(page, stage, "manager")


async def customer_id(stage: Stage, name: str) -> str:
    async with stage.database.session() as session:
        return (await session.execute(select(Customer.id).where(Customer.name == name))).scalar_one()


async def no_sideways(page: Page) -> None:
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


async def test_a_customer_is_edited_by_an_agent_who_sees_no_number(
    stage: Stage, page: Page, watched: Watched
) -> None:
    key = await customer_id(stage, "王建军")
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/customers/{key}")
    await expect(page.locator("#facts")).to_contain_text("138****8001")
    await page.keyboard.press("Alt+e")
    if not page.url.endswith("/edit"):
        await page.get_by_role("link", name="修改资料").click()
    await expect(page.locator("input[name=number0]")).to_have_value("138****8001")
    await page.fill("input[name=number1]", "12")
    await page.fill("#customer-problem_reason", "多次改约")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[role=alert]")).to_contain_text("号码不对")
    await expect(page.locator("#customer-problem_reason")).to_have_value("多次改约")
    await page.fill("input[name=number1]", "139 0013 9001")
    await page.locator("input[name=preferred]").nth(1).check()
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator(".numbers li")).to_have_count(2)
    await expect(page.locator(".numbers li").nth(1)).to_contain_text("139****9001")
    await expect(page.locator(".numbers li").nth(1)).to_contain_text("首选")
    await expect(page.locator(".flags")).to_contain_text("多次改约")
    async with stage.database.session() as session:
        query = select(CustomerPhone.e164).where(CustomerPhone.customer_id == key)
        found = set((await session.execute(query)).scalars())
    assert found == {"+8613800138001", "+8613900139001"}
    watched.expect(REFUSED)


async def test_what_was_typed_outlives_somebody_elses_change(
    stage: Stage, page: Page, watched: Watched
) -> None:
    key = await customer_id(stage, "张伟")
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/customers/{key}/edit")
    async with stage.database.transaction() as session:
        changed = update(Customer).where(Customer.id == key)
        await session.execute(changed.values(name="张大伟", version=Customer.version + 1))
    await page.fill("#customer-name", "张小伟")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator(".changed")).to_contain_text("别人刚刚改过")
    await expect(page.locator(".changed ins")).to_have_text("张大伟")
    await expect(page.locator("#customer-name")).to_have_value("张小伟")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("h1")).to_contain_text("张小伟")
    watched.expect("status of 412")


async def test_steps_on_the_page_are_refused_in_place(stage: Stage, page: Page, watched: Watched) -> None:
    key = await customer_id(stage, "黄磊")
    await manager(page, stage)
    await page.goto(f"{stage.url}/customers/{key}")
    await page.locator("#do-not-call summary").click()
    await page.fill("#do-not-call-evidence", "通话 00:35")
    await page.locator("#do-not-call button").click()
    await expect(page.locator("#facts .flags")).to_contain_text("不要主动外呼")
    await page.locator("#consent summary").click()
    await page.select_option("#consent-purpose", "marketing_sms")
    await page.select_option("#consent-basis", "contract")
    await page.fill("#consent-evidence", "合同附件三")
    await page.fill("#consent-text_version", "2026-1")
    await page.locator("#consent button").click()
    await expect(page.locator("#consent [role=alert]")).to_contain_text("必须有本人同意")
    await expect(page.locator("#consent-evidence")).to_have_value("合同附件三")
    await page.select_option("#consent-basis", "consent")
    await page.locator("#consent button").click()
    await expect(page.locator("#wishes")).to_contain_text("同意：推销短信")
    watched.expect(REFUSED)


async def test_a_stage_is_registered(stage: Stage, page: Page, watched: Watched) -> None:
    async with stage.database.session() as session:
        query = select(Project.id).where(Project.contract_no == "ZX-2026-0140")
        key = (await session.execute(query)).scalar_one()
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/projects/{key}")
    await page.locator("#stage summary").click()
    await page.select_option("#stage-stage", "50")
    await page.locator("#stage button").click()
    await expect(page.locator("#stage [role=alert]")).to_contain_text("隐蔽工程计划日")
    await page.fill("#stage-concealed_planned", "2098-01-10")
    await page.fill("#stage-midterm_planned", "2098-02-10")
    await page.locator("#stage button").click()
    await expect(page.locator(".stages [aria-current=step]")).to_have_text("已开工")
    await expect(page.locator("#stages table")).to_contain_text("李娜")
    await page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    await no_sideways(page)
    watched.expect(REFUSED)


async def test_a_sheet_is_checked_mended_and_imported(stage: Stage, page: Page, tmp_path: Path) -> None:
    await manager(page, stage)
    await page.get_by_text("更多", exact=True).click()
    await page.get_by_role("link", name="导入", exact=True).click()
    file = tmp_path / "客户.csv"
    file.write_text(
        "客户姓名,电话,合同号,小区\n钱多多,13700137001,ZX-77,翠湖\n孙悟空,12,,\n", encoding="gb18030"
    )
    await page.set_input_files("#file", file)
    await page.get_by_role("button", name="上传并检查").click()
    await expect(page.locator("#state")).to_have_text("已检查，待导入")
    await expect(page.locator("#bad")).to_have_text("1")
    await expect(page.locator("tbody tr")).to_contain_text("手机写 11 位")
    async with page.expect_download() as saved:
        await page.get_by_role("link", name="Excel").click()
    assert (await saved.value).suggested_filename.endswith(".xlsx")
    await page.get_by_role("button", name=re.compile("只导入没有问题的 1 行")).click()
    await expect(page.locator("#state")).to_have_text("已导入")
    await page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    await no_sideways(page)
    key = await customer_id(stage, "钱多多")
    await page.goto(f"{stage.url}/customers/{key}")
    await expect(page.locator("#projects")).to_contain_text("翠湖")
    await no_sideways(page)
    await page.goto(f"{stage.url}/customers/{key}/edit")
    await no_sideways(page)
