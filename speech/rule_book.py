"""The book of rules: the version in force, drafts, and the rules that come with the program."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from speech.rule_tables import RuleSetRow, RuleVersionRow
from speech.rules.model import RuleSet, RulesInvalid, parse_rules, shipped_text

LANGUAGE = "zh"
MAX_TEXT = 200_000
MAX_WHY = 200
ENTITY = "speech_rule_set"
PROGRAM = "huifang"


class NoRuleDraft(Conflict):
    """There is nothing to publish or to discard."""

    code = "no_rule_draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesView:
    """The rules of a language: those in force, and the draft of the next version.

    Attributes:
        published: number of the version in force.
        text: YAML of that version.
        draft: YAML of the draft; ``None`` if nobody works on one.
        problems: what is wrong with the draft, a line each.
    """

    language: str
    published: int
    published_at: datetime | None
    published_by: str
    text: str
    draft: str | None
    draft_at: datetime | None
    draft_by: str
    problems: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesVersionView:
    """The rules as they were published once."""

    number: int
    text: str
    why: str
    published_at: datetime
    published_by: str


class RuleBook:
    """Keeps the rules. Those that come with the program are there from the first look on, as version 1."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._shipped = False
        self._number, self._rules = 0, RuleSet(language=LANGUAGE, rules=())

    async def get(self, actor: Actor) -> RulesView:
        """Return the rules. Raises Forbidden."""
        actor.need(Permission.SPEECH_RULES_VIEW)
        await self._ship()
        async with self._database.session() as session:
            return await self._shown(session, await self._load(session, None))

    async def versions(self, actor: Actor) -> tuple[RulesVersionView, ...]:
        """Return what was ever published, newest first. Raises Forbidden."""
        actor.need(Permission.SPEECH_RULES_VIEW)
        await self._ship()
        query = select(RuleVersionRow).where(RuleVersionRow.language == LANGUAGE)
        async with self._database.session() as session:
            rows = await session.scalars(query.order_by(RuleVersionRow.number.desc()).limit(200))
            return tuple(
                RulesVersionView(
                    number=row.number,
                    text=row.text,
                    why=row.why,
                    published_at=row.published_at,
                    published_by=row.published_by,
                )
                for row in rows
            )

    async def in_force(self) -> RuleSet:
        """Return the rules in force. For services; no person asks."""
        await self._ship()
        async with self._database.session() as session:
            row = await self._load(session, None)
            if row.published == self._number:
                return self._rules
            version = await session.get(RuleVersionRow, (LANGUAGE, row.published))
        if version is None:
            raise NotFound("nothing was published under this number", field="number")
        self._number, self._rules = version.number, await read_rules(version.text)
        return self._rules

    async def save_draft(self, actor: Actor, text: str, *, expected: int) -> RulesView:
        """Keep a draft, with the mistakes that it may have.

        Raises:
            Forbidden: the role writes no rules.
            StaleVersion: somebody changed it since.
            Invalid: the text is empty or too long.
        """
        actor.need(Permission.SPEECH_RULES_EDIT)
        text = text.replace("\r\n", "\n")
        if not text.strip() or len(text) > MAX_TEXT:
            raise Invalid(f"text: 1 to {MAX_TEXT} characters", field="text")
        await problems_of(text)
        return await self._put_draft(actor, text, expected, "speech_rules.draft_saved")

    async def discard_draft(self, actor: Actor, *, expected: int) -> RulesView:
        """Throw the draft away. Raises Forbidden, StaleVersion; NoRuleDraft if there is none."""
        actor.need(Permission.SPEECH_RULES_EDIT)
        return await self._put_draft(actor, None, expected, "speech_rules.draft_discarded")

    async def publish(self, actor: Actor, *, expected: int, why: str) -> RulesView:
        """Put the draft in force; conversations that go on are looked at with it from their next sentence.

        Raises:
            Forbidden: the role publishes no rules.
            StaleVersion: somebody changed it since.
            NoRuleDraft: nobody wrote anything new.
            Invalid: no reason, or a too long one.
            RulesInvalid: with every mistake.
        """
        actor.need(Permission.SPEECH_RULES_EDIT)
        why = " ".join(why.split())
        if not 1 <= len(why) <= MAX_WHY:
            raise Invalid(f"why: 1 to {MAX_WHY} characters", field="why")
        await self._ship()
        now = self._clock.now()
        async with self._database.transaction() as session:
            row = await self._load(session, expected)
            if row.draft is None:
                raise NoRuleDraft("there is no draft to publish")
            text = row.draft
            if wrong := await problems_of(text):
                raise RulesInvalid("\n".join(wrong), field="text")
            row.published += 1
            session.add(
                RuleVersionRow(
                    language=LANGUAGE,
                    number=row.published,
                    text=text,
                    why=why,
                    published_at=now,
                    published_by=actor.name,
                    published_by_id=actor.user_id,
                )
            )
            self._write(row, actor, None, now)
            await session.flush()
            shown = await self._shown(session, row)
            await self._note(session, actor, "speech_rules.published", {"number": row.published, "why": why})
            return shown

    async def _put_draft(self, actor: Actor, text: str | None, expected: int, action: str) -> RulesView:
        await self._ship()
        async with self._database.transaction() as session:
            row = await self._load(session, expected)
            if text is None and row.draft is None:
                raise NoRuleDraft("there is no draft that could be thrown away")
            self._write(row, actor, text, self._clock.now())
            await session.flush()
            shown = await self._shown(session, row)
            await self._note(session, actor, action, {"published": row.published})
            return shown

    def _write(self, row: RuleSetRow, actor: Actor, text: str | None, now: datetime) -> None:
        row.draft = text
        row.draft_at, row.draft_by = (now, actor.name) if text is not None else (None, None)
        row.updated_at, row.updated_by = now, actor.name

    async def _note(
        self, session: AsyncSession, actor: Actor, action: str, detail: Mapping[str, Any]
    ) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity=ENTITY,
            entity_id=LANGUAGE,
            detail={"user_id": actor.user_id, **detail},
            session=session,
        )

    async def _load(self, session: AsyncSession, expected: int | None) -> RuleSetRow:
        query = select(RuleSetRow).where(RuleSetRow.language == LANGUAGE)
        row = (await session.execute(query.with_for_update() if expected is not None else query)).scalar_one()
        if expected is not None and row.version != expected:
            raise StaleVersion("the rules were changed by somebody else; read them again", field="If-Match")
        return row

    async def _shown(self, session: AsyncSession, row: RuleSetRow) -> RulesView:
        version = await session.get(RuleVersionRow, (row.language, row.published))
        return RulesView(
            language=row.language,
            published=row.published,
            published_at=version.published_at if version else None,
            published_by=version.published_by if version else "",
            text=version.text if version else "",
            draft=row.draft,
            draft_at=row.draft_at,
            draft_by=row.draft_by or "",
            problems=await problems_of(row.draft) if row.draft is not None else (),
            version=row.version,
        )

    async def _ship(self) -> None:
        """Put the rules that come with the program; another process may be doing so too."""
        if self._shipped:
            return
        async with self._database.session() as session:
            there = await session.get(RuleSetRow, LANGUAGE) is not None
        if not there:
            now = self._clock.now()
            head = {
                "language": LANGUAGE,
                "published": 1,
                "updated_at": now,
                "updated_by": PROGRAM,
                "version": 1,
            }
            version = {
                "language": LANGUAGE,
                "number": 1,
                "text": shipped_text(),
                "why": "",
                "published_at": now,
                "published_by": PROGRAM,
                "published_by_id": "system",
            }
            insert = postgresql.insert if self._database.dialect_name == "postgresql" else sqlite.insert
            async with self._database.transaction() as session:
                await session.execute(insert(RuleSetRow).values(head).on_conflict_do_nothing())
                await session.execute(insert(RuleVersionRow).values(version).on_conflict_do_nothing())
        self._shipped = True


_parsed = lru_cache(maxsize=8)(parse_rules)


async def read_rules(text: str) -> RuleSet:
    """Return the rules of a text, read in a thread: it takes tens of milliseconds. Raises RulesInvalid."""
    return await asyncio.to_thread(_parsed, text)


async def problems_of(text: str) -> tuple[str, ...]:
    """Return what is wrong with a text, a line for each mistake."""
    try:
        await read_rules(text)
    except RulesInvalid as error:
        return tuple(str(error).splitlines())
    return ()
