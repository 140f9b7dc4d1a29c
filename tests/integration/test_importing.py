"""Imports: what files are refused, what each bad row says, nothing half, the same file again."""

import asyncio
import csv
import io
import zipfile
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from crm.domain.freeze import ContactPurpose
from crm.domain.import_columns import PROBLEMS
from crm.domain.import_rows import RowProblem
from crm.domain.project import Stage
from crm.importing.jobs import ImportJobs, JobState
from crm.importing.report_file import report_csv, report_xlsx
from crm.importing.service import Importer, ImportReport, Options
from crm.importing.sheet import MAX_ROWS, BadSheet, read_sheet
from crm.people import CustomerFilter
from crm.projects import ProjectFilter
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden
from tests.support.people import AGENT, MANAGER, Desk, make_desk
from web.pages.people_words import IMPORT_PROBLEMS

pytestmark = pytest.mark.integration

TITLES = "客户姓名,电话,合同号,小区,楼号,房号,合同金额,签约日期,阶段,施工队,实际开工日期"
GOOD = "王建军,13800138001,ZX-1,锦秋家园,6,1203,128000.50,2026-01-05,,,"


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_desk(database, clock)


def sheet(*rows: str, titles: str = TITLES, encoding: str = "utf-8") -> bytes:
    return "\r\n".join([titles, *rows]).encode(encoding)


def excel(*rows: list[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)  # type: ignore[union-attr]
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


async def run(
    desk: Desk, content: bytes, *, good_rows_only: bool = False, overwrite: bool = False
) -> ImportReport:
    options = Options(good_rows_only=good_rows_only, overwrite=overwrite)
    return await Importer(desk.office).run(MANAGER, content, "客户.csv", options)


async def counts(desk: Desk) -> tuple[int, int]:
    people = await desk.people.page(MANAGER, CustomerFilter(), limit=200)
    projects = await desk.projects.page(MANAGER, ProjectFilter(), limit=200)
    return len(people.items), len(projects.items)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
async def test_a_sheet_in_any_usual_encoding(sqlite: Database, clock: FakeClock, encoding: str) -> None:
    desk = make_desk(sqlite, clock)
    report = await run(desk, sheet(GOOD, encoding=encoding))
    assert (report.written, report.new_customers, report.new_projects) == (True, 1, 1)
    (project,) = (await desk.projects.page(MANAGER, ProjectFilter())).items
    assert (project.address, str(project.amount), project.signed_on, project.stage) == (
        "锦秋家园6号楼1203室",
        "128000.50",
        date(2026, 1, 5),
        Stage.REGISTERED,
    )


async def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    rows = [GOOD, "王建军,13800138001,ZX-2,锦秋家园,7,801,,,,,", "刘敏,13800138001;13900139001,,,,,,,,,"]
    first = await run(desk, sheet(*rows))
    assert (first.new_customers, first.new_projects, first.new_phones) == (2, 2, 3)
    before = [
        (await desk.people.get(MANAGER, item.customer_id)).version
        for item in (await desk.people.page(MANAGER, CustomerFilter())).items
    ]
    again = await run(desk, sheet(*rows))
    assert (again.new_customers, again.new_projects, again.new_phones) == (0, 0, 0)
    assert (again.changed_customers, again.changed_projects, again.unchanged) == (0, 0, 3)
    after = [
        (await desk.people.get(MANAGER, item.customer_id)).version
        for item in (await desk.people.page(MANAGER, CustomerFilter())).items
    ]
    assert after == before
    assert await counts(desk) == (2, 2)


async def test_nothing_is_half_imported(desk: Desk) -> None:
    content = sheet(GOOD, "李秀英,不知道,,,,,,,,,")
    report = await run(desk, content)
    assert (report.written, report.good, report.bad) == (False, 1, 1)
    assert await counts(desk) == (0, 0)
    (problem,) = report.problems
    assert (problem.row, problem.column, problem.code, problem.value) == (3, "电话", "not_a_phone", "")
    good = await run(desk, content, good_rows_only=True)
    assert (good.written, good.new_customers) == (True, 1)
    assert await counts(desk) == (1, 1)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (",13800138001,,,,,,,,,", "客户姓名", "empty"),
        ("王建军,,,,,,,,,,", "电话", "empty"),
        ("王建军,110,,,,,,,,,", "电话", "public_number"),
        (f"{'王' * 41},13800138001,,,,,,,,,", "客户姓名", "too_long"),
        ("王建军,13800138001,ZX-1,,,,,,,,", "小区", "address_missing"),
        ("王建军,13800138001,,锦秋家园,,,,,,,", "合同号", "contract_missing"),
        ("王建军,13800138001,ZX-1,锦秋家园,,,12.345,,,,", "合同金额", "not_an_amount"),
        ("王建军,13800138001,ZX-1,锦秋家园,,,,2026-02-30,,,", "签约日期", "not_a_day"),
        ("王建军,13800138001,ZX-1,锦秋家园,,,,2027-02-03,,,", "签约日期", "future_day"),
        (
            "王建军,13800138001,ZX-1,锦秋家园,,,,2026-02-03,50,赵师傅施工队,2026-02-01",
            "实际开工日期",
            "days_out_of_order",
        ),
        ("王建军,13800138001,ZX-1,锦秋家园,,,,,飞了,,", "阶段", "not_a_choice"),
        ("王建军,13800138001,ZX-1,锦秋家园,,,,,35,,", "施工队", "crew_missing"),
        ("王建军,13800138001,ZX-1,锦秋家园,,,,,35,没有的队,", "施工队", "unknown_crew"),
        ("王建军,13800138001,ZX-1,锦秋家园,,,,,50,赵师傅施工队,", "实际开工日期", "start_missing"),
        ("=HYPERLINK(1),13800138001,,,,,,,,,", "客户姓名", "formula"),
        ("@SUM(A1),13800138001,,,,,,,,,", "客户姓名", "formula"),
        ("+cmd|' /C calc'!A0,13800138001,,,,,,,,,", "客户姓名", "formula"),
    ],
)
async def test_a_bad_row_says_where_and_what(
    sqlite: Database, clock: FakeClock, row: str, column: str, code: str
) -> None:
    desk = make_desk(sqlite, clock)
    await desk.crew()
    report = await Importer(desk.office).check(MANAGER, sheet(row), "x.csv")
    assert [(item.row, item.column, item.code) for item in report.problems] == [(2, column, code)]
    assert await counts(desk) == (0, 0)


async def test_rows_are_checked_against_what_is_here(desk: Desk) -> None:
    owner = await desk.customer("陈桂兰", "13800138006")
    await desk.project(owner.customer_id, "ZX-9")
    for _ in range(2):
        await desk.customer("刘洋", "13800138005")
    rows = [
        "王建军,13800138001,ZX-9,锦秋家园,,,,,,,",
        "刘洋,13800138005,,,,,,,,,",
        "王五,13800138011,ZX-3,锦秋家园,,,,,,,",
        "王五,13800138011,ZX-3,锦秋家园,,,,,,,",
    ]
    report = await Importer(desk.office).check(MANAGER, sheet(*rows), "x.csv")
    assert [(item.row, item.code) for item in report.problems] == [
        (2, "contract_of_other"),
        (3, "ambiguous_customer"),
        (5, "contract_twice"),
    ]


async def test_what_is_written_down_here_is_kept_unless_overwritten(desk: Desk) -> None:
    owner = await desk.customer("王建军", "13800138001")
    made = await desk.project(owner.customer_id, "ZX-1", designer="许菲")
    key = made.project.project_id
    titles = "姓名,电话,电话2,合同号,设计师,项目经理,小区"
    content = sheet("王建军,13800138001,13900139009,ZX-1,唐宁,马超群,锦秋家园", titles=titles)
    report = await run(desk, content)
    assert [(item.column, item.code) for item in report.problems] == [("设计师", "kept")]
    found = (await desk.projects.get(MANAGER, key)).project
    assert (found.designer, found.project_manager) == ("许菲", "马超群")
    assert len((await desk.people.get(MANAGER, owner.customer_id)).phones) == 2
    report = await run(desk, content, overwrite=True)
    assert (report.changed_projects, report.problems) == (1, ())
    assert (await desk.projects.get(MANAGER, key)).project.designer == "唐宁"


async def test_a_refusal_survives_an_import_and_one_never_lifts_it(desk: Desk) -> None:
    owner = await desk.customer("王建军", "13800138001")
    await desk.do_not_call.add(AGENT, level=3, source="agent", evidence="通话", customer_id=owner.customer_id)
    await run(desk, sheet("王建军,13800138001,否", "赵六,13800138001,1", titles="姓名,电话,勿扰"))
    assert len((await desk.people.get(MANAGER, owner.customer_id)).refusals) == 2
    async with desk.office.database.session() as session:
        for purpose in (ContactPurpose.SURVEY, ContactPurpose.SERVICE):
            refusal = await desk.do_not_call.allows(session, "+8613800138001", None, purpose)
            assert refusal is not None
    page = await desk.people.page(MANAGER, CustomerFilter(do_not_call=True))
    assert {item.name for item in page.items} == {"王建军", "赵六"}


def test_files_that_are_refused() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(3):
            archive.writestr(f"xl/worksheets/sheet{n}.xml", b"0" * (80 * 1024 * 1024))
    macro = io.BytesIO(excel(["姓名", "电话"], ["王", "13800138001"]))
    with zipfile.ZipFile(macro, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"x")
    entities = io.BytesIO()
    with zipfile.ZipFile(entities, "w") as archive:
        archive.writestr("xl/workbook.xml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>')
    refused = [
        (b"", "empty"),
        (b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        (b"\xff\x00\x81\x30", "UTF-8 nor GB18030"),
        (b"PK\x03\x04nonsense", "damaged"),
        (bomb.getvalue(), "unpacks to too much"),
        (macro.getvalue(), "macros"),
        (entities.getvalue(), "entities"),
        (b"a\x00b,c\n1,2", "not a text file"),
        (sheet(), "no rows"),
        (b"\n,,,\n", "empty"),
        (b'a,b\n"1,2', "quotes"),
        (sheet(*["王,1"] * (MAX_ROWS + 1), titles="姓名,电话"), "split"),
        (b",".join([b"x"] * 90) + b"\n1", "columns"),
        (b"x" * (16 * 1024 * 1024 + 1), "larger"),
    ]
    for content, words in refused:
        with pytest.raises(BadSheet, match=words):
            read_sheet(content)


async def test_excel_cells_as_excel_stores_them(desk: Desk) -> None:
    await desk.crew()
    content = excel(
        ["客户姓名", "电话", "合同号", "小区", "合同金额", "签约日期", "面积", "长者"],
        ["王建军", 13800138001, 20260001, "锦秋家园", 128000.5, date(2026, 1, 5), 89, True],
        ["李秀英", 13800138002.0, "ZX-2", "锦秋家园", "=1+1", date(2026, 1, 5), 89, False],
    )
    report = await run(desk, content, good_rows_only=True)
    assert [(item.row, item.column, item.code) for item in report.problems] == [(3, "合同金额", "formula")]
    (project,) = (await desk.projects.page(MANAGER, ProjectFilter())).items
    assert (project.contract_no, str(project.amount), str(project.area_m2)) == (
        "20260001",
        "128000.50",
        "89.00",
    )
    (customer,) = (await desk.people.page(MANAGER, CustomerFilter())).items
    assert customer.elder_mode


async def test_a_header_that_is_wrong_stops_all(desk: Desk) -> None:
    for titles, code in (("姓名,地址", "missing_column"), ("姓名,客户,电话", "repeated_column")):
        report = await run(desk, sheet("王,1,2", titles=titles), good_rows_only=True)
        assert (report.written, report.problems[0].code, report.bad) == (False, code, 1)
    report = await run(desk, sheet("王,13800138001,红", titles="姓名,电话,喜欢的颜色"))
    assert (report.written, [item.code for item in report.problems]) == (True, ["unknown_column"])


async def test_who_may_import(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        await Importer(desk.office).check(AGENT, sheet(GOOD), "x.csv")
    with pytest.raises(Forbidden):
        await Importer(desk.office).run(AGENT, sheet(GOOD), "x.csv")


def test_pages_have_words_for_every_problem() -> None:
    assert set(IMPORT_PROBLEMS) == set(PROBLEMS)


def test_no_cell_of_the_report_becomes_a_formula() -> None:
    problems = [
        RowProblem(row=2, column=cell, code="formula", value=cell)
        for cell in ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "好")
    ]
    rows = list(csv.reader(io.StringIO(report_csv(problems).decode("utf-8-sig"), newline="")))
    assert [row[2] for row in rows[1:]] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "好"]
    book = load_workbook(io.BytesIO(report_xlsx(problems)))
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
    assert not any(cell.data_type == "f" for cell in cells)
    assert all(len(words) == 2 and all(words) for words in PROBLEMS.values())


async def test_a_job_is_uploaded_checked_then_done(desk: Desk) -> None:
    jobs = ImportJobs(desk.office, Importer(desk.office))
    job = await jobs.upload(MANAGER, "C:\\客户\\名单.csv", sheet(GOOD))
    assert (job.filename, job.state) == ("名单.csv", JobState.CHECKING)
    with pytest.raises(Conflict):
        await jobs.start(MANAGER, job.job_id, good_rows_only=False)
    assert await jobs.run_once()
    checked = await jobs.get(MANAGER, job.job_id)
    assert checked.report is not None
    assert (checked.state, checked.report.new_customers) == (JobState.CHECKED, 1)
    assert await counts(desk) == (0, 0)
    await jobs.start(MANAGER, job.job_id, good_rows_only=False)
    assert await jobs.run_once()
    done = await jobs.get(MANAGER, job.job_id)
    assert (done.state, done.report and done.report.written) == (JobState.DONE, True)
    assert await counts(desk) == (1, 1)
    assert not await jobs.run_once()
    bad = await jobs.upload(MANAGER, "x.xlsx", b"PK\x03\x04no")
    await jobs.run_once()
    refused = await jobs.get(MANAGER, bad.job_id)
    assert refused.state is JobState.REFUSED
    assert refused.problem is not None
    assert "damaged" in refused.problem


async def test_two_imports_at_once_make_nobody_twice(desk: Desk) -> None:
    reports = await asyncio.gather(*(run(desk, sheet(GOOD)) for _ in range(2)), return_exceptions=True)
    assert any(isinstance(report, ImportReport) and report.written for report in reports)
    assert (await counts(desk))[1] == 1
