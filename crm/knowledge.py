"""Knowledge articles: written, corrected, withdrawn, read, found useful, offered beside a call."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import tidy_text
from crm.domain.knowledge import (
    Area,
    Candidate,
    Conversation,
    check_validity,
    choose,
    tidy_keywords,
)
from crm.journal import Journal
from crm.knowledge_search import ARTICLES
from crm.knowledge_tables import ArticleRow, ArticleVersion, ArticleVote
from crm.knowledge_views import ArticleText, ArticleView, VersionView, text_of, version_of, view_of
from crm.search import Kind
from crm.search_feed import SearchFeed
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.paging import Page, cut

MAX_QUESTION = 120
MAX_ANSWER = 8000
MAX_WHY = 200
MAX_SUGGESTIONS = 20
MAX_PAGE = 200
MAX_CONVERSATION = 2000
COMPLAINT_CLASSES = range(1, 11)
"""Codes of ``ComplaintClass`` (domain.md §4.3)."""
ENTITY = "knowledge_article"


class Knowledge:
    """Keeps the articles.

    Args:
        zone: the site's; an article is valid by its days.
    """

    def __init__(
        self, database: Database, clock: Clock, journal: Journal, feed: SearchFeed, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._feed = feed
        feed.add(ARTICLES)
        self._zone = zone

    async def write(self, actor: Actor, text: ArticleText) -> ArticleView:
        """Add an article; the actor becomes its owner.

        Raises:
            Forbidden: the role writes no articles.
            Invalid: a field is missing or too long, or the article would never be valid.
        """
        actor.need(Permission.KNOWLEDGE_EDIT)
        text, now = self._tidy(text), self._clock.now()
        async with self._database.transaction() as session:
            row = ArticleRow(
                id=new_ulid(),
                owner_id=actor.user_id,
                owner=actor.name,
                number=0,
                active=True,
                votes=0,
                created_at=now,
                created_by=actor.name,
            )
            session.add(row)
            await self._save(session, actor, row, text, why="", action="knowledge.written")
            return view_of(row, today=self.today(), voted=False)

    async def correct(
        self, actor: Actor, article_id: str, text: ArticleText, *, expected: int, why: str = ""
    ) -> ArticleView:
        """Write an article anew; what it said before is kept as a version. It is in force again.

        Raises:
            Forbidden: the role writes no articles.
            NotFound: no such article.
            StaleVersion: somebody changed it since.
            Invalid: as :meth:`write`.
        """
        actor.need(Permission.KNOWLEDGE_EDIT)
        text = self._tidy(text)
        async with self._database.transaction() as session:
            row = await self._load(session, article_id, expected)
            row.active = True
            await self._save(session, actor, row, text, why=why, action="knowledge.corrected")
            return view_of(row, today=self.today(), voted=await self._voted(session, actor, article_id))

    async def withdraw(self, actor: Actor, article_id: str, *, expected: int, why: str) -> ArticleView:
        """Offer an article no more. It stays readable, with all its versions. Raises as :meth:`correct`."""
        actor.need(Permission.KNOWLEDGE_EDIT)
        why = tidy_text(why, field="why", limit=MAX_WHY)
        async with self._database.transaction() as session:
            row = await self._load(session, article_id, expected)
            row.active = False
            await self._save(session, actor, row, text_of(row), why=why, action="knowledge.withdrawn")
            return view_of(row, today=self.today(), voted=await self._voted(session, actor, article_id))

    async def vote(self, actor: Actor, article_id: str, *, useful: bool = True) -> ArticleView:
        """Say that an article was useful, or take that back; each person counts once.

        Raises:
            Forbidden: the role reads no articles.
            NotFound: no such article.
        """
        actor.need(Permission.KNOWLEDGE_VIEW)
        async with self._database.transaction() as session:
            row = await self._load(session, article_id, None)
            mine = await session.get(ArticleVote, (article_id, actor.user_id))
            if useful is (mine is not None):
                return view_of(row, today=self.today(), voted=useful)
            if mine is None:
                session.add(ArticleVote(article_id=article_id, user_id=actor.user_id, at=self._clock.now()))
            else:
                await session.delete(mine)
            # Not through the row: a vote is no new version of the article.
            change = update(ArticleRow).where(ArticleRow.id == article_id)
            await session.execute(
                change.values(votes=ArticleRow.votes + (1 if useful else -1)),
                execution_options={"synchronize_session": False},
            )
            await session.refresh(row)
            await session.flush()
            return view_of(row, today=self.today(), voted=useful)

    async def read(self, actor: Actor, article_id: str) -> ArticleView:
        """Return an article. Raises Forbidden, NotFound."""
        actor.need(Permission.KNOWLEDGE_VIEW)
        async with self._database.session() as session:
            row = await session.get(ArticleRow, article_id) if is_ulid(article_id) else None
            if row is None:
                raise NotFound("no such article", field="article_id")
            return view_of(row, today=self.today(), voted=await self._voted(session, actor, article_id))

    async def versions(self, actor: Actor, article_id: str) -> tuple[VersionView, ...]:
        """Return all that an article ever was, newest first. Raises Forbidden, NotFound."""
        actor.need(Permission.KNOWLEDGE_VIEW)
        query = select(ArticleVersion).where(ArticleVersion.article_id == article_id)
        async with self._database.session() as session:
            rows = (await session.execute(query.order_by(ArticleVersion.number.desc()))).scalars().all()
        if not rows:
            raise NotFound("no such article", field="article_id")
        return tuple(version_of(row) for row in rows)

    async def version_page(
        self, actor: Actor, article_id: str, *, before: int | None = None, limit: int
    ) -> Page[VersionView]:
        """Return a page of what an article was, from below version ``before``. Raises as :meth:`versions`."""
        actor.need(Permission.KNOWLEDGE_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(ArticleVersion).where(ArticleVersion.article_id == article_id)
        if before is not None:
            query = query.where(ArticleVersion.number < before)
        query = query.order_by(ArticleVersion.number.desc()).limit(limit + 1)
        async with self._database.session() as session:
            if not is_ulid(article_id) or await session.get(ArticleRow, article_id) is None:
                raise NotFound("no such article", field="article_id")
            found = [version_of(row) for row in await session.scalars(query)]
        return cut(found, limit, lambda view: str(view.number))

    async def articles(
        self,
        actor: Actor,
        *,
        area: Area | None = None,
        valid_only: bool = True,
        limit: int = MAX_PAGE,
    ) -> tuple[ArticleView, ...]:
        """Return articles, the most useful first. Raises Forbidden."""
        actor.need(Permission.KNOWLEDGE_VIEW)
        query = select(ArticleRow)
        if area is not None:
            query = query.where(ArticleRow.area == area.value)
        if valid_only:
            query = query.where(ArticleRow.active.is_(True))
        query = query.order_by(ArticleRow.votes.desc(), ArticleRow.id)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
            return await self._shown(session, actor, rows, valid_only=valid_only, limit=limit)

    async def by_ids(self, actor: Actor, ids: Sequence[str]) -> tuple[ArticleView, ...]:
        """Return articles in the order of ``ids``; those that are gone are left out. Raises Forbidden."""
        actor.need(Permission.KNOWLEDGE_VIEW)
        query = select(ArticleRow).where(ArticleRow.id.in_(ids[:MAX_PAGE]))
        async with self._database.session() as session:
            found = {row.id: row for row in (await session.execute(query)).scalars()}
            rows = [found[article_id] for article_id in ids if article_id in found]
            return await self._shown(session, actor, rows, valid_only=False, limit=MAX_PAGE)

    async def suggest(
        self,
        actor: Actor,
        *,
        text: str = "",
        menu_path: Sequence[str] = (),
        class_code: int | None = None,
        area: Area | None = None,
        limit: int = 5,
    ) -> tuple[ArticleView, ...]:
        """Return valid articles that fit a conversation, the best first; none when nothing fits.

        Args:
            text: what is written down so far; only its last :data:`MAX_CONVERSATION` characters are read.
            menu_path: labels that the caller has chosen in the menu.
            class_code: class of the complaint that is being written.

        Raises:
            Forbidden: the role reads no articles.
        """
        told = Conversation(
            text=text[-MAX_CONVERSATION:],
            menu_path=[label[:60] for label in menu_path[:20]],
            class_code=class_code,
            area=area,
        )
        known = await self.articles(actor)
        chosen = choose(
            [
                Candidate(
                    article_id=article.article_id,
                    question=article.question,
                    keywords=article.keywords,
                    area=article.area,
                    classes=article.classes,
                    votes=article.votes,
                )
                for article in known
            ],
            told,
            max(1, min(limit, MAX_SUGGESTIONS)),
        )
        found = {article.article_id: article for article in known}
        return tuple(found[article_id] for article_id in chosen)

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    def _tidy(self, text: ArticleText) -> ArticleText:
        question = " ".join(tidy_text(text.question, field="question", limit=MAX_QUESTION).split())
        if any(code not in COMPLAINT_CLASSES for code in text.classes):
            raise Invalid("no such complaint class", field="classes")
        valid_from = text.valid_from or self.today()
        check_validity(valid_from, text.valid_to)
        return replace(
            text,
            question=question,
            answer=tidy_text(text.answer, field="answer", limit=MAX_ANSWER),
            keywords=tidy_keywords(text.keywords),
            classes=tuple(sorted(set(text.classes))),
            valid_from=valid_from,
        )

    async def _load(self, session: AsyncSession, article_id: str, expected: int | None) -> ArticleRow:
        query = select(ArticleRow).where(ArticleRow.id == article_id).with_for_update()
        row = (await session.execute(query)).scalar_one_or_none() if is_ulid(article_id) else None
        if row is None:
            raise NotFound("no such article", field="article_id")
        if expected is not None and row.version != expected:
            raise StaleVersion("the article was changed by somebody else; read it again", field="If-Match")
        return row

    async def _save(
        self,
        session: AsyncSession,
        actor: Actor,
        row: ArticleRow,
        text: ArticleText,
        *,
        why: str,
        action: str,
    ) -> None:
        now = self._clock.now()
        before = {"question": row.question, "area": row.area, "active": row.active} if row.number else {}
        row.area, row.question, row.answer = text.area.value, text.question, text.answer
        row.keywords, row.classes = list(text.keywords), list(text.classes)
        row.valid_from, row.valid_to = text.valid_from or self.today(), text.valid_to
        row.number += 1
        row.updated_at, row.updated_by = now, actor.name
        await session.flush()
        why = tidy_text(why, field="why", limit=MAX_WHY, required=False)
        session.add(
            ArticleVersion(
                article_id=row.id,
                number=row.number,
                area=row.area,
                question=row.question,
                answer=row.answer,
                keywords=row.keywords,
                classes=row.classes,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                active=row.active,
                why=why,
                saved_at=now,
                saved_by=actor.name,
                saved_by_id=actor.user_id,
            )
        )
        await self._feed.put(session, Kind.ARTICLE, row.id)
        await self._journal.note(
            session,
            actor,
            action,
            entity=ENTITY,
            entity_id=row.id,
            before=before,
            after={"question": row.question, "area": row.area, "active": row.active, "number": row.number},
            why=why,
        )

    async def _voted(self, session: AsyncSession, actor: Actor, article_id: str) -> bool:
        return await session.get(ArticleVote, (article_id, actor.user_id)) is not None

    async def _shown(
        self,
        session: AsyncSession,
        actor: Actor,
        rows: Iterable[ArticleRow],
        *,
        valid_only: bool,
        limit: int,
    ) -> tuple[ArticleView, ...]:
        mine = select(ArticleVote.article_id).where(ArticleVote.user_id == actor.user_id)
        voted = set((await session.execute(mine)).scalars())
        views = [view_of(row, today=self.today(), voted=row.id in voted) for row in rows]
        return tuple([view for view in views if view.valid or not valid_only][: max(1, min(limit, MAX_PAGE))])
