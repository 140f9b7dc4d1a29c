"""Whoever has a case in hand calls its customer without seeing the number: who may, by which rules."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import delete, select, update

from app.wiring import record_contact
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.exchange import Way
from callback_campaigns.masked_calls import AlreadyCalling, NoCustomerNumber, NoOwnTelephone
from callback_campaigns.preview import DialRefused
from callback_campaigns.preview_wire import PreviewDesk, RemotePreview
from callback_campaigns.retention import CallbackCalls
from crm.case_contact import CaseIsClosed, NotInYourHands, case_in_hand
from crm.complaint_tables import ComplaintLine
from crm.domain.case import Severity
from crm.domain.freeze import RefusalLevel, RefusalSource
from crm.domain.repair import Route
from crm.people_tables import DoNotCallNumber, DoNotCallRow
from crm.repair_input import AskedRoute
from crm.tables import Contact, ServiceCase
from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.errors import Forbidden, NotFound, Unavailable
from kernel.ids import new_ulid
from tests.support.masked import OWN, MaskedWorld
from tests.support.office import OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.pbx import HOTLINE
from tests.support.waiting import eventually
from tests.support.web_stage import web_stage

# One office for all of them: each test has a customer of its own, and ends the calls that it began.
pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
NUMBER = "+861381111{:03d}0"
MANAGER = "manager"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MaskedWorld]:
    folder: Path = tmp_path_factory.mktemp("masked")
    clock = FakeClock(START)
    async with web_stage(folder, clock=clock) as stage:
        office = OfficeStage(stage, clock)
        await office.open()
        found = MaskedWorld(office)
        await found.give_telephone("captain")
        await found.give_telephone("head", "13900000002")
        await found.give_telephone("member", "13900000003")
        async with stage.database.transaction() as session:
            for table in (DoNotCallNumber, DoNotCallRow):
                await session.execute(delete(table))
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def case(world: MaskedWorld) -> AsyncIterator[Callable[..., Awaitable[tuple[str, str]]]]:
    """Make cases, each of a customer with a number of their own; afterwards no call is left."""
    world.office.clock.advance(timedelta(days=1))  # yesterday's calls are forgotten
    world.exchange.own_answers = True

    async def make(kind: str = "repair", **more: Any) -> tuple[str, str]:
        made = len(world.office.stage.agents) + await _count(world)
        number = NUMBER.format(made % 1000)
        view: Any
        if kind == "repair":
            view = await world.office.told(made, **more)
        else:
            view = await world.office.new(at=made, **more)
        customer_id = view.case.customer_id if kind == "repair" else view.header.customer_id
        await world.only_phone(customer_id, number)
        return view.case_id, number

    yield make
    await world.over()


async def _count(world: MaskedWorld) -> int:
    async with world.office.stage.database.session() as session:
        return len(list(await session.scalars(select(ServiceCase.id))))


def who(world: MaskedWorld, login: str) -> Actor:
    return world.office.who(login)


Case = Callable[..., Awaitable[tuple[str, str]]]


async def test_the_own_telephone_rings_first_and_no_page_or_answer_says_the_number(
    world: MaskedWorld, case: Case
) -> None:
    case_id, number = await case()
    page = f"/captain/{case_id}"

    async def shown() -> str:
        status, text = await get(world.office, "captain", page)
        assert status == 200
        assert number[3:] not in text
        return text

    assert "给客户打电话" in await shown()
    status, location, _ = await post(
        world.office, "captain", f"/cases/{case_id}/customer-call", {"page": "captain"}
    )
    assert (status, location) == (303, page)
    await world.listen()
    (call,) = world.exchange.calls.values()
    assert (call.order.way, call.order.own_number, call.order.agent_number) == (Way.MASKED, OWN, None)
    assert (call.order.number, call.order.caller_id) == (number, HOTLINE)
    assert "正在呼叫您的电话" in await shown()
    # Pressed once more: the call that there is goes on, and there is no second one.
    status, location, _ = await post(
        world.office, "captain", f"/cases/{case_id}/customer-call", {"page": "captain"}
    )
    assert (status, location, len(world.exchange.calls)) == (303, page, 1)
    assert world.exchange.offered[number] == 0
    await world.go_on()
    assert world.exchange.offered[number] == 1
    assert "正在接通客户" in await shown()
    await world.go_on()
    await world.go_on()
    assert "通话中" in await shown()
    async with (
        signed_in(world.office, "captain") as session,
        session.get(f"/api/v1/cases/{case_id}/customer-calls") as answer,
    ):
        told = await answer.text()
        (item,) = (await answer.json())["items"]
    assert (item["state"], item["by"], item["outcome"]) == ("answered", "马师傅", None)
    assert number[3:] not in told
    await world.over()
    assert "已结束" in await shown()
    async with world.office.stage.database.session() as stored:
        noted = list(
            await stored.scalars(select(AuditRow).where(AuditRow.action == "repair.customer_called"))
        )
    assert [(row.actor, row.entity_id) for row in noted][-1:] == [("马师傅", case_id)]
    assert number[3:] not in str(noted[-1].detail)


async def test_the_same_request_twice_is_one_call(world: MaskedWorld, case: Case) -> None:
    case_id, number = await case()
    path, key = f"/api/v1/cases/{case_id}/customer-calls", new_ulid()
    headers = {"Origin": world.office.stage.url, "Idempotency-Key": key}
    answers = []
    async with signed_in(world.office, "captain") as session:
        for _ in range(2):
            async with session.post(path, headers=headers) as answer:
                assert answer.status == 201, await answer.text()
                answers.append(await answer.json())
            await world.over()
        async with session.post(path, headers={"Origin": world.office.stage.url}) as answer:
            assert answer.status == 428
    assert answers[0] == answers[1]
    assert world.exchange.offered[number] == 1
    assert number[3:] not in str(answers)


async def test_whose_own_telephone_is_not_answered_calls_nobody_and_may_ask_again(
    world: MaskedWorld, case: Case
) -> None:
    case_id, number = await case()
    world.exchange.own_answers = False
    for _ in range(4):  # more often than the customer might be called
        made = await world.calls.call_customer(who(world, "captain"), case_id)
        await world.over()
        row = (await world.rows())[-1]
        assert (row.id, row.state, row.outcome) == (made.attempt_id, "ended", "failed")
        async with world.office.stage.database.transaction() as session:
            await record_contact(session, world.exchange.ended[made.attempt_id])
        async with world.office.stage.database.session() as session:
            assert await session.scalar(select(Contact.id).where(Contact.ref == made.attempt_id)) is None
    assert world.exchange.offered[number] == 0
    _, text = await get(world.office, "captain", f"/captain/{case_id}")
    assert "自己的电话没有接通，没有呼叫客户" in text


async def test_an_extension_that_is_registered_rings_before_the_mobile_telephone(
    world: MaskedWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, _ = await case()

    async def number_of(session: Any, user_id: str) -> str:
        return "1005"

    monkeypatch.setattr(world.calls._numbers, "number_of", number_of)
    world.exchange.registered = {"1005"}
    await world.calls.call_customer(who(world, "captain"), case_id)
    await world.listen()
    (call,) = world.exchange.calls.values()
    assert (call.order.agent_number, call.order.own_number) == ("1005", None)
    await world.over()
    world.exchange.registered = set()
    await world.calls.call_customer(who(world, "captain"), case_id)
    await world.listen()
    (call,) = world.exchange.calls.values()
    assert (call.order.agent_number, call.order.own_number) == (None, OWN)


async def test_what_stands_against_a_call_is_said_and_nothing_rings(world: MaskedWorld, case: Case) -> None:
    office, captain = world.office, who(world, "captain")
    case_id, number = await case()
    ask = world.calls.call_customer

    async def customer() -> str:
        async with office.stage.database.session() as session:
            return (await session.get_one(ServiceCase, case_id)).customer_id

    with pytest.raises(NoOwnTelephone) as missing:
        await ask(replace(captain, user_id=new_ulid()), case_id)
    assert "record of the staff" in missing.value.message
    await world.set_phone(await customer(), bad_since=office.clock.now())
    with pytest.raises(NoCustomerNumber):
        await ask(captain, case_id)
    _, text = await get(office, "captain", f"/captain/{case_id}")
    assert "客户没有能拨通的号码" in text
    await world.set_phone(await customer(), bad_since=None)
    world.exchange.cut()
    with pytest.raises(Unavailable):
        await ask(captain, case_id)
    status, location, _ = await post(
        office, "captain", f"/cases/{case_id}/customer-call", {"page": "captain"}
    )
    assert (status, location) == (303, f"/captain/{case_id}?call=unavailable")
    _, text = await get(office, "captain", location)
    assert "电话系统暂时连不上" in text
    world.exchange.mend()
    office.clock.advance(timedelta(hours=12))  # 21:00
    with pytest.raises(DialRefused) as late:
        await ask(captain, case_id)
    assert late.value.refusal.code is RefusalCode.OUTSIDE_WINDOW
    assert late.value.refusal.until is not None
    status, location, _ = await post(
        office, "captain", f"/cases/{case_id}/customer-call", {"page": "captain"}
    )
    _, text = await get(office, "captain", location)
    assert "不在可拨时段。最早" in text
    async with office.stage.database.transaction() as session:
        (await session.get_one(ServiceCase, case_id)).urgency = "emergency"
    await ask(captain, case_id)  # water comes through the ceiling: at any hour
    with pytest.raises(AlreadyCalling):
        await ask(captain, case_id)
    await world.over()
    office.clock.advance(timedelta(hours=12))
    async with office.stage.database.transaction() as session:
        (await session.get_one(ServiceCase, case_id)).closed_at = office.clock.now()
    with pytest.raises(CaseIsClosed):
        await ask(captain, case_id)
    assert world.exchange.offered[number] == 1


async def test_a_number_is_called_by_one_person_at_a_time_and_not_too_often(
    world: MaskedWorld, case: Case
) -> None:
    case_id, number = await case("complaint")
    head, member = who(world, "head"), who(world, "member")
    line = await world.office.accept(
        await world.office.crm.complaints.complaints.get(who(world, MANAGER), case_id)
    )
    async with world.office.stage.database.transaction() as session:
        (await session.get_one(ComplaintLine, line.line_id)).person_id = member.user_id
    await world.calls.call_customer(head, case_id)
    with pytest.raises(DialRefused) as busy:
        await world.calls.call_customer(member, case_id)
    assert busy.value.refusal.code is RefusalCode.OPEN_ATTEMPT
    await world.over()
    await world.calls.call_customer(member, case_id)
    await world.over()
    await world.calls.call_customer(head, case_id)
    await world.over()
    with pytest.raises(DialRefused) as often:
        await world.calls.call_customer(head, case_id)
    assert often.value.refusal.code is RefusalCode.FREQUENCY
    assert often.value.refusal.until is not None
    assert world.exchange.offered[number] == 3
    _, text = await get(world.office, "head", f"/lines/{line.line_id}")
    assert "以前的通话" in text
    assert "刘铁柱" in text


async def test_who_refused_every_call_is_called_once_about_something_serious(
    world: MaskedWorld, case: Case
) -> None:
    case_id, number = await case(severity=Severity.GENERAL)
    captain, do_not_call = who(world, "captain"), world.office.crm.people.do_not_call
    await do_not_call.add(
        who(world, MANAGER),
        level=RefusalLevel.ALL,
        source=RefusalSource.LETTER.value,
        evidence="来信",
        number=number,
    )
    with pytest.raises(DialRefused) as refused:
        await world.calls.call_customer(captain, case_id)
    assert refused.value.refusal.code is RefusalCode.DO_NOT_CALL
    async with world.office.stage.database.transaction() as session:
        (await session.get_one(ServiceCase, case_id)).severity = int(Severity.SERIOUS)
    world.exchange.own_answers = False
    await world.calls.call_customer(captain, case_id)
    await world.over()  # nobody was disturbed: the one call is still left
    world.exchange.own_answers = True
    world.office.clock.advance(timedelta(minutes=1))
    await world.calls.call_customer(captain, case_id)
    await world.over()
    with pytest.raises(DialRefused) as again:
        await world.calls.call_customer(captain, case_id)
    assert again.value.refusal.code is RefusalCode.DO_NOT_CALL
    assert world.exchange.offered[number] == 1


async def test_a_call_is_on_the_time_line_with_its_case_and_is_kept_as_long(
    world: MaskedWorld, case: Case
) -> None:
    case_id, _ = await case()
    made = await world.calls.call_customer(who(world, "captain"), case_id)
    await world.over()
    async with world.office.stage.database.transaction() as session:
        await record_contact(session, world.exchange.ended[made.attempt_id])
    async with world.office.stage.database.session() as session:
        header = await session.get_one(ServiceCase, case_id)
        (entry,) = await session.scalars(select(Contact).where(Contact.ref == made.attempt_id))
        assert (entry.customer_id, entry.agent, entry.result) == (header.customer_id, "马师傅", "ANSWERED")
        assert (entry.detail["case_id"], entry.detail["no"]) == (case_id, header.no)
        kept = CallbackCalls()
        assert await kept.cases(session, [made.attempt_id]) == {made.attempt_id: case_id}
        assert await kept.projects(session, [made.attempt_id]) == {}


async def test_a_process_without_the_link_asks_the_one_that_has_it(world: MaskedWorld, case: Case) -> None:
    case_id, _ = await case()
    bus, clock = world.office.stage.bus, world.office.clock
    none: Any = None
    desk = PreviewDesk(none, none, bus, clock, node="pbx1", masked=world.calls)
    remote = RemotePreview(bus, clock, node="pbx1", within=timedelta(seconds=30))
    task = asyncio.create_task(desk.run())
    await asyncio.sleep(0)
    try:
        made = await remote.call_customer(who(world, "captain"), case_id)
        await eventually(lambda: made.attempt_id in world.exchange.calls, what="it is placed")
        with pytest.raises(AlreadyCalling):
            await remote.call_customer(who(world, "captain"), case_id)
        with pytest.raises(NotInYourHands):
            await remote.call_customer(
                Actor(user_id=new_ulid(), name="某人", role=H, department="CS"), case_id
            )
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# -- who may ------------------------------------------------------------------------------------------

H, D, C = Role.DEPARTMENT_HEAD, Role.DEPARTMENT_MEMBER, Role.CAPTAIN
MAY: dict[str, set[tuple[Role, str]]] = {
    "repair of the captain": {(C, "CS")},
    "repair of the original crew": set(),
    "line of ENG": {(H, "ENG"), (C, "ENG")},
    "line of ENG, sent back": set(),
    "line of ENG, confidential": set(),
    "line of ENG, not handed off": set(),
    "line of ENG, over": set(),
    "ticket of ENG": {(H, "ENG"), (C, "ENG"), (D, "ENG")},
    "ticket of ENG, sent on": set(),
}
"""Spelled out a second time; everybody else, of whatever department, may not."""


async def _cases(world: MaskedWorld) -> dict[str, str]:
    office = world.office
    found = {"repair of the captain": (await office.told(1)).case_id}
    original = AskedRoute(route=Route.ORIGINAL)
    found["repair of the original crew"] = (await office.repair(2, route=original)).case_id
    states: dict[str, dict[str, Any]] = {
        "line of ENG": {},
        "line of ENG, sent back": {"status": "rejected"},
        "line of ENG, confidential": {"confidential": True},
        "line of ENG, not handed off": {"status": "registered"},
        "line of ENG, over": {"status": "unfounded"},
    }
    for place, (name, values) in enumerate(states.items()):
        view = await office.new(at=3 + place)
        found[name] = view.case_id
        async with office.stage.database.transaction() as session:
            change = update(ComplaintLine).where(ComplaintLine.case_id == view.case_id)
            if values:
                await session.execute(change.values(**values))
    tickets = (("ticket of ENG", "in_hand"), ("ticket of ENG, sent on", "rerouted"))
    for place, (name, status) in enumerate(tickets):
        found[name] = await world.open_ticket(place, status)
    return found


async def test_only_whoever_has_the_case_in_hand_may_call(world: MaskedWorld, case: Case) -> None:
    cases = await _cases(world)
    for name, case_id in cases.items():
        allowed = set()
        for role in Role:
            for department in ("ENG", "DES", "CS", None):
                person = Actor(user_id=new_ulid(), name="某人", role=role, department=department)
                async with world.office.stage.database.session() as session:
                    try:
                        await case_in_hand(session, person, case_id)
                    except (Forbidden, NotFound):
                        continue
                allowed.add((role, department or ""))
        assert allowed == MAY[name], name


async def test_a_member_calls_about_the_line_that_they_were_put_in_charge_of(
    world: MaskedWorld, case: Case
) -> None:
    case_id, _ = await case("complaint")
    member = who(world, "member")
    async with world.office.stage.database.session() as session:
        with pytest.raises(NotInYourHands):
            await case_in_hand(session, member, case_id)
    async with world.office.stage.database.transaction() as session:
        change = update(ComplaintLine).where(ComplaintLine.case_id == case_id)
        await session.execute(change.values(person_id=member.user_id))
    async with world.office.stage.database.session() as session:
        assert (await case_in_hand(session, member, case_id)).id == case_id


async def test_the_services_and_the_routes_refuse_whoever_has_it_not(world: MaskedWorld, case: Case) -> None:
    case_id, number = await case()
    headers = {"Origin": world.office.stage.url, "Idempotency-Key": new_ulid()}
    for login, expected in (("spc", 403), ("manager", 403), ("boss", 403), ("head", 404), ("designer", 404)):
        async with (
            signed_in(world.office, login) as session,
            session.post(f"/api/v1/cases/{case_id}/customer-calls", headers=headers) as answer,
        ):
            assert answer.status == expected, login
        with pytest.raises((Forbidden, NotFound)):
            await world.calls.call_customer(who(world, login), case_id)
        status, text = await get(world.office, login, f"/captain/{case_id}")
        assert status in {403, 404}
        assert "给客户打电话" not in text
    assert world.exchange.offered[number] == 0
