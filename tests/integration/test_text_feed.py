"""The feed of what is said: who reads which call, what a page that comes late is told, what is kept."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from speech.events import SpeechHeard, SpeechMissed
from speech.transcripts import Segment, Transcripts, TranscriptWriter
from tests.support.waiting import eventually
from web.identity import CurrentUser
from web.live import LIVE, topics_of
from web.live_hub import LiveHub
from web.permissions import Permission
from web.text_feed import CALLS, LINES, TextFeed

pytestmark = pytest.mark.integration

CALL, OTHER, AGENT = new_ulid(), new_ulid(), new_ulid()


class Pops:
    """The agent's page shows one call."""

    def __init__(self) -> None:
        self.call: str | None = CALL

    def agents_on(self, call_id: str) -> list[str]:
        return [AGENT] if call_id == self.call else []

    def call_of(self, agent_id: str) -> str | None:
        return self.call if agent_id == AGENT else None

    def shows(self, agent_id: str, call_id: str) -> bool:
        return self.call_of(agent_id) == call_id


class Feed(TextFeed):
    """A feed and what its pages were told."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.hub = LiveHub(clock)
        self.pops = Pops()
        self.bus = Bus()
        self.clock = clock
        self.told: list[tuple[str, str, Any]] = []
        super().__init__(
            bus=self.bus, clock=clock, hub=self.hub, pops=self.pops, transcripts=Transcripts(database)
        )
        publish = self.hub.publish

        def noted(topic: str, event: str, payload: Any) -> None:
            self.told.append((topic, event, payload))
            publish(topic, event, payload)

        cast(Any, self.hub).publish = noted

    def hear(self, text: str, *, call_id: str = CALL, final: bool = True, start: float = 1.0) -> None:
        self._take(
            SpeechHeard(
                at=self.clock.now(),
                call_id=call_id,
                speaker="customer",
                kind="final" if final else "partial",
                segment_id=new_ulid() if final else "",
                text=text,
                start=start,
                end=start + 1,
                delay_seconds=0.3,
            )
        )

    def whole(self, topic: str) -> list[Any]:
        ((name, payload),) = self.snapshot(topic)
        assert name == "text_all"
        return [line.get("text", line["kind"]) for line in cast(Any, payload)["lines"]]


@pytest.fixture
def feed(sqlite: Database, clock: FakeClock) -> Feed:
    return Feed(sqlite, clock)


def test_the_agents_page_gets_the_whole_once_and_then_each_line(feed: Feed) -> None:
    feed.hear("我家", final=False)
    feed.hear("我家漏水", final=False)
    feed.hear("我家漏水了")
    mine = [(event, payload) for topic, event, payload in feed.told if topic == f"words:{AGENT}"]
    assert [event for event, _ in mine] == ["text_all", "text", "text"]
    assert mine[-1][1]["text"] == "我家漏水了"
    assert feed.whole(f"words:{AGENT}") == ["我家漏水了"], "the partial is gone"


def test_another_call_on_the_page_is_shown_whole_and_no_other_ever(feed: Feed) -> None:
    feed.hear("第一通")
    feed.hear("别人的", call_id=OTHER)
    assert feed.whole(f"words:{AGENT}") == ["第一通"]
    feed.pops.call = OTHER
    feed.told.clear()
    feed.hear("现在是我的", call_id=OTHER)
    mine = [(event, payload) for topic, event, payload in feed.told if topic == f"words:{AGENT}"]
    ((event, payload),) = mine
    assert event == "text_all"
    assert [line["text"] for line in payload["lines"]] == ["别人的", "现在是我的"]


async def test_a_page_that_comes_after_a_restart_reads_what_is_stored(
    feed: Feed, sqlite: Database, clock: FakeClock
) -> None:
    writer = TranscriptWriter(sqlite)
    for start, raw, gap in ((4.0, "第二句", None), (1.0, "第一句", None), (9.0, "", "behind")):
        writer.add(
            Segment(
                segment_id=new_ulid(),
                call_id=CALL,
                speaker="customer",
                agent_number=None,
                start=start,
                end=start + 2,
                raw=raw,
                text=raw,
                gap=gap,
                created_at=clock.now(),
            )
        )
    task = asyncio.create_task(writer.run())
    await eventually(lambda: writer.waiting == 0, timeout=20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await feed.prepare([f"words:{AGENT}", "board", f"text:{OTHER}"])
    assert feed.whole(f"words:{AGENT}") == ["第一句", "第二句", "gap"]
    assert feed.whole(f"text:{OTHER}") == []


def test_memory_is_bounded(feed: Feed) -> None:
    for n in range(LINES + 50):
        feed.hear(f"第 {n} 句", start=float(n))
    assert len(feed.whole(f"text:{CALL}")) == LINES
    for _ in range(CALLS + 10):
        feed.hear("一句", call_id=new_ulid())
    assert len(feed._calls) == CALLS


def test_a_gap_ends_the_partial_before_it(feed: Feed) -> None:
    feed.hear("说到一半", final=False)
    feed._take(
        SpeechMissed(
            at=feed.clock.now(),
            call_id=CALL,
            speaker="customer",
            segment_id=new_ulid(),
            start=1.0,
            end=5.0,
            reason="recogniser_lost",
        )
    )
    assert feed.whole(f"text:{CALL}") == ["gap"]


@pytest.mark.parametrize(
    ("agent", "hears_all", "call", "allowed"),
    [
        (AGENT, False, CALL, True),
        (AGENT, False, OTHER, False),
        (None, False, CALL, False),
        (None, True, OTHER, True),
    ],
    ids=["own", "another", "stranger", "supervisor"],
)
def test_who_may_read_along(agent: str | None, hears_all: bool, call: str, allowed: bool) -> None:
    app = {LIVE: SimpleNamespace(pops=Pops())}
    request = cast(web.Request, SimpleNamespace(app=app, query={"topics": f"text:{call}"}))
    user = cast(
        CurrentUser,
        SimpleNamespace(
            agent_id=agent, can=lambda wanted: hears_all and wanted is Permission.RECORDINGS_PLAY
        ),
    )
    if allowed:
        assert topics_of(request, user) == (f"text:{call}",)
    else:
        with pytest.raises(Forbidden):
            topics_of(request, user)


def test_a_topic_that_names_no_call_is_refused() -> None:
    request = cast(web.Request, SimpleNamespace(app={}, query={"topics": "text:../../etc"}))
    user = cast(CurrentUser, SimpleNamespace(agent_id=None, can=lambda wanted: True))
    with pytest.raises(Invalid):
        topics_of(request, user)
