"""Campaigns over REST: written, changed with a version, started once for a key, listed, taken out."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from callback_campaigns.task_tables import DialAttemptRow, DialRefusalRow
from crm.tables import Customer
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.limits import at
from tests.support.web_stage import Stage as WebStage
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS

pytestmark = pytest.mark.integration

NEW = {
    "name": "竣工客户回访",
    "mode": "ivr",
    "kinds": ["JG"],
    "trunk": "main",
    "carrier": "own",
    "caller_id": "01065558800",
    "starts_on": "2026-03-02",
    "ends_on": "2026-03-31",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-03 10:00"))


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[WebStage]:
    made = WebStage(sqlite, clock, tmp_path)
    await made.seed()
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: WebStage, login: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    secret = await stage.session_secret(login)
    sent = {"Origin": stage.url} | {name.replace("_", "-"): value for name, value in headers.items()}
    data = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers=sent) as client,
        client.request(method, f"{stage.url}/api/v1{path}", **data) as answer,
    ):
        if answer.content_type == "application/json" or answer.content_type.endswith("problem+json"):
            return answer.status, await answer.json()
        return answer.status, await answer.read()


async def made(stage: WebStage, **changes: Any) -> dict[str, Any]:
    status, campaign = await ask(stage, "supervisor", "POST", "/campaigns", NEW | changes)
    assert status == 201, campaign
    found: dict[str, Any] = campaign
    return found


async def test_written_changed_and_taken_through_its_steps(stage: WebStage) -> None:
    draft = await made(stage)
    path = f"/campaigns/{draft['campaign_id']}"
    assert (draft["state"], draft["steps"], draft["version"]) == ("draft", ["start", "discard"], 1)
    assert (await ask(stage, "supervisor", "PATCH", path, {"lines": 4}))[0] == 428
    status, changed = await ask(stage, "supervisor", "PATCH", path, {"lines": 4}, If_Match='"1"')
    assert (status, changed["lines"], changed["version"]) == (200, 4, 2)
    assert (await ask(stage, "supervisor", "PATCH", path, {"lines": 5}, If_Match='"1"'))[0] == 412
    status, problem = await ask(stage, "supervisor", "PATCH", path, {"lines": 61}, If_Match='"2"')
    assert (status, problem["errors"][0]["field"]) == (400, "lines")
    assert (await ask(stage, "supervisor", "PATCH", path, {"state": "running"}, If_Match='"2"'))[0] == 400
    start: Any = ("supervisor", "POST", f"{path}/start", {})
    assert (await ask(stage, *start, If_Match='"2"'))[0] == 428
    status, running = await ask(stage, *start, If_Match='"2"', Idempotency_Key="k1")
    assert (status, running["state"], running["version"]) == (200, "running", 3)
    assert await ask(stage, *start, If_Match='"2"', Idempotency_Key="k1") == (200, running)
    assert (await ask(stage, *start, If_Match='"3"', Idempotency_Key="k2"))[0] == 409
    status, paused = await ask(
        stage, "supervisor", "POST", f"{path}/pause", {"reason": "午休"}, If_Match='"3"'
    )
    assert (status, paused["state"]) == (200, "paused")
    status, ended = await ask(stage, "supervisor", "POST", f"{path}/stop", {}, If_Match='"4"')
    assert (status, ended["state"], ended["steps"]) == (200, "ended", [])


async def test_agents_neither_see_nor_run_campaigns(stage: WebStage) -> None:
    draft = await made(stage)
    path = f"/campaigns/{draft['campaign_id']}"
    for method, where in (
        ("GET", "/campaigns"),
        ("GET", path),
        ("GET", f"{path}/counts"),
        ("GET", f"{path}/refusals"),
        ("GET", "/dial-attempts"),
        ("POST", f"{path}/start"),
        ("GET", f"{path}/lists"),
    ):
        assert (await ask(stage, "agent", method, where))[0] == 403, where
    assert (await ask(stage, "supervisor", "GET", f"{path}/results.csv"))[0] == 403


async def test_figures_refusals_and_attempts(stage: WebStage, clock: FakeClock) -> None:
    draft = await made(stage)
    key, now = draft["campaign_id"], clock.now()
    async with stage.database.transaction() as session:
        customer_id = await session.scalar(select(Customer.id).limit(1))
        session.add(DialRefusalRow(id=new_ulid(), task_id=new_ulid(), campaign_id=key, at=now, code="frozen"))
        session.add(
            DialAttemptRow(
                id=new_ulid(),
                channel_id="att-1",
                campaign_id=key,
                customer_id=customer_id,
                number="+8613800138001",
                node="pbx1",
                trunk="main",
                state="ended",
                outcome="busy",
                survey=True,
                began_at=now,
                since=now,
                ended_at=now,
                cause=17,
                heard="正在通话中<b>",
                heard_as="busy",
                heard_sure=0.95,
            )
        )
    status, counts = await ask(stage, "supervisor", "GET", f"/campaigns/{key}/counts")
    assert status == 200
    assert (counts["refused"], counts["attempts"], counts["abandon_cap"]) == (
        {"frozen": 1},
        {"busy": 1},
        0.03,
    )
    assert counts["opens"] == "2026-03-03T10:00:00.000+08:00"
    _, refusals = await ask(stage, "supervisor", "GET", f"/campaigns/{key}/refusals?code=frozen")
    assert [one["code"] for one in refusals["items"]] == ["frozen"]
    _, attempts = await ask(stage, "supervisor", "GET", f"/dial-attempts?campaign_id={key}&outcome=busy")
    (one,) = attempts["items"]
    assert (one["number"], one["campaign"]) == ("138****8001", "竣工客户回访")
    assert one["heard"] == {"announcement": "busy", "text": "正在通话中<b>", "sure": 0.95}
    assert one["cause"] == 17
    assert (await ask(stage, "supervisor", "GET", "/dial-attempts?outcome=nonsense"))[0] == 400
    status, file = await ask(stage, "admin", "GET", f"/dial-attempts.csv?campaign_id={key}")
    assert status == 200
    assert "138****8001" in file.decode("utf-8-sig")
    assert "17,正在通话中<b>,busy,0.95" in file.decode("utf-8-sig")
    status, book = await ask(stage, "admin", "GET", f"/campaigns/{key}/results.xlsx")
    assert (status, book[:2]) == (200, b"PK")
    _, listed = await ask(stage, "supervisor", "GET", "/campaigns?state=draft&kind=JG")
    assert [item["campaign_id"] for item in listed["items"]] == [key]


async def test_a_list_is_sent_checked_and_run_with_a_key(stage: WebStage) -> None:
    assert stage.app is not None
    planned = await made(stage)
    own = await made(stage, tasks_from="list", kinds=["RT"])

    def form() -> aiohttp.FormData:
        sent = aiohttp.FormData()
        content = "客户姓名,电话\n李梅,13800138002\n".encode()
        sent.add_field("file", content, filename="名单.csv", content_type="text/csv")
        return sent

    status, problem = await ask(
        stage, "supervisor", "POST", f"/campaigns/{planned['campaign_id']}/lists", form()
    )
    assert (status, problem["code"]) == (409, "no_list_wanted")
    path = f"/campaigns/{own['campaign_id']}/lists"
    status, job = await ask(stage, "supervisor", "POST", path, form())
    assert (status, job["state"]) == (201, "checking")
    jobs = stage.app[CALLBACKS].list_jobs
    await jobs.run_once()
    where = f"/campaign-lists/{job['job_id']}"
    _, checked = await ask(stage, "supervisor", "GET", where)
    assert (checked["state"], checked["report"]["new_tasks"]) == ("checked", 1)
    assert (await ask(stage, "supervisor", "POST", f"{where}/run", {}))[0] == 428
    assert (await ask(stage, "supervisor", "POST", f"{where}/run", {}, Idempotency_Key="l1"))[0] == 200
    await jobs.run_once()
    _, lists = await ask(stage, "supervisor", "GET", path)
    assert [one["state"] for one in lists["items"]] == ["done"]
    assert (await ask(stage, "supervisor", "GET", f"{where}/report.csv"))[0] == 200
