"""Where an agent sends a customer, on the real line: into a menu, and where nobody can be reached."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.sipp.phone import PhoneCall
from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
from telephony.views import CallView
from tests.support.centre import LOGINS, PASSWORD, RunningCentre, running_centre
from tests.support.pbx import HOTLINE
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

AGENT, BUSY, COLLEAGUE = "1001", "1002", "1003"


async def test_a_customer_is_sent_into_a_menu_and_chooses_again(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"centre": {"hotline": HOTLINE, "always_open": True}, "web": {"port": 0}}
    async with running_centre(tmp_path, **changes) as centre, page_of(centre, AGENT) as page:
        agent_id = await centre.agent_id(AGENT)
        await centre.service.desk.sign_in(agent_id)
        async with (
            agent_phone(centre.pbx, AGENT) as phone,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await choose(caller, "1")
            ring = await phone.rings(within=20)
            await ring.answer()
            await is_in_state(centre, agent_id, AgentState.ON_CALL)
            call_id = (await centre.service.desk.state(agent_id)).call_id
            assert call_id is not None
            found = await said(page, "GET", "/transfer-targets", params={"q": "hotline"})
            assert {"kind": "flow", "value": "hotline"}.items() <= found["items"][0].items()
            before = caller.ear.packets
            sent = {"kind": "flow", "target": "hotline", "expected": "talking"}
            once = {"Idempotency-Key": "sent-into-the-menu"}
            hand = await said(page, "POST", f"/calls/{call_id}/transfer", json=sent, headers=once)
            assert hand["state"] == "none"
            assert await ring.ended(within=10) == "far"
            await is_in_state(centre, agent_id, AgentState.WRAP_UP)
            # The menu speaks, and takes keys.
            await eventually(lambda: caller.ear.packets > before + 150, what="three seconds of the menu")
            async with agent_phone(centre.pbx, COLLEAGUE) as other:
                other_id = await centre.agent_id(COLLEAGUE)
                await centre.service.desk.sign_in(other_id)
                await caller.press("2")
                again = await other.rings(within=30)
                await again.answer()
                await eventually(lambda: again.up and caller.up, timeout=10)
                await is_in_state(centre, other_id, AgentState.ON_CALL)
                assert (await centre.service.desk.state(other_id)).call_id == call_id
                await caller.hang_up()
                await is_in_state(centre, other_id, AgentState.WRAP_UP)
        call = await over(centre)
        assert (call.call_id, call.result, call.agent, call.queue) == (
            call_id,
            "ANSWERED",
            COLLEAGUE,
            "repair",
        )
        way = [(row.kind, row.agent) for row in call.timeline if row.kind in {"menu", "queued", "answered"}]
        chooses = [("menu", None), ("queued", None)]
        assert way == [*chooses, ("answered", AGENT), *chooses, ("answered", COLLEAGUE)]
        (moved,) = [row.detail for row in call.timeline if row.kind == "transferred"]
        assert (moved["type"], moved["kind"], moved["to"]) == ("blind", "flow", "hotline")
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
        assert centre.pbx.log("ERROR") == []


async def test_a_target_that_is_busy_away_or_unknown_is_told_and_the_customer_stays(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"centre": {"hotline": HOTLINE, "always_open": True}, "web": {"port": 0}}
    async with running_centre(tmp_path, **changes) as centre, page_of(centre, AGENT) as page:
        agent_id = await centre.agent_id(AGENT)
        await centre.service.desk.sign_in(agent_id)
        async with (
            agent_phone(centre.pbx, AGENT) as phone,
            agent_phone(centre.pbx, BUSY) as busy,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await choose(caller, "1")
            ring = await phone.rings(within=20)
            await ring.answer()
            await is_in_state(centre, agent_id, AgentState.ON_CALL)
            call_id = (await centre.service.desk.state(agent_id)).call_id
            async with customer(centre.pbx, number="13800138002") as other:
                await centre.service.desk.sign_in(await centre.agent_id(BUSY))
                await choose(other, "1")
                taken = await busy.rings(within=30)
                await taken.answer()
                await eventually(lambda: taken.up and other.up, timeout=10)
                tried = [
                    ("agent", BUSY, 409, "target_away"),
                    ("agent", COLLEAGUE, 409, "target_away"),
                    ("agent", "9999", 404, "target_unknown"),
                    ("agent", AGENT, 404, "target_unknown"),
                    ("queue", "nobody", 404, "target_unknown"),
                    ("flow", "nobody", 404, "target_unknown"),
                    ("outside", "12345678901234", 404, "target_unknown"),
                ]
                for step in ("transfer", "consult"):
                    for number, (kind, target, status, code) in enumerate(tried):
                        asked = {"kind": kind, "target": target, "expected": "talking"}
                        once = {"Idempotency-Key": f"tried-{step}-{number}"}
                        path = f"/api/v1/calls/{call_id}/{step}"
                        async with page.post(path, json=asked, headers=once) as answer:
                            told = await answer.json()
                        assert (answer.status, told["code"]) == (status, code), (step, kind, target, told)
                        hand = await said(page, "GET", f"/calls/{call_id}/hand")
                        assert (hand["state"], hand["notice"]) == ("talking", None)
                        await still_hears(caller)
                await other.hang_up()
                await taken.ended(within=10)
            assert ring.up
            assert caller.up
            await caller.hang_up()
            await ring.ended(within=10)
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
        kinds = [row.kind for row in (await CallHistory(centre.database).get(str(call_id))).timeline]
        assert "transferred" not in kinds
        assert "held" not in kinds, "the customer never left the line"


async def still_hears(caller: PhoneCall) -> None:
    before = caller.ear.packets
    await eventually(lambda: caller.ear.packets > before + 10, timeout=5, what="the customer hears the line")


async def over(centre: RunningCentre) -> CallView:
    history = CallHistory(centre.database)

    async def ended() -> bool:
        return [one.state for one in (await history.page()).items] == ["ended"]

    await eventually(ended, timeout=20, what="one call, and it is over")
    (one,) = (await history.page()).items
    return await history.get(one.call_id)


async def is_in_state(centre: RunningCentre, agent_id: str, state: AgentState) -> None:
    async def so() -> bool:
        return (await centre.service.desk.state(agent_id)).state is state

    await eventually(so, timeout=20, what=f"the agent is {state.value}")


@asynccontextmanager
async def page_of(centre: RunningCentre, number: str) -> AsyncIterator[aiohttp.ClientSession]:
    """What an agent's page asks of the service, signed in as them."""
    async with aiohttp.ClientSession(
        centre.url,
        headers={"Origin": centre.url},
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        timeout=aiohttp.ClientTimeout(total=30),
    ) as page:
        form = {"login": LOGINS[number], "password": PASSWORD}
        async with page.post("/sign-in", data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        yield page


async def said(page: aiohttp.ClientSession, method: str, path: str, **asked: Any) -> Any:
    async with page.request(method, "/api/v1" + path, **asked) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()
