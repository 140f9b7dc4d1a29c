"""Big screens: opened with a code, they read the figures and nothing else, until they are taken away."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from kernel.access import Actor, Role
from kernel.errors import Forbidden
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE
from web.wall_screens import MOST_SCREENS, TooManyScreens, WrongCode

pytestmark = pytest.mark.integration

BOSS = Actor(user_id="0" * 26, name="王主管", role=Role.SUPERVISOR, ip="127.0.0.1")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        found.board.add_queue("complaint", waiting=2, longest=34)
        found.board.add_agent("a", "1001", "周晓梅", "on_call")
        found.board.add_half_hour(0, 5, 4)
        yield found


def client(stage: Stage, cookie: str = "") -> aiohttp.ClientSession:
    headers = {"Origin": stage.url, "Accept": "text/html", **({"Cookie": cookie} if cookie else {})}
    return aiohttp.ClientSession(stage.url, headers=headers, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def snapshot(session: aiohttp.ClientSession) -> str:
    async with asyncio.timeout(20), session.get("/wallboard/live", params={"topics": "board"}) as stream:
        assert stream.status == 200
        async for line in stream.content:
            if line.startswith(b'data: {"events"'):
                return line.decode()
    raise AssertionError("the stream ended")


async def test_a_screen_from_its_code_to_being_taken_away(stage: Stage) -> None:
    boss = f"{SESSION_COOKIE}={await stage.session_secret('supervisor')}"
    async with client(stage, boss) as desk, client(stage) as screen:
        async with desk.post("/supervisor/screens", data={"name": "客服大厅"}) as answer:
            found = re.search(r'class="code num">([0-9A-Z]{4})-([0-9A-Z]{4})<', await answer.text())
        assert found is not None
        async with screen.get("/wallboard") as answer:
            assert 'name="code"' in await answer.text()
        async with screen.get("/wallboard/live/check") as answer:
            assert answer.status == 401
        async with screen.post("/wallboard", data={"code": "AAAA-AAAA"}) as answer:
            assert (answer.status, 'role="alert"' in await answer.text()) == (422, True)
        async with screen.post("/wallboard", data={"code": f" {found[1].lower()} {found[2]} "}) as answer:
            assert (answer.status, 'id="t-level"' in await answer.text()) == (200, True)
        told = await snapshot(screen)
        events = dict(json.loads(told.removeprefix("data: "))["events"])
        assert (events["wall"]["queues"][0]["waiting"], events["wall"]["states"]) == (2, {"on_call": 1})
        assert [point["offered"] for point in events["trend"]["points"]] == [5]
        assert "周晓梅" not in told
        for path in ("/supervisor", "/live?topics=board", "/api/v1/queues", "/calls"):
            async with screen.get(path, allow_redirects=False) as answer:
                assert answer.status in (303, 401)
        used = {"code": found[1] + found[2]}
        async with client(stage) as other, other.post("/wallboard", data=used) as answer:
            assert answer.status == 422  # a code opens one screen
        (listed,) = await stage.accounts.screens.list(BOSS)
        assert listed.opened_at is not None
        async with desk.post(f"/supervisor/screens/{listed.screen_id}/take-away") as answer:
            assert "还没有大屏" in await answer.text()
        async with screen.get("/wallboard/live") as answer:
            assert answer.status == 401
        async with desk.get("/wallboard") as answer:
            assert 'id="t-level"' in await answer.text()
    actions = [record.action for record in await stage.accounts.audit.recent()]
    assert [one for one in actions if one.startswith("screen_")] == [
        "screen_revoked",
        "screen_opened",
        "screen_created",
    ]


async def test_codes_run_out_and_screens_are_few(stage: Stage) -> None:
    screens = stage.accounts.screens
    code = await screens.create(BOSS, "大厅")
    screens._clock = _Later(stage)
    with pytest.raises(WrongCode):
        await screens.open(code, ip="127.0.0.1")
    with pytest.raises(Forbidden):
        await screens.create(Actor(user_id="1" * 26, name="坐席", role=Role.AGENT), "大厅")
    for number in range(MOST_SCREENS - 1):
        await screens.create(BOSS, f"屏 {number}")
    with pytest.raises(TooManyScreens):
        await screens.create(BOSS, "再一个")


class _Later:
    """A clock a quarter of an hour ahead."""

    def __init__(self, stage: Stage) -> None:
        self.now = lambda: stage.clock.now() + timedelta(minutes=15)
        self.monotonic = stage.clock.monotonic
