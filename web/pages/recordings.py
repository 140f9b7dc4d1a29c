"""A call's recordings: heard, seen as a waveform, taken away with a reason."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from callback_campaigns.answer_player import PlayedAnswer
from kernel.errors import Forbidden, Invalid, NotFound
from speech.ports import AudioInvalid
from telephony.views import CallView
from web.crm_part import CRM
from web.deps import DEPS
from web.file_response import file_response
from web.identity import current_actor, current_user
from web.permissions import Permission, requires, streaming
from web.recordings import (
    BUCKETS,
    HEARINGS,
    Hearings,
    Part,
    hears,
    part_of,
    parts_of,
    sound_response,
    waveform,
)

LONGEST_REASON = 200
MOST_MARKS = 60
HEIGHT = 100.0
_LANE = HEIGHT / 2
_MIDDLE = (_LANE / 2, _LANE * 1.5)
_QUIET = 0.6
"""A line where nobody speaks."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the call's time line in a recording. ``at`` in seconds of it, ``share`` from 0 to 1."""

    at: float
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A recording as the page shows it."""

    part: Part
    marks: tuple[Mark, ...]


def setup(app: web.Application) -> None:
    """Add the routes."""
    app[HEARINGS] = Hearings()
    app.router.add_get("/calls/{call_id}/recording.wav", play)
    app.router.add_get("/calls/{call_id}/waveform.svg", draw)
    app.router.add_post("/calls/{call_id}/recording", take)


async def shown_parts(
    request: web.Request, call: CallView, happenings: list[tuple[float, str]]
) -> tuple[ShownPart, ...]:
    """Return a call's recordings for its page; nothing for who may not hear it.

    Args:
        happenings: the time line: seconds since the call began, and words.
    """
    if not await hears(request, current_user(request), call):
        return ()
    parts = await parts_of(request, call)
    return tuple(ShownPart(part, _marks(part, call, happenings)) for part in parts)


@requires(Permission.CALLS_VIEW)
@streaming
async def play(request: web.Request) -> web.StreamResponse:
    """Hand out what was said in a call; that it was heard is written down (domain.md §6.4)."""
    call, part = await _wanted(request, request.query.get("part", "0"))
    now, user = request.app[DEPS].clock.now(), current_user(request)
    if request.app[HEARINGS].is_new(user.user_id, call.call_id, now):
        await _note(request, call, "call.recording_played")
    filename = _filename(call, part)
    if part.stereo is None:
        return file_response(PlayedAnswer(part.files.both, filename))
    return await sound_response(request, part.stereo, filename)


@requires(Permission.CALLS_VIEW)
async def draw(request: web.Request) -> web.StreamResponse:
    """Show when who spoke, and how loud: the customer above, the agent below."""
    _, part = await _wanted(request, request.query.get("part", "0"))
    try:
        lanes = await asyncio.to_thread(waveform, part)
    except (AudioInvalid, OSError) as error:
        raise NotFound("the recording cannot be read", field="part") from error
    paths = "".join(
        f'<path stroke="{colour}" d="{_path(lane, middle)}"/>'
        for lane, middle, colour in zip(lanes, _MIDDLE, ("#1f5fbf", "#145c34"), strict=True)
    )
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {BUCKETS} {HEIGHT:g}" '
        f'preserveAspectRatio="none" fill="none" stroke-width=".8">{paths}</svg>'
    )
    return web.Response(
        text=picture,
        content_type="image/svg+xml",
        headers={
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        },
    )


@requires(Permission.RECORDINGS_DOWNLOAD)
@streaming
async def take(request: web.Request) -> web.StreamResponse:
    """Hand a recording out as a file; by whom and what for is written down first."""
    posted = await request.post()
    call, part = await _wanted(request, str(posted.get("part", "0")))
    reason = " ".join(str(posted.get("reason", "")).split())
    if not 2 <= len(reason) <= LONGEST_REASON:
        raise Invalid(
            f"reason: 2 to {LONGEST_REASON} characters: what the recording is needed for", field="reason"
        )
    await _note(request, call, "call.recording_downloaded", why=reason)
    filename = _filename(call, part)
    if part.stereo is None:
        answer = file_response(PlayedAnswer(part.files.both, filename))
        answer.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
        return answer
    return await sound_response(request, part.stereo, filename, attachment=True)


async def _wanted(request: web.Request, number: str) -> tuple[CallView, Part]:
    call = await request.app[DEPS].history.get(request.match_info["call_id"])
    if not await hears(request, current_user(request), call):
        raise Forbidden("agents hear their own calls", field="call_id")
    return call, await part_of(request, call, number)


async def _note(request: web.Request, call: CallView, action: str, *, why: str = "") -> None:
    office = request.app[CRM].people.office
    async with office.database.transaction() as session:
        actor = current_actor(request)
        await office.journal.note(session, actor, action, entity="call", entity_id=call.call_id, why=why)


def _filename(call: CallView, part: Part) -> str:
    return f"{call.call_id}-{part.number + 1}.wav" if part.number else f"{call.call_id}.wav"


def _marks(part: Part, call: CallView, happenings: list[tuple[float, str]]) -> tuple[Mark, ...]:
    zero = (part.began_at - call.started_at) / timedelta(seconds=1)
    found = []
    for offset, text in happenings:
        at = offset - zero
        if part.seconds > 0 and -0.5 <= at <= part.seconds:
            at = max(0.0, at)
            found.append(Mark(round(at, 1), round(at / part.seconds, 4), text))
    return tuple(found[:MOST_MARKS])


def _path(lane: tuple[int, ...], middle: float) -> str:
    return "".join(
        f"M{x}.5 {middle - half:g}V{middle + half:g}"
        for x, loud in enumerate(lane)
        for half in (max(_QUIET / 2, round(loud / 100 * (_LANE / 2 - 2), 1)),)
    )
