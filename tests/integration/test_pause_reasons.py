"""The reasons of breaks: kept by the manager, offered to agents, versions that do not undo each other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from telephony.desk import PauseReasonUnknown
from telephony.pause_reasons import PauseReasonBook, PauseReasonsUnfit, PauseReasonText
from tests.support.agents import centre
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="0" * 26, name="孟经理", role=Role.MANAGER)
TEA = PauseReasonText(label_zh="喝水", label_en="Tea", position=7, limit_seconds=600, ends_itself=True)


async def test_the_manager_keeps_the_reasons(database: Database, clock: FakeClock) -> None:
    await centre(database, clock)
    book = PauseReasonBook(database, clock, Bus())
    with pytest.raises(Forbidden):
        await book.put(Actor(user_id="1" * 26, name="李娜", role=Role.AGENT), None, TEA, expected=None)
    made = await book.put(MANAGER, None, TEA, expected=None)
    assert (made.version, made.selectable, made.text) == (1, True, TEA)
    for text, field in (
        (replace(TEA, label_zh="\n"), "label_zh"),
        (replace(TEA, label_en="x" * 41), "label_en"),
        (replace(TEA, position=1000), "position"),
        (replace(TEA, limit_seconds=30), "limit_seconds"),
        (replace(TEA, limit_seconds=None), "limit_seconds"),
    ):
        with pytest.raises(Invalid) as refused:
            await book.put(MANAGER, made.code, text, expected=1)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        await book.put(MANAGER, "'; drop table call --", TEA, expected=1)
    with pytest.raises(StaleVersion):
        await book.put(MANAGER, made.code, TEA, expected=2)
    changed = await book.put(MANAGER, made.code, replace(TEA, label_zh="<b>茶</b>"), expected=1)
    assert (changed.version, changed.text.label_zh) == (2, "<b>茶</b>")
    query = select(AuditRow.detail).where(AuditRow.entity_id == made.code).order_by(AuditRow.seq)
    async with database.session() as session:
        records = list(await session.scalars(query))
    assert [(one["before"].get("label_zh"), one["after"]["label_zh"]) for one in records] == [
        (None, "喝水"),
        ("喝水", "<b>茶</b>"),
    ]


async def test_one_is_left_to_pick_and_the_systems_own_stay(database: Database, clock: FakeClock) -> None:
    await centre(database, clock)
    book = PauseReasonBook(database, clock, Bus())
    reasons = await book.all()
    for one in [one for one in reasons if not one.selectable]:
        named = await book.put(MANAGER, one.code, replace(one.text, label_zh="改名"), expected=one.version)
        assert named.text.label_zh == "改名"
        for text in (replace(one.text, active=False), replace(one.text, limit_seconds=600)):
            with pytest.raises(PauseReasonsUnfit):
                await book.put(MANAGER, one.code, text, expected=named.version)
    *others, last = [one for one in reasons if one.selectable]
    for one in others:
        await book.put(MANAGER, one.code, replace(one.text, active=False), expected=one.version)
    with pytest.raises(PauseReasonsUnfit):
        await book.put(MANAGER, last.code, replace(last.text, active=False), expected=last.version)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


async def test_on_the_page_and_at_the_desk(stage: Stage) -> None:
    cookie = {"Cookie": f"{SESSION_COOKIE}={await stage.session_secret('admin')}", "Origin": stage.url}
    here = "/lists/pause-reasons"
    typed = {"label_zh": "喝水", "label_en": "Tea", "position": "7", "limit_minutes": "10", "active": "1"}
    async with aiohttp.ClientSession(stage.url, headers=cookie) as client:
        wrong = typed | {"limit_minutes": "ten"}
        async with client.post(f"{here}/new/steps/put", data=wrong) as answer:
            assert answer.status == 400
            assert 'value="喝水"' in await answer.text(), "what was typed stays"
        async with client.post(f"{here}/new/steps/put", data=typed, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"{here}?done=put")
        made = next(
            one
            for one in await PauseReasonBook(stage.database, stage.clock, stage.bus).all()
            if one.text.label_zh == "喝水"
        )
        assert (made.text.limit_seconds, made.text.ends_itself) == (600, False)
        async with client.get(here) as answer:
            text = await answer.text()
            assert "最多 10 分钟" in text
            assert "系统使用" in text
        retired = typed | {"version": "1"}
        del retired["active"]
        async with client.post(
            f"{here}/{made.code}/steps/put", data=retired, allow_redirects=False
        ) as answer:
            assert answer.status == 303
        async with client.post(f"{here}/{made.code}/steps/put", data=retired) as answer:
            assert answer.status == 412, "of an older version"
    with pytest.raises(PauseReasonUnknown):
        await stage.desk.pause(stage.agents[stage.agent_number], made.code)
