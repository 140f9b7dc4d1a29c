"""The book of campaigns: written, started, paused, stopped; which of them dial now (features.md C2)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_owner import owner_of
from callback_campaigns.campaign_store import for_change, put, to_campaign
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.campaign_tasks import ReadyTask, ready_tasks, release_list
from callback_campaigns.domain import campaign as rules
from callback_campaigns.domain.campaign import (
    Campaign,
    CampaignMode,
    CampaignState,
    CampaignStep,
    Premises,
    TasksFrom,
    Trunk,
)
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.events import CampaignChanged
from callback_campaigns.task_tables import DialAttemptRow
from crm.domain.customer import Level
from crm.domain.lines import choice, one_line
from crm.office import Office
from crm.tables import Store
from kernel.access import Actor, Permission
from kernel.bus import Bus
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid, new_ulid
from telephony.agent_tables import QueueRow

ENTITY = "campaign"
MAX_PAGE = 200
MAX_NAME = 60
MAX_REASON = 200
MAX_STORES = 200
WRITABLE = frozenset(one.name for one in fields(Campaign)) - {"campaign_id", "state", "version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The lines that campaigns may use, from the settings."""

    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    carriers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignView:
    """A campaign with what people want to know of it."""

    campaign: Campaign
    steps: tuple[CampaignStep, ...]
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def version(self) -> int:
        """The campaign's version."""
        return self.campaign.version


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPage:
    """A page of campaigns, the newest at the top."""

    items: tuple[CampaignView, ...]
    next_cursor: str | None


class CampaignBook:
    """Keeps campaigns."""

    def __init__(self, office: Office, lines: Lines, bus: Bus) -> None:
        self._office = office
        self._lines = lines
        self._bus = bus

    @property
    def lines(self) -> Lines:
        """The lines that campaigns may use."""
        return self._lines

    async def running(self, now: datetime) -> tuple[Campaign, ...]:
        """Return the campaigns that dial now, the one that goes first at the top. For the dialler."""
        today = now.astimezone(self._office.zone).date()
        async with self._office.database.session() as session:
            return await running_in(session, today)

    async def ready(self, campaign: Campaign, now: datetime, limit: int) -> tuple[ReadyTask, ...]:
        """Return the tasks that a running campaign may dial next, the most pressing first. For the dialler.

        What is refused is put off by whoever asked, or it will be the first again.
        """
        today = now.astimezone(self._office.zone).date()
        async with self._office.database.session() as session:
            return await ready_tasks(session, campaign, await running_in(session, today), now, limit)

    async def preview_of(self, task_id: str, now: datetime) -> Campaign | None:
        """Return the campaign of the mode ``preview`` whose a task is: running, or paused; ``None`` for none.

        A paused one is given only where no other campaign works on the task: its agents wait with it.
        """
        today = now.astimezone(self._office.zone).date()
        async with self._office.database.session() as session:
            running = await running_in(session, today)
            owner = await owner_of(session, task_id, running)
            if owner is None:
                paused = await running_in(session, today, CampaignState.PAUSED)
                previews = [one for one in paused if one.mode is CampaignMode.PREVIEW]
                owner = await owner_of(session, task_id, previews)
        return owner if owner is not None and owner.mode is CampaignMode.PREVIEW else None

    async def find(self, campaign_id: str) -> Campaign:
        """Return a campaign as it is now. For the dialler; no person asks. Raises NotFound."""
        async with self._office.database.session() as session:
            return to_campaign(await _row(session, campaign_id))

    async def get(self, actor: Actor, campaign_id: str) -> CampaignView:
        """Return a campaign. Raises Forbidden, NotFound."""
        actor.need(Permission.CAMPAIGNS_VIEW)
        async with self._office.database.session() as session:
            return _view(await _row(session, campaign_id))

    async def page(
        self,
        actor: Actor,
        *,
        states: Collection[CampaignState] = (),
        mode: CampaignMode | None = None,
        kind: CallbackType | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> CampaignPage:
        """Return campaigns, the newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.CAMPAIGNS_VIEW)
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"between 1 and {MAX_PAGE}", field="limit")
        row, chosen = CampaignRow, list[ColumnElement[bool]]()
        if states:
            chosen.append(row.state.in_([state.value for state in states]))
        if mode is not None:
            chosen.append(row.mode == mode.value)
        if cursor is not None:
            at, key = read_cursor(cursor)
            chosen.append(or_(row.created_at < at, and_(row.created_at == at, row.id < key)))
        query = select(row).where(*chosen).order_by(row.created_at.desc(), row.id.desc())
        async with self._office.database.session() as session:
            found = (await session.scalars(query if kind is not None else query.limit(limit + 1))).all()
        if kind is not None:
            found = [one for one in found if kind.value in one.kinds][: limit + 1]
        more = len(found) > limit
        items = tuple(_view(one) for one in found[:limit])
        last = found[limit - 1] if more else None
        return CampaignPage(
            items=items, next_cursor=write_cursor(last.created_at, last.id) if last is not None else None
        )

    async def stores(self) -> dict[str, str]:
        """Return the names of the stores that a campaign may be limited to, by id."""
        async with self._office.database.session() as session:
            found = await session.execute(select(Store.id, Store.name).order_by(Store.name))
            return {row.id: row.name for row in found}

    async def premises(self, session: AsyncSession) -> Premises:
        """Return what a campaign can be made of here."""
        queues = await session.scalars(select(QueueRow.name).where(QueueRow.active))
        stores = await session.scalars(select(Store.id))
        return Premises(
            trunks=self._lines.trunks,
            carriers=self._lines.carriers,
            queues=frozenset(queues),
            stores=frozenset(stores),
            today=self._office.today(),
        )

    async def create(self, actor: Actor, given: Mapping[str, Any]) -> CampaignView:
        """Write a draft.

        Raises:
            Forbidden: the role runs no campaigns.
            Invalid: a field breaks a rule; the error names it.
        """
        actor.need(Permission.CAMPAIGNS_RUN)
        now = self._office.now()
        made = _made(new_ulid(), given)
        async with self._office.database.transaction() as session:
            rules.check(made, await self.premises(session))
            if made.ends_on < self._office.today():
                raise Invalid("the last day has passed", field="ends_on")
            row = CampaignRow(id=made.campaign_id, created_at=now, created_by=actor.name)
            self._write(row, made, actor)
            session.add(row)
            await session.flush()
            await self._note(session, actor, "campaign.created", row, after=_noted(made))
            view = _view(row)
        self._tell(actor, made)
        return view

    async def change(
        self, actor: Actor, campaign_id: str, given: Mapping[str, Any], *, expected: int | None
    ) -> CampaignView:
        """Change the fields that are given.

        Raises:
            Forbidden: the role runs no campaigns.
            NotFound: no such campaign.
            StaleVersion: somebody changed it since.
            IllegalStep: it is over.
            Invalid: a field breaks a rule, or cannot be changed in this state; the error names it.
        """
        actor.need(Permission.CAMPAIGNS_RUN)
        async with self._office.database.transaction() as session:
            row = await for_change(session, campaign_id, expected)
            before = to_campaign(row)
            after = _changed(before, given)
            rules.check_change(before, after)
            if after == before:
                return _view(row)
            rules.check(after, await self.premises(session))
            self._write(row, after, actor)
            await session.flush()
            await self._note(session, actor, "campaign.changed", row, _noted(before), _noted(after))
            view = _view(row)
        self._tell(actor, after)
        return view

    async def start(self, actor: Actor, campaign_id: str, *, expected: int | None) -> CampaignView:
        """Let a draft dial. Raises as :meth:`step` does."""
        return await self.step(actor, campaign_id, CampaignStep.START, expected=expected)

    async def pause(
        self, actor: Actor, campaign_id: str, *, expected: int | None, reason: str = ""
    ) -> CampaignView:
        """Dial nothing more for now. Raises as :meth:`step` does."""
        return await self.step(actor, campaign_id, CampaignStep.PAUSE, expected=expected, reason=reason)

    async def resume(self, actor: Actor, campaign_id: str, *, expected: int | None) -> CampaignView:
        """Dial again after a pause. Raises as :meth:`step` does."""
        return await self.step(actor, campaign_id, CampaignStep.RESUME, expected=expected)

    async def stop(
        self, actor: Actor, campaign_id: str, *, expected: int | None, reason: str = ""
    ) -> CampaignView:
        """Dial nothing more at all; calls in progress end. Raises as :meth:`step` does."""
        return await self.step(actor, campaign_id, CampaignStep.STOP, expected=expected, reason=reason)

    async def step(
        self,
        actor: Actor,
        campaign_id: str,
        wanted: CampaignStep,
        *,
        expected: int | None,
        reason: str = "",
    ) -> CampaignView:
        """Take a step. A step that leads to a dial checks the fields again: lines and numbers may have gone.

        Raises:
            Forbidden: the role runs no campaigns.
            NotFound: no such campaign.
            StaleVersion: somebody changed it since.
            IllegalStep: its state does not allow that.
            Invalid: a field does not hold any more; the error names it.
        """
        actor.need(Permission.CAMPAIGNS_RUN)
        why = one_line(reason, field="reason", limit=MAX_REASON) if reason.strip() else ""
        async with self._office.database.transaction() as session:
            row = await for_change(session, campaign_id, expected)
            before = to_campaign(row)
            after = rules.step(before, wanted, self._office.today())
            if wanted in rules.DIALS:
                rules.check(after, await self.premises(session))
            after = rules.settle(after, self._office.today(), calls=await open_calls(session, campaign_id))
            if wanted is CampaignStep.START:
                row.started_at = self._office.now()
            self._write(row, after, actor)
            await release_list(session, after)
            await session.flush()
            await self._note(
                session, actor, f"campaign.{wanted.value}", row, _noted(before), _noted(after), why=why
            )
            view = _view(row)
        self._tell(actor, after)
        return view

    async def settle(self) -> tuple[Campaign, ...]:
        """Do what happens by itself: last days that have passed, last calls that have ended."""
        today = self._office.today()
        waiting = or_(
            CampaignRow.state == CampaignState.STOPPED.value,
            and_(CampaignRow.state.in_([state.value for state in rules.LIVE]), CampaignRow.ends_on < today),
        )
        async with self._office.database.session() as session:
            found = (await session.scalars(select(CampaignRow.id).where(waiting))).all()
        settled = []
        actor = Actor.system("campaigns")
        for campaign_id in found:
            async with self._office.database.transaction() as session:
                row = await for_change(session, campaign_id, None)
                before = to_campaign(row)
                after = rules.settle(before, today, calls=await open_calls(session, campaign_id))
                if after.state is before.state:
                    continue
                self._write(row, after, actor)
                await release_list(session, after)
                await session.flush()
                action = f"campaign.{after.state.value}"
                await self._note(session, actor, action, row, _noted(before), _noted(after))
            self._tell(actor, after)
            settled.append(after)
        return tuple(settled)

    def _write(self, row: CampaignRow, campaign: Campaign, actor: Actor) -> None:
        put(row, campaign)
        row.updated_at, row.updated_by = self._office.now(), actor.name
        if campaign.state is CampaignState.ENDED and row.ended_at is None:
            row.ended_at = row.updated_at

    def _tell(self, actor: Actor, campaign: Campaign) -> None:
        self._bus.publish(
            CampaignChanged(
                at=self._office.now(),
                campaign_id=campaign.campaign_id,
                state=campaign.state.value,
                by=actor.name,
            )
        )

    async def _note(
        self,
        session: AsyncSession,
        actor: Actor,
        action: str,
        row: CampaignRow,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        *,
        why: str = "",
    ) -> None:
        await self._office.journal.note(
            session, actor, action, entity=ENTITY, entity_id=row.id, before=before, after=after, why=why
        )


async def running_in(
    session: AsyncSession, today: date, state: CampaignState = CampaignState.RUNNING
) -> tuple[Campaign, ...]:
    """Return the campaigns that dial on a day, the one that goes first at the top."""
    row = CampaignRow
    query = (
        select(row)
        .where(row.state == state.value, row.starts_on <= today, row.ends_on >= today)
        .order_by(row.priority.desc(), row.id)
    )
    return tuple(to_campaign(one) for one in await session.scalars(query))


async def state_in(session: AsyncSession, campaign_id: str) -> CampaignState | None:
    """Return a campaign's state inside a transaction, so that a pause holds from the next dial on."""
    found = await session.scalar(_STATE_OF, {"campaign_id": campaign_id})
    return CampaignState(found) if found is not None else None


_STATE_OF = select(CampaignRow.state).where(CampaignRow.id == bindparam("campaign_id"))


async def open_calls(session: AsyncSession, campaign_id: str) -> int:
    """Return how many attempts of a campaign are not over."""
    query = select(func.count()).where(
        DialAttemptRow.campaign_id == campaign_id, DialAttemptRow.state != "ended"
    )
    return int(await session.scalar(query) or 0)


async def _row(session: AsyncSession, campaign_id: str) -> CampaignRow:
    row = await session.get(CampaignRow, campaign_id) if is_ulid(campaign_id) else None
    if row is None:
        raise NotFound("no such campaign", field="campaign_id")
    return row


def _view(row: CampaignRow) -> CampaignView:
    campaign = to_campaign(row)
    return CampaignView(
        campaign=campaign,
        steps=rules.possible(campaign),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _made(campaign_id: str, given: Mapping[str, Any]) -> Campaign:
    values = _read(given)
    for name in ("name", "mode", "kinds", "trunk", "carrier", "caller_id", "starts_on", "ends_on"):
        if name not in values:
            raise Invalid("is missing", field=name)
    return Campaign(campaign_id=campaign_id, **values)


def _changed(before: Campaign, given: Mapping[str, Any]) -> Campaign:
    return replace(before, **_read(given))


def _read(given: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(given)
    if unknown := sorted(set(values) - WRITABLE):
        raise Invalid("no such field", field=unknown[0])
    if "name" in values:
        values["name"] = one_line(values["name"], field="name", limit=MAX_NAME)
    if "mode" in values:
        values["mode"] = choice(CampaignMode, values["mode"], field="mode")
    if "tasks_from" in values:
        values["tasks_from"] = choice(TasksFrom, values["tasks_from"], field="tasks_from")
    if "kinds" in values:
        values["kinds"] = frozenset(choice(CallbackType, one, field="kinds") for one in values["kinds"])
    if "levels" in values:
        values["levels"] = frozenset(choice(Level, one, field="levels") for one in values["levels"])
    if "store_ids" in values:
        values["store_ids"] = frozenset(values["store_ids"])
        if len(values["store_ids"]) > MAX_STORES:
            raise Invalid(f"at most {MAX_STORES}", field="store_ids")
    if values.get("queue") == "":
        values["queue"] = None
    return values


def _noted(campaign: Campaign) -> dict[str, Any]:
    """Return what the journal keeps; the caller id is the company's own number."""
    kept = {one.name: getattr(campaign, one.name) for one in fields(campaign)}
    for name in ("kinds", "levels", "store_ids"):
        kept[name] = sorted(kept[name])
    del kept["campaign_id"], kept["version"]
    return kept
