"""The desk for requests about one's own data: see, copy, correct, delete (domain.md §6.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import tidy_text
from crm.domain.freeze import ConsentPurpose
from crm.domain.lines import one_line
from crm.limits import LimitBook, Owner, RecordRef
from crm.numbering import next_number
from crm.office import Office, current_id
from crm.own_erasure import erase_customer, erase_unneeded, said_of, said_of_held, same_person
from crm.own_record import copy_of
from crm.people_tables import ConsentRow
from crm.request_tables import DataRequestRow
from crm.retention import Retention
from crm.retention_ports import Held
from crm.retention_tables import LegalHoldRow
from crm.tables import Customer, ServiceCase
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid

LIMIT = "RQ.ANSWER"
RECORD = "data_request"
MARKETING_PURPOSES = (ConsentPurpose.MARKETING_CALL, ConsentPurpose.MARKETING_SMS)
MAX_EVIDENCE, MAX_WISH, MAX_ANSWER, MAX_PAGE = 400, 1000, 1000, 200


class RequestKind(StrEnum):
    """What somebody asks for."""

    SEE = "see"
    COPY = "copy"
    CORRECT = "correct"
    DELETE = "delete"


class RequestState(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequestView:
    """A request.

    Attributes:
        evidence: how it is known that it is they who ask.
        answer: what was told them, or why it was refused.
        kept_until: of a deletion, until when the law keeps the rest.
        held: of a deletion that is still to come, the held cases for which everything is kept.
    """

    request_id: str
    no: str
    customer_id: str
    customer_name: str
    kind: RequestKind
    state: RequestState
    evidence: str
    wish: str
    received_at: datetime
    received_by: str
    due_at: datetime | None
    overdue: bool
    answer: str | None
    answered_at: datetime | None
    answered_by: str | None
    kept_until: date | None
    erased_on: date | None
    version: int
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequestPage:
    """A page of requests, the newest first."""

    items: tuple[DataRequestView, ...]
    next_cursor: str | None


class DataRequests:
    """Takes requests down, answers and refuses them."""

    def __init__(self, office: Office, limits: LimitBook, retention: Retention) -> None:
        self._office = office
        self._limits = limits
        self._retention = retention

    async def receive(
        self, actor: Actor, customer_id: str, kind: RequestKind, *, evidence: str, wish: str = ""
    ) -> DataRequestView:
        """Take a request down; its limit of 15 working days runs from now.

        Raises:
            Forbidden: the role handles no requests.
            NotFound: no such customer.
            Invalid: it is not said how they are known to be the person.
            Conflict: the same is asked for already.
        """
        actor.need(Permission.PRIVACY_HANDLE)
        proof = one_line(evidence, field="evidence", limit=MAX_EVIDENCE)
        said = tidy_text(wish, field="wish", limit=MAX_WISH, required=kind is RequestKind.CORRECT)
        office, now = self._office, self._office.now()
        async with office.database.transaction() as session:
            present = await current_id(session, customer_id)
            # Two who take the same down at once come one after the other: the second finds the first's.
            await session.execute(select(Customer.id).where(Customer.id == present).with_for_update())
            same = select(DataRequestRow.id).where(
                DataRequestRow.customer_id == present,
                DataRequestRow.kind == kind.value,
                DataRequestRow.state == RequestState.OPEN.value,
            )
            if await session.scalar(same.limit(1)) is not None:
                raise Conflict("they ask for it already", field="kind")
            row = DataRequestRow(
                id=new_ulid(),
                no=await next_number(
                    session,
                    self._office.database.dialect_name,
                    f"GX{self._office.today():%Y%m%d}",
                    DataRequestRow.no,
                ),
                customer_id=present,
                kind=kind.value,
                state=RequestState.OPEN.value,
                evidence=proof,
                wish=said,
                received_at=now,
                received_by=actor.name,
            )
            session.add(row)
            await session.flush()
            started = await self._limits.happened(
                session, "RQ", "received", _record(row), at=now, owner=Owner()
            )
            row.due_at = started[0].due_at if started else None
            await session.flush()
            await self._note(session, actor, "data_request.received", row, {"kind": kind})
            return await self._view(session, row)

    async def late(self, actor: Actor, *, limit: int = 50) -> tuple[DataRequestView, ...]:
        """Return requests whose answer is overdue, the longest first. Raises Forbidden."""
        actor.need(Permission.PRIVACY_HANDLE)
        row, now = DataRequestRow, self._office.now()
        query = (
            select(row, Customer.name)
            .join(Customer, Customer.id == row.customer_id)
            .where(row.answered_at.is_(None), row.due_at < now)
            .order_by(row.due_at, row.id)
            .limit(max(1, min(limit, MAX_PAGE)))
        )
        async with self._office.database.session() as session:
            return tuple(_shown(one, name, now) for one, name in await session.execute(query))

    async def page(
        self,
        actor: Actor,
        *,
        state: RequestState | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> DataRequestPage:
        """Return a page of requests. Raises Forbidden, Invalid."""
        actor.need(Permission.PRIVACY_HANDLE)
        limit, row = max(1, min(limit, MAX_PAGE)), DataRequestRow
        query = select(row, Customer.name).join(Customer, Customer.id == row.customer_id)
        if state is not None:
            query = query.where(row.state == state.value)
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(row.received_at < at, and_(row.received_at == at, row.id < key)))
        query = query.order_by(row.received_at.desc(), row.id.desc()).limit(limit + 1)
        async with self._office.database.session() as session:
            found = (await session.execute(query)).all()
            now = self._office.now()
            shown = await self._with_holds(session, [_shown(one, name, now) for one, name in found[:limit]])
        last = found[limit - 1][0] if len(found) > limit else None
        return DataRequestPage(
            items=shown,
            next_cursor=write_cursor(last.received_at, last.id) if last is not None else None,
        )

    async def get(self, actor: Actor, request_id: str) -> DataRequestView:
        """Return a request. Raises Forbidden, NotFound."""
        actor.need(Permission.PRIVACY_HANDLE)
        async with self._office.database.session() as session:
            return await self._view(session, await _load(session, request_id))

    async def copy(self, actor: Actor, request_id: str) -> dict[str, Any]:
        """Return what is kept of the person, for them to see or to take; noted each time.

        Raises:
            Forbidden, NotFound: see :meth:`get`.
            Invalid: they did not ask to see or have it.
        """
        actor.need(Permission.PRIVACY_HANDLE)
        async with self._office.database.transaction() as session:
            row = await _load(session, request_id)
            if row.kind not in {RequestKind.SEE, RequestKind.COPY}:
                raise Invalid("they did not ask for a copy", field="kind")
            found = await copy_of(session, row.customer_id, self._retention.callbacks)
            await self._note(session, actor, "data_request.copied", row, {})
            return {"request": row.no, "at": self._office.now().isoformat(), **found}

    async def answer(self, actor: Actor, request_id: str, expected: int, text: str = "") -> DataRequestView:
        """Write the answer down; a deletion is carried out with it, and says itself what was deleted.

        Raises:
            Forbidden, NotFound, StaleVersion: see :meth:`get`.
            Conflict: it is answered already.
            Invalid: no answer.
        """
        actor.need(Permission.PRIVACY_HANDLE)
        async with self._office.database.transaction() as session:
            row = await self._open(session, request_id, expected)
            if row.kind == RequestKind.DELETE:
                row.kept_until, held = await self._delete(session, actor, row.customer_id)
                row.erased_on = None if row.kept_until else self._office.today()
                said = said_of_held([one.no for one in held]) if held else said_of(row.kept_until)
                text = "\n".join(part for part in (said, text.strip()) if part)
            row.answer = tidy_text(text, field="answer", limit=MAX_ANSWER)
            return await self._end(session, actor, row, RequestState.ANSWERED)

    async def refuse(self, actor: Actor, request_id: str, expected: int, reason: str) -> DataRequestView:
        """Refuse a request, with the reason that the person is told. Raises as :meth:`answer`."""
        actor.need(Permission.PRIVACY_HANDLE)
        async with self._office.database.transaction() as session:
            row = await self._open(session, request_id, expected)
            row.answer = tidy_text(reason, field="reason", limit=MAX_ANSWER)
            return await self._end(session, actor, row, RequestState.REFUSED)

    async def erase_kept(self) -> int:
        """Make those anonymous whose deletion waited for the law, or for a hold; return how many."""
        today, done = self._office.today(), 0
        let_go = exists().where(
            ServiceCase.customer_id == DataRequestRow.customer_id,
            LegalHoldRow.case_id == ServiceCase.id,
            LegalHoldRow.released_at >= DataRequestRow.answered_at,
        )
        query = select(DataRequestRow.id).where(
            DataRequestRow.kind == RequestKind.DELETE.value,
            DataRequestRow.kept_until.is_not(None),
            or_(DataRequestRow.kept_until < today, let_go),
            DataRequestRow.erased_on.is_(None),
        )
        async with self._office.database.session() as session:
            due = (await session.scalars(query.limit(500))).all()
        for request_id in due:
            async with self._office.database.transaction() as session:
                row = await _load(session, request_id)
                if await self._held(session, row.customer_id):
                    continue
                until = await self._retention.customer_until(session, row.customer_id)
                changed, row.kept_until = row.kept_until != until, until
                await self._erase(session, row.customer_id, until)
                if until is None:
                    row.erased_on, done = today, done + 1
                await session.flush()
                if not changed:
                    continue
                await self._note(
                    session, Actor.system("retention"), "data_request.erased", row, {"kept_until": until}
                )
        return done

    async def _delete(
        self, session: AsyncSession, actor: Actor, customer_id: str
    ) -> tuple[date | None, tuple[Held, ...]]:
        """Delete what may be deleted; return until when the law keeps the rest, and what is held.

        While one of their cases is held everything is evidence: then nothing goes.
        """
        now = self._office.now()
        consents = select(ConsentRow).where(
            ConsentRow.customer_id == customer_id,
            ConsentRow.purpose.in_([one.value for one in MARKETING_PURPOSES]),
            ConsentRow.withdrawn_at.is_(None),
        )
        for consent in await session.scalars(consents):
            consent.withdrawn_at, consent.withdrawn_by = now, actor.name
            consent.withdrawn_evidence = "本人要求删除个人信息"
        until = await self._retention.customer_until(session, customer_id)
        held = await self._held(session, customer_id)
        if not held:
            await self._erase(session, customer_id, until)
        return until, held

    async def _erase(self, session: AsyncSession, customer_id: str, until: date | None) -> None:
        erase = erase_customer if until is None else erase_unneeded
        await erase(session, customer_id, self._office.search.index, self._retention, now=self._office.now())

    async def _held(self, session: AsyncSession, customer_id: str) -> tuple[Held, ...]:
        return await self._retention.holds_of(session, await same_person(session, customer_id))

    async def _with_holds(
        self, session: AsyncSession, views: Sequence[DataRequestView]
    ) -> tuple[DataRequestView, ...]:
        """Return the requests with why a deletion cannot be carried out."""
        waiting = [
            one.customer_id
            for one in views
            if one.kind is RequestKind.DELETE and one.erased_on is None and one.state != RequestState.REFUSED
        ]
        held = await self._retention.holds_of(session, waiting) if waiting else ()
        return tuple(
            replace(one, held=tuple(hold for hold in held if hold.customer_id == one.customer_id))
            if one.customer_id in waiting and one.erased_on is None and one.kind is RequestKind.DELETE
            else one
            for one in views
        )

    async def _open(self, session: AsyncSession, request_id: str, expected: int) -> DataRequestRow:
        row = await _load(session, request_id)
        if row.version != expected:
            raise StaleVersion("somebody else changed it; read it again", field="If-Match")
        if row.state != RequestState.OPEN:
            raise Conflict("it is answered already", field="state")
        return row

    async def _end(
        self, session: AsyncSession, actor: Actor, row: DataRequestRow, state: RequestState
    ) -> DataRequestView:
        now = self._office.now()
        row.state, row.answered_at, row.answered_by = state.value, now, actor.name
        await self._limits.stop(session, LIMIT, _record(row), at=now)
        await session.flush()
        await self._note(session, actor, f"data_request.{state}", row, {"kept_until": row.kept_until})
        return await self._view(session, row)

    async def _view(self, session: AsyncSession, row: DataRequestRow) -> DataRequestView:
        customer = await session.get_one(Customer, row.customer_id)
        (view,) = await self._with_holds(session, [_shown(row, customer.name, self._office.now())])
        return view

    async def _note(
        self, session: AsyncSession, actor: Actor, action: str, row: DataRequestRow, after: dict[str, Any]
    ) -> None:
        await self._office.journal.note(
            session, actor, action, entity=RECORD, entity_id=row.id, after={"no": row.no, **after}
        )


async def _load(session: AsyncSession, request_id: str) -> DataRequestRow:
    row = None
    if is_ulid(request_id):
        row = await session.get(DataRequestRow, request_id, with_for_update=True)
    if row is None:
        raise NotFound("no such request", field="request_id")
    return row


def _record(row: DataRequestRow) -> RecordRef:
    return RecordRef(RECORD, row.id, "", row.no)


def _shown(row: DataRequestRow, name: str, now: datetime) -> DataRequestView:
    still = row.state == RequestState.OPEN
    return DataRequestView(
        request_id=row.id,
        no=row.no,
        customer_id=row.customer_id,
        customer_name=name,
        kind=RequestKind(row.kind),
        state=RequestState(row.state),
        evidence=row.evidence,
        wish=row.wish,
        received_at=row.received_at,
        received_by=row.received_by,
        due_at=row.due_at,
        overdue=still and row.due_at is not None and row.due_at < now,
        answer=row.answer,
        answered_at=row.answered_at,
        answered_by=row.answered_by,
        kept_until=row.kept_until,
        erased_on=row.erased_on,
        version=row.version,
    )
