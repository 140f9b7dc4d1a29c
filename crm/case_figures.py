"""Reads the figures of domain.md §5.2 from complaints, lines, limits, repairs and deposits.

Every figure counts records by the event that its definition names: registered, accepted, closed, paid in the
period. Where the definition leaves something open:

======================== =====================================================================================
figure                   reading «interp»
======================== =====================================================================================
complaint rate           complaints that were not filed are left out; a project is under construction from its
                         start to its completion, stand-stills included
closed within limit      no breach of a T-limit on a line that was carried out; strictly: on no line at all,
                         rejected and rerouted ones included
rejection rate           lines that were new, or waited for a receipt when the period began
handling rate            lines in hand at some time of the period; handled are those reported done in it
closure-refusal rate     lines that waited to be closed at some time of the period
compensation             paid for complaints closed in the period; contract value of the projects under
                         construction in it
escalation visit         escalations reviewed in the period whose visit is over or overdue
deposit coverage         of all crews: the balance at the period's end, the deductions of the year before it
======================== =====================================================================================

With a department, cases are those it has a part in, lines and limits its own ones.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from crm.complaint_figures import ComplaintFigures
from crm.complaint_tables import ComplaintLine
from crm.crew_repairs import CrewRepairs, read_crew_repairs
from crm.domain.case_figures import (
    Figure,
    FigureCode,
    Spread,
    check_period,
    figure,
    spread,
)
from crm.figure_period import Asked
from crm.repair_figures import RepairFigures
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database

_L = ComplaintLine


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """The figures, in the order of :class:`FigureCode`, and how long the first answers took."""

    asked: Asked
    as_of: datetime
    figures: tuple[Figure, ...]
    responses: tuple[Spread, ...]

    def of(self, code: FigureCode) -> Figure:
        """Return one of the figures."""
        return next(found for found in self.figures if found.code is code)


class CaseFiguresReader:
    """Computes figures for those who see the red list: the manager and the general manager.

    Args:
        zone: the site's: projects have days, not moments.
    """

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    async def read(self, actor: Actor, asked: Asked) -> CaseFigures:
        """Return all figures of a period.

        Raises:
            Forbidden: the role does not see the red list.
            Invalid: the period ends before it begins, or is too long.
        """
        actor.need(Permission.RED_LIST_VIEW)
        check_period(asked.since, asked.until)
        async with self._database.session() as session:
            part = ComplaintFigures(session, asked, self._zone)
            repairs = RepairFigures(session, asked, self._zone)
            complained, building = await part.complained(), await part.under_construction()
            accepted = await part.response(_L.handed_off_at, _L.accepted_at)
            verified = await part.response(_L.accepted_at, _L.verified_at)
            figures = [
                figure(FigureCode.COMPLAINT_RATE, complained[1], building),
                await part.in_limit(FigureCode.ACCEPTED_IN_LIMIT, "TS.T1"),
                await part.in_limit(FigureCode.VERIFIED_IN_LIMIT, "TS.T2"),
                *await part.closed(),
                await part.rejection(),
                await part.handling(),
                await part.closure_refusal(),
                *await part.compensation(),
                figure(FigureCode.REPEAT_COMPLAINT, *complained),
                await part.escalation_visits(self._clock.now()),
                *await repairs.repairs_closed(),
                *await repairs.repairs_opened(),
                await repairs.deposit_coverage(),
            ]
        order = {code: place for place, code in enumerate(FigureCode)}
        return CaseFigures(
            asked=asked,
            as_of=self._clock.now(),
            figures=tuple(sorted(figures, key=lambda found: order[found.code])),
            responses=(spread("accept", accepted), spread("verify", verified)),
        )

    async def crews(self, actor: Actor, asked: Asked) -> tuple[CrewRepairs, ...]:
        """Return the repairs of a period per crew, for those who see the crews' deposits.

        Raises:
            Forbidden: the role does not.
            Invalid: the period ends before it begins, or is too long.
        """
        actor.need(Permission.DEPOSITS_VIEW)
        check_period(asked.since, asked.until)
        async with self._database.session() as session:
            return await read_crew_repairs(session, asked)
