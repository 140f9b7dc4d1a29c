"""Queues in the browser: added and changed, who works in them, and nobody's change lost."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select, update

from ivr.repository import FlowRepository
from kernel.audit import AuditRow
from kernel.errors import NotFound
from kernel.ids import new_ulid
from telephony.agent_tables import QueueRow
from telephony.roster import Roster
from telephony.tables import CallRow
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

SEEN = re.compile(r'name="(seen_\w+)" value="([^"]*)"')


@dataclass(slots=True)
class Scene:
    stage: Stage

    async def get(self, login: str, path: str) -> tuple[int, str]:
        async with await self._client(login) as client, client.get(self.stage.url + path) as answer:
            return answer.status, await answer.text()

    async def post(self, login: str, path: str, form: dict[str, Any]) -> tuple[int, str]:
        headers = {"Origin": self.stage.url}
        async with (
            await self._client(login) as client,
            client.post(self.stage.url + path, data=form, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def _client(self, login: str) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(cookies={SESSION_COOKIE: await self.stage.session_secret(login)})

    async def form(self, name: str) -> dict[str, Any]:
        """Return the form of a queue as it stands, with what was seen."""
        _, page = await self.get("admin", f"/admin/queues/{name}")
        seen = {name: unescape(value) for name, value in SEEN.findall(page)}
        return seen | {key.removeprefix("seen_"): value for key, value in seen.items()}

    async def row(self, name: str) -> QueueRow:
        async with self.stage.database.session() as session:
            row = await session.get(QueueRow, name)
        assert row is not None
        return row


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with web_stage(tmp_path) as stage:
        yield Scene(stage)


async def test_a_queue_is_added_and_changed(scene: Scene) -> None:
    status, page = await scene.get("admin", "/admin/queues")
    assert status == 200 and "/admin/queues/complaint" in page
    new = await scene.form("complaint") | {
        "name": "vip",
        "label_zh": "贵宾<1>",
        "label_en": "VIP",
        "rating": "1",
    }
    status, page = await scene.post("admin", "/admin/queues/new", new)
    assert status == 200 and "贵宾&lt;1&gt;" in page
    assert (await scene.row("vip")).rating
    status, page = await scene.post("admin", "/admin/queues/new", new)
    assert status == 400 and "不能和别的队列相同" in page and "贵宾&lt;1&gt;" in page
    changed = await scene.form("vip") | {"ring_timeout": "33", "strategy": "ringall", "rating": ""}
    status, page = await scene.post("admin", "/admin/queues/vip", changed)
    row = await scene.row("vip")
    assert (status, row.ring_timeout_seconds, row.strategy, row.rating) == (200, 33, "ringall", False)
    async with scene.stage.database.session() as session:
        rows = await session.scalars(select(AuditRow).where(AuditRow.action == "queue.put"))
        last = [one.detail for one in rows][-1]
    assert last["after"] == {"rating": False, "ring_timeout": 33, "strategy": "ringall"}


async def test_two_at_once_and_nothing_typed_is_lost(scene: Scene) -> None:
    first, second = await scene.form("repair"), await scene.form("repair")
    assert (await scene.post("admin", "/admin/queues/repair", first | {"weight": "7"}))[0] == 200
    status, page = await scene.post("admin", "/admin/queues/repair", second | {"label_zh": "报修专线"})
    assert status == 409 and "同事刚刚改过" in page
    assert 'value="报修专线"' in page and "现在是" in page
    row = await scene.row("repair")
    assert (row.weight, row.label_zh) == (7, first["label_zh"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("label_zh", " "),
        ("label_en", "a;b"),
        ("label_zh", "x\x07"),
        ("strategy", "nobody"),
        ("ring_timeout", "2"),
        ("ring_timeout", "1e3"),
        ("max_wait", "-1"),
        ("answer_within", ""),
        ("weight", "101"),
    ],
)
async def test_what_cannot_be_is_told_at_its_field(scene: Scene, field: str, value: str) -> None:
    status, page = await scene.post(
        "admin", "/admin/queues/repair", await scene.form("repair") | {field: value}
    )
    assert status == 400
    assert re.search(rf'id="{field}"[^>]* aria-invalid="true"', page)


async def test_members_come_and_go(scene: Scene) -> None:
    agent_id = scene.stage.agents[scene.stage.agent_number]
    before = {one.agent_id: one for one in await scene.stage.desk.states()}[agent_id]
    seen = " ".join(f"{one.queue}:{one.penalty}" for one in before.queues)
    form = {"agent_id": agent_id, "seen": seen, "penalty": "9"}
    assert (await scene.post("admin", "/admin/queues/repair/members", form))[0] == 200
    now = {one.queue: one.penalty for one in (await scene.stage.desk.state(agent_id)).queues}
    assert now["repair"] == 9
    status, page = await scene.post("admin", "/admin/queues/repair/members", form | {"penalty": "3"})
    assert status == 409 and "调整过这位坐席" in page
    for wrong in ({"penalty": "500"}, {"penalty": "x"}, {"agent_id": "nobody", "seen": ""}, {"seen": "a:b"}):
        seen_now = " ".join(f"{name}:{penalty}" for name, penalty in now.items())
        status, _ = await scene.post(
            "admin", "/admin/queues/repair/members", form | {"seen": seen_now} | wrong
        )
        assert status == 400, wrong
    out = {"agent_id": agent_id, "seen": seen_now, "penalty": "9", "out": "1"}
    assert (await scene.post("admin", "/admin/queues/repair/members", out))[0] == 200
    assert "repair" not in {one.queue for one in (await scene.stage.desk.state(agent_id)).queues}


async def test_who_keeps_no_queues_sees_none(scene: Scene) -> None:
    for path in ("/admin/queues", "/admin/queues/new", "/admin/queues/repair"):
        assert (await scene.get("agent", path))[0] == 403
        assert (await scene.get("supervisor", path))[0] == 403
    assert (await scene.get("admin", "/admin/queues/nowhere"))[0] == 404


async def test_a_queue_is_retired_once_nothing_leads_there(scene: Scene) -> None:
    flows, now = FlowRepository(scene.stage.database), scene.stage.clock.now()
    menu = files("ivr").joinpath("flows/hotline.yaml").read_text(encoding="utf-8")
    flow = await flows.add(name="hotline", yaml=menu, checksum="x" * 64, published_by="t", now=now)
    await flows.activate(flow.version_id, now=now)
    for queue, reasons in (
        ("service", ("没有别的去处的来电", "导航“hotline”", "来电分配规则第")),
        ("complaint", ("导航“hotline”", "来电分配规则第")),
    ):
        status, page = await scene.get("admin", f"/admin/queues/{queue}")
        assert status == 200 and all(reason in page for reason in reasons)
        status, page = await scene.post("admin", f"/admin/queues/{queue}/retire", {})
        assert status == 409 and "现在不能停用" in page
        assert (await scene.row(queue)).active
    form = await scene.form("complaint") | {"name": "vip", "label_zh": "贵宾", "label_en": "VIP"}
    assert (await scene.post("admin", "/admin/queues/new", form))[0] == 200
    stage = scene.stage
    agent_id = stage.agents[stage.agent_number]
    roster = Roster(stage.database, stage.clock, stage.bus)
    before = {one.queue: one.penalty for one in (await stage.desk.state(agent_id)).queues}
    await roster.set_memberships(agent_id, before | {"vip": 3})
    now = stage.clock.now()
    call = CallRow(
        call_id=new_ulid(),
        node="pbx1",
        direction="in",
        state="queued",
        queue="vip",
        from_number="x",
        to_number="y",
        from_name="",
        menu_path=[],
        talk_ms=0,
        hold_ms=0,
        started_at=now,
    )
    async with stage.database.transaction() as session:
        session.add(call)
    status, page = await scene.post("admin", "/admin/queues/vip/retire", {})
    assert status == 409 and "1 通电话" in page
    async with stage.database.transaction() as session:
        await session.execute(update(CallRow).values(state="ended"))
    assert (await scene.post("supervisor", "/admin/queues/vip/retire", {}))[0] == 403
    status, page = await scene.post("admin", "/admin/queues/vip/retire", {})
    assert status == 200 and "队列已停用" in page and "贵宾" in page
    assert {one.queue for one in (await stage.desk.state(agent_id)).queues} == set(before)
    assert (await scene.get("admin", "/admin/queues/vip"))[0] == 404
    with pytest.raises(NotFound):
        await roster.set_memberships(agent_id, {"vip": 0})
    status, page = await scene.post("admin", "/admin/queues/new", form)
    assert status == 400, "the name stays with its calls"
    status, page = await scene.post("admin", "/admin/queues/vip/restore", {})
    assert status == 200 and "还没有坐席" in page
    assert (await scene.post("admin", "/admin/queues/vip/restore", {}))[0] == 404
