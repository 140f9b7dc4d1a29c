"""``/api/v1/dispositions``: what agents may say became of a call."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from telephony.dispositions import MAX_LABEL, MAX_POSITION, DispositionText
from telephony.domain.disposition import MAX_DISPOSITIONS, Disposition, Need
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody
from web.api.v1.schemas import NoQuery, Out
from web.dispositions import dispositions_of
from web.idempotency import Idempotency
from web.permissions import Permission

CODE = (("disposition_code", "Code of the disposition."),)
TAG = "agents"
Code = Annotated[str, StringConstraints(max_length=32)]


class DispositionPutIn(ComplaintBody):
    """A disposition as it is written down."""

    label_zh: str = Field(min_length=1, max_length=MAX_LABEL)
    label_en: str = Field(min_length=1, max_length=MAX_LABEL)
    parent: Code = Field("", description="Code of the group that it stands in; empty at the top.")
    queues: frozenset[Code] = Field(
        frozenset(), max_length=200, description="Only for calls through these; empty: for all calls."
    )
    needs: frozenset[Need] = Field(frozenset(), description="What must be written for it to be saved.")
    position: int = Field(0, ge=0, le=MAX_POSITION)
    active: bool = True


class DispositionOut(Out):
    """A disposition."""

    code: str
    label_zh: str
    label_en: str
    parent: str
    queues: tuple[str, ...]
    needs: tuple[Need, ...]
    position: int
    active: bool
    version: int


class DispositionList(Out):
    """All dispositions, each group before what is in it."""

    items: tuple[DispositionOut, ...] = Field(max_length=MAX_DISPOSITIONS)


@operation(
    query=NoQuery,
    response=DispositionList,
    permission=Permission.AGENTS_VIEW,
    summary="List what agents may say became of a call",
    description="The retired ones, too: calls were given them.",
    tag=TAG,
)
async def list_dispositions(call: Call[NoQuery]) -> DispositionList:
    """Return the tree."""
    tree = await dispositions_of(call.request.app).tree()
    return DispositionList(items=tuple(_out(item) for item, _ in tree.walk()))


@operation(
    query=NoQuery,
    response=DispositionOut,
    permission=Permission.DESK_CONFIGURE,
    summary="Add a disposition",
    tag=TAG,
    body=DispositionPutIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def add_disposition(call: Call[NoQuery]) -> DispositionOut:
    """Add a disposition."""
    return await _put(call, None)


@operation(
    query=NoQuery,
    response=DispositionOut,
    permission=Permission.DESK_CONFIGURE,
    summary="Change a disposition",
    description="Calls keep what was said of them. 409 where agents of a queue would have nothing to pick.",
    tag=TAG,
    path_parameters=CODE,
    body=DispositionPutIn,
    if_match=True,
)
async def change_disposition(call: Call[NoQuery]) -> DispositionOut:
    """Change a disposition."""
    return await _put(call, call.request.match_info["disposition_code"])


async def _put(call: Call[NoQuery], code: str | None) -> DispositionOut:
    text = DispositionText(**call.body(DispositionPutIn).model_dump())
    book = dispositions_of(call.request.app)
    return _out(await book.put(call.actor, code, text, expected=call.expected if code else None))


def _out(item: Disposition) -> DispositionOut:
    return DispositionOut(
        code=item.code,
        label_zh=item.label_zh,
        label_en=item.label_en,
        parent=item.parent,
        queues=tuple(sorted(item.queues)),
        needs=tuple(sorted(item.needs)),
        position=item.position,
        active=item.active,
        version=item.version,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/dispositions", list_dispositions),
    ("POST", "/dispositions", add_disposition),
    ("PUT", "/dispositions/{disposition_code}", change_disposition),
)
