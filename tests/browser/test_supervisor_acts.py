"""What a supervisor does from the board, in two real browsers: theirs and the agent's."""

import os

import pytest
from playwright.async_api import Browser, Page, expect

from crm.caller_standing import CallerStanding
from crm.people_tables import StaffRow
from kernel.access import Actor, Role
from kernel.ids import new_ulid
from telephony.domain.listening import ListeningEnd, Mode
from telephony.listenings import Listenings
from tests.browser.conftest import on_duty, sign_in
from tests.support.chromium import DESKTOP, visitor
from tests.support.stored_talks import store_talk
from tests.support.waiting import eventually
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"
SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def shot(page: Page, name: str) -> None:
    """Take a picture for people to look at, where one is wanted."""
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/acts-{name}.png")


async def test_a_supervisor_directs_and_tells_an_agent(stage: Stage, page: Page, browser: Browser) -> None:
    await on_duty(page, stage)
    number = stage.agent_number
    agent_id = next(one.agent_id for one in await stage.desk.states() if one.number == number)
    stage.board.add_agent(agent_id, number, "周晓梅", "available")
    async with visitor(browser, viewport=DESKTOP) as second:
        board = second.page
        await sign_in(board, stage, "supervisor")
        await board.locator("#agents button").first.click()
        acts = board.locator("#acts")
        await expect(board.locator("#acts-name")).to_contain_text("周晓梅")
        await expect(acts.locator("[data-begin=listen]")).to_be_disabled()
        await expect(acts.locator("#acts-queues :checked")).not_to_have_count(0)
        await shot(board, "dialog")

        # a pause that the agent sees at once
        await board.select_option("#acts-reason", "meeting")
        await acts.locator("[data-force=paused]").click()
        await expect(page.locator("#state")).to_have_attribute("data-state", "paused")
        await expect(page.locator("#state-why")).to_contain_text("会议")

        # one queue less
        box = acts.locator("#acts-queues :checked").first
        name = await box.get_attribute("name")
        await box.uncheck()
        await acts.locator("#acts-queues button").click()
        await expect(board.locator("#toast")).to_contain_text("队列已保存")
        assert name not in [member.queue for member in (await stage.desk.state(agent_id)).queues]

        # what they can do: only for who is on the staff, and the table shows it at once
        await expect(board.locator("#acts-skill-new")).to_be_disabled()
        async with stage.database.transaction() as session:
            session.add(StaffRow(id=new_ulid(), name="周晓梅", role="CS", agent_no=number, skills=["水电"]))
        await board.keyboard.press("Escape")
        await board.locator("#agents button").first.click()
        await expect(acts.get_by_label("水电")).to_be_checked()
        await board.fill("#acts-skill-new", "英语")
        await acts.locator("#acts-skills button").click()
        await expect(acts.get_by_label("英语")).to_be_checked()
        assert (await CallerStanding(stage.database).skills())[number] == {"水电", "英语"}
        await shot(board, "skills")
        async with visitor(browser, viewport=DESKTOP) as third:
            await sign_in(third.page, stage, "supervisor")
            await third.page.goto(f"{stage.url}/lists/skills")
            await expect(third.page.get_by_label("周晓梅 英语")).to_be_checked()
            await third.page.get_by_label("周晓梅 英语").uncheck()
            await third.page.get_by_role("button", name="保存 周晓梅 的技能").click()
            await expect(third.page.locator(".form-done")).to_be_visible()
            await shot(third.page, "skills-table")
        await acts.locator("#acts-skills button").click()
        await expect(board.locator("#toast")).to_contain_text("别人刚改过这位坐席的技能")
        second.expect("409 (Conflict)")

        # a word that stands on the agent's page until it is read, and moves nothing
        before = await page.locator("#wrap-up").bounding_box()
        await acts.locator("[data-tell] textarea").fill("三点<b>开会</b>，请提前收尾")
        await acts.locator("[data-tell] button").click()
        await expect(page.locator("#told")).to_be_visible()
        await expect(page.locator("#told-text")).to_have_text("三点<b>开会</b>，请提前收尾")
        assert await page.locator("#wrap-up").bounding_box() == before
        await shot(page, "told")
        await page.keyboard.press("k")
        await expect(page.locator("#told")).to_be_hidden()
        await page.reload()
        await expect(page.locator("#state")).to_have_attribute("data-state", "paused")
        await expect(page.locator("#told")).to_be_hidden()
        await board.keyboard.press("Escape")
        await board.click("#tell-open")
        await expect(board.locator("#told-list li")).to_contain_text("已读 1 / 1")

        # breaks have their time
        await board.fill("[data-limit=lunch] [name=minutes]", "30")
        await board.locator("[data-limit=lunch] button").click()
        await expect(board.locator("#toast")).to_contain_text("已保存")
        await shot(board, "tell-all")
        reasons = {one.code: one.limit_seconds for one in await stage.roster.pause_reasons()}
        assert reasons["lunch"] == 1800
        await board.keyboard.press("Escape")

        # who listens is on the page as soon as it is so, and gone as soon as it is over
        await store_talk(stage.database, stage.clock, CALL, agent=number)
        user = await stage.accounts.users.get("supervisor")
        actor = Actor(user_id=user.user_id, name=user.display_name, role=Role.SUPERVISOR)
        service = Listenings(stage.database, stage.clock, stage.bus)
        ear = await service.begin(actor, CALL, "1008", Mode.LISTEN)
        await expect(board.locator("#ear")).to_be_visible()
        await expect(board.locator("#ear-what")).to_contain_text("请接起您的电话")
        await service.keep(ear.listening_id, now="listen", answered_at=stage.clock.now())
        await expect(board.locator("#ear-what")).to_contain_text("正在旁听")
        await board.locator("#ear [data-mode=whisper]").click()
        await shot(board, "ear")
        await board.click("#ear-leave")

        async def wants_to_leave() -> bool:
            (row,) = await service.open_ones(actor)
            return row.wanted is None

        await eventually(wants_to_leave, what="the wish to leave")
        await service.end(ear.listening_id, ListeningEnd.LEFT)
        await expect(board.locator("#ear")).to_be_hidden()
