"""``/api/v1/articles`` and ``/classification``."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.classification import suggest_class
from crm.domain.classification import NATURE_LABELS, URGENCY_LABELS
from crm.knowledge import Knowledge
from crm.knowledge_views import ArticleText
from web.api.operation import Call, operation
from web.api.v1.knowledge_schemas import (
    ArticleCorrectionIn,
    ArticleIn,
    ArticleList,
    ArticleOut,
    ArticlesQuery,
    ArticleVersions,
    ArticleVersionsQuery,
    ArticleWithdrawIn,
    Classified,
    ClassifyIn,
    SuggestionsIn,
    VoteIn,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

ARTICLE = (("article_id", "Id of the article."),)
TAG = "knowledge"


def knowledge(request: web.Request) -> Knowledge:
    """Return the service of articles."""
    return request.app[CRM].knowledge


def text_of(given: ArticleIn) -> ArticleText:
    """Return what was written as the service wants it."""
    return ArticleText(
        area=given.area,
        question=given.question,
        answer=given.answer,
        keywords=given.keywords,
        classes=given.classes,
        valid_from=given.valid_from,
        valid_to=given.valid_to,
    )


@operation(
    query=ArticlesQuery,
    response=ArticleList,
    permission=Permission.KNOWLEDGE_VIEW,
    summary="List knowledge articles, the most useful first",
    description="Their texts are found with `GET /search?kind=article`.",
    tag=TAG,
)
async def list_articles(call: Call[ArticlesQuery]) -> ArticleList:
    """Return articles."""
    asked = call.query
    found = await knowledge(call.request).articles(
        call.actor, area=asked.area, valid_only=asked.valid_only, limit=asked.limit
    )
    return ArticleList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=ArticleList,
    permission=Permission.KNOWLEDGE_VIEW,
    summary="Offer articles that fit a conversation",
    tag=TAG,
    body=SuggestionsIn,
)
async def suggest_articles(call: Call[NoQuery]) -> ArticleList:
    """Return articles that fit, the best first."""
    told = call.body(SuggestionsIn)
    found = await knowledge(call.request).suggest(
        call.actor,
        text=told.text,
        menu_path=told.menu_path,
        class_code=told.class_code,
        area=told.area,
        limit=told.limit,
    )
    return ArticleList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=ArticleOut,
    permission=Permission.KNOWLEDGE_EDIT,
    summary="Write an article",
    tag=TAG,
    body=ArticleIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def write_article(call: Call[NoQuery]) -> ArticleOut:
    """Write an article."""
    found = await knowledge(call.request).write(call.actor, text_of(call.body(ArticleIn)))
    return ArticleOut.model_validate(found)


@operation(
    query=NoQuery,
    response=ArticleOut,
    permission=Permission.KNOWLEDGE_VIEW,
    summary="Read an article",
    tag=TAG,
    path_parameters=ARTICLE,
)
async def get_article(call: Call[NoQuery]) -> ArticleOut:
    """Return an article."""
    found = await knowledge(call.request).read(call.actor, call.request.match_info["article_id"])
    return ArticleOut.model_validate(found)


@operation(
    query=ArticleVersionsQuery,
    response=ArticleVersions,
    permission=Permission.KNOWLEDGE_VIEW,
    summary="Read all versions of an article, newest first",
    tag=TAG,
    path_parameters=ARTICLE,
)
async def list_article_versions(call: Call[ArticleVersionsQuery]) -> ArticleVersions:
    """Return the versions."""
    page = await knowledge(call.request).version_page(
        call.actor, call.request.match_info["article_id"], before=call.query.cursor, limit=call.query.limit
    )
    return ArticleVersions.model_validate(page)


@operation(
    query=NoQuery,
    response=ArticleOut,
    permission=Permission.KNOWLEDGE_EDIT,
    summary="Correct an article",
    description="What it said before is kept as a version.",
    tag=TAG,
    path_parameters=ARTICLE,
    body=ArticleCorrectionIn,
    if_match=True,
)
async def correct_article(call: Call[NoQuery]) -> ArticleOut:
    """Correct an article."""
    given = call.body(ArticleCorrectionIn)
    found = await knowledge(call.request).correct(
        call.actor,
        call.request.match_info["article_id"],
        text_of(given),
        expected=call.expected,
        why=given.why,
    )
    return ArticleOut.model_validate(found)


@operation(
    query=NoQuery,
    response=ArticleOut,
    permission=Permission.KNOWLEDGE_EDIT,
    summary="Withdraw an article",
    tag=TAG,
    path_parameters=ARTICLE,
    body=ArticleWithdrawIn,
    if_match=True,
)
async def withdraw_article(call: Call[NoQuery]) -> ArticleOut:
    """Withdraw an article."""
    found = await knowledge(call.request).withdraw(
        call.actor,
        call.request.match_info["article_id"],
        expected=call.expected,
        why=call.body(ArticleWithdrawIn).why,
    )
    return ArticleOut.model_validate(found)


@operation(
    query=NoQuery,
    response=ArticleOut,
    permission=Permission.KNOWLEDGE_VIEW,
    summary="Say that an article was useful, or take that back",
    tag=TAG,
    path_parameters=ARTICLE,
    body=VoteIn,
)
async def vote_article(call: Call[NoQuery]) -> ArticleOut:
    """Vote for an article."""
    found = await knowledge(call.request).vote(
        call.actor, call.request.match_info["article_id"], useful=call.body(VoteIn).useful
    )
    return ArticleOut.model_validate(found)


@operation(
    query=NoQuery,
    response=Classified,
    permission=Permission.CASES_REGISTER,
    summary="Suggest nature and urgency of what a customer says",
    description="Nothing is ever set by it.",
    tag=TAG,
    body=ClassifyIn,
)
async def classify_words(call: Call[NoQuery]) -> Classified:
    """Return what the words look like."""
    found = suggest_class(call.actor, call.body(ClassifyIn).text)
    return Classified(
        nature=found.nature,
        nature_label=NATURE_LABELS[found.nature],
        urgency=found.urgency,
        urgency_label=URGENCY_LABELS[found.urgency],
        sure=found.sure,
        found=found.found,
        hazards=found.hazards,
        hazard_words=found.hazard_words,
        answer_minutes=int(found.norm.answer.total_seconds() // 60),
        solve_hours=int(found.norm.solve.total_seconds() // 3600),
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/articles", list_articles),
    ("POST", "/articles", write_article),
    ("POST", "/articles/suggest", suggest_articles),
    ("GET", "/articles/{article_id}", get_article),
    ("PUT", "/articles/{article_id}", correct_article),
    ("GET", "/articles/{article_id}/versions", list_article_versions),
    ("POST", "/articles/{article_id}/withdraw", withdraw_article),
    ("POST", "/articles/{article_id}/vote", vote_article),
    ("POST", "/classification", classify_words),
)
