"""The dialplan's question where a caller goes, from the records to the variables; versions of rules."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from crm.caller_standing import CallerStanding
from ivr.domain.routing import Asked, QueueNow, RoutingRules
from ivr.routing import CallRouter, Knowledge
from ivr.routing_book import RoutingBook, RoutingNow
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, StaleVersion
from kernel.phone import Phone
from telephony.agent_tables import AgentRow, AgentSessionRow, QueueMemberRow, QueueRow
from telephony.agi import AgiConfig, AgiServer
from telephony.queue_now import QueueMoments
from telephony.tables import CallRow
from tests.support.fake_agi import FakeChannel, call, deeds, environment_bytes
from tests.support.menus import FakeQueues

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="01JD0000000000000000000001", name="周经理", role=Role.MANAGER)
AGENT = Actor(user_id="01JD0000000000000000000002", name="林晓", role=Role.AGENT)
CALLER = "+8613800138000"


@pytest.fixture
def book(sqlite: Database, clock: FakeClock) -> RoutingBook:
    return RoutingBook(sqlite, clock, AuditLog(sqlite, clock), queues=FakeQueues())


@dataclass
class Known:
    """Implements :class:`ivr.routing.CallerKnowledge` with what a test says."""

    level: str = ""
    delay: float = 0
    broken: bool = False

    async def gather(self, asked: Asked, phone: Phone | None, rules: RoutingRules) -> Asked:
        if self.broken:
            raise ConnectionError("the database is down")
        await asyncio.sleep(self.delay)
        queues = {name: QueueNow(free=frozenset({"1001"})) for name in ("complaint", "service")}
        return replace(asked, level=self.level, last_agent="1001", queues=queues)

    async def talk(self, queue: str) -> timedelta | None:
        return timedelta(minutes=3)


@pytest.fixture
async def serve(book: RoutingBook, clock: FakeClock) -> AsyncIterator["Line"]:
    known = Known()
    router = CallRouter(RoutingNow(book), known, clock, default_queue="service", default_area="010")
    server = AgiServer(AgiConfig(port=0, command_timeout=timedelta(seconds=1)), router.routes())
    await server.start()
    try:
        yield Line(server.port, known)
    finally:
        await server.stop(timedelta(0))


@dataclass
class Line:
    """A server that is asked."""

    port: int
    known: Known

    async def ask(self, queue: str = "complaint", priority: str = "", longest: str = "") -> FakeChannel:
        given = {"agi_network_script": "route", "agi_request": "agi://127.0.0.1/route"}
        given |= {"agi_arg_1": queue, "agi_arg_2": priority, "agi_arg_3": longest}
        async with asyncio.timeout(10):
            return await call(self.port, FakeChannel(deeds("")), environment=environment_bytes(**given))


async def test_a_decision_is_told_to_the_dialplan_and_to_the_time_line(serve: Line) -> None:
    serve.known.level = "A"
    channel = await serve.ask()
    told = channel.variables
    assert (told["HF_ROUTE"], told["HF_QUEUE"], told["HF_QUEUE_PRIO"]) == ("queue", "complaint", "10")
    assert (told["HF_PREFER"], told["HF_PREFER_SECONDS"]) == ("1001", "12")
    assert (told["HF_QUEUE_TIMEOUT"], told["HF_OVER"]) == ("240", "service")
    (event,) = channel.events
    assert event["Because"] == "level:A last_agent"
    assert (event["UserEvent"], event["Queue"], event["Agent"]) == ("HuifangRouted", "complaint", "1001")


@pytest.mark.parametrize(
    ("known", "because"),
    [
        pytest.param(Known(delay=5), "late", id="slow"),
        pytest.param(Known(broken=True), "failed", id="broken"),
    ],
)
async def test_without_a_decision_the_menu_stands(serve: Line, known: Known, because: str) -> None:
    serve.known.__dict__.update(known.__dict__)
    channel = await serve.ask("complaint", "3", "90")
    told = channel.variables
    assert (told["HF_ROUTE"], told["HF_QUEUE"], told["HF_QUEUE_PRIO"]) == ("queue", "complaint", "3")
    assert (told["HF_QUEUE_TIMEOUT"], told["HF_PREFER"], told["HF_OVER"]) == ("90", "", "")
    assert [event["Because"] for event in channel.events] == [because]


async def test_what_the_records_and_the_queues_say(database: Database, clock: FakeClock) -> None:
    now = clock.now()
    async with database.transaction() as session:
        for name in ("complaint", "service"):
            session.add(QueueRow(name=name, label_zh=name, label_en=name, max_wait_seconds=300))
        for number, state in (("1001", "available"), ("1002", "on_call"), ("1003", "paused")):
            agent_id = f"01JD00000000000000000{number}0"
            session.add(
                AgentRow(agent_id=agent_id, number=number, name=number, sip_password="x" * 8, created_at=now)
            )
            await session.flush()
            session.add(
                AgentSessionRow(agent_id=agent_id, signed_in=True, state=state, since=now, legs=[], version=1)
            )
            session.add(QueueMemberRow(queue="service", agent_id=agent_id))
        for index, (state, result, agent, hours) in enumerate(
            (("queued", None, None, 0), ("ended", "ANSWERED", "1002", 2), ("ended", "ANSWERED", "1001", 1))
        ):
            session.add(
                CallRow(
                    call_id=f"01JD0000000000000000000{index:03d}",
                    node="pbx1",
                    direction="in",
                    from_number=CALLER,
                    to_number="+861065558800",
                    from_name="",
                    queue="service",
                    agent_number=agent,
                    state=state,
                    result=result,
                    menu_path=[],
                    started_at=now - timedelta(hours=hours),
                    talk_ms=120_000,
                    hold_ms=0,
                )
            )
    moments = QueueMoments(database)
    knowledge = Knowledge(CallerStanding(database), moments, clock)
    rules = RoutingRules(last_agent_for=frozenset(), skill_by_language={"en": "英语"})
    found = await knowledge.gather(Asked(queue="service"), Phone.parse(CALLER), rules)
    service = found.queues["service"]
    assert (service.waiting, service.free, service.working) == (1, frozenset({"1001"}), 2)
    assert service.longest == timedelta(minutes=5)
    assert (found.level, found.last_agent) == ("", "")
    assert await moments.last_agent(Phone.parse(CALLER), since=now - timedelta(days=1)) == "1001"
    assert await moments.last_agent(Phone.parse(CALLER), since=now - timedelta(minutes=5)) == ""
    assert await moments.talk("service", now) == timedelta(minutes=2)
    assert await moments.talk("complaint", now) is None


class TestRules:
    async def test_a_version_is_in_force_for_the_next_caller(self, book: RoutingBook) -> None:
        now = RoutingNow(book)
        assert now.rules.levels["A"] == 10
        done = await book.publish(MANAGER, "levels: {A: 7}", why="试一试", expected=0)
        await now.look()
        assert (done.version, now.rules.version, now.rules.levels["A"]) == (1, 1, 7)
        page = await book.versions(MANAGER)
        assert [(one.version, one.why, one.created_by) for one in page.items] == [(1, "试一试", "周经理")]

    async def test_what_may_not_be_published(self, book: RoutingBook) -> None:
        with pytest.raises(Forbidden):
            await book.publish(AGENT, "levels: {A: 7}", why="x", expected=0)
        with pytest.raises(Invalid, match="gone"):
            await book.publish(MANAGER, "queues: {gone: {waiting: 3}}", why="x", expected=0)
        with pytest.raises(Invalid, match="what was changed"):
            await book.publish(MANAGER, "levels: {A: 7}", why=" ", expected=0)
        await book.publish(MANAGER, "levels: {A: 7}", why="x", expected=0)
        with pytest.raises(StaleVersion):
            await book.publish(MANAGER, "levels: {A: 8}", why="x", expected=0)
        assert (await book.current(MANAGER)).version == 1
