"""SQL tables of rules and company phrases. Private to ``speech``. What was published never changes."""

from datetime import datetime

from sqlalchemy import DDL, ForeignKey, Integer, String, Text, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from kernel.db import Base, Ulid, UtcDateTime


class RuleSetRow(Base):
    """The rules of one language: which version is in force, and the draft of the next.

    Attributes:
        published: number of the version in force.
        draft: YAML that somebody is working on; may hold mistakes.
    """

    __tablename__ = "speech_rule_set"

    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    published: Mapped[int] = mapped_column(Integer)
    draft: Mapped[str | None] = mapped_column(Text)
    draft_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    draft_by: Mapped[str | None] = mapped_column(String(80))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class RuleVersionRow(Base):
    """The rules as they were published once."""

    __tablename__ = "speech_rule_version"

    language: Mapped[str] = mapped_column(ForeignKey("speech_rule_set.language"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(String(200), default="")
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(String(80))
    published_by_id: Mapped[str] = mapped_column(String(26))


class PhraseRow(Base):
    """A word of the company's own that recognisers should expect, written in by hand."""

    __tablename__ = "speech_phrase"
    __table_args__ = (UniqueConstraint("language", "text"),)

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    language: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(String(40))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[str] = mapped_column(String(80))


RULES_FIXED: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER speech_rule_version_no_update BEFORE UPDATE ON speech_rule_version "
        "BEGIN SELECT RAISE(ABORT, 'published rules never change'); END",
        "CREATE TRIGGER speech_rule_version_no_delete BEFORE DELETE ON speech_rule_version "
        "BEGIN SELECT RAISE(ABORT, 'published rules never change'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION speech_rule_version_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'published rules never change'; END $$",
        "CREATE TRIGGER speech_rule_version_fixed BEFORE UPDATE OR DELETE ON speech_rule_version "
        "FOR EACH ROW EXECUTE FUNCTION speech_rule_version_refuse()",
    ),
}
"""Statements that make the database itself refuse a change; the migrations run the same ones."""

RULES_FIXED_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": ("DROP FUNCTION IF EXISTS speech_rule_version_refuse() CASCADE",),
}

for _dialect, _statements in RULES_FIXED.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(RuleVersionRow.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
