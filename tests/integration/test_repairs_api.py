"""Repairs, settlements, deposits and files over HTTP: validation, versions, roles, problem documents."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kernel.access import GRANTS, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.repair_web import form, person, photo
from tests.support.repairs import Company, open_company
from tests.support.web import Client, WebHarness, no_pages, same_origin
from web.api.operation import operation_of
from web.api.routes import ROUTES
from web.api.v1 import attachments, repairs, repairs_costs, repairs_warranty
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
    home = {"starts_on": "2026-01-10", "ends_on": "2028-01-10", "excluded": False, "why": ""}
    taps = {"code": "fittings", "name": "五金配件"} | home | {"ends_on": "2026-02-01"}
    wood = {"code": "woodwork", "name": "定制木作"} | home | {"excluded": True, "why": "客户自购"}
    items = {"excluded": [], "until": None, "items": [taps, wood]}
    short = {"code": "waterproof", "name": "防水"} | home
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"flag": "full"}, "flag"),
        ({"excluded": ["橱柜"]}, "excluded"),
        ({"items": [taps, wood, short]}, "items.2.ends_on"),
        ({"items": [taps, wood | {"why": ""}]}, "items.1.why"),
    )
    for edit, field in wrong:
        problem = await agent("PUT", key, card | items | edit, version=1, status=400)
        assert problem["errors"][0]["field"] == field
    written = await agent("PUT", key, card | items, version=1)
    assert (written["until"], written["excluded"]) == ("2026-02-01", ["定制木作：客户自购"])
    for item, warning in (("fittings", "ITEM_EXPIRED"), ("woodwork", "ITEM_EXCLUDED")):
        told = await agent("POST", "/repairs", symptoms(company) | {"item": item}, status=201)
        assert warning in told["warnings"] and told["repair_class"] == "out"
        assert told["warranty"]["item"] == item
    await agent("POST", "/repairs", symptoms(company) | {"item": "roof"}, status=400)
    await company.change_project(stage=75)
    assert (await agent("PUT", key, card, version=2, status=409))["code"] == "not_paid"
