"""SQL tables of limits, their policies and the calendar (domain.md §0, §4.5). Private to ``crm``'s limits."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Date,
    ExecutableDDLElement,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime
from kernel.due import DueColumns


class LimitPolicyRow(Base):
    """One version of a limit set; never changed, because records keep the version they started under."""

    __tablename__ = "limit_policy"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    set_name: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(Integer)
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)
    title: Mapped[str] = mapped_column(String(60))
    body: Mapped[str] = mapped_column(Text)
    loaded_by: Mapped[str] = mapped_column(String(120))
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("set_name", "version"),)


class LimitChoiceRow(Base):
    """From when which set is used for new records; before the first choice the setting counts."""

    __tablename__ = "limit_choice"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    set_name: Mapped[str] = mapped_column(String(16))
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    chosen_by: Mapped[str] = mapped_column(String(120))
    chosen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LimitTimerRow(DueColumns, Base):
    """A limit of one record. ``due_at`` is its next point; ``deadline_at`` the moment of 100 %.

    ``state`` is a ``TimerState``. ``calendar_year`` is the year that is not loaded and without which the
    deadline, or a step after it, is not known; also of a limit that is over, until its verdict is known.
    ``open_key`` names what may run once only:
    the code of a line of a record; it is NULL once the limit is stopped. ``handled`` has a bit for each point
    of the rule that was handled. ``used_us`` and ``allowed_us`` are microseconds on the limit's clock.
    """

    __tablename__ = "limit_timer"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    policy_id: Mapped[str] = mapped_column(ForeignKey("limit_policy.id"))
    code: Mapped[str] = mapped_column(String(16))
    record_kind: Mapped[str] = mapped_column(String(16))
    record_id: Mapped[str] = mapped_column(String(40))
    line_id: Mapped[str] = mapped_column(String(40), default="")
    record_no: Mapped[str] = mapped_column(String(30), default="")
    department: Mapped[str | None] = mapped_column(String(16))
    user_id: Mapped[str | None] = mapped_column(String(40))
    specialist: Mapped[str | None] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(16), default="running")
    open_key: Mapped[str | None] = mapped_column(String(140), unique=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    used_us: Mapped[int] = mapped_column(BigInteger, default=0)
    allowed_us: Mapped[int] = mapped_column(BigInteger)
    slot_us: Mapped[int] = mapped_column(BigInteger, default=0)
    deadline_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    calendar_year: Mapped[int | None] = mapped_column(Integer)
    handled: Mapped[int] = mapped_column(Integer, default=0)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    breached_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    red_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    void_reason: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        Index("ix_limit_timer_record_id", "record_id"),
        # The lists: what runs and is past, the longest overdue first.
        Index("ix_limit_timer_state_deadline_at_id", "state", "deadline_at", "id"),
        # Hardly any ever: those that wait for a calendar.
        Index(
            "ix_limit_timer_calendar_year",
            "calendar_year",
            sqlite_where=text("calendar_year IS NOT NULL"),
            postgresql_where=text("calendar_year IS NOT NULL"),
        ),
    )


class LimitBreachRow(Base):
    """A limit that was missed; one for each timer, whatever number of processes run.

    ``withdrawn_at`` is set when the limit turns out to have been kept: its stop was written down late;
    ``withdrawn_by`` and ``withdrawn_why`` (an action of the journal) say by whom and by what.
    """

    __tablename__ = "limit_breach"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    timer_id: Mapped[str] = mapped_column(ForeignKey("limit_timer.id"), unique=True)
    policy_id: Mapped[str] = mapped_column(ForeignKey("limit_policy.id"))
    code: Mapped[str] = mapped_column(String(16))
    record_kind: Mapped[str] = mapped_column(String(16))
    record_id: Mapped[str] = mapped_column(String(40), index=True)
    line_id: Mapped[str] = mapped_column(String(40))
    record_no: Mapped[str] = mapped_column(String(30))
    department: Mapped[str | None] = mapped_column(String(16))
    user_id: Mapped[str | None] = mapped_column(String(40))
    specialist: Mapped[str | None] = mapped_column(String(40))
    breached_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[str | None] = mapped_column(String(80))
    withdrawn_why: Mapped[str | None] = mapped_column(String(60))

    __table_args__ = (
        # Hardly any, and the manager reads them.
        Index(
            "ix_limit_breach_withdrawn_at",
            "withdrawn_at",
            sqlite_where=text("withdrawn_at IS NOT NULL"),
            postgresql_where=text("withdrawn_at IS NOT NULL"),
        ),
    )


class AppraisalProposalRow(Base):
    """An appraisal entry that a breach proposes; it counts only when the manager confirms it.

    ``state`` is ``proposed``, ``confirmed`` or ``dropped``; ``period`` is the month it counts in,
    ``exported_at`` when it went to payroll.
    """

    __tablename__ = "appraisal_proposal"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    timer_id: Mapped[str] = mapped_column(ForeignKey("limit_timer.id"), unique=True)
    code: Mapped[str] = mapped_column(String(16))
    record_kind: Mapped[str] = mapped_column(String(16))
    record_id: Mapped[str] = mapped_column(String(40), index=True)
    line_id: Mapped[str] = mapped_column(String(40))
    record_no: Mapped[str] = mapped_column(String(30))
    department: Mapped[str | None] = mapped_column(String(16))
    user_id: Mapped[str | None] = mapped_column(String(40))
    points: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(12), default="proposed")
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(String(400))
    period: Mapped[str | None] = mapped_column(String(7))
    confirmed_by: Mapped[str | None] = mapped_column(String(80))
    exported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    exported_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_appraisal_proposal_state_proposed_at", "state", "proposed_at"),
        Index("ix_appraisal_proposal_period", "period"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CalendarDayRow(Base):
    """A day that outweighs the calendar of the package; ``kind`` is a ``CalendarKind``."""

    __tablename__ = "calendar_day"

    date: Mapped[date] = mapped_column(Date, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(120))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CalendarYearRow(Base):
    """A year whose whole notice stands in ``calendar_day``."""

    __tablename__ = "calendar_year"

    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(120))
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ServiceHoursRow(Base):
    """When the service clock runs, as it was set in the browser; the newest is in force, none: the settings.

    ``spans`` and ``days`` as :meth:`kernel.business_time.ServiceHours.parse` takes them.
    """

    __tablename__ = "service_hours"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    spans: Mapped[str] = mapped_column(String(120))
    days: Mapped[str] = mapped_column(String(7))
    closing: Mapped[str] = mapped_column(String(12))
    why: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))


LIMIT_POLICY_FIXED: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER limit_policy_no_update BEFORE UPDATE ON limit_policy "
        "BEGIN SELECT RAISE(ABORT, 'a limit policy never changes'); END",
        "CREATE TRIGGER limit_policy_no_delete BEFORE DELETE ON limit_policy "
        "BEGIN SELECT RAISE(ABORT, 'a limit policy never changes'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION limit_policy_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a limit policy never changes'; END $$",
        "CREATE TRIGGER limit_policy_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON limit_policy "
        "FOR EACH STATEMENT EXECUTE FUNCTION limit_policy_refuse()",
    ),
}
"""Statements that make the database itself keep a policy as it is; the migration runs the same ones."""

LIMIT_POLICY_FIXED_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": (
        "DROP TRIGGER limit_policy_no_change ON limit_policy",
        "DROP FUNCTION limit_policy_refuse()",
    ),
}

for _dialect, _statements in LIMIT_POLICY_FIXED.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(LimitPolicyRow.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
