"""The people who may sign in."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from web.actions import Action
from web.passwords import Passwords, check_new_password
from web.permissions import Role
from web.tables import DeviceRow, SessionRow, UserRow

LOCALES = ("zh-CN", "en")
LOGIN = re.compile(r"[\w][\w.@-]{1,63}")


class LoginTaken(Conflict):
    """Somebody has this login already, or this agent has a user already."""

    code = "login_taken"


class LastAdministrator(Conflict):
    """Nobody would be left who runs the system."""

    code = "last_administrator"


class UnknownUser(NotFound):
    """No user has this login."""

    code = "unknown_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in."""

    user_id: str
    login: str
    display_name: str
    role: Role
    agent_id: str | None
    department: str | None
    locale: str
    active: bool
    created_at: datetime
    last_sign_in_at: datetime | None
    password_due: bool
    version: int


def tidy_login(raw: str) -> str:
    """Return the login in its one spelling: full-width forms folded, lower case, no outer blanks."""
    return unicodedata.normalize("NFKC", raw[:200]).strip().casefold()


NEEDS_DEPARTMENT = frozenset({Role.DEPARTMENT_HEAD, Role.DEPARTMENT_MEMBER, Role.CAPTAIN})


class UserService:
    """Creates and changes users. ``actor`` is who does it, for the audit log; the CLI is ``cli``."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords, audit: AuditLog) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._audit = audit

    async def create(
        self,
        *,
        login: str,
        password: str,
        role: Role,
        display_name: str = "",
        agent_id: str | None = None,
        department: str | None = None,
        locale: str = "zh-CN",
        actor: str = "cli",
        ip: str = "",
    ) -> User:
        """Add a user.

        Raises:
            Invalid: the login or the locale is malformed, or the role needs a department.
            WeakPassword: the password breaks a rule.
            LoginTaken: the login or the agent has a user already.
        """
        login = tidy_login(login)
        if not LOGIN.fullmatch(login):
            raise Invalid("login: 2 to 64 letters, digits, dots, dashes or @", field="login")
        check_locale(locale)
        if role in NEEDS_DEPARTMENT and not department:
            raise Invalid(f"department: the role {role.value} needs one", field="department")
        check_new_password(password, login=login)
        now = self._clock.now()
        row = UserRow(
            user_id=new_ulid(),
            login=login,
            display_name=(display_name.strip() or login)[:80],
            password_hash=await self._passwords.hash(password),
            role=Role(role).value,
            agent_id=agent_id,
            department=department,
            locale=locale,
            active=True,
            created_at=now,
            password_changed_at=now,
        )
        try:
            async with self._database.transaction() as session:
                session.add(row)
                await session.flush()
                await self._note(session, Action.USER_CREATED, row, actor, ip, role=row.role)
        except IntegrityError as error:
            raise LoginTaken(f"login {login} or its agent is taken", field="login") from error
        return user_of(row)

    async def list(self) -> tuple[User, ...]:
        """Return every user, by login."""
        async with self._database.session() as session:
            rows = await session.scalars(select(UserRow).order_by(UserRow.login))
            return tuple(user_of(row) for row in rows)

    async def get(self, login: str) -> User:
        """Return one user.

        Raises:
            UnknownUser: no such login.
        """
        async with self._database.session() as session:
            return user_of(await _row(session, login))

    async def set_password(self, login: str, password: str, *, actor: str = "cli", ip: str = "") -> None:
        """Set a password and sign the user out everywhere; known devices are forgotten as well.

        Raises:
            UnknownUser: no such login.
            WeakPassword: the password breaks a rule.
        """
        check_new_password(password, login=tidy_login(login))
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as session:
            row = await _row(session, login)
            row.password_hash = password_hash
            row.password_changed_at = self._clock.now()
            row.password_due = False
            row.version += 1
            await forget_browsers(session, row.user_id)
            await self._note(session, Action.PASSWORD_CHANGED, row, actor, ip)

    async def change(
        self,
        login: str,
        *,
        display_name: str | None = None,
        role: Role | None = None,
        locale: str | None = None,
        active: bool | None = None,
        actor: str = "cli",
        ip: str = "",
    ) -> User:
        """Change what is given. A new role or a deactivation ends the user's sessions.

        Raises:
            UnknownUser: no such login.
            Invalid: the locale is not one of ours.
            LastAdministrator: nobody would be left who runs the system.
        """
        if locale is not None:
            check_locale(locale)
        async with self._database.transaction() as session:
            row = await _row(session, login)
            if active is False or (role is not None and role is not Role.ADMINISTRATOR):
                await keep_an_administrator(session, row)
            before = (row.display_name, row.role, row.locale, row.active)
            row.display_name = display_name.strip()[:80] if display_name else row.display_name
            row.role = role.value if role else row.role
            row.locale = locale or row.locale
            row.active = row.active if active is None else active
            if (row.role, row.active) != (before[1], before[3]):
                await session.execute(delete(SessionRow).where(SessionRow.user_id == row.user_id))
            if (row.display_name, row.role, row.locale, row.active) != before:
                row.version += 1
                await session.flush()
                detail = {"role": row.role, "locale": row.locale, "active": row.active}
                await self._note(session, Action.USER_CHANGED, row, actor, ip, **detail)
            return user_of(row)

    async def _note(
        self, session: AsyncSession, action: Action, row: UserRow, actor: str, ip: str, **detail: object
    ) -> None:
        await self._audit.record(
            action,
            actor=actor,
            ip=ip,
            entity="user",
            entity_id=row.user_id,
            detail=detail | {"login": row.login},
            session=session,
        )


async def _row(session: AsyncSession, login: str) -> UserRow:
    row = await session.scalar(select(UserRow).where(UserRow.login == tidy_login(login)))
    if row is None:
        raise UnknownUser(f"no user {tidy_login(login)}", field="login")
    return row


async def forget_browsers(session: AsyncSession, user_id: str) -> None:
    """End a user's sessions, and forget the devices they signed in from."""
    await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
    await session.execute(delete(DeviceRow).where(DeviceRow.user_id == user_id))


def check_locale(locale: str) -> None:
    """Raise Invalid for a language that the pages do not speak."""
    if locale not in LOCALES:
        raise Invalid(f"locale: one of {', '.join(LOCALES)}", field="locale")


async def keep_an_administrator(session: AsyncSession, row: UserRow) -> None:
    """Make sure that somebody else than this user runs the system, before they no longer do.

    The administrators stay locked until the transaction ends, so two of them cannot take each other away.
    Nobody may hold a lock on one of them before: it is taken here, in one order.

    Raises:
        LastAdministrator: nobody else does, and this user does.
    """
    if row.role != Role.ADMINISTRATOR.value or not row.active:
        return
    query = (
        select(UserRow.user_id)
        .where(UserRow.role == Role.ADMINISTRATOR.value, UserRow.active)
        .order_by(UserRow.user_id)
        .with_for_update()
    )
    if (await session.scalars(query)).all() == [row.user_id]:
        raise LastAdministrator("nobody would be left who runs the system", field="role")


def user_of(row: UserRow) -> User:
    """Return a user as others see them: without the password."""
    return User(
        user_id=row.user_id,
        login=row.login,
        display_name=row.display_name,
        role=Role(row.role),
        agent_id=row.agent_id,
        department=row.department,
        locale=row.locale,
        active=row.active,
        created_at=row.created_at,
        last_sign_in_at=row.last_sign_in_at,
        password_due=row.password_due,
        version=row.version,
    )
