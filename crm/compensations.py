"""Compensation for a major complaint: requested, agreed to, paid, taken back (domain.md §1.3b, E5–E9).

Who asks for money never decides about it, nor does whoever entered or changed an amount. The product keeps
decisions; it pays nothing and computes nobody's pay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm.attributes import flag_modified

from crm.cases import tidy_text
from crm.complaint_input import MAX_NAME, MAX_WHY, id_of, name_of, why_of
from crm.domain import compensation as rules
from crm.domain import escalation as moves
from crm.domain.compensation import (
    Bearer,
    Compensation,
    CompensationKind,
    RecoveryShare,
    Split,
    payroll_month,
    read_amount,
    read_split,
)
from crm.escalation_read import EscalationReader, to_compensation
from crm.escalation_store import EscalationStore, OpenedEscalation
from crm.escalation_tables import CompensationRow, RecoveryRow
from crm.escalation_views import EscalationView, RecoveryPage
from crm.events_cases import CompensationDecided, CompensationRequested, RecoverySent
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid

MAX_REASON = 2000
MAX_NUMBER = 40


class VoucherTaken(Conflict):
    """Another payment has this voucher."""

    code = "voucher_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCompensation:
    """What is asked for. The bearers' parts sum to the amount; named people bear the staff's part."""

    amount: Decimal
    bearers: Mapping[Bearer, Decimal]
    reason: str
    kind: CompensationKind = CompensationKind.CASH
    recovery: Sequence[RecoveryShare] = ()


class Compensations:
    """The money of major complaints.

    Args:
        zone: the site's: the payroll month is that of the approval there.
    """

    def __init__(self, store: EscalationStore, reader: EscalationReader, *, zone: ZoneInfo) -> None:
        self._store = store
        self._reader = reader
        self._zone = zone

    async def request(
        self, actor: Actor, escalation_id: str, expected: int, new: NewCompensation
    ) -> EscalationView:
        """E4 → E5: ask for compensation.

        Raises:
            Invalid: the amounts do not add up; the field says which.
            Owed: the plan says that it costs nothing.
        """
        actor.need(Permission.COMPENSATION_REQUEST)
        split = _split(new)
        reason = tidy_text(new.reason, field="reason", limit=MAX_REASON)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = moves.request(work.rules())
            row = CompensationRow(
                id=new_ulid(),
                escalation_id=escalation_id,
                state=rules.CompensationState.REQUESTED.value,
                kind=new.kind.value,
                amount=split.amount,
                bearers=_stored(split),
                reason=reason,
                requested_at=work.now,
                requested_by=actor.name,
                requested_by_id=actor.user_id,
                entered_by=[actor.user_id],
            )
            work.opened.session.add(row)
            await work.opened.session.flush()
            _add_shares(work, row, split)
            work.move(moved, "compensation.request", amount=split.amount, bearers=row.bearers)
            _tell_request(work, row)
        return await self._reader.get(actor, escalation_id)

    async def change(
        self, actor: Actor, escalation_id: str, expected: int, new: NewCompensation
    ) -> EscalationView:
        """E5: correct what is asked for, while nobody has agreed; who does it decides no more."""
        actor.need(Permission.COMPENSATION_REQUEST)
        split = _split(new)
        reason = tidy_text(new.reason, field="reason", limit=MAX_REASON)
        async with self._store.changing(actor, escalation_id, expected) as work:
            row = await work.money()
            before = {"amount": row.amount, "bearers": row.bearers}
            changed = rules.change_amount(to_compensation(row), split.amount, actor.user_id)
            _put(row, changed)
            row.kind, row.bearers, row.reason = new.kind.value, _stored(split), reason
            shares = delete(RecoveryRow).where(RecoveryRow.compensation_id == row.id)
            await work.opened.session.execute(shares)
            _add_shares(work, row, split)
            work.note(
                "compensation.change", before=before, after={"amount": row.amount, "bearers": row.bearers}
            )
            _touch(work)
            _tell_request(work, row)
        return await self._reader.get(actor, escalation_id)

    async def review(
        self, actor: Actor, escalation_id: str, expected: int, *, agreed: bool, reason: str = ""
    ) -> EscalationView:
        """E5 → E6, or → E4: the company's head agrees who bears what, or not, with reason.

        Raises:
            SamePerson: the actor requested it, or entered or changed the amount.
            Forbidden: it is over the threshold and somebody else is the general manager.
        """
        actor.need(Permission.COMPENSATION_REVIEW)
        reason = why_of(reason) if not agreed or reason.strip() else ""
        async with self._store.changing(actor, escalation_id, expected) as work:
            row = await work.money()
            moved = moves.agree(work.rules()) if agreed else moves.refuse_money(work.rules())
            decided = rules.review(
                to_compensation(row),
                actor.user_id,
                actor.role,
                agreed=agreed,
                threshold=self._reader.threshold,
            )
            _put(row, decided)
            row.reviewed_at, row.reviewed_by = work.now, actor.name
            if not agreed:
                _refused(row, actor, work.now, reason)
            work.move(moved, "compensation.review", why=reason, agreed=agreed, amount=row.amount)
            _tell_decision(work, row, reason)
        return await self._reader.get(actor, escalation_id)

    async def write_voucher(
        self, actor: Actor, escalation_id: str, expected: int, *, voucher_no: str, amount: Decimal
    ) -> EscalationView:
        """E6: finance writes the voucher; its amount is the one that was agreed to.

        Raises:
            Invalid: it is another amount.
            VoucherTaken: the number stands on another voucher.
        """
        actor.need(Permission.VOUCHERS_WRITE)
        number = _number(voucher_no, "voucher_no")
        amount = read_amount(amount, field="amount")
        async with self._store.changing(actor, escalation_id, expected) as work:
            row = await work.money()
            moved = moves.write_voucher(work.rules())
            written = rules.write_voucher(to_compensation(row), amount, actor.user_id)
            taken = select(CompensationRow.id).where(CompensationRow.voucher_no == number)
            if await work.opened.session.scalar(taken) is not None:
                raise VoucherTaken("another payment has this voucher", field="voucher_no")
            _put(row, written)
            row.voucher_no, row.voucher_at, row.voucher_by = number, work.now, actor.name
            work.move(moved, "compensation.write_voucher", voucher_no=number, amount=amount)
            _tell_decision(work, row, "")
        return await self._reader.get(actor, escalation_id)

    async def approve(
        self, actor: Actor, escalation_id: str, expected: int, *, approved: bool, reason: str = ""
    ) -> EscalationView:
        """E6 → E7, or → E4: the signature that releases the money, or a refusal. Raises as :meth:`review`."""
        actor.need(Permission.COMPENSATION_REVIEW)
        reason = why_of(reason) if not approved or reason.strip() else ""
        async with self._store.changing(actor, escalation_id, expected) as work:
            row = await work.money()
            moved = moves.approve(work.rules()) if approved else moves.refuse_money(work.rules())
            decided = rules.approve(
                to_compensation(row),
                actor.user_id,
                actor.role,
                work.now,
                approved=approved,
                threshold=self._reader.threshold,
            )
            _put(row, decided)
            if approved:
                row.approved_at, row.approved_by = work.now, actor.name
                for share in await _shares(work, row):
                    share.payroll_month = payroll_month(work.now, self._zone)
            else:
                _refused(row, actor, work.now, reason)
            work.move(moved, "compensation.approve", why=reason, approved=approved, amount=row.amount)
            _tell_decision(work, row, reason)
        return await self._reader.get(actor, escalation_id)

    async def pay(
        self, actor: Actor, escalation_id: str, expected: int, *, receipt_no: str, paid_at: datetime | None
    ) -> EscalationView:
        """E7 → E8: finance has paid, now or at ``paid_at``, and has the receipt."""
        actor.need(Permission.VOUCHERS_WRITE)
        receipt = _number(receipt_no, "receipt_no")
        async with self._store.changing(actor, escalation_id, expected) as work:
            row = await work.money()
            shares = await _shares(work, row)
            moved = moves.pay(work.rules(), recovery=len(shares))
            at = paid_at or work.now
            _put(row, rules.pay(to_compensation(row), at, work.now))
            row.paid_at, row.paid_by, row.receipt_no = at, actor.name, receipt
            work.move(moved, "compensation.pay", receipt_no=receipt, amount=row.amount)
            _tell_decision(work, row, "")
        return await self._reader.get(actor, escalation_id)

    async def send_recovery(self, actor: Actor, escalation_id: str, expected: int) -> EscalationView:
        """E8 → E9: the staff's shares go to HR, for the pay of the month of the approval.

        Raises:
            Owed: nobody of the staff bears a part.
        """
        actor.need(Permission.VOUCHERS_WRITE)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = moves.send_recovery(work.rules())
            row = await work.money()
            shares = await _shares(work, row)
            for share in shares:
                share.sent_at = work.now
            total = sum((share.amount for share in shares), Decimal(0))
            work.move(moved, "recovery.send", people=len(shares), amount=total)
            work.opened.tell(
                RecoverySent(
                    at=work.now,
                    escalation_id=escalation_id,
                    compensation_id=row.id,
                    case_id=work.opened.header.id,
                    no=work.opened.header.no,
                    month=shares[0].payroll_month or "",
                    people=len(shares),
                    amount=str(total),
                )
            )
        return await self._reader.get(actor, escalation_id)

    async def recovered(
        self, actor: Actor, escalation_id: str, expected: int, recovery_id: str, *, note: str = ""
    ) -> EscalationView:
        """E9: HR has settled one person's share; HR decides how, the product keeps that it is done.

        Raises:
            NotFound: no such share of this major complaint.
            Conflict: it is settled already.
        """
        actor.need(Permission.RECOVERY_HANDLE)
        note = tidy_text(note, field="note", limit=MAX_WHY, required=False)
        async with self._store.changing(actor, escalation_id, expected) as work:
            moved = moves.recovered(work.rules())
            row = await work.money()
            shares = {share.id: share for share in await _shares(work, row)}
            share = shares.get(recovery_id)
            if share is None:
                raise NotFound("no such share", field="recovery_id")
            if share.done_at is not None:
                raise Conflict("it is settled already", field="recovery_id")
            share.done_at, share.done_by, share.done_note = work.now, actor.name, note or None
            work.move(moved, "recovery.done", why=note, recovery=recovery_id, amount=share.amount)
        return await self._reader.get(actor, escalation_id)

    async def recoveries(
        self,
        actor: Actor,
        *,
        month: str | None = None,
        is_open: bool | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RecoveryPage:
        """Return the staff's shares that went to HR. Raises Forbidden, and Invalid for a strange cursor."""
        return await self._reader.recoveries(actor, month=month, is_open=is_open, cursor=cursor, limit=limit)


def _split(new: NewCompensation) -> Split:
    people = [
        RecoveryShare(
            name=tidy_text(share.name, field=f"recovery.{place}.name", limit=MAX_NAME),
            amount=share.amount,
            staff_id=id_of(share.staff_id, f"recovery.{place}.staff_id"),
        )
        for place, share in enumerate(new.recovery)
    ]
    return read_split(new.amount, new.bearers, people)


def _stored(split: Split) -> dict[str, str]:
    return {bearer.value: str(part) for bearer, part in split.bearers.items()}


def _put(row: CompensationRow, found: Compensation) -> None:
    row.state, row.amount = found.state.value, found.amount
    row.entered_by = sorted(found.entered_by)


def _touch(work: OpenedEscalation) -> None:
    # A new version: whoever looked at the old amount must not decide on the new one unseen.
    flag_modified(work.row, "state")


def _add_shares(work: OpenedEscalation, row: CompensationRow, split: Split) -> None:
    for position, share in enumerate(split.recovery):
        work.opened.session.add(
            RecoveryRow(
                id=new_ulid(),
                compensation_id=row.id,
                position=position,
                name=share.name,
                staff_id=share.staff_id,
                amount=share.amount,
            )
        )


async def _shares(work: OpenedEscalation, row: CompensationRow) -> list[RecoveryRow]:
    query = select(RecoveryRow).where(RecoveryRow.compensation_id == row.id).order_by(RecoveryRow.position)
    return list(await work.opened.session.scalars(query))


def _refused(row: CompensationRow, actor: Actor, at: datetime, reason: str) -> None:
    row.refused_at, row.refused_by, row.refused_why = at, actor.name, reason


def _number(raw: str, field: str) -> str:
    found = name_of(raw, field, MAX_NUMBER)
    if found is None:
        raise Invalid("must not be empty", field=field)
    return found


def _tell_request(work: OpenedEscalation, row: CompensationRow) -> None:
    work.opened.tell(
        CompensationRequested(
            at=work.now,
            escalation_id=row.escalation_id,
            compensation_id=row.id,
            case_id=work.opened.header.id,
            no=work.opened.header.no,
            amount=str(row.amount),
            requested_by=row.requested_by,
        )
    )


def _tell_decision(work: OpenedEscalation, row: CompensationRow, reason: str) -> None:
    work.opened.tell(
        CompensationDecided(
            at=work.now,
            escalation_id=row.escalation_id,
            compensation_id=row.id,
            case_id=work.opened.header.id,
            no=work.opened.header.no,
            amount=str(row.amount),
            state=row.state,
            by=work.opened.actor.name,
            reason=reason,
            requested_by_id=row.requested_by_id,
        )
    )
