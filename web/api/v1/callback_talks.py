"""``/api/v1/callback-talks``: questionnaires as they are led, and the call that an agent asks for."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from callback_campaigns.contact_hours import hours_of
from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.terms import Channel
from callback_campaigns.talk_access import NotYourTalk, hidden_items
from callback_campaigns.talk_store import Talk
from crm.domain.machine import IllegalStep
from kernel.access import Actor
from kernel.errors import NotFound, Unavailable
from web.api.operation import Call, operation
from web.api.v1.callback_talks_schemas import (
    CallbackCallIn,
    ItemAnswerOut,
    PlacedCall,
    TalkAnswerIn,
    TalkEndIn,
    TalkIn,
    TalkOut,
    VoiceOut,
)
from web.api.v1.schemas import NoQuery
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.idempotency import Idempotency
from web.masking import masked
from web.own_phone import is_own_call, own_number
from web.permissions import Permission

TAG = "callbacks"
TASK = (("task_id", "Id of the callback task."),)
TALK = (("talk_id", "Id of the talk."),)
ITEM = (*TALK, ("item_code", "The question, such as `KG1`."))


@operation(
    query=NoQuery,
    response=PlacedCall,
    permission=Permission.CALLBACKS_WORK,
    summary="Call the customer of a callback task",
    description=(
        "The telephone of whoever asks rings first, then the customer's. Every rule of dialling holds; a "
        "call that may not be made now is refused with `dial_refused` and its reason."
    ),
    tag=TAG,
    path_parameters=TASK,
    body=CallbackCallIn,
    if_match=True,
    status=201,
    idempotent=Idempotency.REQUIRED,
)
async def place_callback_call(call: Call[NoQuery]) -> PlacedCall:
    """Place a call."""
    preview, wanted = call.request.app[DEPS].preview, call.body(CallbackCallIn)
    if preview is None:
        raise Unavailable("this process has no link to the telephone system; ask the one that has")
    campaigns, now = call.request.app[CALLBACKS].campaigns, call.request.app[DEPS].clock.now()
    if wanted.campaign_id is None:
        campaign = await campaigns.preview_of(call.request.match_info["task_id"], now)
    else:
        running = await campaigns.running(now)
        campaign = next((one for one in running if one.campaign_id == wanted.campaign_id), None)
        if campaign is None:
            raise NotFound("no such campaign is running", field="campaign_id")
    attempt = await preview.call(
        call.actor,
        call.request.match_info["task_id"],
        agent_number=await own_number(call.request),
        number=wanted.number,
        campaign=campaign,
        expected=call.expected,
    )
    return PlacedCall(attempt_id=attempt.attempt_id, number=masked(attempt.number), began_at=attempt.began_at)


@operation(
    query=NoQuery,
    response=TalkOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Begin the talk of a callback task",
    description=(
        "Of one call there is one talk; what an earlier attempt brought is in it. Who is in the call begins "
        "it, once the customer has answered; anybody else is refused with `not_your_talk`."
    ),
    tag=TAG,
    path_parameters=TASK,
    body=TalkIn,
    status=201,
)
async def open_callback_talk(call: Call[NoQuery]) -> TalkOut:
    """Begin a talk."""
    talks, task_id = call.request.app[CALLBACKS].talks, call.request.match_info["task_id"]
    attempt_id = call.body(TalkIn).attempt_id
    await call.request.app[CALLBACKS].desk.get(call.actor, task_id)  # earlier answers are in it: CB-10
    if attempt_id is not None:
        known, about = await talks.of_attempt(attempt_id), await talks.call(call.actor, attempt_id)
        own = await is_own_call(call.request, attempt_id)
        if about is not None and not own and about.agent != call.actor.name:
            raise NotYourTalk("you are not in this call", field="attempt_id")
        if about is not None and not about.answered:
            raise IllegalStep("the customer has not answered yet", field="attempt_id")
        if known is not None and own and known.task_id == task_id:
            return _out(await talks.take_over(known.talk_id, call.actor), call.actor)
    talk = await talks.open(
        task_id, attempt_id=attempt_id, channel=Channel.AGENT, by=call.actor.name, actor=call.actor
    )
    return _out(talk, call.actor)


@operation(
    query=NoQuery,
    response=TalkOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Read a talk",
    description="That it was opened is written into the audit log.",
    tag=TAG,
    path_parameters=TALK,
)
async def get_callback_talk(call: Call[NoQuery]) -> TalkOut:
    """Return a talk."""
    part = call.request.app[CALLBACKS]
    talk = await part.talks.get(call.request.match_info["talk_id"])
    await part.desk.get(call.actor, talk.task_id)
    return _out(talk, call.actor)


@operation(
    query=NoQuery,
    response=TalkOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Answer a question",
    description="It is stored at once; another answer to the same question corrects it; the first is kept.",
    tag=TAG,
    path_parameters=ITEM,
    body=TalkAnswerIn,
)
async def answer_callback_item(call: Call[NoQuery]) -> TalkOut:
    """Store an answer."""
    given, found = call.body(TalkAnswerIn), call.request.match_info
    answer = Answer(values=given.values, text=given.text, reason=given.reason, departments=given.departments)
    talks = call.request.app[CALLBACKS].talks
    talk = await talks.answer(
        found["talk_id"], found["item_code"], answer, by=call.actor.name, actor=call.actor
    )
    return _out(talk, call.actor)


@operation(
    query=NoQuery,
    response=TalkOut,
    permission=Permission.CALLBACKS_WORK,
    summary="Pass a question over",
    tag=TAG,
    path_parameters=ITEM,
)
async def skip_callback_item(call: Call[NoQuery]) -> TalkOut:
    """Skip a question."""
    found, talks = call.request.match_info, call.request.app[CALLBACKS].talks
    talk = await talks.skip(found["talk_id"], found["item_code"], by=call.actor.name, actor=call.actor)
    return _out(talk, call.actor)


@operation(
    query=NoQuery,
    response=TalkOut,
    permission=Permission.CALLBACKS_WORK,
    summary="End a talk",
    description="What the answers come to moves the task; problem tickets go to their departments.",
    tag=TAG,
    path_parameters=TALK,
    body=TalkEndIn,
)
async def end_callback_talk(call: Call[NoQuery]) -> TalkOut:
    """End a talk."""
    given = call.body(TalkEndIn)
    talk = await call.request.app[CALLBACKS].talks.end(
        call.request.match_info["talk_id"],
        given.how,
        by=call.actor.name,
        actor=call.actor,
        appointed=given.appointed,
        heard_at=given.heard_at,
        explanation=given.explanation.strip(),
        setting=given.setting,
        hours=hours_of(given.preferred_from, given.preferred_until),
    )
    return _out(talk, call.actor)


def _out(talk: Talk, actor: Actor) -> TalkOut:
    hidden = hidden_items(talk, actor)
    asked, version = talk.next_item, talk.questionnaire
    return TalkOut(
        talk_id=talk.talk_id,
        task_id=talk.task_id,
        attempt_id=talk.attempt_id,
        channel=talk.channel,
        questionnaire=f"{version.code}/{version.number}",
        items=tuple(item.id for item in talk.items),
        next_item=asked.id if asked is not None and talk.ended is None else None,
        answers=tuple(
            ItemAnswerOut(
                item=name,
                values=answer.values,
                text=answer.text,
                reason=answer.reason,
                departments=answer.departments,
                bad=name in talk.bad,
            )
            for name, answer in sorted(talk.answers.items())
            if name not in hidden
        ),
        skipped=tuple(sorted(talk.skipped)),
        voices=tuple(
            VoiceOut(
                voice_id=voice.voice_id,
                item=voice.item_id,
                seconds=voice.seconds,
                at=voice.at,
                text=voice.text,
            )
            for name, voices in talk.voices.items()
            for voice in voices
            if name not in hidden
        ),
        opened_at=talk.opened_at,
        by=talk.by,
        ended=talk.ended,
        ended_at=talk.ended_at,
        verdict=talk.verdict,
        score=talk.score,
        late=talk.late,
        next_action=talk.next_action,
        next_task_id=talk.next_task_id,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("POST", "/callback-tasks/{task_id}/call", place_callback_call),
    ("POST", "/callback-tasks/{task_id}/talks", open_callback_talk),
    ("GET", "/callback-talks/{talk_id}", get_callback_talk),
    ("PUT", "/callback-talks/{talk_id}/answers/{item_code}", answer_callback_item),
    ("PUT", "/callback-talks/{talk_id}/skips/{item_code}", skip_callback_item),
    ("POST", "/callback-talks/{talk_id}/end", end_callback_talk),
)
