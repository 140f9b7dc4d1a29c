"""Posts what the rules for quality deposits ask for: withholding and release, each once (domain.md §1.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE
from crm.deposit_rule_tables import DepositRuleRow, DepositShareRow
from crm.deposits import ENTITY, Deposits, balance_of, owed_by
from crm.domain.deposit import NOTHING, PostingKind
from crm.domain.deposit_rule import DepositRule, check_rule, release_on, rule_on, to_release, to_withhold
from crm.domain.project import Stage
from crm.journal import Journal
from crm.people_tables import StageEventRow
from crm.repair_tables import DepositPostingRow
from crm.tables import Crew, Project
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid

AT_ONCE = 500
"""Projects that one run takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewDeposit:
    """A crew's account in figures.

    Attributes:
        withheld: of completed projects, what was paid out again left out.
        missing: of the initial payment that the rule in force asks for.
        next_release: the next day on which something is to be paid out.
    """

    crew_id: str
    crew: str
    status: str
    balance: Decimal
    owed: Decimal
    projects: int
    withheld: Decimal
    missing: Decimal
    next_release: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a run did: projects of which something was withheld, and paid out; with the sums."""

    withheld: int = 0
    withheld_sum: Decimal = NOTHING
    released: int = 0
    released_sum: Decimal = NOTHING


class DepositRules:
    """Keeps the rules and carries them out.

    Args:
        deposits: posts to the accounts.
        zone: the site's; days are its days.
    """

    def __init__(
        self, database: Database, clock: Clock, journal: Journal, deposits: Deposits, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._deposits = deposits
        self._zone = zone

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def rules(self, actor: Actor) -> tuple[DepositRule, ...]:
        """Return the rules, the newest first. Raises Forbidden."""
        actor.need(Permission.DEPOSITS_VIEW)
        async with self._database.session() as session:
            return tuple(reversed(await _rules(session)))

    async def set(self, actor: Actor, rule: DepositRule) -> DepositRule:
        """Put a rule in force from today or a later day.

        Raises:
            Forbidden: the role configures no limits.
            Invalid: figures that cannot be, or a day that has passed.
            Conflict: there is a rule from that day on.
        """
        actor.need(Permission.LIMITS_CONFIGURE)
        rule = check_rule(rule)
        if rule.valid_from < self.today():
            raise Invalid("has passed: projects keep the rule that they have", field="valid_from")
        values = {name: getattr(rule, name) for name in DepositRule.__slots__}
        async with self._database.transaction() as session:
            session.add(DepositRuleRow(created_at=self._clock.now(), created_by=actor.name, **values))
            try:
                await session.flush()
            except IntegrityError as error:
                raise Conflict("there is a rule from that day on", field="valid_from") from error
            await self._journal.note(
                session,
                actor,
                "deposit.rule_set",
                entity=ENTITY,
                entity_id=f"rule/{rule.valid_from}",
                after=values,
            )
        return rule

    async def run(self, actor: Actor) -> Posted:
        """Withhold and release what is due; again, it does nothing. Raises Forbidden."""
        actor.need(Permission.DEPOSITS_POST)
        today, posted = self.today(), Posted()
        async with self._database.session() as session:
            rules = await _rules(session)
            completed = [tuple(row) for row in await session.execute(_completed(rules))] if rules else []
            due = select(DepositShareRow.project_id).where(
                DepositShareRow.released.is_(None), DepositShareRow.release_on <= today
            )
            ripe = list(await session.scalars(due.order_by(DepositShareRow.release_on).limit(AT_ONCE)))
        for project_id, happened_on in completed:
            amount = await self._withhold(actor, project_id, happened_on, rules)
            if amount is not None:
                posted = Posted(
                    withheld=posted.withheld + 1,
                    withheld_sum=posted.withheld_sum + amount,
                )
        for project_id in ripe:
            amount = await self._release(actor, project_id, rules)
            if amount is not None:
                posted = Posted(
                    withheld=posted.withheld,
                    withheld_sum=posted.withheld_sum,
                    released=posted.released + 1,
                    released_sum=posted.released_sum + amount,
                )
        return posted

    async def crews(self, actor: Actor, *, limit: int = MAX_PAGE) -> tuple[CrewDeposit, ...]:
        """Return every crew's account in figures, by name. Raises Forbidden."""
        actor.need(Permission.DEPOSITS_VIEW)
        async with self._database.session() as session:
            rule = rule_on(await _rules(session), self.today())
            crews = (await session.scalars(select(Crew).order_by(Crew.name).limit(limit))).all()
            share = DepositShareRow
            query = (
                select(share.crew_id, func.count(), func.sum(share.withheld), func.min(share.release_on))
                .where(share.released.is_(None))
                .group_by(share.crew_id)
            )
            shares = {row[0]: row for row in (await session.execute(query)).all()}
            found = []
            for crew in crews:
                _, projects, withheld, following = shares.get(crew.id, (crew.id, 0, NOTHING, None))
                held = await balance_of(session, crew.id)
                paid = await _paid_in(session, crew.id)
                found.append(
                    CrewDeposit(
                        crew_id=crew.id,
                        crew=crew.name,
                        status=crew.status,
                        balance=held,
                        owed=await owed_by(session, crew.id),
                        projects=projects,
                        withheld=withheld or NOTHING,
                        missing=max(rule.initial - paid, NOTHING) if rule is not None else NOTHING,
                        next_release=following,
                    )
                )
        return tuple(found)

    async def _withhold(
        self, actor: Actor, project_id: str, completed: date, rules: Sequence[DepositRule]
    ) -> Decimal | None:
        rule, now = rule_on(rules, completed), self._clock.now()
        async with self._database.transaction() as session:
            project = await session.get(Project, project_id)
            if rule is None or project is None or project.crew_id is None:
                return None
            account = await self._deposits.lock(session, project.crew_id)
            if await session.get(DepositShareRow, project_id) is not None:
                return None
            held = await balance_of(session, project.crew_id)
            amount = to_withhold(rule, project.amount or NOTHING, held)
            session.add(
                DepositShareRow(
                    project_id=project_id,
                    crew_id=project.crew_id,
                    rule_from=rule.valid_from,
                    completed_on=completed,
                    withheld=amount,
                    withheld_at=now,
                    release_on=release_on(rule, completed),
                )
            )
            note = f"{project.contract_no} {rule.percent.normalize():f} %"
            await self._deposits.carry_out(
                session, actor, account, PostingKind.WITHHOLD, amount, note, project_id=project_id, at=now
            )
        return amount

    async def _release(self, actor: Actor, project_id: str, rules: Sequence[DepositRule]) -> Decimal | None:
        now = self._clock.now()
        async with self._database.transaction() as session:
            share = await session.get(DepositShareRow, project_id)
            assert share is not None, "it was found a moment ago and is never removed"
            account = await self._deposits.lock(session, share.crew_id)
            await session.refresh(share)
            if share.released is not None:
                return None
            rule = next(one for one in rules if one.valid_from == share.rule_from)
            amount = to_release(rule, share.withheld, await balance_of(session, share.crew_id))
            share.released, share.released_at = amount, now
            project = await session.get(Project, project_id)
            note = project.contract_no if project is not None else ""
            await self._deposits.carry_out(
                session, actor, account, PostingKind.RELEASE, amount, note, project_id=project_id, at=now
            )
        return amount


async def _rules(session: AsyncSession) -> list[DepositRule]:
    rows = await session.scalars(select(DepositRuleRow).order_by(DepositRuleRow.valid_from))
    return [DepositRule(**{name: getattr(row, name) for name in DepositRule.__slots__}) for row in rows]


def _completed(rules: Sequence[DepositRule]) -> Any:
    """Return the query for completed projects of crews of which nothing was withheld yet."""
    event = StageEventRow
    return (
        select(Project.id, event.happened_on)
        .join(event, event.project_id == Project.id)
        .outerjoin(DepositShareRow, DepositShareRow.project_id == Project.id)
        .where(
            event.stage == int(Stage.COMPLETED),
            event.voided_at.is_(None),
            event.happened_on >= rules[0].valid_from,
            Project.crew_id.is_not(None),
            DepositShareRow.project_id.is_(None),
        )
        .order_by(event.happened_on, Project.id)
        .limit(AT_ONCE)
    )


async def _paid_in(session: AsyncSession, crew_id: str) -> Decimal:
    query = select(func.sum(DepositPostingRow.amount)).where(
        DepositPostingRow.crew_id == crew_id, DepositPostingRow.kind == PostingKind.INITIAL.value
    )
    return await session.scalar(query) or NOTHING
