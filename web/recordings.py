"""The recordings of a call as pages show them, and the answers that carry their sound."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import hdrs, web

from kernel.errors import NotFound
from speech.events import AGENT, CUSTOMER
from speech.ports import AudioInvalid
from speech.recorded import seconds_of
from speech.stereo import Stereo, outline
from telephony.recordings import RecordingFiles, recordings_of
from telephony.views import CallView
from web.deps import DEPS
from web.file_response import WAV
from web.identity import CurrentUser
from web.permissions import Permission
from web.speech_access import is_hidden

MOST_PARTS = 20
BUCKETS = 500
"""Of a waveform: about as many as a screen has room for."""
_PIECE = 256 * 1024
_AGAIN = timedelta(minutes=10)
"""A browser asks for a recording in many pieces: so often one hearing is written down anew."""
_MOST_HEARINGS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One recording of a call.

    Attributes:
        number: from 0.
        stereo: ``None`` where only the mixed file can be played.
        began_at: when its first sound was.
        offset: seconds from the first sound of the first recording to its own.
    """

    number: int
    files: RecordingFiles
    stereo: Stereo | None
    began_at: datetime
    offset: float
    seconds: float


async def parts_of(request: web.Request, call: CallView) -> tuple[Part, ...]:
    """Return a call's recordings that can be played, in the order in which they were made."""
    deps = request.app[DEPS]
    files = await recordings_of(deps.database, deps.settings.recordings_dir, call.call_id)
    return await asyncio.to_thread(_parts, files[:MOST_PARTS], call.answered_at or call.started_at)


def part_at(parts: Sequence[Part], at: float) -> tuple[int, float]:
    """Return in which recording a moment of a call is, and where in it.

    Args:
        at: seconds from the first sound of the first recording.
    """
    for part in reversed(parts):
        if at >= part.offset:
            return part.number, round(at - part.offset, 2)
    return 0, at


async def part_of(request: web.Request, call: CallView, number: str) -> Part:
    """Return one recording of a call. Raises NotFound."""
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    for part in await parts_of(request, call):
        if part.number == wanted:
            return part
    raise NotFound("no recording of this call", field="call_id")


def may_hear(user: CurrentUser, call: CallView) -> bool:
    """Tell whether somebody may hear a call: agents their own, whoever leads them every one."""
    own = user.agent_id is not None and user.agent_id == call.agent_id
    return call.ended_at is not None and (own or user.can(Permission.RECORDINGS_PLAY))


async def hears(request: web.Request, user: CurrentUser, call: CallView) -> bool:
    """Tell whether somebody may hear this call, and it is about nothing that is kept from them."""
    return may_hear(user, call) and not await is_hidden(request, call.call_id)


def waveform(part: Part) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return how loud customer and agent were over time, 0 to 100. Blocks. Raises AudioInvalid, OSError."""
    if part.stereo is None:
        raise NotFound("only a mixed recording is there", field="part")
    customer, agent = (
        outline(part.files.side(side), part.stereo.frames, BUCKETS) for side in (CUSTOMER, AGENT)
    )
    return customer, agent


async def sound_response(
    request: web.Request, stereo: Stereo, filename: str, *, attachment: bool = False
) -> web.StreamResponse:
    """Send a recording, or the part of it that was asked for, piece by piece.

    The customer is on the left, the agent on the right.
    """
    headers = {
        hdrs.CONTENT_TYPE: WAV,
        hdrs.CONTENT_DISPOSITION: f'{"attachment" if attachment else "inline"}; filename="{filename}"',
        hdrs.ACCEPT_RANGES: "bytes",
        # Each time asked whether the viewer still may: somebody else may sit here next.
        hdrs.CACHE_CONTROL: "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    start, stop, status = 0, stereo.size, HTTPStatus.OK
    if hdrs.RANGE in request.headers and not attachment:
        start, stop = _asked(request, stereo.size)
        if start >= stop:
            headers[hdrs.CONTENT_RANGE] = f"bytes */{stereo.size}"
            return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        status = HTTPStatus.PARTIAL_CONTENT
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{stereo.size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = stop - start
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        for at in range(start, stop, _PIECE):
            await response.write(await asyncio.to_thread(stereo.read, at, min(stop, at + _PIECE)))
    await response.write_eof()
    return response


class Hearings:
    """Who heard which call a moment ago: a hearing is written down once, however often the browser asks."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def is_new(self, user_id: str, call_id: str, now: datetime) -> bool:
        """Tell whether this is to be written down."""
        key = (user_id, call_id)
        before = self._last.get(key)
        if before is not None and timedelta(0) <= now - before < _AGAIN:
            return False
        self._last[key] = now
        self._last.move_to_end(key)
        while len(self._last) > _MOST_HEARINGS:
            self._last.popitem(last=False)
        return True


HEARINGS: web.AppKey[Hearings] = web.AppKey("HEARINGS", Hearings)


def _asked(request: web.Request, size: int) -> tuple[int, int]:
    try:
        wanted = request.http_range
    except ValueError:
        return 0, 0
    start, stop = wanted.start or 0, wanted.stop if wanted.stop is not None else size
    if start < 0:
        return max(0, size + start), size
    return start, min(stop, size)


def _parts(files: Sequence[RecordingFiles], first: datetime) -> tuple[Part, ...]:
    found: list[Part] = []
    for number, one in enumerate(files):
        try:
            stereo = Stereo(one.side(CUSTOMER), one.side(AGENT))
        except (AudioInvalid, OSError):
            stereo = None
        try:
            seconds = stereo.seconds if stereo is not None else seconds_of(one.both)
            written = one.both.stat().st_mtime
        except (AudioInvalid, OSError):
            continue
        # What is recorded after the first recording is written until it ends.
        began = datetime.fromtimestamp(written, first.tzinfo) - timedelta(seconds=seconds)
        began = max(first, began) if found else first
        offset = (began - found[0].began_at).total_seconds() if found else 0.0
        found.append(
            Part(number=number, files=one, stereo=stereo, began_at=began, offset=offset, seconds=seconds)
        )
    return tuple(found)
