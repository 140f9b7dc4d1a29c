"""What complaints, repairs and problem tickets have in common as they are asked for and shown."""

from web.api.v1.schemas import Out, SiteTime


class CaseLimit(Out):
    """A limit; `due_at` is the moment of 100 %, unknown while the calendar of a year is missing."""

    timer_id: str
    code: str
    name: str
    state: str
    started_at: SiteTime
    due_at: SiteTime | None
    calendar_missing: int | None
    used: float
    overdue: bool
    stopped_at: SiteTime | None
    breached_at: SiteTime | None
    policy: str
