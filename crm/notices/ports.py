"""What notices need from outside."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import Channel, Scope, Severity, Target
from kernel.errors import HuifangError


@dataclass(frozen=True, slots=True)
class MessageFile:
    """A file that goes with an e-mail."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one address.

    Attributes:
        message_id: also the idempotency key: the same message tried again carries the same one.
        address: of the channel's kind; never in a log.
        code, parameters: for gateways that keep their own templates.
        link: a whole address of a page of ours, or "".
        files: go along with an e-mail; other channels have no place for them.
    """

    message_id: str
    channel: Channel
    address: str = field(repr=False)
    title: str = field(repr=False)
    text: str = field(repr=False)
    severity: Severity
    code: str
    language: str
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    link: str = ""
    files: tuple[MessageFile, ...] = ()


FilesOf = Callable[[Message], Awaitable[tuple[MessageFile, ...]]]
"""Makes the files that go with a message; mostly there are none."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has taken the message; ``provider_ref`` is its name for it, "" when it gave none."""

    provider_ref: str = ""


class SendingFailed(HuifangError):
    """The message was not taken, or it is not known whether it was.

    Args:
        message: one of the phrases under ``words.errors`` in ``rules.yaml``, perhaps with details in
            brackets; never an address, a text or a secret.
        retry_after: what the other side asked for.
    """

    code: ClassVar[str] = "sending_failed"

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Temporary(SendingFailed):
    """It may work later."""

    code: ClassVar[str] = "sending_failed_temporarily"
    retryable: ClassVar[bool] = True


class Permanent(SendingFailed):
    """It will not work, however often it is tried."""

    code: ClassVar[str] = "sending_refused"


class MessageSender(Protocol):
    """An adapter of one channel."""

    async def send(self, message: Message) -> Delivered:
        """Hand the message over, within the adapter's own deadline.

        A cancelled send may have been taken by the other side.

        Raises:
            Temporary, Permanent: it was not taken.
        """
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works here."""

    user_id: str
    language: str


class People(Protocol):
    """Who works here."""

    async def find(self, session: AsyncSession, targets: Sequence[Target]) -> Sequence[Person]:
        """Return the active people whom the targets mean, each once."""
        ...


DoNotCall = Callable[[AsyncSession, str, Scope], Awaitable[bool]]
"""Takes a customer's number (E.164) and what it is about, tells whether that is unwanted."""
