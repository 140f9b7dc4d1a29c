"""Users and tokens from the command line."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select

from app.settings import Settings
from app.store import open_store
from crm.tables import Department
from kernel.clock import SystemClock
from kernel.errors import Conflict, Invalid, NotFound
from telephony.agent_tables import AgentRow
from web.auth import Accounts, build_accounts
from web.permissions import Role

T = TypeVar("T")


def parse_role(text: str) -> Role:
    """Return the role of that name.

    Raises:
        Invalid: there is none; the message lists them.
    """
    try:
        return Role(text)
    except ValueError as error:
        raise Invalid(f"role: one of {', '.join(role.value for role in Role)}", field="role") from error


async def with_accounts(settings: Settings, work: Callable[[Accounts], Awaitable[T]]) -> T:
    """Open the database, make sure of its schema, and run ``work``."""
    async with open_store(settings) as database:
        return await work(build_accounts(database, SystemClock()))


async def agent_id_of(settings: Settings, number: str) -> str:
    """Return the id of the agent with that number. Raises NotFound."""
    return (await _agent(settings, number)).agent_id


async def check_department(settings: Settings, code: str) -> None:
    """Make sure that there is a department of that code. Raises NotFound, which lists them."""
    async with open_store(settings) as database, database.session() as session:
        known = (await session.execute(select(Department.code).order_by(Department.code))).scalars().all()
    if code not in known:
        raise NotFound(f"there is no department {code}: one of {', '.join(known)}", field="department")


async def phone_secret(settings: Settings, number: str) -> str:
    """Return the SIP password of the agent with that number.

    Raises:
        NotFound: no such agent.
        Conflict: they telephone in their page.
    """
    agent = await _agent(settings, number)
    if agent.browser_phone:
        raise Conflict(
            f"agent {number} telephones in their page; a SIP telephone is let in after "
            f"«huifang agent set {number} --desk-phone»",
            field="agent",
        )
    return agent.sip_password


async def _agent(settings: Settings, number: str) -> AgentRow:
    async with open_store(settings) as database, database.session() as session:
        query = select(AgentRow).where(AgentRow.number == number, AgentRow.active)
        found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no agent {number}", field="agent")
    return found
