"""Whom an agent can send a customer to, or ask: colleagues, queues, flows, a number that was typed."""

import unicodedata
from dataclasses import dataclass
from itertools import chain

from aiohttp import web

from ivr.entrances import entrances
from ivr.repository import FlowRepository
from kernel.phone import InvalidPhone, Phone
from telephony.agent_views import AgentSnapshot
from telephony.domain.agent_state import AgentState
from telephony.hand_views import TargetKind
from web import labels
from web.deps import DEPS
from web.pages.shell import ROSTER

MOST = 40
_ORDER = {state: at for at, state in enumerate((AgentState.AVAILABLE, AgentState.WRAP_UP, AgentState.PAUSED))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of them.

    Attributes:
        state: of an agent; ``None`` for what has none.
        free: could be rung now.
        waiting: customers in a queue.
    """

    kind: TargetKind
    value: str
    label: str
    state: AgentState | None = None
    free: bool = True
    waiting: int | None = None


async def targets(request: web.Request, text: str, *, own_agent: str | None) -> tuple[Choice, ...]:
    """Return what fits ``text`` (a number, part of a name), colleagues who are free first."""
    deps, wanted = request.app[DEPS], unicodedata.normalize("NFKC", text).strip().casefold()
    agents: tuple[AgentSnapshot, ...] = await deps.desk.states()
    waiting = {queue.name: queue.waiting for queue in deps.board.snapshot().queues}
    names = labels.queue_names(await request.app[ROSTER].queues())
    colleagues = sorted(
        (
            Choice(
                kind=TargetKind.AGENT,
                value=one.number,
                label=one.name,
                state=one.state,
                free=one.state in _ORDER,
            )
            for one in agents
            if one.agent_id != own_agent and one.state is not AgentState.SIGNED_OUT
        ),
        key=lambda one: (_ORDER.get(one.state, len(_ORDER)) if one.state else 0, one.value),
    )
    queues = (
        Choice(kind=TargetKind.QUEUE, value=name, label=label, waiting=waiting.get(name))
        for name, label in names.items()
    )
    flows = (
        Choice(kind=TargetKind.FLOW, value=name, label=title)
        for name, title in (await entrances(FlowRepository(deps.database))).items()
    )
    found = [one for one in chain(colleagues, queues, flows) if _fits(one, wanted)][:MOST]
    return (*found, *_outside(wanted, deps.settings.default_area, found))


def _fits(one: Choice, wanted: str) -> bool:
    return not wanted or wanted in one.label.casefold() or one.value.casefold().startswith(wanted)


def _outside(wanted: str, area: str, found: list[Choice]) -> tuple[Choice, ...]:
    """Return the number that was typed, where it is one and nobody's extension."""
    if any(one.value == wanted for one in found):
        return ()
    try:
        phone = Phone.parse(wanted, default_area=area)
    except InvalidPhone:
        return ()
    return (Choice(kind=TargetKind.OUTSIDE, value=phone.national, label=phone.national),)
