"""Every page with a list says what it shows, and hears when that changes, whoever changes it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, CookieJar
from sqlalchemy import delete, false, insert

import app.models  # noqa: F401 - every table
from crm import timeline
from crm.tables import Customer
from crm.timeline import Channel
from kernel.access import GRANTS, Permission, Role
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Base, Database
from kernel.events import Event
from kernel.ids import new_ulid
from kernel.list_watch import MOST_KEYS, ListChanged, watch_lists
from tests.support.waiting import eventually
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE
from web.live import NEEDED
from web.live_hub import LiveHub
from web.live_lists import LISTS, ListFeed, topic_of
from web.permissions import Access, access_of

pytestmark = pytest.mark.integration

TEMPLATES = Path(__file__).parents[2] / "web" / "templates"
DECLARED = re.compile(r'data-live-list="([^"]*)"')
SCRIPT = re.compile(r"js/(\w+_live|office_page|case_board)\.js")
OTHERWISE = {
    "/": "leads to the first page of one's own",
    "/account": "one's own settings",
    "/admin/calendar": "is opened to change it, and a change of what was seen otherwise is refused",
    "/admin/system": "is looked at when somebody asks, and shows its age",
    "/admin/trunks": "is looked at when somebody asks, and shows its age",
    "/admin/roles": "comes with the product and changes with it",
    "/agent": "lives on the topics agent and waiting",
    "/agent/phone/sip": "carries SIP",
    "/lists": "leads to the first list",
    "/notices": "lives on the topic notices, which the bell reads",
    "/organisation": "leads to the stores",
    "/organisation/staff/import": "a form, and what became of a file",
    "/search": "an answer to what was asked",
    "/sign-in": "nobody is signed in",
    "/supervisor": "lives on the topic board",
    "/test-phone": "a telephone",
    "/test-phone/sip": "carries SIP",
}
"""Pages that show no list of this kind, and why."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


async def page_of(stage: Stage, session: ClientSession, path: str) -> tuple[int, str]:
    async with session.get(
        stage.url + path, headers={"Accept": "text/html"}, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text()


async def visitor(stage: Stage, role: Role) -> ClientSession:
    login = f"live-{role}"
    await stage.accounts.users.create(
        login=login, password=PASSWORD, role=role, display_name="直播员", department="ENG"
    )
    session = ClientSession(cookie_jar=CookieJar(unsafe=True))
    session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret(login)})
    return session


async def pages_with_lists(stage: Stage) -> dict[str, tuple[str, Access]]:
    """Return an address of every page that must be live → what it needs."""
    assert stage.app is not None
    (card, *_) = await stage.directory.search("王建军")
    ids = {"customer_id": card.customer_id, "project_id": card.projects[0].project_id}
    kinds = ("stores", "departments", "crews", "staff")
    wanted = {f"/organisation/{kind}": "/organisation/{kind}" for kind in kinds}
    wanted |= {path.format(**ids): path for path in ("/customers/{customer_id}", "/projects/{project_id}")}
    found: dict[str, tuple[str, Access]] = {}
    routes = {route.resource.canonical for route in stage.app.router.routes() if route.resource is not None}
    assert set(OTHERWISE) <= routes
    for route in stage.app.router.routes():
        path, access = route.resource.canonical if route.resource else "", access_of(route)
        if route.method != "GET" or access is None or access.is_public or path in OTHERWISE:
            continue
        if (
            "{" not in path
            and not path.startswith(("/api", "/live", "/static"))
            and not path.endswith("/new")
        ):
            wanted[path] = path
        found |= {at: (path, access) for at, canonical in wanted.items() if canonical == path}
    return found


async def test_every_list_page_declares_what_it_lives_on(stage: Stage) -> None:
    """A new page with a list fails here until it says on which topics it lives."""
    declared: dict[str, set[str]] = {}
    sessions: dict[Role, ClientSession] = {}
    try:
        for path, (_, access) in (await pages_with_lists(stage)).items():
            role = next(role for role in (Role.MANAGER, *Role) if access.allows(role))
            if role not in sessions:
                sessions[role] = await visitor(stage, role)
            status, page = await page_of(stage, sessions[role], path)
            assert status in {200, 204, 303}, path
            if "<html" not in page:
                continue
            names = {name for found in DECLARED.findall(page) for name in found.split()}
            topics = {topic_of(name) for name in names}
            topics |= {kind for kind in ("cases", "imports") if f"data-live-{kind.rstrip('s')}" in page}
            declared[path] = topics
            assert SCRIPT.search(page), path
            for topic in topics:
                needed = NEEDED[topic]
                roles = [role for role in Role if access.allows(role)]
                assert needed is None or all(needed in GRANTS[role] for role in roles), (path, topic)
    finally:
        for session in sessions.values():
            await session.close()
    assert [path for path, topics in declared.items() if not topics] == []
    assert len(declared) >= 30


def test_every_list_is_shown_somewhere_and_every_table_exists() -> None:
    sources = [path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html")]
    shown = {
        name
        for source in sources
        for names in re.findall(r'data-live-list="([^"]*)"', source)
        for name in names.split()
    }
    assert shown == set(LISTS)
    tables = [table for names in LISTS.values() for table in names]
    assert set(tables) <= set(Base.metadata.tables)
    assert len(tables) == len(set(tables)), "a table belongs to one list"


async def test_whatever_writes_into_a_table_of_a_list_tells(sqlite: Database, clock: FakeClock) -> None:
    """Statements tell as rows do, of each table of each list."""
    told: list[Event] = []
    watch_lists(sqlite, clock, told.append, LISTS)
    classes = {mapper.local_table.name: mapper.class_ for mapper in Base.registry.mappers}  # type: ignore[attr-defined]
    for name, tables in LISTS.items():
        for table in tables:
            told.clear()
            async with sqlite.transaction() as session:
                await session.execute(delete(classes[table]).where(false()))
                assert told == [], "before the commit"
            (event,) = told
            assert isinstance(event, ListChanged) and event.name == name
            assert event.keys == (), "it may be any row"


async def test_a_change_says_whose_it_is_and_a_rollback_says_nothing(
    sqlite: Database, clock: FakeClock
) -> None:
    told: list[ListChanged] = []
    watch_lists(
        sqlite, clock, lambda event: told.append(event) if isinstance(event, ListChanged) else None, LISTS
    )
    one = new_ulid()
    with suppress(ZeroDivisionError):
        async with sqlite.transaction() as session:
            session.add(Customer(id=one, name="王建军", level="B", created_at=clock.now()))
            await session.flush()
            raise ZeroDivisionError
    assert told == []
    async with sqlite.transaction() as session:
        session.add(Customer(id=one, name="王建军", level="B", created_at=clock.now()))
        await session.flush()
        await timeline.add(session, one, at=clock.now(), channel=Channel.VISIT, direction="out", ref="R1")
    assert [event.name for event in told] == ["contacts", "people"]
    assert all(one in event.keys for event in told)
    told.clear()
    many = [
        {"id": new_ulid(), "name": "李", "level": "B", "created_at": clock.now()}
        for _ in range(MOST_KEYS + 1)
    ]
    async with sqlite.transaction() as session:
        await session.execute(insert(Customer), many)
    assert [(event.name, event.keys) for event in told] == [("people", ())]


async def test_pages_hear_of_what_they_show_and_not_of_the_rest(clock: FakeClock) -> None:
    hub, bus = LiveHub(clock), Bus()
    feed = ListFeed(bus=bus, hub=hub)
    reader = hub.open([topic_of("people")], user_id="u1")
    other = hub.open([topic_of("calls")], user_id="u2")
    assert b'"name":"people"' in (await reader.next_chunk(1) or b"")
    await other.next_chunk(1)
    task = asyncio.create_task(feed.run())
    try:
        await eventually(lambda: bool(bus._subscriptions), timeout=20)
        for keys in (("c1",), ("c2", "c1")):
            bus.publish(ListChanged(at=clock.now(), name="people", keys=keys))
        chunk = await reader.next_chunk(20) or b""
        (frame,) = [json.loads(line[6:]) for line in chunk.decode().splitlines() if line.startswith("data: ")]
        assert frame == {"name": "people", "keys": ["c1", "c2"]}
        bus.publish(ListChanged(at=clock.now(), name="people", keys=("c1",)))
        bus.publish(ListChanged(at=clock.now(), name="people"))
        assert b'"keys":[]' in (await reader.next_chunk(20) or b"")
        assert await other.next_chunk(0.01) == b""
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_stream_tells_of_a_change_and_refuses_what_is_no_list(stage: Stage) -> None:
    (card, *_) = await stage.directory.search("王建军")
    session = await visitor(stage, Role.FINANCE)
    try:
        async with session.get(stage.url + "/live?topics=list:nobody") as answer:
            assert answer.status == 400
        timeout = ClientTimeout(total=60)
        async with session.get(stage.url + "/live?topics=list:people", timeout=timeout) as stream:
            assert stream.status == 200
            lines = stream.content
            async with asyncio.timeout(60):
                while b"snapshot" not in await lines.readline():
                    pass
                async with stage.database.transaction() as db:
                    (await db.get_one(Customer, card.customer_id)).elder_mode = True
                while b"event: list" not in (line := await lines.readline()):
                    assert line
                await lines.readline()
                assert card.customer_id.encode() in await lines.readline()
    finally:
        await session.close()
    assert Permission.CUSTOMERS_VIEW not in GRANTS[Role.FINANCE], (
        "a frame says nothing of what is in the list"
    )
