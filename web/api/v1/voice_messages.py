"""``/api/v1/voice-messages``: messages that callers left after the tone."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from callback_campaigns.answer_player import PlayedAnswer
from crm.voicemail import VoiceMessage
from speech.reading.sensitive import without_numbers
from web.api.files import download
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery
from web.api.v1.voice_messages_schemas import (
    VoiceMessageList,
    VoiceMessageOut,
    VoiceMessagesQuery,
    VoiceMessageTextIn,
)
from web.crm_part import CRM
from web.file_response import WAV
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "callbacks"
MESSAGE = (("message_id", "Id of the message."),)


@operation(
    query=VoiceMessagesQuery,
    response=VoiceMessageList,
    permission=Permission.CALLBACKS_WORK,
    summary="List the messages that callers left",
    description="The newest first. What is about integrity comes without its text, but for the managers.",
    tag=TAG,
)
async def list_voice_messages(call: Call[VoiceMessagesQuery]) -> VoiceMessageList:
    """Return a page."""
    asked = call.query
    items, cursor = await call.request.app[CRM].voicemail.page(
        call.actor, route=asked.route, unheard=asked.unheard, cursor=asked.cursor, limit=asked.limit
    )
    return VoiceMessageList(items=tuple(_out(one) for one in items), next_cursor=cursor)


@operation(
    query=NoQuery,
    response=VoiceMessageOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Read one message",
    description="With its text, once it was recognised.",
    tag=TAG,
    path_parameters=MESSAGE,
)
async def get_voice_message(call: Call[NoQuery]) -> VoiceMessageOut:
    """Return one."""
    mail = call.request.app[CRM].voicemail
    return _out(await mail.get(call.actor, call.request.match_info["message_id"]))


@download(
    media_types=(WAV,),
    permission=Permission.CALLBACKS_WORK,
    summary="Hear a message",
    description="Whoever hears it is written down. Of a message about integrity: for the managers only.",
    tag=TAG,
    path_parameters=MESSAGE,
)
async def hear_voice_message(call: Call[NoQuery]) -> PlayedAnswer:
    """Hand out the recording."""
    crm, message_id = call.request.app[CRM], call.request.match_info["message_id"]
    path = await crm.voicemail.play(call.actor, message_id)
    return PlayedAnswer(await asyncio.to_thread(crm.message_files.find, path), f"message-{message_id}.wav")


@operation(
    query=NoQuery,
    response=VoiceMessageOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Put the text of a message right",
    description="What the recogniser wrote stays readable.",
    tag=TAG,
    path_parameters=MESSAGE,
    body=VoiceMessageTextIn,
    if_match=True,
    idempotent=Idempotency.OPTIONAL,
)
async def correct_voice_message(call: Call[NoQuery]) -> VoiceMessageOut:
    """Correct one."""
    mail, message_id = call.request.app[CRM].voicemail, call.request.match_info["message_id"]
    text = call.body(VoiceMessageTextIn).text
    return _out(await mail.correct(call.actor, message_id, without_numbers(text), expected=call.expected))


def _out(one: VoiceMessage) -> VoiceMessageOut:
    made = one.transcript
    return VoiceMessageOut(
        message_id=one.message_id,
        request_id=one.request_id,
        call_id=one.call_id,
        at=one.at,
        seconds=one.seconds,
        route=one.route,
        urgent=one.urgent,
        hidden=one.hidden,
        text_state=made.state,
        text=made.text,
        first=made.first,
        corrected_by=made.corrected_by,
        heard_at=one.heard_at,
        heard_by=one.heard_by,
        version=one.version,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/voice-messages", list_voice_messages),
    ("GET", "/voice-messages/{message_id}", get_voice_message),
    ("GET", "/voice-messages/{message_id}/audio", hear_voice_message),
    ("POST", "/voice-messages/{message_id}/text", correct_voice_message),
)
