"""Agents call numbers that pages show: by reference, under every rule, once, and noted down."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from app.wiring import record_contact
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.masked_calls import AlreadyCalling, NoCustomerNumber
from callback_campaigns.number_calls import NoExtension, NotAtWork, PhoneAway, TooManyCalls
from callback_campaigns.number_targets import NumberKind, NumberTarget
from callback_campaigns.preview import DialRefused
from callback_campaigns.preview_wire import PreviewDesk, RemotePreview
from callback_campaigns.task_tables import DialAttemptRow
from crm.domain.case import Severity
from crm.domain.freeze import RefusalLevel, RefusalSource
from crm.people_tables import StaffRow
from crm.search import Document, Kind, SearchIndex
from crm.tables import CallbackRequest, Contact, Crew, Customer, CustomerPhone, ServiceCase, Store
from kernel.access import GRANTS, Actor, Permission, Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.errors import Forbidden, NotFound, Unavailable
from kernel.ids import new_ulid
from telephony.agent_tables import AgentSessionRow, QueueMemberRow
from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
from telephony.tables import CallRow
from tests.support.masked import PER_HOUR, MaskedWorld
from tests.support.office import OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.pbx import HOTLINE
from tests.support.waiting import eventually
from tests.support.web_stage import web_stage
from web.tables import UserRow

# One office for all of them: each test has customers of its own, and ends the calls that it began.
pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 6, 2, 2, 0, tzinfo=UTC)  # a Tuesday, 10:00 at the site; so are the next eight
WEEK = timedelta(days=7)
EVENING = timedelta(hours=10)
"""From 10:00 to 20:00: too late for ordinary calls, not for those that somebody asked for."""
API = "/api/v1/number-calls"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MaskedWorld]:
    folder: Path = tmp_path_factory.mktemp("numbers")
    clock = FakeClock(START)
    async with web_stage(folder, clock=clock) as stage:
        office = OfficeStage(stage, clock)
        await office.open()
        found = MaskedWorld(office)
        found.exchange.registered = {stage.agent_number}
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def agent(world: MaskedWorld) -> AsyncIterator[Actor]:
    """The agent at work, on the Tuesday after the last test; afterwards no call is left."""
    stage, now = world.office.stage, world.office.clock.now()
    world.office.clock.advance(START + ((now - START) // WEEK + 1) * WEEK - now)
    world.exchange.own_answers = True
    async with stage.database.session() as session:
        user = (await session.scalars(select(UserRow).where(UserRow.login == "agent"))).one()
    await stage.desk.sign_in(str(user.agent_id))
    yield Actor(user_id=user.user_id, name=user.display_name, role=Role.AGENT)
    await world.over()
    await stage.desk.sign_out(str(user.agent_id))


async def known(world: MaskedWorld, number: str) -> tuple[NumberTarget, str]:
    """Write a customer with the number down; return the number as their page names it, and the customer."""
    customer_id, ref = new_ulid(), new_ulid()
    async with world.office.stage.database.transaction() as session:
        session.add(Customer(id=customer_id, name="赵六", level="B", created_at=world.office.clock.now()))
        await session.flush()
        session.add(CustomerPhone(customer_id=customer_id, e164=number, kind="mobile", ref=ref))
    return NumberTarget(kind=NumberKind.CUSTOMER, ref=ref), customer_id


async def a_call(world: MaskedWorld, number: str, **more: Any) -> NumberTarget:
    """Write a call from the number down that nobody took."""
    now, call_id = world.office.clock.now(), new_ulid()
    values = {"direction": "in", "from_number": number, "to_number": HOTLINE, "queue": "complaint", **more}
    async with world.office.stage.database.transaction() as session:
        session.add(
            CallRow(
                call_id=call_id,
                node="pbx1",
                from_name="",
                state="ended",
                menu_path=[],
                started_at=now,
                ended_at=now,
                talk_ms=0,
                hold_ms=0,
                **values,
            )
        )
    return NumberTarget(kind=NumberKind.CALL, ref=call_id)


async def a_wish(world: MaskedWorld, number: str) -> NumberTarget:
    """Write down that somebody gave up in the queue."""
    call, wish_id = await a_call(world, number), new_ulid()
    async with world.office.stage.database.transaction() as session:
        session.add(
            CallbackRequest(
                id=wish_id,
                e164=number,
                call_id=call.ref,
                reason="排队中挂机",
                requested_at=world.office.clock.now(),
                open_key=number,
            )
        )
    return NumberTarget(kind=NumberKind.CALLBACK, ref=wish_id)


async def ask(
    world: MaskedWorld, target: NumberTarget, key: str, *, login: str = "agent"
) -> tuple[int, dict[str, Any]]:
    headers = {"Origin": world.office.stage.url, "Idempotency-Key": key}
    body = {"kind": target.kind.value, "ref": target.ref}
    async with (
        signed_in(world.office, login) as session,
        session.post(API, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def told(world: MaskedWorld, call_id: str, *, login: str = "agent") -> tuple[int, dict[str, Any]]:
    async with signed_in(world.office, login) as session, session.get(f"{API}/{call_id}") as answer:
        return answer.status, await answer.json()


async def test_a_masked_number_is_called_by_what_it_is_a_part_of_once_and_is_noted_down(
    world: MaskedWorld, agent: Actor
) -> None:
    number = "+8613811117000"
    target, customer_id = await known(world, number)
    _, page = await get(world.office, "agent", f"/customers/{customer_id}")
    assert f'data-dial="customer:{target.ref}" aria-label="呼叫 138****7000"' in page
    assert "js/dial.js" in page
    assert number[3:] not in page
    key = new_ulid()
    status, placed = await ask(world, target, key)
    assert status == 201, placed
    await world.listen()
    (call,) = world.exchange.calls.values()
    assert (call.order.agent_number, call.order.own_number) == (world.office.stage.agent_number, None)
    assert (call.order.number, call.order.caller_id, call.order.at_once) == (number, HOTLINE, True)
    # The same wish once more is the same call; another one has to wait for its end.
    assert await ask(world, target, key) == (201, placed)
    status, problem = await ask(world, target, new_ulid())
    assert (status, problem["code"]) == (409, "already_calling")
    assert len(world.exchange.calls) == 1
    assert world.exchange.offered[number] == 0
    states = [(await told(world, placed["call_id"]))[1]["state"]]
    for _ in range(3):
        await world.go_on()
        states.append((await told(world, placed["call_id"]))[1]["state"])
    assert states == ["sent", "ringing", "ringing", "answered"]
    async with world.office.stage.database.session() as session:
        penalties = (
            select(QueueMemberRow.queue)
            .where(QueueMemberRow.agent_id == world.office.stage.agents[world.office.stage.agent_number])
            .order_by(QueueMemberRow.penalty)
        )
        own_queues = list(await session.scalars(penalties))
    ((rung, connected, queue),) = world.connected
    assert (rung, connected) == (world.office.stage.agent_number, placed["call_id"])
    assert queue in own_queues
    await world.over()
    _, over = await told(world, placed["call_id"])
    assert (over["state"], over["outcome"], over["by"]) == ("ended", "answered", agent.name)
    assert number[3:] not in str(over)
    assert (await told(world, placed["call_id"], login="supervisor"))[0] in {403, 404}
    async with world.office.stage.database.transaction() as session:
        await record_contact(session, world.exchange.ended[placed["call_id"]])
    async with world.office.stage.database.session() as session:
        (entry,) = await session.scalars(select(Contact).where(Contact.ref == placed["call_id"]))
        assert (entry.customer_id, entry.agent, entry.result) == (customer_id, agent.name, "ANSWERED")
        (noted,) = await session.scalars(select(AuditRow).where(AuditRow.entity_id == placed["call_id"]))
        assert (noted.action, noted.actor) == ("call.dialled", agent.name)
        assert noted.detail["after"]["ref"] == target.ref
        assert number[3:] not in str(noted.detail)


async def leads_to(world: MaskedWorld, agent: Actor, path: str, target: NumberTarget, number: str) -> None:
    """See the button on a page, and that it calls the number."""
    status, page = await get(world.office, "agent", path)
    assert status == 200
    assert f'data-dial="{target.kind.value}:{target.ref}"' in page, path
    _, others = await get(world.office, "supervisor", path)
    assert "data-dial" not in others, "whoever has no telephone here calls nobody"
    made = await world.numbers.call_number(agent, target)
    await world.over()
    assert world.exchange.offered[number] == 1
    async with world.office.stage.database.session() as session:
        row = await session.get_one(DialAttemptRow, made.attempt_id)
        assert (row.number, row.case_id is not None) == (number, target.kind is NumberKind.CASE)


async def test_each_page_with_a_number_has_the_button_and_leads_to_its_number(
    world: MaskedWorld, agent: Actor
) -> None:
    case = (await world.office.new(at=1)).case_id
    async with world.office.stage.database.session() as session:
        header = await session.get_one(ServiceCase, case)
    await world.only_phone(header.customer_id, "+8613811117110")
    missed, wish = await a_call(world, "+8613811117120"), await a_wish(world, "+8613811117130")
    stage, again = (
        world.office.stage,
        await a_call(
            world, "+8613811117140", direction="out", from_number=HOTLINE, to_number="+8613811117140"
        ),
    )
    stage.history.calls[again.ref] = await CallHistory(stage.database).get(again.ref)
    stage.history.calls[missed.ref] = await CallHistory(stage.database).get(missed.ref)
    targets = {
        f"/cases/{case}": (NumberTarget(kind=NumberKind.CASE, ref=case), "+8613811117110"),
        f"/calls/{missed.ref}": (missed, "+8613811117120"),
        "/callbacks": (wish, "+8613811117130"),
        "/calls": (again, "+8613811117140"),
    }
    for path, (target, number) in targets.items():
        await leads_to(world, agent, path, target, number)
    # Who waited in a queue is that queue's customer; a case's call is in its history.
    assert [queue for _, _, queue in world.connected[-2:]] == ["complaint", "complaint"]
    async with world.office.stage.database.session() as session:
        action = select(AuditRow.entity_id).where(AuditRow.action == "complaint.customer_called")
        assert list(await session.scalars(action)) == [case]


async def test_lists_and_our_own_people_are_called_from_their_pages(world: MaskedWorld, agent: Actor) -> None:
    stage = world.office.stage
    _, listed = await known(world, "+8613811117150")
    _, found = await known(world, "+8613811117160")
    async with stage.database.transaction() as session:
        written = Document(
            kind=Kind.CUSTOMER,
            ref_id=found,
            title="赵六",
            updated_at=stage.clock.now(),
            phones=("+8613811117160",),
        )
        await SearchIndex().put(session, written)
    staff, crew, store = new_ulid(), new_ulid(), new_ulid()
    async with stage.database.transaction() as session:
        session.add(StaffRow(id=staff, name="孙队长", role="RCP", phone="+8613811117180"))
        session.add(Crew(id=crew, name="木工三队", head="何师傅", phone="+8613811117181"))
        session.add(Store(id=store, name="丰台店", phone="+8613811117182"))
    targets = {
        "/organisation/staff": (NumberTarget(kind=NumberKind.STAFF, ref=staff), "+8613811117180"),
        "/organisation/crews": (NumberTarget(kind=NumberKind.CREW, ref=crew), "+8613811117181"),
        "/organisation/stores": (NumberTarget(kind=NumberKind.STORE, ref=store), "+8613811117182"),
        "/customers?q=13811117150": (NumberTarget(kind=NumberKind.PERSON, ref=listed), "+8613811117150"),
        "/search?q=13811117160": (NumberTarget(kind=NumberKind.PERSON, ref=found), "+8613811117160"),
    }
    for path, (target, number) in targets.items():
        await leads_to(world, agent, path, target, number)
    for kind in NumberKind:
        with pytest.raises(NotFound):
            await world.numbers.call_number(agent, NumberTarget(kind=kind, ref=new_ulid()))


async def test_an_agent_who_is_not_free_or_has_no_telephone_calls_nobody(
    world: MaskedWorld, agent: Actor
) -> None:
    target, _ = await known(world, "+8613811117200")
    stage, ask_for = world.office.stage, world.numbers.call_number
    agent_id = stage.agents[stage.agent_number]

    async def be(state: AgentState) -> None:
        async with stage.database.transaction() as session:
            change = update(AgentSessionRow).where(AgentSessionRow.agent_id == agent_id)
            await session.execute(change.values(state=state.value))

    for state in (AgentState.SIGNED_OUT, AgentState.RINGING, AgentState.ON_CALL, AgentState.WRAP_UP):
        await be(state)
        with pytest.raises(NotAtWork):
            await ask_for(agent, target)
    await be(AgentState.PAUSED)
    world.exchange.registered = set()
    with pytest.raises(PhoneAway):
        await ask_for(agent, target)
    world.exchange.registered = {stage.agent_number}
    with pytest.raises(NoExtension):
        await ask_for(replace(agent, user_id=new_ulid()), target)
    world.exchange.cut()
    with pytest.raises(Unavailable):
        await ask_for(agent, target)
    world.exchange.mend()
    made = await ask_for(agent, target)
    with pytest.raises(AlreadyCalling):
        await ask_for(agent, target)
    # Their own telephone is not answered: the customer was never called, and nobody says they were.
    world.exchange.own_answers = False
    await world.over()
    assert world.exchange.offered["+8613811117200"] == 0
    async with stage.database.transaction() as session:
        await record_contact(session, world.exchange.ended[made.attempt_id])
    async with stage.database.session() as session:
        assert await session.scalar(select(Contact.id).where(Contact.ref == made.attempt_id)) is None
    assert (await told(world, made.attempt_id))[1]["outcome"] == "failed"
    assert made.attempt_id not in {call_id for _, call_id, _ in world.connected}
    await be(AgentState.AVAILABLE)


async def test_every_rule_stands_against_a_call_and_is_named(world: MaskedWorld, agent: Actor) -> None:
    leader = replace(agent, role=Role.SUPERVISOR)  # nobody has a way round the rules
    refused, _ = await known(world, "+8613811117300")
    await world.office.crm.people.do_not_call.add(
        world.office.who("manager"),
        level=RefusalLevel.ALL,
        source=RefusalSource.LETTER.value,
        evidence="来信",
        number="+8613811117300",
    )
    dear, _ = await known(world, "+8616812345670")
    bad, owner = await known(world, "+8613811117310")
    await world.set_phone(owner, bad_since=world.office.clock.now())
    cases = (
        (refused, RefusalCode.DO_NOT_CALL),
        (dear, RefusalCode.NOT_DIALABLE),
        (bad, RefusalCode.BAD_NUMBER),
        (await a_call(world, "4006001234"), RefusalCode.NOT_DIALABLE),
        (await a_call(world, "110"), RefusalCode.NOT_DIALABLE),
        (await a_call(world, "+12025550123"), RefusalCode.NOT_DIALABLE),
    )
    for target, code in cases:
        for actor in (agent, leader):
            with pytest.raises(DialRefused) as error:
                await world.numbers.call_number(actor, target)
            assert error.value.refusal.code is code, target
    for nobody in (
        await a_call(world, "anonymous"),
        await a_call(world, "1002", direction="internal"),
    ):
        with pytest.raises(NoCustomerNumber):
            await world.numbers.call_number(agent, nobody)
    assert not world.exchange.calls


async def test_the_hours_are_those_of_the_occasion_and_are_said(world: MaskedWorld, agent: Actor) -> None:
    target, _ = await known(world, "+8613811117400")
    view = await world.office.told(4, severity=Severity.SERIOUS)
    await world.only_phone(view.case.customer_id, "+8613811117410")
    wish = await a_wish(world, "+8613811117420")
    world.office.clock.advance(EVENING)
    status, problem = await ask(world, target, new_ulid())
    assert (status, problem["code"], problem["refusal"]) == (409, "dial_refused", "outside_window")
    assert datetime.fromisoformat(problem["until"]) > world.office.clock.now()
    await world.numbers.call_number(agent, wish)  # they asked for it
    await world.over()
    world.office.clock.advance(timedelta(hours=3))
    with pytest.raises(DialRefused):
        await world.numbers.call_number(agent, await a_wish(world, "+8613811117430"))
    # Water comes through the ceiling: at any hour.
    await world.numbers.call_number(agent, NumberTarget(kind=NumberKind.CASE, ref=view.case_id))
    await world.over()


async def test_an_agent_calls_so_many_within_an_hour(world: MaskedWorld, agent: Actor) -> None:
    for at in range(PER_HOUR):
        target, _ = await known(world, f"+86138111175{at}0")
        await world.numbers.call_number(agent, target)
        await world.over()
    target, _ = await known(world, "+8613811117590")
    with pytest.raises(TooManyCalls):
        await world.numbers.call_number(agent, target)
    world.office.clock.advance(timedelta(hours=1, seconds=1))
    await world.numbers.call_number(agent, target)


async def test_only_who_may_see_the_number_calls_it(world: MaskedWorld, agent: Actor) -> None:
    target, _ = await known(world, "+8613811117600")
    wish = await a_wish(world, "+8613811117610")
    for role in Role:
        if Permission.CALLS_DIAL in GRANTS[role]:
            continue
        with pytest.raises(Forbidden):
            await world.numbers.call_number(replace(agent, role=role), target)
    for kind in NumberKind:
        for ref in (new_ulid(), "x" * 26, wish.ref):
            if (kind, ref) == (NumberKind.CALLBACK, wish.ref):
                continue
            with pytest.raises(NotFound):
                await world.numbers.call_number(agent, NumberTarget(kind=kind, ref=ref))
    for login, expected in (("head", 403), ("captain", 403), ("supervisor", 409), ("spc", 409)):
        status, problem = await ask(world, target, new_ulid(), login=login)
        assert (status, login) == (expected, login), problem
    assert not world.exchange.calls


async def test_a_process_without_the_link_asks_the_one_that_has_it(world: MaskedWorld, agent: Actor) -> None:
    target, _ = await known(world, "+8613811117700")
    none: Any = None
    bus, clock = world.office.stage.bus, world.office.clock
    desk = PreviewDesk(none, none, bus, clock, node="pbx1", numbers=world.numbers)
    remote = RemotePreview(bus, clock, node="pbx1", within=timedelta(seconds=30))
    task = asyncio.create_task(desk.run())
    await asyncio.sleep(0)
    try:
        made = await remote.call_number(agent, target)
        await eventually(lambda: made.attempt_id in world.exchange.calls, what="it is placed")
        with pytest.raises(AlreadyCalling):
            await remote.call_number(agent, target)
        with pytest.raises(Forbidden):
            await remote.call_number(replace(agent, role=Role.HR), target)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
