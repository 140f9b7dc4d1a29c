"""``/livez``, ``/readyz`` and ``/metrics``."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from redis.asyncio import Redis

from app.runtime.redis_server import RedisServer
from kernel.clock import FakeClock
from kernel.db import Database, create_database
from kernel.errors import Unavailable
from kernel.supervise import TaskHealth
from tests.support.waiting import eventually
from tests.support.web import WebHarness, no_pages
from web import health
from web.permissions import Role

pytestmark = pytest.mark.integration


def task(state: str) -> TaskHealth:
    return TaskHealth(
        state=state, crashes=3, since=datetime(2026, 3, 2, tzinfo=UTC), last_error="x: 13800138000"
    )


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock, tasks={"ami:pbx1": task("running"), "planner": task("ended")})


async def test_ready(harness: WebHarness) -> None:
    async def link() -> Mapping[str, Any]:
        return {"state": "live"}

    harness.checks["ami:pbx1"] = link
    async with harness.serve(no_pages) as client:
        assert await (await client.get("/livez")).json() == {"status": "ok"}
        response = await client.get("/readyz")
        body = await response.json()
    assert response.status == 200
    assert body["status"] == "ready"
    assert body["checks"]["database"] == {"ok": True, "dialect": "sqlite"}
    assert body["checks"]["ami:pbx1"] == {"ok": True, "state": "live"}
    assert body["checks"]["tasks"]["tasks"]["ami:pbx1"]["state"] == "running"
    assert "13800138000" not in str(body)


async def test_both_databases_are_asked(database: Database, clock: FakeClock) -> None:
    async with WebHarness(database, clock).serve(no_pages) as client:
        body = await (await client.get("/readyz")).json()
    assert body["checks"]["database"] == {"ok": True, "dialect": database.dialect_name}


async def test_a_link_that_is_down(harness: WebHarness) -> None:
    async def link() -> Mapping[str, Any]:
        raise Unavailable("the link to pbx1 is down")

    async def odd() -> Mapping[str, Any]:
        raise ValueError("13800138000")

    harness.checks |= {"ami:pbx1": link, "odd": odd}
    async with harness.serve(no_pages) as client:
        response = await client.get("/readyz")
        body = await response.json()
        assert (await client.get("/livez")).status == 200
    assert (response.status, body["status"]) == (503, "not ready")
    assert body["checks"]["ami:pbx1"] == {"ok": False, "error": "the link to pbx1 is down"}
    assert body["checks"]["odd"] == {"ok": False, "error": "ValueError"}
    assert body["checks"]["database"]["ok"]


async def test_a_check_that_hangs_does_not_hang_the_answer(
    harness: WebHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = asyncio.Event()

    async def hangs() -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def cannot_be_cancelled() -> Mapping[str, Any]:
        try:
            return await hangs()
        finally:
            await free.wait()

    monkeypatch.setattr(health, "CHECK_DEADLINE_SECONDS", 0.05)
    harness.checks |= {"speech": hangs, "store": cannot_be_cancelled}
    async with harness.serve(no_pages) as client:
        response = await client.get("/readyz")
        assert response.status == 503
        checks = (await response.json())["checks"]
        assert checks["speech"] == checks["store"] == {"ok": False, "error": "no answer in time"}
        free.set()
        await eventually(lambda: not health._late)


async def test_a_task_that_waits_to_be_started_again(harness: WebHarness) -> None:
    harness.tasks["outbox"] = task("waiting")
    async with harness.serve(no_pages) as client:
        response = await client.get("/readyz")
        assert response.status == 503
        assert not (await response.json())["checks"]["tasks"]["ok"]


async def test_a_database_that_cannot_be_opened(clock: FakeClock) -> None:
    database = create_database("sqlite+aiosqlite:////nowhere/at/all.db")
    try:
        async with WebHarness(database, clock).serve(no_pages) as client:
            response = await client.get("/readyz")
            assert response.status == 503
            assert (await response.json())["checks"]["database"] == {"ok": False, "error": "OperationalError"}
    finally:
        await database.dispose()


async def test_redis_goes_and_returns(harness: WebHarness, redis: Redis, redis_server: RedisServer) -> None:
    harness.redis = redis
    async with harness.serve(no_pages) as client:
        assert (await client.get("/readyz")).status == 200
        await redis_server.stop()
        response = await client.get("/readyz")
        assert response.status == 503
        assert not (await response.json())["checks"]["redis"]["ok"]
        await redis_server.start()
        assert (await client.get("/readyz")).status == 200


async def test_signing_in_works_while_redis_is_gone(
    harness: WebHarness, redis: Redis, redis_server: RedisServer
) -> None:
    harness.redis = redis
    async with harness.serve(no_pages) as client:
        await redis_server.stop()
        await harness.sign_in(client, Role.AGENT)
        assert (await client.get("/api/v1/calls")).status == 200


async def test_metrics_are_for_this_machine_and_for_administrators_tokens(harness: WebHarness) -> None:
    admin, agent = await harness.bearer(Role.ADMINISTRATOR), await harness.bearer(Role.AGENT)
    async with harness.serve(no_pages) as client:
        await client.get("/livez")
        response = await client.get("/metrics")
        text = await response.text()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert 'huifang_http_requests_total{method="GET",route="/livez",status="200"}' in text
        away = {"X-Forwarded-For": "203.0.113.7"}
        assert (await client.get("/metrics", headers=away)).status == 403
        assert (await client.get("/metrics", headers=away | agent)).status == 403
        assert (await client.get("/metrics", headers=away | admin)).status == 200
    harness.settings = replace(harness.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    async with harness.serve(no_pages) as client:
        assert (await client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})).status == 403
