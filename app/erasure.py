"""After somebody was erased: whoever remembers anything of them forgets it, and the files are tidied."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import Base, consumer
from crm.events_people import PersonErased
from crm.index_tidy import merge_indexes
from kernel.bus import Bus
from kernel.db import Database
from kernel.events import Event
from kernel.outbox import STREAM

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

ERASED_FACTS: tuple[type[Event], ...] = (PersonErased,)
REDIS_SECONDS = 30.0
PAGE = 500
_ID = re.compile(rb"[0-9A-HJKMNP-TV-Z]{26}")
TRIES = 5
BETWEEN = timedelta(seconds=2)


class ErasureNews:
    """Takes the fact once and tells every process: each has a memory of its own."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def on_fact(self, session: AsyncSession, fact: Event) -> None:
        """Tell it on."""
        self._bus.publish(fact)


async def when_erased(bus: Bus, forget: Callable[[Collection[str]], Awaitable[object]], *, name: str) -> None:
    """Forget each time that somebody was erased, until cancelled; also when it may have been missed.

    Args:
        forget: is told the ids of the person and of their calls; none when that is not known.
    """
    async with bus.subscribe(PersonErased, name=name) as news:
        async for item in news:
            ids = (*item.customer_ids, *item.call_ids) if isinstance(item, PersonErased) else ()
            try:
                await forget(ids)
            except (SQLAlchemyError, RedisError, OSError) as error:
                log.warning("erased_not_forgotten", by=name, error=type(error).__name__)


async def forget_facts(redis: "Redis", ids: Collection[str]) -> int:
    """Take the facts about some records out of Redis; return how many it were.

    A receiver that has not read them yet has nothing to do with somebody who was erased.
    """
    gone, start = 0, "-"
    async with asyncio.timeout(REDIS_SECONDS):
        while True:
            entries: Any = await redis.xrange(STREAM, min=start, count=PAGE)
            if not entries:
                return gone
            found = await asyncio.to_thread(_speaking_of, entries, frozenset(ids))
            if found:
                gone += await redis.xdel(STREAM, *found)
            start = f"({entries[-1][0].decode()}"


def _speaking_of(entries: Sequence[Any], ids: frozenset[str]) -> list[bytes]:
    """Return the keys of the entries in which one of the ids stands."""
    return [
        key
        for key, fields in entries
        if any(found.decode() in ids for value in fields.values() for found in _ID.findall(value))
    ]


async def tidy_files(database: Database) -> bool:
    """Have what was deleted leave the index and the database's files as well; return whether it did.

    Whoever reads meanwhile holds the files back; then the next deletion, or the next day, does it.
    """
    await merge_indexes(database)
    for _ in range(TRIES):
        if await database.settle():
            return True
        await asyncio.sleep(BETWEEN.total_seconds())
    log.info("deleted_not_settled", tries=TRIES)
    return False


def start_forgetting(base: Base) -> None:
    """Take the news of deletions, and leave nothing of them in this centre's stores; in one process."""
    news = ErasureNews(base.bus)
    base.tasks.spawn("erased", consumer(base, "erased", ERASED_FACTS, news.on_fact).run)

    async def forget(ids: Collection[str]) -> None:
        if ids:
            await forget_facts(base.redis, ids)
        await tidy_files(base.database)

    base.tasks.spawn("erased-tidy", lambda: when_erased(base.bus, forget, name="erased_tidy"))
