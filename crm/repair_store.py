"""Loads repairs for a change and stores what became of them, all in one transaction."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from crm.case_store import Note, tell_everywhere
from crm.cases import CaseRegister, CaseView
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.repair import (
    Appointment,
    Effect,
    Happened,
    Moved,
    OpenVisit,
    Repair,
    Route,
    RouteReason,
)
from crm.domain.repair_terms import CAPTAIN_DEPARTMENT
from crm.domain.warranty import Snapshot, WarrantyFlag, WarrantyItem
from crm.journal import Journal, Values
from crm.limits import LimitBook, Owner, RecordRef
from crm.repair_tables import RepairCostRow, RepairRow, RepairVisitRow
from crm.search_feed import CaseExtra, SearchFeed
from crm.tables import Crew, Department, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Forbidden, NotFound
from kernel.events import Event
from kernel.outbox import add_fact

ENTITY = "repair"
FAMILY = "BX"
CHAIN = "chain"
"""Line of the limits R2, R3 and R6, which end together when a repair is routed anew."""
COST = "cost"
"""Line of the limit K0, which goes on whoever repairs."""
CREW_DEPARTMENT = "ENG"
DEPARTMENTS = {
    Route.ORIGINAL: CREW_DEPARTMENT,
    Route.CAPTAIN: CAPTAIN_DEPARTMENT,
    Route.OTHER_CREW: CAPTAIN_DEPARTMENT,
}
"""Route → whose people see the repair: other crews are led by the captain."""


@dataclass(slots=True, kw_only=True)
class OpenedRepair:
    """A repair that is being changed; what is noted and told is stored when the change ends well."""

    session: AsyncSession
    actor: Actor
    now: datetime
    header: ServiceCase
    row: RepairRow
    visit: RepairVisitRow | None
    limits: LimitBook
    _notes: list[Note] = field(default_factory=list)

    def domain(self) -> Repair:
        """Return what the rules depend on."""
        return to_repair(self.header, self.row, self.visit)

    def note(
        self, action: str, *, before: Values | None = None, after: Values | None = None, why: str = ""
    ) -> None:
        """Write down in the journal what was done."""
        note = Note(
            action=action,
            entity=ENTITY,
            entity_id=self.header.id,
            before=before or {},
            after=after or {},
            why=why,
        )
        self._notes.append(note)

    def tell(self, fact: Event) -> None:
        """Tell other parts, once the change is committed."""
        add_fact(self.session, fact)

    async def move(self, moved: Moved, action: str, *, why: str = "", **after: Any) -> None:
        """Store a repair after a step, with its limits and the journal's note."""
        before = {"status": self.header.status}
        put_repair(self.header, self.row, moved.repair)
        self.note(action, before=before, after={"status": self.header.status, **after}, why=why)
        await self.session.flush()
        for effect in moved.effects:
            await self._apply(effect)

    async def _apply(self, effect: Effect) -> None:
        session, chain = self.session, ref(self.header, CHAIN)
        if effect.void:
            await self.limits.void(session, chain, reason=effect.void, at=effect.at)
            if effect.cost_too:
                await self.limits.void(session, ref(self.header, COST), reason=effect.void, at=effect.at)
        if effect.event is Happened.REPAIRED:
            if await session.scalar(select(RepairCostRow.id).where(RepairCostRow.case_id == self.header.id)):
                return  # The sheet is there: it is changed, not owed once more.
            chain = ref(self.header, COST)
        if effect.event is not None:
            started = await self.limits.happened(
                session,
                FAMILY,
                effect.event.value,
                chain,
                at=effect.at or self.now,
                owner=self._owner(effect.event),
            )
            for timer in started:
                self.header.limit_set = timer.policy
        if effect.slot is not None:
            await self.limits.set_slot(session, "BX.R6", chain, slot=effect.slot)

    def _owner(self, event: Happened) -> Owner:
        specialist = self.header.specialist_id
        if event is Happened.REGISTERED:
            return Owner(user_id=specialist, specialist=specialist)
        department = CAPTAIN_DEPARTMENT if event is Happened.REPAIRED else self.header.department_code
        return Owner(department=department, specialist=specialist)

    def check_works(self) -> None:
        """Refuse work by anybody but customer service and, once it is theirs, the captain's people.

        Raises:
            Forbidden: the role, the department or the route does not fit.
        """
        if self.actor.can(Permission.CASES_REGISTER):
            return
        self.actor.need(Permission.REPAIRS_WORK)
        if self.row.route == Route.ORIGINAL.value or not self.actor.in_department(
            self.header.department_code
        ):
            raise Forbidden("the repair is not routed to you", field="route")


class RepairStore:
    """Opens repairs for change."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        register: CaseRegister,
        journal: Journal,
        limits: LimitBook,
        feed: SearchFeed,
    ) -> None:
        self.database = database
        self.clock = clock
        self.register = register
        self.journal = journal
        self.limits = limits
        self._feed = feed

    @asynccontextmanager
    async def changing(
        self, actor: Actor, case_id: str, *, expected: int | None
    ) -> AsyncIterator[OpenedRepair]:
        """Open a repair, and store it when the block ends well; nothing is stored when it raises.

        Args:
            expected: version that the actor has seen; ``None`` for a change that depends on none.

        Raises:
            NotFound: no such repair, or none that the actor may see.
            StaleVersion: somebody changed it since.
        """
        async with (
            self.database.transaction() as session,
            self.changing_in(session, actor, case_id, expected=expected) as opened,
        ):
            yield opened

    @asynccontextmanager
    async def changing_in(
        self, session: AsyncSession, actor: Actor, case_id: str, *, expected: int | None = None
    ) -> AsyncIterator[OpenedRepair]:
        """Open a repair in a transaction that somebody else began. Raises as :meth:`changing`."""
        opened = await self.open(session, actor, case_id, expected=expected)
        yield opened
        await self.finish(opened)

    async def open(
        self, session: AsyncSession, actor: Actor, case_id: str, *, expected: int | None
    ) -> OpenedRepair:
        """Open a repair within a transaction; the caller ends with :meth:`finish`. Raises as above."""
        header = await self.register.load(session, actor, case_id, kind=CaseKind.REPAIR, expected=expected)
        row = await session.get(RepairRow, case_id)
        if row is None:
            raise NotFound("no such repair", field="case_id")
        visit = await session.scalar(select(RepairVisitRow).where(RepairVisitRow.open_key == case_id))
        return OpenedRepair(
            session=session,
            actor=actor,
            now=self.clock.now(),
            header=header,
            row=row,
            visit=visit,
            limits=self.limits,
        )

    async def finish(self, opened: OpenedRepair) -> None:
        """Store what follows from a change: state, search, time line, journal."""
        session, header = opened.session, opened.header
        self.register.move(header, CaseStatus(header.status), at=opened.now)
        # Whatever changed of a repair, the header's version says so.
        flag_modified(header, "updated_at")
        await session.flush()
        await tell_everywhere(
            session, opened.actor, header, opened._notes, feed=self._feed, journal=self.journal
        )

    async def give_to(self, opened: OpenedRepair, route: Route) -> str | None:
        """Let the people who repair see it; return their department if the company has it."""
        code = DEPARTMENTS[route]
        if await opened.session.get(Department, code) is None:
            code = ""
        opened.header.department_code = code or None
        await opened.session.flush()
        await self.register.let_see(opened.session, opened.header.id, [code] if code else [])
        return code or None


def ref(header: ServiceCase, line: str) -> RecordRef:
    """Return what the limits of a repair belong to."""
    return RecordRef(ENTITY, header.id, line, header.no)


def to_repair(header: ServiceCase | CaseView, row: RepairRow, visit: RepairVisitRow | None) -> Repair:
    """Return a stored repair as the rules see it."""
    appointed = row.appointed_from is not None and row.appointed_until is not None
    return Repair(
        registered_at=header.opened_at,
        chain_at=row.chain_at,
        status=CaseStatus(header.status),
        original_crew=row.original_crew_id,
        original_left=row.original_crew_left,
        route=Route(row.route) if row.route else None,
        reason=RouteReason(row.route_reason) if row.route_reason else None,
        crew_id=row.crew_id,
        routed_at=row.routed_at,
        notified_at=row.notified_at,
        contacted_at=row.contacted_at,
        appointment=Appointment(from_=row.appointed_from, until=row.appointed_until)  # type: ignore[arg-type]
        if appointed
        else None,
        callback_at=row.callback_at,
        planned=row.plan is not None,
        not_contacted=row.not_contacted,
        visit=OpenVisit(en_route_at=visit.en_route_at, arrived_at=visit.arrived_at) if visit else None,
        last_visit_at=row.last_visit_at,
        worked_visits=row.worked_visits,
        fixed=row.fixed,
        solved=row.solved,
        reroutes=row.reroutes,
        round=header.round,
    )


def put_repair(header: ServiceCase, row: RepairRow, repair: Repair) -> None:
    """Store where a repair stands; the open visit has a row of its own."""
    header.status = repair.status.value
    header.round = repair.round
    row.chain_at = repair.chain_at
    row.route = repair.route.value if repair.route else None
    row.route_reason = repair.reason.value if repair.reason else None
    row.crew_id = repair.crew_id
    row.routed_at = repair.routed_at
    row.reroutes = repair.reroutes
    row.notified_at = repair.notified_at
    row.contacted_at = repair.contacted_at
    row.not_contacted = repair.not_contacted
    row.appointed_from = repair.appointment.from_ if repair.appointment else None
    row.appointed_until = repair.appointment.until if repair.appointment else None
    row.callback_at = repair.callback_at
    row.last_visit_at = repair.last_visit_at
    row.worked_visits = repair.worked_visits
    row.fixed = repair.fixed
    row.solved = repair.solved
    row.first_time_fix = repair.first_time_fix
    if not repair.planned:
        row.plan = None


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as it is stored."""
    return {
        "flag": snapshot.flag.value,
        "taken_on": snapshot.taken_on.isoformat(),
        "until": snapshot.until.isoformat() if snapshot.until else None,
        "no": snapshot.no,
        "in_construction": snapshot.in_construction,
        "no_project": snapshot.no_project,
        "excluded": list(snapshot.excluded),
        "item": snapshot.item,
        "items": [
            [one.code, one.name, one.starts_on.isoformat(), one.ends_on.isoformat(), one.excluded, one.why]
            for one in snapshot.items
        ],
    }


def from_json(stored: dict[str, Any], registered_on: date) -> Snapshot:
    """Return a stored snapshot; repairs of version 0.1 have none."""
    return Snapshot(
        flag=WarrantyFlag(stored.get("flag", WarrantyFlag.NONE)),
        taken_on=date.fromisoformat(stored["taken_on"]) if "taken_on" in stored else registered_on,
        until=date.fromisoformat(stored["until"]) if stored.get("until") else None,
        no=stored.get("no"),
        in_construction=stored.get("in_construction", False),
        no_project=stored.get("no_project", False),
        excluded=tuple(stored.get("excluded", ())),
        item=stored.get("item"),
        items=tuple(
            WarrantyItem(
                code=code,
                name=name,
                starts_on=date.fromisoformat(starts),
                ends_on=date.fromisoformat(ends),
                excluded=excluded,
                why=why,
            )
            for code, name, starts, ends, excluded, why in stored.get("items", ())
        ),
    )


async def crew_names(session: AsyncSession, ids: Sequence[str | None]) -> dict[str, str]:
    """Return id → name of crews."""
    known = sorted({crew_id for crew_id in ids if crew_id})
    if not known:
        return {}
    rows = await session.execute(select(Crew.id, Crew.name).where(Crew.id.in_(known)))
    return {row.id: row.name for row in rows}


async def search_extras(session: AsyncSession, ids: Sequence[str]) -> dict[str, CaseExtra]:
    """Return what the search knows of repairs besides their headers."""
    found: dict[str, CaseExtra] = {}
    visits: dict[str, list[str]] = {}
    results = select(RepairVisitRow.case_id, RepairVisitRow.result).where(RepairVisitRow.case_id.in_(ids))
    for case_id, result in await session.execute(results):
        visits.setdefault(case_id, []).append(result)
    for row in await session.scalars(select(RepairRow).where(RepairRow.case_id.in_(ids))):
        texts = [row.place, row.customer_says, row.plan, row.original_crew_name, *visits.get(row.case_id, ())]
        found[row.case_id] = CaseExtra(texts=tuple(text for text in texts if text))
    return found
