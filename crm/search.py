"""The search index: what can be found is put and removed in the transaction that changes it.

Both databases hold the same tokens, and every hit is checked against the stored text
(``domain.search_text``), so that they find the same things in the same order. An index row that is out of
date is therefore no error: it is only read in vain.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.search_match import written
from crm.domain.search_text import TAIL, StoredText, kind_token, stored_text
from crm.search_tables import SearchDocument
from kernel.phone import Phone

EDITION = 4
"""Of the tokenizer, the readings and who may find what; a new one asks for ``huifang search rebuild``."""
MAX_TITLE = 200
MAX_STORED = 2000
"""Characters of a text that are kept to show; all of it is searched."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_SPREAD_BITS = 22
_GAP = 64


class Kind(StrEnum):
    """What can be found."""

    CUSTOMER = "customer"
    PROJECT = "project"
    COMPLAINT = "complaint"
    REPAIR = "repair"
    TICKET = "ticket"
    ARTICLE = "article"
    CALL_NOTE = "call_note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Something that can be found.

    Attributes:
        ref_id: the thing's id; one document for each kind and id.
        title: what it is called; who types just that finds it first.
        label: a line shown under the title, such as number and name; not searched.
        numbers: contract number, case number (``TS20261122-0001``): found first when typed whole, with or
            without the letters before.
        names: people's names; also found by pinyin.
        texts: everything else that is searched: address, summary, notes.
        phones: numbers in E.164.
        departments: codes of those whose people may find a case; others need ``cases.view_all``.
        users: ids of users who may find it too.
        confidential: only ``users`` find it, and who sees everything that is confidential.
        updated_at: newer ones come first.
    """

    kind: Kind
    ref_id: str
    title: str
    updated_at: datetime
    customer_id: str | None = None
    label: str = ""
    numbers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    confidential: bool = False


CONFIDENTIAL = "!confidential"


def department_audience(code: str) -> str:
    """Return the audience of a department's people."""
    return f"dept:{code}"


def user_audience(user_id: str) -> str:
    """Return the audience of one user."""
    return f"user:{user_id}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document as the tables hold it; ``wanted_id`` is its place in the order, if nothing else has it."""

    stored: StoredText
    row: dict[str, Any]
    wanted_id: int


class SearchIndex:
    """Keeps the index; every method works in the caller's transaction."""

    async def put(self, session: AsyncSession, document: Document) -> None:
        """Make a thing findable, or findable as it is now."""
        ready = prepare(document)
        old = await self._old(session, document.kind, document.ref_id)
        if old is None:
            await self._add(session, ready, await _free_id(session, ready.wanted_id))
            return
        if _same(old, ready):
            return
        await _unindex(session, old)
        number = old.id if old.id >> _SPREAD_BITS == ready.wanted_id >> _SPREAD_BITS else None
        number = number or await _free_id(session, ready.wanted_id)
        change = update(SearchDocument).where(SearchDocument.id == old.id).values(id=number, **ready.row)
        await session.execute(change.execution_options(synchronize_session=False))
        await _index(session, [(number, ready.stored)])

    async def remove(self, session: AsyncSession, kind: Kind, ref_id: str) -> None:
        """Make a thing unfindable; nothing happens when it is not there."""
        old = await self._old(session, kind, ref_id)
        if old is not None:
            await _unindex(session, old)
            gone = delete(SearchDocument).where(SearchDocument.id == old.id)
            await session.execute(gone.execution_options(synchronize_session=False))

    async def put_new(self, session: AsyncSession, documents: Sequence[Document]) -> None:
        """Make many things findable of which none is there yet: imports, the rebuild."""
        prepared = [prepare(document) for document in documents]
        query = select(SearchDocument.id).where(
            SearchDocument.id.in_([ready.wanted_id for ready in prepared])
        )
        taken = set((await session.execute(query)).scalars())
        rows, stored = [], []
        for ready in prepared:
            number = ready.wanted_id
            if number in taken:
                number = await _free_id(session, number, taken)
            taken.add(number)
            rows.append({"id": number, **ready.row})
            stored.append((number, ready.stored))
        if rows:
            await session.execute(insert(SearchDocument), rows)
            await _index(session, stored)

    async def clear(self, session: AsyncSession) -> None:
        """Forget everything."""
        await session.execute(delete(SearchDocument).execution_options(synchronize_session=False))
        if _on_sqlite(session):
            await session.execute(_SQLITE_CLEAR)
        else:
            await session.execute(_POSTGRES_CLEAR)

    async def known(self, session: AsyncSession, kind: Kind, ref_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that can be found already."""
        query = select(SearchDocument.ref_id).where(
            SearchDocument.kind == kind.value, SearchDocument.ref_id.in_(ref_ids)
        )
        return set((await session.execute(query)).scalars())

    async def is_current(self, session: AsyncSession) -> bool:
        """Tell whether anything is indexed, by this edition: a rebuild begins with an empty index."""
        some = select(SearchDocument.edition).order_by(SearchDocument.id).limit(1)
        return await session.scalar(some) == EDITION

    async def counts(self, session: AsyncSession) -> dict[Kind, int]:
        """Return how many documents of each kind there are."""
        query = select(SearchDocument.kind, func.count()).group_by(SearchDocument.kind)
        return {Kind(kind): count for kind, count in (await session.execute(query)).all()}

    async def indexed(self, session: AsyncSession, kind: Kind) -> int:
        """Return how many documents of a kind the index itself knows of and the table has."""
        on_sqlite = _on_sqlite(session)
        match = written(kind_token(kind), "sqlite" if on_sqlite else "postgresql")
        query = _SQLITE_COUNT if on_sqlite else _POSTGRES_COUNT
        found = await session.execute(query, {"kind": kind.value, "edition": EDITION, "match": match})
        return int(found.scalar_one())

    async def _add(self, session: AsyncSession, ready: Prepared, number: int) -> None:
        await session.execute(insert(SearchDocument).values(id=number, **ready.row))
        await _index(session, [(number, ready.stored)])

    @staticmethod
    async def _old(session: AsyncSession, kind: Kind, ref_id: str) -> Any:
        query = _OLD if _on_sqlite(session) else _OLD.with_for_update()
        return (await session.execute(query, {"kind_is": kind.value, "ref_is": ref_id})).first()


_SQLITE_COUNT = text(
    "SELECT count(*) FROM search_document WHERE kind = :kind AND edition = :edition "
    "AND id IN (SELECT rowid FROM search_fts WHERE search_fts MATCH :match)"
)
_POSTGRES_COUNT = text(
    "SELECT count(*) FROM search_document WHERE kind = :kind AND edition = :edition "
    "AND id IN (SELECT id FROM search_fts WHERE tokens @@ CAST(:match AS tsquery))"
)


def _old_query() -> Any:
    table = SearchDocument.__table__
    return select(table).where(table.c.kind == bindparam("kind_is"), table.c.ref_id == bindparam("ref_is"))


_OLD = _old_query()


def _on_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def prepare(document: Document) -> Prepared:
    """Return a document as the tables hold it."""
    audience = [
        *(department_audience(code) for code in document.departments),
        *(user_audience(user_id) for user_id in document.users),
        *([CONFIDENTIAL] if document.confidential else []),
    ]
    stored = stored_text(
        kind=document.kind.value,
        title=document.title,
        numbers=[form for number in document.numbers for form in _forms(number)],
        names=document.names,
        texts=document.texts,
        phones=[_national(phone) for phone in document.phones],
        audience=audience,
    )
    seconds = max(0, int((document.updated_at - EPOCH).total_seconds()))
    spread = zlib.crc32(f"{document.kind.value} {document.ref_id}".encode()) & ((1 << _SPREAD_BITS) - 1)
    row = {
        "kind": document.kind.value,
        "ref_id": document.ref_id,
        "customer_id": document.customer_id,
        "title": _storable(document.title)[:MAX_TITLE],
        "label": _storable(document.label)[:MAX_TITLE],
        "texts": [_storable(item[:MAX_STORED]) for item in document.texts if item],
        "head": stored.head,
        "body": stored.body,
        "phones": stored.phones,
        "audience": stored.audience,
        "updated_at": document.updated_at,
        "edition": EDITION,
    }
    return Prepared(stored, row, (seconds << _SPREAD_BITS) + spread)


_CASE_NUMBER = re.compile(r"([A-Z]{2})(\d{8})-?(\d{4,6})", re.ASCII)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"


def _forms(number: str) -> tuple[str, ...]:
    """A number as it is, and as people read it out: without the letters before it, a case's with a dash."""
    case = _CASE_NUMBER.fullmatch(number)
    if case is not None:
        kind, day, place = case.groups()
        return (number, f"{kind}{day}-{place}", f"{kind}{day}{place}", f"{day}-{place}", f"{day}{place}")
    bare = number.lstrip(_LETTERS)
    return (number, bare) if bare != number and len(bare) >= TAIL else (number,)


def _national(phone: str) -> str:
    found = Phone.parse_caller(phone)
    return found.national if found else "".join(character for character in phone if character.isdigit())


def _storable(shown: str) -> str:
    return shown.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _same(old: Any, ready: Prepared) -> bool:
    return all(getattr(old, name) == value for name, value in ready.row.items())


async def _free_id(session: AsyncSession, wanted: int, taken: set[int] | None = None) -> int:
    """Return the first free number from ``wanted`` on."""
    column = SearchDocument.id
    while True:
        query = select(column).where(column >= wanted, column < wanted + _GAP).order_by(column)
        used = set((await session.execute(query)).scalars()) | (taken or set())
        for number in range(wanted, wanted + _GAP):
            if number not in used:
                return number
        wanted += _GAP


async def _index(session: AsyncSession, items: Sequence[tuple[int, StoredText]]) -> None:
    if _on_sqlite(session):
        words = [{"id": number, "tokens": " ".join(stored.tokens())} for number, stored in items]
        await session.execute(_SQLITE_INSERT, words)
    else:
        lexemes = [{"id": number, "tokens": stored.tokens()} for number, stored in items]
        await session.execute(_POSTGRES_INSERT, lexemes)


async def _unindex(session: AsyncSession, old: Any) -> None:
    if not _on_sqlite(session):
        await session.execute(_POSTGRES_DELETE, {"id": old.id})
    elif old.edition == EDITION:
        # Without content, FTS5 must be told the tokens that go. Those of another edition stay: the check
        # of each hit passes over them.
        stored = StoredText(
            kind=old.kind, head=old.head, body=old.body, phones=old.phones, audience=old.audience
        )
        await session.execute(_SQLITE_DELETE, {"id": old.id, "tokens": " ".join(stored.tokens())})


_SQLITE_INSERT = text("INSERT INTO search_fts(rowid, tokens) VALUES (:id, :tokens)")
_SQLITE_DELETE = text("INSERT INTO search_fts(search_fts, rowid, tokens) VALUES ('delete', :id, :tokens)")
_SQLITE_CLEAR = text("INSERT INTO search_fts(search_fts) VALUES ('delete-all')")
_POSTGRES_INSERT = text(
    "INSERT INTO search_fts(id, tokens) VALUES (:id, array_to_tsvector(CAST(:tokens AS text[])))"
)
_POSTGRES_DELETE = text("DELETE FROM search_fts WHERE id = :id")
_POSTGRES_CLEAR = text("DELETE FROM search_fts")
