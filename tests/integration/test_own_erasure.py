"""After a deletion the person stands nowhere, under whatever id they were (domain.md §6.4)."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.models import MODULES
from callback_campaigns.retention import CallbackCalls
from crm.data_requests import DataRequests, RequestKind
from crm.domain.retention import shipped_retention
from crm.limits import LimitBook
from crm.retention import Retention
from kernel.clock import FakeClock
from kernel.db import Base, Database
from kernel.ids import new_ulid
from telephony.retention import CallShelf
from tests.support import traces
from tests.support.people import MANAGER, Desk, make_desk
from web.pages import own_copy_words
from web.personal_places import PERSONAL

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
NAME, NUMBER = "欧阳晴川", "13800138001"
PLAIN: dict[str, Any] = {
    "UtcDateTime": NOW,
    "Integer": 1,
    "Date": NOW.date(),
    "Numeric": Decimal(1),
    "Float": 1.0,
    "Boolean": False,
    "JSON": [],
}
WORDS = f"{NAME}说漏水，电话{NUMBER}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def desk(sqlite: Database, clock: FakeClock) -> Desk:
    assert MODULES
    return make_desk(sqlite, clock)


@pytest.fixture
def retention(desk: Desk, tmp_path: Path) -> Retention:
    return Retention(
        desk.office,
        shipped_retention(),
        calls=CallShelf(),
        callbacks=CallbackCalls(tmp_path),
        personal=PERSONAL,
    )


@pytest.fixture
def requests(desk: Desk, retention: Retention, clock: FakeClock) -> DataRequests:
    return DataRequests(desk.office, LimitBook(clock), retention)


async def put(desk: Desk, table: str, **values: Any) -> None:
    """Write a row down; whatever else it must have is of no interest."""
    await traces.put(desk.office.database, table, PLAIN, **values)


async def talk(desk: Desk, owner: str, folder: Path, ended: datetime, project: str | None = None) -> Path:
    """Write a callback down in which the customer spoke; return the recording."""
    task, said, voice = new_ulid(), new_ulid(), new_ulid()
    await put(
        desk,
        "callback_task",
        id=task,
        key=task,
        customer_id=owner,
        project_id=project,
        ended_at=ended,
        status="done",
        tried=[],
    )
    await put(desk, "callback_talk", id=said, task_id=task, customer_id=owner, explanation=WORDS)
    await put(
        desk,
        "callback_answer",
        id=new_ulid(),
        talk_id=said,
        task_id=task,
        text=WORDS,
        reason=WORDS,
        score=3,
    )
    path = folder / said / "Q1.wav"
    path.parent.mkdir()
    path.write_bytes(b"RIFF")
    await put(
        desk,
        "callback_voice",
        id=voice,
        talk_id=said,
        task_id=task,
        path=f"{said}/Q1.wav",
        transcript=WORDS,
    )
    await put(
        desk,
        "dial_attempt",
        id=new_ulid(),
        task_id=task,
        customer_id=owner,
        number=f"+86{NUMBER}",
        heard=WORDS,
        state="ended",
        ended_at=ended,
        channel_id=voice,
    )
    return path


async def found(desk: Desk) -> set[str]:
    """Return where the name or the number still stands; the journal and the list of refusals may."""
    places = set()
    async with desk.office.database.session() as session:
        for table in Base.metadata.sorted_tables:
            for row in (await session.execute(select(table))).mappings():
                places |= {
                    f"{table.name}.{name}"
                    for name, value in row.items()
                    if NAME in str(value) or NUMBER in str(value)
                }
    return {one for one in places if not one.startswith(("audit_record.", "outbox."))}


async def test_merged_and_deleted_they_stand_nowhere(
    desk: Desk, requests: DataRequests, tmp_path: Path
) -> None:
    kept = (await desk.customer(NAME, NUMBER)).customer_id
    gone = await desk.customer(NAME, NUMBER, "13900139001")
    await desk.merging.merge(MANAGER, kept, gone.customer_id, reason=f"同一人{NAME}", expected=None)
    path = await talk(desk, kept, tmp_path, NOW)
    await put(desk, "customer_freeze", id=new_ulid(), customer_id=kept, reason=WORDS)
    await put(desk, "customer_voice", id=new_ulid(), customer_id=kept, text=WORDS)
    await put(desk, "callback_request", id=new_ulid(), customer_id=kept, e164=f"+86{NUMBER}")
    call = new_ulid()
    await put(
        desk,
        "call",
        call_id=call,
        customer_id=kept,
        direction="in",
        from_number=NUMBER,
    )
    await put(desk, "agent", agent_id=(agent := new_ulid()), number="1001")
    await put(desk, "wrap_up", call_id=call, agent_id=agent, notes=WORDS, draft_notes=WORDS)
    await put(desk, "outgoing_message", message_id=new_ulid(), address=f"+86{NUMBER}", to_customer=True)
    assert {
        "customer_merge.moved",
        "outgoing_message.address",
        "callback_answer.text",
        "wrap_up.notes",
    } <= await found(desk)
    made = await requests.receive(MANAGER, kept, RequestKind.DELETE, evidence="核对了合同号")
    done = await requests.answer(MANAGER, made.request_id, made.version)
    assert done.kept_until is None
    assert await found(desk) == set()
    assert not path.exists()
    assert "继续保留" in (done.answer or ""), "what stays is said"


async def test_a_callback_ends_two_years_after_delivery_with_its_recording(
    desk: Desk, retention: Retention, tmp_path: Path
) -> None:
    owner = (await desk.customer("王建军", "13900139009")).customer_id
    old = await talk(desk, owner, tmp_path, datetime(2024, 1, 30, 2, 0, tzinfo=UTC))
    young = await talk(desk, owner, tmp_path, datetime(2024, 4, 1, 2, 0, tzinfo=UTC))
    assert {(one.kind, one.retention_class.value) for one in await retention.due()} == {
        ("callback", "CALLBACK")
    }
    assert await retention.run_once() == {("callback", "CALLBACK"): 1}
    assert (old.exists(), old.parent.exists(), young.exists()) == (False, False, True)
    answer = Base.metadata.tables["callback_answer"]
    async with desk.office.database.session() as session:
        rows = (await session.execute(select(answer.c.text, answer.c.score))).all()
    assert sorted(rows) == [("", 3), (WORDS, 3)], "figures stay"
    assert await retention.run_once() == {}


async def test_the_copy_has_what_they_said_and_what_they_paid(
    desk: Desk, requests: DataRequests, tmp_path: Path
) -> None:
    owner = (await desk.customer(NAME, NUMBER)).customer_id
    home = (await desk.project(owner)).project.project_id
    await talk(desk, owner, tmp_path, NOW)
    await put(desk, "customer_freeze", id=new_ulid(), customer_id=owner, reason=WORDS, scope="site")
    await put(desk, "customer_voice", id=new_ulid(), customer_id=owner, text=WORDS)
    await put(desk, "project_payment", id=new_ulid(), project_id=home, amount=Decimal(300), receipt_no="S1")
    case = new_ulid()
    await put(desk, "service_case", id=case, no="TS1", kind="complaint", customer_id=owner, content=WORDS)
    await put(desk, "complaint", case_id=case, demand="换砖", registered_by_id=owner)
    await put(desk, "attachment", id=new_ulid(), case_id=case, name="墙.jpg", purpose="photo")
    made = await requests.receive(MANAGER, owner, RequestKind.COPY, evidence="核对了合同号")
    copy = await requests.copy(MANAGER, made.request_id)
    assert json.loads(json.dumps(copy)) == copy
    told = {
        "answers": "text",
        "recordings": "transcript",
        "freezes": "reason",
        "suggestions": "text",
    }
    assert {copy[part][0][field] for part, field in told.items()} == {WORDS}
    assert (copy["payments"][0]["receipt_no"], copy["demands"][0]["demand"]) == ("S1", "换砖")
    assert (copy["files"][0]["name"], copy["files"][0]["no"]) == ("墙.jpg", "TS1")
    assert set(own_copy_words.PARTS) == set(copy) - {"request", "at"}, "the page shows every part"
    fields = {name for part in own_copy_words.PARTS for row in _rows(copy[part]) for name in row}
    assert fields <= set(own_copy_words.FIELDS), "in words"


def _rows(part: Any) -> list[dict[str, Any]]:
    return [part] if isinstance(part, dict) else part
