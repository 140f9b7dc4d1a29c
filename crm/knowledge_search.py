"""Knowledge articles as the search knows them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.knowledge import plain_of
from crm.knowledge_tables import ArticleRow
from crm.search import Document, Kind
from crm.search_feed import Source


async def article_documents(session: AsyncSession, ids: Sequence[str]) -> list[Document]:
    """Return articles as the search knows them; one that was withdrawn is not found."""
    query = select(ArticleRow).where(ArticleRow.id.in_(ids), ArticleRow.active.is_(True))
    return [
        Document(
            kind=Kind.ARTICLE,
            ref_id=row.id,
            customer_id=None,
            title=row.question,
            texts=(plain_of(row.answer), " ".join(row.keywords)),
            updated_at=row.updated_at,
        )
        for row in (await session.execute(query)).scalars()
    ]


ARTICLES = Source(
    kind=Kind.ARTICLE, key=ArticleRow.id, load=article_documents, only=ArticleRow.active.is_(True)
)
"""What makes a :class:`SearchFeed` read articles: ``feed.add(ARTICLES)``."""
