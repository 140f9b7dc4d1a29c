"""Reports that come by themselves: once a month whatever number of processes, to whom, their lists (1.12)."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from callback_campaigns.regular_reports import RegularReports, ReportCode
from callback_campaigns.report_tables import RegularReportRow
from crm.domain.project import Stage
from crm.journal import Journal
from crm.notices.domain import Channel, Severity
from crm.notices.events import NoticeWanted
from crm.notices.ports import Message
from crm.tables import Customer, Project
from crm.voice_tables import CustomerVoice
from kernel.access import Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from tests.support.limits import SettableClock, at, facts
from tests.support.people import AGENT, MANAGER, actor
from web.report_file import ReportAttachments

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(at("2026-03-20T09:00"))


@pytest.fixture
def reports(database: Database, clock: SettableClock) -> RegularReports:
    return RegularReports(database, clock, zone=SHANGHAI)


async def said(database: Database, clock: SettableClock, kind: str, competitor: str = "") -> None:
    async with database.transaction() as session:
        session.add(
            CustomerVoice(
                id=new_ulid(),
                kind=kind,
                text="隔壁公司送全屋保洁",
                competitor=competitor,
                month=clock.now().astimezone(SHANGHAI).strftime("%Y-%m"),
                at=clock.now(),
                by="周晓梅",
                by_id=new_ulid(),
            )
        )


async def left(database: Database, clock: SettableClock, reason: str) -> None:
    now, key = clock.now(), new_ulid()
    async with database.transaction() as session:
        session.add(Customer(id=key, name="王建军", level="B", created_at=now, updated_at=now))
        await session.flush()
        session.add(
            Project(
                id=new_ulid(),
                contract_no=f"ZX-{key}",
                customer_id=key,
                address="幸福里 1-1-101",
                stage=int(Stage.CANCELLED),
                cancelled_at=now,
                ended_reason=reason,
            )
        )


async def test_a_months_reports_are_told_of_once_whatever_number_of_processes(
    database: Database, clock: SettableClock, reports: RegularReports
) -> None:
    await said(database, clock, "suggestion")
    await said(database, clock, "competitor", "美居")
    await said(database, clock, "competitor", "美居")
    await left(database, clock, "价格")
    workers = [reports.worker(worker=name) for name in ("w1", "w2")]
    for _ in workers:
        await reports.prepare()
    assert [await worker.run_once() for worker in workers] == [0, 0], "the month is not over"
    clock.set(at("2026-04-01T08:59"))
    assert [await worker.run_once() for worker in workers] == [0, 0]
    clock.set(at("2026-04-01T09:00"))
    await said(database, clock, "suggestion")
    assert sum([await worker.run_once() for worker in workers for _ in range(2)]) == 3
    told = {fact.code: fact for fact in await facts(database, NoticeWanted)}
    assert {code: fact.parameters for code, fact in told.items()} == {
        "report.suggestions": {"month": "2026-03", "count": "1"},
        "report.competitors": {"month": "2026-03", "count": "2"},
        "report.lost": {"month": "2026-03", "count": "1"},
    }
    shown = {one.code: one for one in await reports.page(MANAGER)}
    assert shown[ReportCode.COMPETITORS].figures == {"total": 2, "name:美居": 2}
    assert {one.period for one in await reports.page(MANAGER, month="2026-03")} == {"2026-03"}
    async with database.session() as session:
        waiting = (
            await session.scalars(select(RegularReportRow).where(RegularReportRow.sent_at.is_(None)))
        ).all()
    assert {(row.period, row.due_at) for row in waiting} == {("2026-04", datetime(2026, 5, 1, 1, tzinfo=UTC))}


async def test_months_that_nobody_ran_in_are_made_up_for(
    database: Database, clock: SettableClock, reports: RegularReports
) -> None:
    await reports.prepare()
    clock.set(at("2026-06-10T12:00"))
    worker = reports.worker(worker="w1")
    while await worker.run_once():
        clock.advance(timedelta(seconds=1))
    assert {one.period for one in await reports.page(MANAGER)} == {"2026-03", "2026-04", "2026-05"}
    assert len(await facts(database, NoticeWanted)) == 9


async def test_who_left_stands_with_the_reason_and_only_leaders_see_it(
    database: Database, clock: SettableClock, reports: RegularReports
) -> None:
    await left(database, clock, "房屋计划有变")
    (row,) = await reports.lost(MANAGER, "2026-03")
    assert (row.customer_name, row.ended_reason, row.asked_at) == ("王建军", "房屋计划有变", None)
    assert row.ended_on == clock.now().astimezone(SHANGHAI).date()
    assert await reports.lost(MANAGER, "2026-02") == ()
    with pytest.raises(Invalid):
        await reports.lost(MANAGER, "2026-13")
    for who in (AGENT, actor(Role.HR)):
        with pytest.raises(Forbidden):
            await reports.lost(who, "2026-03")
        with pytest.raises(Forbidden):
            await reports.page(who)


async def test_1_12_market_planning_reads_what_goes_to_it(
    database: Database, clock: SettableClock, reports: RegularReports
) -> None:
    await reports.prepare()
    await left(database, clock, "房屋计划有变")
    await said(database, clock, "suggestion")
    clock.set(at("2026-04-01T09:00"))
    worker = reports.worker(worker="w1")
    while await worker.run_once():
        clock.advance(timedelta(seconds=1))
    market = actor(Role.DEPARTMENT_HEAD, department="MKT")
    assert {one.code for one in await reports.page(market)} == {ReportCode.SUGGESTIONS, ReportCode.LOST}
    assert len(await reports.lost(market, "2026-03")) == 1
    assert len(await reports.said(market, ReportCode.SUGGESTIONS, "2026-03")) == 1
    with pytest.raises(Forbidden):
        await reports.said(market, ReportCode.COMPETITORS, "2026-03")
    with pytest.raises(Forbidden):
        await reports.page(actor(Role.DEPARTMENT_HEAD, department="ENG"))
    for code, month in ((ReportCode.LOST, "2026-03"), (ReportCode.SUGGESTIONS, "2026-3")):
        with pytest.raises(Invalid):
            await reports.said(market, code, month)


async def test_the_file_that_goes_along_names_no_customer_and_is_noted(
    database: Database, clock: SettableClock, reports: RegularReports
) -> None:
    await left(database, clock, "=HYPERLINK(1)")
    await said(database, clock, "competitor", "美居")
    log = AuditLog(database, clock)
    attachments = ReportAttachments(database, Journal(log), reports)
    sheets = {}
    for code in ("report.lost", "report.competitors", "limit.breached", "report.unknown"):
        message = Message(
            message_id=new_ulid(),
            channel=Channel.EMAIL,
            address="market@example.com",
            title="x",
            text="x",
            severity=Severity.INFO,
            code=code,
            language="zh-CN",
            parameters={"month": "2026-03"},
        )
        for file in await attachments.of(message):
            (sheet,) = load_workbook(io.BytesIO(file.content)).worksheets
            sheets[file.name] = list(sheet.iter_rows(values_only=True))
    lost, told = sheets["lost-2026-03.xlsx"], sheets["competitors-2026-03.xlsx"]
    assert len(sheets) == 2 and lost[1][1] == "'=HYPERLINK(1)"
    assert "王建军" not in str(sheets) and told[1][1:] == ("美居", "隔壁公司送全屋保洁")
    assert [row.action for row in await log.recent()] == ["data.exported"] * 2
