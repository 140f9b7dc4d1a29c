"""Reads repairs: one with all that happened to it, pages of them, work lists, a captain's day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, CaseRegister, CaseView
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import (
    MAY_CALL_BACK,
    InTime,
    NoticeWay,
    Route,
    RouteReason,
    VisitOutcome,
    callback_due,
    steps_from,
    suggested_route,
)
from crm.domain.repair_cost import CostKind, CostState
from crm.domain.warranty import RepairClass, Snapshot, suggested_class, take_snapshot, warnings_of
from crm.limit_tables import LimitTimerRow
from crm.limits import LimitBook, TimerView
from crm.repair_input import card_of
from crm.repair_store import CHAIN, crew_names, from_json, to_repair
from crm.repair_tables import (
    RepairCallbackRow,
    RepairCostRow,
    RepairRoutingRow,
    RepairRow,
    RepairVisitRow,
)
from crm.repair_views import (
    CallbackView,
    CostBrief,
    RepairBrief,
    RepairList,
    RepairPage,
    RepairPreview,
    RepairView,
    RoutingView,
    VisitView,
    WarrantyView,
    item_views,
)
from crm.tables import Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Invalid, NotFound

LONGEST_AGENDA_DAYS = 62
_S = CaseStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairFilter:
    """Which repairs to list; what is ``None`` does not matter."""

    which: RepairList | None = None
    statuses: tuple[CaseStatus, ...] = ()
    is_open: bool | None = None
    route: Route | None = None
    crew_id: str | None = None
    department: str | None = None
    specialist_id: str | None = None
    customer_id: str | None = None
    project_id: str | None = None


class RepairReader:
    """Shows repairs to whoever may see them."""

    def __init__(
        self, database: Database, clock: Clock, *, register: CaseRegister, limits: LimitBook, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._register = register
        self._limits = limits
        self._zone = zone

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def get(self, actor: Actor, case_id: str) -> RepairView:
        """Return one repair.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such repair, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            return await self._view(session, actor, case_id)

    async def get_moved(self, actor: Actor, case_id: str) -> RepairView:
        """Return a repair that the actor has just given away, though it may be seen no more."""
        seen = actor if actor.can(Permission.CASES_VIEW_ALL) else Actor.system(actor.name)
        return await self.get(seen, case_id)

    async def preview(self, actor: Actor, project_id: str | None) -> RepairPreview:
        """Return what the form shows before it is sent: warranty, warnings, who would repair.

        Raises:
            Forbidden: the role does not register cases.
            NotFound: no such project.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._database.session() as session:
            card, crew = await card_of(session, project_id)
            open_: Sequence[str] = ()
            if project_id is not None:
                query = select(ServiceCase.no).where(
                    ServiceCase.project_id == project_id,
                    ServiceCase.kind == CaseKind.REPAIR.value,
                    ServiceCase.closed_at.is_(None),
                )
                open_ = (await session.scalars(query.order_by(ServiceCase.no))).all()
        snapshot = take_snapshot(card, self.today())
        active = crew is not None and crew.status == "active"
        return RepairPreview(
            warranty=_warranty(snapshot),
            warnings=warnings_of(snapshot),
            suggested_class=suggested_class(snapshot),
            suggested_route=suggested_route(original_active=active, customer_demands_change=False),
            crew_id=crew.id if crew else None,
            crew=crew.name if crew else None,
            crew_active=active,
            open_repairs=tuple(open_),
        )

    async def page(
        self, actor: Actor, wanted: RepairFilter, *, cursor: str | None = None, limit: int = 50
    ) -> RepairPage:
        """Return a page of repairs, newest first.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        chosen = self._conditions(wanted)
        if cursor is not None:
            at, case_id = read_cursor(cursor)
            older = and_(ServiceCase.opened_at == at, ServiceCase.id < case_id)
            chosen.append(or_(ServiceCase.opened_at < at, older))
        async with self._database.session() as session:
            found = await self._register.views(session, actor, *chosen, limit=limit + 1)
            items = await self._briefs(session, found[:limit])
        more = len(found) > limit
        return RepairPage(
            items=items,
            next_cursor=write_cursor(found[limit - 1].opened_at, found[limit - 1].case_id) if more else None,
        )

    async def agenda(self, actor: Actor, since: datetime, until: datetime) -> tuple[RepairBrief, ...]:
        """Return the repairs with a visit in a time, by time and then by district; 200 at the most.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the time is no time, or too long.
        """
        actor.need(Permission.CASES_VIEW)
        if until <= since or (until - since).days > LONGEST_AGENDA_DAYS:
            raise Invalid(f"until: after since, {LONGEST_AGENDA_DAYS} days at the most", field="until")
        appointed = _detail(RepairRow.appointed_from >= since, RepairRow.appointed_from < until)
        chosen = [ServiceCase.kind == CaseKind.REPAIR.value, ServiceCase.closed_at.is_(None), appointed]
        async with self._database.session() as session:
            found = await self._register.views(session, actor, *chosen, limit=MAX_PAGE)
            items = await self._briefs(session, found)
        return tuple(sorted(items, key=lambda item: (item.appointed_from or until, item.community or "")))

    def _conditions(self, wanted: RepairFilter) -> list[ColumnElement[bool]]:
        chosen: list[ColumnElement[bool]] = [ServiceCase.kind == CaseKind.REPAIR.value, _detail()]
        if wanted.statuses:
            chosen.append(ServiceCase.status.in_([status.value for status in wanted.statuses]))
        if wanted.is_open is not None:
            closed = ServiceCase.closed_at
            chosen.append(closed.is_(None) if wanted.is_open else closed.is_not(None))
        if wanted.route is not None:
            chosen.append(_detail(RepairRow.route == wanted.route.value))
        if wanted.crew_id is not None:
            mine = or_(RepairRow.crew_id == wanted.crew_id, RepairRow.original_crew_id == wanted.crew_id)
            chosen.append(_detail(mine))
        for column, value in (
            (ServiceCase.department_code, wanted.department),
            (ServiceCase.specialist_id, wanted.specialist_id),
            (ServiceCase.customer_id, wanted.customer_id),
            (ServiceCase.project_id, wanted.project_id),
        ):
            if value is not None:
                chosen.append(column == value)
        if wanted.which is not None:
            chosen += _of_list(wanted.which, self._clock.now())
        return chosen

    async def _briefs(self, session: AsyncSession, cases: Sequence[CaseView]) -> tuple[RepairBrief, ...]:
        ids = [case.case_id for case in cases]
        if not ids:
            return ()
        rows = await session.scalars(select(RepairRow).where(RepairRow.case_id.in_(ids)))
        details = {row.case_id: row for row in rows}
        crews = await crew_names(session, [row.crew_id for row in details.values()])
        timers = await self._limits.timers(session, ids)
        costs = await _costs(session, ids)
        visits = await _open_visits(session, ids)
        communities = await _communities(session, [case.project_id for case in cases])
        return tuple(
            RepairBrief(
                **self._brief(
                    case,
                    details[case.case_id],
                    crews,
                    timers[case.case_id],
                    costs.get(case.case_id),
                    visits.get(case.case_id),
                    communities.get(case.project_id or ""),
                )
            )
            for case in cases
            if case.case_id in details
        )

    def _brief(
        self,
        case: CaseView,
        row: RepairRow,
        crews: dict[str, str],
        timers: tuple[TimerView, ...],
        cost: RepairCostRow | None,
        visit: RepairVisitRow | None,
        community: str | None,
    ) -> dict[str, Any]:
        repair = to_repair(case, row, visit)
        chosen = RepairClass(row.repair_class)
        chain = {timer.code: timer for timer in timers if timer.is_open and timer.record.line_id == CHAIN}
        latest = chain["BX.R6"].due_at if "BX.R6" in chain else None
        overdue = "BX.R3" in chain and chain["BX.R3"].overdue
        return {
            "case_id": case.case_id,
            "no": case.no,
            "status": case.status,
            "case": case,
            "place": row.place,
            "repair_class": chosen,
            "warnings": warnings_of(from_json(row.warranty, case.opened_at.date()), chosen),
            "route": repair.route,
            "route_reason": repair.reason,
            "crew_id": row.crew_id,
            "crew": crews.get(row.crew_id or ""),
            "original_crew": row.original_crew_name,
            "original_crew_left": row.original_crew_left,
            # Where somebody lives is shown as long as their address is.
            "community": community if case.address is not None else None,
            "appointed_from": row.appointed_from,
            "appointed_until": row.appointed_until,
            "callback_due": callback_due(repair, latest),
            "reroute_proposed": (case.status is _S.NOTIFIED and overdue) or repair.not_contacted,
            "reroutes": row.reroutes,
            "round": case.round,
            "timers": timers,
            "cost": CostBrief(
                cost_id=cost.id,
                state=CostState(cost.state),
                kind=CostKind(cost.kind),
                version=cost.version,
            )
            if cost
            else None,
            "cost_owed": cost is None and repair.cost_owed and row.fixed,
            "steps": tuple(sorted(steps_from(repair))),
            "version": case.version,
        }

    async def _view(self, session: AsyncSession, actor: Actor, case_id: str) -> RepairView:
        found = await self._register.views(
            session, actor, ServiceCase.id == case_id, ServiceCase.kind == CaseKind.REPAIR.value, limit=1
        )
        row = await session.get(RepairRow, case_id)
        if not found or row is None:
            raise NotFound("no such repair", field="case_id")
        case = found[0]
        routings = await _all(session, RepairRoutingRow, case_id)
        visits = await _all(session, RepairVisitRow, case_id)
        callbacks = await _all(session, RepairCallbackRow, case_id)
        crews = await crew_names(session, [row.crew_id, *(routing.crew_id for routing in routings)])
        brief = self._brief(
            case,
            row,
            crews,
            (await self._limits.timers(session, [case_id]))[case_id],
            (await _costs(session, [case_id])).get(case_id),
            next((visit for visit in visits if visit.open_key is not None), None),
            (await _communities(session, [case.project_id])).get(case.project_id or ""),
        )
        return RepairView(
            **brief,
            warranty=_warranty(from_json(row.warranty, case.opened_at.date())),
            original_crew_id=row.original_crew_id,
            routed_at=row.routed_at,
            notified_at=row.notified_at,
            notified_by=row.notified_by,
            notified_way=NoticeWay(row.notified_way) if row.notified_way else None,
            notified_whom=row.notified_whom,
            contacted_at=row.contacted_at,
            contacted_by=row.contacted_by,
            customer_says=row.customer_says,
            plan=row.plan,
            first_time_fix=row.first_time_fix,
            close_reason=row.close_reason,
            routings=tuple(_routing(routing, crews) for routing in routings),
            visits=tuple(_visit(visit) for visit in visits),
            callbacks=tuple(_callback(callback) for callback in callbacks),
        )


def _detail(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(RepairRow.case_id == ServiceCase.id, *conditions)


def _limit_passed(code: str, now: datetime) -> ColumnElement[bool]:
    return exists().where(
        LimitTimerRow.record_id == ServiceCase.id,
        LimitTimerRow.code == code,
        LimitTimerRow.open_key.is_not(None),
        LimitTimerRow.deadline_at < now,
    )


def _of_list(which: RepairList, now: datetime) -> list[ColumnElement[bool]]:
    """Return which repairs wait for somebody to do this."""
    status = ServiceCase.status
    match which:
        case RepairList.TO_ROUTE:
            return [status == _S.REGISTERED.value]
        case RepairList.TO_NOTIFY:
            return [status == _S.ROUTED.value]
        case RepairList.TO_CONTACT:
            return [status == _S.NOTIFIED.value]
        case RepairList.REROUTE:
            silent = and_(status == _S.NOTIFIED.value, _limit_passed("BX.R3", now))
            return [ServiceCase.closed_at.is_(None), or_(silent, _detail(RepairRow.not_contacted.is_(True)))]
        case RepairList.TO_CALL_BACK:
            waiting = status.in_(sorted(state.value for state in MAY_CALL_BACK))
            due = or_(_detail(RepairRow.callback_at <= now), _limit_passed("BX.R6", now))
            return [waiting, or_(status == _S.VISITED.value, due)]
        case RepairList.TO_CLOSE:
            return [status == _S.CALLBACK.value]
        case RepairList.TO_COST:
            costed = exists().where(RepairCostRow.case_id == ServiceCase.id)
            return [_detail(RepairRow.fixed.is_(True), RepairRow.route != Route.ORIGINAL.value), ~costed]


async def _all(session: AsyncSession, table: Any, case_id: str) -> Sequence[Any]:
    query = select(table).where(table.case_id == case_id).order_by(table.id)
    return (await session.scalars(query)).all()


async def _costs(session: AsyncSession, ids: Sequence[str]) -> dict[str, RepairCostRow]:
    rows = await session.scalars(select(RepairCostRow).where(RepairCostRow.case_id.in_(ids)))
    return {row.case_id: row for row in rows}


async def _open_visits(session: AsyncSession, ids: Sequence[str]) -> dict[str, RepairVisitRow]:
    rows = await session.scalars(select(RepairVisitRow).where(RepairVisitRow.open_key.in_(ids)))
    return {row.case_id: row for row in rows}


async def _communities(session: AsyncSession, ids: Sequence[str | None]) -> dict[str, str | None]:
    known = sorted({project_id for project_id in ids if project_id})
    if not known:
        return {}
    rows = await session.execute(select(Project.id, Project.community).where(Project.id.in_(known)))
    return {row.id: row.community for row in rows}


def _warranty(snapshot: Snapshot) -> WarrantyView:
    return WarrantyView(
        flag=snapshot.flag,
        until=snapshot.until,
        no=snapshot.no,
        taken_on=snapshot.taken_on,
        excluded=snapshot.excluded,
        items=item_views(snapshot.items, snapshot.taken_on),
        item=snapshot.item,
    )


def _routing(row: RepairRoutingRow, crews: dict[str, str]) -> RoutingView:
    return RoutingView(
        at=row.at,
        by=row.by,
        route=Route(row.route),
        reason=RouteReason(row.reason) if row.reason else None,
        note=row.note,
        crew_id=row.crew_id,
        crew=crews.get(row.crew_id or ""),
    )


def _visit(row: RepairVisitRow) -> VisitView:
    return VisitView(
        visit_id=row.id,
        appointed_from=row.appointed_from,
        appointed_until=row.appointed_until,
        en_route_at=row.en_route_at,
        arrived_at=row.arrived_at,
        done_at=row.done_at,
        cancelled_at=row.cancelled_at,
        outcome=VisitOutcome(row.outcome) if row.outcome else None,
        result=row.result,
        signature_id=row.signature_id,
        by=row.by,
    )


def _callback(row: RepairCallbackRow) -> CallbackView:
    return CallbackView(
        callback_id=row.id,
        at=row.at,
        by=row.by,
        problem=ProblemStatus(row.problem),
        verdict=Verdict(row.verdict) if row.verdict else None,
        contacted_in_time=InTime(row.contacted_in_time) if row.contacted_in_time else None,
        timely=InTime(row.timely) if row.timely else None,
        remark=row.remark,
        no_visit_reason=row.no_visit_reason,
        call_id=row.call_id,
    )
