"""How a campaign is doing, from what is stored: tasks, attempts, refusals, and when it will be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import and_, case, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_store import to_campaign
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.campaign_tasks import mine, with_stores
from callback_campaigns.campaigns import CampaignBook, running_in
from callback_campaigns.dial_queries import live_answer
from callback_campaigns.domain.attempt import AT_ONCE
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.domain.campaign_end import LEAST_TASKS, hours_open, projected_end
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.task import FINAL, TaskStatus
from callback_campaigns.domain.terms import Outcome, Verdict
from callback_campaigns.domain.windows import CallingWindows, CallWish
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow, DialRefusalRow
from callback_campaigns.tasks import CallbackTasks
from crm.office import Office
from crm.tables import Customer
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Invalid, NotFound
from kernel.holidays import CalendarYearMissing
from kernel.ids import is_ulid

MAX_PAGE = 200
ABANDONMENT_OVER = timedelta(hours=24)
PACE_OVER = timedelta(hours=24)
TRIED = (TaskStatus.PLANNED, TaskStatus.READY, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED)
_TASK, _TRY, _NO = CallbackTaskRow, DialAttemptRow, DialRefusalRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCounts:
    """A campaign in figures.

    Attributes:
        ready: may be dialled as soon as a line is free; ``later``: their time comes before its last day.
        passed_on: tasks that it tried, still open, and that it calls no more: a person does.
        dialling, talking: attempts that are not over, before and after the answer.
        ended: tasks that it tried and that came to their end, by status.
        verdicts: what those that were done came to.
        attempts: by outcome; those that are not over count nowhere here.
        live, abandoned: answered by a person, and those of them who had nobody of ours within two seconds,
            in the last 24 hours; who talks with one of ours counts before the call is over.
        refused: calls that were not made, by code.
        pace: tasks that come to their end in an hour of calling; ``None`` while too few did.
        opens: when calls may be made next, or now; ``None`` when nobody knows.
        closes: until when that window lasts.
        ends: when the last task will be done, at this pace; ``None`` when nobody can say.
    """

    campaign_id: str
    as_of: datetime
    ready: int
    later: int
    passed_on: int
    dialling: int
    talking: int
    ended: Mapping[TaskStatus, int]
    verdicts: Mapping[Verdict, int]
    attempts: Mapping[Outcome, int]
    live: int
    abandoned: int
    refused: Mapping[RefusalCode, int]
    pace: float | None
    opens: datetime | None
    closes: datetime | None
    ends: datetime | None

    @property
    def waiting(self) -> int:
        """Tasks that wait, now or later."""
        return self.ready + self.later

    @property
    def done(self) -> int:
        """Tasks of its that came to their end, whichever."""
        return sum(self.ended.values())

    @property
    def abandoned_share(self) -> float:
        """Abandoned among those whom a person answered; 0 over nothing."""
        return self.abandoned / self.live if self.live else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """A call that was not made."""

    refusal_id: str
    at: datetime
    task_id: str | None
    customer_id: str | None
    customer_name: str | None
    code: RefusalCode
    until: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPage:
    """A page of refusals, the newest at the top."""

    items: tuple[RefusedCall, ...]
    next_cursor: str | None


class CampaignFigures:
    """Counts campaigns."""

    def __init__(
        self, office: Office, book: CampaignBook, tasks: CallbackTasks, rules: PlanRules, dialling: DialFile
    ) -> None:
        self._office = office
        self._book = book
        self._tasks = tasks
        self._rules = rules
        self._dialling = dialling

    async def counts(self, actor: Actor, campaign_id: str) -> CampaignCounts:
        """Return a campaign's figures. Raises Forbidden, NotFound."""
        actor.need(Permission.CAMPAIGNS_VIEW)
        now = self._office.now()
        async with self._office.database.session() as session:
            row = await session.get(CampaignRow, campaign_id) if is_ulid(campaign_id) else None
            if row is None:
                raise NotFound("no such campaign", field="campaign_id")
            campaign = to_campaign(row)
            ready, later, passed_on = await self._waiting(session, campaign, now)
            calls = await _calls(session, campaign_id, now)
            ended, verdicts, recent, first = await _ended(session, campaign_id, now - PACE_OVER)
            refused = await session.execute(
                select(_NO.code, func.count()).where(_NO.campaign_id == campaign_id).group_by(_NO.code)
            )
            windows = (await self._tasks.calendar(session)).windows
        pace, opens, closes, ends = self._times(campaign, windows, now, ready + later, recent, first)
        return CampaignCounts(
            campaign_id=campaign_id,
            as_of=now,
            ready=ready,
            later=later,
            passed_on=passed_on,
            dialling=calls.dialling,
            talking=calls.talking,
            ended=ended,
            verdicts=verdicts,
            attempts=calls.outcomes,
            live=calls.live,
            abandoned=calls.abandoned,
            refused={RefusalCode(code): count for code, count in refused},
            pace=pace,
            opens=opens,
            closes=closes,
            ends=ends,
        )

    async def window(self, actor: Actor) -> tuple[datetime | None, datetime | None]:
        """Return when ordinary calls may be made next, or now, and then until when. Raises Forbidden."""
        actor.need(Permission.CAMPAIGNS_VIEW)
        async with self._office.database.session() as session:
            windows = (await self._tasks.calendar(session)).windows
        try:
            return _window(windows, self._office.now(), CallWish())
        except CalendarYearMissing:
            return None, None

    async def refusals(
        self,
        actor: Actor,
        campaign_id: str,
        *,
        code: RefusalCode | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RefusedPage:
        """Return the calls that were not made, the newest first. Raises Forbidden, NotFound, Invalid."""
        await self._book.get(actor, campaign_id)
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"between 1 and {MAX_PAGE}", field="limit")
        chosen = [_NO.campaign_id == campaign_id]
        if code is not None:
            chosen.append(_NO.code == code.value)
        if cursor is not None:
            at, key = read_cursor(cursor)
            chosen.append(or_(_NO.at < at, and_(_NO.at == at, _NO.id < key)))
        query = (
            select(_NO, Customer.id, Customer.name)
            .outerjoin(_TASK, _TASK.id == _NO.task_id)
            .outerjoin(Customer, Customer.id == _TASK.customer_id)
            .where(*chosen)
            .order_by(_NO.at.desc(), _NO.id.desc())
            .limit(limit + 1)
        )
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
        items = tuple(
            RefusedCall(
                refusal_id=row.id,
                at=row.at,
                task_id=row.task_id,
                customer_id=customer_id,
                customer_name=name,
                code=RefusalCode(row.code),
                until=row.until,
                detail=row.detail,
            )
            for row, customer_id, name in rows[:limit]
        )
        last = rows[limit - 1][0] if len(rows) > limit else None
        return RefusedPage(items=items, next_cursor=write_cursor(last.at, last.id) if last else None)

    async def _waiting(
        self, session: AsyncSession, campaign: Campaign, now: datetime
    ) -> tuple[int, int, int]:
        """Return how many tasks may be dialled, how many will be before the last day ends, and passed on."""
        if campaign.state.value in {"stopped", "ended"}:
            return 0, 0, 0
        others = await running_in(session, self._office.today())
        by_store = bool(campaign.store_ids) or any(one.store_ids for one in others)
        last = datetime.combine(campaign.ends_on + timedelta(days=1), time.min, self._office.zone)
        ready = case((and_(_TASK.status == TaskStatus.READY.value, _TASK.call_at <= now), 1), else_=0)
        query = with_stores(select(func.sum(ready), func.count()).select_from(_TASK), by_store).where(
            _TASK.status.in_([status.value for status in TRIED]),
            _TASK.call_at < last,
            mine(campaign, others),
        )
        dialable, all_of_them = (await session.execute(query)).one()
        # Open tasks are few beside what was tried: each is looked up, and not the other way round.
        tried = exists().where(_TRY.task_id == _TASK.id, _TRY.campaign_id == campaign.campaign_id)
        passed = with_stores(select(func.count()).select_from(_TASK), by_store).where(
            _TASK.status.in_([status.value for status in TRIED]),
            not_(mine(campaign, others)),
            tried,
        )
        passed_on = int(await session.scalar(passed) or 0)
        return int(dialable or 0), int(all_of_them) - int(dialable or 0), passed_on

    def _times(
        self,
        campaign: Campaign,
        windows: CallingWindows,
        now: datetime,
        left: int,
        recent: int,
        first: datetime | None,
    ) -> tuple[float | None, datetime | None, datetime | None, datetime | None]:
        longest = self._rules.longest(campaign.kinds)
        carrier = self._dialling.carriers.get(campaign.carrier)
        wish = CallWish(longest=longest, carrier=carrier.hours if carrier is not None else None)
        try:
            pace = None
            if recent >= LEAST_TASKS and first is not None:
                worked = hours_open(windows, max(first, now - PACE_OVER), now, wish)
                hours = worked / timedelta(hours=1)
                pace = recent / hours if hours > 0.01 else None
            since = max(now, windows.midnight(campaign.starts_on))
            opens, closes = _window(windows, since, wish)
            return pace, opens, closes, projected_end(windows, now, left, pace, wish)
        except CalendarYearMissing:
            return None, None, None, None


def _window(
    windows: CallingWindows, since: datetime, wish: CallWish
) -> tuple[datetime | None, datetime | None]:
    """Return when calls may be made from ``since`` on, and until when that window lasts."""
    opens = windows.opens(since, wish)
    if opens is None:
        return None, None
    day = windows.on(windows.day_of(opens), wish)
    return opens, next((ends for begins, ends in day if begins <= opens < ends), None)


@dataclass(frozen=True, slots=True)
class _Calls:
    dialling: int
    talking: int
    outcomes: Mapping[Outcome, int]
    live: int
    abandoned: int


async def _calls(session: AsyncSession, campaign_id: str, now: datetime) -> _Calls:
    lately = _TRY.answered_at > now - ABANDONMENT_OVER
    late = or_(_TRY.outcome == Outcome.ABANDONED.value, _TRY.connect_seconds > AT_ONCE)
    query = (
        select(
            _TRY.state,
            _TRY.outcome,
            func.count(),
            func.sum(case((and_(lately, live_answer()), 1), else_=0)),
            func.sum(case((and_(lately, live_answer(), late), 1), else_=0)),
        )
        .where(_TRY.campaign_id == campaign_id)
        .group_by(_TRY.state, _TRY.outcome)
    )
    dialling = talking = live = abandoned = 0
    outcomes: dict[Outcome, int] = {}
    for state, outcome, count, answered, alone in await session.execute(query):
        if state == "answered":
            talking += count
        elif state != "ended":
            dialling += count
        elif outcome is not None:
            outcomes[Outcome(outcome)] = outcomes.get(Outcome(outcome), 0) + count
        live += int(answered or 0)
        abandoned += int(alone or 0)
    return _Calls(dialling, talking, outcomes, live, abandoned)


async def _ended(
    session: AsyncSession, campaign_id: str, since: datetime
) -> tuple[dict[TaskStatus, int], dict[Verdict, int], int, datetime | None]:
    """Return what came to its end, the verdicts, how much of it lately, and when the first attempt began."""
    tried = select(_TRY.task_id).where(_TRY.campaign_id == campaign_id)
    lately = case((_TASK.ended_at > since, 1), else_=0)
    query = (
        select(_TASK.status, _TASK.verdict, func.count(), func.sum(lately))
        .where(_TASK.id.in_(tried), _TASK.status.in_([status.value for status in FINAL]))
        .group_by(_TASK.status, _TASK.verdict)
    )
    ended: dict[TaskStatus, int] = {}
    verdicts: dict[Verdict, int] = {}
    recent = 0
    for status, verdict, count, fresh in await session.execute(query):
        ended[TaskStatus(status)] = ended.get(TaskStatus(status), 0) + count
        recent += int(fresh or 0)
        if verdict is not None:
            verdicts[Verdict(verdict)] = verdicts.get(Verdict(verdict), 0) + count
    first = await session.scalar(select(func.min(_TRY.began_at)).where(_TRY.campaign_id == campaign_id))
    return ended, verdicts, recent, first
