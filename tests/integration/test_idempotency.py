"""``Idempotency-Key``: what is sent twice is done once, whatever happens in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select

from crm.repair_tables import DepositPostingRow
from crm.tables import Store
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid
from tests.support.repair_web import Person, person
from tests.support.repairs import Company, open_company
from tests.support.waiting import eventually
from tests.support.web import Client, WebHarness, no_pages
from web.deps import WebSettings
from web.idempotency import CLAIM, KEPT, AnswerLost, Once, RightsChanged
from web.problems import KeyMissing, KeyReused, StillRunning
from web.tables import ApiAnswerRow

pytestmark = pytest.mark.integration

ME = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
POSTING = {"kind": "initial", "amount": "100.00", "note": "首次缴纳"}


class Shop:
    """Something that is changed by requests: each adds a store to the database."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.once = Once(database, clock)
        self.fails: Exception | None = None
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def handle(self) -> web.Response:
        key = new_ulid()
        async with self.database.transaction() as session:
            session.add(Store(id=key, name=f"门店 {key}"))
        await self.may_go.wait()
        if self.fails is not None:
            raise self.fails
        return web.Response(body=json.dumps({"store": key}).encode(), status=201, headers={"ETag": '"1"'})

    async def refuse(self) -> web.Response:
        raise Invalid("no", field="name")

    async def ask(self, body: bytes = b"{}", *, key: str | None = "k1", **how: Any) -> Any:
        what: dict[str, Any] = {"user_id": ME, "route": "POST /stores", "required": False}
        return await self.once.run(key=key, body=body, **(what | {"handle": self.handle} | how))

    async def stores(self) -> int:
        async with self.database.session() as session:
            return len((await session.scalars(select(Store.id))).all())


@pytest.fixture
def shop(sqlite: Database, clock: FakeClock) -> Shop:
    return Shop(sqlite, clock)


async def test_the_same_request_gets_the_first_answer(shop: Shop, clock: FakeClock) -> None:
    first, again = await shop.ask(), await shop.ask()
    assert (again.status, again.body, again.headers["ETag"]) == (201, first.body, '"1"')
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await shop.stores() == 1
    # Another person's key is another key; without one nothing is remembered.
    await shop.ask(user_id=new_ulid())
    await shop.ask(key=None)
    assert await shop.stores() == 3
    clock.advance(KEPT + timedelta(seconds=1))
    await shop.ask()
    assert await shop.stores() == 4
    async with shop.database.session() as session:
        assert len((await session.scalars(select(ApiAnswerRow.key))).all()) == 1


async def test_both_databases_keep_the_answer(database: Database, clock: FakeClock) -> None:
    shop = Shop(database, clock)
    first, again = await asyncio.gather(shop.ask(), shop.ask())
    assert first.body == again.body
    assert await shop.stores() == 1


async def test_a_key_is_for_one_request_and_needed_for_money(shop: Shop) -> None:
    await shop.ask()
    with pytest.raises(KeyReused):
        await shop.ask(b'{"other": 1}')
    with pytest.raises(KeyMissing):
        await shop.ask(key=None, required=True)
    for bad in ("", "k" * 101, "两个", "a b"):
        with pytest.raises(Invalid):
            await shop.ask(key=bad)
    assert await shop.stores() == 1


async def test_query_and_version_are_part_of_the_request(shop: Shop) -> None:
    first = await shop.ask(query="a=1", version=3)
    for query, version in (("a=2", 3), ("a=1", 4), ("", 0)):
        with pytest.raises(KeyReused):
            await shop.ask(query=query, version=version)
    again = await shop.ask(query="a=1", version=3)
    assert again.body == first.body


async def test_an_answer_is_for_the_rights_that_it_was_made_for(shop: Shop) -> None:
    first = await shop.ask(rights="department_head ENG")
    with pytest.raises(RightsChanged):
        await shop.ask(rights="department_head DES")
    with pytest.raises(RightsChanged):
        await shop.ask(rights="hr")
    assert (await shop.ask(rights="department_head ENG")).body == first.body


async def test_of_two_at_once_one_is_carried_out_and_the_other_waits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.may_go.clear()
    first = asyncio.create_task(shop.ask())
    await eventually(lambda: shop.stores(), timeout=20)
    with monkeypatch.context() as hurried:
        hurried.setattr("web.idempotency.PATIENCE", timedelta(0))
        with pytest.raises(StillRunning):
            await shop.ask()
    second = asyncio.create_task(shop.ask())
    shop.may_go.set()
    assert (await first).body == (await second).body
    assert await shop.stores() == 1


async def test_a_refusal_frees_the_key_and_a_lost_answer_never_does(shop: Shop, clock: FakeClock) -> None:
    with pytest.raises(Invalid):
        await shop.ask(handle=shop.refuse)
    shop.fails = RuntimeError("the process is killed here")
    with pytest.raises(RuntimeError):
        await shop.ask()
    # It was committed: nobody does it again, not even when the claim is over.
    clock.advance(CLAIM + timedelta(seconds=1))
    shop.fails = None
    with pytest.raises(AnswerLost):
        await shop.ask()
    assert await shop.stores() == 1


async def test_who_was_overtaken_commits_nothing(shop: Shop, clock: FakeClock) -> None:
    slow = asyncio.Event()

    async def late() -> web.Response:
        await slow.wait()
        return await shop.handle()

    first = asyncio.create_task(shop.ask(handle=late))

    async def claimed() -> bool:
        async with shop.database.session() as session:
            return await session.scalar(select(ApiAnswerRow.key)) is not None

    await eventually(claimed, timeout=20)
    clock.advance(CLAIM + timedelta(seconds=1))
    await shop.ask()
    slow.set()
    with pytest.raises(StillRunning):
        await first
    assert await shop.stores() == 1


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock, tmp_path: Path) -> WebHarness:
    return WebHarness(sqlite, clock, settings=WebSettings(files_dir=tmp_path / "files"))


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(no_pages) as client:
        yield client


async def test_a_deposit_is_posted_once_however_often_it_is_sent(
    harness: WebHarness, client: Client, clock: FakeClock, tmp_path: Path
) -> None:
    company: Company = await open_company(harness.database, clock, tmp_path / "files")
    finance: Person = await person(harness, client, Role.FINANCE)
    path = f"/crews/{company.crew_id}/deposit/postings"
    problem = await finance("POST", path, POSTING, status=428, key=None)
    assert (problem["code"], problem["errors"][0]["field"]) == ("idempotency_key_missing", "Idempotency-Key")
    answers = [await finance("POST", path, POSTING, status=201, key="d-1") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    changed = await finance("POST", path, POSTING | {"amount": "200.00"}, status=422, key="d-1")
    assert changed["code"] == "idempotency_key_reused"
    async with harness.database.session() as session:
        assert len((await session.scalars(select(DepositPostingRow.id))).all()) == 1
    assert (await finance("GET", f"/crews/{company.crew_id}/deposit"))["balance"] == "100.00"
