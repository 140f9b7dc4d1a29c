"""Loads major complaints for a change and stores what became of them, in the complaint's own transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified

from crm.complaint_store import ComplaintStore, Opened
from crm.domain.escalation import Escalation, EscalationState
from crm.escalation_read import to_escalation
from crm.escalation_tables import CompensationRow, EscalationRow
from crm.events_cases import EscalationMoved
from crm.limits import RecordRef
from kernel.access import Actor
from kernel.errors import NotFound, StaleVersion
from kernel.ids import is_ulid

ENTITY = "escalation"


@dataclass(slots=True)
class OpenedEscalation:
    """A major complaint that is being changed, with its complaint."""

    opened: Opened
    row: EscalationRow

    @property
    def now(self) -> datetime:
        """The moment of the change."""
        return self.opened.now

    @property
    def record(self) -> RecordRef:
        """What its limits belong to."""
        return RecordRef(ENTITY, self.row.id, "", self.opened.header.no)

    def rules(self) -> Escalation:
        """Return it as the rules see it."""
        return to_escalation(self.row)

    def move(self, moved: Escalation, action: str, *, why: str = "", **after: Any) -> None:
        """Store it after a step, note it in the journal and tell of a new state."""
        row, header = self.row, self.opened.header
        before = EscalationState(row.state)
        row.state = moved.state.value
        row.reviewed_at, row.visit_needed = moved.reviewed_at, moved.visit_needed
        row.visit_from = moved.visit.from_ if moved.visit else None
        row.visit_until = moved.visit.until if moved.visit else None
        row.visited_at, row.costs = moved.visited_at, moved.costs
        row.recovery_open = moved.recovery_open
        flag_modified(row, "state")
        self.note(action, why=why, before={"state": before.code}, after={"state": moved.state.code, **after})
        if moved.state is not before:
            self.opened.tell(
                EscalationMoved(
                    at=self.now,
                    escalation_id=row.id,
                    case_id=header.id,
                    no=header.no,
                    state=moved.state.code,
                    before=before.code,
                    by=self.opened.actor.name,
                    specialist_id=header.specialist_id,
                    departments=self.opened.departments(),
                    visit_from=row.visit_from,
                    visit_until=row.visit_until,
                )
            )

    def note(self, action: str, *, why: str = "", before: Any = None, after: Any = None) -> None:
        """Write down in the journal what was done."""
        self.opened.note(action, entity=(ENTITY, self.row.id), before=before, after=after, why=why)

    async def money(self) -> CompensationRow:
        """Return the newest request for compensation. Raises NotFound."""
        newest = (
            select(CompensationRow)
            .where(CompensationRow.escalation_id == self.row.id)
            .order_by(CompensationRow.id.desc())
            .limit(1)
        )
        found = (await self.opened.session.execute(newest)).scalar_one_or_none()
        if found is None:
            raise NotFound("no compensation was requested", field="compensation")
        return found


class EscalationStore:
    """Opens major complaints for change."""

    def __init__(self, complaints: ComplaintStore) -> None:
        self.complaints = complaints

    @asynccontextmanager
    async def changing(
        self, actor: Actor, escalation_id: str, expected: int
    ) -> AsyncIterator[OpenedEscalation]:
        """Open a major complaint, and store it when the block ends well.

        Raises:
            NotFound: no such thing, or none that the actor may see.
            StaleVersion: somebody changed it since.
            CaseOver: its complaint is closed.
        """
        async with self.complaints.database.session() as session:
            query = select(EscalationRow.case_id).where(EscalationRow.id == escalation_id)
            case_id = await session.scalar(query) if is_ulid(escalation_id) else None
        if case_id is None:
            raise NotFound("no such major complaint", field="escalation_id")
        try:
            async with self.complaints.changing(actor, case_id, expected=None) as opened:
                row = await opened.session.get_one(EscalationRow, escalation_id)
                if row.version != expected:
                    raise StaleVersion("somebody else changed it; read it again", field="If-Match")
                opened.check_open()
                yield OpenedEscalation(opened, row)
        except NotFound as error:
            if error.field == "case_id":
                raise NotFound("no such major complaint", field="escalation_id") from error
            raise
