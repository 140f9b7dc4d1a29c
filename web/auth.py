"""Signing in and out, and changing one's password.

How a page uses it::

    signed_in = await request.app[ACCOUNTS].authenticator.sign_in(
        login, password, visitor=visitor_of(request))        # raises WrongCredentials, SlowDown
    response = web.HTTPSeeOther(safe_next(form.get("next")))
    set_sign_in_cookies(request, response, signed_in)

The middleware has checked Origin/Sec-Fetch-Site before any handler runs, and puts the person into
``request[USER]``.
"""

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, Unauthenticated
from web.actions import Action
from web.deps import DEPS
from web.identity import CLIENT_IP, CurrentUser, Via
from web.passwords import Passwords, check_new_password
from web.permissions import Role
from web.pins import Pins
from web.sessions import DEVICE_LIFETIME, OpenSession, SessionService
from web.tables import UserRow
from web.throttle import DEVICE_PACE, Bucket, Throttle, buckets_for
from web.tokens import TokenService
from web.users import UserService, tidy_login
from web.wall_screens import WallScreens

SESSION_COOKIE = "hf_session"
DEVICE_COOKIE = "hf_device"


class WrongCredentials(Unauthenticated):
    """Login or password is wrong, or the user is not active: which of them is never said."""

    code = "wrong_credentials"


class WrongOldPassword(Invalid):
    """The person is signed in, but the old password they typed is not theirs."""

    code = "wrong_old_password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Where a sign-in comes from."""

    ip: str = ""
    user_agent: str = ""
    device_cookie: str = ""
    session_id: str | None = None
    """The session the browser already has; signing in ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A successful sign-in."""

    user: CurrentUser
    session: OpenSession
    device_cookie: str


class Authenticator:
    """Checks passwords and opens sessions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        passwords: Passwords,
        sessions: SessionService,
        throttle: Throttle,
        audit: AuditLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._throttle = throttle
        self._audit = audit

    async def sign_in(self, login: str, password: str, *, visitor: Visitor) -> SignedIn:
        """Open a session.

        Raises:
            WrongCredentials: see there; takes the same time for unknown users.
            SlowDown: too many attempts; the password was not looked at.
        """
        login = tidy_login(login)
        row = await self._find(login)
        known = await self._sessions.known_device(visitor.device_cookie, row.user_id if row else "")
        buckets = buckets_for(login=login, ip=visitor.ip, device_id=known)
        await self._throttle.draw(buckets)
        matches = await self._passwords.verify(row.password_hash if row else None, password)
        if row is None or not matches or not row.active:
            # The attempted login is not written down: people type their password there by mistake.
            await self._audit.record(
                Action.SIGN_IN_FAILED,
                actor=row.login if row else "",
                ip=visitor.ip,
                entity="user",
                entity_id=row.user_id if row else "",
            )
            raise WrongCredentials("login or password is wrong")
        fresh_hash = None
        if self._passwords.is_outdated(row.password_hash):
            fresh_hash = await self._passwords.hash(password)
        await self._throttle.give_back(buckets)
        return await self._open(row.user_id, visitor, known, fresh_hash)

    async def sign_out(self, user: CurrentUser, *, ip: str = "") -> None:
        """End the session of ``user``; a token has none."""
        if user.session_id is None:
            return
        async with self._database.transaction() as session:
            await self._sessions.end(session, user.session_id)
            await self._note(session, Action.SIGN_OUT, user.login, user.user_id, ip)

    async def change_password(self, user: CurrentUser, old: str, new: str, *, visitor: Visitor) -> SignedIn:
        """Change one's own password: every session ends, and a new one is opened for this browser.

        Raises:
            WrongOldPassword: ``old`` is wrong.
            SlowDown: too many attempts with this session.
            WeakPassword: ``new`` breaks a rule.
        """
        check_new_password(new, login=user.login)
        bucket = Bucket(f"change:{user.user_id}", DEVICE_PACE)
        await self._throttle.draw((bucket,))
        row = await self._find(user.login)
        if not await self._passwords.verify(row.password_hash if row else None, old):
            await self._audit.record(
                Action.PASSWORD_CHANGE_FAILED,
                actor=user.login,
                ip=visitor.ip,
                entity="user",
                entity_id=user.user_id,
            )
            raise WrongOldPassword("the old password is wrong", field="old_password")
        await self._throttle.give_back((bucket,))
        known = await self._sessions.known_device(visitor.device_cookie, user.user_id)
        new_hash = await self._passwords.hash(new)
        return await self._open(user.user_id, visitor, known, new_hash, changed=True)

    async def confirm(self, user: CurrentUser, password: str) -> None:
        """Refuse who does not know the password of the account that is signed in here.

        Raises:
            WrongOldPassword: it is another one.
            SlowDown: too many attempts with this account.
        """
        bucket = Bucket(f"change:{user.user_id}", DEVICE_PACE)
        await self._throttle.draw((bucket,))
        row = await self._find(user.login)
        if not await self._passwords.verify(row.password_hash if row else None, password):
            raise WrongOldPassword("the password is wrong", field="old_password")
        await self._throttle.give_back((bucket,))

    async def _find(self, login: str) -> UserRow | None:
        async with self._database.session() as session:
            return await session.scalar(select(UserRow).where(UserRow.login == login))

    async def _open(
        self,
        user_id: str,
        visitor: Visitor,
        known: str | None,
        password_hash: str | None,
        *,
        changed: bool = False,
    ) -> SignedIn:
        async with self._database.transaction() as session:
            row = await session.get_one(UserRow, user_id)
            if not row.active:  # deactivated while the password was being checked
                raise WrongCredentials("login or password is wrong")
            if password_hash is not None:
                row.password_hash = password_hash
            if changed:
                row.password_changed_at = self._clock.now()
                row.password_due = False
                await self._sessions.end_others(session, user_id, keep=None)
            row.last_sign_in_at = self._clock.now()
            if visitor.session_id is not None:
                await self._sessions.end(session, visitor.session_id)
            opened = await self._sessions.open(session, user_id, ip=visitor.ip, user_agent=visitor.user_agent)
            cookie = await self._sessions.remember_device(
                session, user_id, cookie=visitor.device_cookie, known=known
            )
            await session.flush()
            action = Action.PASSWORD_CHANGED if changed else Action.SIGN_IN
            await self._note(session, action, row.login, user_id, visitor.ip)
        user = CurrentUser(
            user_id=user_id,
            login=row.login,
            display_name=row.display_name,
            role=Role(row.role),
            via=Via.SESSION,
            agent_id=row.agent_id,
            department=row.department,
            locale=row.locale,
            session_id=opened.session_id,
            password_due=row.password_due,
        )
        return SignedIn(user=user, session=opened, device_cookie=cookie)

    async def _note(self, session: AsyncSession, action: Action, login: str, user_id: str, ip: str) -> None:
        await self._audit.record(
            action, actor=login, ip=ip, entity="user", entity_id=user_id, session=session
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The services of users and their credentials."""

    users: UserService
    sessions: SessionService
    tokens: TokenService
    authenticator: Authenticator
    pins: Pins
    screens: WallScreens
    passwords: Passwords
    audit: AuditLog


ACCOUNTS: web.AppKey[Accounts] = web.AppKey("ACCOUNTS", Accounts)


def build_accounts(
    database: Database,
    clock: Clock,
    *,
    redis: "Redis | None" = None,
    session_idle: timedelta = timedelta(hours=4),
    session_absolute: timedelta = timedelta(hours=16),
    passwords: Passwords | None = None,
) -> Accounts:
    """Return the services; the command line needs them without a web server."""
    passwords = passwords or Passwords()
    audit = AuditLog(database, clock)
    sessions = SessionService(database, clock, idle=session_idle, absolute=session_absolute)
    throttle = Throttle(clock, redis)
    return Accounts(
        users=UserService(database, clock, passwords, audit),
        sessions=sessions,
        tokens=TokenService(database, clock, audit),
        authenticator=Authenticator(
            database,
            clock,
            passwords=passwords,
            sessions=sessions,
            throttle=throttle,
            audit=audit,
        ),
        pins=Pins(database, clock, passwords=passwords, throttle=throttle, audit=audit),
        screens=WallScreens(database, clock, audit=audit, throttle=throttle),
        passwords=passwords,
        audit=audit,
    )


def cookie_name(request: web.Request, name: str) -> str:
    """Return the cookie's full name: behind TLS the ``__Host-`` prefix pins it to this very host."""
    return f"__Host-{name}" if request.app[DEPS].settings.secure else name


def session_cookie(request: web.Request) -> str:
    """Return the session secret the browser sent, empty when none."""
    return request.cookies.get(cookie_name(request, SESSION_COOKIE), "")


def visitor_of(request: web.Request, user: CurrentUser | None = None) -> Visitor:
    """Return where the request comes from; ``user`` is who is signed in already, if anybody."""
    return Visitor(
        ip=request.get(CLIENT_IP, ""),
        user_agent=request.headers.get("User-Agent", ""),
        device_cookie=request.cookies.get(cookie_name(request, DEVICE_COOKIE), ""),
        session_id=user.session_id if user else None,
    )


def set_sign_in_cookies(request: web.Request, response: web.StreamResponse, signed_in: SignedIn) -> None:
    """Give the browser its session (until it closes, or the server ends it) and its device cookie."""
    for name, value, max_age in (
        (SESSION_COOKIE, signed_in.session.secret, None),
        (DEVICE_COOKIE, signed_in.device_cookie, int(DEVICE_LIFETIME.total_seconds())),
    ):
        response.set_cookie(
            cookie_name(request, name),
            value,
            max_age=max_age,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=request.app[DEPS].settings.secure,
        )


def clear_session_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Take the session cookie back; the device stays known."""
    secure = request.app[DEPS].settings.secure
    response.del_cookie(
        cookie_name(request, SESSION_COOKIE), path="/", httponly=True, samesite="Lax", secure=secure
    )


def safe_next(raw: object, default: str = "/") -> str:
    """Return where to go after signing in: a path of this site, whatever was asked for."""
    if not isinstance(raw, str) or len(raw) > 500 or not raw.isprintable():
        return default
    if not raw.startswith("/") or raw.startswith(("//", "/\\")):
        return default
    return raw
