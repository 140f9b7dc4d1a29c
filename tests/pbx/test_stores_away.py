"""Redis or the database is away while people are talking (architecture.md §7)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from crm.service import CustomerDirectory
from crm.timeline import Channel, Timeline
from kernel.access import Actor
from kernel.phone import Phone
from telephony.domain.agent_state import AgentState
from tests.support.centre import LOGINS, PASSWORD
from tests.support.days import CALLER, Day, at_work, beginning, over, waiting
from tests.support.postgres import start_postgres
from tests.support.staff import in_state
from tests.support.waiting import eventually

# One centre for all of them: each day ends with nobody on the line and everybody signed out.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Day]:
    async with beginning(tmp_path_factory.mktemp("days")) as day:
        yield day


@pytest_asyncio.fixture(loop_scope="module")
async def day(shared: Day) -> AsyncIterator[Day]:
    yield shared
    await over(shared)


# -- Redis ----------------------------------------------------------------------------------------------


async def test_redis_is_gone_for_a_while(day: Day) -> None:
    desk = day.centre.service.desk
    before = await contacts(day)
    agent_id = await day.centre.agent_id("1001")
    async with at_work(day) as phone:
        await day.centre.redis.stop()
        try:
            status, checks = await day.ready()
            assert (status, checks["redis"], checks["database"]) == (503, False, True)
            assert await opens_the_desk(day) == 200
            await desk.pause(agent_id, "break")
            await in_state(day.centre, "1001", AgentState.PAUSED)
            await desk.unpause(agent_id)
            await day.works("1001")
            async with waiting(day) as caller:
                call = await phone.rings(within=10)
                await call.answer()
                call_id = (await day.call_is("talking")).call_id
                await caller.hang_up()
            assert (await day.stored(call_id)).result == "ANSWERED"
            await day.saves()
        finally:
            await day.centre.redis.start()
        await reaches_the_time_line(day, before + 1)
        assert (await day.ready())[0] == 200


async def contacts(day: Day) -> int:
    """How many calls are on the caller's time line."""
    directory = CustomerDirectory(day.centre.database)
    (card,) = await directory.find_by_phone(Phone.parse(CALLER))
    line = Timeline(day.centre.database)
    page = await line.page(Actor.system("test"), card.customer_id, channels=[Channel.CALL], limit=200)
    return len(page.items)


async def reaches_the_time_line(day: Day, calls: int) -> None:
    """Wait until the caller's time line has so many calls: the facts have arrived."""

    async def there() -> bool:
        return await contacts(day) >= calls

    await eventually(there, timeout=10, interval=0.1, what="the facts arrive once the store is back")
    assert await contacts(day) == calls


async def opens_the_desk(day: Day) -> int:
    """Sign in as an agent on the page and open it; return the status of the agent's page."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"Origin": day.centre.url}) as session:
        form = {"login": LOGINS["1001"], "password": PASSWORD}
        async with session.post(f"{day.centre.url}/sign-in", data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        async with session.get(f"{day.centre.url}/agent", allow_redirects=False) as answer:
            return answer.status


# -- the database ---------------------------------------------------------------------------------------


async def test_somebody_else_holds_the_database(day: Day) -> None:
    spool = day.centre.settings.data_dir / "spool" / "calls-pbx1.jsonl"
    async with at_work(day) as phone:
        file = day.centre.settings.data_dir / "huifang.db"
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            # In a thread: the service may be in a transaction, which needs this loop to end.
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            async with waiting(day) as caller:
                call = await phone.rings(within=10)
                await call.answer()
                call_id = (await day.call_is("talking")).call_id
                await caller.hang_up()
            await eventually(lambda: spool.exists() and call_id in spool.read_text(), timeout=30)
            # The next one is answered all the same.
            async with waiting(day) as caller:
                call = await phone.rings(within=20)
                await call.answer()
                second = (await day.call_is("talking")).call_id
                await caller.hang_up()
        finally:
            other.close()
        for one in (call_id, second):
            found = await day.stored(one, within=20)
            assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "caller", "1001")
        await eventually(lambda: not spool.exists(), timeout=10, what="the spool is read back")
        await in_state(day.centre, "1001", AgentState.WRAP_UP, AgentState.AVAILABLE, timeout=15)


async def test_postgresql_is_gone_for_a_while(tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_postgres)
    try:
        async with beginning(tmp_path, database_url=server.url("postgres")) as day:
            spool = day.centre.settings.data_dir / "spool" / "calls-pbx1.jsonl"
            before = await contacts(day)
            async with at_work(day) as phone:
                async with waiting(day) as caller:
                    call = await phone.rings(within=10)
                    await call.answer()
                    first = (await day.call_is("talking")).call_id
                    await in_state(day.centre, "1001", AgentState.ON_CALL)
                    await asyncio.to_thread(server.halt)
                    await caller.hang_up()
                    await eventually(lambda: spool.exists() and first in spool.read_text(), timeout=20)
                status, checks = await day.ready()
                assert (status, checks["redis"], checks["database"]) == (503, True, False)
                # The next one hears the menu and waits in the queue, and is there when it returns.
                async with waiting(day) as caller:
                    second = (await day.call_is("queued")).call_id
                    await asyncio.to_thread(server.start)
                    await day.saves()
                    call = await phone.rings(within=10)
                    await call.answer()
                    assert (await day.call_is("talking")).call_id == second
                    await caller.hang_up()
                for one in (first, second):
                    found = await day.stored(one)
                    assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "caller", "1001")
                assert not spool.exists()
                await day.saves()
                await reaches_the_time_line(day, before + 2)
            await over(day)
    finally:
        await asyncio.to_thread(server.stop)
