"""Signing PINs 签收密码: a person sets one in their account and signs for hand-offs with it.

The session says who signs; the PIN says that it is they who sit before it. It is kept as passwords are, and
guessing slows down as it does for them (domain.md §4.4 Handoff).
"""

import re
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import select, update

from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid
from web.passwords import Passwords
from web.tables import UserRow
from web.throttle import Bucket, Pace, Throttle

PACE = Pace(free=5, first=timedelta(minutes=1), cap=timedelta(minutes=15), memory=timedelta(hours=2))
FIELD = "signature.pin"
_DIGITS = re.compile(r"[0-9]{4,12}")


class WeakPin(Invalid):
    """Not 4 to 12 digits, or all the same, or one after the other."""

    code = "weak_pin"


class WrongPin(Invalid):
    """It is another one, or none was set."""

    code = "wrong_pin"


class Pins:
    """Sets and checks PINs."""

    def __init__(
        self, database: Database, clock: Clock, *, passwords: Passwords, throttle: Throttle, audit: AuditLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._throttle = throttle
        self._audit = audit

    async def put(self, user_id: str, login: str, pin: str, *, ip: str = "") -> None:
        """Set a person's PIN; that it is they was checked before.

        Raises:
            WeakPin: see there.
        """
        if not _DIGITS.fullmatch(pin) or is_easy(pin):
            raise WeakPin("4 to 12 digits, not all the same nor in a row", field="pin")
        hashed = await self._passwords.hash(pin)
        async with self._database.transaction() as session:
            mine = update(UserRow).where(UserRow.user_id == user_id)
            await session.execute(mine.values(pin_hash=hashed))
            await self._audit.record(
                "user.pin_set", actor=login, ip=ip, entity="user", entity_id=user_id, session=session
            )

    async def is_set(self, user_id: str) -> bool:
        """Tell whether a person has a PIN."""
        async with self._database.session() as session:
            found = select(UserRow.user_id).where(UserRow.user_id == user_id, UserRow.pin_hash.is_not(None))
            return await session.scalar(found) is not None

    async def check(self, user_id: str, pin: str) -> None:
        """Refuse another PIN than the person's.

        Raises:
            WrongPin: see there.
            SlowDown: too many attempts; the PIN was not looked at.
        """
        bucket = Bucket(f"pin:{user_id}", PACE)
        await self._throttle.draw((bucket,))
        async with self._database.session() as session:
            stored = await session.scalar(
                select(UserRow.pin_hash).where(UserRow.user_id == user_id, UserRow.active)
            )
        if not await self._passwords.verify(stored, pin):
            raise WrongPin("it is not the PIN of the account, or none was set", field=FIELD)
        await self._throttle.give_back((bucket,))


def is_easy(pin: str) -> bool:
    """Tell whether it is what everybody tries first: one digit, or digits in a row."""
    steps = {int(after) - int(before) for before, after in pairwise(pin)}
    return steps in ({0}, {1}, {-1})
