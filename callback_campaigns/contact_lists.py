"""A campaign's list of contacts: rows become customers who are here or new, and a callback for each (C9).

The customers are written in one transaction, as every import does. The callbacks follow in parts, each under
a key that only this campaign and customer give: a process may die at any point, the same file may come twice,
and nothing is planned twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_store import to_campaign
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.domain.campaign import LIVE, Campaign, CampaignMode, CampaignState, TasksFrom
from callback_campaigns.domain.plan_rules import PlanRules, TriggerKind, When
from callback_campaigns.domain.planning import Trigger
from callback_campaigns.domain.task import WAITING
from callback_campaigns.domain.terms import CallbackType, Channel, purpose_of
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from crm.do_not_call import DoNotCall
from crm.domain.customer import Level
from crm.domain.duplicates import bare_name
from crm.domain.import_columns import PROJECT
from crm.domain.import_rows import Header, ParsedRow, RowProblem, read_row
from crm.domain.project_rules import MAX_CONTRACT_NO
from crm.importing.plan import KnownCustomer, KnownProject, Plan, Planner
from crm.importing.service import MAX_SHOWN, Importer, ImportReport, Options, Progress, report_of
from crm.office import Office
from crm.tables import Customer, Project
from kernel.access import Actor, Permission
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid

PART = 100
LIST = "list:"
"""What the origin of a task begins with that a list brought."""
DEFAULT = Options()


class NoListWanted(Conflict):
    """The campaign takes no list: its tasks are the planned ones, or it is over."""

    code = "no_list_wanted"


class ListPlanner(Planner):
    """Knows a customer by the number alone, where only one has it: lists seldom write names in full."""

    def add(self, row: ParsedRow) -> None:
        """Plan one more row; a contract that is not here is left out, a list makes no projects."""
        if row.contract_no is not None and row.contract_no not in self._world.projects:
            self._wrong(row, "contract_no", "unknown_contract", row.contract_no)
            row = replace(row, contract_no=None)
        super().add(row)

    def _owner(self, row: ParsedRow, project: KnownProject | None) -> KnownCustomer | None:
        if project is not None:
            owner = self._world.customers[project.customer_id]
            if bare_name(owner.name) != bare_name(row.name):
                self._wrong(row, "name", "name_differs", row.name)
            return owner
        before = len(self.plan.problems)
        found = super()._owner(row, None)
        if found is not None or len(self.plan.problems) > before:
            return found
        known = {one for number in row.phones for one in self._world.by_phone.get(number.e164, ())}
        if len(known) > 1:
            self._wrong(row, "name", "number_shared", row.name)
            return None
        if not known:
            return None
        owner = self._world.customers[known.pop()]
        if bare_name(owner.name) != bare_name(row.name):
            self._wrong(row, "name", "name_differs", row.name)
        return owner


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A callback that a row asks for."""

    row: int
    customer_id: str
    contract_no: str | None
    number: str


class ContactLists(Importer):
    """Imports the lists of campaigns."""

    planner = ListPlanner

    def __init__(
        self, office: Office, tasks: CallbackTasks, rules: PlanRules, do_not_call: DoNotCall
    ) -> None:
        super().__init__(office, Permission.CAMPAIGNS_RUN)
        self._tasks = tasks
        self._rules = rules
        self._refusals = do_not_call

    async def campaign(self, campaign_id: str | None) -> Campaign:
        """Return the campaign of a list.

        Raises:
            NotFound: no such campaign.
            NoListWanted: it takes no list.
        """
        async with self._office.database.session() as session:
            row = await session.get(CampaignRow, campaign_id) if is_ulid(campaign_id or "") else None
        if row is None:
            raise NotFound("no such campaign", field="campaign_id")
        campaign = to_campaign(row)
        if campaign.tasks_from is not TasksFrom.LIST:
            raise NoListWanted("it works on what is planned; choose a list instead", field="tasks_from")
        if campaign.state not in LIVE | {CampaignState.DRAFT}:
            raise NoListWanted("the campaign is over", field="state")
        return campaign

    async def check(
        self,
        actor: Actor,
        content: bytes,
        filename: str,
        options: Options = DEFAULT,
        progress: Progress = lambda *_: None,
    ) -> ImportReport:
        """Say what an import would do; nothing is written. Raises as the import does."""
        campaign = await self.campaign(options.campaign_id)
        actor.need(self._permission)
        read = await self._read(content, progress)
        async with self._office.database.session() as session:
            plan = await self._plan(session, actor, read, options, progress)
            wanted = _once(plan)
            told: list[RowProblem] = _twice(plan, wanted)
            count = 0
            for one in wanted:
                why = await self._against(session, campaign, one)
                count += why is None or why == "level_a"
                told += [_told(one, why)] if why else []
        report = report_of(read, plan, content, filename, written=False)
        return _with(report, told, count)

    async def run(
        self,
        actor: Actor,
        content: bytes,
        filename: str,
        options: Options = DEFAULT,
        progress: Progress = lambda *_: None,
    ) -> ImportReport:
        """Write the customers, then plan the callbacks. Raises as the import does, and NoListWanted."""
        campaign = await self.campaign(options.campaign_id)
        report, plan = await self._import(actor, content, filename, options, progress)
        if not report.written:
            return report
        wanted = _once(plan)
        told: list[RowProblem] = _twice(plan, wanted)
        made = done = 0
        for part in _parts(wanted):
            async with self._office.database.transaction() as session:
                await self._alone(session)
                for one in part:
                    why = await self._against(session, campaign, one)
                    told += [_told(one, why)] if why else []
                    if why is None or why == "level_a":
                        made += await self._plan_task(session, campaign, one)
            done += len(part)
            progress("write", done, len(wanted))
        async with self._office.database.transaction() as session:
            await self._office.journal.note(
                session,
                actor,
                "campaign.list_imported",
                entity="campaign",
                entity_id=campaign.campaign_id,
                after={"filename": filename, "rows": report.rows, "bad": report.bad, "tasks": made},
            )
        return _with(report, told, made)

    def _row(
        self, number: int, header: Header, cells: Sequence[Any], *, area: str, today: date
    ) -> tuple[ParsedRow | None, list[RowProblem]]:
        """Read a row without the columns of projects, of which only the contract's number says something."""
        places = {name: place for name, place in header.places.items() if name not in PROJECT}
        row, wrong = read_row(number, Header(places, header.titles), cells, area=area, today=today)
        place = header.places.get("contract_no")
        named = cells[place] if place is not None and place < len(cells) else None
        if row is not None and isinstance(named, str | int) and str(named).strip():
            row = replace(row, contract_no=str(named).strip()[:MAX_CONTRACT_NO])
        return row, wrong

    async def _against(self, session: AsyncSession, campaign: Campaign, one: _Wanted) -> str | None:
        """Return what stands against a row's callback; «level_a» only keeps the system from dialling it."""
        (kind,) = campaign.kinds
        purpose = purpose_of(self._rules.of(kind, None).category)
        if await self._refusals.allows(session, one.number, one.customer_id, purpose) is not None:
            return "do_not_call"
        level = await session.scalar(select(Customer.level).where(Customer.id == one.customer_id))
        if level is None:
            return None
        mine = (CallbackTaskRow.customer_id == one.customer_id, CallbackTaskRow.kind == kind.value)
        known = select(CallbackTaskRow.id).where(
            *mine,
            CallbackTaskRow.current_key.is_not(None)
            | (CallbackTaskRow.origin_ref == _ref(campaign, one.customer_id)),
        )
        left = await session.scalar(_left_over(kind, one.customer_id))
        if left is None and await session.scalar(known.limit(1)) is not None:
            return "planned_already"
        if campaign.mode is CampaignMode.IVR and level == Level.A:
            return "level_a"
        return None

    async def _plan_task(self, session: AsyncSession, campaign: Campaign, one: _Wanted) -> bool:
        (kind,) = campaign.kinds
        now, today = self._office.now(), self._office.today()
        left = await session.scalar(_left_over(kind, one.customer_id).with_for_update())
        if left is not None:
            # It goes on where the other list left it, with the attempts that were made.
            _take(left, campaign)
            await session.flush()
            return True
        trigger = Trigger(
            when=When(TriggerKind.MANUAL),
            ref=_ref(campaign, one.customer_id),
            at=now,
            on=max(today, campaign.starts_on),
            customer_id=one.customer_id,
            project_id=await self._project(session, one),
        )
        task = await self._tasks.plan_by_hand(session, kind, trigger)
        if task is None:
            return False
        _take(await session.get_one(CallbackTaskRow, task.task_id), campaign)
        await session.flush()
        return True

    @staticmethod
    async def _project(session: AsyncSession, one: _Wanted) -> str | None:
        if one.contract_no is None:
            return None
        found = select(Project.id).where(
            Project.contract_no == one.contract_no, Project.customer_id == one.customer_id
        )
        return await session.scalar(found)


def _left_over(kind: CallbackType, customer_id: str) -> Select[CallbackTaskRow]:
    """Return the task that the list of a campaign which has ended left open for a customer."""
    row = CallbackTaskRow
    return (
        select(row)
        .where(
            row.customer_id == customer_id,
            row.kind == kind.value,
            row.current_key.is_not(None),
            row.campaign_id.is_(None),
            row.origin_ref.startswith(LIST),
            row.status.in_([status.value for status in WAITING]),
        )
        .limit(1)
    )


def _take(row: CallbackTaskRow, campaign: Campaign) -> None:
    row.campaign_id = campaign.campaign_id
    if campaign.mode is CampaignMode.IVR and row.level != Level.A:
        row.channel = Channel.IVR.value


def _ref(campaign: Campaign, customer_id: str) -> str:
    return f"{LIST}{campaign.campaign_id}:{customer_id}"


def _once(plan: Plan) -> list[_Wanted]:
    """Return the callbacks, one for each customer however often the list names them."""
    found: dict[str, _Wanted] = {}
    for row, customer_id in plan.owners:
        wanted = _Wanted(row.row, customer_id, row.contract_no, row.phones[0].e164)
        found.setdefault(customer_id, wanted)
    return list(found.values())


def _twice(plan: Plan, wanted: Sequence[_Wanted]) -> list[RowProblem]:
    first = {one.row for one in wanted}
    return [
        RowProblem(row=row.row, column="", code="listed_twice")
        for row, _ in plan.owners
        if row.row not in first
    ]


def _told(one: _Wanted, code: str) -> RowProblem:
    return RowProblem(row=one.row, column="", code=code)


def _parts(items: Sequence[_Wanted]) -> Iterator[Sequence[_Wanted]]:
    for start in range(0, len(items), PART):
        yield items[start : start + PART]


def _with(report: ImportReport, told: Sequence[RowProblem], tasks: int) -> ImportReport:
    problems = sorted([*report.problems, *told], key=lambda item: (item.is_warning, item.row))
    return replace(
        report,
        problems=tuple(problems[:MAX_SHOWN]),
        warnings=report.warnings + len(told),
        new_tasks=tasks,
    )
