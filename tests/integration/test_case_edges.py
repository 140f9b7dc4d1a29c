"""The edges of cases: papers, closed doors, people who turned out to be one."""

import io
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import select, update

from crm.attachments import Attachments, Purpose
from crm.complaint_input import Acceptance, NewVisit
from crm.complaint_tables import CaseHandoff
from crm.domain.case import Source
from crm.domain.complaint import NotYet
from crm.domain.complaint_line import AcceptMode, LineStatus
from crm.domain.handoff import HandoffState, SignatureKind, Signed
from crm.file_store import FileStore
from crm.handoffs import Box
from crm.limit_lists import OverdueList
from crm.tables import Customer
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid
from tests.support.complaints import (
    BOSS,
    ENGINEER,
    FINANCE,
    HOUR,
    HR,
    INTEGRITY,
    MANAGER,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
)
from tests.support.limits import SettableClock, at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 09:00."""
    return SettableClock(at("2026-03-20T09:00"))


@pytest.fixture
async def desk(database: Database, clock: SettableClock) -> Desk:
    return await open_desk(database, clock)


async def test_CN_not_filed_takes_its_handoffs_out_of_the_inbox(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.services.end.not_file(MANAGER, view.case_id, view.version, "同一件事已经立案")
    for box in (Box.WAITING, Box.LATE):
        page = await desk.services.handoffs.page(ENGINEER, box)
        assert view.case_id not in {item.case_id for item in page.items}
    async with desk.database.session() as session:
        query = select(CaseHandoff).where(CaseHandoff.case_id == view.case_id)
        row = (await session.scalars(query)).one()
    assert row.state == HandoffState.REJECTED.value
    assert row.open_key is None
    assert row.received_by == MANAGER.name
    assert "同一件事已经立案" in (row.reject_reason or "")


async def test_a_paper_signature_needs_the_scan_in_the_case(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    view, other = await desk.handed_off(), await desk.handed_off()
    files = Attachments(
        desk.database,
        desk.clock,
        cases=desk.register,
        journal=desk.journal,
        store=FileStore(tmp_path_factory.mktemp("files")),
    )
    paper = io.BytesIO()
    Image.new("RGB", (400, 300), "white").save(paper, "PNG")
    scan = await files.add(
        SPECIALIST, view.case_id, content=paper.getvalue(), name="确认单.png", purpose=Purpose.SCAN
    )

    def signed(sha256: str) -> Acceptance:
        signature = Signed(kind=SignatureKind.PAPER_SCAN, scan_sha256=sha256)
        return Acceptance(signature=signature, mode=AcceptMode.PLAN_FIRST)

    line, strange = view.lines[0], other.lines[0]
    for wanted, sha256 in ((line, "a" * 64), (strange, scan.sha256)):
        with pytest.raises(Invalid) as refused:
            await desk.services.work.accept(ENGINEER, wanted.line_id, wanted.version, signed(sha256))
        assert refused.value.field == "signature.scan_sha256"
    assert (await desk.line(line)).status is LineStatus.HANDED_OFF
    found = await desk.services.work.accept(ENGINEER, line.line_id, line.version, signed(scan.sha256.upper()))
    assert found.handoffs[-1].signature_hash == scan.sha256


async def test_the_department_sees_the_whole_number_only_while_it_has_to_call(desk: Desk) -> None:
    view = await desk.handed_off()
    page = await desk.services.handoffs.page(ENGINEER, Box.WAITING)
    handoff_id = next(item.handoff_id for item in page.items if item.case_id == view.case_id)
    open_sheet = await desk.services.handoffs.sheet(ENGINEER, handoff_id)
    assert open_sheet.phone is not None and "*" not in open_sheet.phone
    await desk.done(view.lines[0])
    await desk.call_back(view)
    await desk.close(view)
    closed = await desk.services.handoffs.sheet(ENGINEER, handoff_id)
    assert closed.phone is not None and "*" in closed.phone
    assert (await desk.services.handoffs.sheet(MANAGER, handoff_id)).phone == open_sheet.phone


async def test_a_department_that_sent_it_back_sees_no_whole_number(desk: Desk) -> None:
    view = await desk.handed_off()
    line = view.lines[0]
    await desk.services.work.reject(ENGINEER, line.line_id, line.version, "不是工程的事")
    page = await desk.services.handoffs.page(ENGINEER, Box.REJECTED)
    handoff_id = next(item.handoff_id for item in page.items if item.case_id == view.case_id)
    phone = (await desk.services.handoffs.sheet(ENGINEER, handoff_id)).phone
    assert phone is not None and "*" in phone


async def test_a_case_of_a_merged_customer_is_registered_for_whom_they_turned_out_to_be(desk: Desk) -> None:
    async with desk.database.transaction() as session:
        other = (
            await session.scalars(select(Customer.id).where(Customer.id != desk.customer_id).limit(1))
        ).one()
        await session.execute(
            update(Customer).where(Customer.id == other).values(merged_into=desk.customer_id)
        )
    view = await desk.new(customer_id=other)
    assert view.header.customer_id == desk.customer_id
    assert view.header.project_id == desk.project_id


async def test_class_9_is_for_customer_service_and_the_managers_only(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, INTEGRITY)
    secret = next(line for line in view.lines if line.confidential)
    for actor, shown in (
        (SPECIALIST, True), (MANAGER, True), (BOSS, True), (FINANCE, False), (HR, False), (ENGINEER, False)
    ):  # fmt: skip
        found = await desk.services.complaints.get(actor, view.case_id)
        assert (secret.line_id in {line.line_id for line in found.lines}) is shown, actor.name
        page = await desk.services.handoffs.page(actor, Box.ALL)
        assert (secret.line_id in {item.line_id for item in page.items}) is shown, actor.name


async def test_a_forwarded_order_is_not_dropped_before_the_hotline_was_told(desk: Desk) -> None:
    view = await desk.handed_off(source=Source.HOTLINE_FORWARD, external_no="95598-20260320-1")
    assert "not_file" not in (await desk.get(view)).steps
    with pytest.raises(NotYet) as refused:
        await desk.services.end.not_file(MANAGER, view.case_id, view.version, "重复转办")
    assert refused.value.field == "reply_to_source"
    view = await desk.services.end.reply_to_source(SPECIALIST, view.case_id, view.version, "已与前单合并处理")
    view = await desk.services.end.not_file(MANAGER, view.case_id, view.version, "重复转办")
    assert view.not_filed_why == "重复转办"


async def test_a_visit_names_only_pictures_of_its_case(desk: Desk, clock: SettableClock) -> None:
    view = await desk.handed_off()
    line = await desk.planned(view.lines[0])
    clock.advance(timedelta(days=1, hours=3))
    visit = NewVisit(
        arrived_at=desk.now - 2 * HOUR, left_at=desk.now, who="刘铁柱", record="重贴", photos=(new_ulid(),)
    )
    with pytest.raises(Invalid) as refused:
        await desk.services.work.record_visit(ENGINEER, line.line_id, line.version, visit)
    assert refused.value.field == "photos"
    assert (await desk.line(line)).visits == ()


async def test_late_lists_name_no_confidential_line_to_finance(desk: Desk, clock: SettableClock) -> None:
    view = await desk.handed_off(INTEGRITY)
    clock.advance(timedelta(days=2))
    for actor, shown in ((MANAGER, True), (FINANCE, False)):
        page = await desk.services.overdue.overdue_page(actor, OverdueList.NOT_ACCEPTED, limit=200)
        assert (view.case_id in {row.case_id for row in page.items}) is shown, actor.name
