"""Tickets, forwarded orders, knowledge, repair points, follow-ups over HTTP: versions, roles, refusals."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.complaints import Desk, open_desk
from tests.support.web import PASSWORD, Client, WebHarness, no_pages, same_origin
from web.auth import SESSION_COOKIE, Visitor
from web.permissions import Role

pytestmark = pytest.mark.integration

API = "/api/v1"
PIN = {"kind": "pin", "pin": "2580"}


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
    """Asking the API as somebody."""

    harness: WebHarness
    client: Client
    desk: Desk
    cookies: dict[str, str] = field(default_factory=dict)

    async def become(self, login: str, role: Role, department: str | None = None) -> None:
        await self.harness.user(role, login=login, department=department)
        await self.sign_in(login)

    async def sign_in(self, login: str) -> None:
        signed = await self.harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
        self.cookies[login] = f"{SESSION_COOKIE}={signed.session.secret}"

    async def ask(
        self, login: str, method: str, path: str, body: Any = None, *, version: int | None = None
    ) -> Answer:
        headers = same_origin(self.client) | {
            "Cookie": self.cookies[login],
            "Content-Type": "application/json",
        }
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        sent = io.BytesIO(json.dumps(body).encode()) if body is not None else None
        response = await self.client.request(method, API + path, data=sent, headers=headers)
        return Answer(response.status, json.loads(await response.text()), response.headers.get("ETag"))

    def finding(self, **changes: Any) -> dict[str, Any]:
        return {
            "customer_id": self.desk.customer_id,
            "project_id": self.desk.project_id,
            "text": "客户反映厨房插座位置与图纸不符",
            "departments": ["ENG"],
            "question": "水电施工您满意吗?",
            "question_id": "YB4",
            "callback_ref": "HF202603020001",
        } | changes


@pytest.fixture
async def line(database: Database, clock: FakeClock) -> AsyncIterator[Line]:
    desk = await open_desk(database, clock)
    harness = WebHarness(database, clock)
    async with harness.serve(no_pages) as client:
        made = Line(harness, client, desk)
        for login, role, department in (
            ("agent", Role.AGENT, None),
            ("supervisor", Role.SUPERVISOR, None),
            ("manager", Role.MANAGER, None),
            ("eng", Role.DEPARTMENT_HEAD, "ENG"),
            ("des", Role.DEPARTMENT_HEAD, "DES"),
            ("captain", Role.CAPTAIN, "CS"),
            ("boss", Role.GENERAL_MANAGER, None),
            ("hr", Role.HR, None),
        ):
            await made.become(login, role, department)
        yield made


async def test_a_ticket_goes_its_whole_way(line: Line) -> None:
    opened = await line.ask("agent", "POST", "/tickets", line.finding())
    assert (opened.status, opened.body["header"]["status"]) == (201, "open")
    assert opened.etag == f'"{opened.body["version"]}"'
    again = await line.ask("agent", "POST", "/tickets", line.finding())
    assert again.body["header"]["case_id"] == opened.body["header"]["case_id"]
    case_id = opened.body["header"]["case_id"]
    (part,) = opened.body["parts"]
    assert part["due_at"].endswith("+08:00")
    signed = await line.ask(
        "eng",
        "POST",
        f"/ticket-parts/{part['part_id']}/sign",
        {"signature": PIN},
        version=part["version"],
    )
    assert (signed.status, signed.body["header"]["status"]) == (200, "in_hand")
    (part,) = signed.body["parts"]
    assert part["steps"] == ["solve"]
    path = f"/ticket-parts/{part['part_id']}/solve"
    assert (await line.ask("eng", "POST", path, {"solution": "移位"})).status == 428
    assert (await line.ask("eng", "POST", path, {"solution": "移位"}, version=99)).status == 412
    done = await line.ask("eng", "POST", path, {"solution": "移位"}, version=part["version"])
    assert done.body["header"]["status"] == "solved"
    waiting = await line.ask("agent", "GET", "/ticket-revisits?mine=true")
    assert [item["case"]["case_id"] for item in waiting.body["items"]] == [case_id]
    seen = await line.ask("agent", "GET", f"/tickets/{case_id}")
    assert "close" not in seen.body["steps"]
    early = await line.ask("agent", "POST", f"/tickets/{case_id}/close", version=seen.body["version"])
    assert (early.status, early.body["code"]) == (409, "illegal_step")
    asked = await line.ask(
        "agent", "POST", f"/tickets/{case_id}/revisit", {"said": "satisfied"}, version=seen.body["version"]
    )
    assert asked.body["header"]["status"] == "verified"
    closed = await line.ask("agent", "POST", f"/tickets/{case_id}/close", version=asked.body["version"])
    assert closed.body["header"]["status"] == "closed"
    listed = await line.ask("agent", "GET", "/tickets?status=closed")
    assert [item["no"] for item in listed.body["items"]] == [closed.body["header"]["no"]]


async def test_a_ticket_becomes_a_complaint(line: Line) -> None:
    opened = await line.ask("agent", "POST", "/tickets", line.finding())
    case_id, version = opened.body["header"]["case_id"], opened.body["version"]
    path = f"/tickets/{case_id}/convert"
    assert (await line.ask("agent", "POST", path, {"why": "revisit"}, version=version)).status == 400
    assert (await line.ask("agent", "POST", path, {"why": "decided"}, version=version)).status == 403
    made = await line.ask("agent", "POST", path, {"why": "customer", "note": "客户坚持"}, version=version)
    assert made.body["header"]["status"] == "converted"
    complaint = await line.ask("eng", "GET", f"/complaints/{made.body['converted_to']}")
    assert complaint.body["header"]["no"] == made.body["converted_no"]
    assert (await line.ask("des", "GET", f"/complaints/{made.body['converted_to']}")).status == 404
    serious = await line.ask("agent", "POST", "/tickets", line.finding(question_id="YB9", severity=2))
    assert serious.body["converted_why"] == "severity"


async def test_a_refused_part_is_rerouted_and_waived(line: Line) -> None:
    opened = await line.ask("agent", "POST", "/tickets", line.finding())
    case_id, (part,) = opened.body["header"]["case_id"], opened.body["parts"]
    base = f"/ticket-parts/{part['part_id']}"
    refused = await line.ask("eng", "POST", f"{base}/refuse", {"reason": "设计问题"}, version=part["version"])
    (part,) = refused.body["parts"]
    moved = await line.ask(
        "agent",
        "POST",
        f"{base}/reroute",
        {"department": "DES", "reason": "图纸标错"},
        version=part["version"],
    )
    last = moved.body["parts"][-1]
    assert last["department"] == "DES"
    base = f"/ticket-parts/{last['part_id']}"
    refused = await line.ask("des", "POST", f"{base}/refuse", {"reason": "不属实"}, version=last["version"])
    last = refused.body["parts"][-1]
    settled = await line.ask(
        "agent", "POST", f"{base}/unfounded", {"reason": "看过"}, version=last["version"]
    )
    waived = await line.ask(
        "manager",
        "POST",
        f"/tickets/{case_id}/waiver",
        {"reason": "三次未接通"},
        version=settled.body["version"],
    )
    assert waived.body["header"]["status"] == "verified"
    added = await line.ask(
        "agent",
        "POST",
        f"/tickets/{case_id}/parts",
        {"department": "MAT"},
        version=waived.body["version"],
    )
    assert (added.status, added.body["code"]) == (409, "illegal_step")
    worse = await line.ask(
        "agent",
        "POST",
        f"/tickets/{case_id}/severity",
        {"severity": 3, "reason": "媒体"},
        version=waived.body["version"],
    )
    assert worse.body["header"]["status"] == "converted"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"text": "水" * 2001}, "text"),
        ({"text": ""}, "text"),
        ({"severity": 4}, "severity"),
        ({"departments": []}, "departments"),
        ({"departments": ["ENG", "ENG"]}, "departments"),
        ({"departments": ["NOPE"]}, "departments.0"),
        ({"class_code": 0}, "class_code"),
        ({"surprise": 1}, "surprise"),
        ({"source": "hotline_forward"}, "external_no"),
        ({"call_id": "../x"}, "call_id"),
        ({"demanded_minutes": 1}, "demanded_minutes"),
    ],
)
async def test_bad_findings_are_refused_by_name(line: Line, changes: dict[str, Any], place: str) -> None:
    refused = await line.ask("agent", "POST", "/tickets", line.finding(**changes))
    assert (refused.status, refused.field) == (400, place)
    assert (await line.ask("agent", "GET", "/tickets")).body["items"] == []


async def test_roles_and_departments(line: Line) -> None:
    opened = await line.ask("agent", "POST", "/tickets", line.finding())
    case_id, (part,) = opened.body["header"]["case_id"], opened.body["parts"]
    sign = f"/ticket-parts/{part['part_id']}/sign"
    for login, method, path, body, status in (
        ("eng", "POST", "/tickets", line.finding(), 403),
        ("hr", "POST", f"/tickets/{case_id}/close", None, 403),
        ("des", "GET", f"/tickets/{case_id}", None, 404),
        ("des", "POST", sign, {"signature": PIN}, 404),
        ("agent", "POST", sign, {"signature": PIN}, 403),
        ("agent", "POST", f"/tickets/{case_id}/waiver", {"reason": "x"}, 403),
        ("agent", "GET", f"/tickets/{new_ulid()}", None, 404),
        ("eng", "POST", f"/opinion-notices/{new_ulid()}/answer", {"text": "x"}, 403),
    ):
        found = await line.ask(login, method, path, body, version=part["version"])
        assert found.status == status, (login, path, found.body)
    assert (await line.ask("hr", "GET", f"/tickets/{case_id}")).status == 200


async def test_an_opinion_notice_is_read_and_answered(line: Line) -> None:
    await line.ask("agent", "POST", "/tickets", line.finding())
    line.desk.clock.advance(timedelta(hours=4))
    for login in ("agent", "eng", "des", "boss"):
        await line.sign_in(login)
    second = await line.ask("agent", "POST", "/tickets", line.finding(callback_ref="HF202603040001"))
    (notice,) = second.body["notices"]
    assert notice["sheet"]["missed"]
    listed = await line.ask("eng", "GET", "/opinion-notices?answered=false")
    assert [item["no"] for item in listed.body["items"]] == [notice["no"]]
    path = f"/opinion-notices/{notice['notice_id']}"
    assert (await line.ask("des", "GET", path)).status == 404
    answered = await line.ask(
        "boss", "POST", f"{path}/answer", {"text": "本周解决"}, version=notice["version"]
    )
    assert answered.body["answer"] == "本周解决"
    assert (await line.ask("eng", "GET", path)).body["answered_by"]


async def test_a_forwarded_order_is_replied_to(line: Line) -> None:
    made = await line.ask(
        "agent",
        "POST",
        "/tickets",
        line.finding(source="hotline_forward", external_no="95598-1", demanded_minutes=240),
    )
    case_id, version = made.body["header"]["case_id"], made.body["version"]
    (owed,) = (await line.ask("agent", "GET", "/forwarded-orders?mine=true")).body["items"]
    assert (owed["kind"], owed["owed"], owed["limit"]["code"]) == ("ticket", True, "FO.REPLY")
    reply = {"way": "phone", "text": "已处理", "told": "018"}
    path = f"/forwarded-orders/{case_id}/reply"
    assert (await line.ask("eng", "POST", path, reply, version=version)).status == 403
    told = await line.ask("agent", "POST", path, reply, version=version)
    assert (told.status, told.body["owed"], told.body["reply"]["told"]) == (200, False, "018")
    twice = await line.ask("agent", "POST", path, reply, version=told.body["version"])
    assert (twice.status, twice.body["code"]) == (409, "no_reply_owed")
    taken = await line.ask(
        "agent",
        "POST",
        "/tickets",
        line.finding(question_id="X", source="hotline_forward", external_no="95598-1"),
    )
    assert (taken.status, taken.body["code"], taken.field) == (409, "already_forwarded", "external_no")
    assert (await line.ask("agent", "GET", f"/forwarded-orders/{case_id}")).body["reply"]["way"] == "phone"


async def test_knowledge_is_written_offered_and_found(line: Line) -> None:
    text = {
        "area": "after_sale",
        "question": "漏水先做什么?",
        "answer": "关**总阀** <script>alert(1)</script>",
        "keywords": ["漏水"],
        "classes": [1],
    }
    assert (await line.ask("agent", "POST", "/articles", text)).status == 403
    made = await line.ask("supervisor", "POST", "/articles", text)
    assert made.status == 201 and made.etag == '"1"'
    key = made.body["article_id"]
    offered = await line.ask(
        "agent", "POST", "/articles/suggest", {"text": "家里漏水了", "menu_path": ["报修"]}
    )
    (article,) = offered.body["items"]
    assert article["blocks"][0]["lines"][0][-1] == {"text": " <script>alert(1)</script>", "bold": False}
    voted = await line.ask("agent", "POST", f"/articles/{key}/vote", {"useful": True})
    assert (voted.body["votes"], voted.body["voted"]) == (1, True)
    better = text | {"answer": "关总阀", "why": "简单些"}
    assert (await line.ask("supervisor", "PUT", f"/articles/{key}", better)).status == 428
    changed = await line.ask("supervisor", "PUT", f"/articles/{key}", better, version=1)
    assert changed.body["number"] == 2
    assert (await line.ask("supervisor", "PUT", f"/articles/{key}", better, version=1)).status == 412
    versions = await line.ask("agent", "GET", f"/articles/{key}/versions")
    assert [item["why"] for item in versions.body["items"]] == ["简单些", ""]
    newest = await line.ask("agent", "GET", f"/articles/{key}/versions?limit=1")
    older = await line.ask("agent", "GET", f"/articles/{key}/versions?cursor={newest.body['next_cursor']}")
    assert [*newest.body["items"], *older.body["items"]] == versions.body["items"]
    assert older.body["next_cursor"] is None
    assert (await line.ask("agent", "GET", f"/articles/{new_ulid()}/versions")).status == 404
    hits = await line.ask("agent", "GET", "/search?q=漏水&kind=article")
    assert [hit["ref_id"] for hit in hits.body["items"]] == [key]
    gone = await line.ask("supervisor", "POST", f"/articles/{key}/withdraw", {"why": "过时"}, version=2)
    assert gone.body["valid"] is False
    assert (await line.ask("agent", "GET", "/articles")).body["items"] == []
    bad = await line.ask("supervisor", "POST", "/articles", text | {"keywords": ["水"]})
    assert (bad.status, bad.field) == (400, "keywords")


async def test_words_are_classified(line: Line) -> None:
    found = await line.ask("agent", "POST", "/classification", {"text": "插座冒火花,有焦味"})
    assert (found.body["nature"], found.body["urgency"]) == ("repair", "emergency")
    assert (found.body["urgency_label"], found.body["answer_minutes"]) == ("特急", 5)
    assert (await line.ask("eng", "POST", "/classification", {"text": "漏水"})).status == 403


async def test_the_repair_point_network(line: Line) -> None:
    point = {
        "name": "通州张记",
        "agreement_no": "WX-1",
        "district": "通州区",
        "contact": "张师傅",
        "phone": "13811112222",
        "valid_from": "2026-01-01",
    }
    assert (await line.ask("captain", "POST", "/repair-points", point)).status == 403
    made = await line.ask("manager", "POST", "/repair-points", point)
    assert (made.status, made.body["valid"]) == (201, True)
    key = made.body["point_id"]
    changed = await line.ask("manager", "PUT", f"/repair-points/{key}", point | {"note": "好"}, version=1)
    assert changed.body["version"] == 2
    parts = {"kind": "issue", "part": "角阀", "quantity": "10", "price": "25.50", "on_day": "2026-03-02"}
    path = f"/repair-points/{key}/parts"
    assert (await line.ask("captain", "POST", path, parts)).body["total"] == "255.00"
    refused = await line.ask("captain", "POST", path, parts | {"price": "1.001"})
    assert (refused.status, refused.field) == (400, "price")
    too_many = await line.ask("captain", "POST", path, parts | {"kind": "return", "quantity": "11"})
    assert (too_many.status, too_many.field) == (400, "quantity")
    assert len((await line.ask("agent", "GET", f"{path}?month=2026-03")).body["items"]) == 1
    month = {"month": "2026-03", "budget": "100", "actual": "255.00"}
    account = await line.ask("captain", "PUT", f"/repair-points/{key}/accounts", month)
    assert (account.body["over"], account.body["parts"]) == ("155.00", "255.00")
    assert (await line.ask("captain", "PUT", f"/repair-points/{key}/accounts", month)).status == 412
    approve = f"/repair-accounts/{account.body['account_id']}/approve"
    no_reason = await line.ask("manager", "POST", approve, {}, version=1)
    assert (no_reason.status, no_reason.field) == (400, "why")
    assert (await line.ask("manager", "POST", approve, {"why": "急修"}, version=1)).body["approved_by"]
    assert (await line.ask("agent", "GET", "/repair-accounts?month=2026-03")).body["items"][0][
        "over"
    ] == "155.00"
    row = {"month": "2026-03", "product": "角阀", "problem": "漏", "count": 2, "departments": ["MAT"]}
    assert (await line.ask("captain", "POST", "/quality-feedback", row)).status == 201
    assert (await line.ask("agent", "GET", "/quality-feedback?month=2026-03")).body["items"][0]["count"] == 2
    assert (await line.ask("hr", "GET", "/repair-points")).status == 403


async def test_follow_ups(line: Line) -> None:
    window = "since=2026-02-01T00:00:00%2B08:00&until=2026-03-31T00:00:00%2B08:00"
    owed = await line.ask("supervisor", "GET", f"/follow-ups?{window}&mine=false")
    assert owed.status == 200 and owed.body["items"]
    first = next(item for item in owed.body["items"] if item["rank"] == "supervisor")
    noted = await line.ask("supervisor", "POST", f"/follow-ups/{first['case']['case_id']}", {"sound": True})
    assert noted.body["done_by"]
    again = await line.ask("supervisor", "POST", f"/follow-ups/{first['case']['case_id']}", {"sound": True})
    assert again.status == 409
    ratios = await line.ask("manager", "GET", f"/follow-up-ratios?{window}")
    assert sum(item["done"] for item in ratios.body["items"]) == 1
    assert all(item["text"] == "–" for item in ratios.body["items"] if not item["all"])
    long = "since=2025-01-01T00:00:00%2B08:00&until=2026-03-31T00:00:00%2B08:00"
    refused = await line.ask("manager", "GET", f"/follow-up-ratios?{long}")
    assert (refused.status, refused.field) == (400, "until")
