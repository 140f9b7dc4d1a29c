"""How long a specialist needs for the complaint form and the repair form beside a call, in seconds.

The forms are opened from the screen-pop with one key and filled in in a real Chromium until the case is
registered, with as little as somebody who listens has to give: what is known of the caller stands there
already. Each thing that was done is counted and weighed as a person does it: 1.5 s to find a field, a second
for each Chinese character (60 a minute), 2 s to read a list and choose from it, 0.3 s for any other key or
click, and 4 characters a second to read the sentence back to the customer. ``machine``: what the pages
themselves took, added to it. ``stranger``: the same complaint from a number that nobody has, with name and
title of the customer written down in the same form.

``fields`` are those that were filled; the goal is domain.md §2.1: registered in at most two minutes.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Page, expect

from tests.bench.report import at_most, report
from tests.support.chromium import DESKTOP, chromium
from tests.support.web_stage import PASSWORD, Stage, web_stage

FIND_SECONDS = 1.5
CHINESE_SECONDS = 1.0
CHOOSE_SECONDS = 2.0
KEY_SECONDS = 0.3
SPOKEN_PER_SECOND = 4.0
GOAL_SECONDS = 120.0

KNOWN, HOME, STRANGER = "13800138001", "13800138006", "13911112222"
COMPLAINT = "卫生间墙角渗水三天了，楼下邻居说天花板湿了一片，项目经理答应昨天来人，没来也不接电话"
DEMAND = "今天派人来看，赔楼下损失"
REPAIR = "厨房水槽下面的角阀滴水，用毛巾包着还是漏，柜板已经泡胀了"
PLACE = "厨房"


@dataclass(slots=True)
class Person:
    """Somebody at a form: does what they do in the browser, and counts what it costs them."""

    page: Page
    seconds: float = 0.0
    machine: float = 0.0
    fields: int = 0
    keys: int = 0

    async def press(self, key: str) -> None:
        """Press one key, or keys held together."""
        self.keys += 1
        self.seconds += KEY_SECONDS
        await self.page.keyboard.press(key)

    async def type_into(self, field: str, text: str, *, there: bool = False) -> None:
        """Find a field (unless the form has put the cursor ``there``) and type into it."""
        self.fields += 1
        if there:
            await expect(self.page.locator(field)).to_be_focused(timeout=20_000)
        else:
            self.seconds += FIND_SECONDS + KEY_SECONDS
            self.keys += 1
            await self.page.click(field)
        for letter in text:
            self.keys += 1
            self.seconds += CHINESE_SECONDS if ord(letter) > 0x2E7F else KEY_SECONDS
            await self.page.keyboard.type(letter)

    async def choose(self, field: str, value: str) -> None:
        """Find a list, read it and choose."""
        self.fields += 1
        self.keys += 2
        self.seconds += FIND_SECONDS + CHOOSE_SECONDS + 2 * KEY_SECONDS
        await self.page.locator(field).select_option(value)

    async def tick(self, field: str) -> None:
        """Find a box and tick it."""
        self.fields += 1
        self.keys += 1
        self.seconds += FIND_SECONDS + KEY_SECONDS
        await self.page.check(field)

    async def read_back(self) -> float:
        """Read the sentence aloud that the form has made; return how long that takes."""
        said = await self.page.locator(".read-back p").first.inner_text()
        spoken = len(said.replace(" ", "")) / SPOKEN_PER_SECOND
        self.seconds += spoken
        return spoken


@asynccontextmanager
async def form_beside_a_call(stage: Stage, desk: Page, caller: str, key: str) -> AsyncIterator[Person]:
    """Ring, answer, open the form with one key; afterwards wait until the case is there."""
    call = await stage.ring(caller)
    await stage.answer(call)
    await expect(desk.locator("#customer .name, #customer .newcomer").first).to_be_visible(timeout=20_000)
    began = time.perf_counter()
    async with desk.context.expect_page() as opened:
        await desk.keyboard.press(key)
    page = await opened.value
    await page.wait_for_selector("#new-case[data-tended]")
    person = Person(page, seconds=KEY_SECONDS, keys=1, machine=time.perf_counter() - began)
    yield person
    began = time.perf_counter()
    await person.press("Control+Enter")
    await page.wait_for_url("**/cases/*?done=registered", timeout=20_000)
    person.machine += time.perf_counter() - began
    await page.close()
    await stage.hang_up(call)
    await expect(desk.locator("#state")).to_have_attribute("data-state", "wrap_up", timeout=20_000)
    await desk.keyboard.press("1")
    await desk.keyboard.press("Control+Enter")
    await expect(desk.locator("#state")).to_have_attribute("data-state", "available", timeout=20_000)


async def complaint(stage: Stage, desk: Page, caller: str) -> tuple[Person, float]:
    """Fill in a complaint."""
    async with form_beside_a_call(stage, desk, caller, "t") as person:
        known = caller != STRANGER
        if not known:
            await person.type_into("#new_name", "欧阳明")
            await person.choose("#new_salutation", "先生")
        await person.type_into("#content", COMPLAINT, there=known)
        await person.press("Tab")
        await person.type_into("#demand", DEMAND, there=True)
        await person.choose("[data-part=kind]", "1.waterproof")
        spoken = await person.read_back()
        await person.tick("#read_back")
    return person, spoken


async def repair(stage: Stage, desk: Page, caller: str) -> tuple[Person, float]:
    """Fill in a repair."""
    async with form_beside_a_call(stage, desk, caller, "b") as person:
        await person.type_into("#content", REPAIR, there=True)
        await person.press("Tab")
        await person.type_into("#place", PLACE, there=True)
        spoken = await person.read_back()
        await person.tick("#read_back")
    return person, spoken


async def run() -> dict[str, Any]:
    """Fill the forms in."""
    figures: dict[str, float] = {}
    goals: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        async with web_stage(Path(folder)) as stage, chromium() as browser:
            context = await browser.new_context(viewport=DESKTOP, locale="zh-CN")
            desk = await context.new_page()
            await desk.goto(stage.url + "/sign-in")
            await desk.fill("#login", "agent")
            await desk.fill("#password", PASSWORD)
            await desk.click("form.card button")
            await desk.click("#sign-in")
            await expect(desk.locator("#state")).to_have_attribute("data-state", "available", timeout=20_000)
            for name, form, caller in (
                ("complaint", complaint, KNOWN),
                ("repair", repair, HOME),
                ("stranger", complaint, STRANGER),
            ):
                person, spoken = await form(stage, desk, caller)
                total = person.seconds + person.machine
                figures[f"{name}_seconds"] = total
                figures[f"{name}_without_reading_back_seconds"] = total - spoken
                figures[f"{name}_machine_seconds"] = person.machine
                figures[f"{name}_fields"] = person.fields
                figures[f"{name}_keys"] = person.keys
                goals[f"{name}_seconds"] = at_most(total, GOAL_SECONDS)
    return report("case_form", figures, goals)
