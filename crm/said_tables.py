"""SQL of the search in what was said: what each call's speakers said, and the index of its tokens.

As with :mod:`crm.search_tables` the index holds only tokens; they are told apart by speaker, so that «who
said it» is asked of the index itself.
"""

from datetime import datetime

from sqlalchemy import DDL, BigInteger, Integer, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from crm.search_tables import SAID_FTS_NAME
from kernel.db import Base, Ulid, UtcDateTime


class SaidCall(Base):
    """What was said in a call, as it is searched.

    ``id`` grows with ``started_at``, as in :class:`crm.search_tables.SearchDocument`.

    Attributes:
        customer, agent: what each said, normalised.
        marks: whose call it is and of what, each between blanks: agents, queue, campaign.
        edition: of the tokenizer that indexed the row.
    """

    __tablename__ = "said_call"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    call_id: Mapped[str] = mapped_column(Ulid, unique=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edition: Mapped[int] = mapped_column(Integer)
    marks: Mapped[str] = mapped_column(String(400))
    customer: Mapped[str] = mapped_column(Text)
    agent: Mapped[str] = mapped_column(Text)


_NAME = SAID_FTS_NAME
SAID_FTS: dict[str, tuple[str, ...]] = {
    "sqlite": (
        f"CREATE VIRTUAL TABLE {_NAME} USING fts5"
        "(tokens, content='', columnsize=0, detail='none', tokenize='ascii')",
    ),
    "postgresql": (
        f"CREATE TABLE {_NAME} (id bigint NOT NULL, tokens tsvector NOT NULL)",
        f"CREATE INDEX {_NAME}_id ON {_NAME} USING hash (id)",
        f"CREATE INDEX {_NAME}_tokens ON {_NAME} USING gin (tokens) WITH (fastupdate = off)",
    ),
}
"""Statements that make the index; the migrations run the same ones."""

SAID_FTS_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (f"DROP TABLE {_NAME}",),
    "postgresql": (f"DROP TABLE {_NAME}",),
}

for _dialect, _statements in SAID_FTS.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(SaidCall.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
