"""The text of an ended call on its page: read, heard word by word, corrected, handed out as a file."""

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from speech.after import JobState
from speech.events import AGENT, CUSTOMER
from speech.record import CallText, TranscriptRecord, as_file
from speech.spoken import SpokenPiece, spoken_pieces
from telephony.views import CallView
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.permissions import Permission, requires
from web.speech_access import may_read

SPEAKERS = {CUSTOMER: N_("客户"), AGENT: N_("坐席")}
GAP = N_("（这一段没有听到）")
STATES = {
    JobState.WAITING: N_("正在根据录音整理文字，完成后会出现在这里。"),
    JobState.FAILED: N_("这通电话的录音无法转成文字，请直接听录音。"),
}
WAITS = {
    "model_missing": N_("还没有安装语音识别模型，装好后会自动整理这通电话的文字。"),
    "model_damaged": N_("语音识别模型已损坏，请管理员重新安装，之后会自动整理。"),
}
WRONG = {
    "text": N_("请写下实际说的话，最多2000字。"),
    "If-Match": N_("同事刚刚改过这一句，下面是最新的文字，请再改一次。"),
    "segment_id": N_("这一句已经换成新的文字，请看下面。"),
}
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the text. ``at`` is where it begins in the recording, in seconds."""

    segment_id: str
    speaker: str
    who: str
    at: float
    pieces: tuple[SpokenPiece, ...]
    gap: str
    text: str
    version: int
    corrected: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """A correction that could not be kept, as it was typed."""

    segment_id: str
    text: str
    error: str


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/calls/{call_id}/text.txt", download)


def record_of(request: web.Request) -> TranscriptRecord:
    """Return the record of texts."""
    deps = request.app[DEPS]
    return TranscriptRecord(deps.database, deps.clock, deps.bus)


async def text_context(request: web.Request, call: CallView, typed: Typed | None = None) -> dict[str, object]:
    """Return what the page of an ended call shows of its text; nothing for who may not read it."""
    if not await may_read(request, call.call_id):
        return {}
    if call.ended_at is None:
        return {"reads_text": True}
    text = await record_of(request).of_call(call.call_id)
    if not text.segments and text.job is None:
        return {"reads_text": True}
    return {
        "reads_text": True,
        "call_text": _lines(text, call),
        "call_text_note": _note(text),
        "call_text_typed": typed,
        "call_text_longest": LONGEST,
    }


async def keep_correction(request: web.Request, call: CallView) -> Typed | None:
    """Keep a posted correction; return it with its error if that did not work.

    Raises:
        Forbidden: it is not their call.
        NotFound: no such text.
    """
    if call.ended_at is None or not await may_read(request, call.call_id):
        raise Forbidden("agents read their own calls", field="call_id")
    posted = await request.post()
    segment_id, text, version = (str(posted.get(name, "")) for name in ("segment_id", "text", "version"))
    try:
        await record_of(request).correct(
            current_actor(request),
            call.call_id,
            segment_id,
            text,
            expected=int(version) if version.isascii() and version.isdigit() else 0,
        )
    except (Invalid, StaleVersion, Conflict) as error:
        wrong = "If-Match" if isinstance(error, StaleVersion) else error.field or "text"
        return Typed(segment_id, text[:LONGEST], labels.word(WRONG, wrong))
    return None


@requires(Permission.CALLS_VIEW)
async def download(request: web.Request) -> web.StreamResponse:
    """Hand the text out as a file; that it was taken is written down."""
    deps, call_id = request.app[DEPS], request.match_info["call_id"]
    call = await deps.history.get(call_id)
    if not await may_read(request, call_id):
        raise Forbidden("agents read their own calls", field="call_id")
    text = await record_of(request).of_call(call_id)
    names = {name: gettext(label) for name, label in SPEAKERS.items()}
    body = as_file(
        text, started_at=call.started_at.astimezone(deps.settings.timezone), names=names, gap=gettext(GAP)
    )
    office = request.app[CRM].people.office
    async with office.database.transaction() as session:
        actor = current_actor(request)
        await office.journal.note(session, actor, "call.text_exported", entity="call", entity_id=call.call_id)
    return web.Response(
        text="\ufeff" + body,
        content_type="text/plain",
        headers={"Content-Disposition": f'attachment; filename="{call.call_id}.txt"'},
    )


def _lines(text: CallText, call: CallView) -> tuple[Line, ...]:
    begun = call.answered_at or call.started_at
    offset = (begun - call.started_at) / timedelta(seconds=1)
    return tuple(
        Line(
            segment_id=one.segment_id,
            speaker=one.speaker,
            who=" ".join(part for part in (labels.word(SPEAKERS, one.speaker), one.agent_number) if part),
            at=max(0.0, one.start - offset),
            pieces=tuple(
                SpokenPiece(piece.text, round(max(0.0, piece.at - offset), 2)) for piece in spoken_pieces(one)
            ),
            gap=gettext(GAP) if one.gap else "",
            text=one.shown,
            version=one.version,
            corrected=one.corrected is not None,
        )
        for one in text.segments
    )


def _note(text: CallText) -> str:
    job = text.job
    if job is None:
        return ""
    if job.state is JobState.WAITING and job.reason in WAITS:
        return gettext(WAITS[job.reason])
    return gettext(STATES[job.state]) if job.state in STATES else ""
