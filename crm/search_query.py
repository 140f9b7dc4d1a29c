"""Searching: who asks sees only what is theirs to see, in the same order on both databases.

What is called just so comes first, then what has it in its title, numbers or names, then the rest; each
newest first. The indexes are read newest first and no further than the page needs.
"""

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.confidential import mask_name
from crm.domain.search_text import FIELD, SPELT
from crm.domain.snippet import Shown, shown, snippet
from crm.search import Kind
from crm.search_asked import Query, parse, scope_of
from crm.search_statements import PLAIN_PLANS, find
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import DeadlineExceeded, Invalid
from kernel.phone import mask

MAX_LIMIT = 100
TIMEOUT = timedelta(seconds=5)
AT_ONCE = 4
"""Searches of this process that run side by side; the others wait their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that was found.

    Attributes:
        phones: its numbers, whole only for who may see them so.
        level: 0 called just so, 1 in title, numbers, names or telephone numbers, 2 elsewhere.
    """

    kind: Kind
    ref_id: str
    customer_id: str | None
    title: Shown
    label: Shown
    snippet: Shown
    phones: tuple[str, ...]
    updated_at: datetime
    level: int


@dataclass(frozen=True, slots=True)
class Page:
    """Hits in order; ``next_cursor`` is ``None`` on the last page."""

    items: tuple[Hit, ...]
    next_cursor: str | None = None


class Search:
    """Finds documents."""

    def __init__(self, database: Database, *, timeout: timedelta = TIMEOUT) -> None:
        self._database = database
        self._timeout = timeout.total_seconds()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def search(
        self,
        actor: Actor,
        query: str,
        *,
        kinds: Collection[Kind] | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of what ``actor`` may find.

        Raises:
            SearchRefused: see :func:`crm.search_asked.parse`.
            Invalid: the cursor is not one of ours.
            DeadlineExceeded: it took too long.
        """
        asked = parse(query, tails=actor.can(Permission.PHONES_FULL))
        level, before = _read_cursor(cursor)
        limit = max(1, min(limit, MAX_LIMIT))
        scope = scope_of(actor, kinds)
        if scope.nothing:
            return Page(())
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._slots,
                self._database.tuned_session(PLAIN_PLANS) as session,
            ):
                rows = await find(session, asked, scope, level, before, limit + 1)
                closed = await _closed(session, actor, [row.ref_id for _, row in rows])
        except TimeoutError as error:
            raise DeadlineExceeded("the search takes too long: add a word", field="q") from error
        whole_phones = actor.can(Permission.PHONES_FULL)
        hits = tuple(
            _hit(found, row, asked, whole_phones=whole_phones, nameless=row.ref_id in closed)
            for found, row in rows[:limit]
            if row.ref_id not in closed or _found_without_names(row, asked)
        )
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(hits, f"{last[0]}.{last[1].id}" if last else None)


def _read_cursor(cursor: str | None) -> tuple[int, int | None]:
    if cursor is None:
        return 0, None
    match = re.fullmatch(r"([0-2])\.(\d{1,18})", cursor, re.ASCII)
    if match is None:
        raise Invalid("not a cursor of this list", field="cursor")
    return int(match[1]), int(match[2])


async def _closed(session: AsyncSession, actor: Actor, ids: Sequence[str]) -> frozenset[str]:
    """Return the cases whose customer the actor is not to know any more (:mod:`crm.confidential`)."""
    if actor.can(Permission.CASES_VIEW_ALL):
        return frozenset()
    query = select(ServiceCase.id).where(ServiceCase.id.in_(ids), ServiceCase.closed_at.is_not(None))
    return frozenset((await session.scalars(query)).all())


def _found_without_names(row: Any, asked: Query) -> bool:
    """Tell whether what was looked for stands in the case itself: the customer is no way to a closed one."""
    text = FIELD.join((row.head.split(SPELT, 1)[0], row.body))
    return all(term.marked in text for term in asked.terms)


def _hit(level: int, row: Any, asked: Query, *, whole_phones: bool, nameless: bool) -> Hit:
    phones = row.phones.split()
    number, _, name = row.label.partition(" ")
    label = f"{number} {mask_name(name)}" if nameless else row.label
    return Hit(
        kind=Kind(row.kind),
        ref_id=row.ref_id,
        customer_id=None if nameless else row.customer_id,
        title=shown(row.title, asked.terms),
        label=shown(label, asked.terms),
        snippet=snippet([item for item in row.texts if item != row.title], asked.terms),
        phones=() if nameless else tuple(phone if whole_phones else mask(phone) for phone in phones),
        updated_at=row.updated_at,
        level=level,
    )
