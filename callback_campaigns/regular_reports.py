"""Reports that come by themselves, once a month (domain.md §1.12).

Suggestions of customers go to market planning, news of competitors to the general manager, reasons of those
who left to both. A month's report is due on the first morning after it; however many processes run, it is
told of once, and is there to be read and taken out as a file from then on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.report_tables import RegularReportRow
from callback_campaigns.talk_tables import CallbackAnswerRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.voice import VoiceKind
from crm.months import month_of, month_period
from crm.notices.events import NoticeWanted
from crm.tables import Customer, Project
from crm.voice_tables import CustomerVoice
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import Invalid
from kernel.ids import new_ulid
from kernel.outbox import add_fact

log = structlog.get_logger(__name__)

SENT_AT = time(9)
POLL = timedelta(minutes=1)
MAX_LISTED = 120
MAX_ROWS = 10_000
REASON, BETTER, CONTENT, LATER = "LW1", "LW2", "LW3", "LW4"


class ReportCode(StrEnum):
    """What a report is about."""

    SUGGESTIONS = "suggestions"
    COMPETITORS = "competitors"
    LOST = "lost"


MARKETING = "MKT"
"""Market planning 市场策划: who of it asks reads the reports that go there."""
TO_MARKETING = (ReportCode.SUGGESTIONS, ReportCode.LOST)
VOICES = {ReportCode.SUGGESTIONS: VoiceKind.SUGGESTION, ReportCode.COMPETITORS: VoiceKind.COMPETITOR}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A report that was sent; ``figures`` are its counts."""

    report_id: str
    code: ReportCode
    period: str
    figures: Mapping[str, int]
    cut_off: datetime
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRow:
    """A customer who left, and what they said when asked why.

    Attributes:
        ended_on: when the contract was cancelled; ``None`` where there was none.
        ended_reason: as it was written down at the cancellation.
        reasons: values of the questionnaire's answers.
    """

    customer_name: str
    contract_no: str | None
    ended_on: date | None
    ended_reason: str
    reasons: tuple[str, ...]
    more: str
    better: str
    content: str
    later: str
    asked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidRow:
    """What a customer suggested, or told of a competitor; whose words they are stands elsewhere."""

    on: date
    competitor: str
    text: str


def may_read(actor: Actor, code: ReportCode | None = None) -> bool:
    """Tell whether somebody may read a report, or any: who leads, and the people that it goes to."""
    if actor.can(Permission.RED_LIST_VIEW):
        return True
    return actor.department == MARKETING and (code is None or code in TO_MARKETING)


def _check_reads(actor: Actor, code: ReportCode | None = None) -> None:
    if not may_read(actor, code):
        actor.need(Permission.RED_LIST_VIEW)


class RegularReports:
    """Makes the reports, and shows them.

    Args:
        zone: the site's; a month is its month.
    """

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    def worker(self, *, worker: str) -> "ReportWorker":
        """Return what makes the reports when they are due."""
        return ReportWorker(self, self._database, self._clock, worker=worker)

    async def prepare(self) -> None:
        """See to it that the month that runs now has its reports waiting."""
        period = month_of(self._clock.now(), self._zone)
        for code in ReportCode:
            try:
                async with self._database.transaction() as session:
                    await self._put(session, code, period)
            except IntegrityError:
                continue  # another process was faster

    async def make(self, rows: Sequence[RegularReportRow]) -> None:
        """Make reports that are due, each once, and let the next month's wait."""
        for row in rows:
            async with self._database.transaction() as session:
                found = await session.get(RegularReportRow, row.id, with_for_update=True)
                if found is None or found.due_at is None:
                    continue
                now, code = self._clock.now(), ReportCode(found.code)
                _, ends = month_period(found.period, self._zone)
                found.figures = await self._figures(session, code, found.period)
                found.cut_off = found.sent_at = now
                found.due_at = found.claimed_by = found.claimed_until = None
                add_fact(
                    session,
                    NoticeWanted(
                        at=now,
                        code=f"report.{code.value}",
                        key=f"report|{code.value}|{found.period}",
                        parameters={"month": found.period, "count": str(found.figures["total"])},
                        link=f"/lists/reports?month={found.period}",
                    ),
                )
                await self._put(session, code, month_of(ends, self._zone))
                log.info("report_made", code=code.value, period=found.period)

    async def _put(self, session: AsyncSession, code: ReportCode, period: str) -> None:
        known = select(RegularReportRow.id).where(
            RegularReportRow.code == code.value, RegularReportRow.period == period
        )
        if await session.scalar(known) is not None:
            return
        _, ends = month_period(period, self._zone)
        first = ends.astimezone(self._zone).date()
        due = datetime.combine(first, SENT_AT, self._zone)
        session.add(RegularReportRow(id=new_ulid(), code=code.value, period=period, due_at=due, tries=0))
        await session.flush()

    async def _figures(self, session: AsyncSession, code: ReportCode, period: str) -> dict[str, int]:
        if code in VOICES:
            query = select(func.count()).where(
                CustomerVoice.kind == VOICES[code].value, CustomerVoice.month == period
            )
            figures = {"total": await session.scalar(query) or 0}
            if code is ReportCode.COMPETITORS:
                named = select(CustomerVoice.competitor, func.count()).where(
                    CustomerVoice.kind == VOICES[code].value, CustomerVoice.month == period
                )
                rows = await session.execute(named.group_by(CustomerVoice.competitor))
                figures |= {f"name:{name}": count for name, count in rows if name}
            return figures
        lost = await self._lost(session, period)
        reasons = Counter(f"reason:{reason}" for row in lost for reason in row.reasons)
        asked = sum(row.asked_at is not None for row in lost)
        return {"total": len(lost), "asked": asked, **reasons}

    # Reading

    async def page(self, actor: Actor, *, month: str | None = None) -> tuple[ReportView, ...]:
        """Return the newest reports that were sent, or those of a month. Raises Forbidden, Invalid."""
        _check_reads(actor)
        row = RegularReportRow
        mine = [code.value for code in ReportCode if may_read(actor, code)]
        query = select(row).where(row.sent_at.is_not(None), row.code.in_(mine))
        if month is not None:
            month_period(month, self._zone)
            query = query.where(row.period == month)
        query = query.order_by(row.period.desc(), row.code).limit(MAX_LISTED)
        async with self._database.session() as session:
            return tuple(_view(one) for one in await session.scalars(query))

    async def lost(self, actor: Actor, month: str) -> tuple[LostRow, ...]:
        """Return who left in a month and why, up to :data:`MAX_ROWS`. Raises Forbidden, Invalid."""
        _check_reads(actor, ReportCode.LOST)
        async with self._database.session() as session:
            return await self._lost(session, month)

    async def said(self, actor: Actor, code: ReportCode, month: str) -> tuple[SaidRow, ...]:
        """Return what customers said in a month, the first first, up to :data:`MAX_ROWS`.

        Raises:
            Forbidden: the report does not go to them.
            Invalid: no month, or a report of something else.
        """
        _check_reads(actor, code)
        month_period(month, self._zone)
        if code not in VOICES:
            raise Invalid("no report of what was said", field="code")
        query = (
            select(CustomerVoice)
            .where(CustomerVoice.kind == VOICES[code].value, CustomerVoice.month == month)
            .order_by(CustomerVoice.id)
            .limit(MAX_ROWS)
        )
        async with self._database.session() as session:
            return tuple(
                SaidRow(
                    on=row.at.astimezone(self._zone).date(),
                    competitor=row.competitor or "",
                    text=row.text or "",
                )
                for row in await session.scalars(query)
            )

    async def _lost(self, session: AsyncSession, month: str) -> tuple[LostRow, ...]:
        since, until = month_period(month, self._zone)
        answer, task = CallbackAnswerRow, CallbackTaskRow
        given = (
            select(answer, task.project_id, task.customer_id)
            .join(task, task.id == answer.task_id)
            .where(
                task.kind == CallbackType.CHURNED.value,
                answer.replaced_at.is_(None),
                answer.item_id.in_((REASON, BETTER, CONTENT, LATER)),
            )
        )
        ended = select(Project, Customer.name).join(Customer, Customer.id == Project.customer_id)
        ended = ended.where(Project.cancelled_at >= since, Project.cancelled_at < until)
        projects = (await session.execute(ended.order_by(Project.cancelled_at).limit(MAX_ROWS))).all()
        ids = {project.id for project, _ in projects}
        in_month = (answer.at >= since) & (answer.at < until)
        rows = (await session.execute(given.where(or_(in_month, task.project_id.in_(ids))))).all()
        said: dict[tuple[str | None, str], dict[str, CallbackAnswerRow]] = {}
        for one, project_id, customer_id in sorted(rows, key=lambda row: row[0].at):
            said.setdefault((project_id, customer_id), {})[one.item_id] = one
        found = [
            self._row(name, project, said.pop((project.id, project.customer_id), {}))
            for project, name in projects
        ]
        left = {key[1] for key in said}
        named = await session.execute(select(Customer.id, Customer.name).where(Customer.id.in_(left)))
        names = {str(key): str(name) for key, name in named}
        others = {key[0] for key in said if key[0] is not None}
        more = await session.scalars(select(Project).where(Project.id.in_(others)))
        contracts = {project.id: project for project in more}
        found += [
            self._row(names.get(customer_id, ""), contracts.get(project_id or ""), answers)
            for (project_id, customer_id), answers in said.items()
        ]
        return tuple(found[:MAX_ROWS])

    def _row(self, name: str, project: Project | None, answers: Mapping[str, CallbackAnswerRow]) -> LostRow:
        def values(item: str) -> tuple[str, ...]:
            return tuple(str(one) for one in answers[item].choices) if item in answers else ()

        ended = project.cancelled_at if project is not None else None
        return LostRow(
            customer_name=name,
            contract_no=project.contract_no if project is not None else None,
            ended_on=ended.astimezone(self._zone).date() if ended is not None else None,
            ended_reason=(project.ended_reason or "") if project is not None else "",
            reasons=values(REASON),
            more=answers[REASON].reason if REASON in answers else "",
            better=answers[BETTER].text if BETTER in answers else "",
            content=next(iter(values(CONTENT)), ""),
            later=next(iter(values(LATER)), ""),
            asked_at=max((one.at for one in answers.values()), default=None),
        )


class ReportWorker:
    """Makes reports when they are due; any number of processes may run one."""

    def __init__(self, reports: RegularReports, database: Database, clock: Clock, *, worker: str) -> None:
        self._reports = reports
        self._due: DueWorker[RegularReportRow] = DueWorker(
            database, clock, RegularReportRow, reports.make, worker=worker, poll=POLL
        )

    async def run_once(self) -> int:
        """Make what is due now; return how many reports that was."""
        return await self._due.run_once()

    async def run(self) -> None:
        """Work until cancelled."""
        await self._reports.prepare()
        await self._due.run()


def _view(row: RegularReportRow) -> ReportView:
    assert row.cut_off is not None and row.sent_at is not None, "it was sent"
    figures: dict[str, Any] = row.figures or {}
    return ReportView(
        report_id=row.id,
        code=ReportCode(row.code),
        period=row.period,
        figures={str(name): int(value) for name, value in figures.items()},
        cut_off=row.cut_off,
        sent_at=row.sent_at,
    )
