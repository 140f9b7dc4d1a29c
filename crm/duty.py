"""Who is on duty, what happened, and the patrols of a day (domain.md §1.13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError

from crm.cases import MAX_PAGE, tidy_text
from crm.domain.duty import PatrolSlot, Shift, check_patrol, check_roster_day, missing
from crm.duty_tables import DutyEntry, DutyShift, PatrolRow
from crm.journal import Journal
from crm.members import Members
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, Invalid, StaleVersion
from kernel.ids import new_ulid

ENTITY = "duty"
MAX_TEXT = 1000
MAX_PEOPLE = 20
MAX_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyPerson:
    """Somebody on duty."""

    user_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftView:
    """Who is on duty; ``version`` is 0 while nobody was named."""

    day: date
    shift: Shift
    people: tuple[DutyPerson, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """A line of the log."""

    entry_id: str
    day: date
    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """A page of the log; ``next_cursor`` leads on."""

    items: tuple[EntryView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatrolView:
    """A patrol that was made; ``sound``: nothing was found."""

    day: date
    slot: PatrolSlot
    at: datetime
    by: str
    sound: bool
    found: str
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PatrolDay:
    """The patrols of a day, and those that should have been made by now."""

    day: date
    done: tuple[PatrolView, ...]
    missing: tuple[PatrolSlot, ...]


class Duty:
    """Keeps roster, log and patrols.

    Args:
        zone: the site's; days are its days.
        members: knows the users.
    """

    def __init__(
        self, database: Database, clock: Clock, journal: Journal, members: Members, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._members = members
        self._zone = zone

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def roster(self, actor: Actor, since: date, days: int = 7) -> tuple[ShiftView, ...]:
        """Return who is on duty on some days, shift by shift, empty ones included.

        Raises:
            Forbidden: the role sees one department alone.
            Invalid: too many days.
        """
        actor.need(Permission.CASES_VIEW_ALL)
        if not 1 <= days <= MAX_DAYS:
            raise Invalid(f"1 to {MAX_DAYS} days", field="days")
        wanted = [since + timedelta(days=number) for number in range(days)]
        query = select(DutyShift).where(DutyShift.day.between(wanted[0], wanted[-1]))
        async with self._database.session() as session:
            rows = {(row.day, row.shift): row for row in await session.scalars(query)}
        return tuple(_shift(day, shift, rows.get((day, shift.value))) for day in wanted for shift in Shift)

    async def plan(
        self, actor: Actor, day: date, shift: Shift, user_ids: Sequence[str], *, expected: int
    ) -> ShiftView:
        """Say who is on duty in a shift, instead of whoever was.

        Raises:
            Forbidden: the role plans no duty.
            Invalid: the day has passed or lies too far ahead; no active user, too many, or one twice.
            StaleVersion: somebody changed it since; ``expected`` is 0 for a shift that has nobody.
        """
        actor.need(Permission.DUTY_PLAN)
        check_roster_day(day, self.today())
        if len(user_ids) > MAX_PEOPLE or len(set(user_ids)) != len(user_ids):
            raise Invalid(f"at most {MAX_PEOPLE} people, each once", field="user_ids")
        async with self._database.transaction() as session:
            people = []
            for user_id in user_ids:
                person = await self._members.actor(session, user_id)
                if person is None:
                    raise Invalid("no such active user", field="user_ids")
                people.append({"user_id": person.user_id, "name": person.name})
            query = select(DutyShift).where(DutyShift.day == day, DutyShift.shift == shift.value)
            row = await session.scalar(query.with_for_update())
            if (row.version if row is not None else 0) != expected:
                raise StaleVersion("somebody else changed the shift; read it again", field="If-Match")
            before = [one["name"] for one in row.people] if row is not None else []
            if row is None:
                row = DutyShift(id=new_ulid(), day=day, shift=shift.value)
                session.add(row)
            row.people, row.updated_at, row.updated_by = people, self._clock.now(), actor.name
            try:
                await session.flush()
            except IntegrityError as error:
                raise StaleVersion(
                    "somebody else changed the shift; read it again", field="If-Match"
                ) from error
            await self._journal.note(
                session,
                actor,
                "duty.planned",
                entity=ENTITY,
                entity_id=f"{day}/{shift.value}",
                before={"people": before},
                after={"people": [one["name"] for one in people]},
            )
            return _shift(day, shift, row)

    async def log(self, actor: Actor, text: str) -> EntryView:
        """Add a line to the log. Raises Forbidden, Invalid."""
        actor.need(Permission.CASES_REGISTER)
        kept = tidy_text(text, field="text", limit=MAX_TEXT)
        now = self._clock.now()
        async with self._database.transaction() as session:
            row = DutyEntry(
                id=new_ulid(), day=self.today(), at=now, by=actor.name, by_id=actor.user_id, text=kept
            )
            session.add(row)
            await session.flush()
            await self._journal.note(session, actor, "duty.logged", entity=ENTITY, entity_id=row.id)
            return _entry(row)

    async def entries(
        self, actor: Actor, *, day: date | None = None, cursor: str | None = None, limit: int = 50
    ) -> EntryPage:
        """Return lines of the log, the newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.CASES_VIEW_ALL)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(DutyEntry).order_by(DutyEntry.at.desc(), DutyEntry.id.desc()).limit(limit + 1)
        if day is not None:
            query = query.where(DutyEntry.day == day)
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(DutyEntry.at < at, and_(DutyEntry.at == at, DutyEntry.id < key)))
        async with self._database.session() as session:
            found = [_entry(row) for row in await session.scalars(query)]
        last = found[limit - 1] if len(found) > limit else None
        return EntryPage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(last.at, last.entry_id) if last is not None else None,
        )

    async def patrol(self, actor: Actor, slot: PatrolSlot, *, sound: bool, found: str = "") -> PatrolView:
        """Write today's patrol of a slot down, once.

        Raises:
            Forbidden: the role is not on the desk.
            Invalid: something was found, and not what.
            Conflict: it was written down already.
            PatrolOutOfTime: the slot has not begun.
        """
        actor.need(Permission.CASES_REGISTER)
        text = tidy_text(found, field="found", limit=MAX_TEXT, required=not sound)
        now = self._clock.now()
        late = check_patrol(slot, now, self._zone)
        async with self._database.transaction() as session:
            row = PatrolRow(
                id=new_ulid(),
                day=self.today(),
                slot=slot.value,
                at=now,
                by=actor.name,
                by_id=actor.user_id,
                sound=sound,
                found=text,
                late=late,
            )
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise Conflict("this patrol was written down already", field="slot") from error
            after = {"day": row.day, "slot": slot, "sound": sound, "late": late}
            await self._journal.note(
                session, actor, "duty.patrol", entity=ENTITY, entity_id=row.id, after=after
            )
            return _patrol(row)

    async def patrols(self, actor: Actor, since: date, days: int = 7) -> tuple[PatrolDay, ...]:
        """Return the patrols of some days, and which are missing. Raises Forbidden, Invalid."""
        actor.need(Permission.CASES_VIEW_ALL)
        if not 1 <= days <= MAX_DAYS:
            raise Invalid(f"1 to {MAX_DAYS} days", field="days")
        wanted = [since + timedelta(days=number) for number in range(days)]
        query = select(PatrolRow).where(PatrolRow.day.between(wanted[0], wanted[-1])).order_by(PatrolRow.at)
        async with self._database.session() as session:
            rows = [_patrol(row) for row in await session.scalars(query)]
        now, answer = self._clock.now(), []
        for day in wanted:
            done = tuple(row for row in rows if row.day == day)
            slots = {row.slot for row in done}
            answer.append(PatrolDay(day=day, done=done, missing=missing(day, slots, now, self._zone)))
        return tuple(answer)


def _shift(day: date, shift: Shift, row: DutyShift | None) -> ShiftView:
    people = tuple(DutyPerson(**one) for one in row.people) if row is not None else ()
    return ShiftView(day=day, shift=shift, people=people, version=row.version if row is not None else 0)


def _entry(row: DutyEntry) -> EntryView:
    return EntryView(entry_id=row.id, day=row.day, at=row.at, by=row.by, text=row.text)


def _patrol(row: PatrolRow) -> PatrolView:
    return PatrolView(
        day=row.day,
        slot=PatrolSlot(row.slot),
        at=row.at,
        by=row.by,
        sound=row.sound,
        found=row.found,
        late=row.late,
    )
