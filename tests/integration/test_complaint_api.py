"""Complaints and major complaints over HTTP: the whole way, versions, what is refused by field."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from crm.limit_lists import OverdueList
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.complaints import Desk, open_desk
from tests.support.web import PASSWORD, Client, WebHarness, no_pages, same_origin
from web.auth import SESSION_COOKIE, Visitor
from web.deps import WebSettings
from web.permissions import Role

pytestmark = pytest.mark.integration

API = "/api/v1"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Answer:
    status: int
    body: Any
    etag: str | None

    @property
    def field(self) -> str:
        """The first field that was wrong."""
        return str(self.body["errors"][0]["field"])


@dataclass
class Line:
    """Telephoning with the API as somebody."""

    harness: WebHarness
    client: Client
    desk: Desk
    cookies: dict[str, str] = field(default_factory=dict)

    async def become(self, login: str, role: Role, department: str | None = None) -> None:
        await self.harness.user(role, login=login, department=department)
        signed = await self.harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
        self.cookies[login] = f"{SESSION_COOKIE}={signed.session.secret}"

    async def ask(
        self,
        login: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: int | str | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        headers = same_origin(self.client) | {
            "Cookie": self.cookies[login],
            "Content-Type": "application/json",
            "Idempotency-Key": new_ulid(),
        }
        if version is not None:
            headers["If-Match"] = version if isinstance(version, str) else f'"{version}"'
        sent = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        response = await self.client.request(
            method, API + path, data=io.BytesIO(sent) if sent is not None else None, headers=headers
        )
        return Answer(response.status, json.loads(await response.text()), response.headers.get("ETag"))

    async def do(self, login: str, path: str, body: Any = None, *, version: int | None = None) -> Any:
        """Send a change that must succeed."""
        answer = await self.ask(login, "POST", path, body if body is not None else {}, version=version)
        assert answer.status in {200, 201}, answer.body
        assert answer.etag == f'"{answer.body["version"]}"'
        return answer.body

    def at(self, ahead: timedelta) -> str:
        return (self.desk.now + ahead).isoformat()


@pytest.fixture
async def line(database: Database, clock: FakeClock) -> AsyncIterator[Line]:
    desk = await open_desk(database, clock)
    month = timedelta(days=30)
    harness = WebHarness(database, clock, WebSettings(session_idle=month, session_absolute=month))
    async with harness.serve(no_pages) as client:
        made = Line(harness, client, desk)
        for login, role, department in (
            ("agent", Role.AGENT, None),
            ("manager", Role.MANAGER, None),
            ("eng", Role.DEPARTMENT_HEAD, "ENG"),
            ("des", Role.DEPARTMENT_HEAD, "DES"),
            ("boss", Role.GENERAL_MANAGER, None),
            ("finance", Role.FINANCE, None),
            ("hr", Role.HR, None),
        ):
            await made.become(login, role, department)
        yield made


def complaint(line: Line, **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": line.desk.customer_id,
        "project_id": line.desk.project_id,
        "content": "厨房墙砖大面积空鼓",
        "demand": "返工",
        "lines": [{"class_code": 1, "subclass": "tile", "cause": "空鼓三平方米"}],
        "hand_off": {"form": "paper", "copy_left": True},
    } | changes


PIN = {"signature": {"kind": "pin", "pin": "2580"}, "mode": "plan_first"}


async def to_done(line: Line) -> tuple[str, str]:
    """Walk a complaint to «reported done»; return its id and its line's."""
    made = await line.do("agent", "/complaints", complaint(line))
    case_id, found = made["header"]["case_id"], made["lines"][0]
    path = f"/complaint-lines/{found['line_id']}"
    found = await line.do("eng", f"{path}/accept", PIN, version=found["version"])
    found = await line.do("eng", f"{path}/assign", {"person": "刘铁柱"}, version=found["version"])
    found = await line.do("eng", f"{path}/verify", {"facts": "属实"}, version=found["version"])
    plan = {
        "plan": "铲除重贴",
        "solve_at": line.at(3 * DAY),
        "visit_from": line.at(HOUR),
        "visit_until": line.at(2 * HOUR),
    }
    found = await line.do("eng", f"{path}/plan", plan, version=found["version"])
    moved = {"visit_from": line.at(2 * HOUR), "visit_until": line.at(3 * HOUR)}
    found = await line.do("eng", f"{path}/visit-agreement", moved, version=found["version"])
    line.desk.clock.advance(4 * HOUR)
    visit = {"arrived_at": line.at(-2 * HOUR), "left_at": line.at(-HOUR), "who": "刘铁柱", "record": "重贴"}
    found = await line.do("eng", f"{path}/visit", visit, version=found["version"])
    await line.do("eng", f"{path}/done", {"note": "完工"}, version=found["version"])
    return case_id, found["line_id"]


async def test_the_whole_way_of_a_complaint(line: Line) -> None:
    case_id, _ = await to_done(line)
    found = (await line.ask("agent", "GET", f"/complaints/{case_id}")).body
    assert (found["header"]["status"], found["next_step"]) == ("done", "call_back")
    called = await line.do(
        "agent",
        f"/complaints/{case_id}/callbacks",
        {"verdict": "satisfied", "problem": "solved", "timeliness": "timely"},
        version=found["version"],
    )
    assert (called["next_step"], called["callbacks"][0]["leads_to"]) == ("close", "close")
    analysis = {"root_cause": "基层未处理", "preventive_step": "贴砖前验收", "owner": "陈建国"}
    closed = await line.do(
        "agent", f"/complaints/{case_id}/close", {"analysis": analysis}, version=called["version"]
    )
    assert closed["header"]["status"] == "closed"
    assert closed["analysis"]["owner"] == "陈建国"
    listed = (await line.ask("eng", "GET", "/complaints?status=closed&department=ENG")).body
    assert [item["case_id"] for item in listed["items"]] == [case_id]
    boxes = (await line.ask("eng", "GET", "/handoffs?box=signed")).body["items"]
    sheet = (await line.ask("eng", "GET", f"/handoffs/{boxes[0]['handoff_id']}")).body
    assert (sheet["sound"], sheet["handoff"]["form"]) == (True, "paper")


async def test_the_whole_way_of_a_major_complaint(line: Line) -> None:
    case_id, _ = await to_done(line)
    version = (await line.ask("agent", "GET", f"/complaints/{case_id}")).body["version"]
    stated = {"cause": "反复返工", "process_so_far": "两次上门", "demand": "赔偿"}
    made = await line.do("agent", f"/complaints/{case_id}/escalation", stated, version=version)
    path = f"/escalations/{made['escalation_id']}"

    async def go(login: str, step: str, body: Any = None) -> Any:
        found = (await line.ask(login, "GET", path)).body
        return await line.do(login, f"{path}/{step}", body, version=found["version"])

    await go("manager", "review", {"visit_needed": True})
    agreed = {"visit_from": line.at(HOUR), "visit_until": line.at(2 * HOUR), "visit_with": "陈建国"}
    await go("manager", "visit-agreement", agreed)
    line.desk.clock.advance(3 * HOUR)
    await go("manager", "visit", {"visited_at": line.at(-HOUR), "record": "空鼓属实"})
    shares = {"crew": "33.33", "company": 33.33, "manufacturer": "33.33"}
    version = (await line.ask("manager", "GET", path)).body["version"]
    wrong = await line.ask(
        "manager", "POST", f"{path}/liability", {"shares": shares, "with_head": "陈建国"}, version=version
    )
    assert (wrong.status, wrong.field) == (400, "shares")
    shares["customer"] = "0.01"
    await go("manager", "liability", {"shares": shares, "with_head": "陈建国"})
    await go("manager", "plan", {"plan": "返工并赔付", "costs": True})
    money = {
        "amount": "3000",
        "bearers": {"company": "2000", "staff": "1000.00"},
        "recovery": [{"name": "刘铁柱", "amount": "1000"}],
        "reason": "协商一致",
    }
    await go("manager", "compensation", money)
    version = (await line.ask("boss", "GET", path)).body["version"]
    changed = await line.ask("manager", "PUT", f"{path}/compensation", money, version=version)
    assert changed.status == 200
    await go("boss", "compensation-review", {"agreed": True})
    await go("finance", "voucher", {"voucher_no": "PZ-1", "amount": "3000.00"})
    await go("boss", "compensation-approval", {"approved": True})
    await go("finance", "payment", {"receipt_no": "SJ-1"})
    await go("finance", "recovery")
    (share,) = (await line.ask("hr", "GET", "/recoveries?month=2026-03&is_open=true")).body["items"]
    assert share["amount"] == "1000.00"
    await go("hr", "recovery-done", {"recovery_id": share["recovery_id"]})
    found = (await line.ask("agent", "GET", f"/complaints/{case_id}")).body
    said = {"verdict": "satisfied", "problem": "solved", "timeliness": "late"}
    await line.do("agent", f"/complaints/{case_id}/callbacks", said, version=found["version"])
    closed = await go("agent", "close", {"outcome": "客户满意"})
    assert (closed["code"], closed["compensations"][0]["state"]) == ("E10", "paid")
    listed = (await line.ask("boss", "GET", "/escalations?is_open=false")).body["items"]
    assert [(row["no"], row["amount"]) for row in listed] == [(made["header"]["no"], "3000.00")]
    assert (await line.ask("eng", "GET", path)).body["compensations"] == []


async def test_the_steps_of_customer_service(line: Line) -> None:
    made = await line.do("agent", "/complaints", complaint(line, hand_off=None))
    path = f"/complaints/{made['header']['case_id']}"
    for version, refused in ((None, 428), (made["version"] + 1, 412)):
        answer = await line.ask("agent", "POST", f"{path}/calls", {"note": "催办"}, version=version)
        assert answer.status == refused
    made = await line.do("agent", f"{path}/calls", {"note": "催办"}, version=made["version"])
    assert (made["header"]["call_count"], made["header"]["severity"]) == (2, 2)
    extra = {"line": {"class_code": 4, "cause": "瓷砖色差"}}
    made = await line.do("agent", f"{path}/lines", extra, version=made["version"])
    made = await line.do(
        "agent", f"{path}/severity", {"severity": 3, "reason": "媒体关注"}, version=made["version"]
    )
    made = await line.do(
        "agent", f"{path}/hand-off", {"line_ids": [made["lines"][0]["line_id"]]}, version=made["version"]
    )
    assert [found["status"] for found in made["lines"]] == ["handed_off", "registered"]
    first = made["lines"][0]
    rejected = await line.do(
        "eng", f"/complaint-lines/{first['line_id']}/reject", {"reason": "不属实"}, version=first["version"]
    )
    rerouted = await line.do(
        "agent",
        f"/complaint-lines/{first['line_id']}/reroute",
        {"department": "DES", "reason": "设计问题", "hand_off": {}},
        version=rejected["version"],
    )
    assert (rerouted["department"], rerouted["status"]) == ("DES", "handed_off")
    again = await line.do(
        "des",
        f"/complaint-lines/{rerouted['line_id']}/reject",
        {"reason": "不属实"},
        version=rerouted["version"],
    )
    unfounded = await line.do(
        "agent",
        f"/complaint-lines/{rerouted['line_id']}/unfounded",
        {"reason": "复查无此问题"},
        version=again["version"],
    )
    assert unfounded["status"] == "unfounded"
    version = (await line.ask("manager", "GET", path)).body["version"]
    refused = await line.do("manager", f"{path}/not-filed", {"reason": "不构成投诉"}, version=version)
    assert refused["header"]["status"] == "not_filed"
    analysis = {"root_cause": "误解", "preventive_step": "交底说明", "owner": "沈静"}
    answer = await line.ask("agent", "PUT", f"{path}/analysis", analysis, version=refused["version"])
    assert (answer.status, answer.body["header"]["status"]) == (200, "not_filed")


async def test_plans_with_money_waivers_and_replies(line: Line) -> None:
    new = complaint(line, source="hotline_forward", external_no="95598-1")
    made = await line.do("agent", "/complaints", new)
    case_id, found = made["header"]["case_id"], made["lines"][0]
    path = f"/complaint-lines/{found['line_id']}"
    found = await line.do("eng", f"{path}/accept", PIN | {"mode": "no_plan"}, version=found["version"])
    found = await line.do("eng", f"{path}/verify", {"facts": "属实"}, version=found["version"])
    await line.do("eng", f"{path}/done", {"note": "已处理"}, version=found["version"])
    version = (await line.ask("manager", "GET", f"/complaints/{case_id}")).body["version"]
    waived = await line.do(
        "manager", f"/complaints/{case_id}/callback-waiver", {"reason": "客户书面确认"}, version=version
    )
    assert waived["next_step"] == "reply_to_source"
    early = await line.ask("agent", "POST", f"/complaints/{case_id}/close", {}, version=waived["version"])
    assert (early.status, early.field, early.body["code"]) == (409, "reply_to_source", "not_yet")
    replied = await line.do(
        "agent", f"/complaints/{case_id}/source-reply", {"text": "已处理"}, version=waived["version"]
    )
    assert replied["reply_owed"] is False

    made = await line.do("agent", "/complaints", complaint(line))
    found = made["lines"][0]
    path = f"/complaint-lines/{found['line_id']}"
    found = await line.do("eng", f"{path}/accept", PIN, version=found["version"])
    found = await line.do("eng", f"{path}/verify", {"facts": "属实"}, version=found["version"])
    plan = {
        "plan": "补偿",
        "solve_at": line.at(DAY),
        "visit_from": line.at(HOUR),
        "visit_until": line.at(2 * HOUR),
        "pay_customer": "500.00",
    }
    found = await line.do("eng", f"{path}/plan", plan, version=found["version"])
    decided = await line.do("manager", f"{path}/plan-decision", {"approved": True}, version=found["version"])
    assert (decided["status"], decided["plans"][0]["pay_customer"]) == ("planned", "500.00")


async def test_what_is_late_over_http(line: Line) -> None:
    await line.do("agent", "/complaints", complaint(line))
    line.desk.clock.advance(2 * DAY)
    lists = (await line.ask("eng", "GET", "/overdue-lists")).body["items"]
    assert {found["which"]: found["total"] for found in lists} == {
        which.value: int(which is OverdueList.NOT_ACCEPTED) for which in OverdueList
    }
    rows = (await line.ask("agent", "GET", "/overdue?which=not_accepted&department=ENG")).body["items"]
    assert [row["status"] for row in rows] == ["handed_off"]
    assert rows[0]["late_seconds"] > 3600
    assert (await line.ask("des", "GET", "/overdue?which=not_accepted")).body["items"] == []


BAD: list[tuple[dict[str, Any], str]] = [
    ({"content": "字" * 2001}, "content"),
    ({"content": "a" * 2_000_000}, "content"),
    ({"content": None}, "content"),
    ({"lines": []}, "lines"),
    ({"lines": [{"class_code": 11, "cause": "x"}]}, "lines.0.class_code"),
    ({"lines": [{"class_code": 1, "cause": "x", "department": "NOPE"}]}, "lines.0.department"),
    ({"lines": [{"class_code": 6, "cause": "x"}]}, "lines.0.department"),
    ({"lines": [{"class_code": 1, "cause": "x", "status": "closed"}]}, "lines.0.status"),
    ({"severity": 9}, "severity"),
    ({"severity": True}, "severity"),
    ({"lines": [{"class_code": True, "cause": "空鼓"}]}, "lines.0.class_code"),
    ({"status": "closed"}, "status"),
    ({"source": "hotline_forward"}, "external_no"),
    ({"complained_at": "2026-03-02"}, "complained_at"),
    ({"complained_at": "2099-03-02T10:00:00+08:00"}, "complained_at"),
    ({"want_by": "2020-03-02T10:00:00+08:00"}, "want_by"),
    ({"customer_id": "'; DROP TABLE complaint; --"}, "customer_id"),
    ({"customer_id": "01JZZZZZZZZZZZZZZZZZZZZZZZ"}, "customer_id"),
    ({"project_id": "01JZZZZZZZZZZZZZZZZZZZZZZZ"}, "project_id"),
]


async def test_bad_complaints_are_refused_by_field_and_leave_nothing(line: Line) -> None:
    for changes, name in BAD:
        answer = await line.ask("agent", "POST", "/complaints", complaint(line, **changes))
        assert answer.status in {400, 404}, answer.body
        assert answer.field == name
    huge = await line.ask("agent", "POST", "/complaints", raw=b'{"content": "' + b"a" * 5_000_000 + b'"}')
    assert (huge.status, huge.field) == (413, "body")
    broken = await line.ask("agent", "POST", "/complaints", raw=b"{")
    assert (broken.status, broken.field) == (400, "body")
    assert (await line.do("agent", "/complaints", complaint(line)))["header"]["no"].endswith("0001")


async def test_versions_are_asked_for_and_looked_at(line: Line) -> None:
    made = await line.do("agent", "/complaints", complaint(line))
    case_id, found = made["header"]["case_id"], made["lines"][0]
    close = f"/complaints/{case_id}/close"
    assert (await line.ask("agent", "POST", close, {})).status == 428
    assert (await line.ask("agent", "POST", close, {}, version="*")).status == 428
    assert (await line.ask("agent", "POST", close, {}, version=made["version"] - 1)).status == 412
    early = await line.ask("agent", "POST", close, {}, version=made["version"])
    assert (early.status, early.field) == (409, "lines")
    accept = f"/complaint-lines/{found['line_id']}/accept"
    assert (await line.ask("eng", "POST", accept, PIN)).status == 428
    assert (await line.ask("eng", "POST", accept, PIN, version=found["version"] + 5)).status == 412
    illegal = await line.ask(
        "eng", "POST", f"/complaint-lines/{found['line_id']}/done", {"note": "x"}, version=found["version"]
    )
    assert (illegal.status, illegal.body["code"]) == (409, "illegal_step")
    assert "accept, reject" in illegal.body["detail"]


async def test_somebody_elses_case_is_not_there(line: Line) -> None:
    made = await line.do("agent", "/complaints", complaint(line))
    case_id, found = made["header"]["case_id"], made["lines"][0]
    handoff_id = found["handoffs"][0]["handoff_id"]
    for method, path in (
        ("GET", f"/complaints/{case_id}"),
        ("GET", f"/complaint-lines/{found['line_id']}"),
        ("GET", f"/handoffs/{handoff_id}"),
        ("GET", f"/complaints/{new_ulid()}"),
        ("GET", "/complaints/x"),
        ("GET", f"/escalations/{new_ulid()}"),
    ):
        assert (await line.ask("des", method, path)).status == 404
    accept = f"/complaint-lines/{found['line_id']}/accept"
    assert (await line.ask("des", "POST", accept, PIN, version=found["version"])).status == 404
    assert (await line.ask("agent", "POST", accept, PIN, version=found["version"])).status == 403
    assert (await line.ask("eng", "POST", f"/complaints/{case_id}/close", {}, version=1)).status == 403


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("/complaints?status=open", "status"),
        ("/complaints?limit=201", "limit"),
        ("/complaints?cursor=x", "cursor"),
        ("/complaints?nonsense=1", "nonsense"),
        ("/handoffs?box=mine", "box"),
        ("/overdue", "which"),
        ("/escalations?state=E5", "state"),
        ("/escalations?cursor=x", "cursor"),
    ],
)
async def test_bad_queries_are_refused_by_name(line: Line, query: str, name: str) -> None:
    answer = await line.ask("manager", "GET", query)
    assert (answer.status, answer.field) == (400, name)
