"""Sessions of browsers, kept on the server, and the devices a user has signed in from."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from web.identity import CurrentUser, Via
from web.permissions import Role
from web.secret import fingerprint, new_secret
from web.tables import ApiAnswerRow, DeviceRow, SessionRow, UserRow

log = structlog.get_logger(__name__)

_TOUCH_EVERY = timedelta(minutes=1)
DEVICE_LIFETIME = timedelta(days=180)
_LONGEST_COOKIE = 100
_USERS_PER_DEVICE = 8

_SESSION, _USER = SessionRow.__table__.c, UserRow.__table__.c
# Every request asks this: plain columns, and made once, because making it costs more than running it.
_RESOLVE = (
    select(
        _SESSION.session_id,
        _SESSION.last_seen_at,
        _USER.user_id,
        _USER.login,
        _USER.display_name,
        _USER.role,
        _USER.agent_id,
        _USER.department,
        _USER.locale,
        _USER.password_due,
    )
    .join(UserRow.__table__, _USER.user_id == _SESSION.user_id)
    .where(
        _SESSION.session_id == bindparam("session_id"),
        _SESSION.expires_at > bindparam("now"),
        _SESSION.last_seen_at > bindparam("seen_after"),
        _USER.active,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session just opened; ``secret`` goes into the cookie and nowhere else."""

    session_id: str
    secret: str
    expires_at: datetime


class SessionService:
    """Opens, finds and ends sessions.

    A session ends after ``idle`` without a request, after ``absolute`` in any case, on sign-out, on a
    change of password or role, and when its user is deactivated.
    """

    def __init__(self, database: Database, clock: Clock, *, idle: timedelta, absolute: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._idle = idle
        self._absolute = absolute

    async def open(self, session: AsyncSession, user_id: str, *, ip: str, user_agent: str) -> OpenSession:
        """Open a session inside the caller's transaction, and clear away what is expired.

        That is sessions, and the answers that were kept for repeated requests.
        """
        now = self._clock.now()
        await session.execute(delete(ApiAnswerRow).where(ApiAnswerRow.expires_at <= now))
        await session.execute(
            delete(SessionRow).where(
                or_(SessionRow.expires_at <= now, SessionRow.last_seen_at <= now - self._idle)
            )
        )
        secret = new_secret()
        row = SessionRow(
            session_id=fingerprint(secret),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + self._absolute,
            ip=ip[:45],
            user_agent=user_agent[:200],
        )
        session.add(row)
        return OpenSession(session_id=row.session_id, secret=secret, expires_at=row.expires_at)

    async def resolve(self, secret: str) -> CurrentUser | None:
        """Return whose session the cookie opens, ``None`` when it opens none. Notes the visit."""
        if not secret or len(secret) > _LONGEST_COOKIE:
            return None
        now = self._clock.now()
        values = {"session_id": fingerprint(secret), "now": now, "seen_after": now - self._idle}
        async with self._database.session() as session:
            found = (await session.execute(_RESOLVE, values)).one_or_none()
        if found is None:
            return None
        if now - found.last_seen_at >= _TOUCH_EVERY:
            await self._note_visit(found.session_id, now)
        return CurrentUser(
            user_id=found.user_id,
            login=found.login,
            display_name=found.display_name,
            role=Role(found.role),
            via=Via.SESSION,
            agent_id=found.agent_id,
            department=found.department,
            locale=found.locale,
            session_id=found.session_id,
            password_due=found.password_due,
        )

    async def _note_visit(self, session_id: str, now: datetime) -> None:
        try:
            async with self._database.transaction() as session:
                seen = update(SessionRow).where(SessionRow.session_id == session_id)
                await session.execute(seen.values(last_seen_at=now))
        except OperationalError as error:
            # A page may be read while the database takes no writes; the next visit is noted again.
            log.warning("session_visit_not_noted", error=type(error).__name__)

    async def is_open(self, session_id: str) -> bool:
        """Tell whether a session still stands; a long stream asks now and then."""
        now = self._clock.now()
        query = (
            select(SessionRow.session_id)
            .join(UserRow, UserRow.user_id == SessionRow.user_id)
            .where(
                SessionRow.session_id == session_id,
                SessionRow.expires_at > now,
                SessionRow.last_seen_at > now - self._idle,
                UserRow.active,
            )
        )
        async with self._database.session() as session:
            return await session.scalar(query) is not None

    async def end(self, session: AsyncSession, session_id: str) -> None:
        """End one session."""
        await session.execute(delete(SessionRow).where(SessionRow.session_id == session_id))

    async def end_others(self, session: AsyncSession, user_id: str, *, keep: str | None) -> None:
        """End all sessions of a user but one."""
        doomed = delete(SessionRow).where(SessionRow.user_id == user_id)
        if keep is not None:
            doomed = doomed.where(SessionRow.session_id != keep)
        await session.execute(doomed)

    async def known_device(self, cookie: str, user_id: str) -> str | None:
        """Return the device's id when this browser has signed this user in before, else ``None``.

        ``cookie`` holds the secrets of the users of this browser, joined by dots (:func:`devices_in`).
        """
        query = select(DeviceRow.device_id).where(
            DeviceRow.device_id.in_([fingerprint(secret) for secret in devices_in(cookie)]),
            DeviceRow.user_id == user_id,
            DeviceRow.last_seen_at > self._clock.now() - DEVICE_LIFETIME,
        )
        async with self._database.session() as session:
            return await session.scalar(query.limit(1))

    async def remember_device(
        self, session: AsyncSession, user_id: str, *, cookie: str, known: str | None
    ) -> str:
        """Note a sign-in from a device; return the cookie to set."""
        now = self._clock.now()
        if known is not None:
            seen = update(DeviceRow).where(DeviceRow.device_id == known).values(last_seen_at=now)
            await session.execute(seen)
            return cookie
        await session.execute(delete(DeviceRow).where(DeviceRow.last_seen_at <= now - DEVICE_LIFETIME))
        secret = new_secret()
        session.add(DeviceRow(device_id=fingerprint(secret), user_id=user_id, last_seen_at=now))
        return ".".join([secret, *devices_in(cookie)][:_USERS_PER_DEVICE])


def devices_in(cookie: str) -> list[str]:
    """Return the device secrets of a cookie, newest first; several shifts share one desk."""
    parts = cookie[: _LONGEST_COOKIE * _USERS_PER_DEVICE].split(".")[:_USERS_PER_DEVICE]
    return [part for part in parts if 0 < len(part) <= _LONGEST_COOKIE]
