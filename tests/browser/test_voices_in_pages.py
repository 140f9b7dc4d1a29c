"""Everybody in a page of their own, over the real Asterisk: who hears whom, transferred and listened to.

Each microphone is a tone that the page makes itself, looked for in the sound that reaches the other pages.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select, update

from app.demo import company
from kernel.db import Database
from telephony.history import CallHistory
from telephony.roster import Roster
from tests.support.centre import LOGINS, PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, chromium, visitor
from tests.support.pbx import HOTLINE
from tests.support.ports import free_port
from tests.support.waiting import eventually
from web.tables import UserRow

pytestmark = pytest.mark.browser

AGENT, COLLEAGUE, EAR = "1001", "1002", "1003"
TONES = {"customer": 700, "agent": 1100, "colleague": 1500, "supervisor": 1900}
MICROPHONE = """(hertz) => {
  window.__connections = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...given) { super(...given); window.__connections.push(this); }
  };
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const voice = context.createOscillator();
    const level = context.createGain();
    const out = context.createMediaStreamDestination();
    voice.frequency.value = hertz;
    level.gain.value = 0.25;
    voice.connect(level).connect(out);
    voice.start();
    return out.stream;
  };
}"""
HEARS = """async (tones) => {
  const connection = window.__connections.at(-1);
  const track = connection?.getReceivers()[0]?.track;
  if (!track || connection.connectionState === "closed") return "";
  window.__ear ||= new AudioContext();
  const heard = window.__ear.createAnalyser();
  heard.fftSize = 8192;
  heard.smoothingTimeConstant = 0;
  const source = window.__ear.createMediaStreamSource(new MediaStream([track]));
  source.connect(heard);
  await new Promise((done) => setTimeout(done, 400));
  const bins = new Float32Array(heard.frequencyBinCount);
  heard.getFloatFrequencyData(bins);
  source.disconnect();
  const level = (hertz) => {
    const at = Math.round(hertz * heard.fftSize / window.__ear.sampleRate);
    return Math.max(...bins.slice(at - 3, at + 4));
  };
  return Object.entries(tones).filter(([, hertz]) => level(hertz) > -55).map(([who]) => who).sort().join(" ");
}"""


@dataclass
class Voices:
    """The pages of a call."""

    centre: RunningCentre
    pages: dict[str, Page]

    async def hear(self, expected: Mapping[str, str]) -> None:
        """Wait until each hears whom they are expected to, and nobody else."""
        found: dict[str, str] = {}

        async def so() -> bool:
            for name in expected:
                found[name] = await self.pages[name].evaluate(HEARS, TONES)
            return found == {name: " ".join(sorted(who.split())) for name, who in expected.items()}

        try:
            await eventually(so, timeout=20, interval=0.3, what="who hears whom")
        except AssertionError as error:
            raise AssertionError(f"expected {dict(expected)}, heard {found}") from error

    async def state(self, name: str, wanted: str) -> None:
        await expect(self.pages[name].locator("#state")).to_have_attribute("data-state", wanted)


async def _ears_of_the_supervisor(database: Database, agent_id: str) -> None:
    """Give the supervisor the telephone of an agent."""
    async with database.transaction() as session:
        await session.execute(update(UserRow).where(UserRow.agent_id == agent_id).values(agent_id=None))
        supervisor = await session.scalar(select(UserRow).where(UserRow.role == "supervisor"))
        assert supervisor is not None
        supervisor.agent_id = agent_id


@asynccontextmanager
async def page_of(
    centre: RunningCentre, browser: Browser, login: str, name: str, *, path: str = "/agent"
) -> AsyncIterator[Page]:
    """Open a page with a tone for a voice."""
    async with visitor(browser, viewport=DESKTOP, permissions=["microphone"]) as watched:
        page = watched.page
        await page.add_init_script(f"({MICROPHONE})({TONES[name]})")
        await page.goto(centre.url)
        await page.fill("#login", login)
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(lambda url: "sign-in" not in url)
        await page.goto(centre.url + path)
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def voices(tmp_path: Path) -> AsyncIterator[Voices]:
    changes: dict[str, Any] = {
        "web": {"port": free_port()},
        "centre": {"hotline": HOTLINE},
        "pbx": {"test_phone": True},
    }
    async with AsyncExitStack() as stack:
        centre = await stack.enter_async_context(running_centre(tmp_path, **changes))
        base = centre.service.base
        roster = Roster(base.database, base.clock, base.bus)
        for number in (AGENT, COLLEAGUE, EAR):
            await roster.choose_phone(await centre.agent_id(number), browser=True)
        await _ears_of_the_supervisor(centre.database, await centre.agent_id(EAR))
        browser = await stack.enter_async_context(
            chromium("--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required")
        )
        pages = {}
        for name, login, path in (
            ("agent", LOGINS[AGENT], "/agent"),
            ("customer", company.ADMINISTRATOR[0], "/test-phone"),
        ):
            pages[name] = await stack.enter_async_context(page_of(centre, browser, login, name, path=path))
        found = Voices(centre, pages)
        await expect(pages["agent"].locator("#phone")).to_have_attribute("data-status", "ready")
        await pages["agent"].click("#sign-in")
        await found.state("agent", "available")
        customer = pages["customer"]
        await customer.fill("#test-number", "13800138001")
        await customer.click("#test-dial")
        await expect(customer.locator("#test-phone")).to_have_attribute("data-call", "talking")
        await customer.keyboard.press("1")
        await expect(pages["agent"].locator("#phone")).to_have_attribute("data-call", "ringing")
        await pages["agent"].keyboard.press("a")
        await expect(pages["agent"].locator("#phone")).to_have_attribute("data-call", "talking")
        # Only now, so that it is not they who are rung.
        pages["colleague"] = await stack.enter_async_context(
            page_of(centre, browser, LOGINS[COLLEAGUE], "colleague")
        )
        await expect(pages["colleague"].locator("#phone")).to_have_attribute("data-status", "ready")
        await pages["colleague"].click("#sign-in")
        await found.state("colleague", "available")
        pages["supervisor"] = await stack.enter_async_context(
            page_of(centre, browser, company.SUPERVISOR[0], "supervisor")
        )
        await expect(pages["supervisor"].locator("#phone")).to_have_attribute("data-status", "ready")
        yield found


async def listen(board: Page, phone: Page, number: str, mode: str) -> None:
    """Have the supervisor's telephone rung for an agent's call, and answer it."""
    await board.bring_to_front()
    await board.locator("#agents tr", has_text=number).get_by_role("button").click()
    await board.click(f"[data-begin={mode}]")
    await expect(phone.locator("#phone")).to_have_attribute("data-call", "ringing")
    await phone.bring_to_front()
    await phone.keyboard.press("a")


async def test_consulted_joined_transferred_and_listened_to(voices: Voices) -> None:
    agent, colleague = voices.pages["agent"], voices.pages["colleague"]
    supervisor = voices.pages["supervisor"]
    board = await supervisor.context.new_page()
    await board.goto(f"{voices.centre.url}/supervisor")
    await agent.bring_to_front()
    await voices.hear({"agent": "customer", "customer": "agent"})

    # a colleague is asked first: the customer hears music and neither of them
    await agent.keyboard.press("g")
    await agent.fill("#hand-search", COLLEAGUE)
    await agent.keyboard.press("Shift+Enter")
    await expect(colleague.locator("#phone")).to_have_attribute("data-call", "ringing")
    await colleague.keyboard.press("a")
    await voices.hear({"agent": "colleague", "colleague": "agent", "customer": ""})
    await agent.keyboard.press("s")
    await voices.hear({"agent": "customer", "customer": "agent", "colleague": ""})
    await agent.keyboard.press("w")
    await voices.hear(
        {"agent": "colleague customer", "customer": "agent colleague", "colleague": "agent customer"}
    )

    # a supervisor speaks with all three, and leaves them to themselves
    await listen(board, supervisor, AGENT, "barge")
    await voices.hear(
        {
            "agent": "colleague customer supervisor",
            "customer": "agent colleague supervisor",
            "colleague": "agent customer supervisor",
            "supervisor": "agent colleague customer",
        }
    )
    await board.bring_to_front()
    await board.click("#ear-leave")
    await voices.hear(
        {"agent": "colleague customer", "customer": "agent colleague", "colleague": "agent customer"}
    )
    await expect(supervisor.locator("#phone")).to_have_attribute("data-call", "none")
    await agent.bring_to_front()
    await agent.keyboard.press("e")
    await voices.hear({"customer": "colleague", "colleague": "customer"})
    await voices.state("agent", "wrap_up")
    await voices.state("colleague", "on_call")

    # listening: they hear both, and nobody hears them; then they whisper to the agent, speak with both
    await listen(board, supervisor, COLLEAGUE, "listen")
    two = {"supervisor": "colleague customer", "customer": "colleague", "colleague": "customer"}
    await voices.hear(two)
    await board.bring_to_front()
    await board.click("#ear [data-mode=whisper]")
    await voices.hear({**two, "colleague": "customer supervisor"})
    await board.click("#ear [data-mode=barge]")
    await voices.hear({**two, "colleague": "customer supervisor", "customer": "colleague supervisor"})
    await board.click("#ear [data-mode=take_over]")
    await voices.hear({"supervisor": "customer", "customer": "supervisor"})
    await voices.state("colleague", "wrap_up")
    await voices.pages["customer"].click("#test-hangup")
    history = CallHistory(voices.centre.database)

    async def whole() -> bool:
        (call,) = [one for one in (await history.page()).items if one.direction == "in"]
        return call.state == "ended"

    await eventually(whole, timeout=20, what="one call through all of it")
