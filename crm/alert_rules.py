"""Keeps the rules of what is to be told at once: versions with the day from which they are in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.alert_rule_tables import AlertRuleRow
from crm.domain.alert_rules import USUAL, AlertRules, HeapRule, Heaps, Subject, check_heaps, check_words
from crm.domain.watchwords import About, Words, shipped_watchwords
from crm.journal import Journal
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, StaleVersion
from kernel.paging import MAX_PAGE, Page

ENTITY = "alert_rule"
FARTHEST = timedelta(days=366)
MAX_WHY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRules:
    """Rules to put in force.

    Attributes:
        starts_on: a day of the site's; ``None`` for at once.
    """

    words: Mapping[About, Sequence[str]]
    heaps: Heaps
    starts_on: date | None = None
    why: str = ""


class AlertRuleBook:
    """Reads and publishes the rules.

    Args:
        base: the words while nothing was published: the centre's own file, or the product's.
        zone: the site's.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        journal: Journal,
        *,
        zone: ZoneInfo,
        base: Words | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._zone = zone
        self._base = base

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def current(self, actor: Actor) -> AlertRules:
        """Return the rules in force. Raises Forbidden."""
        actor.need(Permission.LIMITS_VIEW)
        async with self._database.session() as session:
            return await rules_at(session, self._clock.now(), self._base)

    async def latest(self, actor: Actor) -> int:
        """Return the number of the version that was published last. Raises Forbidden."""
        actor.need(Permission.LIMITS_VIEW)
        async with self._database.session() as session:
            return await _latest(session)

    async def versions(self, actor: Actor, *, cursor: str | None = None, limit: int = 50) -> Page[AlertRules]:
        """Return a page of what was published, the newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.LIMITS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(AlertRuleRow).order_by(AlertRuleRow.version.desc()).limit(limit + 1)
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
                raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
            query = query.where(AlertRuleRow.version < int(cursor))
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        more = str(rows[limit - 1].version) if len(rows) > limit else None
        return Page(tuple(_rules(row) for row in rows[:limit]), more)

    async def publish(self, actor: Actor, new: NewRules, *, expected: int) -> AlertRules:
        """Put rules in force at once or from a later day on; they take the place of those that lie ahead.

        What was told before stays told.

        Raises:
            Forbidden: the role configures no limits.
            Invalid: a word, a number or a day that cannot be.
            StaleVersion: somebody published meanwhile.
        """
        actor.need(Permission.LIMITS_CONFIGURE)
        words, heaps, now = check_words(new.words), check_heaps(new.heaps), self._clock.now()
        if len(new.why) > MAX_WHY:
            raise Invalid(f"at most {MAX_WHY} characters", field="why")
        starts = self._starts(new.starts_on, now)
        async with self._database.transaction() as session:
            before = await _latest(session)
            if before != expected:
                raise StaleVersion("the rules were changed meanwhile; read them again", field="If-Match")
            old = await rules_at(session, now, self._base)
            row = AlertRuleRow(
                version=before + 1,
                valid_from=starts,
                words={about.value: list(found) for about, found in words.items()},
                clusters={key.value: [rule.needed, rule.days] for key, rule in heaps.items()},
                why=new.why.strip(),
                created_at=now,
                created_by=actor.name,
            )
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise StaleVersion(
                    "the rules were changed meanwhile; read them again", field="If-Match"
                ) from error
            found = _rules(row)
            await self._journal.note(
                session,
                actor,
                "alerts.rules_set",
                entity=ENTITY,
                entity_id=str(row.version),
                before=_values(old),
                after=_values(found) | {"valid_from": starts},
                why=row.why,
            )
        return found

    def _starts(self, day: date | None, now: datetime) -> datetime:
        if day is None or day == self.today():
            return now
        if day < self.today():
            raise Invalid("has passed: what was told stays told", field="starts_on")
        if day > self.today() + FARTHEST:
            raise Invalid("at most a year ahead", field="starts_on")
        return datetime.combine(day, time(), self._zone)


async def rules_at(session: AsyncSession, at: datetime, base: Words | None = None) -> AlertRules:
    """Return the rules in force at a moment; ``base`` are the words while nothing was published."""
    query = (
        select(AlertRuleRow)
        .where(AlertRuleRow.valid_from <= at)
        .order_by(AlertRuleRow.version.desc())
        .limit(1)
    )
    row = await session.scalar(query)
    if row is not None:
        return _rules(row)
    return AlertRules(version=0, valid_from=None, words=base or shipped_watchwords(), heaps=USUAL)


async def _latest(session: AsyncSession) -> int:
    return await session.scalar(select(func.max(AlertRuleRow.version))) or 0


def _rules(row: AlertRuleRow) -> AlertRules:
    return AlertRules(
        version=row.version,
        valid_from=row.valid_from,
        words={about: tuple(row.words.get(about.value, ())) for about in About},
        heaps={
            subject: HeapRule(*row.clusters[subject.value])
            for subject in Subject
            if subject.value in row.clusters
        },
        why=row.why,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _values(rules: AlertRules) -> dict[str, object]:
    words: dict[str, object] = {f"words.{about.value}": list(found) for about, found in rules.words.items()}
    heaps: dict[str, object] = {
        f"heaps.{key.value}": [rule.needed, rule.days] for key, rule in rules.heaps.items()
    }
    return words | heaps
