"""Who of the users works in a department: the web shell keeps the users, the CRM asks through this port."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.staff import Telephones
from kernel.access import Actor
from kernel.errors import Invalid
from kernel.ids import is_ulid


class Members(Protocol):
    """Knows the users."""

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        """Tell whether that is an active user of the department."""
        ...

    async def actor(self, session: AsyncSession, user_id: str) -> Actor | None:
        """Return an active user with the rights they have now; ``None`` for anybody else."""
        ...

    async def check_pin(self, user_id: str, pin: str) -> None:
        """Refuse another signing PIN than the person's.

        Raises:
            Invalid: it is another one, or none was set; the field is ``signature.pin``.
            TooMany: too many attempts.
        """
        ...


class AgentNumbers(Protocol):
    """Knows the telephones of users."""

    async def number_of(self, session: AsyncSession, user_id: str) -> str | None:
        """Return the number of a user's telephone; ``None`` for a user without one."""
        ...

    async def telephones(self, session: AsyncSession) -> Telephones:
        """Return all telephones that are in use."""
        ...


class NoNumbers:
    """Knows no telephones."""

    async def number_of(self, session: AsyncSession, user_id: str) -> str | None:
        """Nobody has a telephone."""
        return None

    async def telephones(self, session: AsyncSession) -> Telephones:
        """There are none."""
        return Telephones()


class Nobody:
    """Knows no users: nobody can be named by id."""

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        """Nobody works anywhere."""
        return False

    async def actor(self, session: AsyncSession, user_id: str) -> Actor | None:
        """Nobody may do anything."""
        return None

    async def check_pin(self, user_id: str, pin: str) -> None:
        """Nobody has a PIN."""
        raise Invalid("nobody has a PIN here", field="signature.pin")


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
