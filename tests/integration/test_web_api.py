"""The REST API over fakes of telephony and crm: shapes, masks, pages, bad input."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from crm.views import CaseBrief
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.domain.agent_state import AgentState
from telephony.views import CallFilter
from tests.support.web import (
    CALL_STARTED,
    Client,
    WebHarness,
    agent_snapshot,
    call_view,
    customer_card,
    no_pages,
)
from web.actions import Action
from web.permissions import Role

pytestmark = pytest.mark.integration

CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    harness = WebHarness(sqlite, clock)
    harness.history.calls.append(call_view(CALL))
    harness.customers.cards["+8613800138000"] = (
        customer_card(),
        customer_card("01JZZZZZZZZZZZZZZZZZZZZZC2", name="李<b>梅</b>", salutation="ms", greeting="李女士"),
    )
    return harness


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(no_pages) as client:
        yield client


async def get(client: Client, path: str, headers: dict[str, str], status: int = 200) -> Any:
    response = await client.get(path, headers=headers)
    assert response.status == status, await response.text()
    return await response.json()


class TestCalls:
    async def test_the_call_object(self, harness: WebHarness, client: Client) -> None:
        token = await harness.bearer(Role.SUPERVISOR)
        call = await get(client, f"/api/v1/calls/{CALL}", token)
        (leg,) = call.pop("legs")
        (row,) = call.pop("timeline")
        assert call == {
            "call_id": CALL,
            "direction": "in",
            "from_number": "+8613800138000",
            "to_number": "+861065551234",
            "customer_id": None,
            "queue": "complaint",
            "agent": "1001",
            "state": "ended",
            "result": "ANSWERED",
            "menu_path": ["投诉"],
            "language": None,
            "started_at": "2026-03-02T09:30:00.000+08:00",
            "queued_at": "2026-03-02T09:30:12.000+08:00",
            "answered_at": "2026-03-02T09:30:20.000+08:00",
            "ended_at": "2026-03-02T09:31:20.000+08:00",
            "wait_seconds": 8.0,
            "talk_seconds": 60.0,
            "hold_seconds": 0.0,
            "hangup_by": "caller",
            "end_reason": "hangup",
            "node": "pbx1",
            "quality": [],
            "rating": None,
        }
        assert leg["number"] == "+8613800138000"
        assert leg["answered_at"] == "2026-03-02T09:30:00.000+08:00"
        assert (row["kind"], row["at"]) == ("offered", "2026-03-02T09:30:00.000+08:00")
        assert row["detail"] == {"from": "13800138000", "did": "+861065551234"}

    async def test_the_list_has_the_same_objects_without_time_lines(
        self, harness: WebHarness, client: Client
    ) -> None:
        token = await harness.bearer(Role.SUPERVISOR)
        listed = await get(client, "/api/v1/calls", token)
        detail = await get(client, f"/api/v1/calls/{CALL}", token)
        del detail["timeline"], detail["quality"], detail["rating"]
        assert listed == {"items": [detail], "next_cursor": None}

    async def test_pages_are_linked(self, harness: WebHarness, client: Client) -> None:
        harness.history.calls = [call_view(new_ulid()) for _ in range(7)]
        token = await harness.bearer(Role.AGENT)
        seen: list[str] = []
        path = "/api/v1/calls?limit=3"
        sizes = []
        while True:
            page = await get(client, path, token)
            seen += [call["call_id"] for call in page["items"]]
            sizes.append(len(page["items"]))
            if page["next_cursor"] is None:
                break
            path = f"/api/v1/calls?limit=3&cursor={page['next_cursor']}"
        assert sizes == [3, 3, 1]
        assert seen == sorted((call.call_id for call in harness.history.calls), reverse=True)

    async def test_filters_arrive_typed(self, harness: WebHarness, client: Client) -> None:
        token = await harness.bearer(Role.SUPERVISOR)
        await get(
            client,
            "/api/v1/calls?since=2026-03-02T00:00:00%2B08:00&until=2026-03-03T00:00:00%2B08:00&direction=in"
            "&queue=complaint&agent=1001&result=ANSWERED&number=8000&customer_id=C1",
            token,
        )
        day = datetime(2026, 3, 1, 16, tzinfo=UTC)
        assert harness.history.asked == [
            CallFilter(
                since=day,
                until=day + timedelta(days=1),
                direction="in",
                queue="complaint",
                agent="1001",
                result="ANSWERED",
                number="8000",
                customer_id="C1",
            )
        ]

    @pytest.mark.parametrize(
        ("path", "status", "code", "field"),
        [
            ("/api/v1/calls?limit=1000", 400, "invalid", "limit"),
            ("/api/v1/calls?since=yesterday", 400, "invalid", "since"),
            ("/api/v1/calls?result=WON", 400, "invalid", "result"),
            ("/api/v1/calls?colour=red", 400, "invalid", "colour"),
            ("/api/v1/calls/nonsense", 404, "not_found", "call_id"),
            ("/api/v1/calls/01JZZZZZZZZZZZZZZZZZZZZZ99", 404, "not_found", "call_id"),
            (f"/api/v1/calls/{CALL}?x=1", 400, "invalid", "x"),
            ("/api/v1/customers?limit=0", 400, "invalid", "limit"),
            ("/api/v1/customers?phone=abc", 400, "invalid_phone", "phone"),
            ("/api/v1/customers?phone=" + "1" * 41, 400, "invalid", "phone"),
        ],
    )
    async def test_bad_input_is_named(
        self, harness: WebHarness, client: Client, path: str, status: int, code: str, field: str
    ) -> None:
        token = await harness.bearer(Role.ADMINISTRATOR)
        problem = await get(client, path, token, status)
        assert problem["code"] == code
        assert [error["field"] for error in problem["errors"]] == [field]

    async def test_times_are_the_sites(self, harness: WebHarness, client: Client) -> None:
        night = datetime(2026, 3, 1, 16, 0, 0, 500_000, tzinfo=UTC)
        harness.history.calls = [call_view(CALL, started_at=night, answered_at=None, queued_at=None)]
        call = await get(client, f"/api/v1/calls/{CALL}", await harness.bearer(Role.AGENT))
        assert call["started_at"] == "2026-03-02T00:00:00.500+08:00"
        assert call["answered_at"] is None


class TestNumbers:
    async def test_agents_see_masked_numbers(self, harness: WebHarness, client: Client) -> None:
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1")
        for path in ("/api/v1/calls", f"/api/v1/calls/{CALL}"):
            text = await (await client.get(path)).text()
            assert "138****8000" in text
            assert "13800138000" not in text
        assert [r for r in await harness.accounts.audit.recent() if r.action == Action.PHONES_SHOWN] == []

    async def test_the_call_in_hand_is_whole_and_not_logged(
        self, harness: WebHarness, client: Client
    ) -> None:
        harness.history.calls = [
            call_view(CALL, state="talking", result=None, ended_at=None, hangup_by=None, end_reason=None)
        ]
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1")
        assert (await get(client, f"/api/v1/calls/{CALL}", {}))["from_number"] == "+8613800138000"
        assert [r for r in await harness.accounts.audit.recent() if r.action == Action.PHONES_SHOWN] == []

    async def test_an_agents_token_handles_no_calls(self, harness: WebHarness, client: Client) -> None:
        harness.history.calls = [call_view(CALL, state="talking", agent_id=None)]
        token = await harness.bearer(Role.AGENT)
        assert (await get(client, f"/api/v1/calls/{CALL}", token))["from_number"] == "138****8000"

    async def test_whole_numbers_are_logged(self, harness: WebHarness, client: Client) -> None:
        token = await harness.bearer(Role.SUPERVISOR)
        await get(client, f"/api/v1/calls/{CALL}", token)
        await get(client, "/api/v1/calls", token)
        listed, detail = [r for r in await harness.accounts.audit.recent() if r.action == Action.PHONES_SHOWN]
        assert (detail.actor, detail.ip, detail.entity, detail.entity_id) == (
            "token:tests supervisor",
            "127.0.0.1",
            "call",
            CALL,
        )
        assert (listed.entity_id, listed.detail) == (CALL, {})
        later = CALL[:-1] + "2"
        harness.history.calls.append(call_view(later))
        await get(client, "/api/v1/calls", token)
        newest = (await harness.accounts.audit.recent())[0]
        assert newest.detail == {"calls": 2, "first": CALL, "last": later}
        harness.history.calls = []
        await get(client, "/api/v1/calls", token)
        assert len([r for r in await harness.accounts.audit.recent() if r.action == Action.PHONES_SHOWN]) == 3

    @pytest.mark.parametrize("number", ["1380", "138001380", "12345", "8000"])
    async def test_masked_digits_cannot_be_felt_out(
        self, harness: WebHarness, client: Client, number: str
    ) -> None:
        problem = await get(client, f"/api/v1/calls?number={number}", await harness.bearer(Role.AGENT), 400)
        assert problem["errors"][0]["field"] == "number"
        await get(client, f"/api/v1/calls?number={number}", await harness.bearer(Role.SUPERVISOR))

    async def test_a_whole_number_may_be_looked_for(self, harness: WebHarness, client: Client) -> None:
        token = await harness.bearer(Role.AGENT)
        await get(client, "/api/v1/calls?number=%2B8613800138000", token)
        await get(client, "/api/v1/calls?number=138-0013-8000", token)

    async def test_no_number_reaches_the_log(self, harness: WebHarness, client: Client) -> None:
        token = await harness.bearer(Role.SUPERVISOR)
        with capture_logs() as logs:
            await get(client, "/api/v1/calls?number=13800138000", token)
            await get(client, f"/api/v1/calls/{CALL}", token)
            await get(client, "/api/v1/customers?phone=13800138000", token)
        assert "13800138000" not in str(logs)


class TestQueues:
    async def test_the_queue_object(self, harness: WebHarness, client: Client) -> None:
        listed = await get(client, "/api/v1/queues", await harness.bearer(Role.AGENT))
        assert listed["items"] == [
            {
                "name": "complaint",
                "label_zh": "投诉",
                "label_en": "Complaints",
                "waiting": 2,
                "longest_since": "2026-03-02T09:30:00.000+08:00",
                "longest_wait_seconds": 42.0,
                "signed_in": 3,
                "available": 1,
                "on_call": 2,
                "offered": 10,
                "answered": 7,
                "abandoned": 2,
                "short_abandoned": 1,
                "within": 6,
                "counted": 8,
                "service_level": 0.75,
                "asa_seconds": 11.5,
                "handled": 0,
                "aht_seconds": None,
                "occupancy": None,
                "as_of": "2026-03-02T09:30:42.000+08:00",
            }
        ]
        assert listed["total"]["service_level"] is None
        assert (listed["formula"], listed["stale"]) == ("net_of_short", False)
        assert listed["as_of"] == "2026-03-02T09:30:42.000+08:00"

    async def test_a_stale_board_says_so_and_stops_counting(
        self, harness: WebHarness, client: Client, clock: FakeClock
    ) -> None:
        harness.board.stale = True
        clock.advance(timedelta(minutes=10))
        listed = await get(client, "/api/v1/queues", await harness.bearer(Role.AGENT))
        assert listed["stale"] is True
        assert listed["items"][0]["longest_wait_seconds"] == 42.0


class TestAgents:
    async def test_the_agent_object(self, harness: WebHarness, client: Client) -> None:
        harness.desk.agents = [agent_snapshot("1002", stale=True), agent_snapshot("1001")]
        listed = await get(client, "/api/v1/agents", await harness.bearer(Role.AGENT))
        assert [(agent["number"], agent["stale"]) for agent in listed["items"]] == [
            ("1001", False),
            ("1002", True),
        ]
        assert listed["as_of"] == "2026-03-02T10:00:00.000+08:00"
        assert listed["items"][0] == {
            "agent_id": "agent-1001",
            "number": "1001",
            "name": "王莉",
            "state": "available",
            "reason": None,
            "since": "2026-03-02T09:30:00.000+08:00",
            "call_id": None,
            "queue": None,
            "next_state": None,
            "wrap_up_until": None,
            "signed_in_at": "2026-03-02T09:30:00.000+08:00",
            "queues": [{"queue": "complaint", "penalty": 0}, {"queue": "repair", "penalty": 2}],
            "stale": False,
        }

    async def test_filters(self, harness: WebHarness, client: Client) -> None:
        harness.desk.agents = [
            agent_snapshot("1001"),
            agent_snapshot("1002", state=AgentState.PAUSED, reason="lunch"),
            agent_snapshot("1003", queues=()),
        ]
        token = await harness.bearer(Role.SUPERVISOR)

        async def numbers(query: str) -> list[str]:
            listed = await get(client, f"/api/v1/agents?{query}", token)
            return [agent["number"] for agent in listed["items"]]

        assert await numbers("state=paused") == ["1002"]
        assert await numbers("queue=repair") == ["1001", "1002"]
        assert await numbers("queue=repair&state=available") == ["1001"]
        assert await numbers("queue=nothing") == []
        problem = await get(client, "/api/v1/agents?state=asleep", token, 400)
        assert problem["errors"][0]["field"] == "state"


class TestCustomers:
    @pytest.mark.parametrize(
        "phone",
        ["13800138000", "%2B8613800138000", "138-0013-8000", "86 138 0013 8000", "０１３８００１３８０００"],
    )
    async def test_a_family_on_one_number(self, harness: WebHarness, client: Client, phone: str) -> None:
        found = await get(client, f"/api/v1/customers?phone={phone}", await harness.bearer(Role.AGENT))
        assert [item["name"] for item in found["items"]] == ["王建国", "李<b>梅</b>"]
        assert found["items"][0]["phones_masked"] == ["138****8000"]
        assert found["items"][0]["greeting"] == "王先生"

    async def test_nobody(self, harness: WebHarness, client: Client) -> None:
        found = await get(client, "/api/v1/customers?phone=13900139000", await harness.bearer(Role.AGENT))
        assert found == {"items": [], "next_cursor": None}

    async def test_a_local_number_gets_the_sites_area(self, harness: WebHarness, client: Client) -> None:
        harness.customers.cards["+861065551234"] = (customer_card(name="赵"),)
        found = await get(client, "/api/v1/customers?phone=65551234", await harness.bearer(Role.AGENT))
        assert [item["name"] for item in found["items"]] == ["赵"]

    async def test_cases_carry_the_sites_time(self, harness: WebHarness, client: Client) -> None:
        case = CaseBrief(
            case_id="K1",
            no="TS20260301-001",
            kind="complaint",
            kind_label="投诉",
            status="open",
            status_label="处理中",
            spoken_status="正在处理",
            summary="墙面开裂",
            department="工程部",
            opened_at=CALL_STARTED,
        )
        harness.customers.cards["+8613800138000"] = (customer_card(open_cases=(case,)),)
        found = await get(client, "/api/v1/customers?phone=13800138000", await harness.bearer(Role.AGENT))
        (shown,) = found["items"][0]["open_cases"]
        assert (shown["no"], shown["opened_at"]) == ("TS20260301-001", "2026-03-02T09:30:00.000+08:00")


async def test_answers_are_json_that_browsers_do_not_sniff(harness: WebHarness, client: Client) -> None:
    response = await client.get(
        "/api/v1/customers?phone=13800138000", headers=await harness.bearer(Role.AGENT)
    )
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
