"""The telephone in the page on the real line: Chromium rings, is answered, is heard, and hears."""

import asyncio
import contextlib
import math
import os
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from app.sipp.phone import PhoneCall
from telephony.audio import FRAME_SAMPLES, RATE, write_wav
from telephony.domain.agent_state import AgentState
from telephony.roster import Roster
from tests.support.centre import LOGINS, PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, Watched, chromium, visitor
from tests.support.pbx import HOTLINE
from tests.support.ports import free_port
from tests.support.sipp import choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")
NUMBER = "1001"
AGENT_HZ, CUSTOMER_HZ = 1100, 700
HEARD_SECONDS = 1.0
ENERGY = """async () => {
  let found = 0;
  for (const connection of window.__connections) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "audio") found += report.totalAudioEnergy || 0;
    }
  }
  return found;
}"""
WATCH = """(() => {
  window.__connections = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...given) { super(...given); window.__connections.push(this); }
  };
  const Socket = window.WebSocket;
  window.__sockets = [];
  window.WebSocket = class extends Socket {
    constructor(...given) { super(...given); window.__sockets.push(this); }
  };
})()"""


def tone(hertz: int, seconds: float) -> "array[int]":
    return array(
        "h", (int(9000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(int(RATE * seconds)))
    )


def strength(samples: "array[int]", hertz: int) -> float:
    """How much of a tone is in the last second (Goertzel), 0 to about 1."""
    last = samples[-int(RATE * HEARD_SECONDS) :]
    if len(last) < FRAME_SAMPLES:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    one = two = 0.0
    for value in last:
        one, two = value + turn * one - two, one
    power = one * one + two * two - turn * one * two
    total = sum(value * value for value in last) or 1
    return 2 * power / (len(last) * total)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningCentre]:
    folder = tmp_path_factory.mktemp("softphone")
    async with running_centre(
        folder, web={"port": free_port()}, centre={"hotline": HOTLINE}, pbx={"test_phone": True}
    ) as centre:
        base = centre.service.base
        roster = Roster(base.database, base.clock, base.bus)
        await roster.choose_phone(await centre.agent_id(NUMBER), browser=True)
        yield centre


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A browser whose microphone hears a tone."""
    voice: Path = tmp_path_factory.mktemp("voice") / "agent.wav"
    write_wav(voice, tone(AGENT_HZ, 5))
    async with chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice}",
        "--allow-loopback-in-peer-connection",
        "--autoplay-policy=no-user-gesture-required",
    ) as found:
        yield found


@contextlib.asynccontextmanager
async def at_the_desk(line: RunningCentre, browser: Browser) -> AsyncIterator[Watched]:
    async with visitor(browser, viewport=DESKTOP, permissions=["microphone"]) as watched:
        page = watched.page
        await page.add_init_script(WATCH)
        await sign_in(page, line, LOGINS[NUMBER])
        await expect(page.locator("#phone")).to_have_attribute("data-status", "ready")
        await page.click("#sign-in")
        await expect(page.locator("#state")).to_have_attribute("data-state", "available")
        try:
            yield watched
        finally:
            await off_duty(line)


async def sign_in(page: Page, line: RunningCentre, login: str) -> None:
    await page.goto(line.url)
    await page.fill("#login", login)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: "sign-in" not in url)


async def shot(page: Page, name: str) -> None:
    """Take a picture for people to look at, where one is wanted."""
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/softphone-{name}.png")


async def hears(caller: PhoneCall, what: str, *, agent: bool) -> None:
    """Wait until the customer hears the agent's tone, or does not."""

    def so() -> bool:
        strong = strength(caller.ear.samples(), AGENT_HZ)
        return strong > 0.5 if agent else strong < 0.05

    await eventually(so, timeout=15, what=what)


async def energy(page: Page) -> float:
    return float(await page.evaluate(ENERGY))


async def test_a_whole_call_in_the_page(line: RunningCentre, speaking: Browser) -> None:
    async with at_the_desk(line, speaking) as watched, customer(line.pbx, number="13800138001") as caller:
        page, phone = watched.page, watched.page.locator("#phone")
        await choose(caller, "1")
        await expect(phone).to_have_attribute("data-call", "ringing")
        await expect(page.locator("#phone-state")).to_have_text("来电，按 A 接听")
        await shot(page, "ringing")
        await page.keyboard.press("a")
        await expect(phone).to_have_attribute("data-call", "talking")
        await expect(page.locator("#state")).to_have_attribute("data-state", "on_call")
        await shot(page, "talking")

        # both hear each other
        await hears(caller, "the agent's tone", agent=True)
        before = await energy(page)
        caller.handset.say(tone(CUSTOMER_HZ, 3))
        await asyncio.sleep(2)
        assert await energy(page) > before + 0.001

        # muted: the customer hears nothing of the agent, and again afterwards
        await page.keyboard.press("m")
        await hears(caller, "silence", agent=False)
        await page.keyboard.press("m")
        await hears(caller, "the tone again", agent=True)

        # held: music, which is no tone of ours
        await page.keyboard.press("h")
        await expect(page.locator("#phone-state")).to_have_text("保持中，客户在听音乐")
        await hears(caller, "music", agent=False)
        await page.keyboard.press("h")
        await hears(caller, "back again", agent=True)

        # the way to the PBX is cut: the call goes on, and is still led by both sides
        await page.evaluate("window.__sockets.at(-1).close()")
        await expect(phone).to_have_attribute("data-status", "connecting")
        await expect(phone).to_have_attribute("data-status", "ready")
        await hears(caller, "still there", agent=True)
        await caller.hang_up()
        await expect(phone).to_have_attribute("data-call", "none")
        await expect(page.locator("#state")).to_have_attribute("data-state", "wrap_up")


async def test_two_windows_are_a_whole_call(line: RunningCentre, speaking: Browser) -> None:
    async with (
        at_the_desk(line, speaking) as watched,
        visitor(speaking, viewport=DESKTOP, permissions=["microphone"]) as other,
    ):
        page, test = watched.page, other.page
        await test.add_init_script(WATCH)
        await sign_in(test, line, "shenj")
        await test.goto(f"{line.url}/test-phone")
        await test.fill("#test-number", "13800138001")
        await test.click("#test-dial")
        await expect(test.locator("#test-phone")).to_have_attribute("data-call", "talking")
        await eventually_heard(test)  # the menu
        await test.keyboard.press("1")
        phone = page.locator("#phone")
        await expect(phone).to_have_attribute("data-call", "ringing")
        await expect(page.locator("#customer .name")).to_contain_text("王建军")
        await shot(test, "test-phone")
        await page.click("#phone-answer")
        await expect(phone).to_have_attribute("data-call", "talking")
        await eventually_heard(page)
        await eventually_heard(test)
        await page.keyboard.press("x")
        await expect(test.locator("#test-phone")).to_have_attribute("data-call", "none")
        await expect(page.locator("#state")).to_have_attribute("data-state", "wrap_up")


async def test_the_newest_window_has_the_telephone(line: RunningCentre, speaking: Browser) -> None:
    async with at_the_desk(line, speaking) as first, visitor(speaking, permissions=["microphone"]) as second:
        await sign_in(second.page, line, LOGINS[NUMBER])
        await expect(second.page.locator("#phone")).to_have_attribute("data-status", "ready")
        await expect(first.page.locator("#phone")).to_have_attribute("data-status", "elsewhere")
        # and one who would rather use the telephone on the desk does
        await second.page.click("#phone-choice")
        await expect(second.page.locator("#phone")).to_have_count(0)
        await second.page.click("#phone-choice")
        await expect(second.page.locator("#phone")).to_have_attribute("data-status", "ready")


async def test_a_microphone_that_is_refused_is_told(line: RunningCentre, browser: Browser) -> None:
    async with visitor(browser, viewport=DESKTOP) as watched:
        await sign_in(watched.page, line, LOGINS[NUMBER])
        await expect(watched.page.locator("#phone")).to_have_attribute("data-status", "failed")
        await expect(watched.page.locator("#phone-state")).to_contain_text("麦克风")
        await expect(watched.page.locator("#phone-retry")).to_be_visible()


async def eventually_heard(page: Page) -> None:
    """Wait until sound comes to a page."""
    before = await energy(page)

    async def more() -> bool:
        return await energy(page) > before + 0.0005

    await eventually(more, timeout=15, interval=0.2, what="sound")


async def off_duty(line: RunningCentre) -> None:
    """Write down what is unwritten, and go."""
    agent_id = await line.agent_id(NUMBER)
    await eventually(line.pbx.idle, timeout=10, what="every call is over")

    async def signed_out() -> bool:
        desk = line.service.desk
        for unwritten in await desk.unsaved_wrap_ups(agent_id):
            await desk.save_wrap_up(agent_id, unwritten.call_id, disposition="call_back")
        return (await desk.sign_out(agent_id)).state is AgentState.SIGNED_OUT

    await eventually(signed_out, timeout=10, interval=0.1)
