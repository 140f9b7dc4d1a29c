"""Facts about limits: all that a notice needs to say who owes what to whom, and since when."""

from dataclasses import dataclass
from datetime import datetime

from kernel.events import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFact(Event):
    """What all facts about a limit say.

    Attributes:
        department: who owes it, as far as it is known: the department, ``user_id`` the person in it.
        specialist: who is in charge of the record.
        due_at: the moment of 100 %.
    """

    timer_id: str
    code: str
    record_kind: str
    record_id: str
    line_id: str
    record_no: str
    department: str | None
    user_id: str | None
    specialist: str | None
    started_at: datetime
    due_at: datetime


@event
class LimitWarned(LimitFact):
    """A limit has come to a warning point, ``percent`` of its time."""

    percent: int


@event
class LimitBreached(LimitFact):
    """A limit was missed; the state of its record is what it was."""


@event
class LimitRed(LimitFact):
    """A missed limit has entered the manager's red list."""


@event
class LimitEscalated(LimitFact):
    """A missed limit goes to the general manager; ``appraisal_id`` is the entry proposed, if one is."""

    appraisal_id: str | None


@event
class LimitDeadlineKnown(LimitFact):
    """A limit that waited for a year's calendar has its deadline."""


@event
class CalendarYearNotLoaded(Event):
    """Limits need the calendar of ``year``, or soon will; ``day`` is the site's, ``2026-12-30``.

    Attributes:
        days_left: until the year begins; 0 once it has.
    """

    year: int
    day: str
    days_left: int


@event
class LimitBreachWithdrawn(LimitFact):
    """A breach was none: what ended the limit happened in time and was written down late."""
