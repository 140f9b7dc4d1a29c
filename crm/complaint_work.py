"""Complaint lines as departments work on them: signed for, verified, planned, visited, done (domain.md §1.3).

Every change is one transaction, takes the line's version, checks who does it, and returns the line.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm import timeline
from crm.cases import tidy_text
from crm.complaint_end import owe_escalation
from crm.complaint_input import (
    MAX_NAME,
    MAX_PLAN,
    MAX_RECORD,
    Acceptance,
    NewPlan,
    NewVisit,
    name_of,
    read_photos,
    why_of,
)
from crm.complaint_read import ComplaintReader, is_open
from crm.complaint_store import ComplaintStore, Opened, check_receives, check_works, to_line
from crm.complaint_tables import ComplaintLine, LinePlan, LineVisit
from crm.complaint_views import LineView
from crm.domain import line_steps
from crm.domain.backdated import noted_late
from crm.domain.compensation import read_amount
from crm.domain.complaint_line import LineStatus, PlanTerms, Window
from crm.domain.machine import IllegalStep
from crm.events_cases import (
    HandOffSigned,
    LineAssigned,
    LineDone,
    LineRejected,
    PlanApprovalWanted,
    PlanDecided,
    VisitPlanned,
)
from crm.handoffs import Handoffs
from crm.line_photos import check_photos
from crm.members import member_of
from crm.timeline import Channel
from kernel.access import Actor, Permission
from kernel.errors import Invalid
from kernel.ids import new_ulid


@dataclass(slots=True)
class _Work:
    """A line that is being worked on."""

    opened: Opened
    row: ComplaintLine

    @property
    def now(self) -> datetime:
        return self.opened.now

    @property
    def department(self) -> str | None:
        """Whom facts may be told to: not the department of a confidential line."""
        return None if self.row.confidential else self.row.department_code


class ComplaintWork:
    """Complaint lines, for the departments; the decision on plans for the manager."""

    def __init__(self, store: ComplaintStore, reader: ComplaintReader, handoffs: Handoffs) -> None:
        self._store = store
        self._reader = reader
        self._handoffs = handoffs

    async def get(self, actor: Actor, line_id: str) -> LineView:
        """Return a line.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such line, or none that the actor may see.
        """
        async with self._store.database.session() as session:
            return await self._reader.line_by_id(session, actor, line_id)

    # The receipt

    async def accept(self, actor: Actor, line_id: str, expected: int, how: Acceptance) -> LineView:
        """C1 → C2: the head or deputy of the line's department signs, and says how they go about it.

        Raises:
            Forbidden: somebody else's department.
            SamePerson: who sent the hand-off does not sign for it.
            IllegalStep: it does not wait for a signature.
            Invalid: the signature or a planned time cannot be.
        """
        await self._handoffs.signing.check_pin(actor, how.signature, ComplaintLine, line_id, check_receives)
        async with self._changing(actor, line_id, expected) as work:
            row = work.row
            check_receives(actor, row)
            moved = line_steps.accept(
                to_line(row),
                how.mode,
                work.now,
                planned_visit_at=how.planned_visit_at,
                planned_plan_at=how.planned_plan_at,
                planned_solve_at=how.planned_solve_at,
            )
            handoff = await self._handoffs.waiting(work.opened.session, line_id)
            header = work.opened.header
            await self._handoffs.signing.check_scan(work.opened.session, header.id, how.signature)
            self._handoffs.sign(handoff, actor, header, row, how.signature, mode=how.mode, at=work.now)
            row.accepted_by = actor.name
            if how.person is not None or how.person_id is not None:
                row.person = name_of(how.person, "person")
                row.person_id = await self._named(work, how.person_id)
            await work.opened.move(row, moved, "complaint.accept", mode=how.mode, receipt=handoff.receipt_no)
            work.opened.tell(
                HandOffSigned(
                    at=work.now,
                    case_id=header.id,
                    no=header.no,
                    line_id=row.id,
                    handoff_id=handoff.id,
                    receipt_no=handoff.receipt_no,
                    department=work.department,
                    specialist_id=header.specialist_id,
                    received_by=actor.name,
                    mode=how.mode.value,
                )
            )
        return await self.get(actor, line_id)

    async def reject(self, actor: Actor, line_id: str, expected: int, reason: str) -> LineView:
        """C1 → C2R: it is not so, or not theirs; the hand-off stays unsigned. Raises as :meth:`accept`."""
        async with self._changing(actor, line_id, expected) as work:
            row = work.row
            check_receives(actor, row)
            moved = line_steps.reject(to_line(row), work.now)
            handoff = await self._handoffs.waiting(work.opened.session, line_id)
            reason = self._handoffs.reject(handoff, actor, reason, at=work.now)
            row.rejected_at, row.rejected_by, row.reject_reason = work.now, actor.name, reason
            await work.opened.move(row, moved, "complaint.reject", why=reason, receipt=handoff.receipt_no)
            work.opened.tell(
                LineRejected(
                    at=work.now,
                    case_id=work.opened.header.id,
                    no=work.opened.header.no,
                    line_id=row.id,
                    department=work.department,
                    specialist_id=work.opened.header.specialist_id,
                    reason=reason,
                )
            )
        return await self.get(actor, line_id)

    async def assign(
        self, actor: Actor, line_id: str, expected: int, person: str, *, person_id: str | None = None
    ) -> LineView:
        """Put somebody of the department in charge; what is owed becomes theirs.

        Raises:
            IllegalStep: the department has not accepted, or it is over.
            Invalid: ``person_id`` is no active user of the department.
        """
        async with self._working(actor, line_id, expected) as work:
            status = LineStatus(work.row.status)
            if work.row.mode is None or not status.is_open:
                raise IllegalStep(f"nobody can be put in charge while it is {status}", field="status")
            name = name_of(tidy_text(person, field="person", limit=MAX_NAME), "person") or ""
            before = {"person": work.row.person}
            work.row.person = name
            work.row.person_id = await self._named(work, person_id)
            work.opened.note("complaint.assign", line=work.row, before=before, after={"person": name})
            await work.opened.limits.hand_over(work.opened.session, work.opened.header, work.row)
            work.opened.tell(
                LineAssigned(
                    at=work.now,
                    case_id=work.opened.header.id,
                    no=work.opened.header.no,
                    line_id=line_id,
                    department=work.department,
                    person=name,
                    person_id=work.row.person_id,
                    specialist_id=work.opened.header.specialist_id,
                )
            )
        return await self.get(actor, line_id)

    async def _named(self, work: _Work, person_id: str | None) -> str | None:
        """Return who is in charge; the manager handles a confidential line. Raises Invalid."""
        if work.row.confidential:
            return None
        department, members = work.row.department_code, self._store.members
        return await member_of(members, work.opened.session, person_id, department, field="person_id")

    # The work

    async def verify(
        self, actor: Actor, line_id: str, expected: int, *, facts: str, called_at: datetime | None = None
    ) -> LineView:
        """C2 → C3: the customer was called, now or at ``called_at``, and these are the facts."""
        facts = tidy_text(facts, field="facts", limit=MAX_RECORD)
        async with self._working(actor, line_id, expected) as work:
            moved = line_steps.verify(to_line(work.row), called_at or work.now, work.now)
            work.row.facts, work.row.verified_by, work.row.verified_noted_at = facts, actor.name, work.now
            late = noted_late(called_at, work.now)
            await work.opened.move(work.row, moved, "complaint.verify", called_at=called_at, **late)
        return await self.get(actor, line_id)

    async def agree_visit(
        self,
        actor: Actor,
        line_id: str,
        expected: int,
        *,
        visit_from: datetime,
        visit_until: datetime,
        planned_plan_at: datetime | None = None,
    ) -> LineView:
        """Agree on a visit with the customer, or move it; the callback is owed from its end."""
        async with self._working(actor, line_id, expected) as work:
            visit = Window(from_=visit_from, until=visit_until)
            moved = line_steps.agree_visit(to_line(work.row), visit, work.now, plan_at=planned_plan_at)
            await work.opened.move(
                work.row, moved, "complaint.agree_visit", visit_from=visit_from, visit_until=visit_until
            )
            _tell_visit(work)
        return await self.get(actor, line_id)

    async def plan(self, actor: Actor, line_id: str, expected: int, new: NewPlan) -> LineView:
        """C3 → C4: file a plan with customer service; one that pays the customer waits for the manager.

        Raises:
            IllegalStep: the state or the way of accepting asks for no plan now.
            Invalid: an amount, or times that cannot be.
        """
        text = tidy_text(new.plan, field="plan", limit=MAX_PLAN)
        pay = _amount(new.pay_customer, "pay_customer")
        penalty = _amount(new.penalty, "penalty")
        terms = PlanTerms(
            solve_at=new.solve_at,
            visit=_window(new),
            pay_customer=pay,
            penalty=penalty,
            needs_approval=new.needs_approval,
        )
        async with self._working(actor, line_id, expected) as work:
            header = work.opened.header
            moved = line_steps.plan(to_line(work.row), terms, actor.user_id, work.now)
            review = moved.line.status is LineStatus.PLAN_REVIEW
            work.opened.session.add(
                LinePlan(
                    id=new_ulid(),
                    line_id=line_id,
                    round=header.round,
                    made_at=work.now,
                    made_by=actor.name,
                    plan=text,
                    visit_from=new.visit_from,
                    visit_until=new.visit_until,
                    solve_at=new.solve_at,
                    pay_customer=pay,
                    penalty=penalty,
                    needs_approval=review,
                )
            )
            await work.opened.move(
                work.row, moved, "complaint.plan", solve_at=new.solve_at, pay_customer=pay, penalty=penalty
            )
            if review:
                work.opened.tell(
                    PlanApprovalWanted(
                        at=work.now,
                        case_id=header.id,
                        no=header.no,
                        line_id=line_id,
                        department=work.department,
                        made_by=actor.name,
                        pay_customer=str(pay) if pay else None,
                    )
                )
            elif terms.visit is not None:
                _tell_visit(work)
        return await self.get(actor, line_id)

    async def decide_plan(
        self, actor: Actor, line_id: str, expected: int, *, approved: bool, reason: str = ""
    ) -> LineView:
        """Approve a plan or send it back, with reason; never the own one. The manager's decision.

        An approved plan that pays the customer makes an escalation necessary: money goes no other way.
        """
        actor.need(Permission.CASES_DECIDE)
        reason = why_of(reason) if not approved or reason.strip() else ""
        async with self._changing(actor, line_id, expected) as work:
            moved = line_steps.decide_plan(to_line(work.row), actor.user_id, work.now, approved=approved)
            plan = await work.opened.plan_of(work.row)
            plan.approved, plan.decided_at = approved, work.now
            plan.decided_by, plan.decided_why = actor.name, reason or None
            await work.opened.move(work.row, moved, "complaint.decide_plan", why=reason, approved=approved)
            header = work.opened.header
            if (
                approved
                and plan.pay_customer
                and not is_open(await self._reader.escalation(work.opened.session, header.id))
            ):
                owe_escalation(work.opened, "plan_pays_customer")
            work.opened.tell(
                PlanDecided(
                    at=work.now,
                    case_id=header.id,
                    no=header.no,
                    line_id=line_id,
                    department=work.department,
                    person_id=work.row.person_id,
                    approved=approved,
                    reason=reason,
                )
            )
            if approved and to_line(work.row).visit_to_come:
                _tell_visit(work)
        return await self.get(actor, line_id)

    async def record_visit(self, actor: Actor, line_id: str, expected: int, new: NewVisit) -> LineView:
        """C4 → C5: note a visit that took place."""
        who = name_of(tidy_text(new.who, field="who", limit=80), "who", 80) or ""
        record = tidy_text(new.record, field="record", limit=MAX_RECORD)
        photos = read_photos(new.photos)
        async with self._working(actor, line_id, expected) as work:
            moved = line_steps.visit(to_line(work.row), new.arrived_at, new.left_at, work.now)
            await check_photos(work.opened.session, work.opened.header.id, line_id, photos)
            row = LineVisit(
                id=new_ulid(),
                line_id=line_id,
                round=work.opened.header.round,
                arrived_at=new.arrived_at,
                left_at=new.left_at,
                who=who,
                record=record,
                photos=photos,
                noted_at=work.now,
                noted_by=actor.name,
            )
            work.opened.session.add(row)
            late = noted_late(new.left_at, work.now)
            await work.opened.move(work.row, moved, "complaint.visit", arrived_at=new.arrived_at, **late)
            await timeline.add(
                work.opened.session,
                work.opened.header.customer_id,
                at=new.arrived_at,
                channel=Channel.VISIT,
                direction="out",
                ref=row.id,
                agent=who,
                detail={"no": work.opened.header.no, "case_id": work.opened.header.id},
            )
        return await self.get(actor, line_id)

    async def claim_done(self, actor: Actor, line_id: str, expected: int, *, note: str) -> LineView:
        """C6: the department says that it is solved; the customer is called back."""
        note = tidy_text(note, field="note", limit=MAX_RECORD)
        async with self._working(actor, line_id, expected) as work:
            moved = line_steps.claim_done(to_line(work.row), work.now)
            work.row.done_note, work.row.done_by = note, actor.name
            await work.opened.move(work.row, moved, "complaint.done")
            work.opened.tell(
                LineDone(
                    at=work.now,
                    case_id=work.opened.header.id,
                    no=work.opened.header.no,
                    line_id=line_id,
                    department=work.department,
                    specialist_id=work.opened.header.specialist_id,
                )
            )
        return await self.get(actor, line_id)

    @asynccontextmanager
    async def _changing(self, actor: Actor, line_id: str, expected: int) -> AsyncIterator[_Work]:
        async with self._store.changing_line(actor, line_id, expected=expected) as (opened, row):
            opened.check_open()
            yield _Work(opened, row)

    @asynccontextmanager
    async def _working(self, actor: Actor, line_id: str, expected: int) -> AsyncIterator[_Work]:
        async with self._changing(actor, line_id, expected) as work:
            check_works(actor, work.row)
            yield work


def _tell_visit(work: _Work) -> None:
    header, row = work.opened.header, work.row
    if row.visit_from is None or row.visit_until is None:
        return
    work.opened.tell(
        VisitPlanned(
            at=work.now,
            case_id=header.id,
            no=header.no,
            line_id=row.id,
            customer_id=header.customer_id,
            department=work.department,
            person_id=row.person_id,
            specialist_id=header.specialist_id,
            visit_from=row.visit_from,
            visit_until=row.visit_until,
        )
    )


def _window(new: NewPlan) -> Window | None:
    if new.visit_from is None and new.visit_until is None:
        return None
    if new.visit_from is None or new.visit_until is None:
        missing = "visit_from" if new.visit_from is None else "visit_until"
        raise Invalid("a visit has a begin and an end", field=missing)
    return Window(from_=new.visit_from, until=new.visit_until)


def _amount(raw: Decimal | None, field: str) -> Decimal | None:
    return read_amount(raw, field=field, zero=True) if raw is not None else None
