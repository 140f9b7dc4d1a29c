"""Reads callbacks in figures (domain.md §5.1): of the whole period, and by whom or what they are about.

A record belongs to the store and the people that it named when it was made; see ``CallbackAnswerRow``. Tasks,
attempts and answers are asked at the same time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from callback_campaigns.domain.figures import ROLES, CallbackFigure, GroupBy, Mean, Rate, rate
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.figure_parts import FigureParts, FiguresAsked, GroupRow
from crm.office import Office
from kernel.access import Actor, Permission
from kernel.errors import Invalid

__all__ = ["CallbackFigures", "FiguresAsked", "FiguresReader", "GroupRow"]

LONGEST = timedelta(days=400)
KEPT_FOR = timedelta(minutes=1)
QUICK_SECONDS = 0.5
MOST_KEPT = 64
OF_ANSWERS = frozenset({*ROLES, GroupBy.DEPARTMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFigures:
    """All figures of a period."""

    as_of: datetime
    figures: Mapping[CallbackFigure, Rate]
    mean_score: Mean
    delays: Mapping[str, int]
    by: GroupBy
    groups: tuple[GroupRow, ...]
    presence: tuple[tuple[str, Rate], ...]


class FiguresReader:
    """Reads the figures."""

    def __init__(self, office: Office, plan: PlanRules) -> None:
        self._office = office
        self._plan = plan
        self._turns: dict[tuple[FiguresAsked, GroupBy], asyncio.Lock] = {}
        self._kept: dict[tuple[FiguresAsked, GroupBy], CallbackFigures] = {}

    async def read(self, actor: Actor, asked: FiguresAsked, *, by: GroupBy = GroupBy.KIND) -> CallbackFigures:
        """Return the figures, of the moment that they name: those that take long are read once a minute.

        Raises:
            Forbidden: the role sees no figures of the company.
            Invalid: the period ends before it begins, or is too long.
        """
        actor.need(Permission.RED_LIST_VIEW)
        if not asked.since < asked.until <= asked.since + LONGEST:
            raise Invalid(f"after since, and at most {LONGEST.days} days later", field="until")
        key = (asked, by)
        async with self._turns.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or not timedelta(0) <= self._office.now() - kept.as_of < KEPT_FOR:
                began = self._office.clock.monotonic()
                kept = await self._read(asked, by)
                self._keep(key, kept, self._office.clock.monotonic() - began)
            return kept

    def _keep(self, key: "tuple[FiguresAsked, GroupBy]", found: CallbackFigures, seconds: float) -> None:
        """Keep what took long to read, with its age; what is quick is read anew each time."""
        if seconds > QUICK_SECONDS:
            self._kept[key] = found
        else:
            self._kept.pop(key, None)
        while len(self._turns) > MOST_KEPT:
            oldest = next(iter(self._turns))
            del self._turns[oldest]
            self._kept.pop(oldest, None)

    async def _read(self, asked: FiguresAsked, by: GroupBy) -> CallbackFigures:
        as_of = self._office.now()
        of_tasks, of_attempts, of_answers = await asyncio.gather(
            self._tasks(asked, by), self._attempts(asked), self._answers(asked, by)
        )
        figures = {**of_tasks.figures, **of_attempts, **of_answers.figures}
        return CallbackFigures(
            as_of=as_of,
            figures={code: figures[code] for code in CallbackFigure},
            mean_score=of_tasks.mean_score,
            delays=of_tasks.delays,
            by=by,
            groups=of_tasks.groups or of_answers.groups,
            presence=of_answers.presence,
        )

    async def _tasks(self, asked: FiguresAsked, by: GroupBy) -> "_OfTasks":
        async with self._office.database.session() as session:
            part = FigureParts(session, asked, self._office, self._plan)
            results = await part.results()
            satisfied, whole = sum(one.satisfied for one in results), sum(one.results for one in results)
            return _OfTasks(
                figures={
                    **await part.coverage(),
                    CallbackFigure.REQUIRED_RATIO: await part.required(results),
                    CallbackFigure.STAGE_SATISFACTION: rate(satisfied, whole),
                    CallbackFigure.SOLVED: await part.solved(),
                },
                mean_score=Mean(sum(one.total for one in results), sum(one.scored for one in results)),
                delays=await part.delays(),
                groups=() if by in OF_ANSWERS else await part.by_result(by, results),
            )

    async def _attempts(self, asked: FiguresAsked) -> Mapping[CallbackFigure, Rate]:
        async with self._office.database.session() as session:
            return await FigureParts(session, asked, self._office, self._plan).attempts()

    async def _answers(self, asked: FiguresAsked, by: GroupBy) -> "_OfAnswers":
        async with self._office.database.session() as session:
            part = FigureParts(session, asked, self._office, self._plan)
            return _OfAnswers(
                figures=await part.said(),
                presence=await part.presence_by_manager(),
                groups=await part.by_answer(by) if by in OF_ANSWERS else (),
            )


@dataclass(frozen=True, slots=True)
class _OfTasks:
    figures: Mapping[CallbackFigure, Rate]
    mean_score: Mean
    delays: Mapping[str, int]
    groups: tuple[GroupRow, ...]


@dataclass(frozen=True, slots=True)
class _OfAnswers:
    figures: Mapping[CallbackFigure, Rate]
    presence: tuple[tuple[str, Rate], ...]
    groups: tuple[GroupRow, ...]
