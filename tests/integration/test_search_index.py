"""The index follows the tables, can be read again, and shows everybody only what is theirs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.demo.seed import seed_company
from crm import search_statements
from crm.search import Document, Kind, SearchIndex
from crm.search_feed import CaseExtra, SearchFeed
from crm.search_query import Search
from crm.search_tables import SearchDocument
from crm.tables import Customer, ServiceCase
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.db import postgres_database

pytestmark = pytest.mark.integration

SYSTEM = Actor.system("test")
AT = datetime(2026, 3, 2, tzinfo=UTC)


def somebody(role: Role, department: str | None = None) -> Actor:
    return Actor(user_id="U1", name="某人", role=role, department=department)


async def found(search: Search, query: str, actor: Actor = SYSTEM, kind: Kind | None = None) -> list[str]:
    page = await search.search(actor, query, kinds=(kind,) if kind else None)
    return [hit.ref_id for hit in page.items]


async def test_the_index_follows_what_is_written(database: Database, clock: FakeClock) -> None:
    await seed_company(database, now=clock.now())
    feed, search = SearchFeed(), Search(database)
    async with database.transaction() as session:
        customer = (await session.execute(select(Customer).where(Customer.name == "王建军"))).scalar_one()
        customer.name = "单雄信"
        await feed.customer(session, customer.id)
    assert "王建军" not in {hit.title.text for hit in (await search.search(SYSTEM, "王建军")).items}
    for query in ("单雄信", "sxx", "danxiongx", "shanxiongxin"):
        assert customer.id in await found(search, query, kind=Kind.CUSTOMER), query
        assert await found(search, query, kind=Kind.PROJECT), "the project carries its customer's name"


async def test_the_index_is_read_again_and_counted(database: Database, clock: FakeClock) -> None:
    await seed_company(database, now=clock.now())
    feed, search = SearchFeed(), Search(database)
    before = await found(search, "北京") + await found(search, "漏水")
    async with database.session() as session:
        assert all(one.complete for one in await feed.check(session))
    async with database.transaction() as session:
        some = (await session.execute(select(ServiceCase.kind, ServiceCase.id).limit(1))).one()
        await feed.index.remove(session, Kind(some.kind), some.id)
    async with database.session() as session:
        assert [one.kind for one in await feed.check(session) if not one.complete] == [Kind(some.kind)]
    # An index made by another edition of the tokenizer counts as none.
    async with database.transaction() as session:
        await session.execute(update(SearchDocument).values(edition=0))
    async with database.session() as session:
        assert not any(one.complete for one in await feed.check(session) if one.things)
    seen: list[tuple[Kind, int, int]] = []
    await feed.rebuild(database, lambda kind, done, total: seen.append((kind, done, total)))
    assert {kind for kind, done, total in seen if done == total} == {kind for kind, _, _ in seen}
    async with database.session() as session:
        assert all(one.complete for one in await feed.check(session))
    assert await found(search, "北京") + await found(search, "漏水") == before
    assert not await feed.fill(database), "what is there is not read again"
    async with database.transaction() as session:
        await session.execute(update(SearchDocument).values(edition=0))
    assert await feed.fill(database), "an older version's index is made anew"


async def test_a_document_of_another_edition_is_replaced(database: Database) -> None:
    index, search = SearchIndex(), Search(database)
    document = Document(kind=Kind.ARTICLE, ref_id="A1", title="水管漏水", updated_at=AT)
    async with database.transaction() as session:
        await index.put(session, document)
        await session.execute(update(SearchDocument).values(edition=0))
    changed = Document(kind=Kind.ARTICLE, ref_id="A1", title="瓷砖空鼓", updated_at=AT + timedelta(hours=1))
    async with database.transaction() as session:
        await index.put(session, changed)
    assert await found(search, "瓷砖") == ["A1"]
    assert await found(search, "漏水") == []


async def test_many_things_of_one_second_all_have_a_place(database: Database) -> None:
    index, search = SearchIndex(), Search(database)
    async with database.transaction() as session:
        await index.put_new(
            session,
            [Document(kind=Kind.ARTICLE, ref_id=f"A{n}", title="漏水", updated_at=AT) for n in range(60)],
        )
    first = await search.search(SYSTEM, "漏水", limit=50)
    rest = await search.search(SYSTEM, "漏水", limit=50, cursor=first.next_cursor)
    assert len({hit.ref_id for hit in (*first.items, *rest.items)}) == 60
    assert rest.next_cursor is None


async def test_what_is_called_so_comes_first_then_names_then_the_newest(database: Database) -> None:
    index = SearchIndex()
    documents = [
        Document(
            kind=Kind.TICKET, ref_id="text", title="别的", texts=("单号 TS20260302-0001",), updated_at=AT
        ),
        Document(
            kind=Kind.COMPLAINT,
            ref_id="number",
            title="漏水",
            numbers=("TS20260302-0001",),
            updated_at=AT - timedelta(days=9),
        ),
        Document(kind=Kind.ARTICLE, ref_id="title", title="说明 TS20260302-0001", updated_at=AT),
    ]
    async with database.transaction() as session:
        for document in documents:
            await index.put(session, document)
    search = Search(database)
    assert await found(search, "TS20260302-0001") == ["number", "title", "text"]
    assert await found(search, "20260302-0001") == ["number"], "as it is read out"
    assert await found(search, "ts2026") == ["title", "number", "text"]
    assert await found(search, "ＴＳ２０２６0302") == ["title", "number", "text"]


def case(kind: Kind, ref_id: str, departments: Sequence[str], *, confidential: bool = False) -> Document:
    return Document(
        kind=kind,
        ref_id=ref_id,
        title="卫生间漏水",
        departments=tuple(departments),
        confidential=confidential,
        updated_at=AT,
    )


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (somebody(Role.AGENT), {"ts-eng", "ts-mat", "bx-cs", "bx-eng", "pj", "article"}),
        (somebody(Role.SUPERVISOR), {"ts-eng", "ts-mat", "bx-cs", "bx-eng", "pj", "article"}),
        (somebody(Role.MANAGER), {"ts-eng", "ts-mat", "bx-cs", "bx-eng", "pj", "article", "secret"}),
        (somebody(Role.DEPARTMENT_HEAD, "ENG"), {"ts-eng", "bx-eng", "article"}),
        (somebody(Role.DEPARTMENT_MEMBER, "ENG"), {"ts-eng", "bx-eng", "article"}),
        (somebody(Role.DEPARTMENT_MEMBER, "EN"), {"article"}),
        (somebody(Role.DEPARTMENT_MEMBER), {"article"}),
        (somebody(Role.CAPTAIN, "CS"), {"bx-cs", "article"}),
        (somebody(Role.FINANCE), {"ts-eng", "ts-mat", "bx-cs", "bx-eng", "pj"}),
        (somebody(Role.HR), {"ts-eng", "ts-mat", "bx-cs", "bx-eng"}),
    ],
)
async def test_everybody_finds_only_what_is_theirs(
    database: Database, actor: Actor, expected: set[str]
) -> None:
    index = SearchIndex()
    documents = [
        case(Kind.COMPLAINT, "ts-eng", ["ENG"]),
        case(Kind.COMPLAINT, "ts-mat", ["MAT", "STO"]),
        case(Kind.COMPLAINT, "secret", ["ENG"], confidential=True),
        case(Kind.REPAIR, "bx-cs", ["CS"]),
        case(Kind.REPAIR, "bx-eng", ["ENG"]),
        case(Kind.COMPLAINT, "ts-cs", ["CS"]),
        case(Kind.PROJECT, "pj", []),
        case(Kind.ARTICLE, "article", []),
    ]
    async with database.transaction() as session:
        for document in documents:
            await index.put(session, document)
    search = Search(database)
    all_cases = {"ts-cs"} if "ts-mat" in expected else set()
    assert set(await found(search, "漏水", actor)) == expected | all_cases
    every: list[str] = []
    for kind in Kind:
        every += await found(search, "漏水", actor, kind)
    assert set(every) == expected | all_cases, "nor by asking for one kind after the other"


async def test_parts_add_what_only_they_know(database: Database, clock: FakeClock) -> None:
    await seed_company(database, now=clock.now())

    async def lines(_: AsyncSession, ids: Sequence[str]) -> dict[str, CaseExtra]:
        return {case_id: CaseExtra(texts=("墙面裂缝",), departments=("ZZ",)) for case_id in ids}

    feed = SearchFeed()
    feed.extend(Kind.COMPLAINT, lines)
    async with database.transaction() as session:
        complaints = select(ServiceCase.id).where(ServiceCase.kind == "complaint")
        ids = (await session.execute(complaints)).scalars().all()
        for case_id in ids:
            await feed.case(session, case_id)
    search = Search(database)
    assert set(await found(search, "墙面裂缝")) == set(ids)
    assert set(await found(search, "墙面裂缝", somebody(Role.DEPARTMENT_MEMBER, "ZZ"))) == set(ids)


async def every_page(search: Search, query: str) -> list[str]:
    titles: list[str] = []
    cursor: str | None = None
    while True:
        page = await search.search(SYSTEM, query, cursor=cursor, limit=3)
        titles += [hit.title.text for hit in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return titles


async def test_what_is_common_is_found_as_what_is_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    async with postgres_database() as database:
        documents = [
            Document(
                kind=Kind.ARTICLE,
                ref_id=f"A{n:03d}",
                # The old ones alone have the number; in every third the characters stand apart.
                title=f"HT202{2 if n < 30 else 5}-{n:04d}",
                texts=("卫生间水管漏水" if n % 3 else "卫生间水管,管漏,漏水",),
                updated_at=AT + timedelta(minutes=n),
            )
            for n in range(60)
        ]
        async with database.transaction() as session:
            await SearchIndex().put_new(session, documents)
        queries = ("ht2022", "ht20", "管漏水", "水管", "水管 ht2022", "卫生间水管漏水 ht202")
        search = Search(database)
        plain = [await every_page(search, query) for query in queries]
        assert [len(titles) for titles in plain] == [30, 60, 40, 60, 30, 40]
        for many in (1, 4):
            for name, number in (("GLANCE", many), ("MANY", many), ("WINDOW", many + 2)):
                monkeypatch.setattr(search_statements, name, number)
            assert [await every_page(search, query) for query in queries] == plain
