"""SQL of the search: the documents, and the index of their tokens in each database's own way.

``search_document`` holds what is shown and what is checked; ``search_fts`` only tokens, and no text: an FTS5
table without content on SQLite, a column of lexemes under a GIN index on PostgreSQL. Metadata cannot describe
either, so it stands here as plain statements; :data:`SEARCH_FTS_DOWN` takes it away.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, Integer, String, Text, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from kernel.db import Base, Json, Ulid, UtcDateTime

FTS = "search_fts"
SAID_FTS_NAME = "said_fts"
"""The index of what was said in calls (:mod:`crm.said_tables`)."""


def is_index_table(name: str | None) -> bool:
    """Tell whether a table of the database belongs to an index: FTS5 keeps several of its own."""
    return name is not None and any(name == fts or name.startswith(f"{fts}_") for fts in (FTS, SAID_FTS_NAME))


class SearchDocument(Base):
    """Something that can be found.

    ``id`` grows with ``updated_at``: both indexes hand their hits out newest first because of it, and stop
    early. ``edition`` is that of the tokenizer that indexed the row.
    """

    __tablename__ = "search_document"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(String(16))
    ref_id: Mapped[str] = mapped_column(String(40))
    customer_id: Mapped[str | None] = mapped_column(Ulid)
    title: Mapped[str] = mapped_column(String(200))
    label: Mapped[str] = mapped_column(String(200))
    texts: Mapped[list[Any]] = mapped_column(Json)
    head: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    phones: Mapped[str] = mapped_column(Text)
    audience: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edition: Mapped[int] = mapped_column(Integer)

    __table_args__ = (UniqueConstraint("kind", "ref_id"),)


SEARCH_FTS: dict[str, tuple[str, ...]] = {
    "sqlite": (
        f"CREATE VIRTUAL TABLE {FTS} USING fts5"
        "(tokens, content='', columnsize=0, detail='none', tokenize='ascii')",
    ),
    "postgresql": (
        f"CREATE TABLE {FTS} (id bigint NOT NULL, tokens tsvector NOT NULL)",
        # A hash cannot be walked in order: only the tokens lead to rows, whatever the planner thinks.
        f"CREATE INDEX {FTS}_id ON {FTS} USING hash (id)",
        f"CREATE INDEX {FTS}_tokens ON {FTS} USING gin (tokens) WITH (fastupdate = off)",
    ),
}
"""Statements that make the index; the migrations run the same ones."""

SEARCH_FTS_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (f"DROP TABLE {FTS}",),
    "postgresql": (f"DROP TABLE {FTS}",),
}

for _dialect, _statements in SEARCH_FTS.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(SearchDocument.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
