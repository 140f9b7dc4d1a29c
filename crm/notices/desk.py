"""What administrators see and change: messages that failed, people's addresses, the rules."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.journal import Journal
from crm.notices.domain import (
    Channel,
    MessageState,
    Party,
    Severity,
    check_address,
    masked_address,
    recipients,
)
from crm.notices.store import once_committed
from crm.notices.tables import NoticeAddress, NoticeRule, OutgoingMessage
from crm.notices.told import tell_timeline
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid

MOST_EXPRESSIONS = 20


class NotFailed(Conflict):
    """Only a message that failed is tried again."""

    code = "message_not_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingView:
    """A message as lists show it; its address is masked."""

    message_id: str
    channel: Channel
    address: str
    user_id: str | None
    to_customer: bool
    code: str
    parameters: Mapping[str, str]
    severity: Severity
    state: MessageState
    attempts: int
    last_error: str
    provider_ref: str
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutgoingPage:
    """Some messages, newest first, and where the next ones begin."""

    items: tuple[OutgoingView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressView:
    """Where a person is reached; masked."""

    user_id: str
    channel: Channel
    address: str
    verified: bool
    active: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """A rule in force."""

    code: str
    recipients: tuple[str, ...]
    channels: tuple[Channel, ...]
    severity: Severity
    active: bool
    version: int


def _nothing() -> None:
    pass


class OutgoingDesk:
    """Everything here needs ``notices.administer`` and is written into the audit log."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        journal: Journal,
        *,
        on_messages: Callable[[], None] = _nothing,
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._on_messages = on_messages

    async def page(
        self, actor: Actor, *, state: MessageState | None = None, cursor: str | None = None, limit: int = 50
    ) -> OutgoingPage:
        """Return messages, newest first.

        Raises:
            Forbidden: not an administrator.
            Invalid: the cursor is none of ours.
        """
        actor.need(Permission.NOTICES_ADMINISTER)
        if cursor is not None and not is_ulid(cursor):
            raise Invalid("cursor: not one of ours", field="cursor")
        query = select(OutgoingMessage).order_by(OutgoingMessage.message_id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(OutgoingMessage.state == state.value)
        if cursor is not None:
            query = query.where(OutgoingMessage.message_id < cursor)
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        items = tuple(_outgoing(row) for row in rows[:limit])
        return OutgoingPage(items, items[-1].message_id if len(rows) > limit else None)

    async def try_again(self, actor: Actor, message_id: str) -> OutgoingView:
        """Put a failed message back into the queue.

        Raises:
            Forbidden: not an administrator.
            NotFound: there is no such message.
            NotFailed: it did not fail, or somebody was quicker.
        """
        actor.need(Permission.NOTICES_ADMINISTER)
        now = self._clock.now()
        async with self._database.transaction() as session:
            row = await session.get(OutgoingMessage, message_id, with_for_update=True)
            if row is None:
                raise NotFound("no such message", field="message_id")
            if row.state != MessageState.FAILED:
                raise NotFailed(f"the message is {row.state}", field="message_id")
            row.state = MessageState.WAITING.value
            row.attempts = row.cleared = 0
            row.due_at, row.finished_at = now, None
            await tell_timeline(session, row, now)
            once_committed(session, self._on_messages)
            await self._note(session, actor, "message_tried_again", "outgoing_message", message_id)
        return _outgoing(row)

    async def addresses(self, actor: Actor, user_id: str) -> tuple[AddressView, ...]:
        """Return a person's addresses: one's own, or with the permission anybody's."""
        if actor.user_id != user_id:
            actor.need(Permission.NOTICES_ADMINISTER)
        mine = (NoticeAddress.user_id == user_id, NoticeAddress.address != "")
        query = select(NoticeAddress).where(*mine).order_by(NoticeAddress.channel)
        async with self._database.session() as session:
            return tuple(_address(row) for row in await session.scalars(query))

    async def set_address(
        self,
        actor: Actor,
        user_id: str,
        channel: Channel,
        address: str,
        *,
        active: bool = True,
        expected: int | None,
    ) -> AddressView:
        """Say where a person is reached over a channel. The administrator vouches for it.

        Args:
            expected: the version that is replaced, 0 where there is no address yet; ``None``: whatever is
                there, for the command line.

        Raises:
            Forbidden: not an administrator.
            Invalid: the address is none of the channel.
            StaleVersion: somebody changed it meanwhile.
        """
        actor.need(Permission.NOTICES_ADMINISTER)
        address = check_address(channel, address)
        async with self._database.transaction() as session:
            row = await session.get(NoticeAddress, (user_id, channel.value), with_for_update=True)
            _check_address_version(row, expected)
            if row is None:
                row = NoticeAddress(user_id=user_id, channel=channel.value)
                session.add(row)
            row.address, row.verified, row.active = address, True, active
            row.changed_at = self._clock.now()
            try:
                await session.flush()
            except IntegrityError as error:
                raise StaleVersion(
                    "somebody else stored an address; read it again", field="If-Match"
                ) from error
            after = {"channel": channel.value, "address": masked_address(channel, address), "active": active}
            await self._note(session, actor, "notice_address_set", "user", user_id, after=after)
        return _address(row)

    async def remove_address(
        self, actor: Actor, user_id: str, channel: Channel, *, expected: int | None
    ) -> None:
        """Reach a person over a channel no more.

        Args:
            expected: see :meth:`set_address`.

        Raises:
            Forbidden: not an administrator.
            NotFound: they have no address there.
            StaleVersion: somebody changed it meanwhile.
        """
        actor.need(Permission.NOTICES_ADMINISTER)
        async with self._database.transaction() as session:
            row = await session.get(NoticeAddress, (user_id, channel.value), with_for_update=True)
            if row is None or not row.address:
                raise NotFound("no such address", field="channel")
            _check_address_version(row, expected)
            row.address, row.verified, row.active = "", False, False
            row.changed_at = self._clock.now()
            after = {"channel": channel.value}
            await self._note(session, actor, "notice_address_removed", "user", user_id, after=after)

    async def rules(self, actor: Actor) -> tuple[RuleView, ...]:
        """Return all rules, by code."""
        actor.need(Permission.NOTICES_ADMINISTER)
        async with self._database.session() as session:
            return tuple(_rule(row) for row in await session.scalars(select(NoticeRule).order_by("code")))

    async def change_rule(
        self,
        actor: Actor,
        code: str,
        *,
        expected: int,
        expressions: Sequence[str] | None = None,
        channels: Sequence[Channel] | None = None,
        severity: Severity | None = None,
        active: bool | None = None,
    ) -> RuleView:
        """Change what is given.

        Raises:
            Forbidden: not an administrator.
            NotFound: no rule has this code.
            Invalid: a recipient names nobody.
            StaleVersion: somebody changed it meanwhile.
        """
        actor.need(Permission.NOTICES_ADMINISTER)
        if expressions is not None:
            if len(expressions) > MOST_EXPRESSIONS:
                raise Invalid(f"recipients: at most {MOST_EXPRESSIONS}", field="recipients")
            recipients(expressions, Party(owner_user_id="x", owner_department="x", specialist_user_id="x"))
        async with self._database.transaction() as session:
            row = await session.get(NoticeRule, code, with_for_update=True)
            if row is None:
                raise NotFound("no such rule", field="code")
            if row.version != expected:
                raise StaleVersion(f"the rule is at version {row.version} now", field="If-Match")
            before = _plain(row)
            if expressions is not None:
                row.recipients = list(dict.fromkeys(expressions))
            if channels is not None:
                row.channels = [channel.value for channel in dict.fromkeys(channels)]
            row.severity = severity.value if severity is not None else row.severity
            row.active = row.active if active is None else active
            await session.flush()
            after = _plain(row)
            if after != before:
                await self._note(
                    session, actor, "notice_rule_changed", "notice_rule", code, before=before, after=after
                )
        return _rule(row)

    async def _note(
        self,
        session: AsyncSession,
        actor: Actor,
        action: str,
        entity: str,
        entity_id: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        await session.flush()
        await self._journal.note(
            session, actor, action, entity=entity, entity_id=entity_id, before=before, after=after
        )


def _plain(row: NoticeRule) -> dict[str, Any]:
    return {
        "recipients": list(row.recipients),
        "channels": list(row.channels),
        "severity": row.severity,
        "active": row.active,
    }


_LETS_IN = re.compile(r"(/f/)[A-Za-z0-9_-]{20,}", re.ASCII)
"""A link that opens a form for whoever has it: only the customer reads it, in the message itself."""


def shown_parameters(row: OutgoingMessage) -> dict[str, str]:
    """Return what fills a message's text, without what lets its reader in."""
    return {name: _LETS_IN.sub(r"\1…", str(value)) for name, value in row.parameters.items()}


def _outgoing(row: OutgoingMessage) -> OutgoingView:
    return OutgoingView(
        message_id=row.message_id,
        channel=Channel(row.channel),
        address=masked_address(row.channel, row.address),
        user_id=row.user_id,
        to_customer=row.to_customer,
        code=row.code,
        parameters=shown_parameters(row),
        severity=Severity(row.severity),
        state=MessageState(row.state),
        attempts=row.attempts,
        last_error=row.last_error,
        provider_ref=row.provider_ref,
        created_at=row.created_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
    )


def _check_address_version(row: NoticeAddress | None, expected: int | None) -> None:
    found = row.version if row is not None and row.address else 0
    if expected is not None and found != expected:
        raise StaleVersion(f"the address is at version {found} now", field="If-Match")


def _address(row: NoticeAddress) -> AddressView:
    return AddressView(
        user_id=row.user_id,
        channel=Channel(row.channel),
        address=masked_address(row.channel, row.address),
        verified=row.verified,
        active=row.active,
        version=row.version,
    )


def _rule(row: NoticeRule) -> RuleView:
    return RuleView(
        code=row.code,
        recipients=tuple(row.recipients),
        channels=tuple(Channel(item) for item in row.channels),
        severity=Severity(row.severity),
        active=row.active,
        version=row.version,
    )
