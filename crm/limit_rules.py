"""Limit policies in the database: which set counts when, and each version as it was loaded."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.limit_file import parse_policy
from crm.domain.limits import NoSuchLimit, Policy
from crm.limit_tables import LimitChoiceRow, LimitPolicyRow
from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.ids import new_ulid

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
"""From when the sets count that come with the product."""
SHIPPED = ("A", "B")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A version of a set as loaded."""

    policy_id: str
    set_name: str
    version: int
    effective_from: datetime
    loaded_by: str
    policy: Policy


_EFFECTIVE = (
    select(LimitPolicyRow)
    .where(LimitPolicyRow.set_name == bindparam("set_name"), LimitPolicyRow.effective_from <= bindparam("at"))
    .order_by(LimitPolicyRow.effective_from.desc(), LimitPolicyRow.version.desc())
    .limit(1)
)
_CHOICE = (
    select(LimitChoiceRow.set_name)
    .where(LimitChoiceRow.effective_from <= bindparam("at"))
    .order_by(LimitChoiceRow.effective_from.desc(), LimitChoiceRow.id.desc())
    .limit(1)
)


class PolicyBook:
    """Reads, loads and chooses limit sets.

    Args:
        default_set: the set that counts until another is chosen.
    """

    def __init__(self, clock: Clock, default_set: str = "A") -> None:
        self._clock = clock
        self._default = default_set
        self._known: dict[str, PolicyVersion] = {}

    async def chosen_set(self, session: AsyncSession, at: datetime) -> str:
        """Return the name of the set that new records get at ``at``."""
        return await session.scalar(_CHOICE, {"at": at}) or self._default

    async def effective(
        self, session: AsyncSession, at: datetime, set_name: str | None = None
    ) -> PolicyVersion:
        """Return the version that counts for a record which begins at ``at``.

        Raises:
            NoSuchLimit: no such set.
        """
        name = set_name or await self.chosen_set(session, at)
        row = await session.scalar(_EFFECTIVE, {"set_name": name, "at": at})
        if row is None:
            if name not in SHIPPED:
                raise NoSuchLimit(
                    f"there is no limit set {name} in effect: «huifang limits show» lists them", field="set"
                )
            await self._put_shipped(session, name)
            row = await session.scalar(_EFFECTIVE, {"set_name": name, "at": max(at, ALWAYS)})
            assert row is not None
        return self._remember(row)

    async def version(self, session: AsyncSession, policy_id: str) -> PolicyVersion:
        """Return a version by its id; from memory once read, since versions never change."""
        found = self._known.get(policy_id)
        if found is None:
            row = await session.get(LimitPolicyRow, policy_id)
            if row is None:
                raise NoSuchLimit(f"there is no limit policy {policy_id}")
            found = self._remember(row)
        return found

    async def versions(self, session: AsyncSession) -> tuple[PolicyVersion, ...]:
        """Return every version of every set, the shipped ones included."""
        for name in SHIPPED:
            await self.effective(session, self._clock.now(), name)
        order = (LimitPolicyRow.set_name, LimitPolicyRow.version)
        rows = await session.scalars(select(LimitPolicyRow).order_by(*order))
        return tuple(self._remember(row) for row in rows)

    async def load(
        self,
        session: AsyncSession,
        text: str,
        *,
        source: str,
        effective_from: datetime | None = None,
        by: str,
    ) -> PolicyVersion:
        """Store a set's next version, which counts from now unless said otherwise.

        Raises:
            ConfigurationError: the file is wrong, a line for each mistake.
            Invalid: it is to count from before now: what has begun keeps the version it began under.
        """
        policy = parse_policy(text, source)
        now = self._clock.now()
        effective_from = effective_from or now
        if effective_from < now:
            raise Invalid(
                f"{source}: from {effective_from:%Y-%m-%d %H:%M} is past; a version counts from now at the "
                "earliest",
                field="from",
            )
        if policy.set_name in SHIPPED:
            await self.effective(session, now, policy.set_name)
        newest = select(func.max(LimitPolicyRow.version)).where(LimitPolicyRow.set_name == policy.set_name)
        row = LimitPolicyRow(
            id=new_ulid(),
            set_name=policy.set_name,
            version=(await session.scalar(newest) or 0) + 1,
            effective_from=effective_from,
            title=policy.title,
            body=text,
            loaded_by=by[:120],
            loaded_at=now,
        )
        session.add(row)
        await session.flush()
        return self._remember(row)

    async def choose(
        self, session: AsyncSession, set_name: str, *, effective_from: datetime | None = None, by: str
    ) -> datetime:
        """Use a set for new records from then on, or from now; return the moment.

        Raises:
            NoSuchLimit: no version of it counts by then.
            Conflict: that is before now.
        """
        now = self._clock.now()
        effective_from = effective_from or now
        if effective_from < now:
            raise Conflict("a set is chosen from now on at the earliest", field="from")
        await self.effective(session, effective_from, set_name)
        session.add(
            LimitChoiceRow(
                id=new_ulid(),
                set_name=set_name,
                effective_from=effective_from,
                chosen_by=by[:120],
                chosen_at=now,
            )
        )
        await session.flush()
        return effective_from

    async def _put_shipped(self, session: AsyncSession, name: str) -> None:
        """Store version 1 of a set that comes with the product; another process may be doing so too."""
        text = shipped_text(name)
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        values = {
            "id": new_ulid(),
            "set_name": name,
            "version": 1,
            "effective_from": ALWAYS,
            "title": parse_policy(text, f"{name}.yaml").title,
            "body": text,
            "loaded_by": "huifang",
            "loaded_at": self._clock.now(),
        }
        await session.execute(insert(LimitPolicyRow).values(values).on_conflict_do_nothing())

    def _remember(self, row: LimitPolicyRow) -> PolicyVersion:
        found = self._known.get(row.id)
        if found is None:
            found = self._known[row.id] = PolicyVersion(
                policy_id=row.id,
                set_name=row.set_name,
                version=row.version,
                effective_from=row.effective_from,
                loaded_by=row.loaded_by,
                policy=parse_policy(row.body, f"limit set {row.set_name}/{row.version}", complete=False),
            )
        return found


def shipped_text(name: str) -> str:
    """Return the YAML of a set that comes with the product."""
    return (files("crm") / "limit_policies" / f"{name}.yaml").read_text(encoding="utf-8")
