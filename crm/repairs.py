"""What customer service does about repairs 报修: register, route, tell, call back, close (domain.md §1.5).

The work itself is :class:`crm.repair_work.RepairWork`'s, reading :class:`crm.repair_read.RepairReader`'s, the
cost :class:`crm.settlements.Settlements`'.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import forwarded, timeline
from crm.cases import NewCase, tidy_text
from crm.domain import repair as rules
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.repair import Route, Routing
from crm.domain.warranty import RepairClass, suggested_class, take_snapshot, warnings_of
from crm.events_repairs import (
    RepairCalledBack,
    RepairClosed,
    RepairNotified,
    RepairRegistered,
    RepairRouted,
)
from crm.limit_tables import LimitTimerRow
from crm.point_jobs import end_on_reroute
from crm.repair_input import (
    MAX_NOTE,
    MAX_PLACE,
    MAX_WHOM,
    AskedRoute,
    NewCallback,
    NewRepair,
    ToldRepairer,
    card_of,
    check_callback,
    known_crew,
    line,
)
from crm.repair_read import RepairReader
from crm.repair_store import CHAIN, OpenedRepair, RepairStore, put_repair, to_json
from crm.repair_tables import RepairCallbackRow, RepairRoutingRow, RepairRow
from crm.repair_views import RepairView
from crm.tables import Crew
from crm.timeline import Channel
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid
from kernel.ids import is_ulid, new_ulid


class Repairs:
    """Registers repairs and moves them on; every method is one transaction and returns the repair."""

    def __init__(self, store: RepairStore, reader: RepairReader) -> None:
        self._store = store
        self._reader = reader

    async def register(self, actor: Actor, new: NewRepair) -> RepairView:
        """R0: write a repair down; the warranty as it is now stays with it. R2 and R6 run.

        A home that is not finished, or not under warranty, gives warnings in the view and stops nothing.

        Raises:
            Forbidden: the role does not register cases.
            NotFound: no such customer or project.
            Invalid: a text is missing or too long; the route's reason is missing or does not hold.
        """
        async with self._store.database.transaction() as session:
            case_id = await self.register_in(session, actor, new)
        return await self._reader.get(actor, case_id)

    async def register_in(self, session: AsyncSession, actor: Actor, new: NewRepair) -> str:
        """Do :meth:`register` in the caller's transaction; return the case's id. Raises the same."""
        actor.need(Permission.CASES_REGISTER)
        place = tidy_text(new.place, field="place", limit=MAX_PLACE).replace("\n", " ")
        if new.call_id is not None and not is_ulid(new.call_id):
            raise Invalid("no such call", field="call_id")
        now = self._store.clock.now()
        header = await self._store.register.open(
            session,
            actor,
            NewCase(
                kind=CaseKind.REPAIR,
                customer_id=new.customer_id,
                project_id=new.project_id,
                content=_symptoms(new.symptoms),
                source=new.source,
                severity=new.severity,
                nature=new.nature,
                urgency=new.urgency,
                external_no=line(new.external_no or "", field="external_no", limit=60) or None,
                call_id=new.call_id,
            ),
            at=now,
        )
        if new.specialist is not None:
            header.specialist_id, header.specialist_name = new.specialist
        card, crew = await card_of(session, new.project_id)
        snapshot = take_snapshot(card, self._reader.today(), new.item or None)
        if new.item and snapshot.item_state is None:
            raise Invalid("not an item of the home's warranty", field="item")
        chosen = new.repair_class or suggested_class(snapshot)
        begun = rules.begin(
            at=now,
            original_crew=crew.id if crew else None,
            original_left=crew is not None and crew.status != "active",
        )
        row = RepairRow(
            case_id=header.id,
            place=place,
            repair_class=chosen.value,
            warranty=to_json(snapshot),
            original_crew_id=crew.id if crew else None,
            original_crew_name=crew.name if crew else None,
            original_crew_left=begun.repair.original_left,
            chain_at=now,
        )
        put_repair(header, row, begun.repair)
        session.add(row)
        opened = OpenedRepair(
            session=session,
            actor=actor,
            now=now,
            header=header,
            row=row,
            visit=None,
            limits=self._store.limits,
        )
        warnings = warnings_of(snapshot, chosen)
        await opened.move(
            begun,
            "repair.registered",
            no=header.no,
            repair_class=chosen,
            warranty=snapshot.flag,
            warnings=warnings,
        )
        opened.tell(
            RepairRegistered(
                at=now,
                case_id=header.id,
                no=header.no,
                customer_id=header.customer_id,
                project_id=header.project_id,
                summary=header.summary,
                warnings=tuple(warning.value for warning in warnings),
                specialist_id=header.specialist_id,
            )
        )
        await forwarded.received(self._store.limits, session, header, at=now, demanded=new.reply_within)
        if new.route is not None:
            await self._route(opened, new.route, crew)
        await self._store.finish(opened)
        return header.id

    async def correct(
        self, actor: Actor, case_id: str, *, expected: int, repair_class: RepairClass, place: str
    ) -> RepairView:
        """Correct the class and the place; the warranty's snapshot stays."""
        actor.need(Permission.CASES_REGISTER)
        tidy = tidy_text(place, field="place", limit=MAX_PLACE).replace("\n", " ")
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            _check_open(opened)
            before = {"repair_class": opened.row.repair_class, "place": opened.row.place}
            opened.row.repair_class, opened.row.place = repair_class.value, tidy
            after = {"repair_class": repair_class.value, "place": tidy}
            opened.note("repair.corrected", before=before, after=after)
        return await self._reader.get(actor, case_id)

    async def route(self, actor: Actor, case_id: str, *, expected: int, asked: AskedRoute) -> RepairView:
        """R1: decide who repairs, or take it from whoever does: then a fresh chain of limits runs.

        Raises:
            Forbidden: the role does not route repairs.
            IllegalStep: not in this state.
            Invalid: the reason is missing or does not hold.
        """
        actor.need(Permission.REPAIRS_ROUTE)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            crew_id = opened.row.original_crew_id
            crew = await opened.session.get(Crew, crew_id) if crew_id else None
            await self._route(opened, asked, crew)
        # Who routes it to somebody else may not see it any more.
        return await self._reader.get_moved(actor, case_id)

    async def _route(self, opened: OpenedRepair, asked: AskedRoute, crew: Crew | None) -> None:
        session, header, row = opened.session, opened.header, opened.row
        note = line(asked.note, field="note", limit=MAX_NOTE)
        if asked.route is Route.OTHER_CREW:
            await known_crew(session, asked.crew_id)
        elif asked.crew_id is not None:
            raise Invalid("only another crew is named", field="crew_id")
        routing = Routing(
            route=asked.route,
            reason=asked.reason,
            crew_id=asked.crew_id,
            crew_active=crew is not None and crew.status == "active",
            contact_overdue=await _contact_overdue(session, header.id, opened.now),
        )
        again = CaseStatus(header.status) is not CaseStatus.REGISTERED
        step = rules.reroute if again else rules.route
        moved = step(opened.domain(), routing, now=opened.now)
        if opened.visit is not None:
            opened.visit.cancelled_at, opened.visit.open_key = opened.now, None
        await end_on_reroute(opened)
        department = await self._store.give_to(opened, asked.route)
        await opened.move(
            moved,
            "repair.rerouted" if again else "repair.routed",
            why=note,
            route=asked.route,
            reason=asked.reason,
            crew_id=moved.repair.crew_id,
        )
        row.proposed_at = None
        row.notified_by = row.notified_way = row.notified_whom = None
        row.contacted_by = row.customer_says = None
        session.add(
            RepairRoutingRow(
                id=new_ulid(),
                case_id=header.id,
                at=opened.now,
                by=opened.actor.name,
                route=asked.route.value,
                reason=asked.reason.value if asked.reason else None,
                note=note,
                crew_id=moved.repair.crew_id,
            )
        )
        opened.tell(
            RepairRouted(
                at=opened.now,
                case_id=header.id,
                no=header.no,
                customer_id=header.customer_id,
                route=asked.route.value,
                reason=asked.reason.value if asked.reason else None,
                note=note,
                crew_id=moved.repair.crew_id,
                department=department,
                again=again,
                specialist_id=header.specialist_id,
                summary=header.summary,
            )
        )

    async def notify(self, actor: Actor, case_id: str, *, expected: int, told: ToldRepairer) -> RepairView:
        """R2: write down that whoever repairs was told; R2 ends, R3 runs."""
        actor.need(Permission.CASES_REGISTER)
        whom = line(told.whom, field="whom", limit=MAX_WHOM)
        if not whom:
            raise Invalid("say who was told", field="whom")
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            moved = rules.notify(opened.domain(), at=told.at or opened.now, now=opened.now)
            await opened.move(moved, "repair.notified", way=told.way, whom=whom)
            row = opened.row
            row.notified_by, row.notified_way, row.notified_whom = actor.name, told.way.value, whom
            opened.tell(
                RepairNotified(
                    at=opened.now,
                    case_id=case_id,
                    no=opened.header.no,
                    route=row.route or "",
                    way=told.way.value,
                    department=opened.header.department_code,
                )
            )
        return await self._reader.get(actor, case_id)

    async def call_back(
        self, actor: Actor, case_id: str, *, expected: int, callback: NewCallback
    ) -> RepairView:
        """R6: write down a callback. Only «solved» leads on; otherwise another round begins.

        Raises:
            Invalid: answers are missing, or contradict each other.
        """
        async with self._store.database.transaction() as session:
            await self.call_back_in(session, actor, case_id, callback, expected=expected)
        return await self._reader.get(actor, case_id)

    async def call_back_in(
        self,
        session: AsyncSession,
        actor: Actor,
        case_id: str,
        callback: NewCallback,
        *,
        expected: int | None = None,
        on_timeline: bool = True,
    ) -> None:
        """Do :meth:`call_back` in the caller's transaction.

        Args:
            on_timeline: not where whoever talked has put the same talk on the customer's time line.
        """
        actor.need(Permission.CASES_REGISTER)
        asked = check_callback(callback)
        async with self._store.changing_in(session, actor, case_id, expected=expected) as opened:
            called_at = asked.at or opened.now
            said = rules.Said(problem=asked.problem, no_visit_reason=asked.no_visit_reason)
            moved = rules.call_back(opened.domain(), said, at=called_at, now=opened.now)
            row = RepairCallbackRow(
                id=new_ulid(),
                case_id=case_id,
                at=called_at,
                by=actor.name,
                problem=asked.problem.value,
                verdict=asked.verdict.value if asked.verdict else None,
                contacted_in_time=asked.contacted_in_time.value if asked.contacted_in_time else None,
                timely=asked.timely.value if asked.timely else None,
                remark=asked.remark,
                no_visit_reason=asked.no_visit_reason or None,
                call_id=asked.call_id,
            )
            opened.session.add(row)
            await opened.move(moved, "repair.called_back", problem=asked.problem, verdict=asked.verdict)
            header = opened.header
            if on_timeline:
                await timeline.add(
                    opened.session,
                    header.customer_id,
                    at=called_at,
                    channel=Channel.CALLBACK,
                    direction="out",
                    ref=row.id,
                    result=asked.problem.value,
                    agent=actor.name,
                    detail={"no": header.no, "kind": CaseKind.REPAIR.value, "case_id": header.id},
                )
            opened.tell(
                RepairCalledBack(
                    at=opened.now,
                    case_id=case_id,
                    no=header.no,
                    customer_id=header.customer_id,
                    problem=asked.problem.value,
                    verdict=asked.verdict.value if asked.verdict else None,
                    round=header.round,
                    department=header.department_code,
                    specialist_id=header.specialist_id,
                )
            )

    async def close(self, actor: Actor, case_id: str, *, expected: int, waiver: str = "") -> RepairView:
        """R7: close it. With ``waiver``, the manager's reason, also without the customer's word.

        Raises:
            Forbidden: a waiver by somebody who does not decide cases.
            IllegalStep: the customer has not said that it is solved.
            ReplyOwed: the hotline that forwarded it waits for the result.
        """
        actor.need(Permission.CASES_REGISTER)
        reason = line(waiver, field="waiver", limit=MAX_NOTE)
        if reason:
            actor.need(Permission.CASES_DECIDE)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            header = opened.header
            forwarded.guard(header)
            moved = rules.close(opened.domain(), at=opened.now, waiver=reason)
            await opened.move(moved, "repair.closed", why=reason)
            opened.row.close_reason = reason or None
            opened.tell(
                RepairClosed(
                    at=opened.now,
                    case_id=case_id,
                    no=header.no,
                    customer_id=header.customer_id,
                    waived=bool(reason),
                    first_time_fix=moved.repair.first_time_fix,
                )
            )
        return await self._reader.get(actor, case_id)


def _symptoms(raw: str) -> str:
    """Return the symptoms; an error names their field, not the header's."""
    return tidy_text(raw, field="symptoms", limit=2000)


def _check_open(opened: OpenedRepair) -> None:
    if not CaseStatus(opened.header.status).is_open:
        raise Conflict("the repair is closed", field="status")


async def _contact_overdue(session: AsyncSession, case_id: str, now: datetime) -> bool:
    query = select(LimitTimerRow.id).where(
        LimitTimerRow.record_id == case_id,
        LimitTimerRow.line_id == CHAIN,
        LimitTimerRow.code == "BX.R3",
        LimitTimerRow.open_key.is_not(None),
        LimitTimerRow.deadline_at < now,
    )
    return await session.scalar(query.limit(1)) is not None
