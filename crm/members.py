"""Who of the users works in a department: the web shell keeps the users, the CRM asks through this port."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import Invalid
from kernel.ids import is_ulid


class Members(Protocol):
    """Knows the users."""

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        """Tell whether that is an active user of the department."""
        ...


class Nobody:
    """Knows no users: nobody can be named by id."""

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        """Nobody works anywhere."""
        return False


async def member_of(
    members: Members, session: AsyncSession, user_id: str | None, department: str, *, field: str
) -> str | None:
    """Return the id of somebody whom a department puts in charge; they hear of the case.

    Raises:
        Invalid: no active user of the department.
    """
    if user_id is None:
        return None
    if not is_ulid(user_id) or not await members.works_in(session, user_id, department):
        raise Invalid("is no active user of the department", field=field)
    return user_id
