"""``/api/v1/callback-voices``: what customers said after the tone."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from callback_campaigns.answer_player import PlayedAnswer
from web.api.files import download
from web.api.operation import Call
from web.api.v1.schemas import NoQuery
from web.callback_part import CALLBACKS
from web.file_response import WAV
from web.permissions import Permission


@download(
    media_types=(WAV,),
    permission=Permission.CALLBACKS_WORK,
    summary="Hear a recorded answer",
    description="Whoever hears it is written down. Of an answer about integrity: for the managers only.",
    tag="callbacks",
    path_parameters=(("voice_id", "Id of the recording, as the talk names it."),),
)
async def get_callback_voice(call: Call[NoQuery]) -> PlayedAnswer:
    """Hand out a recording."""
    return await call.request.app[CALLBACKS].player.open(call.actor, call.request.match_info["voice_id"])


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/callback-voices/{voice_id}", get_callback_voice),
)
