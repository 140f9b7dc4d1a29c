"""Photos and scans over HTTP: what is taken, what is refused, who may see it, how it is handed out."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from crm.attachment_tables import AttachmentRow
from crm.attachments import MAX_FILES
from crm.pictures import MAX_BYTES
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.repair_web import form, person, photo
from tests.support.repairs import Company, open_company
from tests.support.waiting import eventually
from tests.support.web import Client, WebHarness, no_pages
from web.api.files import MAX_UPLOADS
from web.deps import WebSettings

pytestmark = pytest.mark.integration


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock, tmp_path: Path) -> WebHarness:
    return WebHarness(sqlite, clock, settings=WebSettings(files_dir=tmp_path / "files"))


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(no_pages) as client:
        yield client


@pytest.fixture
async def company(harness: WebHarness, clock: FakeClock, tmp_path: Path) -> Company:
    return await open_company(harness.database, clock, tmp_path / "files")


async def test_a_photo_is_taken_shown_small_and_handed_out_harmlessly(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    sent = await agent("POST", path, form(photo(), "厨房<b>.jpg"), status=201)
    assert (sent["name"], sent["media_type"], sent["purpose"]) == ("厨房b.jpg", "image/jpeg", "photo")
    listed = (await agent("GET", path))["items"]
    assert [item["attachment_id"] for item in listed] == [sent["attachment_id"]]
    content, headers = await agent.fetch(f"/attachments/{sent['attachment_id']}")
    assert Image.open(BytesIO(content)).size == (320, 240)
    assert headers["Content-Type"] == "image/jpeg" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["Content-Disposition"] == f'inline; filename="photo-{sent["attachment_id"]}.jpg"'
    assert headers["Cache-Control"] == "private, no-cache"
    small, headers = await agent.fetch(f"/attachments/{sent['attachment_id']}/thumbnail")
    assert Image.open(BytesIO(small)).format == "JPEG" and headers["Content-Type"] == "image/jpeg"
    again = await agent("POST", path, form(photo(), "again.jpg"), status=201)
    assert again["attachment_id"] == sent["attachment_id"], "the same photo stands in the case once"


async def test_files_lie_under_their_hash_and_nowhere_else(
    harness: WebHarness, client: Client, company: Company, tmp_path: Path
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    sent = await agent("POST", f"/cases/{repair.case_id}/attachments", form(photo(), "evil.jpg"), status=201)
    lying = sorted(
        str(path.relative_to(tmp_path)) for path in (tmp_path / "files").rglob("*") if path.is_file()
    )
    assert len(lying) == 2 and f"files/{sent['sha256'][:2]}/{sent['sha256']}" in lying
    assert not list(tmp_path.rglob("*evil*"))


async def test_a_scan_may_be_a_pdf_and_is_stored_by_the_browser_not_shown(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    pdf = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer\n%%EOF\n"
    refused = await agent("POST", path, form(pdf, "单据.pdf"), status=400)
    assert refused["code"] == "bad_file" and refused["errors"][0]["field"] == "file"
    sent = await agent("POST", path, form(pdf, "单据.pdf", purpose="scan"), status=201)
    content, headers = await agent.fetch(f"/attachments/{sent['attachment_id']}")
    assert content == pdf and headers["Content-Disposition"].startswith("attachment;")
    assert not sent["has_thumbnail"]
    await agent.fetch(f"/attachments/{sent['attachment_id']}/thumbnail", status=404)


@pytest.mark.parametrize("name", ["../../../evil.jpg", "C:\\evil.jpg", "a/b.jpg"])
async def test_a_photo_with_a_path_in_its_name_is_refused(
    harness: WebHarness, client: Client, company: Company, tmp_path: Path, name: str
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    problem = await agent("POST", path, form(photo(), name), status=400)
    assert problem["errors"][0]["field"] == "file"
    assert not (tmp_path / "files").exists()
    assert (await agent("GET", path))["items"] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<!doctype html><script>alert(1)</script>",
        photo()[:-900],
        b"MZ" + b"\0" * 200,
    ],
)
async def test_what_is_no_photo_leaves_nothing_behind(
    harness: WebHarness, client: Client, company: Company, tmp_path: Path, content: bytes
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    problem = await agent("POST", f"/cases/{repair.case_id}/attachments", form(content), status=400)
    assert problem["errors"][0]["field"] == "file"
    assert not (tmp_path / "files").exists()
    async with company.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(AttachmentRow)) == 0


async def test_too_much_is_refused_with_and_without_a_length(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    problem = await agent("POST", path, form(b"\xff\xd8\xff" + b"\0" * MAX_BYTES), status=413)
    assert problem["code"] == "body_too_large"

    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        for _ in range(MAX_BYTES // 65536 + 2):
            yield b"\xff" * 65536

    headers = agent.headers | {"Content-Type": "multipart/form-data; boundary=b"}
    async with client.post(f"/api/v1{path}", data=endless(), headers=headers) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("image/jpeg", b"\xff\xd8\xff", 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nphoto\r\n--b--\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n",
            400,
        ),
    ],
)
async def test_forms_that_are_none_are_refused(
    harness: WebHarness, client: Client, company: Company, kind: str, body: bytes, status: int
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    headers = agent.headers | {"Content-Type": kind}
    path = f"/api/v1/cases/{repair.case_id}/attachments"
    async with client.post(path, data=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/problem+json"


async def test_unknown_fields_and_purposes_are_refused_by_name(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    for fields, field in (
        ({"purpose": "virus"}, "purpose"),
        ({"path": "/etc"}, "path"),
        ({"visit_id": "1"}, "visit_id"),
        ({"visit_id": new_ulid()}, "visit_id"),  # no visit of this case
    ):
        problem = await agent("POST", path, form(photo(), **fields), status=400)
        assert problem["errors"][0]["field"] == field
    twice = form(photo())
    twice.add_field("file", photo(), filename="b.jpg", content_type="image/jpeg")
    assert (await agent("POST", path, twice, status=400))["errors"][0]["field"] == "file"


async def test_another_sites_page_cannot_send_a_photo(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        headers = {"Cookie": agent.headers["Cookie"], **foreign}
        path = f"/api/v1/cases/{repair.case_id}/attachments"
        async with client.post(path, data=form(photo()), headers=headers) as answer:
            assert answer.status == 403 and (await answer.json())["code"] == "cross_site"


async def test_files_are_seen_by_whoever_may_see_the_case(
    harness: WebHarness, client: Client, company: Company
) -> None:
    mine, others = await company.register(), await company.register()
    agent = await person(harness, client, Role.AGENT)
    captain = await person(harness, client, Role.CAPTAIN)
    finance = await person(harness, client, Role.FINANCE)
    path = f"/cases/{others.case_id}/attachments"
    sent = await agent("POST", path, form(photo()), status=201)
    for address in (
        path,
        f"/attachments/{sent['attachment_id']}",
        f"/attachments/{sent['attachment_id']}/thumbnail",
    ):
        await captain.fetch(address, status=404)
        await finance.fetch(address)
    assert (await captain("POST", path, form(photo()), status=404))["code"] == "not_found"
    assert (await finance("POST", path, form(photo()), status=403))["code"] == "forbidden"
    await agent.fetch(f"/attachments/{mine.case_id}", status=404)


async def test_a_case_has_a_quota(harness: WebHarness, client: Client, company: Company) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    for shade in range(MAX_FILES):
        await agent("POST", path, form(photo((16, 16), "PNG", shade)), status=201)
    stored = len(list(harness.settings.files_dir.rglob("*")))
    problem = await agent("POST", path, form(photo((16, 16), "PNG", 200)), status=409)
    assert problem["code"] == "quota_reached"
    assert len(list(harness.settings.files_dir.rglob("*"))) == stored
    # What is there already may be sent again.
    await agent("POST", path, form(photo((16, 16), "PNG", 0)), status=201)
    assert len((await agent("GET", path))["items"]) == MAX_FILES


async def test_more_photos_at_once_than_memory_bears_are_told_to_come_again(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    released = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        await released.wait()
        yield photo((16, 16), "PNG") + b"\r\n--b--\r\n"

    async def send() -> int:
        headers = agent.headers | {"Content-Type": "multipart/form-data; boundary=b"}
        async with client.post(f"/api/v1{path}", data=slowly(), headers=headers) as answer:
            return answer.status

    sending = [asyncio.create_task(send()) for _ in range(MAX_UPLOADS + 3)]
    try:
        await eventually(lambda: sum(task.done() for task in sending) == 3)
        assert {task.result() for task in sending if task.done()} == {429}
    finally:
        released.set()
    statuses = await asyncio.gather(*sending)
    assert statuses.count(201) == MAX_UPLOADS
    assert len((await agent("GET", path))["items"]) == 1
