"""Bearer tokens of the REST API."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError

from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from web.actions import Action
from web.identity import CurrentUser, Via
from web.permissions import Role
from web.secret import TOKEN_PREFIX, fingerprint, new_api_token
from web.tables import TokenRow
from web.users import NEEDS_DEPARTMENT

_TOUCH_EVERY = timedelta(minutes=1)


class TokenNameTaken(Conflict):
    """A token has this name already; names of revoked ones stay taken, the audit log speaks of them."""

    code = "token_name_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as listed: everything but the token."""

    token_id: str
    name: str
    role: Role
    department: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token just made. ``plaintext`` is shown once and is not stored."""

    token_id: str
    name: str
    role: Role
    expires_at: datetime | None
    plaintext: str


class TokenService:
    """Makes, lists, checks and revokes tokens."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def create(
        self,
        name: str,
        role: Role,
        expires: timedelta | None = None,
        *,
        department: str | None = None,
        actor: str = "cli",
        ip: str = "",
    ) -> IssuedToken:
        """Make a token of ``role`` that lives for ``expires`` (``None``: until revoked).

        Raises:
            Invalid: the name or ``expires`` cannot be, or the role needs a department.
            TokenNameTaken: another token has the name.
        """
        name = name.strip()
        if not 1 <= len(name) <= 80 or not name.isprintable():
            raise Invalid("name: 1 to 80 characters", field="name")
        if expires is not None and expires <= timedelta(0):
            raise Invalid("expires: must lie in the future", field="expires")
        if role in NEEDS_DEPARTMENT and not department:
            # It would see nothing at all.
            raise Invalid(f"department: the role {role.value} needs one", field="department")
        now = self._clock.now()
        plaintext = new_api_token()
        row = TokenRow(
            token_id=new_ulid(),
            token_hash=fingerprint(plaintext),
            name=name,
            role=Role(role).value,
            department=department or None,
            created_at=now,
            expires_at=now + expires if expires is not None else None,
        )
        try:
            async with self._database.transaction() as session:
                session.add(row)
                await session.flush()
                await self._audit.record(
                    Action.TOKEN_CREATED,
                    actor=actor,
                    ip=ip,
                    entity="token",
                    entity_id=row.token_id,
                    detail={"name": name, "role": row.role},
                    session=session,
                )
        except IntegrityError as error:
            raise TokenNameTaken(f"a token named {name} exists", field="name") from error
        return IssuedToken(
            token_id=row.token_id,
            name=name,
            role=Role(role),
            expires_at=row.expires_at,
            plaintext=plaintext,
        )

    async def list(self) -> tuple[Token, ...]:
        """Return every token, oldest first, revoked ones too."""
        async with self._database.session() as session:
            rows = await session.scalars(select(TokenRow).order_by(TokenRow.token_id))
            return tuple(_token(row) for row in rows)

    async def revoke(self, name: str, *, actor: str = "cli", ip: str = "") -> None:
        """End a token at once; a second time does nothing.

        Raises:
            NotFound: no token has the name.
        """
        async with self._database.transaction() as session:
            row = await session.scalar(select(TokenRow).where(TokenRow.name == name.strip()))
            if row is None:
                raise NotFound(f"no token named {name}", field="name")
            if row.revoked_at is not None:
                return
            row.revoked_at = self._clock.now()
            await session.flush()
            await self._audit.record(
                Action.TOKEN_REVOKED,
                actor=actor,
                ip=ip,
                entity="token",
                entity_id=row.token_id,
                detail={"name": row.name},
                session=session,
            )

    async def resolve(self, plaintext: str) -> CurrentUser | None:
        """Return who a bearer token is, ``None`` when it is unknown, expired or revoked."""
        if not plaintext.startswith(TOKEN_PREFIX) or len(plaintext) > 100:
            return None
        now = self._clock.now()
        query = select(TokenRow).where(
            TokenRow.token_hash == fingerprint(plaintext),
            TokenRow.revoked_at.is_(None),
            or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > now),
        )
        async with self._database.session() as session:
            row = await session.scalar(query)
        if row is None:
            return None
        if row.last_used_at is None or now - row.last_used_at >= _TOUCH_EVERY:
            async with self._database.transaction() as session:
                touched = update(TokenRow).where(TokenRow.token_id == row.token_id).values(last_used_at=now)
                await session.execute(touched)
        return CurrentUser(
            user_id=row.token_id,
            login=f"token:{row.name}",
            display_name=row.name,
            role=Role(row.role),
            department=row.department,
            via=Via.TOKEN,
        )


def _token(row: TokenRow) -> Token:
    return Token(
        token_id=row.token_id,
        name=row.name,
        role=Role(row.role),
        department=row.department,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
