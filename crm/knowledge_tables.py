"""SQL tables of knowledge articles. Private to ``crm``. A version never changes once it is written."""

from datetime import date, datetime

from sqlalchemy import DDL, Boolean, Date, ForeignKey, Index, Integer, String, Text, event, true
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from kernel.db import Base, Json, Ulid, UtcDateTime


class ArticleRow(Base):
    """A knowledge article 知识库文章 as it reads now; what it was stands in ``knowledge_version``.

    Attributes:
        classes: complaint classes beside which it is offered.
        number: of its newest version.
        active: ``False`` once it was withdrawn.
        votes: how many people found it useful.
    """

    __tablename__ = "knowledge_article"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    area: Mapped[str] = mapped_column(String(16))
    question: Mapped[str] = mapped_column(String(120))
    answer: Mapped[str] = mapped_column(Text)
    keywords: Mapped[list[str]] = mapped_column(Json, default=list)
    classes: Mapped[list[int]] = mapped_column(Json, default=list)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    owner_id: Mapped[str] = mapped_column(String(26))
    owner: Mapped[str] = mapped_column(String(80))
    number: Mapped[int] = mapped_column(Integer)
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    votes: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (Index("ix_knowledge_article_active_area", "active", "area"),)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class ArticleVersion(Base):
    """An article as it was saved once; ``why`` says what was changed."""

    __tablename__ = "knowledge_version"

    article_id: Mapped[str] = mapped_column(ForeignKey("knowledge_article.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(String(16))
    question: Mapped[str] = mapped_column(String(120))
    answer: Mapped[str] = mapped_column(Text)
    keywords: Mapped[list[str]] = mapped_column(Json, default=list)
    classes: Mapped[list[int]] = mapped_column(Json, default=list)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    active: Mapped[bool] = mapped_column(Boolean)
    why: Mapped[str] = mapped_column(String(200), default="")
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    saved_by: Mapped[str] = mapped_column(String(80))
    saved_by_id: Mapped[str] = mapped_column(String(26))


class ArticleVote(Base):
    """Somebody found an article useful; each person once."""

    __tablename__ = "knowledge_vote"

    article_id: Mapped[str] = mapped_column(ForeignKey("knowledge_article.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


KNOWLEDGE_FIXED: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER knowledge_version_no_update BEFORE UPDATE ON knowledge_version "
        "BEGIN SELECT RAISE(ABORT, 'a version never changes'); END",
        "CREATE TRIGGER knowledge_version_no_delete BEFORE DELETE ON knowledge_version "
        "BEGIN SELECT RAISE(ABORT, 'a version never changes'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION knowledge_version_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a version never changes'; END $$",
        "CREATE TRIGGER knowledge_version_fixed BEFORE UPDATE OR DELETE ON knowledge_version "
        "FOR EACH ROW EXECUTE FUNCTION knowledge_version_refuse()",
    ),
}
"""Statements that make the database itself refuse a change; the migrations run the same ones."""

KNOWLEDGE_FIXED_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": ("DROP FUNCTION IF EXISTS knowledge_version_refuse() CASCADE",),
}

for _dialect, _statements in KNOWLEDGE_FIXED.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(ArticleVersion.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
