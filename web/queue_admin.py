"""Queues as administrators keep them: what is set of each, and whose changes are written down."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from telephony.asterisk.model import Strategy
from telephony.domain.queue import QueueSettings
from telephony.roster import Roster
from web.queue_uses import QueueUses, Use

MAX_LABEL = 40
MAX_WEIGHT = 100
SPANS: Mapping[str, tuple[int, int]] = {
    "ring_timeout": (3, 120),
    "wrap_up": (0, 3600),
    "max_wait": (0, 7200),
    "answer_within": (1, 600),
}
"""Field → fewest and most seconds."""


Note = Callable[[AsyncSession], Awaitable[None]]


class QueueInUse(Conflict):
    """Something still leads to the queue; ``field`` says what."""

    code = "queue_in_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueText:
    """What somebody says of a queue; times in seconds."""

    label_zh: str
    label_en: str
    strategy: str
    ring_timeout: int
    wrap_up: int
    max_wait: int
    answer_within: int
    weight: int
    live_text: bool
    rating: bool


class QueueAdmin:
    """Use cases of administrators. Safe to use from many tasks and processes."""

    def __init__(self, database: Database, clock: Clock, roster: Roster, uses: QueueUses) -> None:
        self._roster = roster
        self._uses = uses
        self._audit = AuditLog(database, clock)

    async def get(self, actor: Actor, name: str) -> QueueSettings:
        """Return one queue."""
        actor.need(Permission.DESK_CONFIGURE)
        for queue in await self._roster.queues():
            if queue.name == name:
                return queue
        raise NotFound("no such queue", field="name")

    async def create(self, actor: Actor, name: str, text: QueueText) -> QueueSettings:
        """Add a queue, behind the others.

        Raises:
            Invalid: names the field.
            QueueChanged: there is one of this name, or was: its calls are its own.
        """
        actor.need(Permission.DESK_CONFIGURE)
        queues = await self._roster.queues()
        position = 1 + max((queue.position for queue in queues), default=-1)
        start = QueueSettings(name=name, label_zh="", label_en="", position=position)
        made = _with(start, checked(text))
        await self._roster.put_queue(made, new=True, then=self._note(actor, None, made))
        return made

    async def change(self, actor: Actor, name: str, text: QueueText, *, before: QueueText) -> QueueSettings:
        """Write a queue anew.

        Args:
            before: as whoever changes it saw it.

        Raises:
            NotFound: no such queue.
            Invalid: names the field.
            QueueChanged: somebody else changed it meanwhile.
        """
        queue = await self.get(actor, name)
        seen, made = _with(queue, before), _with(queue, checked(text))
        if made != queue or seen != queue:
            await self._roster.put_queue(made, before=seen, then=self._note(actor, queue, made))
        return made

    async def uses(self, actor: Actor, name: str) -> tuple[Use, ...]:
        """Return why a queue cannot be retired. Raises Forbidden, NotFound."""
        await self.get(actor, name)
        return await self._uses.of(name)

    async def retire(self, actor: Actor, name: str) -> None:
        """Take a queue out of use; what is known of its calls stays.

        Raises:
            NotFound: no such queue.
            QueueInUse: something still leads there.
        """
        if found := await self.uses(actor, name):
            raise QueueInUse("something still leads to this queue", field=found[0].need.value)
        await self._roster.retire_queue(name, then=self._note_that(actor, "queue.retired", name))

    async def restore(self, actor: Actor, name: str) -> None:
        """Take a retired queue into use again, with nobody in it. Raises Forbidden, NotFound."""
        actor.need(Permission.DESK_CONFIGURE)
        queue = next((one for one in await self._roster.retired_queues() if one.name == name), None)
        if queue is None:
            raise NotFound("no such queue", field="name")
        await self._roster.put_queue(queue, then=self._note_that(actor, "queue.restored", name))

    async def retired(self, actor: Actor) -> list[QueueSettings]:
        """Return the queues that are out of use. Raises Forbidden."""
        actor.need(Permission.DESK_CONFIGURE)
        return await self._roster.retired_queues()

    def _note_that(self, actor: Actor, action: str, name: str) -> Note:
        async def note(session: AsyncSession) -> None:
            await self._audit.record(
                action,
                actor=actor.name,
                ip=actor.ip,
                entity="queue",
                entity_id=name,
                detail={},
                session=session,
            )

        return note

    def _note(self, actor: Actor, before: QueueSettings | None, after: QueueSettings) -> Note:
        old, new = (_plain(before) if before else {}), _plain(after)
        changed = sorted(name for name in new if old.get(name) != new[name])

        async def note(session: AsyncSession) -> None:
            await self._audit.record(
                "queue.put",
                actor=actor.name,
                ip=actor.ip,
                entity="queue",
                entity_id=after.name,
                detail={
                    "before": {name: old[name] for name in changed if name in old},
                    "after": {name: new[name] for name in changed},
                },
                session=session,
            )

        return note


QUEUE_ADMIN: web.AppKey[QueueAdmin] = web.AppKey("QUEUE_ADMIN", QueueAdmin)


def text_of(queue: QueueSettings) -> QueueText:
    """Return what is set of a queue."""
    values: dict[str, Any] = {field.name: _seconds(getattr(queue, field.name)) for field in fields(QueueText)}
    return QueueText(**values)


def checked(text: QueueText) -> QueueText:
    """Return what somebody wrote, tidied. Raises Invalid, which names the field."""
    labels: dict[str, Any] = {}
    for name in ("label_zh", "label_en"):
        label = " ".join(getattr(text, name).split())
        if not 0 < len(label) <= MAX_LABEL or not label.isprintable() or ";" in label:
            raise Invalid(f"1 to {MAX_LABEL} characters, no semicolon", field=name)
        labels[name] = label
    if text.strategy not in set(Strategy):
        raise Invalid(f"one of {', '.join(Strategy)}", field="strategy")
    for name, (fewest, most) in SPANS.items():
        if not fewest <= getattr(text, name) <= most:
            raise Invalid(f"{fewest} to {most} seconds", field=name)
    if not 0 <= text.weight <= MAX_WEIGHT:
        raise Invalid(f"0 to {MAX_WEIGHT}", field="weight")
    return replace(text, **labels)


def _with(queue: QueueSettings, text: QueueText) -> QueueSettings:
    values: dict[str, Any] = {field.name: getattr(text, field.name) for field in fields(QueueText)}
    return replace(queue, **values | {name: timedelta(seconds=values[name]) for name in SPANS})


def _plain(queue: QueueSettings) -> dict[str, object]:
    return {field.name: _seconds(getattr(queue, field.name)) for field in fields(queue)}


def _seconds(value: object) -> object:
    return round(value.total_seconds()) if isinstance(value, timedelta) else value
