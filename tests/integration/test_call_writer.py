"""Calls reach the database once and whole, whatever happens to the database."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kernel.db import Database
from telephony.domain.call_book import CallBook
from telephony.history import CallHistory
from telephony.repository import load_open_calls
from telephony.tables import CallEventRow, CallLegRow, CallRow
from tests.support.calls import AGENTS, FickleDatabase, call_writer, facts, tell, tell_story
from tests.support.transcripts import NAMES, events, play
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


async def counts(database: Database) -> tuple[int, int, int]:
    async with database.session() as session:
        found = [
            (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (CallRow, CallLegRow, CallEventRow)
        ]
    return found[0], found[1], found[2]


async def test_a_story_is_stored_as_it_was(database: Database, tmp_path: Path) -> None:
    writer = call_writer(database, tmp_path)
    call_id = tell_story(writer, "attended_transfer")
    await writer.flush()
    call = await CallHistory(database).get(call_id)
    assert (call.result, call.agent, call.agent_id, call.state) == (
        "ANSWERED",
        "1003",
        AGENTS["1003"],
        "ended",
    )
    assert (call.from_number, call.to_number, call.menu_path) == ("+8613900139000", "4000", ("报修",))
    assert (call.hangup_by, call.end_reason, call.node, call.queue) == ("caller", "hangup", "pbx1", "service")
    assert [leg.kind for leg in call.legs].count("caller") == 1
    assert len(call.legs) == 4
    kinds = " ".join(entry.kind for entry in call.timeline)
    assert kinds == "offered menu queued ringing ring_ended answered held unheld transferred answered ended"
    assert [entry.seq for entry in call.timeline] == list(range(1, 12))
    assert call.answered_at is not None
    assert call.answered_at.utcoffset() is not None
    assert (call.hold_seconds, call.talk_seconds) == (0.912, 2.007)


async def test_a_consultation_leads_to_the_call_it_became_part_of(database: Database, tmp_path: Path) -> None:
    writer = call_writer(database, tmp_path)
    call_id = tell_story(writer, "attended_transfer")
    await writer.flush()
    history = CallHistory(database)
    consultation = next(e for e in (await history.get(call_id)).timeline if e.kind == "transferred").detail
    assert (await history.get(consultation["consultation"])).call_id == call_id
    assert [call.call_id for call in (await history.page()).items] == [call_id]
    assert [fact.call_id for fact in await facts(database)] == [call_id]


async def test_writing_twice_changes_and_tells_nothing(database: Database, tmp_path: Path) -> None:
    writer = call_writer(database, tmp_path)
    for name in NAMES:
        tell(writer, play(name)[1])
    await writer.flush()
    before, told = await counts(database), len(await facts(database))
    assert told > len(NAMES) - 3
    for name in NAMES:
        tell(writer, play(name)[1])
    await writer.flush()
    assert await counts(database) == before
    assert len(await facts(database)) == told


async def test_a_call_is_stored_while_it_goes_on(database: Database, tmp_path: Path) -> None:
    writer, book = call_writer(database, tmp_path), CallBook("pbx1")
    history = CallHistory(database)
    states: list[str] = []
    for event, at in events("hold"):
        effects = list(book.handle(event, now=at))
        tell(writer, effects)
        if effects:
            await writer.flush()
            call = await history.get(effects[-1].call.call_id)
            assert call.state == effects[-1].call.state.value
            if not states or states[-1] != call.state:
                states.append(call.state)
    assert states == ["menu", "queued", "ringing", "talking", "held", "talking", "menu", "ended"]


async def test_finished_calls_wait_on_disk_for_the_database(database: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(database)
    writer = call_writer(fickle, tmp_path)
    fickle.gone = True
    names = ("answered_agent_first", "abandoned_queue", "blind_transfer")
    ids = [tell_story(writer, name) for name in names]
    await writer.flush()
    assert not writer.available
    assert writer.waiting == 0
    assert len((tmp_path / "spool" / "calls.jsonl").read_text().splitlines()) == 3

    fickle.gone = False
    ids.append(tell_story(writer, "internal"))
    await writer.flush()
    assert writer.available
    assert not (tmp_path / "spool" / "calls.jsonl").exists()
    assert {call.call_id for call in (await CallHistory(database).page()).items} == set(ids)
    assert sorted(fact.call_id for fact in await facts(database)) == sorted(ids)
    assert (await CallHistory(database).get(ids[2])).timeline[-1].kind == "ended"


async def test_the_spool_survives_us_and_a_torn_line(database: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(database)
    fickle.gone = True
    first = call_writer(fickle, tmp_path)
    one = tell_story(first, "answered_agent_first")
    await first.flush()
    path = tmp_path / "spool" / "calls.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes()[:200])  # killed while writing the next one
    second = call_writer(fickle, tmp_path)
    other = tell_story(second, "blind_transfer")
    await second.flush()

    third = call_writer(database, tmp_path)
    assert await third.recover()
    assert {call.call_id for call in (await CallHistory(database).page()).items} == {one, other}
    assert not path.exists()


async def test_a_commit_whose_answer_was_lost_is_not_doubled(database: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(database)
    writer = call_writer(fickle, tmp_path)
    fickle.gone = fickle.after_commit = True
    call_id = tell_story(writer, "answered_agent_first")
    await writer.flush()
    before = await counts(database)
    fickle.gone = False
    assert await writer.recover()
    assert await counts(database) == before
    assert [fact.call_id for fact in await facts(database)] == [call_id]


async def test_open_calls_stay_marked_until_the_database_is_back(database: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(database)
    writer, book = call_writer(fickle, tmp_path), CallBook("pbx1")
    story = list(events("answered_agent_first"))
    fickle.gone = True
    for event, at in story[:12]:
        tell(writer, list(book.handle(event, now=at)))
    task = asyncio.create_task(writer.run())
    try:
        await eventually(lambda: fickle.tries > 1)
        assert writer.waiting == 1
        fickle.gone = False
        await eventually(lambda: writer.waiting == 0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    (call,) = (await CallHistory(database).page()).items
    assert call.state == "ringing"


async def test_what_is_not_written_yet_is_written_at_the_end(database: Database, tmp_path: Path) -> None:
    writer = call_writer(database, tmp_path)
    task = asyncio.create_task(writer.run())
    await asyncio.sleep(0)
    call_id = tell_story(writer, "answered_agent_first")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await CallHistory(database).get(call_id)).state == "ended"


async def test_a_full_spool_keeps_calls_in_memory_up_to_a_bound(database: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(database)
    writer = call_writer(fickle, tmp_path, max_bytes=100, limit=2)
    fickle.gone = True
    ids = [tell_story(writer, name) for name in ("answered_agent_first", "blind_transfer", "internal")]
    await writer.flush()
    assert writer.waiting == 2
    fickle.gone = False
    await writer.flush()
    assert {call.call_id for call in (await CallHistory(database).page()).items} == set(ids[1:])


async def test_one_call_the_database_refuses_does_not_stop_the_others(
    database: Database, tmp_path: Path
) -> None:
    writer = call_writer(database, tmp_path)
    _, effects = play("internal")
    effects[-1].call.from_number = None  # type: ignore[assignment]  # a fault of ours
    tell(writer, effects)
    call_id = tell_story(writer, "answered_agent_first")
    await writer.flush()
    assert [call.call_id for call in (await CallHistory(database).page()).items] == [call_id]
    assert writer.waiting == 0


@pytest.mark.parametrize(
    "name", ["hold", "attended_transfer", "blind_transfer", "abandoned_queue", "outbound"]
)
async def test_a_restart_of_ours_in_the_middle_changes_nothing(
    sqlite: Database, tmp_path: Path, name: str
) -> None:
    story = list(events(name))
    expected = {e.call.call_id: e.call for e in play(name)[1] if e.call.ended_at is not None}
    writer, book = call_writer(sqlite, tmp_path), CallBook("pbx1")
    for number, (event, at) in enumerate(story):
        tell(writer, list(book.handle(event, now=at)))
        if number % 5 == 4:  # killed, with everything written
            await writer.flush()
            writer, book = call_writer(sqlite, tmp_path), CallBook("pbx1")
            async with sqlite.session() as session:
                for call in await load_open_calls(session, "pbx1"):
                    book.restore(call)
                    writer.resume(call)
    await writer.flush()
    history = CallHistory(sqlite)
    for call_id, call in expected.items():
        if call.merged_into is not None:
            continue
        found = await history.get(call_id)
        assert call.result is not None
        assert call.hangup_by is not None
        assert (found.result, found.hangup_by, found.agent) == (
            call.result.value,
            call.hangup_by.value,
            call.agent_number,
        )
        assert [entry.kind for entry in found.timeline] == [row.kind.value for row in call.rows]
        assert found.talk_seconds == pytest.approx(call.talk.total_seconds(), abs=0.01)
        assert found.hold_seconds == pytest.approx(call.hold.total_seconds(), abs=0.01)
    async with sqlite.session() as session:
        assert await load_open_calls(session, "pbx1") == ()


async def test_the_spool_holds_plain_lines(sqlite: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(sqlite)
    fickle.gone = True
    writer = call_writer(fickle, tmp_path)
    call_id = tell_story(writer, "answered_agent_first")
    await writer.flush()
    path = tmp_path / "spool" / "calls.jsonl"
    body = json.loads(path.read_text())
    assert body["call"]["call_id"] == call_id
    assert path.stat().st_mode & 0o077 == 0
