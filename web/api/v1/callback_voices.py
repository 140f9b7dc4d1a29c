"""``/api/v1/callback-voices``: what customers said in their own words, heard and classified."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from callback_campaigns.answer_player import PlayedAnswer
from callback_campaigns.answer_review import Ruling
from callback_campaigns.answer_said import ReviewFilter, Said
from crm.domain.spoken import Transcript
from speech.reading.sensitive import without_numbers
from web.api.files import download
from web.api.operation import Call, operation
from web.api.v1.callback_voices_schemas import (
    CallbackVoicesQuery,
    SaidCase,
    SaidClassIn,
    SaidList,
    SaidOut,
    SaidTextIn,
    SaidTranscript,
)
from web.api.v1.schemas import NoQuery
from web.callback_part import CALLBACKS
from web.file_response import WAV
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "callbacks"
SAID = (("said_id", "Id of the recording, or of the answer in writing."),)


@operation(
    query=CallbackVoicesQuery,
    response=SaidList,
    permission=Permission.CALLBACKS_WORK,
    summary="List what customers said in their own words",
    description="What is about integrity is for the managers, and for who wrote it or found it, only.",
    tag=TAG,
)
async def list_callback_voices(call: Call[CallbackVoicesQuery]) -> SaidList:
    """Return a page."""
    asked, review = call.query, call.request.app[CALLBACKS].review
    wanted = ReviewFilter(
        written=asked.written,
        heard=asked.heard,
        store_id=asked.store_id,
        class_code=asked.class_code,
        opinion=asked.opinion,
    )
    page = await review.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    counts = await review.counts(call.actor, wanted)
    return SaidList(
        items=tuple(_out(said) for said in page.items),
        unheard=counts.unheard,
        heard=counts.heard,
        next_cursor=page.next_cursor,
    )


@download(
    media_types=(WAV,),
    permission=Permission.CALLBACKS_WORK,
    summary="Hear a recorded answer",
    description="Whoever hears it is written down. Of an answer about integrity: for the managers only.",
    tag=TAG,
    path_parameters=(("voice_id", "Id of the recording, as the talk names it."),),
)
async def get_callback_voice(call: Call[NoQuery]) -> PlayedAnswer:
    """Hand out a recording."""
    return await call.request.app[CALLBACKS].player.open(call.actor, call.request.match_info["voice_id"])


@operation(
    query=NoQuery,
    response=SaidOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Note that somebody has listened to it",
    description="Noted twice, the first stands.",
    tag=TAG,
    path_parameters=SAID,
)
async def mark_callback_voice_heard(call: Call[NoQuery]) -> SaidOut:
    """Mark one heard."""
    review = call.request.app[CALLBACKS].review
    return _out(await review.heard(call.actor, call.request.match_info["said_id"]))


@operation(
    query=NoQuery,
    response=SaidOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Say what it is about, and pass it on",
    description="It counts as heard then. With a department a problem ticket is opened there, in one step.",
    tag=TAG,
    path_parameters=SAID,
    body=SaidClassIn,
    if_match=True,
    idempotent=Idempotency.OPTIONAL,
)
async def classify_callback_voice(call: Call[NoQuery]) -> SaidOut:
    """Classify one."""
    ruling = Ruling(**call.body(SaidClassIn).model_dump())
    review, said_id = call.request.app[CALLBACKS].review, call.request.match_info["said_id"]
    return _out(await review.classify(call.actor, said_id, ruling, expected=call.expected))


@operation(
    query=NoQuery,
    response=SaidOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Put the text of a recording right",
    description="What the recogniser wrote stays readable. A ticket that was opened is not changed by it.",
    tag=TAG,
    path_parameters=SAID,
    body=SaidTextIn,
    if_match=True,
    idempotent=Idempotency.OPTIONAL,
)
async def correct_callback_voice(call: Call[NoQuery]) -> SaidOut:
    """Correct one."""
    review, said_id = call.request.app[CALLBACKS].review, call.request.match_info["said_id"]
    text = call.body(SaidTextIn).text
    return _out(await review.correct(call.actor, said_id, without_numbers(text), expected=call.expected))


def _out(said: Said) -> SaidOut:
    return SaidOut(
        said_id=said.said_id,
        at=said.at,
        task_id=said.task_id,
        customer_id=said.customer_id,
        customer=said.customer,
        asked=said.asked,
        text=said.text,
        seconds=said.seconds,
        heard_at=said.heard_at,
        heard_by=said.heard_by,
        class_code=said.class_code,
        classed_at=said.classed_at,
        classed_by=said.classed_by,
        note=said.note,
        cases=tuple(SaidCase(case_id=case_id, no=no) for case_id, no in said.cases),
        transcript=_transcript(said.transcript) if said.transcript is not None else None,
        version=said.version,
    )


def _transcript(found: Transcript) -> SaidTranscript:
    return SaidTranscript(
        state=found.state,
        first=found.first,
        corrected_at=found.corrected_at,
        corrected_by=found.corrected_by,
        opinion=found.opinion,
        sure=found.sure,
        topics=found.topics,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/callback-voices", list_callback_voices),
    ("GET", "/callback-voices/{voice_id}", get_callback_voice),
    ("POST", "/callback-voices/{said_id}/heard", mark_callback_voice_heard),
    ("POST", "/callback-voices/{said_id}/class", classify_callback_voice),
    ("POST", "/callback-voices/{said_id}/text", correct_callback_voice),
)
