"""Who may see what is said in a call."""

from aiohttp import web

from kernel.errors import NotFound
from web.deps import DEPS
from web.identity import current_user
from web.live import LIVE
from web.permissions import Permission


async def may_read(request: web.Request, call_id: str) -> bool:
    """Tell whether somebody may see what is said in a call: its agent, and who may hear every call."""
    user = current_user(request)
    if user.can(Permission.RECORDINGS_PLAY):
        return True
    if user.agent_id is None:
        return False
    if request.app[LIVE].pops.shows(user.agent_id, call_id):
        return True
    try:
        return (await request.app[DEPS].history.get(call_id)).agent_id == user.agent_id
    except NotFound:
        return False
