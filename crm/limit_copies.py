"""Records that repeat when a limit ends learn it when the calendar has come that the limit waited for."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import exists, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import Update

from crm.complaint_tables import CaseHandoff, ComplaintLine
from crm.escalation_tables import EscalationRow
from crm.events_limits import LimitDeadlineKnown
from crm.limit_tables import LimitTimerRow
from crm.ticket_tables import TicketPart
from kernel.events import Event

DEADLINE_FACTS: tuple[type[Event], ...] = (LimitDeadlineKnown,)
_LINE_COLUMNS = {
    "TS.T1": "accept_due_at",
    "TS.T2": "verify_due_at",
    "TS.T3": "plan_due_at",
    "TS.T4": "callback_due_at",
}


async def repeat_deadline(session: AsyncSession, fact: Event) -> None:
    """Write a deadline that has become known where lists read it; other facts are left alone.

    Only while that limit still runs: what has happened since has written its own. No version moves: nobody
    has changed anything, so nobody's form is to be refused for it.
    """
    if not isinstance(fact, LimitDeadlineKnown):
        return
    runs = exists().where(LimitTimerRow.id == fact.timer_id, LimitTimerRow.open_key.is_not(None))
    for change in _changes(fact):
        await session.execute(change.where(runs), execution_options={"synchronize_session": False})


def _changes(fact: LimitDeadlineKnown) -> Iterator[Update]:
    if fact.code in _LINE_COLUMNS:
        column: dict[str, Any] = {_LINE_COLUMNS[fact.code]: fact.due_at}
        yield update(ComplaintLine).where(ComplaintLine.id == fact.line_id).values(column)
    if fact.code in {"TD.T1", "TD.T2"}:
        yield update(TicketPart).where(TicketPart.id == fact.line_id).values(due_at=fact.due_at)
    if fact.code in {"TS.T1", "TD.T1"}:
        waits = update(CaseHandoff).where(CaseHandoff.open_key == fact.line_id, CaseHandoff.due_at.is_(None))
        yield waits.values(due_at=fact.due_at)
    if fact.code == "ES.VISIT":
        visit = update(EscalationRow).where(EscalationRow.id == fact.record_id)
        yield visit.values(visit_due_at=fact.due_at)
