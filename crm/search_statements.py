"""The search's statements: levels of the order, each asked of the index and checked in the stored text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import TextualSelect, text
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.search_match import Match, both, either, has_prefix, of_term, phone_tail, written
from crm.domain.search_text import FIELD, Term, audience_token, exact_token, kind_token, marked
from crm.search import CONFIDENTIAL, Kind
from crm.search_asked import Query, Scope
from kernel.db import Json, UtcDateTime

GLANCE = 2_000
"""How many of the newest documents PostgreSQL looks at before it asks the index: a millisecond."""
MANY = 5_000
"""Candidates that PostgreSQL sorts; of more it first reads some more of the newest documents."""
WINDOW = 20_000
"""How many."""
SHAPES = 200
"""Statements that are kept: of as many words, for as many kinds of people."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One level of the order: what to ask the index, and what must then be true of the stored text."""

    level: int
    match: Match
    check: str
    values: dict[str, Any]


async def find(
    session: AsyncSession, asked: Query, scope: Scope, level: int, before: int | None, limit: int
) -> list[tuple[int, Any]]:
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    rows: list[tuple[int, Any]] = []
    for step in _steps(asked, scope, "instr" if on_sqlite else "strpos"):
        if step.level < level:
            continue
        mark = before if step.level == level and before is not None else _NEWEST
        wanted = limit - len(rows)
        found = await (_sqlite if on_sqlite else _postgres)(session, step, mark, wanted)
        rows += [(step.level, row) for row in found]
        if len(rows) == limit:
            break
    return rows


_NEWEST = 2**63 - 1


def _steps(asked: Query, scope: Scope, find: str) -> list[_Step]:
    values: dict[str, Any] = {}
    narrow, allowed = _allowed(scope, find, values)
    exact_match, exact = _exact(asked, find, values)
    head = " AND ".join(
        f"({find}(d.head, :t{n}) > 0{_tail(term, n, find)})" for n, term in enumerate(asked.terms)
    )
    anywhere = " AND ".join(
        f"({find}(d.head, :t{n}) > 0 OR {find}(d.body, :t{n}) > 0{_tail(term, n, find)})"
        for n, term in enumerate(asked.terms)
    )
    values |= {f"t{n}": term.marked for n, term in enumerate(asked.terms)}
    values |= {f"p{n}": term.text + " " for n, term in enumerate(asked.terms) if term.tail}
    in_head = both([*(of_term(term, in_head=True) for term in asked.terms), *narrow])
    in_all = both([*(of_term(term, in_head=False) for term in asked.terms), *narrow])
    steps = [
        _Step(1, in_head, f"{head} AND NOT ({exact}) AND {allowed}", values),
        _Step(2, in_all, f"{anywhere} AND NOT ({exact}) AND NOT ({head}) AND {allowed}", values),
    ]
    if exact_match is not None:
        steps.insert(0, _Step(0, both([exact_match, *narrow]), f"({exact}) AND {allowed}", values))
    return steps


def _tail(term: Term, n: int, find: str) -> str:
    return f" OR {find}(d.phones, :p{n}) > 0" if term.tail else ""


def _exact(asked: Query, find: str, values: dict[str, Any]) -> tuple[Match | None, str]:
    """Return how to ask for what is called just so, and the condition for it."""
    matches: list[Match] = []
    conditions: list[str] = []
    token = exact_token(asked.whole)
    if token is not None:
        matches.append(token)
        conditions.append(f"{find}(d.head, :exact) > 0")
        values["exact"] = FIELD + marked(asked.whole) + FIELD
    if asked.phone is not None:
        matches.append(phone_tail(asked.phone))
        conditions.append(f"{find}(d.phones, :phone) > 0")
        values["phone"] = f" {asked.phone} "
    return (either(matches), " OR ".join(conditions)) if matches else (None, "1 = 0")


def _allowed(scope: Scope, find: str, values: dict[str, Any]) -> tuple[list[Match], str]:
    """Return what narrows the index to what a person may find, and the condition for it."""
    ways: list[str] = []
    narrow: list[Match] = [kind_token(kind) for kind in sorted(scope.open)]
    if scope.open:
        ways.append(_kinds(scope.open, "k", values))
    if scope.audience_only:
        values |= {f"a{n}": f" {name} " for n, name in enumerate(scope.audience)}
        theirs = " OR ".join(f"{find}(d.audience, :a{n}) > 0" for n in range(len(scope.audience)))
        ways.append(f"({_kinds(scope.audience_only, 'q', values)} AND ({theirs}))")
        narrow += [audience_token(name) for name in scope.audience]
    condition = "(" + " OR ".join(ways) + ")"
    if not scope.confidential:
        values["confidential"] = f" {CONFIDENTIAL} "
        values["me"] = f" {scope.me} "
        condition += f" AND ({find}(d.audience, :confidential) = 0 OR {find}(d.audience, :me) > 0)"
    everything = len(scope.open) == len(Kind)
    return ([] if everything else [either(narrow)]), condition


def _kinds(kinds: Sequence[Kind] | frozenset[Kind], prefix: str, values: dict[str, Any]) -> str:
    names = {f"{prefix}{n}": kind.value for n, kind in enumerate(sorted(kinds))}
    values |= names
    return f"d.kind IN ({', '.join(':' + name for name in names)})"


_COLUMNS = (
    "d.id, d.kind, d.ref_id, d.customer_id, d.title, d.label, d.texts, d.head, d.body, d.phones, d.updated_at"
)


def _statement(sql: str) -> TextualSelect:
    return text(sql).columns(texts=Json, updated_at=UtcDateTime())


async def _sqlite(session: AsyncSession, step: _Step, before: int, limit: int) -> Sequence[Any]:
    """FTS5 hands its hits out newest first, and reads no more of them than are fetched."""
    values = {**step.values, "match": written(step.match, "sqlite"), "before": before, "limit": limit}
    return (await session.execute(_in_order(step.check), values)).all()


@lru_cache(SHAPES)
def _in_order(check: str) -> TextualSelect:
    return _statement(
        f"SELECT {_COLUMNS} FROM search_fts CROSS JOIN search_document d ON d.id = search_fts.rowid "  # noqa: S608
        f"WHERE search_fts MATCH :match AND search_fts.rowid < :before AND {check} "
        "ORDER BY search_fts.rowid DESC LIMIT :limit"
    )


# Hits are looked up one by one, newest first, until the page is full; the planner, who cannot know how many
# fulfil the check, would rather read and join whole tables. Compiling takes longer than a search, and so may
# calling in helpers.
PLAIN_PLANS = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
    "set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


async def _postgres(session: AsyncSession, step: _Step, before: int, limit: int) -> Sequence[Any]:
    """GIN only hands out all hits at once, in no order.

    Of what is common, the newest documents hold a page almost always. Few hits are all looked at; of many the
    newest are enough, unless most of them turn out to be none. Beginnings of words are gathered by the index
    at a price, so that it is asked for them only once.
    """
    values = {**step.values, "match": written(step.match, "postgresql"), "before": before, "limit": limit}

    async def rows(query: TextualSelect, **more: int) -> Sequence[Any]:
        return (await session.execute(query, {**values, **more})).all()

    check = step.check
    # Nothing is so common that many things are called just so.
    if step.level > 0 and len(found := await rows(_newest(check), window=GLANCE)) == limit:
        return found
    for ordered in (True,) if has_prefix(step.match) else (False, True):
        found = await rows(_some(check, ordered=ordered), most=MANY + 1, many=MANY)
        hits = [row for row in found if row.id is not None]
        if found[0].candidates <= MANY or len(hits) == limit:
            return hits
        if not ordered and len(found := await rows(_newest(check), window=WINDOW)) == limit:
            return found
    return await rows(_matching(check))


_MATCHING = "SELECT id FROM search_fts WHERE tokens @@ CAST(:match AS tsquery) AND id + 0 < :before"


@lru_cache(SHAPES)
def _some(check: str, *, ordered: bool) -> TextualSelect:
    """Candidates up to a number: the newest of them, or any, which are looked at if those are all."""
    order = "ORDER BY id DESC" if ordered else ""
    enough = "true" if ordered else "(SELECT candidates FROM n) <= :many"
    return _statement(
        f"WITH c AS MATERIALIZED ({_MATCHING} {order} LIMIT :most), "  # noqa: S608
        "n AS (SELECT count(*) AS candidates FROM c), "
        f"h AS (SELECT {_COLUMNS} FROM (SELECT id FROM c ORDER BY id DESC) o "
        "JOIN search_document d ON d.id = o.id "
        f"WHERE {enough} AND {check} ORDER BY o.id DESC LIMIT :limit) "
        "SELECT n.candidates, h.* FROM n LEFT JOIN h ON true ORDER BY h.id DESC"
    )


@lru_cache(SHAPES)
def _newest(check: str) -> TextualSelect:
    return _statement(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM search_document WHERE id < :before "  # noqa: S608
        f"ORDER BY id DESC LIMIT :window) d WHERE {check} ORDER BY d.id DESC LIMIT :limit"
    )


@lru_cache(SHAPES)
def _matching(check: str) -> TextualSelect:
    return _statement(
        f"SELECT {_COLUMNS} FROM ({_MATCHING} ORDER BY id DESC OFFSET 0) o "  # noqa: S608
        f"JOIN search_document d ON d.id = o.id WHERE {check} ORDER BY o.id DESC LIMIT :limit"
    )
