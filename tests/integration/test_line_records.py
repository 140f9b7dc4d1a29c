"""Handle records of a cause line (domain.md §4.4): who, when, what; only added; seen wherever the line is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from sqlalchemy import select

from crm.complaint_views import ComplaintView, LineView
from crm.domain.line_record import RecordKind
from crm.domain.machine import IllegalStep
from crm.line_records import MAX_RECORDS, NewRecord
from crm.tables import Contact
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.errors import Forbidden, Invalid, NotFound
from tests.support.office import DRAWING, HOUR, TILE, OfficeStage
from tests.support.office_web import get, photo, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
HOSTILE = "<img src=x onerror=alert(1)>已联系13800138000厂家"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


@pytest.fixture
async def view(office: OfficeStage) -> ComplaintView:
    """A complaint of two departments; the engineers have signed for theirs."""
    view = await office.new(TILE, DRAWING)
    await office.accept(view)
    office.clock.advance(2 * HOUR)
    return await office.fresh(view)


def a_record(done: str = "打过电话，约好周四看样板", **more: Any) -> NewRecord:
    return NewRecord(**({"kind": RecordKind.TELEPHONE, "done": done} | more))


async def add(office: OfficeStage, login: str, line: LineView, new: NewRecord | None = None) -> Any:
    return await office.crm.complaints.records.add(office.who(login), line.line_id, new or a_record())


async def test_4_4_a_record_says_who_did_what_and_when_and_moves_nothing(
    office: OfficeStage, view: ComplaintView
) -> None:
    line = view.lines[0]
    made = await add(office, "member", line)
    assert (made.who, made.noted_by, made.done_at, made.backdated) == (
        "刘铁柱",
        "刘铁柱",
        office.clock.now(),
        False,
    )
    late = await add(
        office,
        "spc",
        line,
        a_record("上门量尺", kind=RecordKind.VISIT, done_at=office.clock.now() - HOUR, who="张师傅"),
    )
    assert (late.who, late.noted_by, late.backdated) == ("张师傅", "周晓梅", True)
    now = await office.line(view)
    assert [record.record_id for record in now.records] == [made.record_id, late.record_id]
    assert (now.status, now.version, now.due_at) == (line.status, line.version, line.due_at)
    async with office.stage.database.session() as session:
        noted = select(AuditRow.actor).where(AuditRow.action == "complaint.record_add").order_by(AuditRow.seq)
        assert list(await session.scalars(noted)) == ["刘铁柱", "周晓梅"]
        # At the customer's: on the time line. A word on the telephone, or material, is not.
        visits = select(Contact.ref).where(Contact.channel == "visit")
        assert list(await session.scalars(visits)) == [late.record_id]
    hits = await office.crm.search.search(office.who("spc"), "上门量尺")
    assert [hit.ref_id for hit in hits.items] == [view.case_id]


async def test_4_4_only_the_department_and_customer_service_add(
    office: OfficeStage, view: ComplaintView
) -> None:
    line, others = view.lines[0], view.lines[1]
    for login in ("designer", "boss", "finance", "hr"):
        with pytest.raises((Forbidden, NotFound)):
            await add(office, login, line)
    with pytest.raises(NotFound):
        await add(office, "materials", line)
    with pytest.raises(IllegalStep):
        await add(office, "designer", others)
    for wrong in (
        {"done": " "},
        {"done_at": START - HOUR},
        {"done_at": START + 9 * HOUR},
        {"photos": ("x",)},
    ):
        with pytest.raises(Invalid) as refused:
            await add(office, "head", line, a_record(**wrong))
        assert refused.value.field in wrong
    assert not (await office.line(view)).records


async def test_4_4_what_is_sent_twice_is_written_once(office: OfficeStage, view: ComplaintView) -> None:
    first = await add(office, "head", view.lines[0])
    assert (await add(office, "head", view.lines[0])).record_id == first.record_id
    office.clock.advance(timedelta(minutes=3))
    assert (await add(office, "head", view.lines[0])).record_id != first.record_id
    assert MAX_RECORDS >= 100


async def test_4_4_records_over_the_api(office: OfficeStage, view: ComplaintView) -> None:
    path = f"/api/v1/complaint-lines/{view.lines[0].line_id}/records"
    from_us = {"Origin": office.stage.url}
    async with signed_in(office, "member") as session:
        body = {"kind": "material", "done": HOSTILE}
        for _ in range(2):
            async with session.post(path, json=body, headers=from_us | {"Idempotency-Key": "k1"}) as answer:
                assert answer.status == 201
                made = await answer.json()
        async with session.post(path, json=body | {"changed": True}, headers=from_us) as answer:
            assert answer.status == 400
        await add(office, "head", view.lines[0], a_record("第二条"))
        async with session.get(path, params={"limit": "1"}) as answer:
            page = await answer.json()
        assert [item["done"] for item in page["items"]] == ["第二条"]
        async with session.get(path, params={"cursor": page["next_cursor"]}) as answer:
            assert (await answer.json())["items"] == [made]
        for method in ("put", "patch", "delete"):
            async with getattr(session, method)(path, headers=from_us) as answer:
                assert answer.status == 405, "append-only"
        async with session.get(f"/api/v1/complaints/{view.case_id}") as answer:
            assert len((await answer.json())["lines"][0]["records"]) == 2
    status, _ = await get(office, "materials", path)
    assert status == 404


async def test_4_4_the_phone_page_the_case_and_the_sheet_show_them(
    office: OfficeStage, view: ComplaintView
) -> None:
    line = view.lines[0]
    form = FormData({"kind": "material", "done": HOSTILE, "done_at": "", "who": ""})
    form.add_field("photos", photo(), filename="tile.jpg", content_type="image/jpeg")
    status, where, _ = await post(office, "head", f"/lines/{line.line_id}/steps/record", form)
    assert (status, where) == (303, f"/lines/{line.line_id}?done=record#records")
    (record,) = (await office.line(view)).records
    assert len(record.photos) == 1
    sheet = f"/handoffs/{line.handoffs[0].handoff_id}/sheet"
    for login, path in (
        ("head", f"/lines/{line.line_id}"),
        ("spc", f"/cases/{view.case_id}"),
        ("head", sheet),
    ):
        _, page = await get(office, login, path)
        assert "处理记录" in page and "&lt;img src=x" in page and "<img src=x" not in page, path
    assert record.photos[0] in (await get(office, "head", f"/lines/{line.line_id}"))[1]
    # Who has a link without signing in reads no number.
    made = await office.crm.handoff_links.make(office.who("head"), line.handoffs[0].handoff_id)
    shared = await office.crm.handoff_links.open(made.token, ip="10.0.0.9")
    assert "13800138000" not in shared.sheet.records[0].done and "厂家" in shared.sheet.records[0].done
    # A refused one stays in the form.
    status, _, page = await post(
        office, "head", f"/lines/{line.line_id}/steps/record", {"kind": "", "done": "写了一半"}
    )
    assert status == 400 and "写了一半" in page


async def test_a_file_belongs_to_a_chosen_line_of_the_own_department(
    office: OfficeStage, view: ComplaintView
) -> None:
    ours, theirs = view.lines

    async def send(login: str, line_id: str, **more: str) -> tuple[int, str, str]:
        form = FormData({"line_id": line_id, "purpose": "photo"} | more)
        form.add_field("file", photo(), filename="墙砖.jpg", content_type="image/jpeg")
        return await post(office, login, f"/cases/{view.case_id}/files", form)

    status, where, _ = await send("spc", theirs.line_id)
    assert (status, where) == (303, f"/cases/{view.case_id}?done=files#files")
    assert (await send("head", ours.line_id, page=ours.line_id))[0] == 303
    status, _, page = await send("head", theirs.line_id, page=ours.line_id)
    assert status == 400 and 'role="alert"' in page
    files = await office.crm.repairs.attachments.of_case(office.who("spc"), view.case_id)
    assert sorted(item.line_id or "" for item in files) == sorted((theirs.line_id, ours.line_id))
    _, page = await get(office, "spc", f"/cases/{view.case_id}")
    assert "1. 工程部" in page and "2. 设计部" in page
    _, page = await get(office, "head", f"/lines/{ours.line_id}")
    assert f'value="{theirs.line_id}"' not in page, "only the own lines can be chosen"
    other = await office.new(at=1)
    assert (await send("spc", other.lines[0].line_id))[0] == 400
