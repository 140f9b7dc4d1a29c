"""Customers say after a call how it was: who is asked, what is kept, and what it comes to for an agent."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.rating_part import Ratings
from crm.domain.freeze import RefusalLevel, RefusalSource
from ivr.ratings import TALKED
from kernel.access import Actor
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.agent_tables import AgentRow, QueueRow
from telephony.call_rating_tables import CallRatingRow
from telephony.call_ratings import AgentRating, CallRatings, Service, rating_of, read_ratings
from telephony.history import CallHistory
from telephony.tables import CallRow
from tests.support.fake_agi import CALL_ID, FakeChannel, deeds, environment_bytes
from tests.support.menus import Menus, running_menus
from tests.support.office import OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.people import make_desk
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MANAGER = "manager"
NUMBER = "+8613800138000"
"""Who calls, as the played Asterisk says."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def book(sqlite: Database, clock: FakeClock) -> Ratings:
    return Ratings(sqlite, clock, make_desk(sqlite, clock).do_not_call)


@pytest.fixture
async def menus(tmp_path: Path, sqlite: Database, clock: FakeClock, book: Ratings) -> AsyncIterator[Menus]:
    async with sqlite.transaction() as session:
        for name, rating in (("repair", True), ("service", False)):
            session.add(QueueRow(name=name, label_zh=name, label_en=name, rating=rating))
    async with running_menus(tmp_path, sqlite, clock, ratings=book) as found:
        yield found


async def after(menus: Menus, keys: str, *, queue: str = "repair", status: str = TALKED) -> list[str]:
    """Let a customer come back from the queue and press keys; return what they heard."""
    environment = environment_bytes(agi_network_script="after-queue", agi_arg_1=status, agi_arg_2=queue)
    channel = await menus.call(FakeChannel(deeds=deeds(keys)), environment=environment)
    return menus.heard(channel, "after-queue")


async def kept(database: Database) -> list[tuple[str, int | None, bool | None]]:
    async with database.session() as session:
        rows = await session.scalars(select(CallRatingRow))
        return [(row.call_id, row.service, row.solved) for row in rows]


async def test_two_keys_are_kept_with_the_call(menus: Menus, sqlite: Database) -> None:
    heard = await after(menus, "132")
    assert heard == ["rate_ask", "rate_service", "rate_solved", "rate_thanks"]
    assert await kept(sqlite) == [(CALL_ID, 3, False)]


async def test_who_hangs_up_between_the_questions_has_said_the_first(menus: Menus, sqlite: Database) -> None:
    await after(menus, "12X")
    assert await kept(sqlite) == [(CALL_ID, 2, None)]


@pytest.mark.parametrize(
    ("queue", "status"),
    [
        pytest.param("service", TALKED, id="the queue asks nobody"),
        pytest.param("nowhere", TALKED, id="no such queue"),
        pytest.param("", TALKED, id="no queue"),
    ],
)
async def test_nobody_else_is_asked(menus: Menus, sqlite: Database, queue: str, status: str) -> None:
    assert await after(menus, "111", queue=queue, status=status) == []
    assert await kept(sqlite) == []


async def test_who_waited_for_nobody_hears_an_apology_and_is_not_asked(
    menus: Menus, sqlite: Database
) -> None:
    assert (await after(menus, "X", status="TIMEOUT"))[0] == "busy"
    assert await kept(sqlite) == []


async def test_who_says_nothing_is_left_in_peace(menus: Menus, sqlite: Database) -> None:
    assert await after(menus, "~~~~") == ["rate_ask"]
    assert await kept(sqlite) == []


async def test_who_refused_surveys_is_not_asked(menus: Menus, sqlite: Database, clock: FakeClock) -> None:
    await make_desk(sqlite, clock).do_not_call.add(
        Actor.system("test"),
        level=RefusalLevel.SURVEYS,
        source=RefusalSource.KEY_9.value,
        evidence="按9",
        number=NUMBER,
    )
    assert await after(menus, "111") == []


async def test_without_a_database_the_call_simply_ends(
    menus: Menus, book: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> bool:
        raise OperationalError("no", {}, OSError("away"))

    with monkeypatch.context() as patched:
        patched.setattr(book._kept, "note_service", away)
        assert (await after(menus, "111"))[-1] == "rate_thanks"
        patched.setattr(book._kept, "wanted", away)
        assert await after(menus, "111") == []


async def test_an_answer_that_comes_twice_is_one(sqlite: Database, clock: FakeClock) -> None:
    ratings, call_id = CallRatings(sqlite, clock), new_ulid()
    await ratings.note_service(call_id, Service.CONTENT)
    await ratings.note_service(call_id, Service.SO_SO)
    await ratings.note_solved(call_id, solved=True)
    assert await kept(sqlite) == [(call_id, 2, True)]
    async with sqlite.session() as session:
        found = await rating_of(session, call_id)
        assert found is not None
        assert (found.service, found.solved) == (Service.SO_SO, True)
        assert await rating_of(session, new_ulid()) is None


async def test_an_agents_figures_are_of_the_calls_that_were_rated(sqlite: Database, clock: FakeClock) -> None:
    ratings = CallRatings(sqlite, clock)

    async def call(agent: str | None, service: int | None, solved: bool | None, **changes: object) -> None:
        values: dict[str, object] = {
            "call_id": new_ulid(),
            "node": "pbx1",
            "direction": "in",
            "from_number": NUMBER,
            "to_number": "01065558800",
            "from_name": "",
            "agent_number": agent,
            "state": "ended",
            "menu_path": [],
            "started_at": NOW,
            "talk_ms": 1000,
            "hold_ms": 0,
        }
        values |= changes
        async with sqlite.transaction() as session:
            session.add(CallRow(**values))
        if service is not None:
            await ratings.note_service(str(values["call_id"]), Service(service))
        if solved is not None:
            await ratings.note_solved(str(values["call_id"]), solved=solved)

    async with sqlite.transaction() as session:
        session.add(
            AgentRow(agent_id=new_ulid(), number="1001", name="李娜", sip_password="x", created_at=NOW)
        )
    await call("1001", 1, True)
    await call("1001", 1, False)
    await call("1001", 3, None)
    await call("1001", None, None)
    await call("1002", 2, True)
    await call(None, 1, True)
    await call("1002", 1, True, started_at=NOW - timedelta(days=1))
    async with sqlite.session() as session:
        found = await read_ratings(session, NOW, NOW + timedelta(days=1))
    assert found == (
        AgentRating(number="1001", name="李娜", rated=3, content=2, answered=2, solved=1),
        AgentRating(number="1002", name="", rated=1, content=0, answered=1, solved=1),
    )


async def test_the_pages_and_the_api_show_it(tmp_path: Path, clock: FakeClock) -> None:
    async with web_stage(tmp_path, clock=clock) as stage:
        office = OfficeStage(stage, clock)
        await office.open()
        call_id, ratings = new_ulid(), CallRatings(stage.database, clock)
        async with stage.database.transaction() as session:
            session.add(
                CallRow(
                    call_id=call_id,
                    node="pbx1",
                    direction="in",
                    from_number=NUMBER,
                    to_number="01065558800",
                    from_name="",
                    agent_number=stage.agent_number,
                    state="ended",
                    menu_path=[],
                    started_at=NOW,
                    ended_at=NOW,
                    talk_ms=1000,
                    hold_ms=0,
                )
            )
        await ratings.note_service(call_id, Service.NOT_CONTENT)
        await ratings.note_solved(call_id, solved=False)
        stage.history.calls[call_id] = await CallHistory(stage.database).get(call_id)
        _, page = await get(office, "supervisor", f"/calls/{call_id}")
        assert "不满意 · 问题没有解决" in page
        async with (
            signed_in(office, "supervisor") as visitor,
            visitor.get(f"/api/v1/calls/{call_id}") as answer,
        ):
            told = (await answer.json())["rating"]
        assert (told["service"], told["solved"]) == (3, False)
        _, figures = await get(office, MANAGER, "/figures?month=2026-03")
        assert "客户评价" in figures
        assert "0 ÷ 1" in figures
        _, before = await get(office, MANAGER, "/figures?month=2026-01")
        assert "这个月还没有评价" in before
