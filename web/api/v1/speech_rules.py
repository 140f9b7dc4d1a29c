"""``/api/v1/speech-rules``, ``/speech-phrases`` and ``/calls/{call_id}/suggestions``."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from kernel.access import Actor
from kernel.clock import Clock
from speech.reading import read
from speech.reading.sensitive import hidden, sensitive
from speech.rule_book import read_rules
from speech.rules.finder import find
from speech.rules.findings import Findings, Speaker
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery
from web.api.v1.speech_rules_schemas import (
    SentenceIn,
    SentenceOut,
    SpeechPhraseIn,
    SpeechPhraseList,
    SpeechPhraseOut,
    SpeechRulesOut,
    SpeechRulesPublishIn,
    SpeechRulesTextIn,
    SpeechRulesVersions,
    SuggestionList,
    SuggestionsQuery,
)
from web.deps import DEPS
from web.idempotency import Idempotency
from web.permissions import Permission
from web.speech_access import may_read
from web.speech_rules_part import SPEECH_RULES, SpeechRules

TAG = "speech"
PHRASE = (("phrase_id", "Id of the word."),)
CALL = (("call_id", "Id of the call."),)


def services(request: web.Request) -> SpeechRules:
    """Return the services."""
    return request.app[SPEECH_RULES]


async def tried(
    request: web.Request, actor: Actor, text: str, *, speaker: Speaker, draft: bool
) -> tuple[str, Findings]:
    """Return a sentence as it reads, and what the rules find in it: those in force, or the draft's.

    Raises:
        Forbidden: the role sees no rules.
        RulesInvalid: the draft has mistakes.
    """
    view = await services(request).book.get(actor)
    rules = await read_rules(view.draft if draft and view.draft is not None else view.text)
    clock: Clock = request.app[DEPS].clock
    reading = read(hidden(text, sensitive(text)))
    at = clock.now().astimezone(request.app[DEPS].settings.timezone)
    return reading.text, find(reading, speaker, at, rules)


@operation(
    query=NoQuery,
    response=SpeechRulesOut,
    permission=Permission.SPEECH_RULES_VIEW,
    summary="Read what is listened for in conversations",
    tag=TAG,
)
async def get_speech_rules(call: Call[NoQuery]) -> SpeechRulesOut:
    """Return the rules."""
    return SpeechRulesOut.model_validate(await services(call.request).book.get(call.actor))


@operation(
    query=NoQuery,
    response=SpeechRulesVersions,
    permission=Permission.SPEECH_RULES_VIEW,
    summary="Read all versions of the rules that were published, newest first",
    tag=TAG,
)
async def list_speech_rules_versions(call: Call[NoQuery]) -> SpeechRulesVersions:
    """Return the versions."""
    found = await services(call.request).book.versions(call.actor)
    return SpeechRulesVersions.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=SpeechRulesOut,
    permission=Permission.SPEECH_RULES_EDIT,
    summary="Keep a draft of the rules, with the mistakes that it may have",
    tag=TAG,
    body=SpeechRulesTextIn,
    if_match=True,
)
async def save_speech_rules_draft(call: Call[NoQuery]) -> SpeechRulesOut:
    """Keep a draft."""
    text = call.body(SpeechRulesTextIn).text
    kept = await services(call.request).book.save_draft(call.actor, text, expected=call.expected)
    return SpeechRulesOut.model_validate(kept)


@operation(
    query=NoQuery,
    response=SpeechRulesOut,
    permission=Permission.SPEECH_RULES_EDIT,
    summary="Throw the draft of the rules away",
    tag=TAG,
    if_match=True,
)
async def discard_speech_rules_draft(call: Call[NoQuery]) -> SpeechRulesOut:
    """Throw the draft away."""
    left = await services(call.request).book.discard_draft(call.actor, expected=call.expected)
    return SpeechRulesOut.model_validate(left)


@operation(
    query=NoQuery,
    response=SpeechRulesOut,
    permission=Permission.SPEECH_RULES_EDIT,
    summary="Listen from now on for what the draft says",
    description="What was found before stays as it was found; what was published never changes.",
    tag=TAG,
    body=SpeechRulesPublishIn,
    if_match=True,
)
async def publish_speech_rules(call: Call[NoQuery]) -> SpeechRulesOut:
    """Publish the draft."""
    why = call.body(SpeechRulesPublishIn).why
    done = await services(call.request).book.publish(call.actor, expected=call.expected, why=why)
    return SpeechRulesOut.model_validate(done)


@operation(
    query=NoQuery,
    response=SentenceOut,
    permission=Permission.SPEECH_RULES_VIEW,
    summary="Say what the rules find in a sentence",
    description="Nothing is stored.",
    tag=TAG,
    body=SentenceIn,
)
async def try_speech_rules(call: Call[NoQuery]) -> SentenceOut:
    """Look at a sentence."""
    given = call.body(SentenceIn)
    text, found = await tried(call.request, call.actor, given.text, speaker=given.speaker, draft=given.draft)
    return SentenceOut.model_validate({"text": text, "items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=SpeechPhraseList,
    permission=Permission.SPEECH_RULES_VIEW,
    summary="List the company's own words that recognisers should expect",
    description="Names of crews, communities and materials are added to them by themselves.",
    tag=TAG,
)
async def list_speech_phrases(call: Call[NoQuery]) -> SpeechPhraseList:
    """Return the words."""
    found = await services(call.request).phrases.of_hand(call.actor)
    return SpeechPhraseList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=SpeechPhraseOut,
    permission=Permission.SPEECH_RULES_EDIT,
    summary="Add a word that recognisers should expect",
    tag=TAG,
    body=SpeechPhraseIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def add_speech_phrase(call: Call[NoQuery]) -> SpeechPhraseOut:
    """Add a word."""
    given = call.body(SpeechPhraseIn)
    made = await services(call.request).phrases.add(call.actor, given.text, language=given.language)
    return SpeechPhraseOut.model_validate(made)


@operation(
    query=NoQuery,
    response=SpeechPhraseList,
    permission=Permission.SPEECH_RULES_EDIT,
    summary="Take a word out; answers with those that are left",
    tag=TAG,
    path_parameters=PHRASE,
)
async def remove_speech_phrase(call: Call[NoQuery]) -> SpeechPhraseList:
    """Take a word out."""
    phrases = services(call.request).phrases
    await phrases.remove(call.actor, call.request.match_info["phrase_id"])
    found = await phrases.of_hand(call.actor)
    return SpeechPhraseList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=SuggestionsQuery,
    response=SuggestionList,
    permission=Permission.CASES_REGISTER,
    summary="Say what a form might hold, from what is being said in a call",
    description="Each proposal names the words that it comes from. There are none without live text, and of "
    "others' calls for agents.",
    tag=TAG,
    path_parameters=CALL,
)
async def list_suggestions(call: Call[SuggestionsQuery]) -> SuggestionList:
    """Return proposals."""
    suggester, call_id = services(call.request).suggester, call.request.match_info["call_id"]
    if not await may_read(call.request, call_id):
        return SuggestionList(items=(), topics=())
    found = await suggester.suggestions(call_id, call.query.form)
    return SuggestionList.model_validate(
        {"items": found, "topics": await suggester.topics(call_id)}, from_attributes=True
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/speech-rules", get_speech_rules),
    ("GET", "/speech-rules/versions", list_speech_rules_versions),
    ("PUT", "/speech-rules/draft", save_speech_rules_draft),
    ("DELETE", "/speech-rules/draft", discard_speech_rules_draft),
    ("POST", "/speech-rules/publish", publish_speech_rules),
    ("POST", "/speech-rules/try", try_speech_rules),
    ("GET", "/speech-phrases", list_speech_phrases),
    ("POST", "/speech-phrases", add_speech_phrase),
    ("DELETE", "/speech-phrases/{phrase_id}", remove_speech_phrase),
    ("GET", "/calls/{call_id}/suggestions", list_suggestions),
)
