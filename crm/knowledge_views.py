"""What people write into knowledge articles, and see of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from crm.domain.knowledge import AREA_LABELS, Area, Block, blocks_of, is_valid
from crm.knowledge_tables import ArticleRow, ArticleVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleText:
    """What somebody writes: question and answer, and where they belong.

    Attributes:
        classes: complaint classes beside which it is offered.
        valid_to: the last day on which it holds; ``None`` for no end.
    """

    area: Area
    question: str
    answer: str
    keywords: Sequence[str] = ()
    classes: Sequence[int] = ()
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleView:
    """An article as it reads now.

    Attributes:
        blocks: the answer, parted into paragraphs, headings and lists.
        valid: it holds today and was not withdrawn.
        voted: the actor has found it useful.
    """

    article_id: str
    area: Area
    area_label: str
    question: str
    answer: str
    blocks: tuple[Block, ...]
    keywords: tuple[str, ...]
    classes: tuple[int, ...]
    valid_from: date
    valid_to: date | None
    active: bool
    valid: bool
    owner: str
    owner_id: str
    number: int
    votes: int
    voted: bool
    created_at: datetime
    updated_at: datetime
    updated_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """An article as it was saved once."""

    number: int
    area: Area
    question: str
    answer: str
    blocks: tuple[Block, ...]
    keywords: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    active: bool
    why: str
    saved_at: datetime
    saved_by: str


def view_of(row: ArticleRow, *, today: date, voted: bool) -> ArticleView:
    """Return an article as it reads today."""
    area = Area(row.area)
    return ArticleView(
        article_id=row.id,
        area=area,
        area_label=AREA_LABELS[area],
        question=row.question,
        answer=row.answer,
        blocks=blocks_of(row.answer),
        keywords=tuple(row.keywords),
        classes=tuple(row.classes),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        active=row.active,
        valid=row.active and is_valid(row.valid_from, row.valid_to, today),
        owner=row.owner,
        owner_id=row.owner_id,
        number=row.number,
        votes=row.votes,
        voted=voted,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        version=row.version,
    )


def text_of(row: ArticleRow) -> ArticleText:
    """Return what was written last."""
    return ArticleText(
        area=Area(row.area),
        question=row.question,
        answer=row.answer,
        keywords=tuple(row.keywords),
        classes=tuple(row.classes),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def version_of(row: ArticleVersion) -> VersionView:
    """Return a version as people read it."""
    return VersionView(
        number=row.number,
        area=Area(row.area),
        question=row.question,
        answer=row.answer,
        blocks=blocks_of(row.answer),
        keywords=tuple(row.keywords),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        active=row.active,
        why=row.why,
        saved_at=row.saved_at,
        saved_by=row.saved_by,
    )
