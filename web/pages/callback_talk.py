"""The questionnaire as an agent leads it: the questions now, what was answered, how the talk ended.

The same part stands on the page of a callback and beside a call. Each answer is sent by itself and is stored
before the next is asked; the part that comes back says what is to be asked now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any

from aiohttp import web
from pydantic import AwareDatetime, StringConstraints

from callback_campaigns.contact_hours import asks_hours, hours_of
from callback_campaigns.domain.planning import NextAction, NextSetting
from callback_campaigns.domain.questionnaire import DEPARTMENTS, Answer, Item, ItemKind, Option
from callback_campaigns.domain.talk import TalkEnding, Voice
from callback_campaigns.domain.task import InvalidAttempt
from callback_campaigns.domain.terms import CallbackType, Channel, Verdict
from callback_campaigns.talk_access import CallNow, hidden_items, may_lead
from callback_campaigns.talk_rows import MAX_REASON, MAX_TEXT
from callback_campaigns.talk_store import Talk
from crm.views import CustomerCard
from kernel.errors import NotFound, Unauthenticated
from web import labels
from web.callback_part import CALLBACKS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.own_phone import is_own_call
from web.pages import callback_words as words
from web.pages.agent import Body, read_body
from web.pages.shell import DIRECTORY, render
from web.permissions import Permission, requires

Code = Annotated[str, StringConstraints(max_length=64)]
END_KEYS = tuple(words.ENDINGS)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/agent/questionnaires/{call_id}", of_call)
    app.router.add_post("/agent/questionnaires/{call_id}", begin_for_call)
    app.router.add_put("/callback-talks/{talk_id}/answers/{item_id}", answer)
    app.router.add_put("/callback-talks/{talk_id}/skips/{item_id}", skip)
    app.router.add_post("/callback-talks/{talk_id}/end", end)


class GivenAnswer(Body):
    """What was chosen and written for one question."""

    values: tuple[Code, ...] = ()
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)] = ""
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    departments: tuple[Code, ...] = ()


class GivenEnd(Body):
    """How the talk ended; ``appointed``: when the customer wants to be called."""

    how: TalkEnding
    appointed: AwareDatetime | None = None
    explanation: Annotated[str, StringConstraints(max_length=MAX_TEXT)] = ""
    next_action: NextAction | None = None
    next_kind: CallbackType | None = None
    next_on: date | None = None
    preferred_from: time | None = None
    preferred_until: time | None = None

    @property
    def setting(self) -> NextSetting | None:
        """What was decided about the next callback (domain.md §1.1)."""
        if self.next_action is None:
            return None
        return NextSetting(action=self.next_action, kind=self.next_kind, on=self.next_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An answer that can be chosen.

    Attributes:
        departments: whom its ticket may go to, where the agent says.
        under: second level.
    """

    key: str
    value: str
    label: str
    bad: bool
    reason: bool
    departments: tuple[tuple[str, str], ...] = ()
    under: tuple["Choice", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as it stands in the part; ``heading`` where another questionnaire begins."""

    item_id: str
    kind: str
    asked: str
    choices: tuple[Choice, ...]
    decisive: bool
    optional: bool
    answer: Answer
    state: str
    bad: bool
    heading: str = ""
    secret: bool = False
    voices: tuple[Voice, ...] = ()

    @property
    def multiple(self) -> bool:
        """Whether several answers may be chosen."""
        return self.kind == ItemKind.MULTI

    @property
    def takes_reason(self) -> bool:
        """Whether a chosen answer wants to be explained."""
        inner = (under for choice in self.choices for under in choice.under)
        return any(choice.reason and choice.value in self.answer.values for choice in (*self.choices, *inner))


def questions(
    talk: Talk, card: CustomerCard | None, hidden: frozenset[str] = frozenset()
) -> tuple[Question, ...]:
    """Return the questions of a talk in order, those that were answered and are asked no more left out."""
    said, shown, begun = _said(talk, card), [], ""
    for item in talk.items:
        owner = next(one for one in talk.sets if one.item(item.id) is not None)
        heading = "" if owner.code == begun or len(talk.sets) == 1 else owner.questionnaire.title
        begun = owner.code
        secret = item.id in hidden
        given = talk.answers.get(item.id, Answer())
        skipped = item.id in talk.skipped
        shown.append(
            Question(
                item_id=item.id,
                kind=item.kind_for(Channel.AGENT).value,
                asked=_filled(item.prompt(Channel.AGENT), said),
                choices=tuple(_choice(option) for option in item.options_for(Channel.AGENT)),
                decisive=item.decisive,
                optional=item.optional or item.closing,
                answer=Answer() if secret else _as_shown(item, given),
                state="answered" if given.given else "skipped" if skipped else "open",
                bad=item.id in talk.bad and not secret,
                secret=secret,
                heading=heading,
                voices=() if secret else talk.voices.get(item.id, ()),
            )
        )
    return tuple(shown)


def _messages(talk: Talk, asked: Sequence[Question], hidden: frozenset[str]) -> tuple[Voice, ...]:
    """Return what was said to no question that is shown, oldest first."""
    shown = {one.item_id for one in asked} | hidden
    rest = (voice for name, voices in talk.voices.items() if name not in shown for voice in voices)
    return tuple(sorted(rest, key=lambda voice: voice.at))


def _choice(option: Option) -> Choice:
    named = sorted({code for rule in option.rules for code in rule.choose}, key=list(DEPARTMENTS).index)
    return Choice(
        key=option.key,
        value=option.value,
        label=option.label,
        bad=option.bad,
        reason=option.reason or option.bad,
        departments=tuple((code, DEPARTMENTS[code]) for code in named),
        under=tuple(_choice(under) for under in option.under),
    )


def _as_shown(item: Item, answer: Answer) -> Answer:
    """Return an answer that was given by keys in the words in which a person asks."""
    known = {option.value for option in item.options_for(Channel.AGENT)}
    known |= {under.value for option in item.options_for(Channel.AGENT) for under in option.under}
    if not answer.values or set(answer.values) <= known:
        return answer
    by_score = {option.score: option.value for option in item.options_for(Channel.AGENT)}
    told = tuple(
        by_score[option.score]
        for value in answer.values
        if (option := item.option(value)) is not None and option.score in by_score
    )
    return Answer(values=told or answer.values, text=answer.text, reason=answer.reason, voice=answer.voice)


def _said(talk: Talk, card: CustomerCard | None) -> Mapping[str, str]:
    problem = ""
    if card is not None and len(card.open_cases) == 1:
        problem = card.open_cases[0].summary
    return {
        "name": (card.greeting if card else "") or talk.customer.name,
        "community": talk.customer.community or gettext("您家"),
        "problem": problem or gettext("您反映的问题"),
        "survey": talk.questionnaire.questionnaire.spoken,
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


async def part(request: web.Request, talk: Talk, *, problem: str = "") -> dict[str, Any]:
    """Return what the template ``callbacks/runner.html`` shows of a talk."""
    card = await request.app[DIRECTORY].card(talk.customer.customer_id)
    hidden = hidden_items(talk, current_actor(request))
    asked = questions(talk, card, hidden)
    needed = [one for one in asked if not one.optional]
    verdicts: list[Verdict] = [
        verdict for one in talk.sets if (verdict := one.judged(talk.channel, talk.answers).verdict)
    ]
    worst = min(verdicts, key=list(words.VERDICTS)[::-1].index, default=None)
    return {
        "talk": talk,
        "title": gettext("、").join(one.questionnaire.title for one in talk.sets),
        "questions": asked,
        "messages": _messages(talk, asked, hidden),
        "needed": len(needed),
        "given": sum(one.state == "answered" for one in needed),
        "reads_only": _reads_only(request, talk),
        "verdict": worst.value if worst else "",
        "verdicts": labels.words(words.VERDICTS),
        "verdict_tones": words.VERDICT_TONES,
        "next_actions": labels.words(words.NEXT_ACTIONS),
        "next_kinds": {code: label for code, label in labels.words(words.KINDS).items() if code != "VISIT"},
        "asks_hours": asks_hours(talk),
        "own_kind": talk.sets[0].code,
        "endings": labels.words(words.ENDINGS),
        "authors": labels.words(words.AUTHORS),
        "ended_words": labels.words(words.ENDED),
        "problem": problem,
    }


def _reads_only(request: web.Request, talk: Talk) -> str:
    """Return who else leads a talk that goes on: ``ivr``, ``agent``; empty where whoever looks may write."""
    by_id, handed_over = talk.by_id, talk.handed_over
    if talk.ended is not None or may_lead(
        current_actor(request), channel=talk.channel, by_id=by_id, handed_over=handed_over
    ):
        return ""
    return "ivr" if talk.channel is Channel.IVR else "agent"


async def _send(request: web.Request, talk: Talk) -> web.StreamResponse:
    return render(request, "callbacks/runner.html", await part(request, talk))


@requires(Permission.CALLBACKS_WORK)
async def of_call(request: web.Request) -> web.StreamResponse:
    """Show the questionnaire of a call, with what the system asked before; nothing for other calls."""
    call_id = request.match_info["call_id"]
    talks, actor = request.app[CALLBACKS].talks, current_actor(request)
    call = await talks.call(actor, call_id)
    if call is None:
        return web.Response(status=204)
    talk = await talks.of_attempt(call_id)
    detail = await request.app[CALLBACKS].desk.get(actor, call.task_id)
    if talk is None:
        return _ringing(request, call, detail.invalid[-1:])
    return await _send(request, talk)


@requires(Permission.CALLBACKS_WORK)
async def begin_for_call(request: web.Request) -> web.StreamResponse:
    """Open the talk of a call that the customer has answered; asked twice it is one talk.

    Whoever is not in the call only sees what is asked in it.
    """
    call_id = request.match_info["call_id"]
    talks, actor = request.app[CALLBACKS].talks, current_actor(request)
    call = await talks.call(actor, call_id)
    if call is None:
        return web.Response(status=204)
    talk, own = await talks.of_attempt(call_id), await is_own_call(request, call_id)
    if talk is None and (not call.answered or not (own or call.agent == actor.name)):
        return _ringing(request, call)
    await request.app[CALLBACKS].desk.get(actor, call.task_id)  # earlier answers are shown: CB-10
    if talk is not None:
        # The machine, or a colleague, has put the customer through: a person goes on where it stopped.
        return await _send(request, await talks.take_over(talk.talk_id, actor) if own else talk)
    talk = await talks.open(
        call.task_id, attempt_id=call_id, channel=Channel.AGENT, by=actor.name, actor=actor
    )
    return await _send(request, talk)


def _ringing(request: web.Request, call: CallNow, last: Sequence[InvalidAttempt] = ()) -> web.Response:
    tables = {"outcomes": labels.words(words.OUTCOMES), "remarks": labels.words(words.REMARKS)}
    context = {"kind": call.kind, "kinds": labels.words(words.KINDS), "last": last, **tables}
    return render(request, "callbacks/ringing.html", context)


def _check_page(request: web.Request) -> None:
    """Refuse what stands in a page of somebody who used this browser before. Raises Unauthenticated."""
    owner = request.headers.get("X-Page-User", "")
    if owner and owner != current_user(request).user_id:
        raise Unauthenticated("this page belongs to another user")


@requires(Permission.CALLBACKS_WORK)
async def answer(request: web.Request) -> web.StreamResponse:
    """Store one answer; the part as it is then comes back."""
    _check_page(request)
    given = await read_body(request, GivenAnswer)
    actor, talks = current_actor(request), request.app[CALLBACKS].talks
    stored = await talks.answer(
        request.match_info["talk_id"],
        request.match_info["item_id"],
        Answer(
            values=given.values,
            text=given.text.strip(),
            reason=given.reason.strip(),
            departments=given.departments,
        ),
        by=actor.name,
        actor=actor,
    )
    return await _send(request, stored)


@requires(Permission.CALLBACKS_WORK)
async def skip(request: web.Request) -> web.StreamResponse:
    """Pass a question over."""
    _check_page(request)
    actor, talks = current_actor(request), request.app[CALLBACKS].talks
    found = request.match_info
    return await _send(
        request, await talks.skip(found["talk_id"], found["item_id"], by=actor.name, actor=actor)
    )


@requires(Permission.CALLBACKS_WORK)
async def end(request: web.Request) -> web.StreamResponse:
    """End the talk; what the answers came to comes back."""
    _check_page(request)
    given = await read_body(request, GivenEnd)
    if given.how is TalkEnding.TO_AGENT:
        raise NotFound("no such ending", field="how")
    actor, talks = current_actor(request), request.app[CALLBACKS].talks
    appointed: datetime | None = given.appointed if given.how is TalkEnding.APPOINTED else None
    talk = await talks.end(
        request.match_info["talk_id"],
        given.how,
        by=actor.name,
        actor=actor,
        appointed=appointed,
        explanation=given.explanation.strip(),
        setting=given.setting,
        hours=hours_of(given.preferred_from, given.preferred_until),
    )
    return await _send(request, talk)
