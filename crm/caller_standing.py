"""Who calls, as routing asks: level, open cases, how often they complained; and who can do what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crm.domain.case import CaseKind
from crm.people_tables import StaffRow
from crm.tables import Customer, CustomerPhone, ServiceCase
from kernel.db import Database
from kernel.phone import Phone

MOST_CASES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A caller in the records; of a number that several share, the best level and everybody's cases.

    Attributes:
        level: ``A`` to ``C``, empty for somebody unknown.
        open_kinds: kinds of open cases.
        complaints: how many there were since the asked moment, open or closed.
    """

    level: str = ""
    open_kinds: frozenset[str] = frozenset()
    complaints: int = 0


class CallerStanding:
    """Answers in two short queries: a caller waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, phone: Phone, *, since: datetime) -> Standing:
        """Return how the owners of a number stand."""
        owners = (
            select(Customer.id, Customer.level)
            .join(CustomerPhone, CustomerPhone.customer_id == Customer.id)
            .where(CustomerPhone.e164 == phone.e164, Customer.merged_into.is_(None))
            .limit(10)
        )
        async with self._database.session() as session:
            found = (await session.execute(owners)).all()
            if not found:
                return Standing()
            cases = (
                select(ServiceCase.kind, ServiceCase.opened_at, ServiceCase.closed_at)
                .where(ServiceCase.customer_id.in_([row.id for row in found]))
                .order_by(ServiceCase.opened_at.desc())
                .limit(MOST_CASES)
            )
            rows = (await session.execute(cases)).all()
        complaint = CaseKind.COMPLAINT.value
        return Standing(
            level=min(row.level for row in found),
            open_kinds=frozenset(row.kind for row in rows if row.closed_at is None),
            complaints=sum(row.kind == complaint and row.opened_at >= since for row in rows),
        )

    async def skills(self) -> Mapping[str, frozenset[str]]:
        """Return what those can do who have a telephone: agent number → skills."""
        query = select(StaffRow.agent_no, StaffRow.skills).where(
            StaffRow.active, StaffRow.agent_no.is_not(None), StaffRow.skills.is_not(None)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return {row.agent_no: frozenset(row.skills or ()) for row in rows}
