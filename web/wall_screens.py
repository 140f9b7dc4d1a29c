"""Big screens on the wall: devices that show the figures day and night, and can do nothing else.

Somebody with the permission makes a screen and gets a short code; typed in on the device within ten minutes,
it opens the wallboard there until the screen is taken away. Only hashes are kept, of the code and of what the
device gets for it. A screen is no user: it reads one page and one stream.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from web.actions import Action
from web.secret import fingerprint, new_secret
from web.tables import WallScreenRow
from web.throttle import Pace, Throttle, bucket_of_address

CODE_LIFETIME = timedelta(minutes=10)
COOKIE_LIFETIME = timedelta(days=400)
"""As long as browsers keep a cookie at most."""
MOST_SCREENS = 50
MAX_NAME = 40
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_LENGTH = 8
_LONGEST_SECRET = 100
_TOUCH_EVERY = timedelta(minutes=5)
PACE = Pace(free=10, first=timedelta(seconds=2), cap=timedelta(minutes=5), memory=timedelta(hours=1))


class WrongCode(Invalid):
    """No screen waits for this code: mistyped, used already, or older than ten minutes."""

    code = "wrong_code"


class TooManyScreens(Conflict):
    """Take one away that is used no more."""

    code = "too_many_screens"


@dataclass(frozen=True, slots=True, kw_only=True)
class WallScreen:
    """A screen as listed.

    Attributes:
        opened_at: when its code was typed in; ``None`` while that is waited for.
    """

    screen_id: str
    name: str
    created_at: datetime
    created_by: str
    opened_at: datetime | None
    last_seen_at: datetime | None
    waits: bool


class WallScreens:
    """Makes, opens, finds and takes away screens."""

    def __init__(self, database: Database, clock: Clock, *, audit: AuditLog, throttle: Throttle) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._throttle = throttle

    async def create(self, actor: Actor, name: str) -> str:
        """Make a screen; return the code to type in on it.

        Raises:
            Forbidden: the role makes no screens.
            Invalid: the name cannot be.
            TooManyScreens: see there.
        """
        actor.need(Permission.SCREENS_MANAGE)
        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise Invalid(f"a screen's name has 1 to {MAX_NAME} characters", field="name")
        now = self._clock.now()
        code = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
        async with self._database.transaction() as session:
            kept = await session.scalar(select(func.count()).where(WallScreenRow.revoked_at.is_(None)))
            if (kept or 0) >= MOST_SCREENS:
                raise TooManyScreens(f"at most {MOST_SCREENS} screens: take one away first", field="name")
            row = WallScreenRow(
                screen_id=new_ulid(),
                name=name,
                code_hash=fingerprint(code),
                code_until=now + CODE_LIFETIME,
                created_at=now,
                created_by=actor.name[:80],
            )
            session.add(row)
            await session.flush()
            await self._note(session, Action.SCREEN_CREATED, actor, row)
        return code

    async def open(self, code: str, *, ip: str) -> str:
        """Open the screen whose code was typed in; return the secret for its cookie. The code is used up.

        Raises:
            WrongCode: see there.
            SlowDown: too many wrong codes from this address.
        """
        bucket = bucket_of_address("screen", ip, PACE)
        await self._throttle.draw((bucket,))
        typed = "".join(code.upper().split()).replace("-", "")
        now, secret = self._clock.now(), new_secret()
        async with self._database.transaction() as session:
            query = select(WallScreenRow).where(
                WallScreenRow.code_hash == fingerprint(typed[:_LONGEST_SECRET]),
                WallScreenRow.code_until > now,
                WallScreenRow.revoked_at.is_(None),
            )
            row = await session.scalar(query.with_for_update())
            if row is None:
                raise WrongCode("no screen waits for this code; have a new one made", field="code")
            row.code_hash, row.code_until = None, None
            row.secret_hash, row.opened_at, row.last_seen_at = fingerprint(secret), now, now
            await session.flush()
            actor = Actor(user_id=row.screen_id, name=f"screen:{row.name}", role=None, ip=ip)
            await self._note(session, Action.SCREEN_OPENED, actor, row)
        await self._throttle.give_back((bucket,))
        return secret

    async def find(self, secret: str) -> str | None:
        """Return the id of the screen that the cookie opens, ``None`` when it opens none. Notes the visit."""
        if not secret or len(secret) > _LONGEST_SECRET:
            return None
        now = self._clock.now()
        query = select(WallScreenRow.screen_id, WallScreenRow.last_seen_at).where(
            WallScreenRow.secret_hash == fingerprint(secret), WallScreenRow.revoked_at.is_(None)
        )
        async with self._database.session() as session:
            found = (await session.execute(query)).one_or_none()
        if found is None:
            return None
        if found.last_seen_at is None or now - found.last_seen_at >= _TOUCH_EVERY:
            async with self._database.transaction() as session:
                row = await session.get(WallScreenRow, found.screen_id)
                if row is not None:
                    row.last_seen_at = now
        return str(found.screen_id)

    async def list(self, actor: Actor) -> tuple[WallScreen, ...]:
        """Return the screens there are, the newest first. Raises Forbidden."""
        actor.need(Permission.SCREENS_MANAGE)
        now = self._clock.now()
        query = (
            select(WallScreenRow)
            .where(WallScreenRow.revoked_at.is_(None))
            .order_by(WallScreenRow.screen_id.desc())
            .limit(MOST_SCREENS)
        )
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        return tuple(
            WallScreen(
                screen_id=row.screen_id,
                name=row.name,
                created_at=row.created_at,
                created_by=row.created_by,
                opened_at=row.opened_at,
                last_seen_at=row.last_seen_at,
                waits=row.code_until is not None and row.code_until > now,
            )
            for row in rows
        )

    async def revoke(self, actor: Actor, screen_id: str) -> None:
        """Take a screen away: it shows nothing from its next heartbeat on. A second time does nothing.

        Raises:
            Forbidden: the role takes no screens away.
            NotFound: there is no such screen.
        """
        actor.need(Permission.SCREENS_MANAGE)
        async with self._database.transaction() as session:
            row = await session.get(WallScreenRow, screen_id, with_for_update=True)
            if row is None:
                raise NotFound("no such screen", field="screen_id")
            if row.revoked_at is not None:
                return
            row.revoked_at = self._clock.now()
            await session.flush()
            await self._note(session, Action.SCREEN_REVOKED, actor, row)

    async def _note(self, session: AsyncSession, action: Action, actor: Actor, row: WallScreenRow) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity="wall_screen",
            entity_id=row.screen_id,
            detail={"name": row.name},
            session=session,
        )
