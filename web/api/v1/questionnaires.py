"""``/api/v1/questionnaires``: drafts, published versions, what will be asked, what answers come to."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.questionnaire_verdict import evaluate
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.questionnaire_preview import preview
from web.api.operation import Call, operation
from web.api.v1.questionnaires_schemas import (
    CircumstancesIn,
    EvaluateIn,
    JudgementOut,
    PreviewOut,
    QuestionnaireList,
    QuestionnaireOut,
    QuestionnaireProblems,
    QuestionnairePublishIn,
    QuestionnaireTextIn,
    QuestionnaireVersions,
)
from web.api.v1.schemas import NoQuery
from web.deps import DEPS
from web.idempotency import Idempotency
from web.permissions import Permission
from web.questionnaire_part import QUESTIONNAIRES

CODE = (("questionnaire_code", "Code of the questionnaire, such as `KG`."),)
TAG = "questionnaires"


def book(request: web.Request) -> QuestionnaireBook:
    """Return the book of questionnaires."""
    return request.app[QUESTIONNAIRES]


def _code(call: Call[NoQuery]) -> str:
    return call.request.match_info["questionnaire_code"]


@operation(
    query=NoQuery,
    response=QuestionnaireList,
    permission=Permission.QUESTIONNAIRES_VIEW,
    summary="List questionnaires",
    tag=TAG,
)
async def list_questionnaires(call: Call[NoQuery]) -> QuestionnaireList:
    """Return all questionnaires."""
    found = await book(call.request).all(call.actor)
    return QuestionnaireList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=QuestionnaireOut,
    permission=Permission.QUESTIONNAIRES_EDIT,
    summary="Begin a questionnaire with its first draft",
    tag=TAG,
    body=QuestionnaireTextIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def begin_questionnaire(call: Call[NoQuery]) -> QuestionnaireOut:
    """Begin a questionnaire."""
    made = await book(call.request).begin(call.actor, call.body(QuestionnaireTextIn).text)
    return QuestionnaireOut.model_validate(made)


@operation(
    query=NoQuery,
    response=QuestionnaireProblems,
    permission=Permission.QUESTIONNAIRES_VIEW,
    summary="Say what is wrong with a text",
    description="Nothing is stored.",
    tag=TAG,
    body=QuestionnaireTextIn,
)
async def check_questionnaire(call: Call[NoQuery]) -> QuestionnaireProblems:
    """Return the mistakes."""
    found = await book(call.request).check(call.actor, call.body(QuestionnaireTextIn).text)
    return QuestionnaireProblems.model_validate({"problems": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=QuestionnaireOut,
    permission=Permission.QUESTIONNAIRES_VIEW,
    summary="Read a questionnaire",
    tag=TAG,
    path_parameters=CODE,
)
async def get_questionnaire(call: Call[NoQuery]) -> QuestionnaireOut:
    """Return a questionnaire."""
    return QuestionnaireOut.model_validate(await book(call.request).get(call.actor, _code(call)))


@operation(
    query=NoQuery,
    response=QuestionnaireVersions,
    permission=Permission.QUESTIONNAIRES_VIEW,
    summary="Read all versions that were published, newest first",
    tag=TAG,
    path_parameters=CODE,
)
async def list_questionnaire_versions(call: Call[NoQuery]) -> QuestionnaireVersions:
    """Return the versions."""
    found = await book(call.request).versions(call.actor, _code(call))
    return QuestionnaireVersions.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=QuestionnaireOut,
    permission=Permission.QUESTIONNAIRES_EDIT,
    summary="Keep a draft, with the mistakes that it may have",
    tag=TAG,
    path_parameters=CODE,
    body=QuestionnaireTextIn,
    if_match=True,
)
async def save_questionnaire_draft(call: Call[NoQuery]) -> QuestionnaireOut:
    """Keep a draft."""
    text = call.body(QuestionnaireTextIn).text
    kept = await book(call.request).save_draft(call.actor, _code(call), text, expected=call.expected)
    return QuestionnaireOut.model_validate(kept)


@operation(
    query=NoQuery,
    response=QuestionnaireOut,
    permission=Permission.QUESTIONNAIRES_EDIT,
    summary="Throw a draft away",
    tag=TAG,
    path_parameters=CODE,
    if_match=True,
)
async def discard_questionnaire_draft(call: Call[NoQuery]) -> QuestionnaireOut:
    """Throw a draft away."""
    left = await book(call.request).discard_draft(call.actor, _code(call), expected=call.expected)
    return QuestionnaireOut.model_validate(left)


@operation(
    query=NoQuery,
    response=QuestionnaireOut,
    permission=Permission.QUESTIONNAIRES_PUBLISH,
    summary="Ask from now on what the draft says",
    description="Calls in progress end with the version they began with; what was published never changes.",
    tag=TAG,
    path_parameters=CODE,
    body=QuestionnairePublishIn,
    if_match=True,
)
async def publish_questionnaire(call: Call[NoQuery]) -> QuestionnaireOut:
    """Publish the draft."""
    why = call.body(QuestionnairePublishIn).why
    done = await book(call.request).publish(call.actor, _code(call), expected=call.expected, why=why)
    return QuestionnaireOut.model_validate(done)


@operation(
    query=NoQuery,
    response=PreviewOut,
    permission=Permission.QUESTIONNAIRES_VIEW,
    summary="Say what a customer would be asked, in order",
    tag=TAG,
    path_parameters=CODE,
    body=CircumstancesIn,
)
async def preview_questionnaire(call: Call[NoQuery]) -> PreviewOut:
    """Return the prompts."""
    given = call.body(CircumstancesIn)
    found = await book(call.request).published(_code(call), given.number)
    site = call.request.app[DEPS].settings
    prompts = preview(
        found.questionnaire,
        level=given.level,
        channel=given.channel,
        facts=given.facts,
        company=site.company,
        hotline=site.hotline,
    )
    return PreviewOut.model_validate(
        {"code": found.code, "number": found.number, "items": prompts}, from_attributes=True
    )


@operation(
    query=NoQuery,
    response=JudgementOut,
    permission=Permission.QUESTIONNAIRES_VIEW,
    summary="Say what answers would come to",
    description="Nothing is stored, and no ticket is opened.",
    tag=TAG,
    path_parameters=CODE,
    body=EvaluateIn,
)
async def evaluate_answers(call: Call[NoQuery]) -> JudgementOut:
    """Return the verdict."""
    given = call.body(EvaluateIn)
    found = await book(call.request).published(_code(call), given.number)
    answers = {name: Answer(**answer.model_dump()) for name, answer in given.answers.items()}
    judged = evaluate(
        found.questionnaire, answers, level=given.level, channel=given.channel, facts=given.facts
    )
    return JudgementOut.model_validate(judged)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/questionnaires", list_questionnaires),
    ("POST", "/questionnaires", begin_questionnaire),
    ("POST", "/questionnaires/check", check_questionnaire),
    ("GET", "/questionnaires/{questionnaire_code}", get_questionnaire),
    ("GET", "/questionnaires/{questionnaire_code}/versions", list_questionnaire_versions),
    ("PUT", "/questionnaires/{questionnaire_code}/draft", save_questionnaire_draft),
    ("DELETE", "/questionnaires/{questionnaire_code}/draft", discard_questionnaire_draft),
    ("POST", "/questionnaires/{questionnaire_code}/publish", publish_questionnaire),
    ("POST", "/questionnaires/{questionnaire_code}/preview", preview_questionnaire),
    ("POST", "/questionnaires/{questionnaire_code}/evaluate", evaluate_answers),
)
