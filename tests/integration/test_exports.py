"""Lists as files: who takes them out, what is in them, what the audit log keeps, and how much is too much."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from openpyxl import load_workbook
from sqlalchemy import select

from crm.cases import CaseFilter
from crm.exports import CaseExports, FileForm, TooManyRows
from crm.repeat_complaints import RepeatFilter
from kernel.access import GRANTS, Permission
from kernel.audit import AuditLog, AuditRow
from kernel.clock import FakeClock
from kernel.errors import Forbidden, TooMany
from tests.support.office import HOUR, PEOPLE, TILE, OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.web_stage import web_stage
from web.crm_part import CRM
from web.pages.case_parts import CASE_LISTS
from web.pages.exports import AT_ONCE, SLOTS, Slots

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
HOSTILE = '=HYPERLINK("http://evil","点我"),13912345678'
PATHS = (
    "/exports/cases.csv?whose=all&state=any",
    "/exports/overdue.csv?list=not_accepted",
    "/exports/repeats.csv",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path_factory.mktemp("exports"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        for _ in range(2):
            await found.new(TILE, at=3, content=HOSTILE)
            clock.advance(5 * HOUR)
        yield found


async def fetch(office: OfficeStage, login: str, path: str) -> tuple[int, str, bytes]:
    async with signed_in(office, login) as session, session.get(path) as answer:
        return answer.status, answer.headers.get("Content-Disposition", ""), await answer.read()


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def newest(office: OfficeStage) -> dict[str, Any]:
    query = select(AuditRow).where(AuditRow.action == "data.exported").order_by(AuditRow.seq.desc()).limit(1)
    async with office.stage.database.session() as session:
        row = (await session.scalars(query)).one()
    return {"actor": row.actor, **row.detail["after"]}


async def test_only_who_takes_data_out_may(office: OfficeStage) -> None:
    for login, _, role, _ in PEOPLE:
        allowed = Permission.EXPORT in GRANTS[role]
        for path in PATHS:
            assert (login, path, (await get(office, login, path))[0]) == (
                login,
                path,
                200 if allowed else 403,
            )
        page = "/cases" if login != "captain" else "/overdue"
        assert ("/exports/" in (await get(office, login, page))[1]) is allowed


async def test_the_board_as_csv_with_an_audit_row(office: OfficeStage) -> None:
    status, name, content = await fetch(office, "manager", "/exports/cases.csv?whose=all&kind=complaint")
    assert status == 200
    assert name.startswith('attachment; filename="cases-2026')
    rows = [row for row in table(content) if "HYPERLINK" in row["摘要"]]
    assert len(rows) == 2
    assert all(row["摘要"].startswith("'=") for row in rows), "no formula, and no number in full"
    assert all("13912345678" not in part for row in rows for part in row.values())
    assert {row["状态"] for row in rows} == {"待接收"}
    kept = await newest(office)
    assert kept["rows"] == len(table(content))
    assert kept["filter"] == {"kind": "complaint", "open": True}
    assert (kept["actor"], kept["list"], kept["form"]) == ("沈静", "cases", "csv")
    assert (await AuditLog(office.stage.database, office.clock).verify()).sound


async def test_excel_has_the_same_rows_without_formulas(office: OfficeStage) -> None:
    _, _, as_csv = await fetch(office, "boss", "/exports/overdue.csv?list=not_accepted")
    status, name, content = await fetch(office, "boss", "/exports/overdue.xlsx?list=not_accepted")
    assert (status, name.rsplit(".", 1)[1]) == (200, 'xlsx"')
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    numbers = [str(row[0].value) for row in sheet.iter_rows(min_row=2)]
    assert numbers == [row["单号"] for row in table(as_csv)]
    assert len(numbers) >= 2
    assert "f" not in {found.data_type for row in sheet.iter_rows() for found in row}


async def test_repeats_name_what_came_before_in_the_language_of_the_reader(office: OfficeStage) -> None:
    _, _, content = await fetch(office, "manager", "/exports/repeats.csv?days=30&class=1")
    row = next(row for row in table(content) if "HYPERLINK" in row["摘要"])
    assert row["此前单号"].startswith("TS2026")
    assert row["同一问题再犯"] == "是"
    assert (await newest(office))["filter"]["class"] == 1
    async with signed_in(office, "manager") as session:
        session.cookie_jar.update_cookies({"hf_lang": "en"})
        async with session.get("/exports/repeats.csv") as answer:
            assert "单号" not in await answer.text()


async def test_what_is_not_there_is_not_found(office: OfficeStage) -> None:
    for path in ("/exports/cases.pdf", "/exports/overdue.csv?list=nothing", "/exports/customers.csv"):
        assert (await get(office, "manager", path))[0] == 404


async def test_a_list_that_is_too_long_says_so_and_leaves_no_trace(office: OfficeStage) -> None:
    assert office.stage.app is not None
    crm = office.stage.app[CRM]
    exports = CaseExports(
        office.stage.database,
        crm.journal,
        lists=office.stage.app[CASE_LISTS],
        late=crm.complaints.overdue,
        repeats=crm.repeats,
        voices=crm.voices,
        figures=crm.figures,
        appraisals=crm.appraisals,
        most=1,
    )
    async with office.stage.database.session() as session:
        before = (await session.scalars(select(AuditRow.seq))).all()
    with pytest.raises(TooManyRows, match="at most 1 at once"):
        await exports.board(office.who("manager"), CaseFilter(), overdue=False, form=FileForm.CSV)
    async with office.stage.database.session() as session:
        assert (await session.scalars(select(AuditRow.seq))).all() == before
    now = office.clock.now()
    wanted = RepeatFilter(since=now - timedelta(hours=6), until=now)
    with pytest.raises(Forbidden):
        await exports.repeats(office.who("spc"), wanted, form=FileForm.CSV)
    found = await exports.repeats(office.who("boss"), wanted, form=FileForm.CSV)
    assert found.total == sum([len(rows) async for rows in found.pages]) == 1


async def test_few_files_are_made_at_once(office: OfficeStage) -> None:
    slots = Slots(AT_ONCE)
    with slots.one(), slots.one(), pytest.raises(TooMany):
        slots.one().__enter__()
    with slots.one():
        pass
    assert office.stage.app is not None
    with office.stage.app[SLOTS].one(), office.stage.app[SLOTS].one():
        assert (await get(office, "manager", "/exports/repeats.csv"))[0] == 429
    assert (await get(office, "manager", "/exports/repeats.csv"))[0] == 200
