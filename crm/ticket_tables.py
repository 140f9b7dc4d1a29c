"""SQL tables of problem tickets: what only they have besides the header. Private to ``crm``."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class TicketRow(Base):
    """A problem ticket 回访问题单.

    Attributes:
        question: of the questionnaire, with ``answer`` as the customer gave it.
        callback_ref: the callback's task; ``recording_ref`` the place in its recording.
        problem_key: whose problem it is and which: the same when it is fed back again.
        fed_back: how often the problem was fed back, this time included.
        class_code: of the complaint that it would become.
        not_reached: how often the customer was not reached for the revisit.
        converted_to: the complaint that it became.
    """

    __tablename__ = "problem_ticket"

    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    question: Mapped[str] = mapped_column(String(200), default="")
    answer: Mapped[str] = mapped_column(String(400), default="")
    question_id: Mapped[str | None] = mapped_column(String(40))
    callback_ref: Mapped[str | None] = mapped_column(String(40))
    recording_ref: Mapped[str | None] = mapped_column(String(200))
    problem_key: Mapped[str] = mapped_column(String(120))
    fed_back: Mapped[int] = mapped_column(Integer)
    class_code: Mapped[int | None] = mapped_column(Integer)
    solved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_reached: Mapped[int] = mapped_column(Integer, default=0)
    revisit_ref: Mapped[str | None] = mapped_column(String(40))
    revisit_note: Mapped[str | None] = mapped_column(String(400))
    revisited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_by: Mapped[str | None] = mapped_column(String(80))
    waived_why: Mapped[str | None] = mapped_column(String(400))
    converted_to: Mapped[str | None] = mapped_column(Ulid)
    converted_no: Mapped[str | None] = mapped_column(String(20))
    converted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    converted_by: Mapped[str | None] = mapped_column(String(80))
    converted_why: Mapped[str | None] = mapped_column(String(16))
    converted_note: Mapped[str | None] = mapped_column(String(400))
    closed_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        Index("ix_problem_ticket_problem_key", "problem_key"),
        Index("ix_problem_ticket_callback_ref_question_id", "callback_ref", "question_id", unique=True),
        Index("ix_problem_ticket_converted_to", "converted_to"),
    )


class TicketPart(Base):
    """A department's part in a ticket; ``due_at`` repeats its open limit, for lists."""

    __tablename__ = "ticket_part"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("problem_ticket.case_id"))
    position: Mapped[int] = mapped_column(Integer)
    department_code: Mapped[str] = mapped_column(ForeignKey("department.code"))
    status: Mapped[str] = mapped_column(String(16))
    cause: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_by: Mapped[str | None] = mapped_column(String(80))
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_by: Mapped[str | None] = mapped_column(String(80))
    refuse_reason: Mapped[str | None] = mapped_column(String(400))
    settled_why: Mapped[str | None] = mapped_column(String(400))
    solved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    solved_by: Mapped[str | None] = mapped_column(String(80))
    solution: Mapped[str | None] = mapped_column(Text)
    rerouted_from: Mapped[str | None] = mapped_column(Ulid)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        UniqueConstraint("case_id", "position"),
        Index("ix_ticket_part_department_code_status", "department_code", "status"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form

    # A hand-off's receipt has these of a complaint's line too.
    confidential = False
    class_code = 0


class OpinionNotice(Base):
    """A customer opinion notice 客户意见反馈告知单 to the level above a department (CB-6); one for each part.

    ``sheet`` is what was printed: it does not change when the ticket goes on.
    """

    __tablename__ = "opinion_notice"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    no: Mapped[str] = mapped_column(String(24), unique=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("problem_ticket.case_id"))
    department_code: Mapped[str] = mapped_column(ForeignKey("department.code"))
    addressed_to: Mapped[str] = mapped_column(String(120))
    fed_back: Mapped[int] = mapped_column(Integer)
    why: Mapped[str] = mapped_column(String(16))
    sheet: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_by: Mapped[str] = mapped_column(String(80))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by: Mapped[str | None] = mapped_column(String(80))
    answer: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        UniqueConstraint("case_id", "department_code"),
        Index("ix_opinion_notice_issued_at", "issued_at"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form
