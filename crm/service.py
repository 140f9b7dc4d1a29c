"""Use cases of ``crm`` that the hotline needs: who is calling, what is open, what was said before."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm import repository
from crm.confidential import hide
from crm.domain.case import KIND_LABELS, SPOKEN_STATUS, STATUS_LABELS, CaseKind, CaseStatus
from crm.domain.customer import Salutation, greeting
from crm.domain.project import Stage
from crm.office import current_id
from crm.repository import Record
from crm.tables import CallbackRequest, CallNote, Contact, Customer
from crm.views import (
    CallbackRequestView,
    CallContact,
    CaseBrief,
    ContactBrief,
    CustomerCard,
    ProjectBrief,
)
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from kernel.phone import Phone, mask

MAX_NOTES = 4000


def _project(row: Record) -> ProjectBrief:
    stage = Stage(row.stage)
    return ProjectBrief(
        project_id=row.id,
        contract_no=row.contract_no,
        address=row.address,
        stage=stage.value,
        stage_label=stage.label,
        crew=row.crew,
        crew_status=row.crew_status,
        project_manager=row.project_manager,
        designer=row.designer,
        inspector=row.inspector,
        warranty_until=row.warranty_until.isoformat() if row.warranty_until else None,
    )


def _case(row: Record) -> CaseBrief:
    kind, status = CaseKind(row.kind), CaseStatus(row.status)
    return CaseBrief(
        case_id=row.id,
        no=row.no,
        kind=kind.value,
        kind_label=KIND_LABELS[kind],
        status=status.value,
        status_label=STATUS_LABELS[status],
        spoken_status=SPOKEN_STATUS[status],
        summary=hide(row.summary, hidden=row.secret),
        department=row.department,
        opened_at=row.opened_at,
    )


def _contact(row: Record) -> ContactBrief:
    return ContactBrief(
        contact_id=row.id,
        at=row.at,
        channel=row.channel,
        direction=row.direction,
        ref=row.ref,
        result=row.result,
        agent=row.agent,
        queue=row.queue,
        disposition=row.disposition,
        notes=row.notes,
    )


class CustomerDirectory:
    """Finds customers and shows them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_by_phone(self, phone: Phone) -> tuple[CustomerCard, ...]:
        """Return the cards of everybody who has this number; a family sharing one gives several."""
        async with self._database.session() as session:
            rows = await repository.cards_by_phone(session, phone.e164)
        return tuple(map(_card, rows))

    async def card(self, customer_id: str) -> CustomerCard:
        """Return one customer's card.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._database.session() as session:
            rows = await repository.cards_by_id(session, [customer_id])
        if not rows:
            raise NotFound("no such customer", field="customer_id")
        return _card(rows[0])

    async def search(self, text: str, *, limit: int = 20) -> tuple[CustomerCard, ...]:
        """Return customers whose name or contract number begins with ``text``."""
        text = text.strip()
        if not text:
            return ()
        async with self._database.session() as session:
            found = await repository.search_customers(session, text[:40], min(limit, 50))
            rows = await repository.cards_by_id(session, found)
        return tuple(map(_card, rows))


def _card(row: Record) -> CustomerCard:
    return CustomerCard(
        customer_id=row.id,
        name=row.name,
        salutation=row.salutation,
        greeting=greeting(row.name, Salutation(row.salutation) if row.salutation else None),
        level=row.level,
        level_reason=row.level_reason,
        store=row.store,
        phones_masked=tuple(mask(phone.e164) for phone in row.phones),
        projects=tuple(map(_project, row.projects)),
        open_cases=tuple(map(_case, row.open_cases)),
        recent_contacts=tuple(map(_contact, row.recent_contacts)),
        do_not_call=row.do_not_call,
        frozen_reason=row.frozen_reason,
        problem_reason=row.problem_reason,
        elder_mode=row.elder_mode,
    )


class ContactLog:
    """Writes calls onto the customers' time lines.

    Idempotent, and free of order: facts may arrive twice, and the agent's note before the call's end.
    """

    async def record_call(self, session: AsyncSession, call: CallContact) -> tuple[str, ...]:
        """Put a finished call on the time line of every customer it may belong to; return their ids.

        The agent's word whose call it was outweighs the number. An internal call is on nobody's.
        """
        if call.direction == "internal":
            return ()
        note = await session.get(CallNote, call.call_id)
        owners: list[str] = []
        if note is not None and note.customer_id is not None:
            owners = [note.customer_id]
        elif call.customer_id is not None:
            owners = [await current_id(session, call.customer_id)]
        elif call.phone is not None:
            owners = list(await repository.customer_ids_by_phone(session, call.phone))
        known = await self._entries(session, call.call_id)
        for customer_id in (*owners,) or (None,):
            row = known.get(customer_id)
            if row is None:
                row = self._new(call.call_id, customer_id)
                session.add(row)
            row.at = call.at
            row.direction = call.direction
            row.result = call.result
            row.agent = call.agent
            row.queue = call.queue
            about = {"case_id": call.case_id, "no": call.no} if call.case_id is not None else {}
            row.detail = {
                "talk_seconds": round(call.talk_seconds, 1),
                "menu_path": list(call.menu_path),
                **about,
            }
        return tuple(owners)

    async def record_disposition(
        self,
        session: AsyncSession,
        *,
        call_id: str,
        disposition: str,
        notes: str,
        at: datetime,
        customer_id: str | None = None,
    ) -> None:
        """Store what the agent noted; ``customer_id`` is the agent's word whose call it was."""
        note = await session.get(CallNote, call_id)
        if note is None:
            note = CallNote(call_id=call_id)
            session.add(note)
        note.disposition = disposition
        note.notes = notes[:MAX_NOTES]
        note.customer_id = customer_id
        note.noted_at = at
        known = await self._entries(session, call_id)
        if customer_id is not None and known and customer_id not in known:
            original = next(iter(known.values()))
            copy = self._new(call_id, customer_id)
            for column in ("at", "direction", "result", "agent", "queue", "detail"):
                setattr(copy, column, getattr(original, column))
            session.add(copy)

    @staticmethod
    def _new(call_id: str, customer_id: str | None) -> Contact:
        return Contact(id=new_ulid(), customer_id=customer_id, channel="call", ref=call_id, detail={})

    @staticmethod
    async def _entries(session: AsyncSession, call_id: str) -> dict[str | None, Contact]:
        query = select(Contact).where(Contact.channel == "call", Contact.ref == call_id)
        return {row.customer_id: row for row in (await session.execute(query)).scalars()}


class CallbackRequests:
    """Callers' wishes to be called back: one open wish per number."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        *,
        call_id: str,
        phone: Phone,
        customer_id: str | None = None,
        reason: str = "hotline",
        wanted_at: datetime | None = None,
    ) -> str:
        """Store a wish and return its id; a number that already waits keeps its first wish.

        Args:
            wanted_at: when they are to be called, as was agreed with them; newer than what was agreed before.

        Raises:
            Invalid: the number is not one that can be called.
        """
        if not phone.dialable:
            raise Invalid("this number cannot be called back", field="phone")
        existing = await self._open_id(phone)
        if existing is not None:
            await self._agree(existing, wanted_at)
            return existing
        row = CallbackRequest(
            id=new_ulid(),
            e164=phone.e164,
            customer_id=customer_id,
            call_id=call_id,
            reason=reason[:40],
            requested_at=self._clock.now(),
            wanted_at=wanted_at,
            open_key=phone.e164,
        )
        try:
            async with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            # Another process stored the same number's wish between our look and our write.
            existing = await self._open_id(phone)
            if existing is None:
                raise
            await self._agree(existing, wanted_at)
            return existing
        return row.id

    async def _agree(self, request_id: str, wanted_at: datetime | None) -> None:
        """Note when a caller who waits already is to be called."""
        if wanted_at is None:
            return
        async with self._database.transaction() as session:
            mine = update(CallbackRequest).where(CallbackRequest.id == request_id)
            await session.execute(mine.values(wanted_at=wanted_at))

    async def _open_id(self, phone: Phone) -> str | None:
        async with self._database.session() as session:
            query = select(CallbackRequest.id).where(CallbackRequest.open_key == phone.e164)
            return (await session.execute(query)).scalar_one_or_none()

    async def list_open(self, actor: Actor, *, limit: int = 200) -> tuple[CallbackRequestView, ...]:
        """Return open wishes, those first that have waited longest since their time.

        Raises:
            Forbidden: the role calls nobody back.
        """
        actor.need(Permission.CALLBACKS_WORK)
        query = (
            select(CallbackRequest, Customer.name)
            .outerjoin(Customer, Customer.id == CallbackRequest.customer_id)
            .where(CallbackRequest.open_key.is_not(None))
            .order_by(func.coalesce(CallbackRequest.wanted_at, CallbackRequest.requested_at))
            .limit(limit)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return tuple(
            CallbackRequestView(
                request_id=row.id,
                phone=row.e164,
                customer_id=row.customer_id,
                customer_name=name,
                call_id=row.call_id,
                reason=row.reason,
                requested_at=row.requested_at,
                wanted_at=row.wanted_at,
            )
            for row, name in rows
        )

    async def finish(self, actor: Actor, request_id: str) -> None:
        """Mark a wish as fulfilled.

        Raises:
            Forbidden: the role calls nobody back.
            Conflict: it does not exist or was finished already.
        """
        actor.need(Permission.CALLBACKS_WORK)
        done = update(CallbackRequest).where(
            CallbackRequest.id == request_id, CallbackRequest.open_key.is_not(None)
        )
        async with self._database.transaction() as session:
            result = await session.execute(
                done.values(done_at=self._clock.now(), open_key=None).returning(CallbackRequest.id)
            )
            if result.first() is None:
                raise Conflict("this callback request is finished already", field="request_id")
