"""Repair points on pages and by the API: agreement files, the captain's handing over, figures, the ledger."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import FormData

from crm.domain.repair_point import PartKind
from crm.repair_point_views import PointText
from kernel.clock import FakeClock
from tests.support.office import OfficeStage
from tests.support.office_web import get, get_type, photo, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer\n%%EOF\n"
PAGE = "/lists/repair-points"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def point_of(office: OfficeStage, name: str = "张记水电") -> str:
    text = PointText(
        name=name,
        agreement_no=f"WX-{name}",
        district="通州区",
        contact="张师傅",
        phone="13811112222",
        valid_from=START.date(),
    )
    points = office.crm.repair_points
    return (await points.put_point(office.who("manager"), None, text, expected=None)).point_id


def sent(content: bytes, name: str) -> FormData:
    form = FormData(quote_fields=False)  # as browsers send names
    form.add_field("file", content, filename=name, content_type="application/octet-stream")
    return form


async def test_agreements_come_in_and_go_out(office: OfficeStage) -> None:
    point_id = await point_of(office)
    files = f"{PAGE}/{point_id}/files"
    both = sent(PDF, "合作协议.pdf")
    both.add_field("file", photo(), filename="盖章页.jpg", content_type="image/jpeg")
    status, location, _ = await post(office, "manager", files, both)
    assert (status, location) == (303, f"{PAGE}/{point_id}?done=files#files")
    assert (await post(office, "manager", files, sent(PDF, "又一次.pdf")))[0] == 303
    found = await office.crm.point_files.of_point(office.who("captain"), point_id)
    assert [one.name for one in found] == ["合作协议.pdf", "盖章页.jpg"]
    pdf, picture = found
    assert await get_type(office, "captain", f"/repair-point-files/{pdf.file_id}") == (200, "application/pdf")
    small = f"/repair-point-files/{picture.file_id}?small"
    assert await get_type(office, "finance", small) == (200, "image/jpeg")
    assert (await get(office, "spc", f"/repair-point-files/{pdf.file_id}"))[0] == 403
    _, page = await get(office, "spc", f"{PAGE}/{point_id}")
    assert "协议文件" not in page
    _, page = await get(office, "captain", f"{PAGE}/{point_id}")
    assert "合作协议.pdf" in page and 'id="add-files"' not in page
    for content, name in ((b"MZ\x90", "x.pdf"), (PDF, "../../etc/passwd.pdf"), (PDF[:20], "cut.pdf")):
        status, _, page = await post(office, "manager", files, sent(content, name))
        assert status == 400 and 'role="alert"' in page
    assert (await post(office, "captain", files, sent(PDF, "a.pdf")))[0] == 403
    async with signed_in(office, "manager") as session:
        headers = {"Origin": office.stage.url}
        api = f"/api/v1/repair-points/{point_id}/files"
        async with session.post(api, data=sent(PDF, "合作协议.pdf"), headers=headers) as answer:
            assert (answer.status, (await answer.json())["file_id"]) == (201, pdf.file_id)
        async with session.get(api) as answer:
            assert [one["media_type"] for one in (await answer.json())["items"]] == [
                "application/pdf",
                "image/jpeg",
            ]
        async with session.get(f"/api/v1/repair-point-files/{pdf.file_id}") as answer:
            assert (answer.status, await answer.read()) == (200, PDF)


async def test_the_captain_gives_a_repair_to_a_point(office: OfficeStage) -> None:
    point_id, repair = await point_of(office), await office.told()
    here = f"/captain/{repair.case_id}"
    _, page = await get(office, "captain", here)
    assert "张记水电" in page
    form = {"version": str(repair.version), "point_id": point_id, "note": ""}
    assert (await post(office, "captain", f"{here}/steps/point", form))[:2] == (303, f"{here}?done=point")
    async with signed_in(office, "captain") as session:
        headers = {"Origin": office.stage.url, "If-Match": f'"{repair.version + 1}"'}
        api = f"/api/v1/repairs/{repair.case_id}"
        async with session.post(f"{api}/point/take-back", json={"why": "=太远"}, headers=headers) as answer:
            assert answer.status == 200
        async with session.post(f"{api}/point", json={"point_id": point_id}, headers=headers) as answer:
            assert answer.status == 412
        async with session.get(f"{api}/points") as answer:
            (job,) = (await answer.json())["items"]
            assert (job["point"], job["ended_how"]) == ("张记水电", "taken_back")
        asked = {"month": "2026-03"}
        async with session.get("/api/v1/repair-point-figures", params=asked) as answer:
            (row,) = (await answer.json())["items"]
            assert (row["point"], row["repairs"], row["cost"]) == ("张记水电", 1, "0.00")
        async with session.get(f"/api/v1/repair-points/{point_id}/figures", params=asked) as answer:
            assert [one["month"] for one in (await answer.json())["items"]][:2] == ["2026-03", "2026-02"]
    for login, path in (("captain", f"{PAGE}/{point_id}"), ("manager", f"{PAGE}?month=2026-03")):
        _, page = await get(office, login, path)
        assert 'class="bars point-figures"' in page
    assert "/exports/repair-points.csv?month=2026-03" in page


async def test_the_ledger_has_no_formulas_and_is_noted(office: OfficeStage) -> None:
    point_id = await point_of(office, "=张记")
    points, captain = office.crm.repair_points, office.who("captain")
    for kind, quantity in ((PartKind.ISSUE, "3"), (PartKind.RETURN, "1")):
        await points.move_part(
            captain, point_id, kind, part="@角阀", quantity=quantity, price="25.5", on_day=START.date()
        )
    status, sheet = await get(office, "manager", "/exports/repair-points.csv?month=2026-03")
    rows = [line.split(",") for line in sheet.strip().splitlines()]
    assert status == 200 and [row[8] for row in rows] == ["金额", "76.5", "-25.5"]
    assert rows[1][0] == "'=张记" and rows[1][5] == "'@角阀"
    assert (await get(office, "captain", "/exports/repair-points.csv?month=2026-03"))[0] == 403
    assert (await get(office, "manager", "/exports/repair-points.csv?month=2026-3"))[0] == 400
    assert (await get(office, "manager", "/exports/repair-points.pdf?month=2026-03"))[0] == 404
    async with signed_in(office, "manager") as session:
        asked = {"month": "2026-03", "point_id": point_id}
        async with session.get("/api/v1/repair-point-ledger.xlsx", params=asked) as answer:
            assert answer.status == 200 and (await answer.read())[:2] == b"PK"
