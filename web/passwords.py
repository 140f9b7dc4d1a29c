"""Passwords: argon2id in worker threads, and the rules a new one must meet."""

import asyncio
import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from kernel.errors import Invalid

SHORTEST = 8
LONGEST = 256
_EASY_TO_READ = "abcdefghjkmnpqrstuvwxyz23456789"


class WeakPassword(Invalid):
    """The new password breaks a rule."""

    code = "weak_password"


def check_new_password(password: str, *, login: str) -> None:
    """Refuse a password that is too short, too long, or contains the login.

    Raises:
        WeakPassword: names the rule.
    """
    if len(password) < SHORTEST:
        raise WeakPassword(f"the password needs at least {SHORTEST} characters", field="password")
    if len(password) > LONGEST:
        raise WeakPassword(f"the password may have at most {LONGEST} characters", field="password")
    if password.casefold() == login.casefold() or len(set(password)) < 3:
        raise WeakPassword("the password is too easy to guess", field="password")


def one_time_password() -> str:
    """Return a new password that can be read out: three groups of four letters and digits, 59 bits."""
    groups = ("".join(secrets.choice(_EASY_TO_READ) for _ in range(4)) for _ in range(3))
    return "-".join(groups)


class Passwords:
    """Hashes and checks passwords.

    Hashing is meant to be slow and to take memory: it runs in threads, ``at_once`` at a time, so that a
    flood of sign-ins waits in line instead of taking the machine.
    """

    def __init__(
        self, *, time_cost: int = 3, memory_kib: int = 32 * 1024, parallelism: int = 1, at_once: int = 2
    ) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism
        )
        self._line = asyncio.Semaphore(at_once)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Return the encoded argon2id hash."""
        async with self._line:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether ``password`` matches.

        With no stored hash (unknown user) the same work is done against a decoy, so that the time taken
        does not tell whether the user exists.
        """
        if len(password) > LONGEST:
            password = ""
        if self._decoy is None:
            self._decoy = await self.hash("decoy of an unknown user")
        async with self._line:
            matches = await asyncio.to_thread(self._matches, stored or self._decoy, password)
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
