"""Tells the CRM who of the users works in a department."""

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.staff import Telephones
from kernel.access import Actor, Role
from telephony.agent_tables import AgentRow
from web.pins import FIELD, Pins, WrongPin
from web.tables import UserRow


class UserMembers:
    """The users of the web shell as the CRM asks for them (``crm.members.Members``).

    Args:
        pins: checks signing PINs; without it there are none.
    """

    def __init__(self, pins: Pins | None = None) -> None:
        self._pins = pins

    async def check_pin(self, user_id: str, pin: str) -> None:
        """Refuse another PIN than the person's. Raises WrongPin, SlowDown."""
        if self._pins is None:
            raise WrongPin("nobody has a PIN here", field=FIELD)
        await self._pins.check(user_id, pin)

    async def actor(self, session: AsyncSession, user_id: str) -> Actor | None:
        """Return an active user with the rights they have now."""
        row = await session.get(UserRow, user_id)
        if row is None or not row.active:
            return None
        return Actor(
            user_id=row.user_id, name=row.display_name, role=Role(row.role), department=row.department
        )

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        """Tell whether that is an active user of the department."""
        query = select(UserRow.user_id).where(
            UserRow.user_id == user_id, UserRow.department == department, UserRow.active
        )
        return await session.scalar(query) is not None

    async def number_of(self, session: AsyncSession, user_id: str) -> str | None:
        """Return the number of a user's telephone."""
        query = select(AgentRow.number).join(UserRow, UserRow.agent_id == AgentRow.agent_id)
        return await session.scalar(query.where(UserRow.user_id == user_id, AgentRow.active))

    async def telephones(self, session: AsyncSession) -> Telephones:
        """Return the telephones of agents who work here, and whose they are."""
        query = (
            select(AgentRow.number, UserRow.user_id)
            .outerjoin(UserRow, and_(UserRow.agent_id == AgentRow.agent_id, UserRow.active))
            .where(AgentRow.active)
        )
        rows = (await session.execute(query)).all()
        return Telephones(
            of_user={row.user_id: row.number for row in rows if row.user_id is not None},
            numbers=frozenset(row.number for row in rows),
        )
