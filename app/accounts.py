"""Users and tokens from the command line."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select

import app.models  # noqa: F401 - relationships between tables need all of them
from app.schema import check
from app.settings import Settings
from kernel.clock import SystemClock
from kernel.db import create_database
from kernel.errors import Invalid, NotFound
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
    database = create_database(settings.sql_url)
    try:
        await check(database)
        return await work(build_accounts(database, SystemClock()))
    finally:
        await database.dispose()


async def agent_id_of(settings: Settings, number: str) -> str:
    """Return the id of the agent with that number. Raises NotFound."""
    return (await _agent(settings, number)).agent_id


async def phone_secret(settings: Settings, number: str) -> str:
    """Return the SIP password of the agent with that number. Raises NotFound."""
    return (await _agent(settings, number)).sip_password


async def _agent(settings: Settings, number: str) -> AgentRow:
    database = create_database(settings.sql_url)
    try:
        await check(database)
        async with database.session() as session:
            found = (
                await session.execute(select(AgentRow).where(AgentRow.number == number))
            ).scalar_one_or_none()
    finally:
        await database.dispose()
    if found is None:
        raise NotFound(f"there is no agent {number}", field="agent")
    return found
