"""Holds of cases: what the manager holds is kept whatever its end (domain.md §6.4)."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.lines import one_line
from crm.office import Office
from crm.retention_ports import HoldView
from crm.retention_tables import MAJOR_HELD, LegalHoldRow
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid, new_ulid

MAX_REASON = 400


class LegalHolds:
    """Holds cases and releases them."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def hold(self, actor: Actor, case_id: str, reason: str) -> HoldView:
        """Keep a case with its files and calls whatever its end.

        Raises:
            Forbidden: only the manager holds.
            NotFound: no such case.
            Conflict: it is held already.
            Invalid: no reason.
        """
        actor.need(Permission.CASES_DECIDE)
        why = one_line(reason, field="reason", limit=MAX_REASON)
        async with self._office.database.transaction() as session:
            header = await _case(session, case_id)
            if await session.scalar(select(LegalHoldRow.id).where(LegalHoldRow.open_key == case_id)):
                raise Conflict("it is held already", field="case_id")
            row = LegalHoldRow(
                id=new_ulid(),
                case_id=case_id,
                open_key=case_id,
                reason=why,
                by=actor.name,
                at=self._office.now(),
            )
            session.add(row)
            await session.flush()
            await self._note(session, actor, "legal_hold", header, why)
            return _hold_view(row, header.no)

    async def release(
        self, actor: Actor, case_id: str, reason: str, *, hold_id: str | None = None
    ) -> HoldView:
        """Let a case go at its end; a major one is held until somebody says so.

        Args:
            hold_id: the hold that whoever decides has seen; a newer one stays.

        Raises:
            Forbidden, NotFound, Invalid: see :meth:`hold`.
            Conflict: it is not held, or by a newer hold.
        """
        actor.need(Permission.CASES_DECIDE)
        why = one_line(reason, field="reason", limit=MAX_REASON)
        now = self._office.now()
        async with self._office.database.transaction() as session:
            header = await _case(session, case_id)
            query = select(LegalHoldRow).where(LegalHoldRow.open_key == case_id).with_for_update()
            row = (await session.execute(query)).scalar_one_or_none()
            if row is not None and hold_id is not None and row.id != hold_id:
                raise Conflict("it was held anew meanwhile: read why first", field="hold_id")
            if row is None:
                known = select(LegalHoldRow.id).where(LegalHoldRow.case_id == case_id).limit(1)
                if not header.major or await session.scalar(known) is not None:
                    raise Conflict("it is not held", field="case_id")
                # A major case is held from the start: that nobody wrote it down does not matter.
                row = LegalHoldRow(id=new_ulid(), case_id=case_id, reason=MAJOR_HELD, by="system", at=now)
                session.add(row)
            row.open_key, row.released_at = None, now
            row.released_by, row.release_reason = actor.name, why
            await session.flush()
            await self._note(session, actor, "legal_hold_released", header, why)
            return _hold_view(row, header.no)

    async def holds(self, actor: Actor, case_id: str) -> tuple[HoldView, ...]:
        """Return the holds of a case, the newest first. Raises Forbidden, NotFound."""
        actor.need(Permission.CASES_DECIDE)
        async with self._office.database.session() as session:
            header = await _case(session, case_id)
            query = (
                select(LegalHoldRow).where(LegalHoldRow.case_id == case_id).order_by(LegalHoldRow.id.desc())
            )
            return tuple(_hold_view(row, header.no) for row in await session.scalars(query))

    async def _note(
        self, session: AsyncSession, actor: Actor, action: str, header: ServiceCase, why: str
    ) -> None:
        await self._office.journal.note(
            session, actor, action, entity=header.kind, entity_id=header.id, why=why
        )


async def _case(session: AsyncSession, case_id: str) -> ServiceCase:
    header = await session.get(ServiceCase, case_id) if is_ulid(case_id) else None
    if header is None:
        raise NotFound("no such case", field="case_id")
    return header


def _hold_view(row: LegalHoldRow, no: str) -> HoldView:
    return HoldView(
        hold_id=row.id,
        case_id=row.case_id,
        no=no,
        reason=row.reason,
        by=row.by,
        at=row.at,
        released_at=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason,
    )
