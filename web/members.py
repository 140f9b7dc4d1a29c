"""Tells the CRM who of the users works in a department."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from web.tables import UserRow


class UserMembers:
    """The users of the web shell as the CRM asks for them (``crm.members.Members``)."""

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        """Tell whether that is an active user of the department."""
        query = select(UserRow.user_id).where(
            UserRow.user_id == user_id, UserRow.department == department, UserRow.active
        )
        return await session.scalar(query) is not None
