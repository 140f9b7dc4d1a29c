"""Facts that become notices and messages, and what is told later or not any more."""

import asyncio
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, get_type_hints

import pytest
from structlog.testing import capture_logs

from crm.events_cases import HandOffSent, HandOffSigned, LineRejected, VisitPlanned
from crm.events_limits import LimitBreached, LimitEscalated, LimitRed, LimitWarned
from crm.events_repairs import RepairAppointed, RepairRouted
from crm.notices.domain import Channel, Forget
from crm.notices.events import CustomerMessageWanted, MessageFailed, NoticesChanged, NoticeWanted
from crm.notices.facts import ENTRIES
from crm.notices.later import LaterWorker
from crm.notices.messages import CustomerMessage
from crm.notices.rules import shipped
from crm.tables import Customer, CustomerPhone, Department
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.errors import ConfigurationError
from kernel.ids import new_ulid
from kernel.phone import InvalidPhone
from tests.support.notice_board import give, read, take, who_sees
from tests.support.notices import NIGHT, ZONE, NoticeStage

pytestmark = pytest.mark.integration


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


def sent(stage: NoticeStage, handoff_id: str = "h1", **changes: Any) -> HandOffSent:
    return HandOffSent(
        at=stage.clock.now(),
        case_id=CASE,
        no="TS20260302-0001",
        line_id=LINE,
        handoff_id=handoff_id,
        receipt_no="R1",
        department=changes.get("department", "ENG"),
        specialist_id="u-agent",
        summary="漏水",
        due_at=stage.clock.now() + timedelta(hours=3),
        again_at=stage.clock.now() + timedelta(hours=2),
    )


async def test_a_confidential_hand_off_and_its_limits_are_told_to_the_manager(
    stage: NoticeStage, clock: FakeClock
) -> None:
    """Class 9: no department is named, and none hears of it."""
    await take(stage, sent(stage, department=None))
    assert await codes(stage, "u-manager") == ["handoff.sent"]
    limit: dict[str, Any] = {
        "at": clock.now(),
        "timer_id": new_ulid(),
        "code": "TS.T1",
        "record_kind": "complaint",
        "record_id": CASE,
        "line_id": LINE,
        "record_no": "TS20260302-0001",
        "department": None,
        "user_id": None,
        "specialist": "u-agent",
        "started_at": clock.now(),
        "due_at": clock.now() + timedelta(hours=3),
    }
    await take(stage, LimitWarned(**limit, percent=80), LimitBreached(**limit))
    assert await codes(stage, "u-manager") == ["handoff.sent", "limit.breached", "limit.warned"]
    assert not await read(stage, "u-head")


async def codes(stage: NoticeStage, user_id: str) -> list[str]:
    return sorted(notice.code for notice in await read(stage, user_id))


async def test_an_unsigned_hand_off_is_told_again_after_two_hours(
    stage: NoticeStage, clock: FakeClock
) -> None:
    """domain.md §2.3: new hand-off, SMS + call if unsigned at 2 h."""
    async with stage.database.transaction() as session:
        session.add(Department(code="ENG", name="工程部", head="陈工"))
    workers = [LaterWorker(stage.database, clock, stage.notices.give, worker=name) for name in ("w1", "w2")]
    await take(stage, sent(stage), sent(stage))
    assert await codes(stage, "u-head") == ["handoff.sent"]
    clock.advance(timedelta(minutes=119))
    assert await workers[0].run_once() == 0
    clock.advance(timedelta(minutes=1))
    await asyncio.gather(*(worker.run_once() for worker in workers))
    assert await codes(stage, "u-head") == ["handoff.sent", "handoff.unsigned"]
    assert await codes(stage, "u-agent") == ["handoff.call"]
    (told,) = await read(stage, "u-agent")
    assert (told.link, told.parameters["head"]) == ("/my-day#unsigned", "陈工")
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


async def customer_service(stage: NoticeStage) -> None:
    """Let the manager lead customer service, and the captain be the deputy."""
    stage.people.staff["u-captain"] = (Role.CAPTAIN, "CS")
    async with stage.database.transaction() as session:
        named = {"head_user_id": "u-manager", "deputy_user_id": "u-captain"}
        session.add(Department(code="CS", name="客服部", **named))


async def test_a_repair_is_told_to_whoever_repairs(stage: NoticeStage) -> None:
    """domain.md §2.4: new route, re-route reason."""
    await customer_service(stage)
    await take(stage, routed(stage, "captain", "CS"), routed(stage, "other_crew", "CS"))
    assert await codes(stage, "u-captain") == ["repair.routed", "repair.routed"]
    assert await codes(stage, "u-manager") == ["repair.routed", "repair.routed"], "the named head"
    assert not await codes(stage, "u-head")
    await take(stage, routed(stage, "captain", None))
    assert len(await codes(stage, "u-captain")) == 3, "also where the company has no such department"
    await take(stage, routed(stage, "original", "ENG", again=True))
    assert await codes(stage, "u-head") == ["repair.rerouted"]
    (notice,) = await read(stage, "u-head")
    assert shipped().text(notice.code, notice.parameters, "zh-CN", ZONE) == "原因：原施工队已离开公司"


async def test_the_captains_limits_are_told_to_the_captain(stage: NoticeStage, clock: FakeClock) -> None:
    """domain.md §2.4: contact due, costing due; 80 % and 100 % of what customer service owes."""
    await customer_service(stage)
    limit: dict[str, Any] = {
        "at": clock.now(),
        "record_kind": "repair",
        "record_id": CASE,
        "line_id": "chain",
        "record_no": "BX20260302-0001",
        "department": "CS",
        "user_id": None,
        "specialist": "u-agent",
        "started_at": clock.now() - timedelta(hours=24),
        "due_at": clock.now(),
    }
    warned = LimitWarned(**limit, timer_id=new_ulid(), code="BX.K0", percent=80)
    await take(stage, warned, LimitBreached(**limit, timer_id=new_ulid(), code="BX.K0"))
    assert await codes(stage, "u-captain") == ["limit.breached", "limit.warned"]
    due = LimitWarned(**limit, timer_id=new_ulid(), code="BX.R3", percent=80)
    await take(stage, replace(due, timer_id=new_ulid(), percent=50), due)
    assert await codes(stage, "u-captain") == ["limit.breached", "limit.warned", "repair.contact_due"]
    visit = RepairAppointed(
        at=clock.now(),
        case_id=CASE,
        no="BX20260302-0001",
        customer_id="c1",
        visit_from=clock.now() + timedelta(minutes=30),
        visit_until=clock.now() + timedelta(hours=2),
        department="CS",
        specialist_id=None,
    )
    await take(stage, visit)
    assert "appointment.soon" in await codes(stage, "u-captain")
