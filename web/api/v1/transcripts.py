"""``/api/v1/calls/{call_id}/transcript`` and ``/api/v1/transcripts/progress``."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time

from aiohttp import web

from kernel.errors import Forbidden
from speech.after import JobState, progress_of
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery
from web.api.v1.transcripts_schemas import (
    TextJobList,
    TextJobOut,
    TextJobsQuery,
    TranscriptCorrectionIn,
    TranscriptOut,
    TranscriptProgress,
    TranscriptSegment,
    text_job_out,
)
from web.deps import DEPS
from web.pages.call_text import record_of
from web.pages.transcripts import work_of
from web.permissions import Permission
from web.speech_access import may_read

TAG = "speech"
CALL = (("call_id", "The call's ULID."),)
SEGMENT = (*CALL, ("segment_id", "Id of the text."))


@operation(
    query=NoQuery,
    response=TranscriptOut,
    permission=Permission.CALLS_VIEW,
    summary="Read what was said in a call",
    description="In the order of time, gaps among it. For the agent of the call, and for who may hear every "
    "call.",
    tag=TAG,
    path_parameters=CALL,
)
async def get_transcript(call: Call[NoQuery]) -> TranscriptOut:
    """Return the text of a call."""
    call_id = await _readable(call.request)
    text = await record_of(call.request).of_call(call_id)
    return TranscriptOut.model_validate(
        {
            "call_id": call_id,
            "state": text.job.state.value if text.job is not None else None,
            "reason": text.job.reason if text.job is not None else "",
            "segments": text.segments,
        },
        from_attributes=True,
    )


@operation(
    query=NoQuery,
    response=TranscriptSegment,
    permission=Permission.CALLS_VIEW,
    summary="Correct what was said in a call",
    description="The recogniser's text stays readable, and so does every correction before this one.",
    tag=TAG,
    path_parameters=SEGMENT,
    body=TranscriptCorrectionIn,
    if_match=True,
)
async def correct_transcript(call: Call[NoQuery]) -> TranscriptSegment:
    """Keep a correction."""
    call_id = await _readable(call.request)
    segment_id = call.request.match_info["segment_id"]
    text = call.body(TranscriptCorrectionIn).text
    made = await record_of(call.request).correct(
        call.actor, call_id, segment_id, text, expected=call.expected
    )
    return TranscriptSegment.model_validate(made)


@operation(
    query=NoQuery,
    response=TranscriptProgress,
    permission=Permission.RECORDINGS_PLAY,
    summary="Say how far the text after the calls is",
    description="Complaints come first; live calls come before all of it.",
    tag=TAG,
)
async def get_transcript_progress(call: Call[NoQuery]) -> TranscriptProgress:
    """Return the progress."""
    deps = call.request.app[DEPS]
    now = deps.clock.now()
    zone = deps.settings.timezone
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    found = await progress_of(deps.database, since=midnight, now=now)
    return TranscriptProgress.model_validate(found)


@operation(
    query=TextJobsQuery,
    response=TextJobList,
    permission=Permission.RECORDINGS_PLAY,
    summary="List the calls whose text waits, failed or is done",
    description="The newest first.",
    tag=TAG,
)
async def list_text_jobs(call: Call[TextJobsQuery]) -> TextJobList:
    """Return a page of them."""
    asked = call.query
    page = await work_of(call.request).page(
        call.actor, JobState(asked.state), cursor=asked.cursor, limit=asked.limit
    )
    return TextJobList(items=tuple(text_job_out(one) for one in page.items), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=TextJobOut,
    permission=Permission.RECORDINGS_PLAY,
    summary="Have the text of a call made once more",
    description="Of a call whose text failed, or waits for another try.",
    tag=TAG,
    path_parameters=CALL,
)
async def retry_transcript(call: Call[NoQuery]) -> TextJobOut:
    """Put it in the queue."""
    return text_job_out(await work_of(call.request).retry(call.actor, call.request.match_info["call_id"]))


async def _readable(request: web.Request) -> str:
    call_id = request.match_info["call_id"]
    found = await request.app[DEPS].history.get(call_id)
    if not await may_read(request, found.call_id):
        raise Forbidden("agents read what is said in their own calls", field="call_id")
    return found.call_id


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/calls/{call_id}/transcript", get_transcript),
    ("PUT", "/calls/{call_id}/transcript/{segment_id}", correct_transcript),
    ("GET", "/transcripts/progress", get_transcript_progress),
    ("GET", "/transcripts", list_text_jobs),
    ("POST", "/transcripts/{call_id}/retry", retry_transcript),
)
