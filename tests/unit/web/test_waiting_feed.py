"""Who is told that a caller has waited for too long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel.bus import Bus
from kernel.clock import FakeClock
from telephony.board_views import AgentView, BoardView, Figures, QueueView
from web.live_hub import LiveHub
from web.waiting_feed import TOO_LONG, WaitingFeed, topic_of, waiting_for

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOTHING: dict[str, Any] = {
    "offered": 0,
    "answered": 0,
    "abandoned": 0,
    "short_abandoned": 0,
    "within": 0,
    "counted": 0,
    "service_level": None,
    "asa_seconds": None,
}


def queue(name: str, waited: timedelta | None, waiting: int = 1) -> QueueView:
    return QueueView(
        name=name,
        label_zh=name,
        label_en=name,
        waiting=waiting if waited is not None else 0,
        longest_since=NOW - waited if waited is not None else None,
        signed_in=1,
        available=0,
        on_call=1,
        as_of=NOW,
        **NOTHING,
    )


def board(*queues: QueueView, stale: bool = False) -> BoardView:
    agents = tuple(
        AgentView(
            agent_id=f"A{number}",
            number=number,
            name=number,
            state="on_call",
            reason=None,
            since=NOW,
            call_id=None,
            queue=None,
            next_state=None,
            queues=names,
            device=None,
        )
        for number, names in (("1001", ("repair", "service")), ("1002", ("complaint",)))
    )
    return BoardView(
        as_of=NOW,
        stale=stale,
        formula="net_of_short",
        total=Figures(**NOTHING),
        queues=queues,
        agents=agents,
        calls=(),
        links=(),
    )


def seen(view: BoardView, agent_id: str = "A1001") -> dict[str, object] | None:
    return waiting_for(view, agent_id, FakeClock(NOW))


def test_a_caller_who_waits_longer_than_twenty_seconds_is_told_to_the_agents_of_the_queue() -> None:
    view = board(queue("repair", TOO_LONG + SECOND, 2), queue("service", 5 * SECOND))
    assert seen(view) == {"since": "2026-03-02T01:59:39+00:00", "waiting": 3}
    assert seen(view, "A1002") is None
    assert seen(view, "A9999") is None


def test_twenty_seconds_are_not_too_long() -> None:
    assert seen(board(queue("repair", TOO_LONG))) is None
    assert seen(board(queue("repair", None))) is None


def test_a_board_that_is_out_of_date_says_nothing() -> None:
    assert seen(board(queue("repair", 10 * TOO_LONG), stale=True)) is None


def test_a_page_is_told_when_it_begins_and_when_it_ends_and_not_in_between() -> None:
    clock, hub = FakeClock(NOW), LiveHub(FakeClock(NOW))
    now = {"board": board(queue("repair", 5 * SECOND))}

    class Live:
        def snapshot(self) -> BoardView:
            return now["board"]

    feed = WaitingFeed(bus=Bus(), clock=clock, hub=hub, board=Live())
    told: list[object] = []
    connection = hub.open((topic_of("A1001"),), user_id="u1")
    publish = hub.publish
    hub.publish = lambda topic, event, payload: told.append(payload)  # type: ignore[method-assign]
    feed.push()
    clock.advance(timedelta(seconds=16))
    feed.push()
    feed.push()
    now["board"] = board(queue("repair", None))
    feed.push()
    assert told == [{"since": "2026-03-02T01:59:55+00:00", "waiting": 1}, None]
    hub.publish = publish  # type: ignore[method-assign]
    connection.close()
