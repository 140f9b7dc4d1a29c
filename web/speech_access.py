"""Who may see what is said in a call."""

from aiohttp import web

from crm.confidential import calls_hidden
from kernel.errors import NotFound
from web.deps import DEPS
from web.identity import current_actor, current_user
from web.live import LIVE
from web.permissions import Permission


async def may_read(request: web.Request, call_id: str) -> bool:
    """Tell whether somebody may see what is said in a call: its agent, and who may hear every call.

    Of an ended call about a confidential complaint only who sees that.
    """
    user = current_user(request)
    if user.agent_id is not None and request.app[LIVE].pops.shows(user.agent_id, call_id):
        return True
    return await _hears(request, call_id) and not await is_hidden(request, call_id)


async def is_hidden(request: web.Request, call_id: str) -> bool:
    """Tell whether a call is about a complaint whose texts are not for who asks."""
    async with request.app[DEPS].database.session() as session:
        return bool(await calls_hidden(session, current_actor(request), (call_id,)))


async def _hears(request: web.Request, call_id: str) -> bool:
    user = current_user(request)
    if user.can(Permission.RECORDINGS_PLAY):
        return True
    if user.agent_id is None:
        return False
    try:
        return (await request.app[DEPS].history.get(call_id)).agent_id == user.agent_id
    except NotFound:
        return False
