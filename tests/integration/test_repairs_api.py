"""Repairs, settlements, deposits and files over HTTP: validation, versions, roles, problem documents."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image
from sqlalchemy import func, select

from crm.attachment_tables import AttachmentRow
from crm.attachments import MAX_FILES
from crm.pictures import MAX_BYTES
from kernel.access import GRANTS, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.repairs import Company, open_company
from tests.support.waiting import eventually
from tests.support.web import PASSWORD, Client, WebHarness, no_pages, same_origin
from web.api.files import MAX_UPLOADS
from web.api.operation import operation_of
from web.api.routes import ROUTES
from web.api.v1 import attachments, repairs, repairs_costs, repairs_warranty
from web.auth import SESSION_COOKIE, Visitor
from web.deps import WebSettings

pytestmark = pytest.mark.integration

OURS = (*repairs.ROUTES, *repairs_costs.ROUTES, *repairs_warranty.ROUTES, *attachments.ROUTES)


@pytest.fixture
def harness(database: Database, clock: FakeClock, tmp_path: Path) -> WebHarness:
    return WebHarness(database, clock, settings=WebSettings(files_dir=tmp_path / "files"))


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(no_pages) as client:
        yield client


@pytest.fixture
async def company(harness: WebHarness, clock: FakeClock, tmp_path: Path) -> Company:
    return await open_company(harness.database, clock, tmp_path / "files")


class Person:
    """Somebody who is signed in, in a browser on our own pages."""

    def __init__(self, client: Client, cookie: str) -> None:
        self._client = client
        self._headers = {"Cookie": f"{SESSION_COOKIE}={cookie}", **same_origin(client)}

    async def __call__(
        self, method: str, path: str, body: Any = None, *, version: int | None = None, status: int = 200
    ) -> Any:
        headers = dict(self._headers)
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        kind: dict[str, Any] = {"data": body}
        if body is not None and not isinstance(body, FormData):
            headers["Content-Type"] = "application/json"
            kind = {"data": BytesIO(json.dumps(body, ensure_ascii=False).encode())}
        async with self._client.request(method, f"/api/v1{path}", headers=headers, **kind) as answer:
            raw = await answer.read()
            assert answer.status == status, raw
            return json.loads(raw)

    async def fetch(self, path: str, status: int = 200) -> tuple[bytes, dict[str, str]]:
        async with self._client.get(f"/api/v1{path}", headers=self._headers) as answer:
            assert answer.status == status
            return await answer.read(), dict(answer.headers)


async def person(harness: WebHarness, client: Client, role: Role, department: str | None = None) -> Person:
    login = await harness.user(role, department=department)
    signed_in = await harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
    client.session.cookie_jar.clear()
    return Person(client, signed_in.session.secret)


def photo(size: tuple[int, int] = (320, 240), kind: str = "JPEG", shade: int = 0) -> bytes:
    out = BytesIO()
    Image.radial_gradient("L").resize(size).point(lambda value: (value + shade) % 256).save(out, kind)
    return out.getvalue()


def form(content: bytes, name: str = "现场照片.jpg", **fields: str) -> FormData:
    found = FormData(quote_fields=False)  # as browsers do
    for key, value in fields.items():
        found.add_field(key, value)
    found.add_field("file", BytesIO(content), filename=name, content_type="image/jpeg")
    return found


def symptoms(company: Company, **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": company.customer_id,
        "project_id": company.project_id,
        "symptoms": "厨房水槽下方渗水",
        "place": "厨房",
    } | changes


def test_every_operation_is_among_the_routes() -> None:
    assert set(OURS) <= set(ROUTES)


@pytest.mark.parametrize("role", Role)
async def test_every_role_at_every_operation(harness: WebHarness, client: Client, role: Role) -> None:
    headers = await harness.bearer(role)
    for method, path, handler in OURS:
        declared = operation_of(handler)
        assert declared is not None
        if declared.form is not None:
            continue
        allowed = declared.permission in GRANTS[role]
        address = re.sub(r"{\w+}", new_ulid(), path)
        extra = {"If-Match": '"1"'} if declared.if_match else {}
        async with client.request(
            method, f"/api/v1{address}", json={} if declared.body else None, headers=headers | extra
        ) as answer:
            if not allowed:
                assert answer.status == 403, (method, path, answer.status)
            assert answer.status < 500, (method, path)


async def test_nobody_without_a_session(client: Client) -> None:
    for method, path, _ in OURS:
        address = re.sub(r"{\w+}", new_ulid(), path)
        async with client.request(method, f"/api/v1{address}", headers=same_origin(client)) as answer:
            assert answer.status == 401, path


async def test_a_repair_from_the_call_to_the_deposit(
    harness: WebHarness, client: Client, company: Company, clock: FakeClock
) -> None:
    agent = await person(harness, client, Role.AGENT)
    captain = await person(harness, client, Role.CAPTAIN)
    preview = await agent("GET", f"/repairs/preview?project_id={company.project_id}")
    assert (preview["suggested_route"], preview["warranty"]["flag"]) == ("original", "full")
    body = symptoms(
        company, route={"route": "captain", "reason": "customer_demand", "note": "不满意原施工队"}
    )
    made = await agent("POST", "/repairs", body, status=201)
    key = f"/repairs/{made['case_id']}"
    assert made["status"] == "routed" and made["case"]["department"] == "CS"
    found = await agent("POST", f"{key}/notify", {"way": "phone", "whom": "赵队长"}, version=made["version"])
    assert [item["no"] for item in (await captain("GET", "/repairs?list=to_contact"))["items"]] == [
        made["no"]
    ]
    visit = {
        "visit_from": "2026-03-02T14:00:00+08:00",
        "visit_until": "2026-03-02T16:00:00+08:00",
        "plan": "更换角阀",
    }
    found = await captain(
        "POST", f"{key}/contact", {"says": "下午在家", "appointment": visit}, version=found["version"]
    )
    assert found["callback_due"] == "2026-03-02T16:00:00.000+08:00"
    day = "since=2026-03-02T00:00:00%2B08:00&until=2026-03-03T00:00:00%2B08:00"
    assert [item["no"] for item in (await captain("GET", f"/repairs/agenda?{day}"))["items"]] == [made["no"]]
    found = await captain("POST", f"{key}/visits/depart", {}, version=found["version"])
    found = await captain("POST", f"{key}/visits/arrive", {}, version=found["version"])
    sent = await captain(
        "POST",
        f"/cases/{made['case_id']}/attachments",
        form(photo(kind="PNG"), "签名.png", purpose="signature", visit_id=found["visits"][0]["visit_id"]),
        status=201,
    )
    done = {"outcome": "fixed", "result": "角阀更换,试水正常", "signature_id": sent["attachment_id"]}
    found = await captain("POST", f"{key}/visits/finish", done, version=found["version"])
    assert found["visits"][0]["signature_id"] == sent["attachment_id"] and found["cost_owed"]
    sheet = {
        "labour": "120.00",
        "material": [{"item": "角阀", "kind": "auxiliary", "quantity": "2", "price": "35.25", "unit": "个"}],
        "total": "190.50",
        "bearers": {"crew": "190.50"},
    }
    cost = await captain("PUT", f"{key}/cost", sheet, version=0)
    assert (cost["kind"], cost["total"], cost["bearers"]["crew"]) == ("abnormal", "190.50", "190.50")
    said = {
        "problem": "solved",
        "verdict": "satisfied",
        "contacted_in_time": "yes",
        "timely": "yes",
    }
    found = await agent("POST", f"{key}/callbacks", said, version=(await agent("GET", key))["version"])
    found = await agent("POST", f"{key}/close", {}, version=found["version"])
    assert found["status"] == "closed" and found["first_time_fix"] is True
    manager = await person(harness, client, Role.MANAGER)
    head = await person(harness, client, Role.GENERAL_MANAGER)
    finance = await person(harness, client, Role.FINANCE)
    await finance(
        "POST",
        f"/crews/{company.crew_id}/deposit/postings",
        {"kind": "initial", "amount": "100", "note": "首次缴纳"},
        status=201,
    )
    at = f"/repair-costs/{cost['cost_id']}"
    cost = await manager("POST", f"{at}/sign-service", version=cost["version"])
    cost = await head("POST", f"{at}/sign-company", version=cost["version"])
    cost = await agent("POST", f"{at}/file", version=cost["version"])
    cost = await finance("POST", f"{at}/reconcile", {"month": "2026-03"}, version=cost["version"])
    cost = await finance("POST", f"{at}/settle", version=cost["version"])
    assert (cost["state"], cost["posted"], cost["owed"]) == ("settled", "100.00", "90.50")
    (month,) = (await finance("GET", "/deposits/month?month=2026-03"))["items"]
    assert (month["closing"], month["owed"], month["abnormal"]) == ("0.00", "90.50", "190.50")
    (owed,) = (await finance("GET", "/receivables"))["items"]
    cleared = await finance(
        "POST",
        f"/receivables/{owed['receivable_id']}/clear",
        {"note": "下次工程款抵扣"},
        version=owed["version"],
    )
    assert cleared["cleared_at"] is not None
    cost = await finance("POST", f"{at}/close", version=cost["version"])
    assert cost["state"] == "closed"
    assert len((await finance("GET", "/repair-costs?state=closed"))["items"]) == 1
    assert (await finance("GET", f"/crews/{company.crew_id}/deposit"))["balance"] == "0.00"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symptoms": "水" * 1_000_000}, "body"),
        ({"symptoms": "水" * 3000}, "symptoms"),
        ({"place": ""}, "place"),
        ({"repair_class": "free"}, "repair_class"),
        ({"customer_id": "x"}, "customer_id"),
        ({"route": {"route": "captain"}}, "reason"),
        ({"unknown": 1}, "unknown"),
        ({"route": {"route": "moon"}}, "route.route"),
    ],
)
async def test_bad_input_is_a_problem_that_names_the_field(
    harness: WebHarness, client: Client, company: Company, change: dict[str, Any], field: str
) -> None:
    agent = await person(harness, client, Role.AGENT)
    status = 413 if field == "body" else 400
    problem = await agent("POST", "/repairs", symptoms(company, **change), status=status)
    assert field == "body" or field in {error["field"] for error in problem["errors"]}
    assert (await agent("GET", "/repairs"))["items"] == []


async def test_versions_are_asked_for_and_checked(
    harness: WebHarness, client: Client, company: Company
) -> None:
    agent = await person(harness, client, Role.AGENT)
    made = await agent("POST", "/repairs", symptoms(company), status=201)
    key = f"/repairs/{made['case_id']}/route"
    assert (await agent("POST", key, {"route": "original"}, status=428))["code"] == "version_missing"
    await agent("POST", key, {"route": "original"}, version=made["version"])
    stale = await agent("POST", key, {"route": "original"}, version=made["version"], status=412)
    assert stale["code"] == "stale_version"


async def test_an_illegal_transition_says_what_is_possible(
    harness: WebHarness, client: Client, company: Company
) -> None:
    agent = await person(harness, client, Role.AGENT)
    made = await agent("POST", "/repairs", symptoms(company), status=201)
    problem = await agent(
        "POST", f"/repairs/{made['case_id']}/close", {}, version=made["version"], status=409
    )
    assert problem["code"] == "illegal_step" and "possible now: route" in problem["detail"]


async def test_amounts_that_do_not_add_up(harness: WebHarness, client: Client, company: Company) -> None:
    repair = await company.repaired()
    captain = await person(harness, client, Role.CAPTAIN)
    for sheet, field in (
        ({"labour": "10", "total": "11", "bearers": {"crew": "10"}}, "total"),
        ({"labour": "10", "total": "10", "bearers": {"crew": "9.99"}}, "bearers"),
        ({"labour": "10.001", "total": "10.001", "bearers": {"crew": "10.001"}}, "labour"),
        ({"labour": "NaN", "total": "10", "bearers": {"crew": "10"}}, "labour"),
        ({"labour": 1e300, "total": "10", "bearers": {"crew": "10"}}, "labour"),
        ({"labour": "10", "total": "10", "bearers": {"customer": "10"}}, "receipt_no"),
        ({"labour": "10", "total": "10", "bearers": {"nobody": "10"}}, "bearers"),
    ):
        path = f"/repairs/{repair.case_id}/cost"
        problem = await captain("PUT", path, sheet, version=0, status=400)
        assert problem["errors"][0]["field"].startswith(field), problem


async def test_a_warranty_card_is_written_down_and_the_next_repair_takes_it(
    harness: WebHarness, client: Client, company: Company
) -> None:
    agent = await person(harness, client, Role.AGENT)
    key = f"/projects/{company.project_id}/warranty"
    assert ((await agent("GET", key))["flag"], (await agent("GET", key))["version"]) == ("full", 0)
    card = {
        "flag": "partial",
        "no": "BX-77",
        "issued_on": "2026-01-10",
        "until": "2028-01-10",
        "excluded": ["橱柜:客户自购"],
    }
    made = await agent("PUT", key, card, version=0)
    assert made["version"] == 1
    await agent("PUT", key, card, version=0, status=412)
    repair = await agent("POST", "/repairs", symptoms(company), status=201)
    assert repair["warnings"] == ["PARTLY_WARRANTED"]
    assert repair["warranty"]["excluded"] == ["橱柜:客户自购"]
    for change, field in (
        ({"flag": "expired"}, "flag"),
        ({"until": "2025-01-10"}, "until"),
        ({"until": None}, "until"),
        ({"excluded": []}, "excluded"),
        ({"flag": "full"}, "excluded"),
        ({"excluded": ["物" * 121]}, "excluded.0"),
    ):
        problem = await agent("PUT", key, card | change, version=1, status=400)
        assert problem["errors"][0]["field"] == field
    await company.change_project(stage=75)
    assert (await agent("PUT", key, card, version=1, status=409))["code"] == "not_paid"


# Files


async def test_a_photo_is_taken_shown_small_and_handed_out_harmlessly(
    harness: WebHarness, client: Client, company: Company
) -> None:
    repair = await company.register()
    agent = await person(harness, client, Role.AGENT)
    path = f"/cases/{repair.case_id}/attachments"
    sent = await agent("POST", path, form(photo(), "../../etc/厨房<b>.jpg"), status=201)
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
    sent = await agent(
        "POST", f"/cases/{repair.case_id}/attachments", form(photo(), "../../../evil.jpg"), status=201
    )
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

    headers = agent._headers | {"Content-Type": "multipart/form-data; boundary=b"}
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
    headers = agent._headers | {"Content-Type": kind}
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
        headers = {"Cookie": agent._headers["Cookie"], **foreign}
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
    problem = await agent("POST", path, form(photo((16, 16), "PNG", 200)), status=409)
    assert problem["code"] == "quota_reached"
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
        headers = agent._headers | {"Content-Type": "multipart/form-data; boundary=b"}
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
