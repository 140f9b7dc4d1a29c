"""Major complaints: submitted, looked into, visited, liability shared, planned, closed (domain.md §1.3b).

Money is :mod:`crm.compensations`. Every change is one transaction, takes the version that was seen, checks
who does it, and returns it as it is then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from crm.cases import tidy_text
from crm.complaint_input import MAX_NAME, MAX_RECORD, id_of, name_of
from crm.complaint_store import Opened
from crm.domain import escalation as rules
from crm.domain.case import Severity
from crm.domain.compensation import LiableParty, LiablePerson, read_persons, read_shares
from crm.domain.complaint_line import Window
from crm.domain.escalation import EscalationState
from crm.escalation_read import EscalationFilter, EscalationReader
from crm.escalation_store import EscalationStore
from crm.escalation_tables import EscalationRow
from crm.escalation_views import EscalationPage, EscalationView
from crm.events_cases import EscalationSubmitted, SeverityRaised
from crm.limits import LimitBook, Owner, RecordRef
from kernel.access import Actor, Permission
from kernel.errors import Conflict
from kernel.ids import new_ulid

MAX_TEXT = 4000
MAX_WITH = 200


class AlreadyMajor(Conflict):
    """The complaint is a major one already, and that is not settled."""

    code = "already_major"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEscalation:
    """What a specialist must state; all three are mandatory (E0)."""

    cause: str
    process_so_far: str
    demand: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Liability:
    """Who is liable, by what was seen on site. The shares sum to exactly 100.00.

    Attributes:
        with_head: head of the department who settled it together with the manager.
    """

    shares: Mapping[LiableParty, Decimal]
    with_head: str
    persons: Sequence[LiablePerson] = ()
    note: str = ""


class Escalations:
    """Major complaints."""

    def __init__(self, store: EscalationStore, reader: EscalationReader, book: LimitBook) -> None:
        self._store = store
        self._reader = reader
        self._book = book

    async def get(self, actor: Actor, escalation_id: str) -> EscalationView:
        """Return a major complaint. Raises Forbidden and NotFound."""
        return await self._reader.get(actor, escalation_id)

    async def page(
        self, actor: Actor, wanted: EscalationFilter, *, cursor: str | None = None, limit: int = 50
    ) -> EscalationPage:
        """Return a page, newest first. Raises Forbidden, and Invalid for a strange cursor."""
        return await self._reader.page(actor, wanted, cursor=cursor, limit=limit)

    async def submit(self, actor: Actor, case_id: str, expected: int, new: NewEscalation) -> EscalationView:
        """E0: the specialist hands a complaint up; it is a major one from now on.

        Args:
            expected: version of the complaint.

        Raises:
            AlreadyMajor: it is one, and that is not settled.
            Invalid: the cause, what was done so far or the customer's demand is missing.
        """
        actor.need(Permission.ESCALATIONS_SUBMIT)
        cause = tidy_text(new.cause, field="cause", limit=MAX_TEXT)
        process = tidy_text(new.process_so_far, field="process_so_far", limit=MAX_TEXT)
        demand = tidy_text(new.demand, field="demand", limit=MAX_TEXT)
        async with self._store.complaints.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            taken = select(EscalationRow.id).where(EscalationRow.open_key == case_id)
            if await opened.session.scalar(taken) is not None:
                raise AlreadyMajor("it is a major complaint already", field="escalation")
            row = EscalationRow(
                id=new_ulid(),
                case_id=case_id,
                open_key=case_id,
                state=EscalationState.SUBMITTED.value,
                cause=cause,
                process_so_far=process,
                demand=demand,
                submitted_at=opened.now,
                submitted_by=actor.name,
                submitted_by_id=actor.user_id,
                persons=[],
                costs=False,
            )
            opened.session.add(row)
            await opened.session.flush()
            opened.row.escalation_owed, opened.row.escalation_why = False, None
            await self._book.happened(
                opened.session,
                "ES",
                "submitted",
                RecordRef("escalation", row.id, "", opened.header.no),
                at=opened.now,
                owner=Owner(specialist=opened.header.specialist_id),
            )
            opened.note("escalation.submit", entity=("escalation", row.id), after={"state": "E0"})
            _make_major(opened)
            opened.tell(
                EscalationSubmitted(
                    at=opened.now,
                    escalation_id=row.id,
                    case_id=case_id,
                    no=opened.header.no,
                    customer_id=opened.header.customer_id,
                    specialist_id=opened.header.specialist_id,
                    cause=cause[:200],
                )
            )
        return await self.get(actor, row.id)

    async def review(
        self, actor: Actor, escalation_id: str, expected: int, *, visit_needed: bool, note: str = ""
    ) -> EscalationView:
        """E0 → E1: the manager looks into it the same day (ES.REVIEW).

        A visit that is needed must take place within ES.VISIT.
        """
        actor.need(Permission.ESCALATIONS_HANDLE)
        note = tidy_text(note, field="note", limit=MAX_TEXT, required=False)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = rules.review(work.rules(), work.now, visit_needed=visit_needed)
            work.row.reviewed_by, work.row.review_note = actor.name, note or None
            work.move(moved, "escalation.review", visit_needed=visit_needed)
            if visit_needed:
                owner = Owner(user_id=actor.user_id, specialist=work.opened.header.specialist_id)
                started = await self._book.happened(
                    work.opened.session, "ES", "reviewed", work.record, at=work.now, owner=owner
                )
                work.row.visit_due_at = started[0].due_at if started else None
            else:
                await self._book.stop(work.opened.session, "ES.REVIEW", work.record, at=work.now)
        return await self.get(actor, escalation_id)

    async def agree_visit(
        self,
        actor: Actor,
        escalation_id: str,
        expected: int,
        *,
        visit_from: datetime,
        visit_until: datetime,
        visit_with: str,
    ) -> EscalationView:
        """E1 → E2: a visit is agreed with the department's head and the customer, or moved."""
        actor.need(Permission.ESCALATIONS_HANDLE)
        people = name_of(tidy_text(visit_with, field="visit_with", limit=MAX_WITH), "visit_with", MAX_WITH)
        async with self._store.changing(actor, escalation_id, expected) as work:
            window = Window(from_=visit_from, until=visit_until)
            moved = rules.agree_visit(work.rules(), window, work.now)
            work.row.visit_with = people
            work.move(moved, "escalation.agree_visit", visit_from=visit_from, visit_until=visit_until)
        return await self.get(actor, escalation_id)

    async def record_visit(
        self, actor: Actor, escalation_id: str, expected: int, *, visited_at: datetime, record: str
    ) -> EscalationView:
        """E2: note that the visit took place; ES.VISIT ends with it."""
        actor.need(Permission.ESCALATIONS_HANDLE)
        record = tidy_text(record, field="record", limit=MAX_RECORD)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = rules.record_visit(work.rules(), visited_at, work.now)
            work.row.visit_record = record
            work.move(moved, "escalation.record_visit", visited_at=visited_at)
            owner = Owner(user_id=actor.user_id, specialist=work.opened.header.specialist_id)
            await self._book.happened(
                work.opened.session, "ES", "visited", work.record, at=visited_at, owner=owner
            )
        return await self.get(actor, escalation_id)

    async def settle_liability(
        self, actor: Actor, escalation_id: str, expected: int, found: Liability
    ) -> EscalationView:
        """E2 → E3: the manager and the department's head settle who is liable.

        Raises:
            Invalid: the shares do not sum to exactly 100.00, or name a person badly.
            Owed: a visit that is needed has not taken place.
        """
        actor.need(Permission.ESCALATIONS_HANDLE)
        shares = read_shares(found.shares)
        persons = read_persons(
            [
                LiablePerson(
                    name=tidy_text(person.name, field=f"persons.{place}.name", limit=MAX_NAME),
                    staff_id=id_of(person.staff_id, f"persons.{place}.staff_id"),
                    percent=person.percent,
                    amount=person.amount,
                )
                for place, person in enumerate(found.persons)
            ]
        )
        with_head = tidy_text(found.with_head, field="with_head", limit=MAX_NAME)
        note = tidy_text(found.note, field="note", limit=MAX_TEXT, required=False)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = rules.settle_liability(work.rules())
            before = work.row.shares
            row = work.row
            row.shares = {party.value: str(share) for party, share in shares.items()}
            row.persons = [_stored(person) for person in persons]
            row.liability_with, row.liability_note = with_head, note or None
            row.liability_at, row.liability_by = work.now, actor.name
            work.move(moved, "escalation.settle_liability", shares=row.shares, shares_before=before)
        return await self.get(actor, escalation_id)

    async def plan(
        self, actor: Actor, escalation_id: str, expected: int, *, plan: str, costs: bool
    ) -> EscalationView:
        """E3 → E4: how it is solved; ``costs`` when that means compensation or loss."""
        actor.need(Permission.ESCALATIONS_HANDLE)
        plan = tidy_text(plan, field="plan", limit=MAX_TEXT)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = rules.plan(work.rules(), costs=costs)
            row = work.row
            row.plan, row.planned_at, row.planned_by = plan, work.now, actor.name
            work.move(moved, "escalation.plan", costs=costs)
        return await self.get(actor, escalation_id)

    async def close(self, actor: Actor, escalation_id: str, expected: int, *, outcome: str) -> EscalationView:
        """E10: settled, and filed with the complaint.

        Raises:
            Owed: the complaint's callback is not done, money is not paid, or HR has not settled every share.
        """
        actor.need(Permission.ESCALATIONS_SUBMIT)
        outcome = tidy_text(outcome, field="outcome", limit=MAX_TEXT)
        async with self._store.changing(actor, escalation_id, expected) as work:
            complaint = work.opened.row
            settled = all(not line.status.is_open for line in work.opened.plain())
            answered = complaint.called_back_at is not None or complaint.waived_at is not None
            moved = rules.close(work.rules(), called_back=answered and settled)
            row = work.row
            row.outcome, row.closed_at, row.closed_by = outcome, work.now, actor.name
            row.open_key = None
            work.move(moved, "escalation.close")
            await self._book.void(work.opened.session, work.record, reason="closed", at=work.now)
        return await self.get(actor, escalation_id)


def _make_major(opened: Opened) -> None:
    header, before = opened.header, opened.header.severity
    header.major = True
    if before >= Severity.MAJOR:
        return
    header.severity = int(Severity.MAJOR)
    opened.note("complaint.severity", before={"severity": before}, after={"severity": header.severity})
    opened.tell(
        SeverityRaised(
            at=opened.now,
            case_id=header.id,
            no=header.no,
            severity=header.severity,
            before=before,
            reason="escalated",
            specialist_id=header.specialist_id,
        )
    )


def _stored(person: LiablePerson) -> dict[str, str | None]:
    return {
        "name": person.name,
        "staff_id": person.staff_id,
        "percent": str(person.percent) if person.percent is not None else None,
        "amount": str(person.amount) if person.amount is not None else None,
    }
