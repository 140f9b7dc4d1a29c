"""Publishing flows on both databases: a bad one never replaces a good one."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from ivr.domain.problems import FlowInvalid
from ivr.ports import SynthesisFailed
from ivr.repository import FlowRepository
from ivr.service import AFTER_QUEUE, FlowLibrary, delivered
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from tests.support.fake_voice import ToneVoice
from tests.support.menus import FakeQueues, library
from tests.support.waiting import eventually
from tests.unit.ivr.flows import ENDS, HEAD, MENU

pytestmark = pytest.mark.integration

FLOW = HEAD + MENU + ENDS
OTHER = FLOW.replace("您好。", "您好，欢迎来电。")


@pytest.fixture
def voice() -> ToneVoice:
    return ToneVoice()


@pytest.fixture
async def flows(tmp_path: Path, database: Database, clock: FakeClock, voice: ToneVoice) -> FlowLibrary:
    made, _, store = library(tmp_path, database, clock, voice=voice)
    await store.open()
    return made


def version(flows: FlowLibrary, name: str = "test") -> int | None:
    voiced = flows.named(name)
    return voiced.version if voiced else None


async def test_versions_are_kept_and_the_newest_is_in_force(flows: FlowLibrary, clock: FakeClock) -> None:
    await flows.publish("test", FLOW, by="李静")
    published = await flows.publish("test", OTHER, by="张伟")
    assert (published.version, published.active, version(flows)) == (2, True, 2)
    versions = await flows.versions("test")
    assert [(item.version, item.published_by, item.active) for item in versions] == [
        (2, "张伟", True),
        (1, "李静", False),
    ]
    assert versions[0].published_at == clock.now()
    assert await flows.text("test", 1) == FLOW
    with pytest.raises(NotFound):
        await flows.text("test", 3)


async def test_a_bad_flow_is_not_even_stored(flows: FlowLibrary) -> None:
    await flows.publish("test", FLOW, by="李静")
    for bad in ("", FLOW.replace("say: ask", "say: gone"), FLOW.replace("flow: test", "flow: other")):
        with pytest.raises(FlowInvalid):
            await flows.publish("test", bad, by="李静")
    assert version(flows) == 1
    assert len(await flows.versions("test")) == 1


async def test_a_flow_that_cannot_be_spoken_does_not_come_into_force(
    flows: FlowLibrary, voice: ToneVoice
) -> None:
    await flows.publish("test", FLOW, by="李静")
    voice.mute = {"您好，欢迎来电。"}
    with pytest.raises(SynthesisFailed, match="prompt “hello”"):
        await flows.publish("test", OTHER, by="李静")
    assert version(flows) == 1
    assert [item.active for item in await flows.versions("test")] == [False, True]


async def test_publishing_at_once_gives_each_a_version(flows: FlowLibrary) -> None:
    done = await asyncio.gather(*(flows.publish("test", FLOW, by=f"人{n}") for n in range(4)))
    assert sorted(item.version for item in done) == [1, 2, 3, 4]
    assert version(flows) == 4
    assert (await flows.versions("test"))[0].active


async def test_delivered_flows_are_published_once(
    flows: FlowLibrary, tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    await flows.load_active()
    again, _, _ = library(tmp_path, database, clock)
    await again.load_active()
    for name in ("hotline", AFTER_QUEUE):
        assert (version(flows, name), version(again, name)) == (1, 1)
        assert len(await again.versions(name)) == 1


async def test_a_newer_delivered_flow_replaces_ours_but_never_theirs(
    flows: FlowLibrary, tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    old = delivered("hotline").replace("longest_minutes: 8", "longest_minutes: 7")
    await flows.publish("hotline", old, by="huifang")
    await flows.publish(AFTER_QUEUE, delivered(AFTER_QUEUE).replace("非常抱歉", "抱歉"), by="李静")
    again, _, _ = library(tmp_path, database, clock)
    await again.load_active()
    assert (version(again, "hotline"), version(again, AFTER_QUEUE)) == (2, 1)


async def test_theirs_that_no_longer_fits_is_stood_in_for(
    flows: FlowLibrary, tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    await flows.publish("hotline", delivered("hotline"), by="李静")
    async with database.transaction() as session:
        await session.execute(text("UPDATE ivr_flow_version SET yaml = 'flow: hotline'"))
    again, _, _ = library(tmp_path, database, clock)
    await again.load_active()
    assert version(again, "hotline") == 0
    assert len(await again.versions("hotline")) == 1


async def test_without_a_database_callers_hear_what_is_in_memory_or_was_delivered(
    flows: FlowLibrary, tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    await flows.publish("hotline", delivered("hotline"), by="李静")
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE ivr_active_flow"))
    await flows.load_active()
    assert version(flows, "hotline") == 1
    fresh, _, _ = library(tmp_path, database, clock)
    await fresh.load_active()
    assert (version(fresh, "hotline"), version(fresh, AFTER_QUEUE)) == (0, 0)


async def test_numbers_lead_to_their_flows(tmp_path: Path, sqlite: Database, clock: FakeClock) -> None:
    _, studio, store = library(tmp_path, sqlite, clock)
    await store.open()
    flows = FlowLibrary(
        FlowRepository(sqlite),
        studio,
        queues=FakeQueues(),
        clock=clock,
        bus=Bus(),
        by_number={"01065558800": "test"},
    )
    assert flows.for_number("01065558800") is None
    await flows.load_active()
    await flows.publish("test", FLOW, by="李静")
    named = {number: flows.for_number(number) for number in ("+861065558800", "01065558800", "4001", "test")}
    assert {number: found.flow.name if found else None for number, found in named.items()} == {
        "+861065558800": "test",
        "01065558800": "test",
        "4001": "hotline",
        "test": "test",
    }


async def test_other_processes_take_over_what_one_publishes(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    bus = Bus()
    first, _, store = library(tmp_path, sqlite, clock, bus=bus)
    second, _, _ = library(tmp_path, sqlite, clock, bus=bus)
    await store.open()
    running = asyncio.create_task(second.run())
    try:
        await eventually(lambda: version(second, AFTER_QUEUE))
        await first.publish("test", FLOW, by="李静")
        await eventually(lambda: version(second) == 1)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_checking_names_the_company(flows: FlowLibrary) -> None:
    flow = await flows.check(delivered("hotline"), source="hotline.yaml")
    assert "慧家装饰" in str(flow.prompts["welcome"].template)
    with pytest.raises(Invalid):
        delivered("weather")


async def test_opening_hours_are_those_of_the_site(
    tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    flows, _, store = library(tmp_path, database, clock, zone=lisbon)
    await store.open()
    await flows.publish("test", FLOW, by="李静")
    voiced = flows.named("test")
    assert voiced is not None
    # ten in the morning in Shanghai is two at night in Lisbon
    assert not voiced.flow.schedules["office"].is_open(clock.now())
    assert voiced.flow.schedules["office"].zone == lisbon
