"""The book of questionnaires: drafts, published versions, and the sets that come with the program."""

from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.questionnaire_problems import Problem, QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_yaml import MAX_TEXT, read_questionnaire
from callback_campaigns.questionnaire_sets import SHIPPED, shipped, shipped_text
from callback_campaigns.questionnaire_tables import QuestionnaireRow, QuestionnaireVersionRow
from callback_campaigns.questionnaire_views import (
    Published,
    QuestionnaireView,
    VersionView,
    examined,
    problems_of,
)
from crm.journal import Journal
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion

MAX_WHY = 200
ENTITY = "questionnaire"
PROGRAM = "huifang"


class NoDraft(Conflict):
    """There is nothing to publish or to discard."""

    code = "no_draft"


class QuestionnaireBook:
    """Keeps questionnaires.

    A shipped set is there from the first look on, as version 1.
    """

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._complete = False
        # Published versions never change, so what was read once holds.
        self._known: dict[tuple[str, int], Questionnaire] = {}

    async def all(self, actor: Actor) -> tuple[QuestionnaireView, ...]:
        """Return all questionnaires, the shipped ones first, in the order of a project. Raises Forbidden."""
        actor.need(Permission.QUESTIONNAIRES_VIEW)
        await self._ship()
        query = select(QuestionnaireRow, QuestionnaireVersionRow).join_from(
            QuestionnaireRow, QuestionnaireVersionRow, _IN_FORCE, isouter=True
        )
        async with self._database.session() as session:
            found = [_view(row, version) for row, version in await session.execute(query)]
        places = {code: place for place, code in enumerate(SHIPPED)}
        return tuple(sorted(found, key=lambda view: (places.get(view.code, len(places)), view.code)))

    async def get(self, actor: Actor, code: str) -> QuestionnaireView:
        """Return a questionnaire. Raises Forbidden, NotFound."""
        actor.need(Permission.QUESTIONNAIRES_VIEW)
        await self._ship()
        async with self._database.session() as session:
            return await self._shown(session, await self._load(session, code, None))

    async def versions(self, actor: Actor, code: str) -> tuple[VersionView, ...]:
        """Return what was ever published, newest first. Raises Forbidden, NotFound."""
        await self.get(actor, code)
        query = select(QuestionnaireVersionRow).where(QuestionnaireVersionRow.code == code)
        async with self._database.session() as session:
            rows = await session.scalars(query.order_by(QuestionnaireVersionRow.number.desc()))
            return tuple(_version(row) for row in rows)

    async def published(self, code: str, number: int | None = None) -> Published:
        """Return what is asked now, or what was asked under a number. For services; no person asks.

        Raises:
            NotFound: no such questionnaire, or nothing of it was published under that number.
        """
        if number is not None and (code, number) in self._known:
            return Published(code=code, number=number, questionnaire=self._known[code, number])
        await self._ship()
        async with self._database.session() as session:
            row = await self._load(session, code, None)
            wanted = row.published if number is None else number
            version = await session.get(QuestionnaireVersionRow, (code, wanted))
        if version is None:
            raise NotFound("nothing was published under this number", field="number")
        found = self._known.get((code, wanted)) or _read(version.text)
        self._known[code, wanted] = found
        return Published(code=code, number=wanted, questionnaire=found)

    async def in_force(self) -> tuple[Published, ...]:
        """Return every questionnaire as it is asked now. For services; no person asks."""
        await self._ship()
        query = select(QuestionnaireRow.code, QuestionnaireRow.published).where(
            QuestionnaireRow.published > 0
        )
        async with self._database.session() as session:
            found = (await session.execute(query.order_by(QuestionnaireRow.code))).all()
        return tuple([await self.published(code, number) for code, number in found])

    async def confidential(self) -> frozenset[str]:
        """Return the items whose answers are for the managers only, in whichever version. For services."""
        await self._ship()
        query = select(QuestionnaireVersionRow.code, QuestionnaireVersionRow.number)
        async with self._database.session() as session:
            found = (await session.execute(query)).all()
        known = [(await self.published(code, number)).questionnaire for code, number in found]
        return frozenset(item.id for each in known for item in each.items if item.is_confidential)

    async def check(self, actor: Actor, text: str) -> tuple[Problem, ...]:
        """Return what is wrong with a text. Raises Forbidden."""
        actor.need(Permission.QUESTIONNAIRES_VIEW)
        return await examined(text)

    async def begin(self, actor: Actor, text: str) -> QuestionnaireView:
        """Begin a questionnaire of one's own with its first draft.

        Raises:
            Forbidden: the role writes no questionnaires.
            QuestionnaireInvalid: with every mistake.
            Conflict: there is one with this code.
        """
        actor.need(Permission.QUESTIONNAIRES_EDIT)
        if wrong := await examined(text):
            raise QuestionnaireInvalid(wrong)
        found = read_questionnaire(text)
        await self._ship()
        now = self._clock.now()
        async with self._database.transaction() as session:
            if await session.get(QuestionnaireRow, found.code) is not None:
                raise Conflict(f"there is a questionnaire {found.code}", field="code")
            row = QuestionnaireRow(
                code=found.code,
                title=found.title,
                published=0,
                created_at=now,
                created_by=actor.name,
            )
            self._write(row, actor, text, now)
            session.add(row)
            await session.flush()
            await self._note(session, actor, "questionnaire.begun", row)
            return await self._shown(session, row)

    async def save_draft(self, actor: Actor, code: str, text: str, *, expected: int) -> QuestionnaireView:
        """Keep a draft, with the mistakes that it may have.

        Raises:
            Forbidden: the role writes no questionnaires.
            NotFound: no such questionnaire.
            StaleVersion: somebody changed it since.
            Invalid: the text is empty or too long.
        """
        actor.need(Permission.QUESTIONNAIRES_EDIT)
        if not text.strip() or len(text) > MAX_TEXT:
            raise Invalid(f"1 to {MAX_TEXT} characters", field="text")
        await examined(text)
        await self._ship()
        async with self._database.transaction() as session:
            row = await self._load(session, code, expected)
            self._write(row, actor, text, self._clock.now())
            await session.flush()
            await self._note(session, actor, "questionnaire.draft_saved", row)
            return await self._shown(session, row)

    async def discard_draft(self, actor: Actor, code: str, *, expected: int) -> QuestionnaireView:
        """Throw a draft away. Raises Forbidden, NotFound, StaleVersion; NoDraft if there is none to throw."""
        actor.need(Permission.QUESTIONNAIRES_EDIT)
        await self._ship()
        async with self._database.transaction() as session:
            row = await self._load(session, code, expected)
            if row.draft is None or not row.published:
                raise NoDraft("there is no draft that could be thrown away")
            self._write(row, actor, None, self._clock.now())
            await session.flush()
            await self._note(session, actor, "questionnaire.draft_discarded", row)
            return await self._shown(session, row)

    async def publish(self, actor: Actor, code: str, *, expected: int, why: str) -> QuestionnaireView:
        """Ask from now on what the draft says. Calls in progress end with the version they began with.

        Raises:
            Forbidden: the role publishes no questionnaires.
            NotFound: no such questionnaire.
            StaleVersion: somebody changed it since.
            NoDraft: nobody wrote anything new.
            Invalid: no reason, or a too long one.
            QuestionnaireInvalid: with every mistake.
        """
        actor.need(Permission.QUESTIONNAIRES_PUBLISH)
        why = " ".join(why.split())
        if not 1 <= len(why) <= MAX_WHY:
            raise Invalid(f"why: 1 to {MAX_WHY} characters", field="why")
        await self._ship()
        now = self._clock.now()
        async with self._database.transaction() as session:
            row = await self._load(session, code, expected)
            if row.draft is None:
                raise NoDraft("there is no draft to publish")
            found = read_questionnaire(row.draft)
            if found.code != code:
                raise QuestionnaireInvalid(
                    [Problem(0, "", f"code: the text says {found.code}, but it is published as {code}")]
                )
            before = {"published": row.published, "title": row.title}
            text, row.title, row.published = row.draft, found.title, row.published + 1
            session.add(
                QuestionnaireVersionRow(
                    code=code,
                    number=row.published,
                    title=found.title,
                    text=text,
                    why=why,
                    published_at=now,
                    published_by=actor.name,
                    published_by_id=actor.user_id,
                )
            )
            self._write(row, actor, None, now)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "questionnaire.published",
                entity=ENTITY,
                entity_id=code,
                before=before,
                after={"published": row.published, "title": row.title},
                why=why,
            )
            return await self._shown(session, row)

    def _write(self, row: QuestionnaireRow, actor: Actor, text: str | None, now: datetime) -> None:
        row.draft = text
        row.draft_at, row.draft_by = (now, actor.name) if text is not None else (None, None)
        row.updated_at, row.updated_by = now, actor.name

    async def _note(self, session: AsyncSession, actor: Actor, action: str, row: QuestionnaireRow) -> None:
        await self._journal.note(
            session, actor, action, entity=ENTITY, entity_id=row.code, after={"draft": row.draft is not None}
        )

    async def _load(self, session: AsyncSession, code: str, expected: int | None) -> QuestionnaireRow:
        query = select(QuestionnaireRow).where(QuestionnaireRow.code == code)
        row = (await session.execute(query.with_for_update() if expected is not None else query)).scalar()
        if row is None:
            raise NotFound("no such questionnaire", field="questionnaire_code")
        if expected is not None and row.version != expected:
            raise StaleVersion(
                "the questionnaire was changed by somebody else; read it again", field="If-Match"
            )
        return row

    async def _shown(self, session: AsyncSession, row: QuestionnaireRow) -> QuestionnaireView:
        version = await session.get(QuestionnaireVersionRow, (row.code, row.published))
        return _view(row, version)

    async def _ship(self) -> None:
        """Put the sets that come with the program; another process may be doing so too."""
        if self._complete:
            return
        async with self._database.session() as session:
            there = set(await session.scalars(select(QuestionnaireRow.code)))
        missing = [code for code in SHIPPED if code not in there]
        if missing:
            async with self._database.transaction() as session:
                for code in missing:
                    await self._put(session, code)
        self._complete = True

    async def _put(self, session: AsyncSession, code: str) -> None:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        now, title = self._clock.now(), shipped(code).title
        head = {
            "code": code,
            "title": title,
            "published": 1,
            "created_at": now,
            "created_by": PROGRAM,
            "updated_at": now,
            "updated_by": PROGRAM,
            "version": 1,
        }
        version = {
            "code": code,
            "number": 1,
            "title": title,
            "text": shipped_text(code),
            "why": "",
            "published_at": now,
            "published_by": PROGRAM,
            "published_by_id": "system",
        }
        await session.execute(insert(QuestionnaireRow).values(head).on_conflict_do_nothing())
        await session.execute(insert(QuestionnaireVersionRow).values(version).on_conflict_do_nothing())


_IN_FORCE = (QuestionnaireVersionRow.code == QuestionnaireRow.code) & (
    QuestionnaireVersionRow.number == QuestionnaireRow.published
)


def _view(row: QuestionnaireRow, version: QuestionnaireVersionRow | None) -> QuestionnaireView:
    return QuestionnaireView(
        code=row.code,
        title=row.title,
        published=row.published,
        published_at=version.published_at if version else None,
        published_by=version.published_by if version else "",
        text=version.text if version else "",
        draft=row.draft,
        draft_at=row.draft_at,
        draft_by=row.draft_by or "",
        problems=problems_of(row.draft) if row.draft is not None else (),
        version=row.version,
    )


# Several services read the same texts, the first of them before anybody is called.
_read = lru_cache(maxsize=256)(read_questionnaire)


def _version(row: QuestionnaireVersionRow) -> VersionView:
    return VersionView(
        code=row.code,
        number=row.number,
        title=row.title,
        text=row.text,
        why=row.why,
        published_at=row.published_at,
        published_by=row.published_by,
    )
