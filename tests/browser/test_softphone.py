"""The telephone in the page on the real line: Chromium rings, is answered, is heard, and hears."""

import asyncio
import contextlib
import json
import math
import os
from array import array
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from app.sipp.phone import PhoneCall
from telephony.audio import FRAME_SAMPLES, RATE, write_wav
from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
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
  window.__notes = [];
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { this.permission = "granted"; return this.permission; }
    constructor(title) { this.title = title; this.open = true; window.__notes.push(this); }
    close() { this.open = false; }
  };
  Object.defineProperty(document, "visibilityState", { get: () => window.__hidden ? "hidden" : "visible" });
})()"""
LOUDEST = """async () => {
  const [receiver] = window.__connections.at(-1).getReceivers();
  window.__ear ||= new AudioContext();
  const heard = window.__ear.createAnalyser();
  heard.fftSize = 4096;
  window.__ear.createMediaStreamSource(new MediaStream([receiver.track])).connect(heard);
  await new Promise((done) => setTimeout(done, 200));
  const bins = new Float32Array(heard.frequencyBinCount);
  heard.getFloatFrequencyData(bins);
  return bins.indexOf(Math.max(...bins)) * window.__ear.sampleRate / heard.fftSize;
}"""
UNPLUG = """() => {
  window.__plugged = navigator.mediaDevices.getUserMedia;
  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("gone", "NotFoundError"); };
  const { track } = window.__connections.at(-1).getSenders().find((one) => one.track);
  track.stop();
  track.dispatchEvent(new Event("ended"));
}"""
PLUG_IN = """() => {
  navigator.mediaDevices.getUserMedia = window.__plugged;
  navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}"""


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

        await expect(page.locator("#phone-quality")).to_have_text("线路好")

        # muted: the customer hears nothing of the agent, and again afterwards
        await page.keyboard.press("m")
        await hears(caller, "silence", agent=False)
        await page.keyboard.press("m")
        await hears(caller, "the tone again", agent=True)

        # held: music, which is no tone of ours
        await page.keyboard.press("h")
        hold = page.locator("#hand-hold")
        await expect(hold).to_have_attribute("aria-pressed", "true")
        await hears(caller, "music", agent=False)
        await page.keyboard.press("h")
        await expect(hold).to_have_attribute("aria-pressed", "false")
        await hears(caller, "back again", agent=True)

        # the way to the PBX is cut: the call goes on, and is still led by both sides
        await page.evaluate("window.__sockets.at(-1).close()")
        await expect(phone).to_have_attribute("data-status", "connecting")
        await expect(phone).to_have_attribute("data-status", "ready")
        await hears(caller, "still there", agent=True)
        await caller.hang_up()
        await expect(phone).to_have_attribute("data-call", "none")
        await expect(page.locator("#state")).to_have_attribute("data-state", "wrap_up")
        await eventually(lambda: measured(line), timeout=10, interval=0.2, what="how the line was is kept")


async def measured(line: RunningCentre) -> bool:
    history = CallHistory(line.database)
    (newest,) = (await history.page(limit=1)).items
    lines = (await history.get(newest.call_id)).quality
    return bool(lines) and lines[0].agent == NUMBER and lines[0].seconds > 0


async def test_a_bad_day(line: RunningCentre, speaking: Browser) -> None:
    async with at_the_desk(line, speaking) as watched:
        page, phone = watched.page, watched.page.locator("#phone")
        async with customer(line.pbx, number="13800138001") as caller:
            # the page lies behind another one: the desktop tells of the call, until it is answered
            await page.evaluate("window.__hidden = true")
            await choose(caller, "1")
            await expect(phone).to_have_attribute("data-call", "ringing")
            assert await page.evaluate("window.__notes.map((one) => one.title)") == ["有来电"]
            await page.evaluate("window.__notes[0].onclick(); window.__hidden = false")
            await page.keyboard.press("a")
            await expect(phone).to_have_attribute("data-call", "talking")
            assert not await page.evaluate("window.__notes[0].open")
            await hears(caller, "the agent's tone", agent=True)

            # the headset is pulled out, and put in again
            await page.evaluate(UNPLUG)
            await expect(page.locator("#phone-state")).to_contain_text("话筒断开了")
            await hears(caller, "silence", agent=False)
            await page.evaluate(PLUG_IN)
            await expect(page.locator("#phone-state")).to_have_text("通话中")
            await hears(caller, "the tone again", agent=True)

            # another window does not take the call away
            async with visitor(speaking, permissions=["microphone"]) as second:
                await sign_in(second.page, line, LOGINS[NUMBER])
                await expect(second.page.locator("#phone")).to_have_attribute("data-status", "connecting")
                await hears(caller, "the tone still", agent=True)
                second.expect("WebSocket")
                second.expect("409")
            await caller.hang_up()
        await expect(phone).to_have_attribute("data-call", "none")

        # Asterisk starts anew: the telephone comes back by itself
        await line.pbx.restart()
        await expect(phone).to_have_attribute("data-status", "ready")
        watched.expect("WebSocket")


async def test_an_agent_hears_themselves(
    line: RunningCentre, speaking: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.try_phone.LIMIT", timedelta(seconds=2))
    history = CallHistory(line.database)
    before = (await history.page(limit=1)).items
    async with at_the_desk(line, speaking) as watched:
        page, told = watched.page, watched.page.locator("#phone-try-state")
        await page.click("#phone-settings-open")
        await page.click("#phone-try")
        await expect(told).to_contain_text("滴声后说一句话")
        assert await page.get_attribute("#state", "data-state") == "available"
        await shot(page, "trial")

        async def own_voice() -> bool:
            return abs(float(await page.evaluate(LOUDEST)) - AGENT_HZ) < 40

        await eventually(own_voice, timeout=20, interval=0.1, what="what was said comes back")
        await expect(told).to_contain_text("听得清楚")
        await page.keyboard.press("Escape")
        await expect(page.locator("#state")).to_have_attribute("data-state", "available")
    assert (await history.page(limit=1)).items == before
    assert list((line.settings.data_dir / "phone-trials").iterdir()) == []


async def test_a_password_that_ran_out_is_asked_for_anew(line: RunningCentre, speaking: Browser) -> None:
    asked = 0

    async def stale_at_first(route: Route) -> None:
        nonlocal asked
        asked += 1
        answer = await route.fetch()
        found = await answer.json()
        if asked == 1:
            found["password"] = "of-last-night"
        await route.fulfill(response=answer, body=json.dumps(found))

    async with visitor(speaking, permissions=["microphone"]) as watched:
        await watched.page.route("**/agent/phone", stale_at_first)
        await sign_in(watched.page, line, LOGINS[NUMBER])
        await expect(watched.page.locator("#phone")).to_have_attribute("data-status", "ready")
        assert asked == 2


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
        # a page that is loaded again needs next to nothing anew
        assert await transferred(second.page) < 300_000
        await second.page.reload()
        await expect(second.page.locator("#phone")).to_have_attribute("data-status", "ready")
        assert await transferred(second.page) < 30_000
        # and one who would rather use the telephone on the desk does
        await second.page.click("#phone-choice")
        await expect(second.page.locator("#phone")).to_have_count(0)
        await second.page.click("#phone-choice")
        await expect(second.page.locator("#phone")).to_have_attribute("data-status", "ready")


async def transferred(page: Page) -> int:
    """How many bytes a page took over the network."""
    return int(
        await page.evaluate("performance.getEntries().reduce((sum, one) => sum + (one.transferSize || 0), 0)")
    )


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
