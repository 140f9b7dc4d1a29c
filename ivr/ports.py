"""What the menus need from outside."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ivr.prompts.audio import Samples
from kernel.errors import Unavailable
from kernel.phone import Phone


class SynthesisFailed(Unavailable):
    """The voice engine gave no audio for a text."""

    code = "synthesis_failed"


class VoiceMissing(SynthesisFailed):
    """There is no voice engine at all; whoever found that out has said so in the log, once."""

    code = "voice_missing"


class Synthesiser(Protocol):
    """A voice."""

    @property
    def identity(self) -> str:
        """Engine and version, part of a cached prompt's key."""
        ...

    async def synthesise(self, text: str, *, voice: str, speed: int) -> Samples:
        """Return ``text`` as 8 kHz mono 16-bit samples.

        Raises:
            VoiceMissing: there is no engine.
            SynthesisFailed: no audio.
        """
        ...


class OpenCase(Protocol):
    """A complaint or repair in progress, as it may be read to its customer (``crm.views.CaseBrief``)."""

    @property
    def no(self) -> str: ...
    @property
    def kind_label(self) -> str: ...
    @property
    def spoken_status(self) -> str: ...
    @property
    def department(self) -> str | None: ...


class KnownCaller(Protocol):
    """A customer with the caller's number (``crm.views.CustomerCard``)."""

    @property
    def customer_id(self) -> str: ...
    @property
    def greeting(self) -> str: ...
    @property
    def open_cases(self) -> Sequence[OpenCase]: ...


class CallerDirectory(Protocol):
    """Who has which number (``crm.service.CustomerDirectory``)."""

    async def find_by_phone(self, phone: Phone) -> Sequence[KnownCaller]:
        """Return every customer with this number; a family may share one."""
        ...


class CallbackBook(Protocol):
    """Where wishes to be called back are kept (``crm.service.CallbackRequests``)."""

    async def create(
        self, *, call_id: str, phone: Phone, customer_id: str | None = None, reason: str = ...
    ) -> str:
        """Store a wish; the same number asking again changes nothing. Returns the wish's id."""
        ...


class PlaceBook(Protocol):
    """Where callers keep their place in a queue (``callback_campaigns.queue_places.QueuePlaces``)."""

    async def keep(
        self,
        *,
        call_id: str,
        phone: Phone,
        queue: str,
        joined_at: datetime,
        priority: int = ...,
        customer_id: str | None = ...,
        language: str = ...,
    ) -> bool:
        """Keep a place; a number that has one keeps that. False: nobody could be called back from it now."""
        ...


class RatingBook(Protocol):
    """Whom to ask after a call how it was, and where the answers are kept."""

    async def asks(self, queue: str, phone: Phone | None) -> bool:
        """Tell whether a customer of the queue is asked."""
        ...

    async def note_service(self, call_id: str, service: int) -> None:
        """Keep what was said of the service: 1 content, 2 so-so, 3 not content."""
        ...

    async def note_solved(self, call_id: str, *, solved: bool) -> None:
        """Keep whether the question was answered."""
        ...


class Mailbox(Protocol):
    """Where messages of callers are kept."""

    async def place(
        self, *, call_id: str, phone: Phone | None, customer_id: str | None, origin: str
    ) -> Path | None:
        """Return where to record, without extension; ``None`` where there is no room.

        What is recorded there is kept even if nobody comes back to say so.
        """
        ...

    async def keep(self, path: Path) -> bool:
        """Keep what was recorded; return whether somebody speaks in it. Never fails."""
        ...


class QueueNames(Protocol):
    """Which queues exist."""

    async def queue_names(self) -> Collection[str]:
        """Return the names of all queues a flow may lead to."""
        ...


class MenuEar(Protocol):
    """Somebody who listens to one caller while a menu waits."""

    @property
    def pending(self) -> bool:
        """Whether the caller speaks, or what they said may become words in a moment."""
        ...

    def close(self) -> None:
        """Listen no longer; again does nothing."""
        ...


class MenuEars(Protocol):
    """Who listens to callers. Its methods return at once and never raise: without ears there are the keys."""

    @property
    def ready(self) -> bool:
        """Whether a caller could be listened to now."""
        ...

    def listen(
        self, channel: str, phone: Phone | None, heard: Callable[[str, float | None], None]
    ) -> MenuEar | None:
        """Begin to listen to a channel; ``None`` where there is no place, or nobody to listen.

        Args:
            channel: the channel's name in Asterisk.
            phone: the caller's number: not everybody is to be listened to.
            heard: told what was said, and how sure the recogniser is of it.
        """
        ...
