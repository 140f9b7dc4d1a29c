"""How a campaign is doing, from what is stored: tasks, attempts, refusals, and when it will be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns import campaign_counting as counting
from callback_campaigns.campaign_store import to_campaign
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.campaigns import CampaignBook, running_in
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.domain.campaign_end import LEAST_TASKS, hours_open, projected_end
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Outcome, Verdict
from callback_campaigns.domain.windows import CallingWindows, CallWish
from callback_campaigns.task_tables import CallbackTaskRow, DialRefusalRow
from callback_campaigns.tasks import CallbackTasks
from crm.office import Office
from crm.tables import Customer
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Invalid, NotFound
from kernel.holidays import CalendarYearMissing
from kernel.ids import is_ulid

MAX_PAGE = 200
PACE_OVER = timedelta(hours=24)
_TASK, _NO = CallbackTaskRow, DialRefusalRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCounts:
    """A campaign in figures.

    Attributes:
        ready: may be dialled as soon as a line is free; ``later``: their time comes before its last day.
        passed_on: tasks that it tried, still open, and that it calls no more: a person does.
        dialling, talking: attempts that are not over, before and after the answer.
        ended: tasks that it was the last campaign to try and that came to their end, by status.
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
class CampaignBrief:
    """What a list shows of a campaign; as in :class:`CampaignCounts`."""

    waiting: int
    done: int
    live: int
    abandoned: int

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
            others = await running_in(session, self._office.today())
            waits = await counting.waiting(session, campaign, others, now, self._office.zone)
            calls = await counting.calls(session, campaign_id)
            answered = (await counting.live(session, [campaign_id], now)).get(campaign_id, counting.Live())
            ended = await counting.ended(session, campaign_id, now - PACE_OVER)
            refused = await session.execute(
                select(_NO.code, func.count()).where(_NO.campaign_id == campaign_id).group_by(_NO.code)
            )
            windows = (await self._tasks.calendar(session)).windows
        left = waits.ready + waits.later
        pace, opens, closes, ends = self._times(campaign, windows, now, left, ended.recent, ended.first)
        return CampaignCounts(
            campaign_id=campaign_id,
            as_of=now,
            ready=waits.ready,
            later=waits.later,
            passed_on=waits.passed_on,
            dialling=calls.dialling,
            talking=calls.talking,
            ended=ended.statuses,
            verdicts=ended.verdicts,
            attempts=calls.outcomes,
            live=answered.answered,
            abandoned=answered.abandoned,
            refused={RefusalCode(code): count for code, count in refused},
            pace=pace,
            opens=opens,
            closes=closes,
            ends=ends,
        )

    async def briefs(self, actor: Actor, campaigns: Sequence[Campaign]) -> Mapping[str, CampaignBrief]:
        """Return what a list shows of campaigns, by id. Raises Forbidden."""
        actor.need(Permission.CAMPAIGNS_VIEW)
        async with self._office.database.session() as session:
            others = await running_in(session, self._office.today())
            return await self._briefs(session, campaigns, others)

    async def running(self) -> tuple[tuple[Campaign, CampaignBrief], ...]:
        """Return the campaigns that dial today, the one that goes first at the top, for the wallboard."""
        async with self._office.database.session() as session:
            found = await running_in(session, self._office.today())
            briefs = await self._briefs(session, found, found)
        return tuple((one, briefs[one.campaign_id]) for one in found)

    async def _briefs(
        self, session: AsyncSession, campaigns: Sequence[Campaign], others: Sequence[Campaign]
    ) -> dict[str, CampaignBrief]:
        now, zone, ids = self._office.now(), self._office.zone, [one.campaign_id for one in campaigns]
        done, live = await counting.done(session, ids), await counting.live(session, ids, now)
        found: dict[str, CampaignBrief] = {}
        for one in campaigns:
            waits = await counting.waiting(session, one, others, now, zone, with_passed_on=False)
            answered = live.get(one.campaign_id, counting.Live())
            found[one.campaign_id] = CampaignBrief(
                waiting=waits.ready + waits.later,
                done=done.get(one.campaign_id, 0),
                live=answered.answered,
                abandoned=answered.abandoned,
            )
        return found

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
