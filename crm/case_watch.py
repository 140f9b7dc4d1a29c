"""Tells live pages that a case changed, whichever service changed it, once the change is committed.

Every change of a case touches its header (``service_case``): the sessions of the database are listened to, so
that no service can forget to tell. What pages do with it is to read again what they show.
"""

from collections.abc import Callable

from sqlalchemy import event as sql_event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, UOWTransaction

from crm.tables import ServiceCase
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event, event

_TOUCHED = "huifang_cases_touched"


@event
class CaseChanged(Event):
    """Something about a case is not as it was."""

    case_id: str
    kind: str
    customer_id: str
    specialist_id: str | None


def touched(session: AsyncSession, row: ServiceCase) -> None:
    """Have it told after the commit that something about a case changed, though its header did not."""
    session.info.setdefault(_TOUCHED, {})[row.id] = row


def watch_cases(database: Database, clock: Clock, publish: Callable[[Event], None]) -> None:
    """Call ``publish`` after each commit for every case whose header was written in it.

    ``publish`` must not wait. A transaction that is rolled back tells nothing.
    """

    def note(session: Session, _: UOWTransaction) -> None:
        for row in (*session.new, *session.dirty):
            if isinstance(row, ServiceCase):
                session.info.setdefault(_TOUCHED, {})[row.id] = row

    def tell(session: Session) -> None:
        for row in session.info.pop(_TOUCHED, {}).values():
            publish(
                CaseChanged(
                    at=clock.now(),
                    case_id=row.id,
                    kind=row.kind,
                    customer_id=row.customer_id,
                    specialist_id=row.specialist_id,
                )
            )

    def forget(session: Session) -> None:
        session.info.pop(_TOUCHED, None)

    sql_event.listen(database.session_class, "after_flush", note)
    sql_event.listen(database.session_class, "after_commit", tell)
    sql_event.listen(database.session_class, "after_rollback", forget)
