"""Payments of customers for their projects: posted by finance, reversed, never edited (domain.md §4.1)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm import project_reads, timeline
from crm.domain.customer_rules import MAX_REASON
from crm.domain.lines import choice, maybe_line, one_line
from crm.domain.payments import Period, check_payment, money, owed, settled
from crm.domain.stages import ENDED, Course
from crm.events_people import PaymentPosted, PaymentReversed
from crm.office import Office, project_for_change
from crm.people_tables import PaymentRow
from crm.project_views import ProjectRecord
from crm.stages import ProjectStages
from crm.tables import Project
from crm.timeline import Channel
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

MAX_RECEIPT = 40


class ReceiptTaken(Conflict):
    """A payment with this receipt number is posted already."""

    code = "receipt_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment to post; ``due`` is what was to be paid for the period."""

    period: str
    amount: object
    paid_at: datetime
    receipt_no: str
    due: object | None = None
    released_by: str | None = None


class Payments:
    """Posts and reverses payments."""

    def __init__(self, office: Office, stages: ProjectStages) -> None:
        self._office = office
        self._stages = stages

    async def post(self, actor: Actor, project_id: str, new: NewPayment) -> ProjectRecord:
        """Post a payment. In full, it brings the stage that waits for it (75 mid-term, 85 final).

        Raises:
            Forbidden: only finance posts.
            NotFound: no such project.
            ReceiptTaken: the receipt number is posted already.
            Conflict: the project has ended, or its amount is not known.
            Invalid: no amount, more than is owed, or paid in the future.
        """
        actor.need(Permission.PAYMENTS_POST)
        office, now = self._office, self._office.now()
        period = choice(Period, new.period, field="period")
        amount = money(new.amount, field="amount")
        due = None if new.due is None else money(new.due, field="due")
        receipt = one_line(new.receipt_no, field="receipt_no", limit=MAX_RECEIPT)
        released = maybe_line(new.released_by, field="released_by", limit=40)
        if new.paid_at > now:
            raise Invalid("lies in the future", field="paid_at")
        async with office.database.transaction() as session:
            row = await project_for_change(session, project_id, None)
            course = await project_reads.course_of(session, row)
            if course.stage in ENDED:
                raise Conflict("the project has ended", field="project_id")
            entries = await project_reads.entries(session, row.id)
            check_payment(entries, amount, owed(row.amount, row.changes))
            payment = PaymentRow(
                id=new_ulid(),
                project_id=row.id,
                period=period.value,
                due=due,
                amount=amount,
                paid_at=new.paid_at,
                receipt_no=receipt,
                posted_by=actor.name,
                posted_at=now,
                released_by=released,
                receipt_key=receipt,
            )
            session.add(payment)
            try:
                await session.flush()
            except IntegrityError as error:
                problem = "a payment with this receipt number is posted already"
                raise ReceiptTaken(problem, field="receipt_no") from error
            add_fact(
                session,
                PaymentPosted(
                    at=now,
                    project_id=row.id,
                    customer_id=row.customer_id,
                    contract_no=row.contract_no,
                    payment_id=payment.id,
                    period=period.value,
                    amount=str(amount),
                    receipt_no=receipt,
                ),
            )
            paid_up = settled(await project_reads.entries(session, row.id))
            after = self._stages.advance_paid(session, actor, row, course, paid_up, on=office.today())
            return await self._done(session, actor, row, after, payment, "payment_posted", amount)

    async def reverse(self, actor: Actor, payment_id: str, *, reason: str) -> ProjectRecord:
        """Take a payment back with a row of its own. The stage stays; the manager may correct it.

        One way and once: whoever comes second is refused and told so, nothing is overwritten.

        Raises:
            Forbidden: only finance reverses.
            NotFound: no such payment.
            Conflict: it is a reversal, or was reversed already.
            Invalid: no reason.
        """
        actor.need(Permission.PAYMENTS_POST)
        why = one_line(reason, field="reason", limit=MAX_REASON)
        office, now = self._office, self._office.now()
        async with office.database.transaction() as session:
            old = await session.get(PaymentRow, payment_id) if is_ulid(payment_id) else None
            if old is None:
                raise NotFound("no such payment", field="payment_id")
            row = await project_for_change(session, old.project_id, None)
            taken = select(PaymentRow.id).where(PaymentRow.reverses_id == old.id)
            if old.reverses_id is not None or (await session.execute(taken)).first() is not None:
                raise Conflict("it was reversed already, or is a reversal", field="payment_id")
            payment = PaymentRow(
                id=new_ulid(),
                project_id=row.id,
                period=old.period,
                amount=-old.amount,
                paid_at=now,
                receipt_no=old.receipt_no,
                posted_by=actor.name,
                posted_at=now,
                reverses_id=old.id,
                reason=why,
            )
            old.receipt_key = None
            session.add(payment)
            await session.flush()
            add_fact(
                session,
                PaymentReversed(
                    at=now,
                    project_id=row.id,
                    customer_id=row.customer_id,
                    contract_no=row.contract_no,
                    payment_id=old.id,
                    period=old.period,
                    amount=str(old.amount),
                    reason=why,
                ),
            )
            course = await project_reads.course_of(session, row)
            return await self._done(
                session, actor, row, course, payment, "payment_reversed", -old.amount, why=why
            )

    async def _done(
        self,
        session: AsyncSession,
        actor: Actor,
        row: Project,
        course: Course,
        payment: PaymentRow,
        action: str,
        amount: Decimal,
        *,
        why: str = "",
    ) -> ProjectRecord:
        office = self._office
        project_reads.store_course(row, course)
        row.updated_at, row.updated_by = office.now(), actor.name
        await timeline.add(
            session,
            row.customer_id,
            at=office.now(),
            channel=Channel.PAYMENT,
            direction="in" if amount > 0 else "out",
            ref=payment.id,
            result=action,
            detail={"contract_no": row.contract_no, "period": payment.period, "amount": str(amount)},
            agent=actor.name,
        )
        await session.flush()
        await office.journal.note(
            session,
            actor,
            action,
            entity="project",
            entity_id=row.id,
            after={"payment_id": payment.id, "period": payment.period, "amount": amount, "stage": row.stage},
            why=why,
        )
        return await project_reads.record(session, actor, row.id)
