"""SQL tables of questionnaires. Private to ``callback_campaigns``. What was published never changes."""

from datetime import datetime

from sqlalchemy import DDL, ForeignKey, Integer, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from kernel.db import Base, UtcDateTime


class QuestionnaireRow(Base):
    """A questionnaire 问卷: which version is asked now, and the draft of the next.

    Attributes:
        published: number of the version that is asked; 0 before the first.
        draft: YAML that somebody is working on; may hold mistakes.
    """

    __tablename__ = "questionnaire"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    title: Mapped[str] = mapped_column(String(40))
    published: Mapped[int] = mapped_column(Integer)
    draft: Mapped[str | None] = mapped_column(Text)
    draft_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    draft_by: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class QuestionnaireVersionRow(Base):
    """A questionnaire as it was published once. Answers name it by code and number."""

    __tablename__ = "questionnaire_version"

    code: Mapped[str] = mapped_column(ForeignKey("questionnaire.code"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(String(200), default="")
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(String(80))
    published_by_id: Mapped[str] = mapped_column(String(26))


QUESTIONNAIRE_FIXED: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER questionnaire_version_no_update BEFORE UPDATE ON questionnaire_version "
        "BEGIN SELECT RAISE(ABORT, 'a published questionnaire never changes'); END",
        "CREATE TRIGGER questionnaire_version_no_delete BEFORE DELETE ON questionnaire_version "
        "BEGIN SELECT RAISE(ABORT, 'a published questionnaire never changes'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION questionnaire_version_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a published questionnaire never changes'; END $$",
        "CREATE TRIGGER questionnaire_version_fixed BEFORE UPDATE OR DELETE ON questionnaire_version "
        "FOR EACH ROW EXECUTE FUNCTION questionnaire_version_refuse()",
    ),
}
"""Statements that make the database itself refuse a change; the migrations run the same ones."""

QUESTIONNAIRE_FIXED_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": ("DROP FUNCTION IF EXISTS questionnaire_version_refuse() CASCADE",),
}

for _dialect, _statements in QUESTIONNAIRE_FIXED.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(QuestionnaireVersionRow.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
