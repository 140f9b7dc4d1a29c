"""Who said it: calls in which words were said, newest first, the same on both databases.

Every word of the question must have been said in the call; where a speaker is given, by that one. The index
is asked by speaker, and what is found is checked in the stored text, as :mod:`crm.search_statements` does.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from crm.confidential import calls_hidden
from crm.domain.search_match import Match, both, either, has_prefix, written
from crm.domain.search_text import Term, Token, audience_token
from crm.said_index import AGENT, CUSTOMER, agent_mark, campaign_mark, owner_mark, queue_mark, time_id
from crm.search_asked import parse
from crm.search_statements import PLAIN_PLANS
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import DeadlineExceeded, Forbidden, Invalid

MAX_LIMIT = 100
TIMEOUT = timedelta(seconds=5)
AT_ONCE = 4
GLANCE = 300
"""How many of the newest calls PostgreSQL looks at before it asks the index."""
MANY = 3_000
"""Candidates that PostgreSQL takes from the index at first."""
_NEWEST = 2**62

Speaker = Literal["customer", "agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidAsked:
    """What somebody looks for.

    Attributes:
        speaker: who said it; ``None``: either.
        since, until: calls that began then or later, and before then.
        agent: number of an agent who talked in it.
    """

    q: str
    speaker: Speaker | None = None
    since: datetime | None = None
    until: datetime | None = None
    agent: str | None = None
    queue: str | None = None
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class SaidFound:
    """A page of calls, newest first; ``next_cursor`` is ``None`` on the last page.

    ``terms`` are what to look for in their sentences.
    """

    call_ids: tuple[str, ...]
    terms: tuple[Term, ...]
    next_cursor: str | None = None


class SaidSearch:
    """Finds calls."""

    def __init__(self, database: Database, *, timeout: timedelta = TIMEOUT) -> None:
        self._database = database
        self._timeout = timeout.total_seconds()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def find(
        self,
        actor: Actor,
        asked: SaidAsked,
        *,
        agent_id: str | None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> SaidFound:
        """Return a page of what ``actor`` may read.

        Who may hear every call finds every call; an agent the own ones. Of calls about what is confidential
        only who sees that; a page may be shorter for it.

        Args:
            agent_id: the agent that the actor is.

        Raises:
            Forbidden: calls are nothing for them.
            SearchRefused: see :func:`crm.search_asked.parse`.
            Invalid: the cursor is not one of ours, or the times are out of order.
            DeadlineExceeded: it took too long.
        """
        actor.need(Permission.CALLS_VIEW)
        if not actor.can(Permission.RECORDINGS_PLAY) and agent_id is None:
            raise Forbidden("agents find what was said in their own calls")
        if asked.since is not None and asked.until is not None and asked.since >= asked.until:
            raise Invalid("the end is before the beginning", field="until")
        terms = parse(asked.q, tails=False).terms
        before = _NEWEST if cursor is None else _read_cursor(cursor)
        if asked.until is not None:
            before = min(before, time_id(asked.until))
        since = time_id(asked.since) if asked.since is not None else 0
        owner = None if actor.can(Permission.RECORDINGS_PLAY) else agent_id
        step = _step(asked, terms, owner)
        limit = max(1, min(limit, MAX_LIMIT))
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._slots,
                self._database.tuned_session(PLAIN_PLANS) as session,
            ):
                rows = await _find(session, step, before, since, limit + 1)
                hidden = await calls_hidden(session, actor, [row.call_id for row in rows])
        except TimeoutError as error:
            raise DeadlineExceeded("the search takes too long: add a word", field="q") from error
        kept = tuple(row.call_id for row in rows[:limit] if row.call_id not in hidden)
        return SaidFound(kept, terms, str(rows[limit - 1].id) if len(rows) > limit else None)


def _read_cursor(cursor: str) -> int:
    if not re.fullmatch(r"\d{1,18}", cursor, re.ASCII):
        raise Invalid("not a cursor of this list", field="cursor")
    return int(cursor)


@dataclass(frozen=True, slots=True)
class _Step:
    """What to ask the index, and what must then be true of the stored text (``{find}``: the function)."""

    match: Match
    check: str
    values: dict[str, Any]


def _step(asked: SaidAsked, terms: Sequence[Term], owner: str | None) -> _Step:
    speakers = (asked.speaker,) if asked.speaker is not None else ("customer", "agent")
    values: dict[str, Any] = {f"t{n}": term.marked for n, term in enumerate(terms)}
    checks = [
        "(" + " OR ".join(f"{{find}}(d.{speaker}, :t{n}) > 0" for speaker in speakers) + ")"
        for n in range(len(terms))
    ]
    wanted = [
        *((owner_mark(owner),) if owner is not None else ()),
        *((agent_mark(asked.agent),) if asked.agent else ()),
        *((queue_mark(asked.queue),) if asked.queue else ()),
        *((campaign_mark(asked.campaign_id),) if asked.campaign_id else ()),
    ]
    marks = ["".join(mark.split()) for mark in wanted]
    values |= {f"m{n}": f" {mark} " for n, mark in enumerate(marks)}
    # What is cheap to check comes first.
    checks = [f"{{find}}(d.marks, :m{n}) > 0" for n in range(len(marks))] + checks
    match = both([*(_said(term, speakers) for term in terms), *(audience_token(mark) for mark in marks)])
    return _Step(match, " AND ".join(checks), values)


_PREFIXES = {"customer": CUSTOMER, "agent": AGENT}


def _said(term: Term, speakers: Sequence[str]) -> Match:
    tokens = term.tokens()
    return either(
        both(Token(_PREFIXES[speaker] + token.text, token.prefix) for token in tokens) for speaker in speakers
    )


async def _find(session: AsyncSession, step: _Step, before: int, since: int, limit: int) -> Sequence[Any]:
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    check = step.check.format(find="instr" if on_sqlite else "strpos")
    match = written(step.match, "sqlite" if on_sqlite else "postgresql")
    values = {**step.values, "match": match, "before": before, "since": since, "limit": limit}
    if on_sqlite:
        return (await session.execute(_in_order(check), values)).all()
    return await _postgres(session, check, values, ordered_only=has_prefix(step.match))


@lru_cache(200)
def _in_order(check: str) -> TextClause:
    return text(
        "SELECT d.id, d.call_id FROM said_fts CROSS JOIN said_call d ON d.id = said_fts.rowid "  # noqa: S608
        "WHERE said_fts MATCH :match AND said_fts.rowid < :before AND said_fts.rowid >= :since "
        f"AND {check} ORDER BY said_fts.rowid DESC LIMIT :limit"
    )


async def _postgres(
    session: AsyncSession, check: str, values: dict[str, Any], *, ordered_only: bool
) -> Sequence[Any]:
    """Look at the newest calls, which hold a page of what is common; else ask the index, in no order."""
    found = (await session.execute(_newest(check), {**values, "window": GLANCE})).all()
    if len(found) == values["limit"]:
        return found
    if not ordered_only:
        found = (await session.execute(_some(check), {**values, "most": MANY + 1})).all()
        hits = [row for row in found if row.id is not None]
        if found[0].candidates <= MANY or len(hits) == values["limit"]:
            return hits
    return (await session.execute(_all(check), values)).all()


_MATCHING = (
    "SELECT id FROM said_fts WHERE tokens @@ CAST(:match AS tsquery) "
    "AND id + 0 < CAST(:before AS bigint) AND id + 0 >= CAST(:since AS bigint)"
)


@lru_cache(200)
def _newest(check: str) -> TextClause:
    return text(
        "SELECT d.id, d.call_id FROM (SELECT * FROM said_call "  # noqa: S608
        "WHERE id < CAST(:before AS bigint) AND id >= CAST(:since AS bigint) "
        "ORDER BY id DESC LIMIT :window) d "
        f"WHERE {check} ORDER BY d.id DESC LIMIT :limit"
    )


@lru_cache(200)
def _some(check: str) -> TextClause:
    """The newest candidates up to a number, and how many of them there were."""
    return text(
        f"WITH c AS MATERIALIZED ({_MATCHING} ORDER BY id DESC LIMIT :most), "  # noqa: S608
        "n AS (SELECT count(*) AS candidates FROM c), "
        "h AS (SELECT d.id, d.call_id FROM (SELECT id FROM c ORDER BY id DESC) o "
        f"JOIN said_call d ON d.id = o.id WHERE {check} ORDER BY o.id DESC LIMIT :limit) "
        "SELECT n.candidates, h.id, h.call_id FROM n LEFT JOIN h ON true ORDER BY h.id DESC"
    )


@lru_cache(200)
def _all(check: str) -> TextClause:
    return text(
        f"SELECT d.id, d.call_id FROM ({_MATCHING} ORDER BY id DESC OFFSET 0) o "  # noqa: S608
        f"JOIN said_call d ON d.id = o.id WHERE {check} ORDER BY o.id DESC LIMIT :limit"
    )
