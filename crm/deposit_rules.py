"""Posts what the rules for quality deposits ask for: withholding and release, each once (domain.md §1.5).

A project whose contract has no amount yet waits for it. A completion that was voided gives back what was
withheld, as far as no repair took it since; the next completion of that project begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE
from crm.deposit_rule_tables import DepositRuleRow, DepositShareRow
from crm.deposits import ENTITY, Deposits, balance_of, owed_by
from crm.domain.deposit import NOTHING, PostingKind
from crm.domain.deposit_rule import DepositRule, check_rule, release_on, rule_on, to_release, to_withhold
from crm.domain.payments import owed
from crm.domain.project import Stage
from crm.journal import Journal
from crm.people_tables import StageEventRow
from crm.repair_tables import DepositAccountRow, DepositPostingRow
from crm.tables import Crew, Project
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid
from kernel.paging import By, Page, cut, ordered

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
    """What a run did: projects of which something was withheld, and paid out; with the sums.

    ``undone`` counts the projects whose completion was voided.
    """

    withheld: int = 0
    withheld_sum: Decimal = NOTHING
    released: int = 0
    released_sum: Decimal = NOTHING
    undone: int = 0


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
        today = self.today()
        async with self._database.session() as session:
            voided = list(await session.scalars(_voided()))
        undone = [await self._undo(actor, project_id) for project_id in voided]
        async with self._database.session() as session:
            rules = await _rules(session)
            completed = [tuple(row) for row in await session.execute(_completed(rules))] if rules else []
            ripe = list(await session.scalars(_ripe(today)))
        withheld = [await self._withhold(actor, project_id, on, rules) for project_id, on in completed]
        released = [await self._release(actor, project_id, rules) for project_id in ripe]
        kept = [amount for amount in withheld if amount is not None]
        paid = [amount for amount in released if amount is not None]
        return Posted(
            withheld=len(kept),
            withheld_sum=sum(kept, NOTHING),
            released=len(paid),
            released_sum=sum(paid, NOTHING),
            undone=undone.count(True),
        )

    async def crews(
        self, actor: Actor, *, cursor: str | None = None, limit: int = MAX_PAGE
    ) -> Page[CrewDeposit]:
        """Return a page of the crews' accounts in figures, by name. Raises Forbidden, Invalid."""
        actor.need(Permission.DEPOSITS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        async with self._database.session() as session:
            rule = rule_on(await _rules(session), self.today())
            listed = select(Crew).limit(limit + 1)
            listed = await ordered(session, listed, Crew, (By(Crew.name), By(Crew.id)), cursor=cursor)
            page = cut((await session.scalars(listed)).all(), limit, lambda crew: crew.id)
            share = DepositShareRow
            query = (
                select(share.crew_id, func.count(), func.sum(_kept()), func.min(share.release_on))
                .where(_kept() > 0)
                .group_by(share.crew_id)
            )
            shares = {row[0]: row for row in (await session.execute(query)).all()}
            found = []
            for crew in page.items:
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
        return Page(tuple(found), page.next_cursor)

    async def _withhold(
        self, actor: Actor, project_id: str, completed: date, rules: Sequence[DepositRule]
    ) -> Decimal | None:
        rule, now = rule_on(rules, completed), self._clock.now()
        async with self._database.transaction() as session:
            project = await session.get(Project, project_id)
            if rule is None or project is None or project.crew_id is None:
                return None
            contract = owed(project.amount, project.changes)
            if contract is None:
                return None
            account = await self._deposits.lock(session, project.crew_id)
            if await session.get(DepositShareRow, project_id) is not None:
                return None
            held = await balance_of(session, project.crew_id)
            amount = to_withhold(rule, contract, held)
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
            found = await self._share(session, project_id)
            if found is None:
                return None
            share, account = found
            before = share.released or NOTHING
            rule = next(one for one in rules if one.valid_from == share.rule_from)
            amount = to_release(rule, share.withheld - before, await balance_of(session, share.crew_id))
            if amount == NOTHING:
                return None
            share.released, share.released_at = before + amount, now
            project = await session.get(Project, project_id)
            note = project.contract_no if project is not None else ""
            await self._deposits.carry_out(
                session, actor, account, PostingKind.RELEASE, amount, note, project_id=project_id, at=now
            )
        return amount

    async def _undo(self, actor: Actor, project_id: str) -> bool:
        """Give back what was withheld at a completion that was voided; what repairs took stays taken."""
        now = self._clock.now()
        async with self._database.transaction() as session:
            found = await self._share(session, project_id)
            if found is None:
                return False
            share, account = found
            held = await balance_of(session, share.crew_id)
            amount = min(share.withheld - (share.released or NOTHING), held)
            project = await session.get(Project, project_id)
            note = f"{project.contract_no} " if project is not None else ""
            await session.delete(share)
            await self._deposits.carry_out(
                session,
                actor,
                account,
                PostingKind.ADJUST,
                -amount,
                f"{note}{share.completed_on} ×",
                project_id=project_id,
                at=now,
            )
        return True

    async def _share(
        self, session: AsyncSession, project_id: str
    ) -> tuple[DepositShareRow, DepositAccountRow] | None:
        """Return a project's part and its account, which others now wait for; none when it is gone."""
        crew = select(DepositShareRow.crew_id).where(DepositShareRow.project_id == project_id)
        crew_id = await session.scalar(crew)
        if crew_id is None:
            return None
        account = await self._deposits.lock(session, crew_id)
        share = await session.get(DepositShareRow, project_id)
        return (share, account) if share is not None else None


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
            Project.amount.is_not(None),
            DepositShareRow.project_id.is_(None),
        )
        .order_by(event.happened_on, Project.id)
        .limit(AT_ONCE)
    )


def _kept() -> Any:
    """Return the column of what was withheld of a project and not paid out yet."""
    return DepositShareRow.withheld - func.coalesce(DepositShareRow.released, 0)


def _ripe(today: date) -> Any:
    """Return the query for projects of which something is to be paid out, where the floor allows any."""
    share, posting = DepositShareRow, DepositPostingRow
    held = select(func.sum(posting.amount)).where(posting.crew_id == share.crew_id).scalar_subquery()
    return (
        select(share.project_id)
        .join(DepositRuleRow, DepositRuleRow.valid_from == share.rule_from)
        .where(share.release_on <= today, _kept() > 0, held > DepositRuleRow.floor)
        .order_by(share.release_on, share.project_id)
        .limit(AT_ONCE)
    )


def _voided() -> Any:
    """Return the query for projects of which something was withheld at a completion not in force any more."""
    share, event = DepositShareRow, StageEventRow
    in_force = and_(
        event.project_id == share.project_id,
        event.stage == int(Stage.COMPLETED),
        event.happened_on == share.completed_on,
        event.voided_at.is_(None),
    )
    return select(share.project_id).outerjoin(event, in_force).where(event.id.is_(None)).limit(AT_ONCE)


async def _paid_in(session: AsyncSession, crew_id: str) -> Decimal:
    query = select(func.sum(DepositPostingRow.amount)).where(
        DepositPostingRow.crew_id == crew_id, DepositPostingRow.kind == PostingKind.INITIAL.value
    )
    return await session.scalar(query) or NOTHING
