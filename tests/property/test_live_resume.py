"""Whatever is published and however often a page breaks off and comes back: it ends with the true state."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import FakeClock
from web.live_hub import LiveHub

pytestmark = pytest.mark.property

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(["agent:a", "agent:b", "board"]), st.integers(0, 99)),
        st.tuples(st.just("read"), st.just(""), st.just(0)),
        st.tuples(st.just("break"), st.just(""), st.just(0)),
        st.tuples(st.just("lag"), st.just(""), st.just(0)),
    ),
    max_size=40,
)


class Page:
    """A browser's page: keeps what it was told and the last id."""

    def __init__(self) -> None:
        self.shown: dict[str, object] = {}
        self.last_id = ""

    def take(self, chunk: bytes) -> None:
        for block in chunk.decode().strip().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            data = json.loads(fields["data"])
            self.last_id = fields.get("id", self.last_id)
            told = data["events"] if fields["event"] == "snapshot" else [(fields["event"], data)]
            for _, payload in told:
                self.shown[payload["topic"]] = payload["value"]


async def play(steps: list[tuple[str, str, int]], memory: int, queue: int) -> None:
    truth: dict[str, object] = {"agent:a": 0, "board": 0}
    hub = LiveHub(FakeClock(datetime(2026, 3, 2, tzinfo=UTC)), memory=memory, queue=queue)

    def snapshot(topic: str) -> list[tuple[str, object]]:
        return [("set", {"topic": topic, "value": truth[topic]})]

    hub.provide("agent", snapshot)
    hub.provide("board", snapshot, latest_only=True)
    page = Page()
    topics = ("agent:a", "board")
    connection = hub.open(topics, user_id="u")

    async def read() -> None:
        while chunk := await connection.next_chunk(0):
            page.take(chunk)

    for step, topic, value in steps:
        if step == "publish":
            truth[topic] = value
            hub.publish(topic, "set", {"topic": topic, "value": value})
        elif step == "read":
            await read()
        elif step == "break":
            connection.close()
            connection = hub.open(topics, user_id="u", last_event_id=page.last_id)
        else:
            connection.resync("overflow")
    await read()
    assert page.shown == {topic: truth[topic] for topic in topics}


@given(steps=STEPS, memory=st.integers(1, 5), queue=st.integers(1, 5))
def test_a_page_ends_with_the_truth(steps: list[tuple[str, str, int]], memory: int, queue: int) -> None:
    asyncio.run(play(steps, memory, queue))
