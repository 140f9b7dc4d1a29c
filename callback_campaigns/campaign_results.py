"""What a campaign came to, call by call and task by task, on pages and as files (features.md C8, C9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.campaigns import CampaignBook
from callback_campaigns.dial_attempts import heard_of
from callback_campaigns.domain.attempt import AT_ONCE, AttemptState
from callback_campaigns.domain.early_media import HeardBefore
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Outcome, Verdict
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.domain.customer import Level
from crm.exports import Export, FileForm, begin_export
from crm.office import Office
from crm.tables import Customer, Project
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Invalid
from telephony.tables import CallRow

MAX_PAGE = 200
_TRY, _TASK = DialAttemptRow, CallbackTaskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFilter:
    """Which attempts to list; what is ``None`` does not matter.

    Attributes:
        open: those that are not over, or those that are.
        since, until: when they began, the end not included.
    """

    campaign_id: str | None = None
    task_id: str | None = None
    customer_id: str | None = None
    outcome: Outcome | None = None
    open: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAttempt:
    """An attempt with the names that a list shows; its id is that of the call.

    Attributes:
        has_call: its call is in the history of calls; one that never left us is not.
        connect_seconds: how long whoever answered had waited when one of ours took the call.
        cause: why the network ended it (Q.850), where nobody answered.
        heard: what the network's voice said before that.
    """

    attempt_id: str
    campaign_id: str | None
    campaign: str | None
    task_id: str | None
    kind: CallbackType | None
    customer_id: str | None
    customer_name: str | None
    number: str
    trunk: str
    agent: str | None
    state: AttemptState
    outcome: Outcome | None
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    has_call: bool
    connect_seconds: float | None = None
    cause: int | None = None
    heard: HeardBefore | None = None

    @property
    def late(self) -> bool:
        """Whether somebody came, and too late: it counts as abandoned."""
        return (self.connect_seconds or 0.0) > AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPage:
    """A page of attempts, the newest at the top."""

    items: tuple[ListedAttempt, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What became of a task that a campaign tried."""

    task_id: str
    kind: CallbackType
    level: Level
    customer_id: str
    customer_name: str
    contract_no: str | None
    status: TaskStatus
    verdict: Verdict | None
    score: int | None
    attempts: int
    last_at: datetime
    ended_at: datetime | None


class CampaignResults:
    """Lists attempts and results."""

    def __init__(self, office: Office, book: CampaignBook) -> None:
        self._office = office
        self._book = book

    async def attempts(
        self, actor: Actor, wanted: AttemptFilter, *, cursor: str | None = None, limit: int = 50
    ) -> AttemptPage:
        """Return attempts, the newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.CAMPAIGNS_VIEW)
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"between 1 and {MAX_PAGE}", field="limit")
        chosen = _chosen(wanted)
        if cursor is not None:
            at, key = read_cursor(cursor)
            chosen.append(or_(_TRY.began_at < at, and_(_TRY.began_at == at, _TRY.id < key)))
        query = (
            select(_TRY, CampaignRow.name, _TASK.kind, Customer.name, CallRow.call_id)
            .outerjoin(CampaignRow, CampaignRow.id == _TRY.campaign_id)
            .outerjoin(_TASK, _TASK.id == _TRY.task_id)
            .outerjoin(Customer, Customer.id == _TRY.customer_id)
            .outerjoin(CallRow, CallRow.call_id == _TRY.id)
            .where(*chosen)
            .order_by(_TRY.began_at.desc(), _TRY.id.desc())
            .limit(limit + 1)
        )
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
        items = tuple(_attempt(*row) for row in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return AttemptPage(
            items=items, next_cursor=write_cursor(last.began_at, last.attempt_id) if last else None
        )

    async def export_attempts(
        self, actor: Actor, wanted: AttemptFilter, *, form: FileForm
    ) -> Export[ListedAttempt]:
        """Return attempts on their way out. Raises Forbidden, TooManyRows."""
        actor.need(Permission.EXPORT)

        async def read(cursor: str | None) -> tuple[Sequence[ListedAttempt], str | None]:
            page = await self.attempts(actor, wanted, cursor=cursor, limit=MAX_PAGE)
            return page.items, page.next_cursor

        async with self._office.database.session() as session:
            count = select(func.count()).select_from(_TRY).where(*_chosen(wanted))
            total = int(await session.scalar(count) or 0)
        asked = {
            "campaign_id": wanted.campaign_id,
            "task_id": wanted.task_id,
            "customer_id": wanted.customer_id,
            "outcome": wanted.outcome,
            "since": wanted.since,
            "until": wanted.until,
        }
        office = self._office
        return await begin_export(
            office.database, office.journal, actor, "dial-attempts", form, total, asked, read
        )

    async def export_results(self, actor: Actor, campaign_id: str, *, form: FileForm) -> Export[TaskResult]:
        """Return a campaign's results on their way out. Raises Forbidden, NotFound, TooManyRows."""
        actor.need(Permission.EXPORT)
        await self._book.get(actor, campaign_id)
        tried = _tried(campaign_id).subquery()

        async def read(cursor: str | None) -> tuple[Sequence[TaskResult], str | None]:
            query = (
                select(_TASK, tried.c.attempts, tried.c.last_at, Customer.name, Project.contract_no)
                .join(tried, tried.c.task_id == _TASK.id)
                .join(Customer, Customer.id == _TASK.customer_id)
                .outerjoin(Project, Project.id == _TASK.project_id)
                .order_by(_TASK.id)
                .limit(MAX_PAGE)
            )
            if cursor is not None:
                query = query.where(_TASK.id > cursor)
            async with self._office.database.session() as session:
                rows = (await session.execute(query)).all()
            items = [_result(*row) for row in rows]
            return items, items[-1].task_id if len(items) == MAX_PAGE else None

        async with self._office.database.session() as session:
            total = int(await session.scalar(select(func.count()).select_from(tried)) or 0)
        office, asked = self._office, {"campaign_id": campaign_id}
        return await begin_export(
            office.database, office.journal, actor, "campaign-results", form, total, asked, read
        )


def _tried(campaign_id: str) -> Select[str | None, int, datetime]:
    return (
        select(_TRY.task_id, func.count().label("attempts"), func.max(_TRY.began_at).label("last_at"))
        .where(_TRY.campaign_id == campaign_id, _TRY.task_id.is_not(None))
        .group_by(_TRY.task_id)
    )


def _chosen(wanted: AttemptFilter) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if wanted.campaign_id is not None:
        chosen.append(_TRY.campaign_id == wanted.campaign_id)
    if wanted.task_id is not None:
        chosen.append(_TRY.task_id == wanted.task_id)
    if wanted.customer_id is not None:
        chosen.append(_TRY.customer_id == wanted.customer_id)
    if wanted.outcome is not None:
        chosen.append(_TRY.outcome == wanted.outcome.value)
    if wanted.open is not None:
        over = _TRY.state == AttemptState.ENDED.value
        chosen.append(~over if wanted.open else over)
    if wanted.since is not None:
        chosen.append(_TRY.began_at >= wanted.since)
    if wanted.until is not None:
        chosen.append(_TRY.began_at < wanted.until)
    return chosen


def _attempt(
    row: DialAttemptRow,
    campaign: str | None,
    kind: str | None,
    customer_name: str | None,
    call_id: str | None,
) -> ListedAttempt:
    return ListedAttempt(
        attempt_id=row.id,
        campaign_id=row.campaign_id,
        campaign=campaign,
        task_id=row.task_id,
        kind=CallbackType(kind) if kind else None,
        customer_id=row.customer_id,
        customer_name=customer_name,
        number=row.number,
        trunk=row.trunk,
        agent=row.agent,
        state=AttemptState(row.state),
        outcome=Outcome(row.outcome) if row.outcome else None,
        began_at=row.began_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        has_call=call_id is not None,
        connect_seconds=row.connect_seconds,
        cause=row.cause,
        heard=heard_of(row),
    )


def _result(
    row: CallbackTaskRow, attempts: int, last_at: datetime, customer_name: str, contract_no: str | None
) -> TaskResult:
    return TaskResult(
        task_id=row.id,
        kind=CallbackType(row.kind),
        level=Level(row.level),
        customer_id=row.customer_id,
        customer_name=customer_name,
        contract_no=contract_no,
        status=TaskStatus(row.status),
        verdict=Verdict(row.verdict) if row.verdict else None,
        score=row.score,
        attempts=attempts,
        last_at=last_at,
        ended_at=row.ended_at,
    )
