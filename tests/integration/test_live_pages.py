"""Customers are called for agents whose page is open, on which the questions are; for nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from callback_campaigns.exchange import People
from callback_campaigns.exchange_ami import AmiExchange
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from telephony.board_views import NO_FIGURES, AgentView, BoardView
from telephony.domain.call_book import CallBook
from telephony.events import LinkStateChanged
from telephony.live_pages import LivePages
from tests.support.agents import centre
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


def view(clock: FakeClock, number: str, state: str) -> AgentView:
    return AgentView(
        agent_id=number,
        number=number,
        name=number,
        state=state,
        reason=None,
        since=clock.now(),
        call_id=None,
        queue=None,
        next_state=None,
        queues=("service",),
        device="NOT_INUSE",
    )


async def test_only_agents_with_an_open_page_are_dialled_for(sqlite: Database) -> None:
    clock = FakeClock(at("2026-03-03 10:00"))
    here, pages = await centre(sqlite, clock), LivePages(sqlite, clock)
    board = BoardView(
        as_of=clock.now(),
        stale=False,
        formula="",
        total=NO_FIGURES,
        queues=(),
        agents=(view(clock, "1001", "available"), view(clock, "1002", "on_call")),
        calls=(),
        links=(),
    )
    nothing: Any = None
    exchange = AmiExchange(
        nothing,
        CallBook("pbx1"),
        status=lambda: LinkStateChanged(at=clock.now(), node="pbx1", state="live", as_of=clock.now()),
        board=lambda: board,
        bus=Bus(),
        clock=clock,
        page_open=pages.open,
    )
    for agent_id in (here.jing, here.wei):
        await here.desk.sign_in(agent_id)
    await pages.look()
    # A telephone alone is no page.
    assert exchange.people("service") == People()
    for agent_id in (here.jing, here.wei):
        await here.desk.heartbeat(agent_id)
    await pages.look()
    people = exchange.people("service")
    assert (people.free, people.signed_in) == (1, 2)
    clock.advance(timedelta(seconds=20))
    await here.desk.heartbeat(here.wei)
    clock.advance(timedelta(seconds=15))
    await pages.look()
    people = exchange.people("service")
    assert (people.free, people.signed_in) == (0, 1)
    await here.desk.sign_out(here.wei)
    await pages.look()
    assert exchange.people("service") == People()
