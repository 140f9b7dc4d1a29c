"""Notices through the pages, the API and the live connection; and the whole way from a fact to a mailbox."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from app.notice_wiring import Staff, build_notices, build_senders, start_notices, unwanted
from app.setting_sections import NoticeSettings
from app.settings import Settings
from crm.notices.domain import Channel, NoticeRequest, Scope, Target
from crm.notices.events import NoticeWanted
from crm.notices.messages import MessageQueue
from crm.notices.service import Notices, seed_rules
from crm.notices.tables import Notice, NoticeAddress, OutgoingMessage
from crm.people_tables import DoNotCallNumber, DoNotCallRow
from kernel.access import Role
from kernel.audit import AuditLog, AuditRow
from kernel.bus import Bus
from kernel.clock import FakeClock, SystemClock
from kernel.db import Database
from kernel.errors import ConfigurationError
from kernel.ids import new_ulid
from kernel.outbox import OutboxRelay, add_fact
from kernel.supervise import Supervisor
from tests.integration.test_live_stream import Events
from tests.support.outside import mailbox
from tests.support.waiting import eventually
from tests.support.web import Client, WebHarness, same_origin

pytestmark = pytest.mark.integration

API = "/api/v1"


@pytest.fixture
async def harness(database: Database, clock: FakeClock) -> WebHarness:
    async with database.transaction() as session:
        await seed_rules(session)
    return WebHarness(database=database, clock=clock)


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve() as found:
        yield found


async def give(harness: WebHarness, key: str = "k1", to: str = "role:agent", link: str = "/calls") -> str:
    notices = Notices(harness.clock, harness.bus, MessageQueue(harness.clock, Staff(), unwanted))
    request = NoticeRequest(
        code="limit.breached", key=key, parameters={"no": "TS1", "limit": "TS.T1"}, also=(to,), link=link
    )
    async with harness.database.transaction() as session:
        notice_id = await notices.give(session, request)
    assert notice_id
    return notice_id


async def ask(client: Client, method: str, path: str, **options: Any) -> tuple[int, Any]:
    headers = {**same_origin(client), **options.pop("headers", {})}
    async with client.request(method, API + path, headers=headers, **options) as answer:
        return answer.status, await answer.json()


async def test_ones_own_notices_over_the_api(harness: WebHarness, client: Client) -> None:
    mine = await give(harness)
    other = await give(harness, "k2", "role:manager")
    await harness.sign_in(client, Role.AGENT)
    status, page = await ask(client, "GET", "/notices")
    assert status == 200
    (item,) = page["items"]
    assert item["notice_id"] == mine
    assert item["title"] == "已超时：TS1 投诉受理"
    assert item["created_at"].endswith("+08:00")
    assert await ask(client, "GET", "/notices/unread") == (200, {"unread": 1})
    client.session.cookie_jar.update_cookies({"hf_lang": "en"})
    assert (await ask(client, "GET", "/notices"))[1]["items"][0]["title"].startswith("Overdue: TS1")
    status, read = await ask(client, "POST", f"/notices/{mine}/read")
    assert status == 200
    assert read["read_at"]
    for unknown in (other, new_ulid()):
        status, problem = await ask(client, "POST", f"/notices/{unknown}/read")
        assert (status, problem["code"]) == (404, "not_found")
    await give(harness, "k3")
    assert await ask(client, "POST", "/notices/read", json={"up_to": "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}) == (
        200,
        {"marked": 1},
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/notices?which=some", None, "which"),
        ("GET", "/notices?limit=201", None, "limit"),
        ("GET", "/notices?cursor=x", None, "cursor"),
        ("GET", "/notices?user_id=1", None, "user_id"),
        ("POST", "/notices/read", {"up_to": "x"}, "up_to"),
        ("POST", "/notices/read", {}, "up_to"),
        ("PATCH", "/notice-rules", {"code": "limit.red", "recipients": ["everybody"]}, "recipients"),
        ("PATCH", "/notice-rules", {"code": "limit.red", "channels": ["pigeon"]}, "channels.0"),
        ("PATCH", "/notice-rules", {"code": "limit.red", "colour": "red"}, "colour"),
        ("PUT", "/notice-addresses", {"user_id": "u", "channel": "email", "address": "a@b\r\nc"}, "address"),
        ("PUT", "/notice-addresses", {"user_id": "u", "channel": "sms", "address": "x" * 1000}, "address"),
        ("GET", "/outgoing-messages?state=lost", None, "state"),
    ],
)
async def test_bad_input_names_the_field(
    harness: WebHarness, client: Client, method: str, path: str, body: Any, field: str
) -> None:
    await harness.sign_in(client, Role.ADMINISTRATOR)
    status, problem = await ask(client, method, path, json=body, headers={"If-Match": '"1"'})
    assert status == 400
    named = [problem.get("field"), *(error["field"] for error in problem.get("errors", ()))]
    assert field in named, problem


async def test_rules_are_changed_by_version_and_noted(harness: WebHarness, client: Client) -> None:
    await harness.sign_in(client, Role.ADMINISTRATOR)
    status, rules = await ask(client, "GET", "/notice-rules")
    assert status == 200
    red = next(rule for rule in rules["items"] if rule["code"] == "limit.red")
    assert red["recipients"] == ["manager"]
    wish = {"code": "limit.red", "recipients": ["manager", "role:supervisor"], "channels": ["sms"]}
    assert (await ask(client, "PATCH", "/notice-rules", json=wish))[0] == 428
    at = {"If-Match": f'"{red["version"]}"'}
    status, changed = await ask(client, "PATCH", "/notice-rules", json=wish, headers=at)
    assert (status, changed["version"]) == (200, 2)
    assert (await ask(client, "PATCH", "/notice-rules", json=wish, headers=at))[0] == 412
    gone = {"code": "no.such", "active": False}
    assert (await ask(client, "PATCH", "/notice-rules", json=gone, headers=at))[0] == 404
    async with harness.database.session() as session:
        actions = list(await session.scalars(select(AuditRow.action)))
    assert actions.count("notice_rule_changed") == 1
    assert (await AuditLog(harness.database, harness.clock).verify()).broken_at is None


async def test_addresses_are_masked_and_the_administrators(harness: WebHarness, client: Client) -> None:
    await harness.sign_in(client, Role.ADMINISTRATOR)
    user = await harness.accounts.users.get("administrator")
    wish = {"user_id": user.user_id, "channel": "email", "address": "wang@example.com"}
    put, none = ("PUT", "/notice-addresses"), {"If-Match": '"0"'}
    assert (await ask(client, *put, json=wish))[0] == 428
    status, stored = await ask(client, *put, json=wish, headers=none)
    assert (status, stored["address"], stored["verified"]) == (200, "w***@example.com", True)
    # Who did not see the address that is there, overwrites it as little as who saw an older one.
    other, first = wish | {"address": "li@example.com"}, {"If-Match": f'"{stored["version"]}"'}
    assert (await ask(client, *put, json=other, headers=none))[0] == 412
    changed = (await ask(client, *put, json=other, headers=first))[1]
    assert (await ask(client, *put, json=wish, headers=first))[0] == 412
    where, second = f"/notice-addresses?user_id={user.user_id}", {"If-Match": f'"{changed["version"]}"'}
    (shown,) = (await ask(client, "GET", where))[1]["items"]
    assert (shown["address"], shown["version"]) == ("l***@example.com", changed["version"])
    gone = ("DELETE", where + "&channel=email")
    assert (await ask(client, *gone, headers=first))[0] == 412
    assert await ask(client, *gone, headers=second) == (200, {"items": []})
    assert (await ask(client, *gone, headers=second))[0] == 404
    again = (await ask(client, *put, json=wish, headers=none))[1]
    assert again["version"] > changed["version"]  # no version comes twice
    async with harness.database.session() as session:
        details = [str(detail) for detail in await session.scalars(select(AuditRow.detail))]
    assert not [detail for detail in details if "wang@" in detail]


async def test_only_administrators_see_what_goes_out(harness: WebHarness, client: Client) -> None:
    for role in set(Role) - {Role.ADMINISTRATOR}:
        token = await harness.bearer(role)
        assert (await ask(client, "GET", "/notices", headers=token))[0] == 200
        for method, path in (
            ("GET", "/outgoing-messages"),
            ("POST", f"/outgoing-messages/{new_ulid()}/retry"),
            ("GET", "/notice-rules"),
            ("PATCH", "/notice-rules"),
            ("PUT", "/notice-addresses"),
            ("DELETE", "/notice-addresses"),
            ("GET", "/notice-addresses?user_id=somebody"),
        ):
            assert (await ask(client, method, path, headers=token))[0] == 403, (role, method, path)


async def test_pages_refuse_what_comes_from_elsewhere(harness: WebHarness, client: Client) -> None:
    notice_id = await give(harness)
    await harness.sign_in(client, Role.AGENT)
    foreign = {"Origin": "https://evil.example"}
    path = f"/notices/{notice_id}/open"
    assert (await client.post(path, headers=foreign)).status == 403
    answer = await client.post(path, headers=same_origin(client), allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/calls")
    assert (
        await client.post("/notices/read", data={"up_to": "x"}, headers=same_origin(client))
    ).status == 400


async def test_the_bell_over_the_live_connection(harness: WebHarness, client: Client) -> None:
    await give(harness)
    await harness.sign_in(client, Role.AGENT)
    async with client.get("/live?topics=notices") as response:
        events = Events(response)
        snapshot = await events.until("snapshot")
        ((name, payload),) = snapshot["events"]
        assert (name, payload["unread"], payload["newest"][0]["title"]) == (
            "notices",
            1,
            "已超时：TS1 投诉受理",
        )
        await give(harness, "other", "role:manager")
        await give(harness, "k2")
        assert (await events.until("notices"))["unread"] == 2
    # While nobody looked: whoever comes back with an old id is told.
    await give(harness, "k3")
    async with client.get("/live?topics=notices", headers={"Last-Event-ID": events.last_id}) as response:
        again = Events(response)
        while True:
            name, payload = await again.next()
            if name in {"snapshot", "notices"}:
                break
        payload = payload["events"][0][1] if name == "snapshot" else payload
        assert payload["unread"] == 3


# Wiring


def settings(**notices: Any) -> Settings:
    return Settings.model_validate({"notices": notices})


async def test_staff_by_role_department_and_name(harness: WebHarness) -> None:
    users = harness.accounts.users
    for login, role, department in (("h", Role.DEPARTMENT_HEAD, "ENG"), ("m", Role.DEPARTMENT_MEMBER, "ENG")):
        await users.create(login=login + "1", password="正确的密码-2026", role=role, department=department)
    gone = await users.create(login="gone", password="正确的密码-2026", role=Role.MANAGER, locale="en")
    asked = {
        "role:department_head": {"h1"},
        "department:ENG": {"h1", "m1"},
        "department:ENG+department_member": {"m1"},
        f"user:{gone.user_id}": {"gone"},
        "role:manager": {"gone"},
        "role:finance": set(),
    }
    names = {user.user_id: user.login for user in await users.list()}
    for key, expected in asked.items():
        async with harness.database.session() as session:
            found = await Staff().find(session, [Target.parse(key)])
        assert {names[person.user_id] for person in found} == expected, key
    await users.change("gone", active=False)
    async with harness.database.session() as session:
        assert not await Staff().find(session, [Target.parse("role:manager")])
        assert not await Staff().find(session, [])


async def test_refusals_reach_as_far_as_they_say(harness: WebHarness) -> None:
    """domain.md §6.4: (1) surveys, (2) marketing, (3) all but contact about an open case."""
    phone, now = "+8613800138000", harness.clock.now()
    entry = DoNotCallRow(id=new_ulid(), level=1, since=now, source="phone", evidence="key 9", by="test")
    async with harness.database.transaction() as session:
        session.add(entry)
        await session.flush()
        session.add(DoNotCallNumber(entry_id=entry.id, e164=phone))
    for level, refused in (
        (1, {"survey"}),
        (2, {"survey", "marketing"}),
        (3, {"survey", "marketing", "other"}),
    ):
        async with harness.database.transaction() as session:
            (await session.get_one(DoNotCallRow, entry.id)).level = level
        async with harness.database.session() as session:
            assert {scope.value for scope in Scope if await unwanted(session, phone, scope)} == refused
            assert not await unwanted(session, "+8613900139000", Scope.OTHER)
    async with harness.database.transaction() as session:
        (await session.get_one(DoNotCallRow, entry.id)).lifted_at = now
    async with harness.database.session() as session:
        assert not await unwanted(session, phone, Scope.SURVEY)


def test_settings_make_senders_and_keep_secrets() -> None:
    assert build_senders(settings(), SystemClock()) == {}
    given = settings(
        smtp_host="mail.example.com",
        smtp_from="hf@example.com",
        smtp_password="geheim-1",
        wecom_url="https://qyapi.weixin.qq.com/x?key=geheim-2",
        sms_url="https://sms.example.com/",
        sms_secret="geheim-3",
        webhook_secret="geheim-4",
    )
    assert set(build_senders(given, SystemClock())) == set(Channel)
    assert "geheim" not in repr(given)
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        build_senders(settings(webhook_url="https://example.com/"), SystemClock())
    with pytest.raises(ConfigurationError, match="smtp_from"):
        build_senders(settings(smtp_host="mail.example.com"), SystemClock())


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": "25:00"},
        {"quiet_until": "8"},
        {"page_url": "javascript:alert(1)"},
        {"page_url": "https://x/path"},
        {"smtp_tls": "ssl"},
        {"sms_per_minute": 0},
        {"allowed_networks": ["nonsense"]},
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NoticeSettings.model_validate(wrong)


async def test_from_a_fact_to_a_mailbox(database: Database, redis: Redis) -> None:
    """Everything real: outbox, Redis, the consumer, the worker, a mail server."""
    clock, bus = SystemClock(), Bus()
    async with mailbox() as box:
        chosen = settings(
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_tls="none",
            smtp_from="huifang@anju.example",
            page_url="https://cc.example.com/",
        )
        part = build_notices(chosen, clock=clock, database=database, redis=redis, bus=bus, worker="w1")
        relay, tasks = OutboxRelay(database, redis, clock, worker="w1"), Supervisor(clock)
        await start_notices(part, database, tasks)
        tasks.spawn("outbox", relay.run)
        try:
            wanted = NoticeWanted(
                at=clock.now(),
                code="complaint.major",
                key="major|1",
                parameters={"no": "TS20261122-0001", "customer": "王先生", "reason": "媒体"},
                link="/complaints/1",
                also=("user:boss",),
            )
            async with database.transaction() as session:
                await start_person(session, "boss", clock)
                add_fact(session, wanted)
            relay.wake()
            await eventually(lambda: box.mails, timeout=20)
        finally:
            await tasks.close()
    (mail,) = box.mails
    assert mail["Subject"] == "重大投诉：TS20261122-0001"
    assert "https://cc.example.com/complaints/1" in mail.get_content()
    async with database.session() as session:
        assert (await session.scalars(select(Notice.code))).all() == ["complaint.major"]
        states = (await session.scalars(select(OutgoingMessage.state))).all()
    assert len(states) == 1


async def start_person(session: Any, user_id: str, clock: SystemClock) -> None:
    """Somebody with a mailbox."""
    from web.tables import UserRow

    now = clock.now()
    session.add(
        UserRow(
            user_id=user_id,
            login=user_id,
            display_name="老板",
            password_hash="",
            role=Role.GENERAL_MANAGER.value,
            locale="zh-CN",
            active=True,
            created_at=now,
            password_changed_at=now,
        )
    )
    session.add(
        NoticeAddress(
            user_id=user_id,
            channel="email",
            address="boss@example.com",
            verified=True,
            active=True,
            changed_at=now - timedelta(days=1),
        )
    )
