"""Who said it: found in what people read, on both databases alike, by whoever may read it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

import app.models  # noqa: F401 - every table
from app.said import build_said, check, read_calls, rebuild, refresh
from crm.personal_places import PERSONAL
from crm.retention_texts import erase_call_notes
from crm.said_index import Conversation, SaidIndex
from crm.said_search import SaidAsked, SaidSearch
from crm.said_tables import SaidCall
from crm.search import SearchIndex
from crm.search_asked import SearchRefused
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from speech.record import TranscriptRecord
from speech.said import QUIET
from speech.said_tables import SaidJobRow
from speech.transcripts import Segment, TranscriptWriter, store_segments
from telephony.tables import CallRow

pytestmark = pytest.mark.integration

LEADS = Actor(user_id=new_ulid(), name="王主管", role=Role.SUPERVISOR)
TALKS = Actor(user_id=new_ulid(), name="李娜", role=Role.AGENT)
MINE, THEIRS = new_ulid(), new_ulid()


def sentence(clock: FakeClock, call_id: str, speaker: str, at: float, text: str) -> Segment:
    return Segment(
        segment_id=new_ulid(),
        call_id=call_id,
        speaker=speaker,
        agent_number="1001" if speaker == "agent" else None,
        start=at,
        end=at + 2,
        raw=text,
        text=text,
        engine="fake",
        model="fake-lines",
        created_at=clock.now(),
    )


async def ended_call(database: Database, clock: FakeClock, call_id: str, *, agent_id: str = MINE) -> None:
    values = {
        "call_id": call_id,
        "node": "pbx1",
        "direction": "in",
        "from_number": "+8613800138000",
        "to_number": "+861065558800",
        "from_name": "",
        "queue": "complaint",
        "agent_id": agent_id,
        "agent_number": "1001",
        "state": "ended",
        "result": "ANSWERED",
        "menu_path": [],
        "started_at": clock.now(),
        "ended_at": clock.now() + timedelta(minutes=3),
        "talk_ms": 1000,
        "hold_ms": 0,
        "adopted": False,
    }
    async with database.transaction() as session:
        await session.execute(insert(CallRow).values(values))


def conversation(clock: FakeClock, days: float, **changes: object) -> Conversation:
    base = Conversation(
        call_id=new_ulid(),
        started_at=clock.now() - timedelta(days=days),
        agent_id=MINE,
        agent_numbers=("1001",),
        queue="complaint",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


async def found(database: Database, actor: Actor, q: str, **asked: object) -> Sequence[str]:
    wanted = SaidAsked(q=q, **asked)  # type: ignore[arg-type]
    return (await SaidSearch(database).find(actor, wanted, agent_id=MINE, limit=50)).call_ids


async def test_it_is_found_by_who_said_it_when_and_to_whom(database: Database, clock: FakeClock) -> None:
    index = SaidIndex()
    leak = conversation(clock, 1, customer=("我家卫生间漏水了", "WiFi 也断了"), agent=("明天上门",))
    both = conversation(clock, 2, customer=("墙面开裂",), agent=("是漏水引起的吗",), agent_id=THEIRS)
    old = conversation(clock, 40, customer=("厨房漏　水",), queue="service", agent_numbers=("1002",))
    campaign = conversation(clock, 3, customer=("没有漏水",), campaign_id=new_ulid(), agent_id=None)
    calls = [leak, both, old, campaign]
    async with database.transaction() as session:
        for one in calls:
            await index.put(session, one)
            await index.put(session, one)
    ids = [one.call_id for one in calls]
    month = clock.now() - timedelta(days=30)
    assert await found(database, LEADS, "漏水") == (ids[0], ids[1], ids[3])
    assert await found(database, LEADS, "漏水", speaker="customer", since=month) == (ids[0], ids[3])
    assert await found(database, LEADS, "漏水", speaker="agent") == (ids[1],)
    assert await found(database, LEADS, "漏水", until=clock.now() - timedelta(days=1.5)) == (ids[1], ids[3])
    assert await found(database, LEADS, "漏水", campaign_id=campaign.campaign_id) == (ids[3],)
    assert await found(database, LEADS, "厨房", queue="service", agent="1002") == (ids[2],)
    assert await found(database, LEADS, "厨房", agent="1001") == ()
    # Several words: all of them in one call, and by the speaker who is asked for.
    assert await found(database, LEADS, "漏水 明天上门") == (ids[0],)
    assert await found(database, LEADS, "漏水 明天上门", speaker="customer") == ()
    assert await found(database, LEADS, "ＷＩＦＩ") == (ids[0],)
    assert await found(database, LEADS, "间水") == ()
    # Agents find their own calls, and the index's own marks are nothing that can be typed.
    assert await found(database, TALKS, "漏水") == (ids[0],)
    assert await found(database, LEADS, f"owner:{MINE}") == ()
    for wrong in ("漏", " ", "字" * 201, "一二 三四 五六 七八 九十 甲乙 丙丁 戊己 庚辛"):
        with pytest.raises(SearchRefused):
            await found(database, LEADS, wrong)
    for hostile in ('漏水" OR *', "'漏水' & !x", "%_漏水\\"):
        assert isinstance(await found(database, LEADS, hostile), tuple)
    search = SaidSearch(database)
    pages: list[str] = []
    cursor = None
    while True:
        page = await search.find(LEADS, SaidAsked(q="漏水"), agent_id=None, limit=1, cursor=cursor)
        pages += page.call_ids
        if (cursor := page.next_cursor) is None:
            break
    assert pages == [ids[0], ids[1], ids[3]]
    with pytest.raises(Invalid):
        await search.find(LEADS, SaidAsked(q="漏水"), agent_id=None, cursor="1 OR 1")
    with pytest.raises(Invalid):
        await search.find(LEADS, SaidAsked(q="漏水", since=clock.now(), until=month), agent_id=None)
    for outside in (Role.CAPTAIN, Role.FINANCE):
        with pytest.raises(Forbidden):
            await search.find(replace(LEADS, role=outside), SaidAsked(q="漏水"), agent_id=None)
    with pytest.raises(Forbidden):
        await search.find(TALKS, SaidAsked(q="漏水"), agent_id=None)
    async with database.transaction() as session:
        await index.put(session, replace(leak, customer=("我家卫生间楼水了",)))
        await index.put(session, replace(both, customer=(), agent=("",)))
        await index.remove(session, (old.call_id, new_ulid()))
    assert await found(database, LEADS, "漏水") == (ids[3],)
    assert await found(database, LEADS, "楼水") == (ids[0],)
    async with database.session() as session:
        assert await index.count(session) == 2


async def test_what_is_common_and_what_is_rare_is_found_among_many(
    database: Database, clock: FakeClock
) -> None:
    index = SaidIndex()
    many = [
        conversation(
            clock,
            n / 100,
            customer=("您好，我家漏水" if n % 2 else "你好", "尾号七九九" if n == 640 else "好的"),
        )
        for n in range(700)
    ]
    async with database.transaction() as session:
        for one in many:
            await index.put(session, one)
    page = await SaidSearch(database).find(LEADS, SaidAsked(q="漏水"), agent_id=None, limit=20)
    assert page.call_ids == tuple(one.call_id for one in many[1:41:2])
    assert await found(database, LEADS, "尾号七九九") == (many[640].call_id,)
    assert await found(database, LEADS, "尾号 漏水") == ()


async def test_words_are_found_when_the_call_is_over_and_as_they_were_corrected(
    sqlite: Database, clock: FakeClock
) -> None:
    keeper = build_said(sqlite, clock, worker="t")
    call_id, later = new_ulid(), new_ulid()
    one = sentence(clock, call_id, "customer", 3, "我家卫生间楼水了")
    async with sqlite.transaction() as session:
        await store_segments(session, [one, sentence(clock, call_id, "agent", 6, "好的")])
    assert await keeper.run_once() == 0
    clock.advance(QUIET + timedelta(seconds=1))
    assert await keeper.run_once() == 1  # it goes on, or nobody has written it down yet
    assert await found(sqlite, LEADS, "楼水") == ()
    await ended_call(sqlite, clock, call_id)
    clock.advance(3 * QUIET)
    assert await keeper.run_once() == 1
    assert await found(sqlite, LEADS, "楼水") == (call_id,)
    record = TranscriptRecord(sqlite, clock)
    await record.correct(TALKS, call_id, one.segment_id, "我家卫生间漏水了", expected=1)
    await keeper.run_once()
    assert await found(sqlite, LEADS, "漏水") == (call_id,)
    assert await found(sqlite, LEADS, "楼水") == ()
    # A call that became part of another is found as that one.
    await ended_call(sqlite, clock, later)
    writer = TranscriptWriter(sqlite)
    writer.merge(call_id, later)
    task = asyncio.create_task(writer.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await keeper.run_once() == 2
    assert await found(sqlite, LEADS, "漏水") == (later,)
    counted = await check(sqlite)
    assert (counted.calls, counted.found, counted.waiting, counted.complete) == (1, 1, 0, True)


async def test_words_that_come_while_a_call_is_read_are_read_as_well(
    sqlite: Database, clock: FakeClock
) -> None:
    from speech.said import ChangedCalls

    call_id = new_ulid()
    await ended_call(sqlite, clock, call_id)
    async with sqlite.transaction() as session:
        await store_segments(session, [sentence(clock, call_id, "customer", 3, "漏水")])
    clock.advance(2 * QUIET)

    async def read(session: object, call_ids: Sequence[str]) -> set[str]:
        late = sentence(clock, call_id, "customer", 9, "还有裂缝")
        await store_segments(session, [late])  # type: ignore[arg-type]
        return await read_calls(session, call_ids)  # type: ignore[arg-type]

    assert await ChangedCalls(sqlite, clock, read, worker="t").run_once() == 1
    async with sqlite.session() as session:
        assert (await session.scalars(select(SaidJobRow.call_id))).all() == [call_id]


async def test_erasure_takes_the_words_out_and_a_rebuild_finds_everything_again(
    database: Database, clock: FakeClock
) -> None:
    kept, gone = new_ulid(), new_ulid()
    for call_id in (kept, gone):
        await ended_call(database, clock, call_id)
        async with database.transaction() as session:
            await store_segments(session, [sentence(clock, call_id, "customer", 3, "卫生间漏水")])
    clock.advance(2 * QUIET)
    keeper = build_said(database, clock, worker="t")
    assert await keeper.run_once() == 2
    async with database.transaction() as session:
        row = await session.scalar(select(SaidCall).where(SaidCall.call_id == kept))
        assert row is not None
        row.edition -= 1
    assert await refresh(database) == 1
    assert await keeper.run_once() == 1
    assert await refresh(database) == 0
    async with database.transaction() as session:
        from speech.personal_places import PERSONAL as OF_SPEECH

        await erase_call_notes(session, (gone,), SearchIndex(), PERSONAL + OF_SPEECH)
    assert await found(database, LEADS, "漏水") == (kept,)
    told: list[tuple[int, int]] = []
    await rebuild(database, lambda done, total: told.append((done, total)))
    assert await found(database, LEADS, "漏水") == (kept,)
    assert told == [(0, 1), (1, 1)]
    assert (await check(database)).complete
