"""What administrators do to the people who may sign in: add, change, disable, give a one-time password.

Whoever is sent away (disabled, changed in role, department or agent, given another password) loses every
session and their telephone in the page at once, and leaves the queues, after the present call where there is
one. Two administrators who change one user: each says which version they saw, and the second is told. Every
act is in the audit log with what was before and after, and never a password.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.tables import Department
from kernel.access import GRANTS, Actor, Permission, Role
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from kernel.paging import By, Page, cut, ordered
from telephony.agent_tables import AgentRow
from web.actions import Action
from web.auth import Accounts
from web.passwords import one_time_password
from web.tables import UserRow
from web.users import (
    LOGIN,
    NEEDS_DEPARTMENT,
    LoginTaken,
    UnknownUser,
    User,
    check_locale,
    forget_browsers,
    keep_an_administrator,
    tidy_login,
    user_of,
)

LONGEST_NAME = 80
RIGHTS = frozenset({"role", "department", "agent_id"})
"""What says what somebody may do: with another one they sign in again."""
SendsAway = Callable[[str], Awaitable[object]]
"""Takes an agent's id."""


class OwnAccount(Conflict):
    """Nobody disables themselves, changes their own role, or gives themselves a one-time password."""

    code = "own_account"


class AgentTaken(Conflict):
    """The agent is another user."""

    code = "agent_taken"


class UserState(StrEnum):
    """How a user stands."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    PASSWORD_DUE = "password_due"  # noqa: S105
    """Enabled, and has not yet changed the one-time password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users; ``text`` is part of a login or a name, or the number of an agent."""

    text: str = ""
    role: Role | None = None
    state: UserState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserText:
    """What an administrator writes of a user.

    Attributes:
        department: code of theirs in the CRM; some roles need one.
        agent_id: the agent they are, for roles that take calls.
    """

    display_name: str
    role: Role
    department: str | None = None
    agent_id: str | None = None
    locale: str = "zh-CN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedUser(User):
    """A user with the number of the agent they are."""

    agent_number: str | None

    @property
    def state(self) -> UserState:
        """How they stand."""
        if not self.active:
            return UserState.DISABLED
        return UserState.PASSWORD_DUE if self.password_due else UserState.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPassword:
    """A user, and the one-time password just made for them: it is shown once, and only its hash is kept."""

    user: ManagedUser
    password: str


class UserAdmin:
    """Use cases of administrators. Safe to use from many tasks and processes.

    Every method raises Forbidden for who may not manage users, and UnknownUser for an unknown ``user_id``.
    ``expected`` is the version that the caller saw; at another one StaleVersion is raised and nothing done.

    Args:
        sign_out: has an agent leave the queues.
    """

    def __init__(self, database: Database, clock: Clock, accounts: Accounts, sign_out: SendsAway) -> None:
        self._database = database
        self._clock = clock
        self._passwords = accounts.passwords
        self._audit = accounts.audit
        self._send_away: list[SendsAway] = [sign_out]

    def when_sent_away(self, act: SendsAway) -> None:
        """Have ``act`` called with every agent whose sessions were ended here."""
        self._send_away.append(act)

    async def page(
        self, actor: Actor, wanted: UserFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[ManagedUser]:
        """Return a page of users by login. Raises Invalid for a cursor that is not ours."""
        actor.need(Permission.USERS_MANAGE)
        query = select(UserRow, AgentRow.number)
        query = query.outerjoin(AgentRow, AgentRow.agent_id == UserRow.agent_id)
        text = tidy_login(wanted.text)
        if text:
            query = query.where(
                UserRow.login.contains(text, autoescape=True)
                | UserRow.display_name.icontains(wanted.text.strip()[:LONGEST_NAME], autoescape=True)
                | (AgentRow.number == text)
            )
        if wanted.role is not None:
            query = query.where(UserRow.role == wanted.role.value)
        if wanted.state is not None:
            query = query.where(UserRow.active.is_(wanted.state is not UserState.DISABLED))
        if wanted.state is UserState.PASSWORD_DUE:
            query = query.where(UserRow.password_due)
        order = (By(UserRow.login), By(UserRow.user_id))
        async with self._database.session() as session:
            query = await ordered(session, query, UserRow, order, cursor=cursor)
            rows = (await session.execute(query.limit(limit + 1))).all()
        return cut([_managed(row, number) for row, number in rows], limit, lambda user: user.user_id)

    async def get(self, actor: Actor, user_id: str) -> ManagedUser:
        """Return one user."""
        actor.need(Permission.USERS_MANAGE)
        async with self._database.session() as session:
            return await _read(session, user_id)

    async def create(self, actor: Actor, login: str, text: UserText) -> GivenPassword:
        """Add a user with a one-time password.

        Raises:
            Invalid: names the field.
            LoginTaken, AgentTaken: somebody else has the login, or is the agent.
        """
        actor.need(Permission.USERS_MANAGE)
        login = tidy_login(login)
        if not LOGIN.fullmatch(login):
            raise Invalid("login: 2 to 64 letters, digits, dots, dashes or @", field="login")
        password, now = one_time_password(), self._clock.now()
        row = UserRow(
            user_id=new_ulid(),
            login=login,
            password_hash=await self._passwords.hash(password),
            password_due=True,
            active=True,
            created_at=now,
            password_changed_at=now,
        )
        try:
            async with self._database.transaction() as session:
                if await session.scalar(select(UserRow.user_id).where(UserRow.login == login)):
                    raise LoginTaken("the login is taken", field="login")
                values = await _checked(session, text, row)
                _write(row, values)
                session.add(row)
                await session.flush()
                await self._note(session, actor, Action.USER_CREATED, row, {"after": values})
                made = await _read(session, row.user_id)
        except IntegrityError as error:
            raise LoginTaken("the login or the agent is taken", field="login") from error
        return GivenPassword(user=made, password=password)

    async def change(self, actor: Actor, user_id: str, text: UserText, *, expected: int) -> ManagedUser:
        """Write a user anew. Another role, department or agent ends their sessions.

        Raises:
            Invalid: names the field.
            AgentTaken: somebody else is the agent.
            OwnAccount, LastAdministrator: see there.
        """
        actor.need(Permission.USERS_MANAGE)
        try:
            async with self._database.transaction() as session:
                row = await _seen(session, user_id, expected, losing=text.role is not Role.ADMINISTRATOR)
                before = _values(row)
                values = await _checked(session, text, row)
                if actor.user_id == user_id and values["role"] != before["role"]:
                    raise OwnAccount("nobody changes their own role", field="role")
                changed = {name for name in values if values[name] != before[name]}
                if changed:
                    _write(row, values)
                    row.version += 1
                    await session.flush()
                    was = {name: before[name] for name in sorted(changed)}
                    now = {name: values[name] for name in sorted(changed)}
                    if changed & RIGHTS:
                        await forget_browsers(session, user_id)
                    await self._note(session, actor, Action.USER_CHANGED, row, {"before": was, "after": now})
                found = await _read(session, user_id)
        except IntegrityError as error:
            raise AgentTaken("the agent is another user", field="agent_id") from error
        if changed & RIGHTS:
            await self._sent_away(before["agent_id"])
        return found

    async def set_active(self, actor: Actor, user_id: str, active: bool, *, expected: int) -> ManagedUser:
        """Disable a user, or enable them again; what they are already, they stay.

        Raises:
            OwnAccount, LastAdministrator: see there.
        """
        actor.need(Permission.USERS_MANAGE)
        if actor.user_id == user_id and not active:
            raise OwnAccount("nobody disables themselves")
        async with self._database.transaction() as session:
            row = await _seen(session, user_id, expected, losing=not active)
            if row.active is not active:
                row.active = active
                row.version += 1
                await session.flush()
                if not active:
                    await forget_browsers(session, user_id)
                action = Action.USER_ENABLED if active else Action.USER_DISABLED
                detail = {"before": {"active": not active}, "after": {"active": active}}
                await self._note(session, actor, action, row, detail)
            found = await _read(session, user_id)
        if not active:
            await self._sent_away(found.agent_id)
        return found

    async def give_password(self, actor: Actor, user_id: str, *, expected: int) -> GivenPassword:
        """Give a user a one-time password: the one they had is good for nothing, their sessions end.

        Raises:
            OwnAccount: one's own password is changed with the old one.
        """
        actor.need(Permission.USERS_MANAGE)
        if actor.user_id == user_id:
            raise OwnAccount("change your own password with the old one")
        password = one_time_password()
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as session:
            row = await _seen(session, user_id, expected)
            due = row.password_due
            row.password_hash = password_hash
            row.password_changed_at = self._clock.now()
            row.password_due = True
            row.version += 1
            await session.flush()
            await forget_browsers(session, user_id)
            detail = {"before": {"password_due": due}, "after": {"password_due": True}}
            await self._note(session, actor, Action.PASSWORD_RESET, row, detail)
            found = await _read(session, user_id)
        await self._sent_away(found.agent_id)
        return GivenPassword(user=found, password=password)

    async def end_sessions(self, actor: Actor, user_id: str) -> ManagedUser:
        """Sign a user out everywhere; they may sign in again."""
        actor.need(Permission.USERS_MANAGE)
        async with self._database.transaction() as session:
            row = await session.get(UserRow, user_id)
            if row is None:
                raise UnknownUser("no such user", field="user_id")
            await forget_browsers(session, user_id)
            await self._note(session, actor, Action.USER_SESSIONS_ENDED, row, {})
            found = await _read(session, user_id)
        await self._sent_away(found.agent_id)
        return found

    async def _sent_away(self, agent_id: str | None) -> None:
        if agent_id is None:
            return
        for act in self._send_away:
            with suppress(NotFound):  # the agent's place may be gone
                await act(agent_id)

    async def _note(
        self, session: AsyncSession, actor: Actor, action: Action, row: UserRow, detail: Mapping[str, Any]
    ) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity="user",
            entity_id=row.user_id,
            detail={"login": row.login, **detail},
            session=session,
        )


USER_ADMIN: web.AppKey[UserAdmin] = web.AppKey("USER_ADMIN", UserAdmin)


def roles_in_order() -> Sequence[Role]:
    """Return the roles as they are shown: who may do most first."""
    return sorted(Role, key=lambda role: -len(GRANTS[role]))


async def _seen(session: AsyncSession, user_id: str, expected: int, *, losing: bool = False) -> UserRow:
    """Return a user of the version that the caller saw, locked. ``losing``: they will be no administrator."""
    row = await session.get(UserRow, user_id)
    if row is None:
        raise UnknownUser("no such user", field="user_id")
    if losing:
        await keep_an_administrator(session, row)
    await session.refresh(row, with_for_update=True)
    if row.version != expected:
        raise StaleVersion("somebody else changed this user", field="If-Match")
    return row


async def _checked(session: AsyncSession, text: UserText, row: UserRow) -> dict[str, Any]:
    """Return the values to write; what the user has already may stay."""
    name = text.display_name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"display_name: 1 to {LONGEST_NAME} characters", field="display_name")
    check_locale(text.locale)
    department, agent_id = text.department or None, text.agent_id or None
    if department is None and text.role in NEEDS_DEPARTMENT:
        raise Invalid(f"department: the role {text.role.value} needs one", field="department")
    if department not in (None, row.department) and not await session.scalar(
        select(Department.code).where(Department.code == department)
    ):
        raise Invalid("department: there is none of this code", field="department")
    if agent_id is not None:
        if Permission.DESK_USE not in GRANTS[text.role]:
            raise Invalid(f"agent_id: the role {text.role.value} takes no calls", field="agent_id")
        if agent_id != row.agent_id:
            await _check_agent(session, agent_id, row.user_id)
    return {
        "display_name": name,
        "role": Role(text.role).value,
        "department": department,
        "agent_id": agent_id,
        "locale": text.locale,
    }


async def _check_agent(session: AsyncSession, agent_id: str, user_id: str) -> None:
    known = select(AgentRow.agent_id).where(AgentRow.agent_id == agent_id, AgentRow.active)
    if not await session.scalar(known):
        raise Invalid("agent_id: no such agent", field="agent_id")
    taken = select(UserRow.user_id).where(UserRow.agent_id == agent_id, UserRow.user_id != user_id)
    if await session.scalar(taken):
        raise AgentTaken("the agent is another user", field="agent_id")


def _values(row: UserRow) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(UserText)}


def _write(row: UserRow, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


async def _read(session: AsyncSession, user_id: str) -> ManagedUser:
    query = select(UserRow, AgentRow.number).outerjoin(AgentRow, AgentRow.agent_id == UserRow.agent_id)
    found = (await session.execute(query.where(UserRow.user_id == user_id))).one_or_none()
    if found is None:
        raise UnknownUser("no such user", field="user_id")
    return _managed(*found)


def _managed(row: UserRow, number: str | None) -> ManagedUser:
    known = user_of(row)
    values = {field.name: getattr(known, field.name) for field in fields(User)}
    return ManagedUser(**values, agent_number=number)
