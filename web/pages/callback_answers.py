"""What customers said after the tone, for the players in pages."""

from aiohttp import web

from web.callback_part import CALLBACKS
from web.file_response import file_response
from web.identity import current_actor
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/answers/{voice_id}.wav", play)


@requires(Permission.CALLBACKS_WORK)
async def play(request: web.Request) -> web.StreamResponse:
    """Hand out a recorded answer; that it was heard is written down."""
    player = request.app[CALLBACKS].player
    return file_response(await player.open(current_actor(request), request.match_info["voice_id"]))
