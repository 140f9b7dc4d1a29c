"""Closed cases that somebody of rank looks after once more: list, note, ratios (domain.md §1.13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import CaseRegister, CaseView, tidy_text
from crm.domain.case import CaseKind, CaseStatus, Severity
from crm.domain.follow_up import ABOVE, FollowUpRule, Share, drawn, needed, rule_for
from crm.follow_up_tables import FollowUpRow
from crm.journal import Journal
from crm.tables import ServiceCase
from kernel.access import Actor, Permission, Role
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import ConfigurationError, Conflict, Forbidden, Invalid, NotFound
from kernel.ids import is_ulid

PATH = Path(__file__).with_name("follow_up.yaml")
MAX_NOTE = 1000
LONGEST = timedelta(days=92)
MAX_LISTED = 200
_ROLES = {"supervisor": Role.SUPERVISOR, "manager": Role.MANAGER}


def read_rules(source: str) -> tuple[FollowUpRule, ...]:
    """Return the rules of a file.

    Raises:
        ConfigurationError: it is no YAML, or a rule names what there is not.
    """
    try:
        tree: dict[str, Any] = yaml.safe_load(source)
        found = tuple(
            FollowUpRule(
                kind=CaseKind(item["kind"]),
                severities=frozenset(Severity(level) for level in item["severities"]),
                ratio=Fraction(str(item["ratio"])) / 100,
                rank=_ROLES[item["rank"]],
            )
            for item in tree["rules"]
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"follow_up.yaml: {type(error).__name__}: {str(error)[:200]}") from error
    if any(not 0 < rule.ratio <= 1 for rule in found):
        raise ConfigurationError("follow_up.yaml: ratios are more than 0 and at most 100")
    return found


@cache
def shipped() -> tuple[FollowUpRule, ...]:
    """Return the rules that are shipped."""
    return read_rules(PATH.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    """A closed case that is to be followed up, or was; ``rank`` is the role that does it."""

    case: CaseView
    rank: Role
    done_at: datetime | None
    done_by: str | None
    sound: bool | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioView:
    """How much of a group was followed up; ``needed`` of ``share.all`` is what the rule asks for."""

    kind: CaseKind
    severities: tuple[int, ...]
    rank: Role
    target: float
    share: Share
    needed: int
    reached: bool


class FollowUps:
    """Lists what is to be followed up, takes notes, counts."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        register: CaseRegister,
        journal: Journal,
        rules: Sequence[FollowUpRule] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._register = register
        self._journal = journal
        self._rules = tuple(rules) if rules is not None else shipped()

    async def owed(
        self, actor: Actor, since: datetime, until: datetime, *, mine: bool = True, limit: int = 50
    ) -> tuple[FollowUpView, ...]:
        """Return the cases closed in a window that are drawn and not followed up yet, the oldest first.

        Args:
            mine: only those of the actor's rank.

        Raises:
            Forbidden: the role does not see every department's cases.
            Invalid: the window is empty or longer than a quarter.
        """
        actor.need(Permission.CASES_VIEW_ALL)
        check_window(since, until)
        async with self._database.session() as session:
            chosen = await self._drawn(session, since, until)
            done = await self._done(session, list(chosen))
            ids = [
                case_id
                for case_id, rule in chosen.items()
                if case_id not in done and (not mine or actor.role in ABOVE[rule.rank])
            ]
            ids = ids[: max(1, min(limit, MAX_LISTED))]
            cases = await self._register.views(
                session, actor, ServiceCase.id.in_(ids), limit=max(len(ids), 1)
            )
        known = {case.case_id: case for case in cases}
        return tuple(_view(known[case_id], chosen[case_id], None) for case_id in ids if case_id in known)

    async def note(self, actor: Actor, case_id: str, *, sound: bool, text: str) -> FollowUpView:
        """Note that a closed case was followed up, by somebody of its rank or above.

        One way and once: whoever comes second is refused and told so, nothing is overwritten.

        Raises:
            Forbidden: the role's rank is too low for it.
            NotFound: no such case.
            Conflict: it is not closed, not followed up at all, or was already.
            Invalid: not sound, and no word why.
        """
        actor.need(Permission.CASES_VIEW_ALL)
        note = tidy_text(text, field="text", limit=MAX_NOTE, required=not sound)
        async with self._database.transaction() as session:
            query = select(ServiceCase).where(ServiceCase.id == case_id).with_for_update()
            header = (await session.execute(query)).scalar_one_or_none() if is_ulid(case_id) else None
            if header is None:
                raise NotFound("no such case", field="case_id")
            rule = rule_for(self._rules, CaseKind(header.kind), Severity(header.severity))
            if rule is None or header.status != CaseStatus.CLOSED.value:
                raise Conflict("it is not closed, or its kind is not followed up", field="case_id")
            if actor.role not in ABOVE[rule.rank]:
                raise Forbidden(f"the {rule.rank} follows this one up", field="case_id")
            if await session.get(FollowUpRow, case_id) is not None:
                raise Conflict("it was followed up already", field="case_id")
            row = FollowUpRow(
                case_id=case_id,
                at=self._clock.now(),
                by=actor.name,
                by_id=actor.user_id,
                role=actor.role.value if actor.role else "",
                sound=sound,
                note=note,
            )
            session.add(row)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "case.followed_up",
                entity=header.kind,
                entity_id=case_id,
                after={"sound": sound},
                why=note,
            )
            (case,) = await self._register.views(session, actor, ServiceCase.id == case_id, limit=1)
            return _view(case, rule, row)

    async def ratios(self, actor: Actor, since: datetime, until: datetime) -> tuple[RatioView, ...]:
        """Return what share of the cases closed in a window was followed up. Raises as :meth:`owed`."""
        actor.need(Permission.CASES_VIEW_ALL)
        check_window(since, until)
        async with self._database.session() as session:
            closed = await self._closed(session, since, until)
            done = await self._done(session, list(closed))
        found: list[RatioView] = []
        for rule in self._rules:
            group = [case_id for case_id, its in closed.items() if its is rule]
            share = Share(sum(1 for case_id in group if case_id in done), len(group))
            found.append(
                RatioView(
                    kind=rule.kind,
                    severities=tuple(sorted(int(level) for level in rule.severities)),
                    rank=rule.rank,
                    target=float(rule.ratio),
                    share=share,
                    needed=needed(share.all, rule.ratio),
                    reached=share.reaches(rule.ratio),
                )
            )
        return tuple(found)

    async def _closed(
        self, session: AsyncSession, since: datetime, until: datetime
    ) -> dict[str, FollowUpRule]:
        kinds = {rule.kind.value for rule in self._rules}
        query = (
            select(ServiceCase.id, ServiceCase.kind, ServiceCase.severity)
            .where(
                ServiceCase.closed_at >= since,
                ServiceCase.closed_at < until,
                ServiceCase.status == CaseStatus.CLOSED.value,
                ServiceCase.kind.in_(kinds),
            )
            .order_by(ServiceCase.closed_at, ServiceCase.id)
        )
        found: dict[str, FollowUpRule] = {}
        for row in await session.execute(query):
            rule = rule_for(self._rules, CaseKind(row.kind), Severity(row.severity))
            if rule is not None:
                found[row.id] = rule
        return found

    async def _drawn(
        self, session: AsyncSession, since: datetime, until: datetime
    ) -> dict[str, FollowUpRule]:
        closed = await self._closed(session, since, until)
        chosen: set[str] = set()
        for rule in self._rules:
            chosen |= set(drawn([case_id for case_id, its in closed.items() if its is rule], rule.ratio))
        return {case_id: rule for case_id, rule in closed.items() if case_id in chosen}

    async def _done(self, session: AsyncSession, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), 500):
            query = select(FollowUpRow.case_id).where(FollowUpRow.case_id.in_(ids[start : start + 500]))
            found |= set((await session.execute(query)).scalars())
        return found


def check_window(since: datetime, until: datetime) -> None:
    """Refuse a window that is empty or longer than a quarter. Raises Invalid."""
    if until <= since:
        raise Invalid("must be later than since", field="until")
    if until - since > LONGEST:
        raise Invalid(f"at most {LONGEST.days} days", field="until")


def _view(case: CaseView, rule: FollowUpRule, row: FollowUpRow | None) -> FollowUpView:
    return FollowUpView(
        case=case,
        rank=rule.rank,
        done_at=row.at if row else None,
        done_by=row.by if row else None,
        sound=row.sound if row else None,
        note=row.note if row else "",
    )
