"""Customers, projects and the company's lists over the API: who may what, masks, versions, bad input."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kernel.access import GRANTS, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.people import Desk, make_desk
from tests.support.web import Client, WebHarness, no_pages, same_origin
from web.api.operation import operation_of
from web.api.routes import ROUTES
from web.api.v1 import imports, organisation, people, people_wishes, projects

pytestmark = pytest.mark.integration

OURS = (
    *people.ROUTES,
    *people_wishes.ROUTES,
    *projects.ROUTES,
    *organisation.ROUTES,
    *imports.ROUTES,
    *imports.FILES,
)
PHONE = "13800138001"


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(no_pages) as client:
        yield client


@pytest.fixture
def desk(harness: WebHarness) -> Desk:
    return make_desk(harness.database, harness.clock)


class Caller:
    """Somebody with a token."""

    def __init__(self, client: Client, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def __call__(
        self, method: str, path: str, body: Any = None, *, version: int | None = None, status: int = 200
    ) -> Any:
        headers = dict(self.headers)
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        async with self.client.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == status, found
            return found


async def caller(harness: WebHarness, client: Client, role: Role) -> Caller:
    return Caller(client, await harness.bearer(role))


def test_every_operation_is_among_the_routes() -> None:
    assert set(OURS) <= set(ROUTES)
    assert len({(method, path) for method, path, _ in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("role", Role)
async def test_every_role_at_every_operation(harness: WebHarness, client: Client, role: Role) -> None:
    headers = await harness.bearer(role)
    for method, path, handler in OURS:
        declared = operation_of(handler)
        assert declared is not None
        allowed = declared.permission in GRANTS[role]
        address = path
        for name, _ in declared.path_parameters:
            address = address.replace("{" + name + "}", "NO" if name.endswith("_code") else new_ulid())
        extra = {"If-Match": '"1"'} if declared.if_match else {}
        async with client.request(
            method,
            f"/api/v1{address}",
            json={} if declared.body else None,
            headers=headers | extra,
        ) as answer:
            assert (answer.status == 403) is not allowed, (method, path, answer.status)
            assert answer.status < 500, (method, path)


async def test_nobody_without_a_token(client: Client) -> None:
    for method, path, _ in OURS:
        address = re.sub(r"{\w+}", new_ulid(), path)
        headers = same_origin(client)
        async with client.request(method, f"/api/v1{address}", json={}, headers=headers) as answer:
            assert answer.status == 401, path


async def test_a_customer_from_first_word_to_merge(harness: WebHarness, client: Client) -> None:
    agent = await caller(harness, client, Role.AGENT)
    manager = await caller(harness, client, Role.MANAGER)
    made = await agent(
        "POST", "/customers", {"name": "王建军", "phones": [{"number": PHONE, "preferred": True}]}, status=201
    )
    key = f"/customers/{made['customer_id']}"
    assert (made["level"], made["version"], made["phones"][0]["number"]) == ("B", 1, None)
    assert made["phones"][0]["masked"] == "138****8001"
    whole = await manager("GET", key)
    assert whole["phones"][0]["number"] == f"+86{PHONE}"
    changed = await agent("PATCH", key, {"elder_mode": True, "salutation": "先生"}, version=1)
    assert (changed["elder_mode"], changed["salutation"], changed["name"]) == (True, "先生", "王建军")
    stale = await agent("PATCH", key, {"name": "王军"}, version=1, status=412)
    assert (stale["code"], stale["errors"][0]["field"]) == ("stale_version", "If-Match")
    await agent("PATCH", key, {"name": "王军"}, status=428)
    phone_id = made["phones"][0]["phone_id"]
    entries = [{"phone_id": phone_id, "label": "本人"}, {"number": "13900139001", "bad": "empty"}]
    phones = await agent("PUT", f"{key}/phones", {"phones": entries}, version=changed["version"])
    assert [item["masked"] for item in phones["phones"]] == ["138****8001", "139****9001"]
    await agent("PUT", f"{key}/level", {"level": "A", "reason": "x"}, version=1, status=403)
    unsaid = {"level": "A", "reason": " "}
    problem = await manager("PUT", f"{key}/level", unsaid, version=phones["version"], status=400)
    assert problem["errors"][0]["field"] == "reason"
    await manager("PUT", f"{key}/level", {"level": "A", "reason": "合同金额"}, version=phones["version"])
    record = await agent("GET", key)
    frozen = await agent(
        "POST", f"{key}/freeze", {"scope": "site", "reason": "家事"}, version=record["version"], status=201
    )
    assert frozen["active"]
    (listed,) = (await agent("GET", "/freezes"))["items"]
    assert listed["customer_name"] == "王建军"
    record = await agent("GET", key)
    answer = {"reason": "好了", "callback_needed": True}
    problem = await manager("POST", f"{key}/thaw", answer, version=record["version"], status=400)
    assert problem["errors"][0]["field"] == "callback_kind"
    whole_answer = answer | {"callback_kind": "ZQ", "callback_on": "2026-03-09"}
    await manager("POST", f"{key}/thaw", whole_answer, version=record["version"])
    entry = await agent(
        "POST", f"{key}/do-not-call", {"level": 1, "source": "agent", "evidence": "通话"}, status=201
    )
    await agent("POST", f"/do-not-call/{entry['entry_id']}/lift", {"reason": "", "evidence": ""}, status=400)
    lifted = await agent(
        "POST", f"/do-not-call/{entry['entry_id']}/lift", {"reason": "客户要求", "evidence": "通话 00:10"}
    )
    assert lifted["lift_reason"] == "客户要求"
    given = {"purpose": "recording", "basis": "consent", "evidence": "通话", "text_version": "1"}
    consent = await agent("POST", f"{key}/consents", given, status=201)
    await agent("POST", f"/consents/{consent['consent_id']}/withdraw", {"evidence": "短信"})
    assert len((await agent("GET", f"{key}/consents"))["items"]) == 1
    twin = await agent("POST", "/customers", {"name": "王先生", "phones": [{"number": PHONE}]}, status=201)
    (pair,) = (await manager("GET", "/duplicates"))["items"]
    assert {pair["first_id"], pair["second_id"]} == {made["customer_id"], twin["customer_id"]}
    record = await agent("GET", key)
    merge = {"gone_id": twin["customer_id"], "gone_version": 1, "reason": "同一人"}
    await manager("POST", f"{key}/merge", merge, version=record["version"])
    forwarded = await agent("GET", f"/customers/{twin['customer_id']}")
    assert forwarded["customer_id"] == made["customer_id"]
    (merged,) = (await manager("GET", f"{key}/merges"))["items"]
    back = await manager("POST", f"/merges/{merged['merge_id']}/undo", {"reason": "弄错了"})
    assert (back["customer_id"], back["name"]) == (twin["customer_id"], "王先生")


async def test_lists_and_the_look_up_share_an_address(harness: WebHarness, client: Client) -> None:
    agent = await caller(harness, client, Role.AGENT)
    for n in range(3):
        body = {"name": f"王{n}", "phones": [{"number": f"1380013800{n}"}]}
        await agent("POST", "/customers", body, status=201)
        harness.clock.advance(harness.settings.request_deadline)
    page = await agent("GET", "/customers?limit=2&name=%E7%8E%8B")
    assert [item["name"] for item in page["items"]] == ["王2", "王1"]
    rest = await agent("GET", f"/customers?limit=2&cursor={page['next_cursor']}")
    assert ([item["name"] for item in rest["items"]], rest["next_cursor"]) == (["王0"], None)
    assert "13800138" not in str(page)
    assert (await agent("GET", "/customers?phone=13800138000"))["items"] == []
    await agent("GET", "/customers?colour=red", status=400)


async def test_a_project_with_stages_and_payments(harness: WebHarness, client: Client, desk: Desk) -> None:
    agent = await caller(harness, client, Role.AGENT)
    manager = await caller(harness, client, Role.MANAGER)
    finance = await caller(harness, client, Role.FINANCE)
    head = await caller(harness, client, Role.DEPARTMENT_HEAD)
    owner = await desk.customer()
    crew = await manager("POST", "/crews", {"name": "赵师傅施工队", "head": "赵永福"}, status=201)
    given = {
        "customer_id": owner.customer_id,
        "contract_no": "ZX-1",
        "community": "锦秋家园",
        "amount": "100000",
        "crew_id": crew["crew_id"],
    }
    made = await agent("POST", "/projects", given, status=201)
    key = f"/projects/{made['project_id']}"
    assert (made["stage"], made["amount"], made["address"]) == (25, "100000.00", "锦秋家园")
    problem = await agent("POST", "/projects", given, status=409)
    assert (problem["code"], problem["errors"][0]["field"]) == ("contract_taken", "contract_no")
    wrong = {"stage": 50, "happened_on": "2026-03-02"}
    problem = await agent("POST", f"{key}/stages", wrong, version=1, status=400)
    assert problem["errors"][0]["field"] == "concealed_planned"
    right = wrong | {"concealed_planned": "2026-03-10", "midterm_planned": "2026-03-20"}
    started = await agent("POST", f"{key}/stages", right, version=1)
    assert (started["stage"], started["stages"][0]["happened_on"]) == (50, "2026-03-02")
    await agent("POST", f"{key}/correction", {"stage": 25, "reason": "x"}, version=2, status=403)
    back = await manager("POST", f"{key}/correction", {"stage": 25, "reason": "登记错误"}, version=2)
    assert back["stages"][0]["voided_at"] is not None
    problem = await manager("POST", f"{key}/correction", {"stage": 26, "reason": "x"}, version=3, status=400)
    assert problem["errors"][0]["field"] == "stage"
    pay = {
        "period": "first",
        "amount": "30000.00",
        "paid_at": "2026-03-01T10:00:00+08:00",
        "receipt_no": "R1",
    }
    paid = await finance("POST", f"{key}/payments", pay, status=201)
    assert (paid["paid"], paid["address"]) == ("30000.00", None)
    for change, field in (
        ({"amount": "70000.01", "receipt_no": "R2"}, "amount"),
        ({"amount": "1.001", "receipt_no": "R2"}, "amount"),
        ({"paid_at": "2026-03-02T23:00:00+08:00", "receipt_no": "R2"}, "paid_at"),
    ):
        problem = await finance("POST", f"{key}/payments", pay | change, status=400)
        assert problem["errors"][0]["field"] == field
    payment_id = paid["payments"][0]["payment_id"]
    gone = await finance("POST", f"/payments/{payment_id}/reversal", {"reason": "录错"})
    assert gone["paid"] == "0.00"
    assert (await head("GET", key))["address"] is None
    page = await agent("GET", f"/projects?customer_id={owner.customer_id}&running=true")
    assert [item["contract_no"] for item in page["items"]] == ["ZX-1"]
    still = await agent(
        "POST", f"{key}/suspension", {"since": "2026-03-02", "reason": "停工"}, version=gone["version"]
    )
    assert (still["stage"], still["rank"]) == (-2, 25)
    on = await agent("POST", f"{key}/resumption", {"until": "2026-03-02"}, version=still["version"])
    problem = await agent(
        "POST", f"{key}/delivery", {"delivery_state": "S"}, version=on["version"], status=409
    )
    assert problem["code"] == "illegal_step"


async def test_the_company_keeps_its_lists(harness: WebHarness, client: Client) -> None:
    manager = await caller(harness, client, Role.MANAGER)
    made = await manager(
        "POST", "/departments", {"code": "ENG", "name": "工程部", "head": "陈建国"}, status=201
    )
    await manager("POST", "/departments", {"code": "ENG", "name": "再来"}, status=409)
    changed = await manager("PATCH", "/departments/ENG", {"deputy": "李工"}, version=made["version"])
    assert (changed["head"], changed["deputy"]) == ("陈建国", "李工")
    await manager("PATCH", "/departments/NO", {"deputy": "李工"}, version=1, status=404)
    store = await manager("POST", "/stores", {"name": "朝阳店"}, status=201)
    await manager("PATCH", f"/stores/{store['store_id']}", {"active": False}, version=store["version"])
    person = {"name": "刘铁柱", "role": "PM", "store_id": store["store_id"], "department_code": "ENG"}
    await manager("POST", "/staff", person, status=201)
    assert [item["name"] for item in (await manager("GET", "/staff?role=PM"))["items"]] == ["刘铁柱"]
    assert (await manager("GET", "/staff?role=QC"))["items"] == []
    await manager("POST", "/staff", person | {"name": "刘铁锤"}, status=201)
    first = await manager("GET", "/staff?role=PM&limit=1")
    rest = await manager("GET", f"/staff?role=PM&limit=1&cursor={first['next_cursor']}")
    assert {item["name"] for item in (*first["items"], *rest["items"])} == {"刘铁柱", "刘铁锤"}
    assert rest["next_cursor"] is None
    await manager("GET", "/staff?limit=201", status=400)
    await manager("GET", f"/staff?cursor={new_ulid()}", status=400)
    await manager("GET", "/crews?cursor=nonsense", status=400)
    assert len((await manager("GET", "/stores"))["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "王", "phones": []}, "phones"),
        ({"name": "王" * 41, "phones": [{"number": PHONE}]}, "name"),
        ({"name": "x" * 1_000_000, "phones": [{"number": PHONE}]}, "name"),
        ({"name": "王", "phones": [{"number": PHONE}], "colour": "red"}, "colour"),
        ({"name": "王", "phones": [{"number": PHONE}], "preferred_from": "25:00"}, "preferred_from"),
        ({"name": "王", "phones": "110"}, "phones"),
        ({"phones": [{"number": PHONE}]}, "name"),
    ],
)
async def test_bad_input_names_its_field_and_changes_nothing(
    harness: WebHarness, client: Client, body: dict[str, Any], field: str
) -> None:
    agent = await caller(harness, client, Role.AGENT)
    problem = await agent("POST", "/customers", body, status=400)
    assert problem["errors"][0]["field"].split(".")[0] == field
    assert (await agent("GET", "/customers"))["items"] == []
