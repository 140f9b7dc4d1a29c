"""The models of the manager's red list (domain.md §0)."""

from pydantic import Field

from web.api.v1.case_schemas import CaseLimit
from web.api.v1.complaints_answers import WithdrawnRecord
from web.api.v1.complaints_schemas import Code, Cursor, Limit
from web.api.v1.schemas import Out, Query, SiteTime


class RedListQuery(Query):
    """Whose limits on the red list, the longest late first."""

    department: Code | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class RedLimitOwner(Out):
    """Who owes it, and the specialist of the record."""

    department: str | None
    user_id: str | None
    specialist: str | None


class RedLimitOut(CaseLimit):
    """A limit on the manager's red list."""

    record: WithdrawnRecord
    owner: RedLimitOwner
    red_at: SiteTime | None = Field(
        description="Three service hours after the breach; none while its year is missing."
    )
    escalated_at: SiteTime | None = Field(description="When the general manager was told.")


class RedLimits(Out):
    """A page of them."""

    items: tuple[RedLimitOut, ...]
    next_cursor: str | None
