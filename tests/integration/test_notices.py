"""Notices given, read and forgotten, on both databases."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, get_type_hints

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from crm.events_cases import HandOffSent, HandOffSigned, LineRejected, VisitPlanned
from crm.events_limits import LimitBreached, LimitEscalated, LimitRed, LimitWarned
from crm.events_repairs import RepairRouted
from crm.notices.domain import Channel, Forget, NoticeRequest, Party, Severity
from crm.notices.events import CustomerMessageWanted, MessageFailed, NoticesChanged, NoticeWanted
from crm.notices.facts import ENTRIES
from crm.notices.later import LaterWorker
from crm.notices.messages import CustomerMessage
from crm.notices.rules import shipped
from crm.notices.service import MOST_COUNTED, NoticeView, seed_rules
from crm.notices.tables import Notice, NoticeRead, NoticeRecipient, NoticeRule
from crm.notices.tidy import NoticeTidier
from crm.tables import Customer, CustomerPhone, Department
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import ConfigurationError, Invalid, NotFound
from kernel.events import Event
from kernel.ids import new_ulid
from kernel.phone import InvalidPhone
from tests.support.notices import NIGHT, ZONE, NoticeStage

pytestmark = pytest.mark.integration

PARTY = Party(owner_user_id="u-member", owner_department="ENG", specialist_user_id="u-agent")
ELSEWHERE = ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", "/a\nb", "x")
EVERYBODY = ("u-agent", "u-manager", "u-gm", "u-head", "u-member", "u-design", "u-admin")


@pytest.fixture
def stage(database: Database, clock: FakeClock) -> NoticeStage:
    return NoticeStage(database, clock)


async def give(
    stage: NoticeStage, code: str = "limit.breached", key: str = "k1", **changes: Any
) -> str | None:
    changes.setdefault("party", PARTY)
    changes.setdefault("parameters", {"no": "TS20260302-0001", "limit": "TS.T1"})
    async with stage.database.transaction() as session:
        return await stage.notices.give(session, NoticeRequest(code=code, key=key, **changes))


async def read(stage: NoticeStage, user_id: str, **asked: Any) -> Sequence[NoticeView]:
    return (await stage.board.page(stage.actor(user_id), **asked)).items


async def who_sees(stage: NoticeStage) -> set[str]:
    return {user_id for user_id in EVERYBODY if await read(stage, user_id)}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("limit.warned", {"u-member", "u-agent"}),
        ("limit.breached", {"u-member", "u-head", "u-agent"}),
        ("limit.red", {"u-manager"}),
        ("limit.escalated", {"u-gm"}),
    ],
)
async def test_breach_chain_tells_whom_it_should(stage: NoticeStage, code: str, expected: set[str]) -> None:
    """domain.md §0: 80 % owner, specialist; 100 % the head as well; +3 h manager; +24 h general manager."""
    assert await give(stage, code)
    assert await who_sees(stage) == expected


async def test_a_department_without_a_person_is_its_head(stage: NoticeStage) -> None:
    await give(stage, "limit.warned", party=Party(owner_department="DES"))
    assert await who_sees(stage) == {"u-design"}


async def test_whoever_is_added_by_role_or_department(stage: NoticeStage) -> None:
    also = ("role:finance", "department:ENG", "user:u-gm")
    await give(stage, "limit.red", also=also)
    assert await who_sees(stage) == {"u-manager", "u-head", "u-member", "u-gm"}
    with pytest.raises(Invalid, match="names nobody"):
        await give(stage, "limit.red", key="k2", also=("everybody",))


async def test_the_same_key_is_never_shown_twice(stage: NoticeStage) -> None:
    first = await give(stage)
    assert await give(stage, parameters={"no": "TS20260302-0002"}) is None
    (notice,) = await read(stage, "u-agent")
    assert notice.notice_id == first
    assert notice.parameters["no"] == "TS20260302-0001"
    assert notice.severity is Severity.URGENT


async def test_two_writers_with_one_key_give_one_notice(stage: NoticeStage) -> None:
    given = await asyncio.gather(*(give(stage) for _ in range(5)))
    assert len([one for one in given if one]) == 1
    assert len(await read(stage, "u-agent")) == 1


async def test_nobody_meant_and_a_rule_that_is_off(stage: NoticeStage) -> None:
    assert await give(stage, "limit.warned", party=Party()) is None
    async with stage.database.transaction() as session:
        await seed_rules(session)
        rule = await session.get_one(NoticeRule, "limit.warned")
        rule.active = False
    assert await give(stage, "limit.warned") is None


async def test_seeding_again_keeps_what_was_edited(stage: NoticeStage) -> None:
    async with stage.database.transaction() as session:
        assert await seed_rules(session) == len(shipped().notices)
        rule = await session.get_one(NoticeRule, "limit.red")
        rule.recipients = ["role:supervisor"]
        rule.severity = "info"
    async with stage.database.transaction() as session:
        assert await seed_rules(session) == 0
    await give(stage, "limit.red")
    assert await who_sees(stage) == set()
    stage.people.staff["u-lead"] = (Role.SUPERVISOR, None)
    (notice,) = await read(stage, "u-lead")
    assert notice.severity is Severity.INFO


@pytest.mark.parametrize("link", ELSEWHERE)
async def test_links_lead_to_our_own_pages_only(stage: NoticeStage, link: str) -> None:
    with pytest.raises(Invalid, match="link"):
        await give(stage, link=link)


async def test_unknown_codes_and_bad_keys_are_refused(stage: NoticeStage) -> None:
    with pytest.raises(Invalid, match="no rule"):
        await give(stage, "limit.unheard_of")
    with pytest.raises(Invalid, match="key"):
        await give(stage, key="")
    with pytest.raises(Invalid, match="parameters"):
        await give(stage, parameters={str(n): "x" for n in range(31)})


async def test_hostile_parameters_are_cut_and_flattened(stage: NoticeStage) -> None:
    await give(stage, parameters={"no": "a\r\nb\x00\u202ec", "limit": "x" * 1_000_000})
    (notice,) = await read(stage, "u-agent")
    assert notice.parameters["no"] == "a b c"
    assert len(notice.parameters["limit"]) == 200


async def test_reading_is_ones_own(stage: NoticeStage) -> None:
    notice_id = await give(stage)
    assert notice_id
    agent, head, stranger = (stage.actor(user) for user in ("u-agent", "u-head", "u-design"))
    assert (await stage.board.unread(agent), await stage.board.unread(head)) == (1, 1)
    marked = await stage.board.mark_read(agent, notice_id)
    assert marked.read_at == stage.clock.now()
    assert isinstance(stage.clock, FakeClock)
    stage.clock.advance(timedelta(minutes=5))
    assert (await stage.board.mark_read(agent, notice_id)).read_at == marked.read_at
    assert (await stage.board.unread(agent), await stage.board.unread(head)) == (0, 1)
    for notice in (notice_id, new_ulid()):
        with pytest.raises(NotFound):
            await stage.board.mark_read(stranger, notice)
    assert [one.notice_id for one in await read(stage, "u-head", which="unread")] == [notice_id]
    assert not await read(stage, "u-agent", which="unread")


async def test_all_read_leaves_what_came_since(stage: NoticeStage) -> None:
    for n in range(3):
        await give(stage, key=f"k{n}")
        await asyncio.sleep(0.002)  # ids of one millisecond have no order
    shown = await read(stage, "u-agent")
    await give(stage, key="later")
    agent = stage.actor("u-agent")
    assert await stage.board.mark_all_read(agent, up_to=shown[0].notice_id) == 3
    assert await stage.board.unread(agent) == 1
    assert await stage.board.mark_all_read(agent) == 1
    assert await stage.board.mark_all_read(agent) == 0


async def test_pages_of_the_list(stage: NoticeStage) -> None:
    for n in range(7):
        await give(stage, "limit.warned" if n % 2 else "limit.breached", key=f"k{n}")
    agent, seen, cursor = stage.actor("u-agent"), list[str](), None
    while True:
        page = await stage.board.page(agent, cursor=cursor, limit=3)
        seen += [item.notice_id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)
    assert len(await read(stage, "u-agent", which="urgent")) == 4
    with pytest.raises(Invalid, match="cursor"):
        await stage.board.page(agent, cursor="'; drop table notice")


async def test_the_count_ends_at_a_hundred(stage: NoticeStage) -> None:
    for n in range(MOST_COUNTED + 5):
        await give(stage, "limit.red", key=f"k{n}")
    assert await stage.board.unread(stage.actor("u-manager")) == MOST_COUNTED


async def test_pages_are_told_after_the_commit_and_not_of_what_was_undone(stage: NoticeStage) -> None:
    async with stage.bus.subscribe(NoticesChanged, name="test") as changes:
        with contextlib.suppress(RuntimeError):
            async with stage.database.transaction() as session:
                await stage.notices.give(session, NoticeRequest(code="limit.red", key="k", party=PARTY))
                raise RuntimeError
        notice_id = await give(stage, "limit.red", key="k")
        told = await changes.get()
        assert isinstance(told, NoticesChanged)
        assert told.targets == ("role:manager",)
        assert notice_id
        await stage.board.mark_read(stage.actor("u-manager"), notice_id)
        told = await changes.get()
        assert isinstance(told, NoticesChanged)
        assert told.targets == ("user:u-manager",)


async def test_what_expired_is_gone_and_old_ones_are_forgotten(stage: NoticeStage, clock: FakeClock) -> None:
    await give(stage, key="short", expires_at=clock.now() + timedelta(hours=1))
    kept = await give(stage, key="long")
    assert kept
    await stage.board.mark_read(stage.actor("u-agent"), kept)
    clock.advance(timedelta(hours=2))
    assert [notice.notice_id for notice in await read(stage, "u-agent")] == [kept]
    clock.advance(timedelta(days=89))
    tidier = NoticeTidier(stage.database, clock)
    assert await tidier.run_once() == 0
    clock.advance(timedelta(days=2))
    assert await tidier.run_once() == 2
    async with stage.database.session() as session:
        for table in (Notice, NoticeRecipient, NoticeRead):
            assert (await session.execute(select(func.count()).select_from(table))).scalar_one() == 0


# Facts


async def test_a_wanted_notice_and_facts_nobody_asked_about(stage: NoticeStage, clock: FakeClock) -> None:
    wanted = NoticeWanted(
        at=clock.now(),
        code="handoff.sent",
        key="handoff|1",
        parameters={"no": "TS1", "due_at": clock.now().isoformat()},
        link="/complaints/1",
        owner_department="ENG",
    )
    async with stage.database.transaction() as session:
        await stage.facts.take(session, wanted)
        await stage.facts.take(session, wanted)
        await stage.facts.take(session, NoticesChanged(at=clock.now(), targets=()))
        await stage.facts.take(session, NoticeWanted(at=clock.now(), code="nobody.knows"))
    (notice,) = await read(stage, "u-head")
    assert notice.link == "/complaints/1"


@pytest.mark.parametrize(
    ("fact", "further", "expected"),
    [
        (LimitWarned, {"percent": 50}, set()),
        (LimitWarned, {"percent": 80}, {"u-member", "u-agent"}),
        (LimitBreached, {}, {"u-member", "u-head", "u-agent"}),
        (LimitRed, {}, {"u-manager"}),
        (LimitEscalated, {"appraisal_id": None}, {"u-gm"}),
    ],
)
async def test_facts_of_limits_become_the_breach_chain(
    stage: NoticeStage, clock: FakeClock, fact: Any, further: dict[str, Any], expected: set[str]
) -> None:
    """domain.md §0; the 50 % point only colours the list."""
    async with stage.database.transaction() as session:
        session.add(Department(code="ENG", name="工程部"))
    told = fact(
        at=clock.now(),
        timer_id=new_ulid(),
        code="TS.T1",
        record_kind="complaint",
        record_id="01JZZZZZZZZZZZZZZZZZZZZZT1",
        line_id="",
        record_no="TS20260302-0001",
        department="ENG",
        user_id="u-member",
        specialist="u-agent",
        started_at=clock.now() - timedelta(hours=3),
        due_at=clock.now(),
        **further,
    )
    async with stage.database.transaction() as session:
        await stage.facts.take(session, told)
        await stage.facts.take(session, replace(told, event_id=new_ulid()))
    assert await who_sees(stage) == expected
    for user_id in expected:
        (notice,) = await read(stage, user_id)
        assert notice.link == "/cases/01JZZZZZZZZZZZZZZZZZZZZZT1"
        shown = shipped().text(notice.code, notice.parameters, "zh-CN", ZONE)
        assert "03月02日 10:00" in shown
        assert "工程部" in shown


async def test_failures_of_one_kind_are_told_once_a_day(stage: NoticeStage, clock: FakeClock) -> None:
    def failed(code: str = "limit.red") -> MessageFailed:
        return MessageFailed(
            at=clock.now(), message_id=new_ulid(), channel="email", code=code, error="no answer in time"
        )

    async with stage.database.transaction() as session:
        for fact in (failed(), failed(), failed("message.failed")):
            await stage.facts.take(session, fact)
    assert len(await read(stage, "u-admin")) == 1
    clock.advance(timedelta(days=1))
    async with stage.database.transaction() as session:
        await stage.facts.take(session, failed())
    assert len(await read(stage, "u-admin")) == 2


# What goes out


async def test_messages_go_to_verified_active_addresses_once(stage: NoticeStage) -> None:
    await stage.address("u-agent", Channel.EMAIL, "agent@example.com")
    await stage.address("u-head", Channel.WECOM, "head")
    await stage.address("u-head", Channel.EMAIL, "head@example.com", verified=False)
    await stage.address("u-member", Channel.EMAIL, "member@example.com", active=False)
    await stage.address("u-member", Channel.SMS, "+8613800138000")
    await give(stage)
    await give(stage)
    assert {(row.channel, row.address) for row in await stage.messages()} == {
        ("email", "agent@example.com"),
        ("wecom", "head"),
    }
    assert stage.woken


async def test_customers_hear_once_and_not_against_their_will(stage: NoticeStage) -> None:
    stage.do_not_call.add("+8613900139000")

    async def send(phone: str, key: str, template: str = "callback.announced") -> CustomerMessage:
        async with stage.database.transaction() as session:
            params = {"no": "TS1", "greeting": "王先生"}
            return await stage.queue.send_to_customer(session, phone, template, params, key)

    assert await send("13800138000", "1") is CustomerMessage.QUEUED
    assert await send("13800138000", "1") is CustomerMessage.KNOWN
    assert await send("139 0013 9000", "2") is CustomerMessage.SUPPRESSED
    states = {row.address: row.state for row in await stage.messages()}
    assert states == {"+8613800138000": "waiting", "+8613900139000": "suppressed"}
    # domain.md §6.4: contact about the customer's own open case stays allowed
    assert await send("139 0013 9000", "3", "visit.booked") is CustomerMessage.QUEUED
    with pytest.raises(InvalidPhone):
        await send("nobody", "4")
    with pytest.raises(ConfigurationError, match="no text"):
        await send("13800138000", "5", "no.such")


async def test_a_customer_is_told_by_a_fact_without_a_number(stage: NoticeStage, clock: FakeClock) -> None:
    async with stage.database.transaction() as session:
        session.add(Customer(id="c1", name="王建军", salutation="先生", level="A", created_at=clock.now()))
        session.add(Customer(id="c2", name="李梅", level="B", created_at=clock.now()))
        await session.flush()
        for n, number in enumerate(("+861065551234", "+8613800138001", "+8613800138002")):
            bad = clock.now() if number.endswith("8001") else None
            session.add(CustomerPhone(customer_id="c1", e164=number, position=n, bad_since=bad))

    def wanted(customer_id: str, template: str = "visit.booked") -> CustomerMessageWanted:
        return CustomerMessageWanted(
            at=clock.now(),
            customer_id=customer_id,
            template=template,
            key=f"visit|{customer_id}",
            parameters={"no": "BX1", "at": clock.now().isoformat()},
        )

    await take(stage, wanted("c1"), wanted("c1"), wanted("c2"), wanted("nobody"), wanted("c1", "no.such"))
    (row,) = await stage.messages()
    assert (row.address, row.to_customer) == ("+8613800138002", True)
    await stage.worker(quiet=NIGHT).run_once()
    (message,) = stage.sender.sent
    assert "王先生您好，我们约定 03月02日 10:00 上门" in message.text


# Complaints


CASE = "01JZZZZZZZZZZZZZZZZZZZZZT1"
LINE = "01JZZZZZZZZZZZZZZZZZZZZZL1"


async def take(stage: NoticeStage, *facts: Event) -> None:
    async with stage.database.transaction() as session:
        for fact in facts:
            await stage.facts.take(session, fact)


def sent(stage: NoticeStage, handoff_id: str = "h1", **changes: Any) -> HandOffSent:
    return HandOffSent(
        at=stage.clock.now(),
        case_id=CASE,
        no="TS20260302-0001",
        line_id=LINE,
        handoff_id=handoff_id,
        receipt_no="R1",
        department="ENG",
        specialist_id="u-agent",
        summary="漏水",
        due_at=changes.get("due_at", stage.clock.now() + timedelta(hours=3)),
    )


async def codes(stage: NoticeStage, user_id: str) -> list[str]:
    return sorted(notice.code for notice in await read(stage, user_id))


async def test_an_unsigned_hand_off_is_told_again_after_two_hours(
    stage: NoticeStage, clock: FakeClock
) -> None:
    """domain.md §2.3: new hand-off, again if unsigned at 2 h."""
    workers = [LaterWorker(stage.database, clock, stage.notices.give, worker=name) for name in ("w1", "w2")]
    await take(stage, sent(stage), sent(stage))
    assert await codes(stage, "u-head") == ["handoff.sent"]
    clock.advance(timedelta(minutes=119))
    assert await workers[0].run_once() == 0
    clock.advance(timedelta(minutes=1))
    await asyncio.gather(*(worker.run_once() for worker in workers))
    assert await codes(stage, "u-head") == ["handoff.sent", "handoff.unsigned"]
    assert await codes(stage, "u-agent") == ["handoff.unsigned"]
    assert await workers[0].run_once() == 0


async def test_a_signed_or_rejected_hand_off_is_not_told_again(stage: NoticeStage, clock: FakeClock) -> None:
    worker = LaterWorker(stage.database, clock, stage.notices.give, worker="w1")
    signed = HandOffSigned(
        at=clock.now(),
        case_id=CASE,
        no="TS20260302-0001",
        line_id=LINE,
        handoff_id="h1",
        receipt_no="R1",
        department="ENG",
        specialist_id="u-agent",
        received_by="刘工",
        mode="page",
    )
    await take(stage, sent(stage), signed)
    rejected = LineRejected(
        at=clock.now(),
        case_id=CASE,
        no="TS20260302-0001",
        line_id=LINE,
        department="ENG",
        specialist_id="u-agent",
        reason="不是工程部的责任",
    )
    await take(stage, sent(stage, "h2"), rejected)
    clock.advance(timedelta(hours=3))
    assert await worker.run_once() == 0
    assert await codes(stage, "u-agent") == ["handoff.returned"]


async def test_a_visit_that_was_moved_is_reminded_of_once(stage: NoticeStage, clock: FakeClock) -> None:
    worker = LaterWorker(stage.database, clock, stage.notices.give, worker="w1")

    def planned(hours: int) -> VisitPlanned:
        return VisitPlanned(
            at=clock.now(),
            case_id=CASE,
            no="TS20260302-0001",
            line_id=LINE,
            customer_id="c1",
            department="ENG",
            person_id="u-member",
            specialist_id="u-agent",
            visit_from=clock.now() + timedelta(hours=hours),
            visit_until=clock.now() + timedelta(hours=hours + 2),
        )

    await take(stage, planned(5), planned(7))
    clock.advance(timedelta(hours=4))
    assert await worker.run_once() == 0
    clock.advance(timedelta(hours=2))
    assert await worker.run_once() == 1
    assert await codes(stage, "u-member") == ["appointment.soon"]


async def test_every_entry_makes_notices_that_can_be_given(stage: NoticeStage, clock: FakeClock) -> None:
    """Each kind of fact, filled with something of each field's kind."""
    samples: dict[Any, Any] = {
        str: "u-agent",
        int: 100,
        bool: True,
        datetime: clock.now(),
        tuple[str, ...]: ("ENG",),
        dict[str, str]: {},
    }
    kinds: tuple[Any, ...] = tuple(ENTRIES)
    for kind in kinds:
        hints = get_type_hints(kind)
        values = {
            field.name: samples.get(hints[field.name], None if hints[field.name] != str | None else "ENG")
            for field in fields(kind)
            if field.name not in {"event_id", "at"}
        }
        if kind is NoticeWanted:
            values |= {"code": "limit.red", "key": "wanted", "link": "", "also": ()}
        values |= {"visit_from": clock.now()} if "visit_from" in values else {}
        values |= {"due_at": clock.now()} if "due_at" in values else {}
        with capture_logs() as logs:
            await take(stage, kind(at=clock.now(), **values))
        assert [entry for entry in logs if entry["event"] == "notice_refused"] == [], kind
        for step in ENTRIES[kind](kind(at=clock.now(), **values)):
            assert isinstance(step, Forget) or step.code in shipped().notices, kind


# Repairs


def routed(stage: NoticeStage, route: str, department: str | None, *, again: bool = False) -> RepairRouted:
    return RepairRouted(
        at=stage.clock.now(),
        case_id=CASE,
        no="BX20260302-0001",
        customer_id="c1",
        route=route,
        reason="crew_left" if again else None,
        note="",
        crew_id=None,
        department=department,
        again=again,
        specialist_id="u-agent",
        summary="水管漏水",
    )


async def test_a_repair_is_told_to_whoever_repairs(stage: NoticeStage) -> None:
    """domain.md §2.4: new route, re-route reason."""
    stage.people.staff["u-captain"] = (Role.CAPTAIN, None)
    await take(stage, routed(stage, "captain", None))
    assert await codes(stage, "u-captain") == ["repair.routed"]
    assert not await codes(stage, "u-head")
    await take(stage, routed(stage, "original", "ENG", again=True))
    assert await codes(stage, "u-head") == ["repair.rerouted"]
    (notice,) = await read(stage, "u-head")
    assert shipped().text(notice.code, notice.parameters, "zh-CN", ZONE) == "原因：原施工队已离开公司"
