"""Settlements of repairs: sheet, signatures, filing, the month's books, the deposit (domain.md §1.5 K0–K6).

One settlement for each repair. The figures are checked by :mod:`crm.domain.repair_cost`; the crew's part is
taken from its deposit in the same transaction in which the settlement becomes settled.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from crm.cases import seen_by
from crm.deposits import Deposits
from crm.domain import repair_cost as rules
from crm.domain.deposit import read_month
from crm.domain.lines import one_line
from crm.domain.material import pick
from crm.domain.repair import VisitOutcome
from crm.domain.repair_cost import CostBearer, CostState, Figures, Settlement, Sheet, Signature
from crm.domain.repair_terms import CAPTAIN_DEPARTMENT
from crm.events_repairs import CostSheetMoved, CostSheetWritten
from crm.limits import Owner
from crm.materials import catalogue_of
from crm.repair_store import CHAIN, COST, FAMILY, OpenedRepair, RepairStore, ref
from crm.repair_tables import CostBearerRow, RepairCostRow, RepairVisitRow
from crm.settlement_read import CostReader
from crm.settlement_views import CostView
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Forbidden, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

ENTITY = "repair_cost"
MAX_REASON = 400
COSTED_EVENT = "costed"


class NotRepaired(Conflict):
    """Nobody has repaired anything yet, so there is nothing to reckon."""

    code = "not_repaired"


@dataclass(slots=True)
class _Opened:
    session: AsyncSession
    header: ServiceCase
    row: RepairCostRow
    now: datetime


class Settlements:
    """Writes, signs, files, reconciles and settles; every method is one transaction and returns the view.

    Each raises Forbidden when it is not the actor's to do, NotFound when there is no such settlement or none
    that the actor may see, IllegalStep when its state does not allow the step, and StaleVersion when somebody
    changed it since ``expected`` was read.
    """

    def __init__(self, store: RepairStore, reader: CostReader, deposits: Deposits, *, zone: ZoneInfo) -> None:
        self._store = store
        self._reader = reader
        self._deposits = deposits
        self._zone = zone

    async def write(
        self, actor: Actor, case_id: str, *, expected: int, figures: Figures, reason: str = ""
    ) -> CostView:
        """K0: write the sheet, or change it; a change after a signature voids the signatures. K0 ends.

        Args:
            expected: version of the sheet that the actor has seen; 0 when there was none.
            reason: why it changes, once somebody has signed it.

        Raises:
            NotRepaired: no visit has repaired anything.
            Invalid: figures that do not add up; the field is named.
        """
        why = one_line(reason, field="reason", limit=MAX_REASON) if reason.strip() else ""
        async with self._store.database.transaction() as session:
            opened = await self._store.open(session, actor, case_id, expected=None)
            opened.check_works()
            row = await session.scalar(
                select(RepairCostRow).where(RepairCostRow.case_id == case_id).with_for_update()
            )
            if (row.version if row else 0) != expected:
                raise StaleVersion("the sheet was changed by somebody else; read it again", field="If-Match")
            await _check_repaired(session, case_id)
            agreed = {
                line["code"]: Decimal(line["price"])
                for line in (row.material if row else ())
                if line.get("code")
            }
            picked = pick(figures.material, await catalogue_of(session), agreed)
            figures = replace(figures, material=picked)
            sheet = rules.read_sheet(figures, has_crew=opened.row.original_crew_id is not None)
            before = {"total": row.total, "state": row.state} if row else {}
            settlement = rules.written(to_settlement(row) if row else None, author=actor.user_id, reason=why)
            if row is None:
                row = RepairCostRow(id=new_ulid(), case_id=case_id, crew_id=opened.row.original_crew_id)
                session.add(row)
            _put_sheet(row, sheet)
            _put(row, settlement)
            row.author, row.costed_at = actor.name, opened.now
            await session.flush()
            await session.execute(delete(CostBearerRow).where(CostBearerRow.cost_id == row.id))
            session.add_all(
                CostBearerRow(cost_id=row.id, bearer=bearer.value, amount=amount)
                for bearer, amount in sheet.bearers.items()
            )
            await self._stop_limit(opened)
            opened.tell(
                CostSheetWritten(
                    at=opened.now,
                    case_id=case_id,
                    no=opened.header.no,
                    cost_id=row.id,
                    total=str(sheet.total),
                    kind=sheet.kind.value,
                    revision=row.revision,
                    author_id=actor.user_id,
                )
            )
            after = {
                "total": sheet.total,
                "state": row.state,
                "kind": sheet.kind,
                "bearers": {bearer.value: amount for bearer, amount in sheet.bearers.items()},
            }
            opened.note("repair.costed", before=before, after=after, why=why)
            await self._store.finish(opened)
        return await self._reader.of_repair(actor, case_id)

    async def sign_service(self, actor: Actor, cost_id: str, *, expected: int) -> CostView:
        """K1: the head of customer service signs; not the author.

        Raises:
            SamePerson: the author signs.
        """
        actor.need(Permission.COSTS_SIGN_SERVICE)
        async with self._changing(actor, cost_id, expected, "cost.signed_service") as opened:
            signature = Signature(user_id=actor.user_id, name=actor.name, at=opened.now)
            _put(opened.row, rules.signed_by_service(to_settlement(opened.row), signature))
        return await self._reader.get(actor, cost_id)

    async def sign_company(self, actor: Actor, cost_id: str, *, expected: int) -> CostView:
        """K2: the company's head signs; neither the author nor who signed before.

        Raises:
            SamePerson: one of those signs.
        """
        actor.need(Permission.COSTS_SIGN_COMPANY)
        async with self._changing(actor, cost_id, expected, "cost.signed_company") as opened:
            signature = Signature(user_id=actor.user_id, name=actor.name, at=opened.now)
            _put(opened.row, rules.signed_by_company(to_settlement(opened.row), signature))
        return await self._reader.get(actor, cost_id)

    async def send_back(self, actor: Actor, cost_id: str, *, expected: int, reason: str) -> CostView:
        """Refuse to sign or to file: back to K0, with what is wrong. By whoever is next to sign or file."""
        why = one_line(reason, field="reason", limit=MAX_REASON)
        async with self._changing(actor, cost_id, expected, "cost.sent_back", why=why) as opened:
            needed = _NEXT.get(CostState(opened.row.state))
            if needed is not None:
                actor.need(needed)
            _put(opened.row, rules.sent_back(to_settlement(opened.row), reason=why))
        return await self._reader.get(actor, cost_id)

    async def file(self, actor: Actor, cost_id: str, *, expected: int) -> CostView:
        """K3: customer service files it."""
        actor.need(Permission.CASES_REGISTER)
        async with self._changing(actor, cost_id, expected, "cost.filed") as opened:
            _put(opened.row, rules.filed(to_settlement(opened.row), at=opened.now))
            opened.row.filed_by = actor.name
        return await self._reader.get(actor, cost_id)

    async def reconcile(self, actor: Actor, cost_id: str, *, expected: int, month: str) -> CostView:
        """K4: it was compared with the books of a month, by finance or the head of customer service.

        Raises:
            Invalid: no month, one that is ahead, or one before it was filed.
        """
        _finance_or_manager(actor)
        wanted = read_month(month)
        async with self._changing(actor, cost_id, expected, "cost.reconciled") as opened:
            row = opened.row
            settlement = to_settlement(row)
            filed_on = (row.filed_at or opened.now).astimezone(self._zone).date()
            today = opened.now.astimezone(self._zone).date()
            _put(row, rules.reconciled(settlement, month=wanted, filed_on=filed_on, today=today))
            row.reconciled_at, row.reconciled_by = opened.now, actor.name
        return await self._reader.get(actor, cost_id)

    async def settle(self, actor: Actor, cost_id: str, *, expected: int) -> CostView:
        """K5: finance settles; the crew's part leaves its deposit, what is short becomes a receivable."""
        actor.need(Permission.DEPOSITS_POST)
        async with self._changing(actor, cost_id, expected, "cost.settled") as opened:
            row, session = opened.row, opened.session
            _put(row, rules.settled(to_settlement(row)))
            row.settled_at, row.settled_by = opened.now, actor.name
            part = await session.get(CostBearerRow, (row.id, CostBearer.CREW.value))
            if part is not None:
                await self._deposits.deduct(
                    session, actor, row, no=opened.header.no, due=part.amount, at=opened.now
                )
        return await self._reader.get(actor, cost_id)

    async def close(self, actor: Actor, cost_id: str, *, expected: int) -> CostView:
        """K6, by finance or the head of customer service."""
        _finance_or_manager(actor)
        async with self._changing(actor, cost_id, expected, "cost.closed") as opened:
            _put(opened.row, rules.closed(to_settlement(opened.row)))
            opened.row.closed_at, opened.row.closed_by = opened.now, actor.name
        return await self._reader.get(actor, cost_id)

    # Inside

    async def _stop_limit(self, opened: OpenedRepair) -> None:
        for line in (COST, CHAIN):
            await self._store.limits.happened(
                opened.session,
                FAMILY,
                COSTED_EVENT,
                ref(opened.header, line),
                at=opened.now,
                owner=Owner(department=CAPTAIN_DEPARTMENT, specialist=opened.header.specialist_id),
            )

    @asynccontextmanager
    async def _changing(
        self, actor: Actor, cost_id: str, expected: int, action: str, *, why: str = ""
    ) -> AsyncIterator[_Opened]:
        """Open a settlement, locked; note and tell what became of it when the block ends well."""
        now = self._store.clock.now()
        async with self._store.database.transaction() as session:
            row, header = await self._locked(session, actor, cost_id, expected)
            was = row.state
            yield _Opened(session, header, row, now)
            await session.flush()
            fact = CostSheetMoved(
                at=now,
                case_id=header.id,
                no=header.no,
                cost_id=row.id,
                state=row.state,
                state_was=was,
                total=str(row.total),
                reason=why,
                author_id=row.author_id,
            )
            add_fact(session, fact)
            await session.flush()
            await self._store.journal.note(
                session,
                actor,
                action,
                entity=ENTITY,
                entity_id=row.id,
                before={"state": was},
                after={"state": row.state, "no": header.no},
                why=why,
            )

    async def _locked(
        self, session: AsyncSession, actor: Actor, cost_id: str, expected: int
    ) -> tuple[RepairCostRow, ServiceCase]:
        found = select(RepairCostRow.case_id).where(RepairCostRow.id == cost_id)
        case_id = await session.scalar(found) if is_ulid(cost_id) else None
        # The header first, as every change of a repair does; its new version makes pages read again.
        seen = select(ServiceCase).where(ServiceCase.id == (case_id or ""), seen_by(actor))
        header = await session.scalar(seen.with_for_update(of=ServiceCase))
        if header is None:
            raise NotFound("no such settlement", field="cost_id")
        locked = select(RepairCostRow).where(RepairCostRow.id == cost_id).with_for_update()
        row = (await session.scalars(locked)).one()
        if row.version != expected:
            raise StaleVersion("somebody else changed it; read it again", field="If-Match")
        header.updated_at = self._store.clock.now()
        flag_modified(header, "updated_at")
        return row, header


_NEXT = {
    CostState.COSTED: Permission.COSTS_SIGN_SERVICE,
    CostState.CS_SIGNED: Permission.COSTS_SIGN_COMPANY,
    CostState.COMPANY_SIGNED: Permission.CASES_REGISTER,
}
"""State → what whoever is next to sign or file may do."""


def _finance_or_manager(actor: Actor) -> None:
    if not (actor.can(Permission.DEPOSITS_POST) or actor.can(Permission.COSTS_SIGN_SERVICE)):
        raise Forbidden("is finance's or the manager's to do", permission=Permission.DEPOSITS_POST.value)


async def _check_repaired(session: AsyncSession, case_id: str) -> None:
    worked = (VisitOutcome.FIXED.value, VisitOutcome.UNFINISHED.value)
    query = select(RepairVisitRow.id).where(
        RepairVisitRow.case_id == case_id, RepairVisitRow.outcome.in_(worked)
    )
    if await session.scalar(query.limit(1)) is None:
        raise NotRepaired("no visit has repaired anything yet", field="visit")


def to_settlement(row: RepairCostRow) -> Settlement:
    """Return a stored settlement as the rules see it."""
    return Settlement(
        author=row.author_id,
        state=CostState(row.state),
        service=_signature(row.service_id, row.service_name, row.service_at),
        company=_signature(row.company_id, row.company_name, row.company_at),
        filed_at=row.filed_at,
        month=row.month,
        reason=row.reason,
        revision=row.revision,
    )


def _signature(user_id: str | None, name: str | None, at: datetime | None) -> Signature | None:
    return Signature(user_id=user_id, name=name or "", at=at) if user_id and at else None


def _put(row: RepairCostRow, settlement: Settlement) -> None:
    row.author_id = settlement.author
    row.state = settlement.state.value
    for name in ("service", "company"):
        signature: Signature | None = getattr(settlement, name)
        setattr(row, f"{name}_id", signature.user_id if signature else None)
        setattr(row, f"{name}_name", signature.name if signature else None)
        setattr(row, f"{name}_at", signature.at if signature else None)
    row.filed_at = settlement.filed_at
    row.month = settlement.month
    if settlement.state is CostState.COSTED:
        row.filed_by = row.reconciled_at = row.reconciled_by = None
    row.reason = settlement.reason
    row.revision = settlement.revision


def _put_sheet(row: RepairCostRow, sheet: Sheet) -> None:
    row.kind, row.labour, row.travel, row.total = sheet.kind.value, sheet.labour, sheet.travel, sheet.total
    row.receipt_no = sheet.receipt_no
    row.material = [
        {
            "item": line.item,
            "kind": line.kind.value,
            "unit": line.unit,
            "quantity": str(line.quantity),
            "price": str(line.price),
            "amount": str(line.amount),
            "code": line.code,
            "why": line.why,
        }
        for line in sheet.material
    ]
