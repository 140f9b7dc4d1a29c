"""``/api/v1/users``: a program adds, changes, disables; passwords are told once, to it alone."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import select

from kernel.access import Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web import WebHarness

pytestmark = pytest.mark.integration

NEW = {"login": "wangli", "display_name": "王莉", "role": "supervisor"}


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


async def ask(
    client: TestClient[Any, Any], method: str, path: str, *, version: int | None = None, **options: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Origin": str(client.make_url("/")).rstrip("/"), "Accept": "application/json"}
    if version is not None:
        headers["If-Match"] = f'"{version}"'
    async with client.request(method, f"/api/v1/users{path}", headers=headers, **options) as answer:
        return answer.status, await answer.json()


async def test_from_the_first_password_to_the_door(harness: WebHarness, sqlite: Database) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, Role.ADMINISTRATOR)
        status, made = await ask(client, "POST", "", json=NEW)
        assert (status, made["user"]["state"]) == (201, "password_due")
        password, user_id = made["password"], made["user"]["user_id"]
        assert len(password) >= 12
        status, taken = await ask(client, "POST", "", json=NEW)
        assert (status, taken["code"]) == (409, "login_taken")
        status, found = await ask(client, "GET", "", params={"text": "wang"})
        assert [one["login"] for one in found["items"]] == ["wangli"]
        status, one = await ask(client, "GET", f"/{user_id}")
        assert status == 200 and "password" not in one
        change = {"display_name": "王丽", "role": "manager"}
        status, one = await ask(client, "PUT", f"/{user_id}", version=one["version"], json=change)
        assert (status, one["display_name"], one["role"]) == (200, "王丽", "manager")
        status, _ = await ask(client, "PUT", f"/{user_id}", version=1, json=change)
        assert status == 412
        off = {"active": False}
        status, one = await ask(client, "PUT", f"/{user_id}/active", version=one["version"], json=off)
        assert (status, one["state"]) == (200, "disabled")
        status, given = await ask(client, "POST", f"/{user_id}/password", version=one["version"])
        assert status == 200 and given["password"] != password
        assert (await ask(client, "DELETE", f"/{user_id}/sessions"))[0] == 200
        assert (await ask(client, "GET", "/nobody"))[0] == 404
    async with sqlite.session() as session:
        told = [str(row.detail) for row in await session.scalars(select(AuditRow))]
    assert not [text for text in told if password in text or given["password"] in text]


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR, Role.MANAGER], ids=str)
async def test_for_administrators_alone(harness: WebHarness, role: Role) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, role)
        assert (await ask(client, "GET", ""))[0] == 403
        assert (await ask(client, "POST", "", json=NEW))[0] == 403
