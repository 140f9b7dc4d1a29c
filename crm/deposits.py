"""Crews' quality deposits: postings that are only ever added, one after another (domain.md §1.5)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE
from crm.domain.deposit import NOTHING, PostingKind, deduct, read_month, signed_amount
from crm.domain.lines import one_line
from crm.events_repairs import DepositPosted, DepositShort, ReceivableCleared
from crm.journal import Journal
from crm.repair_tables import DepositAccountRow, DepositPostingRow, ReceivableRow, RepairCostRow
from crm.settlement_views import DepositView, PostingView, ReceivablePage, ReceivableView
from crm.tables import Crew, Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

ENTITY = "deposit"
MAX_NOTE = 200


class Deposits:
    """Posts to the accounts and shows them."""

    def __init__(self, database: Database, clock: Clock, journal: Journal, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._zone = zone

    def month_of(self, at: datetime) -> str:
        """Return the site's month of a moment, ``2026-11``."""
        return f"{at.astimezone(self._zone):%Y-%m}"

    async def post(
        self,
        actor: Actor,
        crew_id: str,
        *,
        kind: PostingKind,
        amount: Decimal,
        note: str,
        project_id: str | None = None,
    ) -> DepositView:
        """Post a payment, a part kept back, a release, or an adjustment.

        Raises:
            Forbidden: the role does not post to deposits.
            NotFound: no such crew or project.
            Invalid: no amount; a deduction, which only a settlement posts.
            Overdrawn: it would take out more than there is.
        """
        actor.need(Permission.DEPOSITS_POST)
        text = one_line(note, field="note", limit=MAX_NOTE)
        now = self._clock.now()
        async with self._database.transaction() as session:
            account = await self._account(session, crew_id)
            if project_id is not None and (
                not is_ulid(project_id) or await session.get(Project, project_id) is None
            ):
                raise NotFound("no such project", field="project_id")
            held = await balance_of(session, crew_id)
            change = signed_amount(kind, amount, held)
            row = self._add(session, account, kind, change, now, actor, text)
            row.project_id = project_id
            self._tell(session, row, held + change)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "deposit.posted",
                entity=ENTITY,
                entity_id=crew_id,
                after={"kind": kind, "amount": change, "balance": held + change},
                why=text,
            )
        return await self.account(actor, crew_id)

    async def deduct(
        self, session: AsyncSession, actor: Actor, cost: RepairCostRow, *, no: str, due: Decimal, at: datetime
    ) -> Decimal:
        """Take the crew's part of a settlement from its deposit, in the settlement's transaction.

        Takes what is there; the rest becomes a receivable, of which finance and engineering hear. Returns
        what was taken. Settlements of one crew queue at its account, so that none takes what another took.
        """
        assert cost.crew_id is not None, "the sheet refuses a crew's part without a crew"
        account = await self._account(session, cost.crew_id)
        crew = await session.get(Crew, cost.crew_id)
        assert crew is not None
        held = await balance_of(session, cost.crew_id)
        taken = deduct(held, due)
        if taken.posted != NOTHING:
            row = self._add(session, account, PostingKind.DEDUCT, -taken.posted, at, actor, no)
            row.case_id, row.cost_id = cost.case_id, cost.id
            self._tell(session, row, held - taken.posted)
        if taken.owed != NOTHING:
            receivable = ReceivableRow(
                id=new_ulid(),
                crew_id=cost.crew_id,
                cost_id=cost.id,
                case_id=cost.case_id,
                amount=taken.owed,
                opened_at=at,
            )
            session.add(receivable)
            add_fact(
                session,
                DepositShort(
                    at=at,
                    crew_id=crew.id,
                    crew_name=crew.name,
                    receivable_id=receivable.id,
                    case_id=cost.case_id,
                    no=no,
                    due=str(due),
                    posted=str(taken.posted),
                    owed=str(taken.owed),
                ),
            )
        await session.flush()
        return taken.posted

    async def lock(self, session: AsyncSession, crew_id: str) -> DepositAccountRow:
        """Return a crew's account, which others now wait for. Raises NotFound."""
        return await self._account(session, crew_id)

    async def carry_out(
        self,
        session: AsyncSession,
        actor: Actor,
        account: DepositAccountRow,
        kind: PostingKind,
        amount: Decimal,
        note: str,
        *,
        project_id: str,
        at: datetime,
    ) -> None:
        """Post what a rule asks for, in its transaction and under the account's lock."""
        held = await balance_of(session, account.crew_id)
        if amount != NOTHING:
            change = signed_amount(kind, amount, held)
            row = self._add(session, account, kind, change, at, actor, note[:MAX_NOTE])
            row.project_id = project_id
            held += change
            self._tell(session, row, held)
        await session.flush()
        await self._journal.note(
            session,
            actor,
            "deposit.rule_carried_out",
            entity=ENTITY,
            entity_id=account.crew_id,
            after={"kind": kind, "amount": amount, "balance": held, "project_id": project_id},
        )

    async def account(self, actor: Actor, crew_id: str, *, limit: int = MAX_PAGE) -> DepositView:
        """Return a crew's account.

        Raises:
            Forbidden: the role sees no deposits.
            NotFound: no such crew.
        """
        actor.need(Permission.DEPOSITS_VIEW)
        async with self._database.session() as session:
            crew = await session.get(Crew, crew_id) if is_ulid(crew_id) else None
            if crew is None:
                raise NotFound("no such crew", field="crew_id")
            held = await balance_of(session, crew_id)
            newest = (
                select(DepositPostingRow)
                .where(DepositPostingRow.crew_id == crew_id)
                .order_by(DepositPostingRow.seq.desc())
                .limit(max(1, min(limit, MAX_PAGE)))
            )
            rows = (await session.scalars(newest)).all()
            return DepositView(
                crew_id=crew_id,
                crew=crew.name,
                crew_status=crew.status,
                balance=held,
                owed=await owed_by(session, crew_id),
                postings=tuple(await posting_views(session, rows[::-1], closing=held))[::-1],
            )

    async def receivables(
        self,
        actor: Actor,
        *,
        crew_id: str | None = None,
        is_open: bool | None = True,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ReceivablePage:
        """Return a page of what crews owe, oldest first.

        Raises:
            Forbidden: the role sees no deposits.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.DEPOSITS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = (
            select(ReceivableRow, Crew.name, ServiceCase.no)
            .join(Crew, Crew.id == ReceivableRow.crew_id)
            .join(ServiceCase, ServiceCase.id == ReceivableRow.case_id)
            .order_by(ReceivableRow.opened_at, ReceivableRow.id)
            .limit(limit + 1)
        )
        if crew_id is not None:
            query = query.where(ReceivableRow.crew_id == crew_id)
        if is_open is not None:
            cleared = ReceivableRow.cleared_at
            query = query.where(cleared.is_(None) if is_open else cleared.is_not(None))
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(ReceivableRow.opened_at == at, ReceivableRow.id > key)
            query = query.where(or_(ReceivableRow.opened_at > at, same))
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        last = rows[limit - 1][0] if len(rows) > limit else None
        return ReceivablePage(
            items=tuple(_receivable(row, crew, no) for row, crew, no in rows[:limit]),
            next_cursor=write_cursor(last.opened_at, last.id) if last is not None else None,
        )

    async def clear(self, actor: Actor, receivable_id: str, *, expected: int, note: str) -> ReceivableView:
        """Write down that a receivable was paid or settled otherwise, with how.

        Raises:
            Forbidden: the role does not post to deposits.
            Conflict: it is cleared already.
            StaleVersion: somebody changed it since.
        """
        actor.need(Permission.DEPOSITS_POST)
        text = one_line(note, field="note", limit=MAX_NOTE)
        now = self._clock.now()
        async with self._database.transaction() as session:
            query = select(ReceivableRow).where(ReceivableRow.id == receivable_id).with_for_update()
            row = await session.scalar(query)
            if row is None:
                raise NotFound("no such receivable", field="receivable_id")
            if row.version != expected:
                raise StaleVersion("it was changed by somebody else; read it again", field="If-Match")
            if row.cleared_at is not None:
                raise Conflict("it is cleared already", field="receivable_id")
            row.cleared_at, row.cleared_by, row.clear_note = now, actor.name, text
            crew, case = await session.get(Crew, row.crew_id), await session.get(ServiceCase, row.case_id)
            assert crew is not None and case is not None
            add_fact(
                session,
                ReceivableCleared(
                    at=now,
                    crew_id=row.crew_id,
                    receivable_id=row.id,
                    case_id=row.case_id,
                    amount=str(row.amount),
                ),
            )
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "receivable.cleared",
                entity=ENTITY,
                entity_id=row.crew_id,
                after={"receivable_id": row.id, "amount": row.amount},
                why=text,
            )
        return _receivable(row, crew.name, case.no)

    async def _account(self, session: AsyncSession, crew_id: str) -> DepositAccountRow:
        """Return the account, which others now wait for; it is made when there is none."""
        if not is_ulid(crew_id) or await session.get(Crew, crew_id) is None:
            raise NotFound("no such crew", field="crew_id")
        insert = sqlite.insert if self._database.dialect_name == "sqlite" else postgresql.insert
        new = insert(DepositAccountRow).values(crew_id=crew_id, last=0).on_conflict_do_nothing()
        await session.execute(new)
        locked = (
            select(DepositAccountRow)
            .where(DepositAccountRow.crew_id == crew_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return (await session.scalars(locked)).one()

    def _add(
        self,
        session: AsyncSession,
        account: DepositAccountRow,
        kind: PostingKind,
        change: Decimal,
        at: datetime,
        actor: Actor,
        note: str,
    ) -> DepositPostingRow:
        account.last += 1
        row = DepositPostingRow(
            id=new_ulid(),
            crew_id=account.crew_id,
            seq=account.last,
            kind=kind.value,
            amount=change,
            at=at,
            month=self.month_of(at),
            note=note,
            by=actor.name,
            by_id=actor.user_id,
        )
        session.add(row)
        return row

    def _tell(self, session: AsyncSession, row: DepositPostingRow, held: Decimal) -> None:
        add_fact(
            session,
            DepositPosted(
                at=row.at,
                crew_id=row.crew_id,
                posting_id=row.id,
                kind=row.kind,
                amount=str(row.amount),
                balance=str(held),
                case_id=row.case_id,
            ),
        )


async def balance_of(session: AsyncSession, crew_id: str, *, before_month: str | None = None) -> Decimal:
    """Return the sum of a crew's postings, of those before a month when one is given."""
    query = select(func.sum(DepositPostingRow.amount)).where(DepositPostingRow.crew_id == crew_id)
    if before_month is not None:
        query = query.where(DepositPostingRow.month < read_month(before_month))
    return (await session.scalar(query)) or NOTHING


async def owed_by(session: AsyncSession, crew_id: str) -> Decimal:
    """Return what a crew owes beyond its deposit."""
    query = select(func.sum(ReceivableRow.amount)).where(
        ReceivableRow.crew_id == crew_id, ReceivableRow.cleared_at.is_(None)
    )
    return (await session.scalar(query)) or NOTHING


async def posting_views(
    session: AsyncSession, rows: Sequence[DepositPostingRow], *, closing: Decimal
) -> list[PostingView]:
    """Return postings that follow one another up to the balance ``closing``, oldest first."""
    cases = sorted({row.case_id for row in rows if row.case_id})
    found = await session.execute(select(ServiceCase.id, ServiceCase.no).where(ServiceCase.id.in_(cases)))
    numbers = {row.id: row.no for row in found}
    held, views = closing, []
    for row in reversed(rows):
        views.append(
            PostingView(
                posting_id=row.id,
                seq=row.seq,
                kind=PostingKind(row.kind),
                amount=row.amount,
                balance=held,
                at=row.at,
                month=row.month,
                project_id=row.project_id,
                case_id=row.case_id,
                no=numbers.get(row.case_id or ""),
                note=row.note,
                by=row.by,
            )
        )
        held -= row.amount
    return views[::-1]


def _receivable(row: ReceivableRow, crew: str, no: str) -> ReceivableView:
    return ReceivableView(
        receivable_id=row.id,
        crew_id=row.crew_id,
        crew=crew,
        case_id=row.case_id,
        no=no,
        amount=row.amount,
        opened_at=row.opened_at,
        cleared_at=row.cleared_at,
        cleared_by=row.cleared_by,
        clear_note=row.clear_note,
        version=row.version,
    )
