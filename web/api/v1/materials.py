"""``/api/v1/materials``: the catalogue that cost sheets pick from."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from pydantic import Field

from crm.domain.repair_cost import MaterialKind
from crm.materials import MaterialText
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Limit, Money
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

MATERIAL = (("material_id", "Id of the material."),)
TAG = "settlements"


class MaterialsQuery(Query):
    """Which materials, by code."""

    active_only: bool = False
    cursor: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    limit: Limit = 100


class MaterialPutIn(ComplaintBody):
    """A material as it is written down; `price` is for one unit."""

    code: str = Field(min_length=1, max_length=20)
    name: str = Field(min_length=1, max_length=80)
    unit: str = Field(min_length=1, max_length=10)
    price: Money
    kind: MaterialKind
    active: bool = True


class MaterialItem(Out):
    """A material of the catalogue."""

    material_id: str
    code: str
    name: str
    unit: str
    price: Decimal
    kind: MaterialKind
    active: bool
    updated_at: SiteTime
    updated_by: str
    version: int


class MaterialList(Out):
    """A page of materials."""

    items: tuple[MaterialItem, ...]
    next_cursor: str | None


@operation(
    query=MaterialsQuery,
    response=MaterialList,
    permission=Permission.PROJECTS_VIEW,
    summary="List the materials of the catalogue",
    tag=TAG,
)
async def list_materials(call: Call[MaterialsQuery]) -> MaterialList:
    """Return a page of materials."""
    asked = call.query
    page = await call.request.app[CRM].materials.page(
        call.actor, active_only=asked.active_only, cursor=asked.cursor, limit=asked.limit
    )
    return MaterialList.model_validate(page)


@operation(
    query=NoQuery,
    response=MaterialItem,
    permission=Permission.MATERIALS_EDIT,
    summary="Add a material to the catalogue",
    description="Of the heads of departments, those of engineering and materials.",
    tag=TAG,
    body=MaterialPutIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def add_material(call: Call[NoQuery]) -> MaterialItem:
    """Add a material."""
    text = MaterialText(**call.body(MaterialPutIn).model_dump())
    return MaterialItem.model_validate(
        await call.request.app[CRM].materials.put(call.actor, None, text, expected=None)
    )


@operation(
    query=NoQuery,
    response=MaterialItem,
    permission=Permission.MATERIALS_EDIT,
    summary="Change a material",
    description="Sheets keep the price that they have.",
    tag=TAG,
    path_parameters=MATERIAL,
    body=MaterialPutIn,
    if_match=True,
)
async def change_material(call: Call[NoQuery]) -> MaterialItem:
    """Change a material."""
    text = MaterialText(**call.body(MaterialPutIn).model_dump())
    material_id = call.request.match_info["material_id"]
    return MaterialItem.model_validate(
        await call.request.app[CRM].materials.put(call.actor, material_id, text, expected=call.expected)
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/materials", list_materials),
    ("POST", "/materials", add_material),
    ("PUT", "/materials/{material_id}", change_material),
)
