"""The gates of a project: may the mid-term payment be asked for, may it be handed over (domain.md §1.1)."""

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from callback_campaigns.domain import gates
from callback_campaigns.domain.gates import GateAsked, GateState, Override
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.planning import is_sampled, key_of
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Gate
from callback_campaigns.task_facts import stage_trigger
from callback_campaigns.task_store import to_task
from callback_campaigns.task_tables import CallbackStopRow, CallbackTaskRow, GateOverrideRow
from crm.domain.case import FINAL, CaseStatus
from crm.office import Office, project_for_change
from crm.people_tables import StageEventRow
from crm.tables import Project, ServiceCase, Store
from crm.ticket_tables import TicketRow
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid

RULES = {Gate.MIDTERM_NOTICE: gates.midterm_notice, Gate.HANDOVER: gates.handover}
HAS_RESULT = (TaskStatus.DONE.value, TaskStatus.PARTIAL.value)


class GateDesk:
    """Says which gates of a project are open, and opens one by the manager's decision."""

    def __init__(self, office: Office, rules: PlanRules) -> None:
        self._office = office
        self._rules = rules

    async def of_project(self, actor: Actor, project_id: str) -> dict[Gate, GateState]:
        """Return the gates of a project.

        Raises:
            Forbidden: the role sees no projects.
            NotFound: no such project.
        """
        actor.need(Permission.PROJECTS_VIEW)
        async with self._office.database.session() as session:
            project = await session.get(Project, project_id) if is_ulid(project_id) else None
            if project is None:
                raise NotFound("no such project", field="project_id")
            return {gate: await self.state(session, project, gate) for gate in RULES}

    async def open(self, actor: Actor, project_id: str, gate: Gate, *, reason: str) -> GateState:
        """Open a gate that is shut. It is done once and never changed: whoever comes second is told so.

        Raises:
            Forbidden: only the manager may.
            NotFound: no such project.
            Invalid: no reason, or nothing waits at this gate.
            Conflict: it is open already.
        """
        decided = gates.override(actor, reason)
        if gate not in RULES:
            raise Invalid("no project waits at this gate", field="gate")
        async with self._office.database.transaction() as session:
            project = await project_for_change(session, project_id, None)
            before = await self.state(session, project, gate)
            if before.open:
                raise Conflict("it is open", field="gate")
            session.add(
                GateOverrideRow(
                    project_id=project_id,
                    gate=gate.value,
                    reason=decided.reason,
                    by=decided.by,
                    at=self._office.now(),
                )
            )
            await session.flush()
            await self._office.journal.note(
                session,
                actor,
                "callback_gate_opened",
                entity="project",
                entity_id=project_id,
                before={"gate": gate.value, "why": before.why.value},
                after={"gate": gate.value, "why": gates.GateWhy.OVERRIDDEN.value},
                why=decided.reason,
            )
            return await self.state(session, project, gate)

    async def why_shut(self, session: AsyncSession, project: Project, gate: str) -> str | None:
        """Return what a gate of a project waits for; the port of :mod:`crm.gates`."""
        found = await self.state(session, project, Gate(gate))
        return None if found.open else found.why.value

    async def state(self, session: AsyncSession, project: Project, gate: Gate) -> GateState:
        """Return whether a gate of a project is open, inside the caller's transaction."""
        store = await session.get(Store, project.store_id) if project.store_id else None
        kind = next(kind for kind, rule in self._rules.types.items() if rule.gate is gate)
        mine = (CallbackTaskRow.project_id == project.id, CallbackTaskRow.kind == kind.value)
        latest = (
            select(CallbackTaskRow)
            .where(*mine, CallbackTaskRow.status.in_(HAS_RESULT))
            .order_by(CallbackTaskRow.ended_at.desc(), CallbackTaskRow.id.desc())
            .limit(1)
        )
        row = await session.scalar(latest)
        tickets = still_open = 0
        if row is not None:
            final = [status.value for status in FINAL - {CaseStatus.CONVERTED}]
            shut = func.coalesce(_complaint_status(), ServiceCase.status).in_(final)
            query = (
                select(func.count(), func.count().filter(shut))
                .select_from(TicketRow)
                .join(ServiceCase, ServiceCase.id == TicketRow.case_id)
                .where(TicketRow.callback_ref == row.id)
            )
            tickets, closed = (await session.execute(query)).one()
            still_open = tickets - closed
        known = await session.get(GateOverrideRow, (project.id, gate.value))
        asked = GateAsked(
            callback=to_task(row) if row is not None else None,
            required=row is not None or await self._required(session, project, kind, store),
            tickets=tickets,
            tickets_open=still_open,
            override=Override(by=known.by, reason=known.reason) if known is not None else None,
        )
        return RULES[gate](asked)

    async def _required(
        self, session: AsyncSession, project: Project, kind: CallbackType, store: Store | None
    ) -> bool:
        """Tell whether a callback of the type is asked for at all: neither stopped, nor sampled out."""
        rule = self._rules.of(kind, store.name if store is not None else None)
        stopped = await session.get(CallbackStopRow, (project.id, kind.value))
        if stopped is not None or not rule.enabled or rule.sampling == 0:
            return False
        reached = (
            StageEventRow.project_id == project.id,
            StageEventRow.stage == rule.when.stage,
            StageEventRow.voided_at.is_(None),
        )
        event = await session.scalar(select(StageEventRow).where(*reached).limit(1))
        return event is None or is_sampled(key_of(kind, stage_trigger(project, event)), rule)


def _complaint_status() -> ScalarSelect[str]:
    """Return the status of the complaint that a ticket became: its problem lives on in that."""
    complaint = aliased(ServiceCase)
    found = select(complaint.status).where(complaint.id == TicketRow.converted_to)
    return found.correlate(TicketRow).scalar_subquery()
