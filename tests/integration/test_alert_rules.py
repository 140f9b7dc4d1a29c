"""Rules of what is told at once, heaps of complaints, and words of calls, over a real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from app.said_alerts import SaidListener
from crm.alert_rules import AlertRuleBook, NewRules
from crm.case_alerts import look_at_case
from crm.domain.alert_rules import USUAL, HeapRule, Subject
from crm.domain.watchwords import About, shipped_watchwords
from crm.events_alerts import CauseRising, WatchwordFound, WatchwordSaid
from crm.events_cases import ComplaintRegistered
from crm.tables import ServiceCase
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, StaleVersion
from kernel.ids import new_ulid
from speech.events import TranscriptMade
from speech.transcripts import Segment, store_segments
from telephony.tables import CallRow
from tests.support.complaints import MANAGER, SPECIALIST, Desk, open_desk
from tests.support.limits import facts
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
ONLY_STORE = {Subject.STORE: HeapRule(2, 7)}


@pytest.fixture
async def desk(sqlite: Database, clock: FakeClock) -> Desk:
    return await open_desk(sqlite, clock)


def book_of(desk: Desk) -> AlertRuleBook:
    return AlertRuleBook(desk.database, desk.clock, desk.journal, zone=SHANGHAI)


async def look(desk: Desk) -> None:
    """Let the alerts look at the newest complaint."""
    newest = (await facts(desk.database, ComplaintRegistered))[-1]
    async with desk.database.transaction() as session:
        await look_at_case(session, newest)


async def test_published_words_are_looked_for_from_their_day_on(desk: Desk) -> None:
    book = book_of(desk)
    words = {About.OTHER: ["空响"]}
    tomorrow = book.today() + timedelta(days=1)
    await book.publish(MANAGER, NewRules(words=words, heaps=USUAL, starts_on=tomorrow), expected=0)
    await desk.new()
    await look(desk)
    assert await facts(desk.database, WatchwordFound) == []
    assert (await book.current(MANAGER)).version == 0
    desk.clock.advance(timedelta(days=1))
    await desk.new()
    await look(desk)
    (told,) = await facts(desk.database, WatchwordFound)
    assert (told.about, told.word) == ("other", "空响")
    assert (await book.current(MANAGER)).version == 1


async def test_two_managers_do_not_overwrite_each_other_and_others_change_nothing(desk: Desk) -> None:
    book, new = book_of(desk), NewRules(words=shipped_watchwords(), heaps=USUAL)
    with pytest.raises(Forbidden):
        await book.publish(SPECIALIST, new, expected=0)
    await book.publish(MANAGER, new, expected=0)
    with pytest.raises(StaleVersion):
        await book.publish(MANAGER, new, expected=0)
    past = NewRules(words={}, heaps={}, starts_on=book.today() - timedelta(days=1))
    with pytest.raises(Invalid) as caught:
        await book.publish(MANAGER, past, expected=1)
    assert caught.value.field == "starts_on"


async def test_a_newer_version_takes_the_place_of_one_that_lies_ahead(desk: Desk) -> None:
    book = book_of(desk)
    ahead = book.today() + timedelta(days=2)
    await book.publish(MANAGER, NewRules(words={}, heaps={}, starts_on=ahead), expected=0)
    await book.publish(MANAGER, NewRules(words={}, heaps=ONLY_STORE), expected=1)
    desk.clock.advance(timedelta(days=3))
    assert (await book.current(MANAGER)).version == 2


async def test_a_heap_is_told_once_and_grows(desk: Desk) -> None:
    for day in (0, 1, 1, 1):
        desk.clock.advance(timedelta(days=day))
        await desk.new()
        await look(desk)
        await look(desk)  # told twice, it is one
    told = await facts(desk.database, CauseRising)
    assert [fact.subject_key.partition(":")[0] for fact in told] == ["crew", "project"]
    desk.clock.advance(timedelta(days=7))
    for _ in range(2):
        await desk.new()
        await look(desk)
    assert len(await facts(desk.database, CauseRising)) == 2, "the project's heap goes on; two are no heap"
    await desk.new()
    await look(desk)
    assert len(await facts(desk.database, CauseRising)) == 3, "the crew's next heap"


def said(call_id: str, text: str, speaker: str = "customer", start: float = 4.0) -> Segment:
    return Segment(
        segment_id=new_ulid(),
        call_id=call_id,
        speaker=speaker,
        agent_number=None,
        start=start,
        end=start + 2,
        raw=text,
        text=text,
        created_at=START,
    )


async def spoken(desk: Desk, *segments: Segment) -> None:
    """Store a call with its text, and tell that the text is there."""
    call_id = segments[0].call_id
    async with desk.database.transaction() as session:
        session.add(
            CallRow(
                call_id=call_id,
                node="pbx1",
                direction="in",
                from_number="+8613800138005",
                to_number="4000000000",
                from_name="",
                state="ended",
                menu_path=[],
                talk_ms=60_000,
                hold_ms=0,
                started_at=desk.now,
            )
        )
        await store_segments(session, segments)
    async with desk.database.transaction() as session:
        fact = TranscriptMade(at=desk.now, call_id=call_id, state="done")
        await SaidListener(shipped_watchwords()).take(session, fact)


async def test_a_word_that_a_customer_said_is_told_of_the_call(desk: Desk) -> None:
    call_id = new_ulid()
    agent = said(call_id, "您可以打12315", speaker="agent", start=1)
    await spoken(desk, agent, said(call_id, "我要去找记者"), said(call_id, "记者会来的", start=9))
    (told,) = await facts(desk.database, WatchwordSaid)
    assert (told.call_id, told.about, told.word, told.second) == (call_id, "media", "记者", 4.0)
    assert await facts(desk.database, WatchwordFound) == []


async def test_a_word_said_in_a_call_of_a_case_is_told_of_the_case(desk: Desk) -> None:
    view, call_id = await desk.new(), new_ulid()
    async with desk.database.transaction() as session:
        await session.execute(
            update(ServiceCase).where(ServiceCase.id == view.case_id).values(call_id=call_id)
        )
    await spoken(desk, said(call_id, "不解决我就起诉你们"))
    (told,) = await facts(desk.database, WatchwordFound)
    assert (told.case_id, told.about, told.word) == (view.case_id, "regulator", "起诉")
    assert await facts(desk.database, WatchwordSaid) == []


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_pages_and_api_of_rules_and_heaps(office: OfficeStage) -> None:
    mine = {"Origin": office.stage.url}
    status, page = await get(office, "manager", "/lists/alert-rules")
    assert status == 200 and "12315" in page and "系统自带" in page
    async with signed_in(office, "manager") as visitor:
        async with visitor.get("/api/v1/alert-rules") as answer:
            now = await answer.json()
        assert now["latest"] == 0 and now["rules"]["heaps"]["crew"] == {"needed": 3, "days": 7}
        given = {
            "words": {"other": ["<b>漏电"]},
            "heaps": {"project": {"needed": 2, "days": 7}},
            "expected": 0,
        }
        async with visitor.post("/api/v1/alert-rules", json=given, headers=mine) as answer:
            assert answer.status == 201, await answer.text()
        async with visitor.post("/api/v1/alert-rules", json=given, headers=mine) as answer:
            assert answer.status == 412
    for _ in range(2):
        view = await office.new(TILE, at=0)
    database = office.stage.database
    newest = (await facts(database, ComplaintRegistered))[-1]
    async with database.transaction() as session:
        await look_at_case(session, newest)
    (told,) = await facts(database, CauseRising)
    status, page = await get(office, "manager", "/lists/heaps")
    assert status == 200 and told.subject in page
    status, page = await get(office, "manager", f"/lists/heaps/{told.heap_id}")
    assert status == 200 and view.no in page and "已了解" in page
    assert (await get(office, "spc", "/lists/heaps"))[0] == 403
    _, red = await get(office, "manager", "/red-list")
    assert '/lists/heaps?unseen=1">集中投诉 <b class="num">1</b>' in red
    async with signed_in(office, "manager") as visitor:
        where = f"/api/v1/cause-heaps/{told.heap_id}"
        async with visitor.get(where) as answer:
            found = await answer.json()
            tag = answer.headers["ETag"]
        assert found["items"][0]["no"] == view.no and found["heap"]["cases"] == len(found["items"])
        async with visitor.post(where + "/noted", headers=mine | {"If-Match": '"99"'}) as answer:
            assert answer.status == 412
        async with visitor.post(where + "/noted", headers=mine | {"If-Match": tag}) as answer:
            assert answer.status == 200 and (await answer.json())["seen_by"]
        async with visitor.get("/api/v1/cause-heaps?unseen=true") as answer:
            assert (await answer.json())["items"] == []
    _, page = await get(office, "manager", "/lists/alert-rules")
    assert "&lt;b&gt;漏电" in page and "<b>漏电" not in page


async def test_the_form_keeps_what_was_written_and_publishes(office: OfficeStage) -> None:
    async with signed_in(office, "manager") as visitor:
        form = {f"heaps.{one.value}.{part}": "7" for one in Subject for part in ("needed", "days")}
        form |= {"version": "0", "words.media": "记者、电视台\n曝光", "why": "试"}
        sent = partial(visitor.post, "/lists/alert-rules", headers={"Origin": office.stage.url})
        async with sent(data=form | {"heaps.crew.days": "x"}) as answer:
            page = await answer.text()
            assert answer.status == 400 and "记者、电视台" in page and 'id="wrong-heaps.crew"' in page
        async with sent(data=form | {"words.other": "一"}) as answer:
            assert answer.status == 400 and 'id="wrong-words.other"' in await answer.text()
        async with sent(data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        async with sent(data=form) as answer:
            assert answer.status == 412
        async with visitor.get("/api/v1/alert-rules") as answer:
            rules = (await answer.json())["rules"]
    assert rules["words"]["media"] == ["记者", "电视台", "曝光"] and rules["why"] == "试"
