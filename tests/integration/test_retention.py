"""What has ended is deleted or made anonymous, what is held stays, figures stay (domain.md §6.4)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from callback_campaigns.retention import CallbackCalls
from crm.attachment_tables import AttachmentRow
from crm.domain.retention import RetentionClass, shipped_retention
from crm.legal_holds import LegalHolds
from crm.people_tables import ConsentRow
from crm.retention import Retention
from crm.retention_tables import ErasureRow
from crm.search import Kind
from crm.tables import CallNote, Contact, ServiceCase
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden
from kernel.ids import new_ulid
from telephony.retention import CallShelf
from telephony.tables import CallRow
from tests.support.people import AGENT, MANAGER, Desk, make_desk

pytestmark = pytest.mark.integration

LONG_AGO = datetime(2018, 2, 1, 2, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))


@pytest.fixture
def desk(sqlite: Database, clock: FakeClock) -> Desk:
    return make_desk(sqlite, clock)


@pytest.fixture
def retention(desk: Desk) -> Retention:
    return Retention(desk.office, shipped_retention(), calls=CallShelf(), callbacks=CallbackCalls())


async def case(desk: Desk, customer_id: str, *, closed: datetime | None, **more: object) -> str:
    case_id = new_ulid()
    async with desk.office.database.transaction() as session:
        row = ServiceCase(
            id=case_id,
            no=f"TS{case_id[:20]}",
            kind="complaint",
            customer_id=customer_id,
            status="closed" if closed else "registered",
            summary="墙砖空鼓，王先生很生气",
            content="墙砖空鼓，王先生很生气，电话13800138001",
            severity=1,
            source="phone",
            opened_at=LONG_AGO,
            closed_at=closed,
            **more,
        )
        session.add(row)
        await session.flush()
        await desk.office.search.case(session, case_id)
        session.add(
            AttachmentRow(
                id=new_ulid(),
                case_id=case_id,
                purpose="photo",
                name="墙.jpg",
                media_type="image/jpeg",
                size=3,
                sha256="0" * 64,
                uploaded_at=LONG_AGO,
                uploaded_by="周晓梅",
                uploader_id=AGENT.user_id,
            )
        )
    return case_id


async def call(desk: Desk, at: datetime, customer_id: str, call_id: str = "") -> str:
    call_id = call_id or new_ulid()
    async with desk.office.database.transaction() as session:
        session.add(
            CallRow(
                call_id=call_id,
                node="pbx1",
                direction="in",
                from_number="13800138001",
                to_number="01065558800",
                from_name="",
                customer_id=customer_id,
                state="ended",
                result="ANSWERED",
                menu_path=[],
                started_at=at,
                ended_at=at + timedelta(minutes=3),
                talk_ms=180_000,
                hold_ms=0,
            )
        )
        session.add(
            Contact(
                id=new_ulid(),
                customer_id=customer_id,
                at=at,
                channel="call",
                direction="in",
                ref=call_id,
                detail={},
            )
        )
        session.add(
            CallNote(
                call_id=call_id, disposition="enquiry", notes="问保修", customer_id=customer_id, noted_at=at
            )
        )
    return call_id


async def test_what_has_ended_is_gone_and_the_figures_stay(
    desk: Desk, retention: Retention, clock: FakeClock
) -> None:
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    old = await case(desk, owner, closed=datetime(2018, 2, 20, tzinfo=UTC), call_id=(of_case := new_ulid()))
    still_open = await case(desk, owner, closed=None)
    major = await case(desk, owner, closed=datetime(2018, 2, 20, tzinfo=UTC), major=True)
    younger = await case(desk, owner, closed=datetime(2018, 2, 3, tzinfo=UTC))
    await LegalHolds(desk.office).hold(MANAGER, younger, "法院来函")
    now = clock.now()
    routine = await call(desk, now - timedelta(days=181), owner)
    fresh = await call(desk, now - timedelta(days=179), owner)
    await call(desk, LONG_AGO, owner, of_case)
    ended = {(one.kind, one.ref_id): one for one in await retention.due()}
    assert set(ended) == {("case", old), ("call", routine), ("call", of_case)}
    assert ended["call", of_case].retention_class is RetentionClass.CASE
    assert ended["case", old].ended_on == date(2026, 2, 20)
    async with desk.office.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(ErasureRow)) == 0, (
            "looking deletes nothing"
        )
    gone = await retention.run_once()
    assert gone == {("case", "CASE"): 1, ("call", "ROUTINE"): 1, ("call", "CASE"): 1}
    assert await retention.run_once() == {}
    assert await retention.due() == ()
    async with desk.office.database.session() as session:
        row = await session.get_one(ServiceCase, old)
        assert "王" not in row.summary + row.content
        assert (row.kind, row.severity, row.opened_at) == ("complaint", 1, LONG_AGO)
        files = set(await session.scalars(select(AttachmentRow.case_id)))
        assert files == {still_open, major, younger}
        told = await session.get_one(CallRow, routine)
        assert (told.from_number, told.customer_id, told.talk_ms) == ("", None, 180_000)
        assert (await session.get_one(CallRow, fresh)).from_number == "13800138001"
        assert (await session.get_one(CallNote, routine)).notes == ""
        assert set(await session.scalars(select(Contact.ref))) == {fresh}
        assert await desk.office.search.index.known(session, Kind.COMPLAINT, [old, major]) == {major}


async def test_MAJOR_is_held_until_the_manager_releases_it(desk: Desk, retention: Retention) -> None:
    holds = LegalHolds(desk.office)
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    major = await case(desk, owner, closed=datetime(2010, 3, 20, tzinfo=UTC), major=True)
    assert await retention.run_once() == {}
    with pytest.raises(Forbidden):
        await holds.release(AGENT, major, "官司结束")
    released = await holds.release(MANAGER, major, "官司结束")
    assert (released.released_by, released.release_reason) == (MANAGER.name, "官司结束")
    with pytest.raises(Conflict):
        await holds.release(MANAGER, major, "再一次")
    held = await holds.hold(MANAGER, major, "又来函")
    assert held.released_at is None
    with pytest.raises(Conflict):
        await holds.hold(MANAGER, major, "再一次")
    assert await retention.run_once() == {}
    with pytest.raises(Conflict):  # whoever read the page before it was held anew
        await holds.release(MANAGER, major, "官司结束", hold_id=released.hold_id)
    await holds.release(MANAGER, major, "官司结束", hold_id=held.hold_id)
    assert await retention.run_once() == {("case", "CASE"): 1}
    assert [one.reason for one in await holds.holds(MANAGER, major)] == ["又来函", "重大客诉"]


async def test_the_proof_of_a_withdrawn_consent_ends_with_the_warranty(
    desk: Desk, retention: Retention
) -> None:
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    rows = [
        ConsentRow(
            id=new_ulid(),
            customer_id=owner,
            purpose="marketing_call",
            basis="consent",
            given_at=LONG_AGO - timedelta(days=900),
            evidence="电话录音第12秒",
            text_version="1",
            recorded_by="周晓梅",
            withdrawn_at=withdrawn,
        )
        for withdrawn in (LONG_AGO - timedelta(days=400), None)
    ]
    ids = [row.id for row in rows]
    async with desk.office.database.transaction() as session:
        session.add_all(rows)
    assert await retention.run_once() == {("consent", "CASE"): 1}
    async with desk.office.database.session() as session:
        kept = {row.id: row.evidence for row in await session.scalars(select(ConsentRow))}
    assert "录音" not in kept[ids[0]]
    assert kept[ids[1]] == "电话录音第12秒"
