"""The telephony role: the link to the PBX, the call model, the agents' members and the live board."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from sqlalchemy.exc import SQLAlchemyError

from app import pbx
from app.call_control_part import Places, build_control
from app.numbers import AgentNumbers, QueueBook
from app.settings import Settings
from ivr.repository import FlowRepository
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Unavailable
from kernel.supervise import Supervisor
from telephony.agent_events import RosterChanged
from telephony.agent_feed import AgentFeed
from telephony.ami import AmiConfig, AmiLink
from telephony.board import Board, BoardConfig
from telephony.call_control import CallControl
from telephony.call_control_wire import ControlDesk
from telephony.desk import AgentDesk
from telephony.domain.agent_state import AgentPolicy
from telephony.domain.call_book import CallBook
from telephony.domain.call_table import CallRules
from telephony.event_log import EventLog
from telephony.events import AgentReserved
from telephony.ingest import TelephonyIngest
from telephony.members import MemberBook, MemberSync
from telephony.roster import Roster
from telephony.spool import CallSpool
from telephony.writer import CallWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class TelephonyPart:
    """What the telephony role consists of."""

    link: AmiLink
    ingest: TelephonyIngest
    writer: CallWriter
    members: MemberSync
    feed: AgentFeed
    desk: AgentDesk
    board: Board
    numbers: AgentNumbers
    control: CallControl
    steps: ControlDesk
    private_log: EventLog | None

    async def readiness(self) -> Mapping[str, Any]:
        """Return how the link stands. Raises Unavailable while the PBX is not followed."""
        status = self.ingest.status
        if status.state != "live":
            raise Unavailable(f"the link to {status.node} is {status.state}", node=status.node)
        return {"state": status.state, "as_of": status.as_of.isoformat() if status.as_of else None}


def ami_config(settings: Settings) -> AmiConfig:
    """Return how to reach the PBX."""
    ami = settings.ami
    return AmiConfig(
        host=ami.host,
        port=ami.port,
        username=ami.username,
        secret=pbx.ami_secret(settings),
        connect_timeout=timedelta(seconds=ami.connect_seconds),
        login_timeout=timedelta(seconds=ami.connect_seconds),
        action_timeout=timedelta(seconds=ami.action_seconds),
        ping_interval=timedelta(seconds=ami.ping_seconds),
    )


def build_telephony(
    settings: Settings,
    *,
    clock: Clock,
    database: Database,
    bus: Bus,
    redis: "Redis",
    worker: str,
    on_facts: Callable[[], None],
) -> TelephonyPart:
    """Build the role's services; nothing runs yet."""
    node = settings.pbx.node
    roster = Roster(database, clock, bus)
    numbers = AgentNumbers(roster, bus)
    link = AmiLink(ami_config(settings), clock=clock, node=node)
    writer = CallWriter(
        database,
        CallSpool(settings.data_dir / "spool" / f"calls-{node}.jsonl"),
        agent_id_of=numbers.id_of,
        on_facts=on_facts,
    )
    rules = CallRules(
        short_abandon=timedelta(seconds=settings.centre.short_abandon_seconds),
        default_area=settings.centre.default_area,
    )
    event_log = EventLog(pbx.event_log(settings))
    ingest = TelephonyIngest(
        link,
        CallBook(node, rules),
        bus=bus,
        writer=writer,
        database=database,
        clock=clock,
        agent_id_of=numbers.id_of,
        event_log=event_log,
    )
    policy = AgentPolicy(no_answers_before_pause=settings.centre.ring_no_answer_limit)

    async def member_book() -> MemberBook:
        return await desk.member_book()

    def held(number: str, reserved: bool) -> None:
        agent_id = numbers.id_of(number)
        bus.publish(
            AgentReserved(
                at=clock.now(), node=node, agent_number=number, agent_id=agent_id, reserved=reserved
            )
        )

    members = MemberSync(link.actions, member_book)
    members.on_held = held
    desk = AgentDesk(database, clock, bus, worker=worker, policy=policy, follower=members, on_facts=on_facts)
    board = Board(
        database,
        clock,
        bus,
        open_calls=ingest.book.open_calls,
        link=lambda: ingest.status,
        devices=lambda: feed.devices,
        redis=redis,
        config=BoardConfig(
            node=node,
            zone=settings.zone,
            formula=settings.centre.service_level_formula,
            short_abandon=timedelta(seconds=settings.centre.short_abandon_seconds),
        ),
    )
    feed = AgentFeed(
        desk,
        members,
        link.actions,
        ingest,
        QueueBook(roster).wrap_ups,
        node=node,
        on_device=board.touch,
    )
    ingest.add_sink(feed.sink, *feed.names)
    places = Places(settings, roster, FlowRepository(database), lambda: feed.devices, clock)
    control = build_control(settings, ingest, link.actions, numbers, feed, places, clock=clock, bus=bus)
    return TelephonyPart(
        link=link,
        ingest=ingest,
        writer=writer,
        members=members,
        feed=feed,
        desk=desk,
        board=board,
        numbers=numbers,
        control=control,
        steps=ControlDesk(control, bus, clock, node=node),
        # An Asterisk of one's own has its own keeper of logs.
        private_log=None if settings.pbx.event_log else event_log,
    )


async def follow_wrap_ups(feed: AgentFeed, bus: Bus) -> None:
    """Have wrap-ups as long as the queues say now, until cancelled."""
    async with bus.subscribe(RosterChanged, name="wrap-up-lengths", maxsize=100) as changes:
        async for _ in changes:
            # Without a database what is known stays; the next reconciliation reads it anyway.
            with suppress(SQLAlchemyError, OSError):
                await feed.read_wrap_ups()


def start_telephony(part: TelephonyPart, tasks: Supervisor, bus: Bus) -> None:
    """Start the role's tasks."""
    tasks.spawn("wrap-up-lengths", lambda: follow_wrap_ups(part.feed, bus))
    tasks.spawn("agent-numbers", part.numbers.run)
    tasks.spawn("call-writer", part.writer.run)
    tasks.spawn("ingest", part.ingest.run)
    tasks.spawn("members", part.members.run)
    tasks.spawn("agent-feed", part.feed.run)
    tasks.spawn("board", part.board.run)
    tasks.spawn("call-control", part.control.run)
    tasks.spawn("call-steps", part.steps.run)
    tasks.spawn("day-figures", part.board.day.run)
    tasks.spawn("desk-follow", part.desk.run_follow)
    tasks.spawn("desk-timers", part.desk.run_timers)
    tasks.spawn("ami-link", part.link.run)
    if part.private_log is not None:
        tasks.spawn("event-log", part.private_log.keep_short)
