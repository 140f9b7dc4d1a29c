"""Limits of the board: published, watched, told, shown."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from app.service_watch import ServiceWatch
from crm.events_alerts import BoardLimitCrossed
from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.events import decode
from kernel.outbox import OutboxRow
from telephony.board import Board
from telephony.board_limits import BoardLimitBook, NewLimits
from telephony.domain.board_limits import LimitKind
from telephony.events import LinkStateChanged
from tests.support.agents import centre
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="0" * 26, name="孟经理", role=Role.MANAGER)
FREE = NewLimits(queues={"repair": {LimitKind.FREE: 1}}, begins_after=timedelta(seconds=5))


async def test_limits_are_versions_and_their_alerts_are_told_once(
    database: Database, clock: FakeClock
) -> None:
    base = await centre(database, clock)
    book = BoardLimitBook(database, clock, Bus())
    assert (await book.current(MANAGER)).version == 0
    with pytest.raises(Forbidden):
        await book.publish(Actor(user_id="1" * 26, name="班长", role=Role.SUPERVISOR), FREE, expected=0)
    with pytest.raises(NotFound):
        await book.publish(MANAGER, NewLimits(queues={"nowhere": {}}), expected=0)
    with pytest.raises(Invalid):
        await book.publish(MANAGER, NewLimits(queues={"repair": {LimitKind.LEVEL: 0}}), expected=0)
    assert (await book.publish(MANAGER, FREE, expected=0)).version == 1
    with pytest.raises(StaleVersion):
        await book.publish(MANAGER, FREE, expected=0)
    await book.publish(MANAGER, FREE, expected=1)
    page = await book.versions(MANAGER, limit=1)
    assert ([item.version for item in page.items], page.next_cursor) == ([2], "2")
    assert (await book.versions(MANAGER, cursor="2")).items[0].queues == FREE.queues

    board = Board(
        database,
        clock,
        base.bus,
        open_calls=list,
        link=lambda: LinkStateChanged(at=clock.now(), node="pbx1", state="live"),
    )
    await base.desk.sign_in(base.jing)
    await base.desk.pause(base.jing, "lunch")
    await board.load()
    assert not board.watch()
    clock.advance(timedelta(seconds=5))
    assert board.watch()
    (alert,) = board.snapshot().alerts
    assert (alert.queue, alert.kind, alert.limit, alert.value) == ("repair", "free", 1, 0)
    assert alert.since == clock.now() - timedelta(seconds=5)
    watch = ServiceWatch(board, database, clock, target=80)
    assert [await watch.look(), await watch.look()] == [1, 0]
    async with database.session() as session:
        payloads = (await session.scalars(select(OutboxRow.payload))).all()
    facts = [decode(payload.encode() if isinstance(payload, str) else payload) for payload in payloads]
    (told,) = [fact for fact in facts if isinstance(fact, BoardLimitCrossed)]
    assert (told.label, told.kind, told.since) == ("报修", "free", alert.since)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


async def test_the_page_of_limits(stage: Stage) -> None:
    cookie = f"{SESSION_COOKIE}={await stage.session_secret('admin')}"
    headers = {"Origin": stage.url, "Accept": "text/html", "Cookie": cookie}
    form = {"version": "0", "begins_after_seconds": "5", "ends_after_seconds": "30", "sound": "1"}
    async with aiohttp.ClientSession(stage.url, headers=headers) as client:
        wrong = form | {"queues.complaint.level": "180"}
        async with client.post("/supervisor/limits", data=wrong) as answer:
            text = await answer.text()
            assert (answer.status, 'role="alert"' in text, 'value="180"' in text) == (422, True, True)
        right = form | {"queues.complaint.level": "80", "queues.complaint.waiting": "3", "why": "<b>忙</b>"}
        async with client.post("/supervisor/limits", data=right) as answer:
            text = await answer.text()
            assert answer.status == 200
        assert "&lt;b&gt;忙&lt;/b&gt;" in text
        assert 'name="queues.complaint.level" min="1" max="100" value="80"' in text
        async with client.post("/supervisor/limits", data=right) as answer:
            assert answer.status == 412
        async with client.get("/api/v1/board-limits") as answer:
            assert (await answer.json())["queues"] == {"complaint": {"level": 80, "waiting": 3}}
