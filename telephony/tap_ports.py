"""What taps need from outside: who listens, which calls are wanted, which calls there are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from telephony.domain.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPlace:
    """Where a tap brings its sound: the address as Asterisk reaches it, and the id it must bring."""

    address: str
    stream: UUID


class Listeners(Protocol):
    """Who listens. Its methods return at once."""

    @property
    def ready(self) -> bool:
        """Whether anybody can listen now."""
        ...

    def expect(
        self,
        call_id: str,
        speaker: str,
        *,
        agent_number: str | None,
        call_age: timedelta,
        on_end: Callable[[str], None],
        language: str = "",
    ) -> TapPlace:
        """Have somebody ready for a speaker; ``on_end`` is told once why the stream ended. Raises TooMany.

        Args:
            language: of the call, where its caller chose one.
        """
        ...

    def close(self, stream: UUID) -> None:
        """End a stream."""
        ...

    def merge(self, call_id: str, into: str) -> None:
        """Take that a call became part of another."""
        ...

    def missed(
        self, call_id: str, speaker: str, start: float, end: float, *, agent_number: str | None
    ) -> None:
        """Take that somebody who was to be listened to was not, between two moments of the call."""
        ...

    def paused(self, call_id: str, *, paused: bool) -> None:
        """Take that nobody may listen to a call, or may again."""
        ...


class Wanted(Protocol):
    """Which calls are to be listened to."""

    async def __call__(self, call: Call) -> bool:
        """Return whether the call is; asked again when its queue changes.

        Raises:
            HuifangError: it is not known; the answer counts as no until it is asked again.
        """
        ...


class Calls(Protocol):
    """The calls of a node, as the call model has them."""

    def get(self, call_id: str) -> Call | None:
        """Return an open call."""
        ...

    def open_calls(self) -> tuple[Call, ...]:
        """Return all of them."""
        ...
