"""Models of knowledge articles and of the classification of what customers say."""

from datetime import date
from typing import Annotated

from pydantic import Field

from crm.domain.classification import Nature, Urgency
from crm.domain.knowledge import Area, BlockKind
from web.api.v1.complaints_schemas import ComplaintBody, Limit
from web.api.v1.schemas import Out, Query, SiteTime

Keyword = Annotated[str, Field(min_length=1, max_length=60)]


class ArticlesQuery(Query):
    """Which articles to list, the most useful first."""

    area: Area | None = None
    valid_only: bool = Field(True, description="Only those that hold today.")
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class SuggestionsIn(ComplaintBody):
    """What is known of a conversation."""

    text: str = Field("", max_length=20_000, description="What is written down so far.")
    menu_path: tuple[Annotated[str, Field(max_length=60)], ...] = Field((), max_length=20)
    class_code: int | None = Field(None, ge=1, le=10, description="Class of the complaint being written.")
    area: Area | None = None
    limit: Annotated[int, Field(ge=1, le=20)] = 5


class ArticleIn(ComplaintBody):
    """What somebody writes."""

    area: Area
    question: str = Field(min_length=1, max_length=120)
    answer: str = Field(
        min_length=1,
        max_length=8000,
        description="Plain text: blank lines part paragraphs, `- ` and `1. ` begin items, `## ` a heading, "
        "`**…**` is bold. Everything else stays text.",
    )
    keywords: tuple[Keyword, ...] = Field((), max_length=20)
    classes: tuple[Annotated[int, Field(ge=1, le=10)], ...] = Field(
        (), max_length=10, description="Complaint classes beside which it is offered."
    )
    valid_from: date | None = Field(None, description="Today unless given.")
    valid_to: date | None = Field(None, description="The last day on which it holds.")


class ArticleCorrectionIn(ArticleIn):
    """How it reads from now on, and why."""

    why: str = Field("", max_length=200)


class ArticleWithdrawIn(ComplaintBody):
    """Why it is offered no more."""

    why: str = Field(min_length=1, max_length=200)


class VoteIn(ComplaintBody):
    """Whether it was useful; each person counts once."""

    useful: bool = True


class ArticleSpan(Out):
    """A run of text."""

    text: str
    bold: bool


class ArticleBlock(Out):
    """A paragraph, a heading or a list."""

    kind: BlockKind
    lines: tuple[tuple[ArticleSpan, ...], ...]


class ArticleOut(Out):
    """An article as it reads now."""

    article_id: str
    area: Area
    area_label: str
    question: str
    answer: str
    blocks: tuple[ArticleBlock, ...]
    keywords: tuple[str, ...]
    classes: tuple[int, ...]
    valid_from: date
    valid_to: date | None
    active: bool
    valid: bool
    owner: str
    number: int = Field(description="Of its newest version.")
    votes: int
    voted: bool = Field(description="The caller found it useful.")
    created_at: SiteTime
    updated_at: SiteTime
    updated_by: str
    version: int


class ArticleList(Out):
    """Some articles."""

    items: tuple[ArticleOut, ...]


class ArticleVersionOut(Out):
    """An article as it was saved once."""

    number: int
    area: Area
    question: str
    answer: str
    keywords: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    active: bool
    why: str
    saved_at: SiteTime
    saved_by: str


class ArticleVersions(Out):
    """All that an article ever was, newest first."""

    items: tuple[ArticleVersionOut, ...]
    next_cursor: str | None


class ArticleVersionsQuery(Query):
    """Which page."""

    cursor: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    limit: Limit = 200


class ClassifyIn(ComplaintBody):
    """What the customer says."""

    text: str = Field(min_length=1, max_length=20_000)


class Classified(Out):
    """What the words look like: a suggestion, the person decides."""

    nature: Nature
    nature_label: str
    urgency: Urgency
    urgency_label: str
    sure: bool
    found: tuple[str, ...] = Field(description="The words that speak for the nature.")
    hazards: tuple[str, ...] = Field(description="Dangers that were named: water, electric, gas.")
    hazard_words: tuple[str, ...]
    answer_minutes: int = Field(description="In which time somebody answers, by the company's standard.")
    solve_hours: int
