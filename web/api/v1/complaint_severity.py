"""``/api/v1/complaint-severity``: which severity is proposed before a complaint is registered."""

from pydantic import Field

from crm.domain.case import Source
from crm.domain.complaint import ComplaintClass
from web.api.operation import Call, operation
from web.api.v1.complaints import TAG
from web.api.v1.complaints_schemas import Id
from web.api.v1.schemas import Out, Query
from web.crm_part import CRM
from web.permissions import Permission


class SeverityQuery(Query):
    """What is known of the complaint."""

    source: Source = Source.PHONE
    class_code: ComplaintClass
    subclass: str | None = Field(None, min_length=1, max_length=24)
    project_id: Id | None = None


class ComplaintGroup(Out):
    """Customers of one community who complain of the same."""

    class_code: int
    customers: int = Field(description="The one who complains now among them.")
    nos: tuple[str, ...] = Field(description="Of the others' complaints, the newest first.")


class SeverityProposal(Out):
    """What is proposed; who registers it decides."""

    severity: int
    reasons: tuple[str, ...] = Field(description="`source`, `cause`, `group`.")
    group: ComplaintGroup | None


@operation(
    query=SeverityQuery,
    response=SeverityProposal,
    permission=Permission.CASES_REGISTER,
    summary="Propose a severity for a complaint",
    description="3 from the press or an authority, and where several customers of one community complain of "
    "the same; 2 for safety and unauthorised charges.",
    tag=TAG,
)
async def propose_complaint_severity(call: Call[SeverityQuery]) -> SeverityProposal:
    """Propose a severity."""
    asked = call.query
    found = await call.request.app[CRM].groups.propose(
        call.actor, asked.source, [(asked.class_code, asked.subclass)], project_id=asked.project_id
    )
    group = found.group
    shown = (
        ComplaintGroup(class_code=group.class_.value, customers=group.customers, nos=group.nos)
        if group
        else None
    )
    return SeverityProposal(severity=found.severity.value, reasons=found.reasons, group=shown)


ROUTES = (("GET", "/complaint-severity", propose_complaint_severity),)
