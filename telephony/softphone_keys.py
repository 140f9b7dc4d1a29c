"""Passwords of browser telephones: each lives for minutes, is made when it is asked for and stored nowhere.

Asterisk takes the password of the present period and that of the one before (two ``auth`` sections of one
endpoint), so a page always has at least one whole period to register with what it was given.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

PERIOD: Final = timedelta(minutes=15)
WRITTEN_WITHIN: Final = timedelta(seconds=60)
"""So long after a period has begun its password may not be in Asterisk yet: nobody is given it before."""
_LENGTH: Final = 32
TRY_PHONE: Final = "*43"
"""What an agent dials to hear themselves."""
TEST_PHONE: Final = "trunk-test"
"""Name and user of the browser that calls as customers do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftphoneKey:
    """What a browser telephone registers with, until ``expires_at``."""

    password: str
    expires_at: datetime


class SoftphoneKeys:
    """Makes the passwords of one installation.

    Args:
        secret: of the installation; whoever has it can register as everybody.
        node: the PBX, so that a password of one is none of another.
    """

    def __init__(self, secret: str, *, node: str, period: timedelta = PERIOD) -> None:
        self._secret = secret.encode()
        self._node = node
        self._seconds = int(period.total_seconds())

    def key(self, number: str, now: datetime) -> SoftphoneKey:
        """Return the password that an agent's browser registers with now."""
        period = self._period(now - min(WRITTEN_WITHIN, timedelta(seconds=self._seconds / 2)))
        return SoftphoneKey(password=self._password(number, period), expires_at=self._start(period + 2))

    def accepted(self, number: str, now: datetime) -> tuple[str, str]:
        """Return the passwords that Asterisk takes now: this period's, and the one's before."""
        period = self._period(now)
        return self._password(number, period), self._password(number, period - 1)

    def until_next(self, now: datetime) -> timedelta:
        """Return how long the passwords stay what they are."""
        return self._start(self._period(now) + 1) - now

    def _period(self, at: datetime) -> int:
        return int(at.timestamp()) // self._seconds

    def _start(self, period: int) -> datetime:
        return datetime.fromtimestamp(period * self._seconds, UTC)

    def _password(self, number: str, period: int) -> str:
        text = f"{self._node}\n{number}\n{period}".encode()
        digest = hmac.new(self._secret, text, hashlib.sha256).digest()
        return base64.b32encode(digest).decode("ascii")[:_LENGTH].lower()
