"""SQL tables of talks with customers, what they answered, and what they said in their own words."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, Text, false
from sqlalchemy import text as words
from sqlalchemy.orm import Mapped, mapped_column

from crm.spoken_tables import SpokenColumns
from kernel.db import Base, Json, Ulid, UtcDateTime

CURRENT_ANSWER = "replaced_at IS NULL"
OPEN_TALK = "ended_at IS NULL"
IN_WORDS = "kind = 'FT' AND text <> '' AND replaced_at IS NULL"
UNHEARD = "heard_at IS NULL"


class Reviewed:
    """What somebody made of what a customer said in their own words.

    Attributes:
        heard_at, heard_by: when it was listened to or read, and by whom; ``None`` while nobody did.
        class_code: of the complaint that is in it (``ComplaintClass``); 0 where there is none, ``None`` while
            nobody has said. Without ``classed_at`` it is a machine's guess.
        note: why it was classified anew.
        review_version: counts what was noted here; the answer itself does not change with it.
    """

    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_by: Mapped[str | None] = mapped_column(String(80))
    class_code: Mapped[int | None] = mapped_column(Integer)
    classed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    classed_by: Mapped[str | None] = mapped_column(String(80))
    classed_by_id: Mapped[str | None] = mapped_column(Ulid)
    note: Mapped[str] = mapped_column(String(400), default="", server_default="")
    review_version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class CallbackTalkRow(Base):
    """A talk 回访通话 about one task, or several of the same customer.

    Attributes:
        attempt_id: the call; a form, a visit or a talk in the customer's own call has none.
        channel: by which it is asked now; ``began_channel`` before a person took it over.
        last_at: when something was last heard in it.
        next_action, next_task_id: what was decided of the next callback when it ended, and that callback.
        heard_at: when the customer said it, as whoever wrote it down says; ``late`` if on an earlier day.
    """

    __tablename__ = "callback_talk"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("callback_task.id"))
    attempt_id: Mapped[str | None] = mapped_column(Ulid, unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    channel: Mapped[str] = mapped_column(String(12))
    began_channel: Mapped[str] = mapped_column(String(12))
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str | None] = mapped_column(Ulid)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    skipped: Mapped[list[Any]] = mapped_column(Json)
    ending: Mapped[str | None] = mapped_column(String(12))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(80))
    appointed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    late: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    explanation: Mapped[str] = mapped_column(Text, default="", server_default="")
    next_action: Mapped[str | None] = mapped_column(String(8))
    next_task_id: Mapped[str | None] = mapped_column(Ulid)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_callback_talk_task_id", "task_id"),
        Index("ix_callback_talk_customer_id_opened_at", "customer_id", "opened_at"),
        Index(
            "ix_callback_talk_open",
            "last_at",
            sqlite_where=words(OPEN_TALK),
            postgresql_where=words(OPEN_TALK),
        ),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CallbackTalkSetRow(Base):
    """The questions of one task within a talk, with what was known when they were chosen.

    Attributes:
        carried: items of an earlier questionnaire that are asked again, each ``[code, number, item]``.
        kept: whether the talk ended with a result for this task.
        decided_by: items that made the verdict what it is.
    """

    __tablename__ = "callback_talk_set"

    talk_id: Mapped[str] = mapped_column(ForeignKey("callback_talk.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    task_id: Mapped[str] = mapped_column(ForeignKey("callback_task.id"))
    code: Mapped[str] = mapped_column(String(2))
    number: Mapped[int] = mapped_column(Integer)
    level: Mapped[str] = mapped_column(String(1))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    carried: Mapped[list[Any]] = mapped_column(Json)
    kept: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    verdict: Mapped[str | None] = mapped_column(String(12))
    score: Mapped[int | None] = mapped_column(Integer)
    completeness: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    decided_by: Mapped[list[Any]] = mapped_column(Json)
    departments: Mapped[list[Any]] = mapped_column(Json)

    __table_args__ = (Index("ix_callback_talk_set_task_id", "task_id"),)


class CallbackAnswerRow(Reviewed, Base):
    """An answer as it was given. A correction is a row of its own; the original keeps standing, replaced.

    Whoever is rated by it is named as they were when it was given, so that figures stay what they were.

    Attributes:
        code, number: which version of which questionnaire asked ``item_id``.
        measure, counts: a figure of its own, and whether this answer counts in it (PM presence).
        rated: roles that it counts for, each between commas.
        replaced_why: ``corrected``, or ``wrong_person``: it was somebody else who answered.
    """

    __tablename__ = "callback_answer"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    talk_id: Mapped[str] = mapped_column(ForeignKey("callback_talk.id"))
    task_id: Mapped[str] = mapped_column(ForeignKey("callback_task.id"))
    code: Mapped[str] = mapped_column(String(2))
    number: Mapped[int] = mapped_column(Integer)
    item_id: Mapped[str] = mapped_column(String(8))
    choices: Mapped[list[Any]] = mapped_column(Json)
    text: Mapped[str] = mapped_column(Text, default="", server_default="")
    reason: Mapped[str] = mapped_column(Text, default="", server_default="")
    departments: Mapped[list[Any]] = mapped_column(Json)
    voice_id: Mapped[str | None] = mapped_column(Ulid)
    channel: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str | None] = mapped_column(Ulid)
    kind: Mapped[str] = mapped_column(String(12))
    value: Mapped[str] = mapped_column(String(40), default="", server_default="")
    score: Mapped[int | None] = mapped_column(Integer)
    bad: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    measure: Mapped[str] = mapped_column(String(40), default="", server_default="")
    counts: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    department: Mapped[str | None] = mapped_column(String(16))
    rated: Mapped[str] = mapped_column(String(80), default="", server_default="")
    project_id: Mapped[str | None] = mapped_column(Ulid)
    store_id: Mapped[str | None] = mapped_column(Ulid)
    project_manager: Mapped[str | None] = mapped_column(String(40))
    designer: Mapped[str | None] = mapped_column(String(40))
    inspector: Mapped[str | None] = mapped_column(String(40))
    crew_id: Mapped[str | None] = mapped_column(Ulid)
    replaced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    replaced_by: Mapped[str | None] = mapped_column(Ulid)
    replaced_why: Mapped[str] = mapped_column(String(16), default="", server_default="")

    __table_args__ = (
        Index(
            "uq_callback_answer_current",
            "task_id",
            "item_id",
            unique=True,
            sqlite_where=words(CURRENT_ANSWER),
            postgresql_where=words(CURRENT_ANSWER),
        ),
        Index("ix_callback_answer_talk_id", "talk_id"),
        Index("ix_callback_answer_at", "at"),
        # What a period came to; nothing of the row is needed to count.
        Index(
            "ix_callback_answer_figures",
            "at",
            *("code", "kind", "value", "score", "measure", "counts", "department", "rated"),
            *("project_manager", "designer", "inspector", "crew_id", "store_id", "replaced_at"),
            sqlite_where=words(CURRENT_ANSWER),
            postgresql_where=words(CURRENT_ANSWER),
        ),
        Index(
            "ix_callback_answer_in_words",
            "at",
            "id",
            sqlite_where=words(IN_WORDS),
            postgresql_where=words(IN_WORDS),
        ),
    )


class CallbackVoiceRow(SpokenColumns, Reviewed, Base):
    """What a customer said in their own words; ``path`` below the folder of recorded answers."""

    __tablename__ = "callback_voice"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    talk_id: Mapped[str] = mapped_column(ForeignKey("callback_talk.id"))
    task_id: Mapped[str] = mapped_column(ForeignKey("callback_task.id"))
    item_id: Mapped[str] = mapped_column(String(8), default="", server_default="")
    path: Mapped[str] = mapped_column(String(200))
    seconds: Mapped[float] = mapped_column(Float)
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_callback_voice_talk_id", "talk_id"),
        Index("ix_callback_voice_at", "at"),
        Index(
            "ix_callback_voice_unheard",
            "at",
            "id",
            sqlite_where=words(UNHEARD),
            postgresql_where=words(UNHEARD),
        ),
        Index("uq_callback_voice_path", "path", unique=True),
    )


class CallbackFormRow(Base):
    """A link to a questionnaire as a page, sent to a customer who was not reached.

    Attributes:
        token_hash: of what stands in the link; the link itself is nowhere but with the customer.
        done_at: when it was sent in; the link opens nothing after that.
    """

    __tablename__ = "callback_form"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("callback_task.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_callback_form_task_id", "task_id"),)
