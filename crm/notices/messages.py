"""Puts messages into the queue: to people who work here, by their addresses, and to customers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import (
    KEY_LENGTH,
    Channel,
    MessageState,
    NoticeRequest,
    Severity,
    Target,
    check_address,
    tidy_parameters,
)
from crm.notices.ports import DoNotCall, People
from crm.notices.rules import shipped
from crm.notices.store import insert_new, once_committed
from crm.notices.tables import NoticeAddress, OutgoingMessage
from crm.notices.told import put_on_timeline
from kernel.clock import Clock
from kernel.errors import ConfigurationError, Invalid
from kernel.ids import new_ulid
from kernel.phone import Phone


class CustomerMessage(StrEnum):
    """What became of a message to a customer."""

    QUEUED = "queued"
    SUPPRESSED = "suppressed"
    """The customer does not want it; noted, not sent."""
    KNOWN = "known"
    """One with this key was queued before."""


def _nothing() -> None:
    pass


class MessageQueue:
    """Writes into ``outgoing_message``. The same key goes out once, however often it is asked for.

    Args:
        on_messages: called when messages have been committed; wakes the worker.
        standing: parameters of every text to a customer, such as ``company`` and ``hotline``.
    """

    def __init__(
        self,
        clock: Clock,
        people: People,
        do_not_call: DoNotCall,
        *,
        on_messages: Callable[[], None] = _nothing,
        standing: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock
        self._people = people
        self._do_not_call = do_not_call
        self._on_messages = on_messages
        self._standing = dict(standing or {})

    async def send_to_people(
        self,
        session: AsyncSession,
        request: NoticeRequest,
        targets: Sequence[Target],
        channels: Sequence[Channel],
        severity: Severity,
    ) -> int:
        """Queue a notice's messages to everybody the targets mean; return how many.

        A person without an address on a channel is not reached over it.
        """
        if not channels or not targets:
            return 0
        people = {person.user_id: person for person in await self._people.find(session, targets)}
        query = select(NoticeAddress).where(
            NoticeAddress.user_id.in_(people),
            NoticeAddress.channel.in_([channel.value for channel in channels]),
            NoticeAddress.active,
            NoticeAddress.verified,
        )
        queued = 0
        for row in (await session.scalars(query)).all():
            put = await self._put(
                session,
                channel=Channel(row.channel),
                address=row.address,
                user_id=row.user_id,
                language=people[row.user_id].language,
                code=request.code,
                parameters=tidy_parameters(request.parameters),
                link=request.link,
                severity=severity,
                key=f"{request.key}|{row.channel}|{row.user_id}",
            )
            queued += put is not None
        return queued

    async def send_to_customer(
        self,
        session: AsyncSession,
        phone: str,
        template: str,
        params: Mapping[str, object],
        dedupe: str,
        *,
        urgent: bool = False,
        language: str = "zh-CN",
        customer_id: str | None = None,
    ) -> CustomerMessage:
        """Queue a text message to a customer and put it on their time line, in the caller's transaction.

        Args:
            phone: E.164.
            template: a name under ``customers`` in ``rules.yaml``.
            params: ``no`` names the case that it belongs to.
            customer_id: whose message it is; ``None``: of everybody who has this number.
            urgent: goes out in quiet hours as well.

        Raises:
            Invalid: the number is none, or the key is empty or too long.
            ConfigurationError: there is no such template.
        """
        number = check_address(Channel.SMS, Phone.parse(phone).e164)
        known = shipped().customers.get(template)
        if known is None:
            raise ConfigurationError(f"no text to customers is named {template}", field="template")
        unwanted = await self._do_not_call(session, number, known.scope)
        parameters = tidy_parameters({**self._standing, **params})
        put = await self._put(
            session,
            channel=Channel.SMS,
            address=number,
            user_id=None,
            language=language,
            code=template,
            parameters=parameters,
            link="",
            severity=Severity.URGENT if urgent else Severity.INFO,
            key=f"customer|{_checked_key(dedupe)}",
            suppressed=unwanted,
        )
        if put is None:
            return CustomerMessage.KNOWN
        await put_on_timeline(session, put, customer_id, case_no=parameters.get("no", ""))
        return CustomerMessage.SUPPRESSED if unwanted else CustomerMessage.QUEUED

    async def _put(
        self,
        session: AsyncSession,
        *,
        channel: Channel,
        address: str,
        user_id: str | None,
        language: str,
        code: str,
        parameters: Mapping[str, str],
        link: str,
        severity: Severity,
        key: str,
        suppressed: bool = False,
    ) -> OutgoingMessage | None:
        """Queue a message and return it; ``None`` when there is one with its key."""
        now: datetime = self._clock.now()
        values = {
            "message_id": new_ulid(),
            "channel": channel.value,
            "address": address,
            "user_id": user_id,
            "to_customer": key.startswith("customer|"),
            "code": code,
            "parameters": dict(parameters),
            "link": link,
            "language": language,
            "severity": severity.value,
            "dedupe_key": key,
            "state": (MessageState.SUPPRESSED if suppressed else MessageState.WAITING).value,
            "attempts": 0,
            "cleared": 0,
            "tries": 0,
            "last_error": "",
            "provider_ref": "",
            "created_at": now,
            "finished_at": now if suppressed else None,
            "due_at": None if suppressed else now,
        }
        if not await insert_new(session, OutgoingMessage, values):
            return None
        if not suppressed:
            once_committed(session, self._on_messages)
        return OutgoingMessage(**values)


def _checked_key(key: str) -> str:
    if not 1 <= len(key) <= KEY_LENGTH:
        raise Invalid(f"dedupe: 1 to {KEY_LENGTH} characters", field="dedupe")
    return key
