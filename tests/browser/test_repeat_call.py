"""Beside the call the agent says which of several open cases it is about (domain.md §2.1)."""

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from crm.repair_input import NewRepair
from crm.tables import CustomerPhone, Project
from kernel.access import Actor, Role
from kernel.ids import new_ulid
from tests.browser.conftest import on_duty
from tests.support.web_stage import Stage
from web.crm_part import CRM

pytestmark = pytest.mark.browser

WANG = "13800138001"


async def test_2_1_the_agent_says_which_open_case_the_call_is_about(stage: Stage, page: Page) -> None:
    assert stage.app is not None
    colleague = Actor(user_id=new_ulid(), name="周晓梅", role=Role.AGENT, department=None, ip="")
    async with stage.database.session() as session:
        owner = select(CustomerPhone.customer_id).where(CustomerPhone.e164 == f"+86{WANG}")
        home = (await session.scalars(select(Project).where(Project.customer_id.in_(owner)).limit(1))).one()
    repairs = stage.app[CRM].repairs
    new = NewRepair(customer_id=home.customer_id, project_id=home.id, symptoms="地漏返水", place="主卫")
    repair = await repairs.repairs.register(colleague, new)
    await on_duty(page, stage)
    await stage.answer(await stage.ring(WANG))
    row = page.locator("#cases li", has_text=repair.no)
    await expect(page.locator("#cases-which")).to_be_visible()
    await row.get_by_role("button", name="客户再次来电").focus()
    await page.keyboard.press("Enter")
    await expect(row).to_contain_text("这次来电已记上")
    await expect(page.locator("#cases-which")).to_be_hidden()
    await expect(page.locator("#cases button")).to_have_count(1)  # the other case may be meant as well
    await page.reload()
    await expect(row).to_contain_text("这次来电已记上")
    assert (await repairs.reader.get(colleague, repair.case_id)).case.call_count == 2
