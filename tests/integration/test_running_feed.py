"""The campaigns of the day as boards are told of them: not read for nobody, the last known on bad days."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from callback_campaigns.events import CampaignPulse
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.supervise import Supervisor
from tests.support.campaigns import SUPERVISOR, CampaignCentre, make_campaigns
from tests.support.limits import at
from tests.support.waiting import eventually
from web.live_hub import LiveHub
from web.running_feed import EVENT, KIND, READ_EVERY_SECONDS, Running, RunningFeed

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def here(sqlite: Database, clock: FakeClock) -> CampaignCentre:
    return await make_campaigns(sqlite, clock)


class Reading:
    """Counts how often the database is asked; it may be gone."""

    def __init__(self, campaigns: CampaignCentre) -> None:
        self._campaigns = campaigns
        self.times = 0
        self.gone = False

    async def __call__(self) -> Running:
        self.times += 1
        if self.gone:
            raise OperationalError("select", {}, OSError("gone"))
        return await self._campaigns.figures.running()


def shown(feed: RunningFeed) -> dict[str, Any]:
    ((name, payload),) = feed.snapshot(KIND)
    assert name == EVENT
    assert isinstance(payload, dict)
    return payload


async def test_it_is_read_for_whoever_looks_and_what_was_known_stays(
    here: CampaignCentre, clock: FakeClock
) -> None:
    hub, reading = LiveHub(clock), Reading(here)
    feed = RunningFeed(bus=Bus(), clock=clock, hub=hub, read=reading)
    await here.started(name="开工回访")
    first = await here.started(name="竣工回访", mode="progressive", queue="service", priority=90)
    draft = await here.made(name="以后")
    await feed.push()
    assert (reading.times, feed.snapshot(KIND)) == (0, [])
    connection = hub.open((KIND,), user_id="wall", last_event_id="")
    await feed.push()
    await feed.push()
    assert reading.times == 1
    told = shown(feed)
    assert [one["name"] for one in told["campaigns"]] == ["竣工回访", "开工回访"]
    assert draft.campaign.campaign_id not in str(told)
    assert [one["abandoned_share"] for one in told["campaigns"]] == [0.0, None]
    reading.gone = True
    clock.advance(timedelta(seconds=READ_EVERY_SECONDS))
    await feed.push()
    assert (reading.times, shown(feed)) == (2, told)  # with the time of which it is true
    reading.gone = False
    await here.book.pause(SUPERVISOR, first.campaign.campaign_id, expected=first.version, reason="午休")
    clock.advance(timedelta(seconds=READ_EVERY_SECONDS))
    await feed.push()
    assert [one["name"] for one in shown(feed)["campaigns"]] == ["开工回访"]
    assert shown(feed)["as_of"] > told["as_of"]
    connection.close()


async def test_what_moves_comes_with_the_pulse(here: CampaignCentre, clock: FakeClock) -> None:
    hub, reading, bus = LiveHub(clock), Reading(here), Bus()
    feed = RunningFeed(bus=bus, clock=clock, hub=hub, read=reading)
    view = await here.started()
    connection = hub.open((KIND,), user_id="wall", last_event_id="")
    tasks = Supervisor(clock)
    tasks.spawn("running_feed", feed.run)
    await eventually(lambda: feed.snapshot(KIND) != [], what="the first reading")
    for talking in (3, 4):
        bus.publish(
            CampaignPulse(
                at=clock.now(),
                campaign_id=view.campaign.campaign_id,
                dialling=7,
                talking=talking,
                agents_free=None,
                lines_used=11,
                abandoned_share=0.0,
                cap=0.03,
                decision="asked",
                as_of=clock.now(),
            )
        )

    def moved() -> bool:
        (row,) = shown(feed)["campaigns"]
        return (row["dialling"], row["talking"]) == (7, 4) and row["moved_at"] is not None

    await eventually(moved, what="the newest pulse")
    await tasks.close()
    connection.close()
