"""Sends what is due: claim, clear, send, mark.

Two workers never send the same message at the same time: a claim is renewed right before the send, in a
transaction that does nothing for whoever lost it, and a send ends well before the claim does. A worker that
is killed between the send and the mark leaves the message claimed; when the lease is over it is sent again,
with the same id as idempotency key (and Message-ID), by which the other side can tell. So delivery is at
least once by accident, once by our own doing, and a message is never given up silently.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import Channel, MessageState, QuietHours, Rate, Scope, Severity, pause_after
from crm.notices.events import MessageFailed
from crm.notices.ports import (
    Delivered,
    DoNotCall,
    FilesOf,
    Message,
    MessageSender,
    Permanent,
    SendingFailed,
    Temporary,
)
from crm.notices.rates import reserve
from crm.notices.rules import shipped
from crm.notices.tables import ERROR_LENGTH, OutgoingMessage
from crm.notices.told import tell_timeline
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import ConfigurationError
from kernel.outbox import add_fact

log = structlog.get_logger(__name__)

SENT = Counter("huifang_messages_sent_total", "Outgoing messages taken by the other side", ["channel"])
TROUBLE = Counter(
    "huifang_messages_trouble_total", "Outgoing messages not taken, by what follows", ["channel", "then"]
)

SEND_SECONDS = 25.0
"""Deadline of one send, whatever the adapter's own is."""
LEASE = timedelta(seconds=90)
BATCH = 20
MARK_PAUSES = (0.2, 1.0, 3.0, 10.0, 20.0)
"""Seconds between attempts to note an outcome."""
SLACK = timedelta(milliseconds=50)
"""A slot that begins this soon is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingRules:
    """How fast and when messages go out.

    Attributes:
        rates: per channel; one that is not named is not limited.
        per_recipient: for one address of one channel.
        base_url: what a link is put behind, such as ``https://cc.example.com``; "" leaves links out.
    """

    zone: ZoneInfo
    quiet: QuietHours
    rates: Mapping[Channel, Rate]
    per_recipient: Rate
    base_url: str = ""


class MessageWorker:
    """Works on ``outgoing_message``; any number of processes may.

    Args:
        senders: adapter per channel; messages of a channel without one fail with a reason.
        do_not_call: asked again right before a customer's message goes out.
        spread: random number from 0 to 1 for the pauses.
        files: makes what is attached to e-mails; without it nothing is.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        senders: Mapping[Channel, MessageSender],
        rules: SendingRules,
        do_not_call: DoNotCall,
        *,
        worker: str,
        spread: Callable[[], float] = random.random,
        files: FilesOf | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._senders = senders
        self._rules = rules
        self._do_not_call = do_not_call
        self._worker = worker
        self._spread = spread
        self._files = files
        self._due = DueWorker(
            database, clock, OutgoingMessage, self._handle, worker=worker, lease=LEASE, batch=BATCH
        )

    def wake(self) -> None:
        """Look at the table now."""
        self._due.wake()

    async def run(self) -> None:
        """Work until cancelled; what was sent is marked even while being cancelled."""
        await self._due.run()

    async def run_once(self) -> int:
        """Handle one batch; return how many messages it had."""
        return await self._due.run_once()

    async def _handle(self, rows: Sequence[OutgoingMessage]) -> None:
        """Handle claimed messages side by side: one slow gateway holds up nobody else."""
        lost: list[BaseException] = []

        async def one(row: OutgoingMessage) -> None:
            try:
                await self._handle_one(row)
            except (SQLAlchemyError, OSError) as error:
                lost.append(error)

        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(one(row))
        if lost:
            raise lost[0]

    async def _handle_one(self, row: OutgoingMessage) -> None:
        begun = await self._begin(row)
        if begun is None:
            return
        try:
            outcome: Delivered | SendingFailed = await self._send(begun.message)
        except SendingFailed as error:
            outcome = error
        marking = asyncio.ensure_future(self._mark(begun, outcome))
        try:
            await asyncio.shield(marking)
        except asyncio.CancelledError:
            # What went out must be noted, or it would go out again.
            await marking
            raise

    async def _begin(self, row: OutgoingMessage) -> "_Begun | None":
        """Make sure that the message is ours and may go now; otherwise say when, and return ``None``."""
        now = self._clock.now()
        async with self._database.transaction() as session:
            held = await session.get(
                OutgoingMessage, row.message_id, with_for_update=True, populate_existing=True
            )
            if held is None or held.claimed_by != self._worker or held.claimed_until != row.claimed_until:
                return None
            if held.to_customer and await self._unwanted(session, held):
                _end(held, MessageState.SUPPRESSED, now)
                await tell_timeline(session, held, now)
                return None
            quiet = None if held.severity == Severity.URGENT else self._rules.quiet.until(now)
            if quiet is not None:
                held.cleared = 0
                _wait(held, quiet)
                return None
            while held.cleared < 2:
                bucket, rate = self._bucket(held)
                held.cleared += 1
                if rate is not None:
                    slot = await reserve(session, bucket, rate, now)
                    if slot > now + SLACK:
                        _wait(held, slot)
                        return None
            held.state = MessageState.SENDING.value
            held.attempts += 1
            held.attempted_at = now
            held.claimed_until = now + LEASE
            return _Begun(self._message(held), held.claimed_until)

    async def _unwanted(self, session: AsyncSession, row: OutgoingMessage) -> bool:
        known = shipped().customers.get(row.code)
        return await self._do_not_call(session, row.address, known.scope if known else Scope.OTHER)

    def _bucket(self, row: OutgoingMessage) -> tuple[str, Rate | None]:
        if row.cleared == 0:
            if row.channel == Channel.WECOM:  # a group's robot has one address for all
                return "to:wecom", None
            # The table of rates need not know who it is.
            whom = hashlib.sha256(f"{row.channel}:{row.address}".encode()).hexdigest()[:40]
            return f"to:{whom}", self._rules.per_recipient
        return f"channel:{row.channel}", self._rules.rates.get(Channel(row.channel))

    def _message(self, row: OutgoingMessage) -> Message:
        book, zone = shipped(), self._rules.zone
        parameters = {str(name): str(value) for name, value in row.parameters.items()}
        if row.to_customer:
            title = ""
            try:
                text = book.customer_text(row.code, parameters, row.language, zone)
            except ConfigurationError:
                text = ""  # queued by another version; refused below
        else:
            title = book.title(row.code, parameters, row.language, zone)
            text = book.text(row.code, parameters, row.language, zone)
        return Message(
            message_id=row.message_id,
            channel=Channel(row.channel),
            address=row.address,
            title=title,
            text=text,
            severity=Severity(row.severity),
            code=row.code,
            language=row.language,
            parameters=parameters,
            link=self._rules.base_url + row.link if self._rules.base_url and row.link else "",
        )

    async def _send(self, message: Message) -> Delivered:
        sender = self._senders.get(message.channel)
        if sender is None:
            raise Permanent("the channel is not set up")
        if not message.title and not message.text:
            raise Permanent("no such text")
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await sender.send(await self._with_files(message))
        except TimeoutError as error:
            raise Temporary("no answer in time") from error

    async def _with_files(self, message: Message) -> Message:
        if self._files is None or message.channel is not Channel.EMAIL:
            return message
        try:
            return replace(message, files=await self._files(message))
        except (SQLAlchemyError, OSError) as error:
            log.warning("message_file_not_made", message=message.message_id, error=type(error).__name__)
            raise Temporary("the file cannot be made") from error

    async def _mark(self, begun: "_Begun", outcome: Delivered | SendingFailed) -> None:
        """Note the outcome, however often the database must be asked while our claim lasts."""
        for pause in MARK_PAUSES:
            try:
                await self._finish(begun, outcome)
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning(
                    "message_not_marked", message=begun.message.message_id, error=type(error).__name__
                )
            await asyncio.sleep(pause)

    async def _finish(self, begun: "_Begun", outcome: Delivered | SendingFailed) -> None:
        now, message = self._clock.now(), begun.message
        channel = message.channel.value
        async with self._database.transaction() as session:
            held = await session.get(
                OutgoingMessage, message.message_id, with_for_update=True, populate_existing=True
            )
            if held is None or held.claimed_by != self._worker or held.claimed_until != begun.until:
                return  # the lease ended and another has it: its outcome counts
            if isinstance(outcome, Delivered):
                held.provider_ref = outcome.provider_ref[:120]
                held.last_error = ""
                _end(held, MessageState.SENT, now)
                await tell_timeline(session, held, now)
                SENT.labels(channel).inc()
                return
            held.last_error = outcome.message[:ERROR_LENGTH]
            pause = None
            if isinstance(outcome, Temporary):
                pause = pause_after(held.attempts, spread=self._spread(), asked=outcome.retry_after)
            if pause is not None:
                held.cleared = 0
                _wait(held, now + pause)
                TROUBLE.labels(channel, "again").inc()
                return
            _end(held, MessageState.FAILED, now)
            await tell_timeline(session, held, now)
            TROUBLE.labels(channel, "given_up").inc()
            log.warning("message_failed", message=held.message_id, channel=channel, error=held.last_error)
            add_fact(
                session,
                MessageFailed(
                    at=now,
                    message_id=held.message_id,
                    channel=channel,
                    code=held.code,
                    error=held.last_error,
                ),
            )


@dataclass(frozen=True, slots=True)
class _Begun:
    """A message in the middle of being sent, and the end of our claim on it."""

    message: Message
    until: datetime


def _wait(row: OutgoingMessage, until: datetime) -> None:
    row.state = MessageState.WAITING.value
    row.due_at = until
    row.claimed_by = row.claimed_until = None


def _end(row: OutgoingMessage, state: MessageState, now: datetime) -> None:
    row.state = state.value
    row.finished_at = now
    row.due_at = row.claimed_by = row.claimed_until = None
