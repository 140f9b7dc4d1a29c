"""Messages that callers left: heard, and their text put right, on the list of those to be called back."""

import asyncio

from aiohttp import web

from callback_campaigns.answer_player import PlayedAnswer
from crm.domain.voicemail import Route
from kernel.errors import Invalid, StaleVersion
from speech.reading.sensitive import without_numbers
from web.crm_part import CRM
from web.file_response import file_response
from web.i18n import N_
from web.identity import current_actor
from web.pages.people_forms import read_form, text
from web.pages.shell import see_other
from web.permissions import Permission, requires

ROUTES: dict[str, str] = {Route.COMPLAINT: N_("投诉"), Route.REPAIR: N_("报修"), Route.OTHER: N_("其他")}
TONES: dict[str, str] = {Route.COMPLAINT: "brick", Route.REPAIR: "blue", Route.OTHER: ""}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/voice-messages/{message_id}.wav", play)
    app.router.add_post("/voice-messages/{message_id}/text", correct)


@requires(Permission.CALLBACKS_WORK)
async def play(request: web.Request) -> web.StreamResponse:
    """Hand out a message; that it was heard is written down."""
    crm, message_id = request.app[CRM], request.match_info["message_id"]
    path = await crm.voicemail.play(current_actor(request), message_id)
    found = await asyncio.to_thread(crm.message_files.find, path)
    return file_response(PlayedAnswer(found, f"message-{message_id}.wav"))


@requires(Permission.CALLBACKS_WORK)
async def correct(request: web.Request) -> web.StreamResponse:
    """Put the text of a message right."""
    form = await read_form(request)
    version = text(form, "version")
    try:
        await request.app[CRM].voicemail.correct(
            current_actor(request),
            request.match_info["message_id"],
            without_numbers(text(form, "text")),
            expected=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None,
        )
    except (Invalid, StaleVersion) as error:
        return see_other(f"/callbacks?problem={'stale' if isinstance(error, StaleVersion) else 'text'}")
    return see_other("/callbacks?done=text")
