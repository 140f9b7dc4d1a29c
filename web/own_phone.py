"""The telephone of whoever asks, for calls that ring it first."""

from aiohttp import web

from crm.domain.machine import IllegalStep
from kernel.errors import Conflict, Forbidden
from telephony.domain.agent_state import AgentState
from web.deps import DEPS
from web.identity import current_user

TALKING = frozenset({AgentState.ON_CALL, AgentState.WRAP_UP})

FREE = frozenset({AgentState.AVAILABLE, AgentState.PAUSED, AgentState.WRAP_UP})
"""In which a telephone may be rung for a call that its agent asked for."""


async def own_number(request: web.Request) -> str:
    """Return the telephone of whoever asks, free to be rung.

    Raises:
        Forbidden: they take no calls, or are not signed in; ``why`` says which.
        IllegalStep: they are in a call.
    """
    agent_id = current_user(request).agent_id
    if agent_id is None:
        raise Forbidden("this user takes no calls", field="agent", why="signed_out")
    state = await request.app[DEPS].desk.state(agent_id)
    if state.state is AgentState.SIGNED_OUT:
        raise Forbidden("sign in first", field="agent", why="signed_out")
    if state.state not in FREE:
        raise IllegalStep("end the call at hand first", field="agent", why="in_call")
    number: str = state.number
    return number


class NoPhoneFree(Conflict):
    """Whoever asks has no telephone of their own here, or it is in use."""

    code = "no_phone_free"


async def idle_number(request: web.Request) -> str:
    """Return the telephone of whoever asks, signed in to queues or not. Raises NoPhoneFree."""
    agent_id = current_user(request).agent_id
    if agent_id is None:
        raise NoPhoneFree("you have no telephone of your own here: an administrator gives you one")
    state = await request.app[DEPS].desk.state(agent_id)
    if state.state not in FREE | {AgentState.SIGNED_OUT}:
        raise NoPhoneFree("your telephone is in use: end that call first", why="in_call")
    number: str = state.number
    return number


async def is_own_call(request: web.Request, call_id: str) -> bool:
    """Tell whether whoever asks is in a call now, or is still to write it down."""
    agent_id = current_user(request).agent_id
    if agent_id is None:
        return False
    state = await request.app[DEPS].desk.state(agent_id)
    talks: bool = state.state in TALKING and state.call_id == call_id
    return talks or bool(state.wrap_up_call_id == call_id)
