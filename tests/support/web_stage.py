"""A web server with a real database, the demo company and real desks; the PBX exists only as events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from app.demo.seed import seed_company
from callback_campaigns.number_targets import NumberTarget
from crm.case_watch import watch_cases
from crm.service import ContactLog, CustomerDirectory
from crm.views import CallContact
from kernel.access import Actor, Permission
from kernel.bus import Bus
from kernel.clock import Clock, FakeClock, SystemClock
from kernel.db import Database
from kernel.errors import Unavailable
from kernel.ids import new_ulid
from kernel.list_watch import watch_lists
from kernel.phone import Phone
from telephony.desk import AgentDesk
from telephony.domain.agent_state import RingEnd
from telephony.domain.agent_steps import Answered, LegEnded, Rang, WrapUpTimedOut
from telephony.events import AgentRingEnded, AgentRinging, CallAnswered, CallEnded
from telephony.roster import Roster
from telephony.trunks import Trunks
from tests.support.db import filled, sqlite_database
from tests.support.fake_telephony import FakeBoard, History, ringing_call
from tests.support.menus import flow_book
from tests.support.played_control import PlayedControl
from tests.support.web import cheap_passwords
from web.app import create_app
from web.auth import Visitor, build_accounts
from web.deps import TrunkLine, WebDeps, WebSettings
from web.live_lists import LISTS
from web.permissions import Role

PASSWORD = "demo-Passw0rd-回访"


class Placed:
    """Stands for what places agents' calls: ``asked`` is what was wanted, ``answer`` is given or raised."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Any = None

    async def call(self, actor: Actor, task_id: str, **wanted: Any) -> Any:
        """Note the wish."""
        actor.need(Permission.CALLBACKS_WORK)
        self.asked.append({"task_id": task_id, **wanted})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


LINE = TrunkLine(
    name="main",
    host="127.0.0.1",
    port=5060,
    registers=False,
    codecs=("alaw", "ulaw"),
    max_channels=60,
    caller_ids=("4008001234", "01065558800"),
)
"""The line to the telephone network of the stage's settings."""


class Masked:
    """Stands for what calls the customers of cases: ``real`` does it, without one nobody does."""

    def __init__(self) -> None:
        self.real: Any = None

    async def call_customer(self, actor: Actor, case_id: str) -> Any:
        """Have it done."""
        if self.real is None:
            raise Unavailable("no link to the telephone system")
        return await self.real.call_customer(actor, case_id)


class Numbers:
    """Stands for what calls numbers on pages: ``real`` does it, without one nobody does."""

    def __init__(self) -> None:
        self.real: Any = None

    async def call_number(self, actor: Actor, target: NumberTarget) -> Any:
        """Have it done."""
        if self.real is None:
            raise Unavailable("no link to the telephone system")
        return await self.real.call_number(actor, target)


class Stage:
    """The running server and what a test does to it."""

    def __init__(self, database: Database, clock: Clock, files: Path) -> None:
        self.database = database
        self.files = files
        self.clock = clock
        self.bus = Bus()
        watch_cases(database, clock, self.bus.publish)
        watch_lists(database, clock, self.bus.publish, LISTS)
        self.history = History()
        self.board = FakeBoard(clock)
        self.directory = CustomerDirectory(database)
        self.customers: Any = self.directory
        self.placed: Any = Placed()
        self.masked = Masked()
        self.numbers = Numbers()
        self.control = PlayedControl(self.bus, clock, {})
        self.desk = AgentDesk(database, clock, self.bus, worker="test")
        self.roster = Roster(database, clock, self.bus)
        self.accounts = build_accounts(database, clock, passwords=cheap_passwords())
        self.agents: dict[str, str] = {}
        self.url = ""
        self.app: web.Application | None = None
        self._runner: web.AppRunner | None = None

    async def seed(self) -> None:
        """Write the demo company, its codes and three users: ``agent``, ``supervisor``, ``admin``."""
        # Some seconds earlier or later makes no difference to who has the time of this machine.
        when = self.clock.now().isoformat() if isinstance(self.clock, FakeClock) else "now"
        await filled(self.database, f"stage {when}", self._fill)
        self.agents = {agent.number: agent.agent_id for agent in await self.roster.agents()}
        self.control.agents = self.agents

    async def _fill(self) -> None:
        await seed_company(self.database, now=self.clock.now())
        await self.roster.seed_codes()
        agents = {agent.number: agent.agent_id for agent in await self.roster.agents()}
        first = min(agents)
        for login, name, role, agent_id in (
            ("agent", "李娜", Role.AGENT, agents[first]),
            ("supervisor", "王主管", Role.SUPERVISOR, None),
            ("admin", "管理员", Role.ADMINISTRATOR, None),
        ):
            await self.accounts.users.create(
                login=login, password=PASSWORD, role=role, display_name=name, agent_id=agent_id
            )

    async def start(self, port: int = 0) -> None:
        """Serve on a free port of the loopback."""
        deps = WebDeps(
            settings=WebSettings(
                company="安居装饰",
                hotline="01065558800",
                files_dir=self.files,
                answers_dir=self.files / "answers",
                trunk_lines=(LINE,),
                recordings_dir=self.files / "recordings",
                greetings={
                    "zh-CN": "您好，安居装饰客服，我姓{surname}。",
                    "en": "Hello, how may I help you?",
                },
            ),
            clock=self.clock,
            database=self.database,
            bus=self.bus,
            redis=None,
            history=self.history,
            board=self.board,
            desk=self.desk,
            customers=self.customers,
            tasks_health=dict,
            preview=self.placed,
            masked=self.masked,
            numbers=self.numbers,
            control=self.control,
            trunks=Trunks(self.bus, self.clock, node="pbx1", within=timedelta(seconds=2)),
            flows=flow_book(self.files / "menus", self.database, self.clock),
        )
        self.app = create_app(deps, accounts=self.accounts)
        self._runner = web.AppRunner(self.app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def agent_number(self) -> str:
        """The number of the agent whom the user ``agent`` is."""
        return min(self.agents)

    async def session_secret(self, login: str) -> str:
        """Return the session cookie's value of a user who has just signed in."""
        signed = await self.accounts.authenticator.sign_in(
            login, PASSWORD, visitor=Visitor(ip="127.0.0.1", user_agent="test")
        )
        return signed.session.secret

    # A call, as the agent's side sees it

    async def ring(
        self,
        from_number: str,
        *,
        caller_name: str = "",
        queue: str = "complaint",
        menu_path: tuple[str, ...] = (),
        waited: timedelta = timedelta(0),
        agent_number: str | None = None,
        call_id: str | None = None,
        told: bool = True,
    ) -> str:
        """Let a call ring at the agent; return its id. ``told`` false: without the desk's state."""
        now = self.clock.now()
        call_id = call_id or new_ulid()
        number = agent_number or self.agent_number
        phone = Phone.parse_caller(from_number)
        shown = phone.e164 if phone else from_number
        self.history.calls[call_id] = ringing_call(
            call_id, shown, caller_name, queue, menu_path, now - waited, now
        )
        self.bus.publish(
            AgentRinging(
                at=now,
                call_id=call_id,
                node="pbx1",
                direction="in",
                agent_id=self.agents[number],
                agent_number=number,
                queue=queue,
                from_number=shown,
                to_number="01062668888",
                caller_name=caller_name,
                menu_path=menu_path,
                queued_at=now - waited,
                wait_seconds=waited.total_seconds(),
                started_at=now - waited - timedelta(seconds=15),
            )
        )
        if told:
            rang = Rang(leg=f"leg-{call_id}", call_id=call_id, queue=queue, wrap_up=timedelta(seconds=60))
            await self.desk.take([(number, rang, now)])
        return call_id

    async def answer(self, call_id: str) -> None:
        """Let the agent pick up."""
        now, call = self.clock.now(), self.history.calls[call_id]
        number = self.agent_number
        wait = (now - (call.queued_at or now)).total_seconds()
        self.history.calls[call_id] = replace(
            call,
            state="talking",
            answered_at=now,
            wait_seconds=wait,
            agent=number,
            agent_id=self.agents[number],
        )
        self.bus.publish(
            AgentRingEnded(
                at=now,
                call_id=call_id,
                node="pbx1",
                agent_id=self.agents[number],
                agent_number=number,
                reason="answered",
                queue=call.queue,
            )
        )
        self.bus.publish(
            CallAnswered(
                at=now,
                call_id=call_id,
                node="pbx1",
                queue=call.queue,
                agent_number=number,
                agent_id=self.agents[number],
                answered_at=now,
                wait_seconds=wait,
            )
        )
        taken = Answered(
            leg=f"leg-{call_id}",
            call_id=call_id,
            queue=call.queue or "service",
            wrap_up=timedelta(seconds=60),
        )
        await self.desk.take([(number, taken, now)])

    async def hang_up(self, call_id: str, by: str = "caller") -> None:
        """End the call, put it on the customer's time line."""
        now, call = self.clock.now(), self.history.calls[call_id]
        talked = (now - call.answered_at).total_seconds() if call.answered_at else 0.0
        result = "ANSWERED" if call.answered_at else "ABANDONED_QUEUE"
        ended = replace(
            call,
            state="ended",
            ended_at=now,
            talk_seconds=talked,
            result=result,
            hangup_by=by,
            end_reason="hangup",
        )
        self.history.calls[call_id] = ended
        self.bus.publish(
            CallEnded(
                at=now,
                call_id=call_id,
                node="pbx1",
                direction="in",
                result=result,
                queue=call.queue,
                agent_id=call.agent_id,
                agent_number=call.agent,
                from_number=call.from_number,
                to_number=call.to_number,
                menu_path=call.menu_path,
                started_at=call.started_at,
                queued_at=call.queued_at,
                answered_at=call.answered_at,
                ended_at=now,
                wait_seconds=call.wait_seconds,
                talk_seconds=talked,
                hangup_by=by,
            )
        )
        async with self.database.transaction() as session:
            await ContactLog().record_call(
                session,
                CallContact(
                    call_id=call_id,
                    at=call.started_at,
                    direction="in",
                    phone=call.from_number,
                    result=result,
                    agent=call.agent,
                    queue=call.queue,
                    talk_seconds=talked,
                    menu_path=call.menu_path,
                ),
            )
        await self.desk.take([(self.agent_number, LegEnded(leg=f"leg-{call_id}"), now)])

    async def end_wrap_up(self) -> None:
        """Let the timer of the agent's wrap-up run out."""
        state = await self.desk.state(self.agents[self.agent_number])
        assert state.wrap_up_call_id is not None
        now = self.clock.now()
        await self.desk.take([(self.agent_number, WrapUpTimedOut(state.wrap_up_call_id), now)])

    async def stop_ringing(self, call_id: str, reason: str = "no_answer") -> None:
        """End the ring without an answer."""
        now, call = self.clock.now(), self.history.calls[call_id]
        number = self.agent_number
        self.bus.publish(
            AgentRingEnded(
                at=now,
                call_id=call_id,
                node="pbx1",
                agent_id=self.agents[number],
                agent_number=number,
                reason=reason,
                queue=call.queue,
            )
        )
        ended = LegEnded(leg=f"leg-{call_id}", ring_end=RingEnd(reason))
        await self.desk.take([(number, ended, now)])


@asynccontextmanager
async def web_stage(folder: Path, *, port: int = 0, clock: Clock | None = None) -> AsyncIterator[Stage]:
    """Yield a running server with the demo company."""
    async with sqlite_database() as database:
        stage = Stage(database, clock or SystemClock(), folder / "files")
        await stage.seed()
        timers = asyncio.create_task(stage.desk.run_timers())
        try:
            await stage.start(port)
            yield stage
        finally:
            await stage.stop()
            timers.cancel()
            await asyncio.wait({timers}, timeout=5)
