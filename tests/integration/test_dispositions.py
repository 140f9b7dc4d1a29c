"""The tree of dispositions: kept by the manager, offered to agents, asked of what they save."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from telephony.dispositions import DispositionBook, DispositionsUnfit, DispositionText
from telephony.domain.disposition import Need
from telephony.wrap_ups import DispositionUnknown
from tests.support.agents import centre
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="0" * 26, name="孟经理", role=Role.MANAGER)
LEAK = DispositionText(label_zh="漏水", label_en="Leak", queues=frozenset({"repair"}), position=1)


async def test_the_manager_keeps_the_tree(database: Database, clock: FakeClock) -> None:
    await centre(database, clock)
    book = DispositionBook(database, clock)
    with pytest.raises(Forbidden):
        await book.put(Actor(user_id="1" * 26, name="班长", role=Role.SUPERVISOR), None, LEAK, expected=None)
    made = await book.put(MANAGER, None, LEAK, expected=None)
    assert made.version == 1
    child = await book.put(
        MANAGER, None, replace(LEAK, label_zh="屋面", parent=made.code, queues=frozenset()), expected=None
    )
    tree = await book.tree()
    assert (tree.offered(made.code, "repair"), tree.offered(child.code, "repair")) == (False, True)
    assert not tree.offered(child.code, "service")

    for text, field in (
        (replace(LEAK, label_zh=" "), "label_zh"),
        (replace(LEAK, label_en="x" * 41), "label_en"),
        (replace(LEAK, queues=frozenset({"nowhere"})), "queues"),
        (replace(LEAK, position=1000), "position"),
    ):
        with pytest.raises(Invalid) as refused:
            await book.put(MANAGER, made.code, text, expected=1)
        assert refused.value.field == field
    for text, field in (
        (replace(LEAK, parent=child.code), "parent"),
        (replace(LEAK, parent="gone"), "parent"),
        (replace(LEAK, active=False), "active"),
    ):
        with pytest.raises(DispositionsUnfit) as unfit:
            await book.put(MANAGER, made.code, text, expected=1)
        assert unfit.value.field == field
    with pytest.raises(NotFound):
        await book.put(MANAGER, "'; drop table call --", LEAK, expected=1)
    with pytest.raises(StaleVersion):
        await book.put(MANAGER, made.code, LEAK, expected=2)
    assert (await book.tree())[made.code] == made, "nothing of it was written"

    changed = await book.put(
        MANAGER, made.code, replace(LEAK, label_zh="<b>渗漏</b>", needs=frozenset({Need.NOTES})), expected=1
    )
    assert (changed.version, changed.label_zh) == (2, "<b>渗漏</b>")
    query = select(AuditRow.detail).where(AuditRow.entity_id == made.code).order_by(AuditRow.seq)
    async with database.session() as session:
        records = list(await session.scalars(query))
    assert [(one["before"].get("label_zh"), one["after"]["label_zh"]) for one in records] == [
        (None, "漏水"),
        ("漏水", "<b>渗漏</b>"),
    ]


async def test_agents_always_have_something_to_pick(database: Database, clock: FakeClock) -> None:
    await centre(database, clock)
    book = DispositionBook(database, clock)
    items = [item for item, _ in (await book.tree()).walk()]
    for item in items[:-1]:
        text = DispositionText(label_zh=item.label_zh, label_en=item.label_en, active=False)
        await book.put(MANAGER, item.code, text, expected=item.version)
    last = items[-1]
    text = DispositionText(label_zh=last.label_zh, label_en=last.label_en)
    for limited in (replace(text, active=False), replace(text, queues=frozenset({"repair"}))):
        with pytest.raises(DispositionsUnfit):
            await book.put(MANAGER, last.code, limited, expected=last.version)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


async def test_what_is_saved_fits_the_queue_and_has_its_notes(stage: Stage) -> None:
    book = DispositionBook(stage.database, stage.clock)
    made = await book.put(MANAGER, None, replace(LEAK, needs=frozenset({Need.NOTES})), expected=None)
    elsewhere = await stage.ring("13800138001", queue="complaint")
    agent_id = stage.agents[stage.agent_number]
    await stage.answer(elsewhere)
    await stage.hang_up(elsewhere)
    with pytest.raises(DispositionUnknown):
        await stage.desk.save_wrap_up(agent_id, elsewhere, disposition=made.code, notes="漏水")
    await stage.desk.save_wrap_up(agent_id, elsewhere, disposition="nuisance")

    call = await stage.ring("13800138001", queue="repair")
    await stage.answer(call)
    await stage.hang_up(call)
    headers = {
        "Origin": stage.url,
        "Cookie": f"{SESSION_COOKIE}={await stage.session_secret('agent')}",
        "Accept": "application/json",
    }
    async with aiohttp.ClientSession(stage.url, headers=headers) as client:
        for body, field in (
            ({"disposition": made.code, "notes": "  "}, "notes"),
            ({"disposition": "call_back"}, "follow_up"),
            ({"disposition": "call_back", "follow_up": "2001-01-01T10:00"}, "follow_up"),
        ):
            async with client.post(f"/agent/wrap-ups/{call}", json=body) as answer:
                assert answer.status == 400
                assert [item["field"] for item in (await answer.json())["errors"]] == [field]
        async with client.get("/agent") as answer:
            text = await answer.text()
        assert (
            f'<label data-queues="repair"><input type="radio" name="disposition" value="{made.code}' in text
        )
        async with client.post(
            f"/agent/wrap-ups/{call}", json={"disposition": made.code, "notes": "厨房漏水"}
        ) as answer:
            assert answer.status == 204
    saved = await stage.desk.wrap_up(agent_id, call)
    assert saved is not None
    assert (saved.disposition, saved.notes) == (made.code, "厨房漏水")
    # What has been retired since is still what was said, and may be said again unchanged.
    await book.put(MANAGER, made.code, replace(LEAK, active=False), expected=1)
    await stage.desk.save_wrap_up(
        agent_id, call, disposition=made.code, notes="厨房漏水", customer_id=saved.customer_id
    )


async def test_the_page_and_the_interface(stage: Stage) -> None:
    headers = {"Origin": stage.url, "Accept": "text/html"}
    here = "/lists/dispositions"
    async with aiohttp.ClientSession(stage.url, headers=headers) as client:
        for login, status in (("agent", 403), ("supervisor", 403), ("admin", 200)):
            cookie = {"Cookie": f"{SESSION_COOKIE}={await stage.session_secret(login)}"}
            async with client.get(here, headers=cookie) as answer:
                assert answer.status == status
        form = {"label_zh": "漏水<i>", "label_en": "Leak", "parent": "", "position": "3", "active": "1"}
        async with client.post(
            f"{here}/new/steps/put", data=form | {"position": "x", "queue:repair": "1"}, headers=cookie
        ) as answer:
            text = await answer.text()
            assert (answer.status, 'value="漏水&lt;i&gt;"' in text) == (400, True)
        async with client.post(
            f"{here}/new/steps/put",
            data=form | {"queue:repair": "1", "need:notes": "1"},
            headers=cookie,
            allow_redirects=False,
        ) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"{here}?done=put")
        async with client.get(here, headers=cookie) as answer:
            assert "漏水&lt;i&gt;" in await answer.text()
        async with client.get("/api/v1/dispositions", headers=cookie) as answer:
            (made,) = [item for item in (await answer.json())["items"] if item["label_en"] == "Leak"]
        assert (made["queues"], made["needs"], made["position"]) == (["repair"], ["notes"], 3)
        body = {"label_zh": "漏水", "label_en": "Leak", "queues": [], "active": False}
        async with client.put(
            f"/api/v1/dispositions/{made['code']}", json=body, headers=cookie | {"If-Match": '"1"'}
        ) as answer:
            assert answer.status == 200, await answer.text()
            assert (await answer.json())["active"] is False
        async with client.put(
            f"/api/v1/dispositions/{made['code']}", json=body, headers=cookie | {"If-Match": '"1"'}
        ) as answer:
            assert answer.status == 412
