"""A working day at the centre for tests in which a part of it fails (architecture.md §7).

``async with beginning(folder) as day`` opens it; ``at_work``, ``waiting`` and ``talking`` bring people
to it, and after each test ``over`` sends them home, so that several tests may share a centre.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from app.sipp.phone import AgentPhone, PhoneCall
from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
from telephony.views import CallView
from tests.support.centre import RunningCentre, running_centre
from tests.support.pbx import HOTLINE
from tests.support.sipp import agent_phone, customer
from tests.support.staff import in_state, is_member, leave
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

CALLER = "13800138001"
SOON = 5.0
"""Seconds within which the state is right again (architecture.md §7)."""

FLOW = """\
flow: hotline
start: menu
fallback: {queue: service, say: stock_transfer}
prompts: {short: 您好，人工服务请按0。}
nodes:
  menu: {kind: menu, say: short, wait_seconds: 30, keys: {"0": {to: person, label: 人工服务}}}
  person: {kind: queue, queue: service, timeout_seconds: 60}
"""


@dataclass
class Day:
    """The centre, the wire to its PBX, and who came to work."""

    centre: RunningCentre
    wire: TcpProxy

    def live(self) -> list[CallView]:
        """The calls in progress."""
        assert self.centre.service.telephony is not None
        return list(self.centre.service.telephony.ingest.live_calls())

    def followed(self) -> bool:
        """Whether the PBX is followed."""
        assert self.centre.service.telephony is not None
        return self.centre.service.telephony.ingest.status.state == "live"

    async def call_is(self, state: str, *, within: float = SOON) -> CallView:
        """Wait until the one call in progress is in this state."""
        with contextlib.suppress(AssertionError):
            await eventually(lambda: [call.state for call in self.live()] == [state], timeout=within)
        assert [call.state for call in self.live()] == [state]
        return self.live()[0]

    async def stored(self, call_id: str, *, within: float = SOON) -> CallView:
        """Wait until the call has ended in SQL; there is one record of it, and it is whole."""
        history = CallHistory(self.centre.database)

        async def ended() -> bool:
            return any(c.call_id == call_id and c.state == "ended" for c in (await history.page()).items)

        await eventually(ended, timeout=within, interval=0.05, what="the call is stored and over")
        call = await history.get(call_id)
        assert [entry.seq for entry in call.timeline] == list(range(1, len(call.timeline) + 1))
        assert call.timeline[-1].kind == "ended"
        assert call.ended_at is not None
        assert call.from_number == f"+86{CALLER}"
        return call

    async def works(self, number: str) -> None:
        """Wait until the agent may be rung."""
        await in_state(self.centre, number, AgentState.AVAILABLE, timeout=SOON)
        await is_member(self.centre, number, timeout=SOON)

    async def saves(self, number: str = "1001") -> None:
        """The agent's call is over: save its wrap-up, and be rung again."""
        await in_state(self.centre, number, AgentState.WRAP_UP, timeout=SOON)
        desk, agent_id = self.centre.service.desk, await self.centre.agent_id(number)
        call_id = (await desk.state(agent_id)).wrap_up_call_id
        assert call_id is not None
        await desk.save_wrap_up(agent_id, call_id, disposition="answered_enquiry")
        await self.works(number)

    async def ready(self) -> tuple[int, dict[str, bool]]:
        """What /readyz says: its status, and which checks are well."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.centre.url}/readyz") as answer,
        ):
            checks = (await answer.json())["checks"]
            return answer.status, {name: check["ok"] for name, check in checks.items()}


@contextlib.asynccontextmanager
async def beginning(folder: Path, **changes: Any) -> AsyncIterator[Day]:
    """A centre whose service reaches its PBX through a wire that may be cut."""
    settings: dict[str, Any] = {"ami": {"ping_seconds": 1}, "centre": {"hotline": HOTLINE}, **changes}
    async with (
        running_centre(folder, users=True, **settings) as centre,
        TcpProxy(centre.settings.ami.port) as wire,
    ):
        ami = centre.settings.ami.model_copy(update={"port": wire.port})
        centre.settings = centre.settings.model_copy(update={"ami": ami})
        await centre.restart_service()
        assert centre.service.flows is not None
        await centre.service.flows.publish("hotline", FLOW, by="test")
        try:
            yield Day(centre, wire)
        finally:
            # Before its wire is taken away.
            await centre.stop_service()


async def over(day: Day) -> None:
    """Everybody goes home, and nothing is left."""
    await eventually(lambda: day.live() == [], timeout=10, what="no call is open")
    await eventually(day.centre.pbx.idle, timeout=10, interval=0.1, what="every channel is gone")
    for number in ("1001", "1002"):
        await leave(day.centre, number)


@contextlib.asynccontextmanager
async def at_work(day: Day, number: str = "1001") -> AsyncIterator[AgentPhone]:
    """An agent with a telephone who has signed in."""
    async with agent_phone(day.centre.pbx, number) as phone:
        await day.centre.service.desk.sign_in(await day.centre.agent_id(number))
        await day.works(number)
        yield phone


@contextlib.asynccontextmanager
async def waiting(day: Day) -> AsyncIterator[PhoneCall]:
    """A customer who asked for a person and waits in the queue."""
    async with customer(day.centre.pbx, number=CALLER, name="王建军") as caller:
        await caller.until("answered", within=10)
        await eventually(lambda: caller.ear.packets > 10)
        await caller.press("0")
        yield caller


@contextlib.asynccontextmanager
async def talking(day: Day) -> AsyncIterator[tuple[PhoneCall, PhoneCall, str]]:
    """A customer and 1001 in conversation: the caller's side, the agent's side, the call's id."""
    async with at_work(day) as phone, waiting(day) as caller:
        call = await phone.rings(within=10)
        await call.answer()
        call_id = (await day.call_is("talking")).call_id
        await in_state(day.centre, "1001", AgentState.ON_CALL)
        yield caller, call, call_id
