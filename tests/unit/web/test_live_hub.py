"""The live hub: what a reader is told first, after a break, when slow, and when there are too many."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from kernel.clock import FakeClock
from kernel.errors import TooMany, Unavailable
from web.live_hub import Connection, LiveHub

pytestmark = pytest.mark.unit

AGENT = "agent:01J"


def events(chunk: bytes | None) -> list[tuple[str, str, Any]]:
    """Read a chunk as a browser does: (name, id, data)."""
    assert chunk is not None
    found = []
    for block in chunk.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found


@pytest.fixture
def state() -> dict[str, object]:
    return {"pop": None}


@pytest.fixture
def hub(clock: FakeClock, state: Mapping[str, object]) -> LiveHub:
    made = LiveHub(clock, memory=4, queue=3, per_user=2, total=3, linger_seconds=60)
    made.provide("agent", lambda topic: [("pop", state["pop"])])
    made.provide("board", lambda topic: [("board", state["pop"])], latest_only=True)
    return made


async def first(hub: LiveHub, *topics: str, user: str = "u") -> tuple[Connection, str]:
    """Open a connection, take its snapshot, return it with the id."""
    connection = hub.open(topics or (AGENT,), user_id=user)
    ((name, frame_id, _),) = events(await connection.next_chunk(1))
    assert name == "snapshot"
    return connection, frame_id


async def test_the_first_thing_is_a_snapshot_and_then_every_change_in_order(
    hub: LiveHub, state: dict[str, object]
) -> None:
    state["pop"] = "王先生"
    connection = hub.open((AGENT,), user_id="u")
    assert events(await connection.next_chunk(1))[0][2] == {"events": [["pop", "王先生"]]}
    hub.publish(AGENT, "pop", 1)
    hub.publish(AGENT, "state", {"state": "ringing"})
    assert [(name, data) for name, _, data in events(await connection.next_chunk(1))] == [
        ("pop", 1),
        ("state", {"state": "ringing"}),
    ]


async def test_silence_is_told_from_the_end(hub: LiveHub) -> None:
    connection, _ = await first(hub)
    assert await connection.next_chunk(0.01) == b""
    hub.close()
    assert await connection.next_chunk(1) is None
    assert connection.end_reason == "closing"
    with pytest.raises(Unavailable):
        hub.open((AGENT,), user_id="u")


async def test_a_reader_who_comes_back_gets_what_it_missed(hub: LiveHub) -> None:
    connection, seen = await first(hub)
    connection.close()
    hub.publish(AGENT, "pop", 1)
    hub.publish(AGENT, "pop", 2)
    again = hub.open((AGENT,), user_id="u", last_event_id=seen)
    assert [(name, data) for name, _, data in events(await again.next_chunk(1))] == [("pop", 1), ("pop", 2)]


async def test_nothing_missed_means_nothing_told(hub: LiveHub) -> None:
    connection, seen = await first(hub)
    connection.close()
    again = hub.open((AGENT,), user_id="u", last_event_id=seen)
    assert await again.next_chunk(0.01) == b""


@pytest.mark.parametrize("wrong", ["", "x", "01J-1", "0" * 26 + "-1", "-", "9" * 60])
async def test_an_id_of_another_run_or_of_nobody_means_a_snapshot(hub: LiveHub, wrong: str) -> None:
    again = hub.open((AGENT,), user_id="u", last_event_id=wrong)
    assert events(await again.next_chunk(1))[0][0] == "snapshot"


async def test_an_id_from_the_future_means_a_snapshot(hub: LiveHub) -> None:
    again = hub.open((AGENT,), user_id="u", last_event_id=f"{hub.epoch}-99")
    assert events(await again.next_chunk(1))[0][0] == "snapshot"


async def test_too_much_missed_means_a_snapshot(hub: LiveHub, state: dict[str, object]) -> None:
    connection, seen = await first(hub)
    connection.close()
    for number in range(5):  # the hub remembers four
        hub.publish(AGENT, "pop", number)
    state["pop"] = 4
    again = hub.open((AGENT,), user_id="u", last_event_id=seen)
    assert [name for name, _, _ in events(await again.next_chunk(1))] == ["snapshot"]


async def test_a_topic_nobody_read_for_long_is_forgotten(hub: LiveHub, clock: FakeClock) -> None:
    connection, seen = await first(hub)
    connection.close()
    clock.advance(timedelta(seconds=61))
    hub.publish(AGENT, "pop", 1)
    again = hub.open((AGENT,), user_id="u", last_event_id=seen)
    assert events(await again.next_chunk(1))[0][0] == "snapshot"


async def test_a_slow_reader_is_not_waited_for(hub: LiveHub, state: dict[str, object]) -> None:
    slow, _ = await first(hub, user="slow")
    for number in range(50):
        hub.publish(AGENT, "pop", number)
    state["pop"] = 49
    assert events(await slow.next_chunk(1))[0][2] == {"events": [["pop", 49]]}
    hub.publish(AGENT, "pop", 50)
    assert [data for _, _, data in events(await slow.next_chunk(1))] == [50]


async def test_of_the_board_only_the_newest_is_told(hub: LiveHub) -> None:
    reader, _ = await first(hub, AGENT, "board")
    hub.publish("board", "board", "old")
    hub.publish(AGENT, "pop", 1)
    hub.publish("board", "board", "new")
    assert [(name, data) for name, _, data in events(await reader.next_chunk(1))] == [
        ("pop", 1),
        ("board", "new"),
    ]


async def test_a_returning_board_gets_the_newest_only(hub: LiveHub) -> None:
    reader, seen = await first(hub, "board")
    reader.close()
    for number in range(9):
        hub.publish("board", "board", number)
    again = hub.open(("board",), user_id="u", last_event_id=seen)
    assert [data for _, _, data in events(await again.next_chunk(1))] == [8]


async def test_one_more_connection_of_a_user_ends_the_oldest(hub: LiveHub) -> None:
    oldest, _ = await first(hub)
    middle, _ = await first(hub)
    newest, _ = await first(hub)
    assert await oldest.next_chunk(1) is None
    assert oldest.end_reason == "displaced"
    hub.publish(AGENT, "pop", 1)
    assert events(await middle.next_chunk(1))[0][2] == 1
    assert events(await newest.next_chunk(1))[0][2] == 1


async def test_the_server_takes_only_so_many(hub: LiveHub) -> None:
    for user in "abc":
        await first(hub, user=user)
    with pytest.raises(TooMany):
        hub.open((AGENT,), user_id="d")


async def test_readers_hear_their_own_topics_only(hub: LiveHub) -> None:
    mine, _ = await first(hub, AGENT)
    hub.publish("agent:02J", "pop", "not mine")
    hub.publish("board", "board", "not mine")
    assert await mine.next_chunk(0.01) == b""
    assert not hub.has_readers("agent:02J")
    assert hub.has_readers(AGENT)
    mine.close()
    mine.close()
    assert not hub.has_readers(AGENT)


async def test_hostile_text_cannot_end_a_frame(hub: LiveHub) -> None:
    reader, _ = await first(hub)
    name = "a\r\n\r\nevent: pop\ndata: 1\n\n</script>\u2028"
    hub.publish(AGENT, "pop", {"caller_name": name})
    assert events(await reader.next_chunk(1)) == [("pop", f"{hub.epoch}-1", {"caller_name": name})]


async def test_a_page_that_only_listens_gives_way_before_one_somebody_works_with(
    hub: LiveHub, state: dict[str, object]
) -> None:
    hub.provide("notices", lambda topic: [("notices", state["pop"])], latest_only=True, background=True)
    working = hub.open((AGENT, "notices:u:zh-CN"), user_id="u")
    listening = hub.open(("notices:u:zh-CN",), user_id="u")
    newest = hub.open(("board",), user_id="u")
    assert (working.end_reason, listening.end_reason, newest.end_reason) == (None, "displaced", None)
