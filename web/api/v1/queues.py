"""``/api/v1/queues``."""

from dataclasses import asdict
from datetime import datetime

from telephony.board_views import QueueView
from web.api.operation import Call as ApiCall
from web.api.operation import operation
from web.api.v1.schemas import NoQuery, Queue, QueueFigures, QueueList, QueueTrendPoint
from web.deps import DEPS
from web.permissions import Permission


@operation(
    query=NoQuery,
    response=QueueList,
    permission=Permission.QUEUES_VIEW,
    summary="List queues",
    description="Every queue with who waits, who answers and the figures of the day.",
    tag="queues",
)
async def list_queues(call: ApiCall[NoQuery]) -> QueueList:
    """Return the queues."""
    board = call.request.app[DEPS].board.snapshot()
    return QueueList(
        items=tuple(_queue(queue, board.as_of) for queue in board.queues),
        total=QueueFigures.model_validate(board.total),
        formula=board.formula,
        as_of=board.as_of,
        stale=board.stale,
        day_from=board.day_from,
        handling_as_of=board.handling_as_of,
        trend=tuple(QueueTrendPoint.model_validate(point) for point in board.trend),
    )


def _queue(queue: QueueView, as_of: datetime) -> Queue:
    """A wait is as long as it was when the figures were last true: a stale board does not go on counting."""
    wait = None if queue.longest_since is None else max(0.0, (as_of - queue.longest_since).total_seconds())
    return Queue.model_validate(asdict(queue) | {"longest_wait_seconds": wait})
