"""``/api/v1/projects/…/warranty``: a home's warranty card."""

from datetime import date

from pydantic import Field

from crm.domain.warranty import WarrantyFlag, WarrantyItem
from crm.warranties import NewCard, WarrantyCard
from web.api.operation import Call, operation
from web.api.v1.repairs import services
from web.api.v1.repairs_answers import WarrantyItemOut
from web.api.v1.repairs_schemas import RepairBody
from web.api.v1.schemas import NoQuery, Out
from web.permissions import Permission

PROJECT = (("project_id", "Id of the project."),)
TAG = "repairs"


class WarrantyItemIn(RepairBody):
    """An item of a warranty."""

    code: str = Field(min_length=1, max_length=20, description="`waterproof` and the like; see the terms.")
    name: str = Field(min_length=1, max_length=40)
    starts_on: date
    ends_on: date
    excluded: bool = False
    why: str = Field("", max_length=120, description="Why it is left out.")


class WarrantyIn(RepairBody):
    """A warranty card as it was issued."""

    flag: WarrantyFlag = Field(description="`none` and `expired` follow from the rest and are not written.")
    no: str | None = Field(None, max_length=40)
    issued_on: date | None = None
    until: date | None = None
    excluded: tuple[str, ...] = Field(
        (), max_length=50, description="What a partial one leaves out, and why."
    )
    items: tuple[WarrantyItemIn, ...] = Field(
        (), max_length=40, description="What it covers; then `excluded` follows from them, as does `until`."
    )


class WarrantyCardShown(Out):
    """A home's warranty; version 0 when it comes from the project's own columns."""

    project_id: str
    flag: WarrantyFlag
    no: str | None
    issued_on: date | None
    until: date | None
    excluded: tuple[str, ...]
    written_by: str | None
    version: int
    items: tuple[WarrantyItemOut, ...]
    proposed: tuple[WarrantyItemOut, ...] = Field(
        description="What the company's terms give, while nothing is written down."
    )


def _shown(card: WarrantyCard) -> WarrantyCardShown:
    return WarrantyCardShown.model_validate(card)


@operation(
    query=NoQuery,
    response=WarrantyCardShown,
    permission=Permission.PROJECTS_VIEW,
    summary="Read a home's warranty",
    tag=TAG,
    path_parameters=PROJECT,
)
async def get_warranty(call: Call[NoQuery]) -> WarrantyCardShown:
    """Return a home's warranty."""
    return _shown(await services(call).warranties.get(call.actor, call.request.match_info["project_id"]))


@operation(
    query=NoQuery,
    body=WarrantyIn,
    response=WarrantyCardShown,
    permission=Permission.PROJECTS_EDIT,
    summary="Write a home's warranty card down",
    description='`If-Match: "0"` for the first. Repairs that are registered keep the snapshot they took.',
    tag=TAG,
    path_parameters=PROJECT,
    if_match=True,
)
async def write_warranty(call: Call[NoQuery]) -> WarrantyCardShown:
    """Write a warranty card down, or correct it."""
    given = call.body(WarrantyIn)
    items = tuple(WarrantyItem(**item.model_dump()) for item in given.items)
    card = NewCard(**given.model_dump(exclude={"items"}), items=items)
    project_id = call.request.match_info["project_id"]
    return _shown(
        await services(call).warranties.write(call.actor, project_id, expected=call.expected, card=card)
    )


ROUTES = (
    ("GET", "/projects/{project_id}/warranty", get_warranty),
    ("PUT", "/projects/{project_id}/warranty", write_warranty),
)
