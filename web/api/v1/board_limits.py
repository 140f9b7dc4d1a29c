"""``/api/v1/board-limits``: from when on a queue's figure is an alert on the supervisor's board."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from telephony.board_limits import NewLimits
from telephony.domain.board_limits import LONGEST, BoardLimits, LimitKind
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Limit
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.board_book import book_of
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "queues"
MOST_SECONDS = int(LONGEST.total_seconds())
QueueName = Annotated[str, StringConstraints(max_length=32)]


class BoardLimitsIn(ComplaintBody):
    """Limits to put in force at once; a queue or a kind that is left out is not watched."""

    queues: dict[QueueName, dict[LimitKind, int]] = Field(
        max_length=200,
        description="Queue → kind → limit: `waiting`, `free`, `longest` in seconds, `level` in percent.",
    )
    begins_after_seconds: int = Field(5, ge=0, le=MOST_SECONDS)
    ends_after_seconds: int = Field(30, ge=0, le=MOST_SECONDS)
    sound: bool = True
    why: str = Field("", max_length=200)
    expected: int = Field(
        ge=0, description="`version` as it was read: stands for If-Match, as there may be no version yet."
    )


class BoardLimitsOut(Out):
    """A version of the limits; 0 is what holds while none were published: none."""

    version: int
    queues: dict[str, dict[LimitKind, int]]
    begins_after_seconds: int
    ends_after_seconds: int
    sound: bool
    why: str
    created_at: SiteTime | None
    created_by: str


class BoardLimitsList(Out):
    """What was published, the newest first."""

    items: tuple[BoardLimitsOut, ...]
    next_cursor: str | None


class BoardLimitsQuery(Query):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 50


@operation(
    query=NoQuery,
    response=BoardLimitsOut,
    permission=Permission.BOARD_VIEW,
    summary="Read the limits of the supervisor's board",
    tag=TAG,
)
async def get_board_limits(call: Call[NoQuery]) -> BoardLimitsOut:
    """Return the limits in force."""
    return _out(await book_of(call.request.app).current(call.actor))


@operation(
    query=BoardLimitsQuery,
    response=BoardLimitsList,
    permission=Permission.BOARD_VIEW,
    summary="List the versions of the limits, the newest first",
    tag=TAG,
)
async def list_board_limits(call: Call[BoardLimitsQuery]) -> BoardLimitsList:
    """Return a page of versions."""
    page = await book_of(call.request.app).versions(
        call.actor, cursor=call.query.cursor, limit=call.query.limit
    )
    return BoardLimitsList(items=tuple(_out(item) for item in page.items), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=BoardLimitsOut,
    permission=Permission.LIMITS_CONFIGURE,
    summary="Put limits of the supervisor's board in force",
    description="They hold at once; 412 when somebody else published meanwhile.",
    tag=TAG,
    body=BoardLimitsIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def publish_board_limits(call: Call[NoQuery]) -> BoardLimitsOut:
    """Publish limits."""
    given = call.body(BoardLimitsIn)
    new = NewLimits(
        queues=given.queues,
        begins_after=timedelta(seconds=given.begins_after_seconds),
        ends_after=timedelta(seconds=given.ends_after_seconds),
        sound=given.sound,
        why=given.why,
    )
    return _out(await book_of(call.request.app).publish(call.actor, new, expected=given.expected))


def _out(limits: BoardLimits) -> BoardLimitsOut:
    return BoardLimitsOut(
        version=limits.version,
        queues={queue: dict(kinds) for queue, kinds in limits.queues.items()},
        begins_after_seconds=int(limits.begins_after.total_seconds()),
        ends_after_seconds=int(limits.ends_after.total_seconds()),
        sound=limits.sound,
        why=limits.why,
        created_at=limits.created_at,
        created_by=limits.created_by,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/board-limits", get_board_limits),
    ("GET", "/board-limits/versions", list_board_limits),
    ("POST", "/board-limits", publish_board_limits),
)
