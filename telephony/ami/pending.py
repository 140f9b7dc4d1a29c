"""The table of actions that wait for an answer, keyed by ActionID.

Every entry leaves the table when its caller does: answered, timed out, cancelled or cut off. Nothing is ever
sent again. The table knows nothing about sockets.
"""

import asyncio
import itertools
import secrets
from dataclasses import dataclass, field

from telephony.ami.errors import AmiDown, AmiError, AmiInvalid, AmiRejected, AmiTimeout
from telephony.ami.message import AmiEvent, AmiMessage, AmiResponse
from telephony.ami.results import OriginateResult

ORIGINATE_PREFIX = "originate/"


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to an action and, for a list, its events and the one that closed it."""

    response: AmiResponse
    items: tuple[AmiEvent, ...]
    closing: AmiEvent | None = None


@dataclass(slots=True)
class _Waiting:
    future: "asyncio.Future[Reply]"
    collect: bool
    response: AmiResponse | None = None
    items: list[AmiEvent] = field(default_factory=list)


@dataclass(slots=True)
class _Dialling:
    channel_id: str
    future: "asyncio.Future[OriginateResult]"
    expiry: asyncio.TimerHandle


class ActionTable:
    """Actions in flight on one link.

    Args:
        limit: how many may wait at a time; more is a sign that the PBX does not answer.
        list_items: how many events one list may have.
    """

    def __init__(self, *, limit: int, list_items: int) -> None:
        self._limit = limit
        self._list_items = list_items
        self._waiting: dict[str, _Waiting] = {}
        self._dialling: dict[str, _Dialling] = {}
        # Several links, and several lives of one process, may log in as the same user.
        self._prefix = f"hf-{secrets.token_hex(4)}-"
        self._numbers = itertools.count(1)
        self.strays = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._dialling)

    def open(self, *, collect: bool, action_id: str | None = None) -> tuple[str, "asyncio.Future[Reply]"]:
        """Enter an action; return its ActionID and the future of its reply.

        Raises:
            AmiDown: too many actions wait already; nothing was sent.
        """
        if len(self._waiting) >= self._limit:
            raise AmiDown("too many actions wait for the PBX", sent=False)
        if action_id is None:
            action_id = f"{self._prefix}{next(self._numbers)}"
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[action_id] = _Waiting(future, collect)
        return action_id, future

    def close(self, action_id: str) -> None:
        """Forget an action; a late answer is then a stray."""
        self._waiting.pop(action_id, None)

    def dial(self, channel_id: str, *, expires_in: float) -> "asyncio.Future[OriginateResult]":
        """Expect the OriginateResponse of a channel; also before the response to the action itself."""
        action_id = ORIGINATE_PREFIX + channel_id
        if action_id in self._dialling:
            raise AmiInvalid("this channel id is being dialled already", field="channel_id")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[OriginateResult] = loop.create_future()
        # Nobody has to wait for the result: an exception that is never read is no mistake here.
        future.add_done_callback(_read_exception)
        expiry = loop.call_later(expires_in, self._expire, action_id)
        self._dialling[action_id] = _Dialling(channel_id, future, expiry)
        return future

    def stop_dialling(self, channel_id: str) -> None:
        """The PBX refused the Originate, no OriginateResponse will come."""
        dialling = self._dialling.pop(ORIGINATE_PREFIX + channel_id, None)
        if dialling is not None:
            dialling.expiry.cancel()
            dialling.future.cancel()

    def settle(self, message: AmiMessage) -> None:
        """Give a message to the action it answers. Synchronous and never raises; called by the reader."""
        action_id = message.action_id
        if isinstance(message, AmiResponse):
            waiting = self._waiting.get(action_id)
            if waiting is None or waiting.response is not None:
                self.strays += 1
                return
            waiting.response = message
            if not (waiting.collect and message.success and message.starts_list):
                self._finish(action_id, waiting)
        elif isinstance(message, AmiEvent):
            if message.name == "OriginateResponse":
                self._dialled(action_id, message)
            waiting = self._waiting.get(action_id)
            if waiting is not None and waiting.collect and waiting.response is not None:
                self._collect(action_id, waiting, message)

    def fail_all(self, reason: str) -> None:
        """The link is gone: everybody who waits learns it."""
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(_lost(reason))
        self._waiting.clear()
        for dialling in self._dialling.values():
            dialling.expiry.cancel()
            if not dialling.future.done():
                dialling.future.set_exception(_lost(reason))
        self._dialling.clear()

    def _collect(self, action_id: str, waiting: _Waiting, event: AmiEvent) -> None:
        ending = event.get("eventlist").lower()
        if ending == "complete":
            self._finish(action_id, waiting, event)
        elif ending == "cancelled":
            self._fail(
                action_id, waiting, AmiRejected("the PBX broke a list off", answer=event.get("message"))
            )
        elif len(waiting.items) >= self._list_items:
            self._fail(action_id, waiting, AmiRejected("the PBX sent a list without end"))
        else:
            waiting.items.append(event)

    def _finish(self, action_id: str, waiting: _Waiting, closing: AmiEvent | None = None) -> None:
        self._waiting.pop(action_id, None)
        if not waiting.future.done() and waiting.response is not None:
            waiting.future.set_result(Reply(waiting.response, tuple(waiting.items), closing))

    def _fail(self, action_id: str, waiting: _Waiting, error: AmiError) -> None:
        self._waiting.pop(action_id, None)
        if not waiting.future.done():
            waiting.future.set_exception(error)

    def _dialled(self, action_id: str, event: AmiEvent) -> None:
        dialling = self._dialling.pop(action_id, None)
        if dialling is None:
            return
        dialling.expiry.cancel()
        if not dialling.future.done():
            result = OriginateResult.from_event(event)
            dialling.future.set_result(
                OriginateResult(
                    channel_id=dialling.channel_id,
                    success=result.success,
                    reason=result.reason,
                    action_id=action_id,
                )
            )

    def _expire(self, action_id: str) -> None:
        dialling = self._dialling.pop(action_id, None)
        if dialling is not None and not dialling.future.done():
            dialling.future.set_exception(AmiTimeout("the PBX never reported how the call ended"))


def _lost(reason: str) -> AmiDown:
    return AmiDown("the link to the PBX was lost before the answer", sent=True, reason=reason)


def _read_exception(future: "asyncio.Future[OriginateResult]") -> None:
    if not future.cancelled():
        future.exception()
