"""Callback tasks over REST: listed, read, stopped for a project."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from crm.domain.project import Stage
from crm.events_people import StageReached
from crm.tables import Project
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.web_stage import PASSWORD
from tests.support.web_stage import Stage as WebStage
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS
from web.permissions import Role

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[WebStage]:
    made = WebStage(sqlite, clock, tmp_path)
    await made.seed()
    await made.accounts.users.create(login="manager", password=PASSWORD, role=Role.MANAGER)
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: WebStage, login: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    secret = await stage.session_secret(login)
    sent = {"Origin": stage.url} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers=sent) as client,
        client.request(method, f"{stage.url}/api/v1{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_listed_read_and_stopped(stage: WebStage, clock: FakeClock) -> None:
    assert stage.app is not None
    async with stage.database.transaction() as session:
        project = (await session.scalars(select(Project).order_by(Project.id).limit(1))).one()
        fact = StageReached(
            at=clock.now(),
            project_id=project.id,
            customer_id=project.customer_id,
            contract_no=project.contract_no,
            stage=int(Stage.STARTED),
            happened_on=clock.now().date(),
            planned_on=date(2026, 1, 1),
            stage_event_id=new_ulid(),
            recorded_by="沈静",
        )
        await stage.app[CALLBACKS].tasks.take(session, fact)
    status, page = await ask(stage, "agent", "GET", "/callback-tasks?open=true&kind=KG")
    assert status == 200, page
    (task,) = page["items"]
    assert (task["kind"], task["contract_no"], task["attempts"]) == ("KG", project.contract_no, 0)
    status, detail = await ask(stage, "agent", "GET", f"/callback-tasks/{task['task_id']}")
    assert status == 200 and [step["step"] for step in detail["steps"]] == ["planned"]
    assert (await ask(stage, "agent", "GET", f"/callback-tasks/{new_ulid()}"))[0] == 404
    assert (await ask(stage, "agent", "GET", "/callback-tasks?kind=XX"))[0] == 400
    path, stop = (
        f"/projects/{project.id}/callback-stop",
        {"kind": "KG", "stopped": True, "reason": "客户要求"},
    )
    seen = f'"{project.version}"'
    assert (await ask(stage, "agent", "PUT", path, stop, If_Match=seen))[0] == 403
    assert (await ask(stage, "manager", "PUT", path, stop))[0] == 428
    status, done = await ask(stage, "manager", "PUT", path, stop, If_Match=seen)
    assert (status, done["version"]) == (200, project.version + 1)
    assert (await ask(stage, "manager", "PUT", path, stop, If_Match=seen))[0] == 412
    seen = f'"{done["version"]}"'
    assert (await ask(stage, "manager", "PUT", path, stop, If_Match=seen))[0] == 409
    status, page = await ask(stage, "agent", "GET", f"/callback-tasks?project_id={project.id}")
    assert [item["cancelled_why"] for item in page["items"]] == ["stopped"]
    enabled = {**stop, "stopped": False}
    assert (await ask(stage, "manager", "PUT", path, enabled, If_Match=seen))[0] == 200

    # Planned by hand, once however often it is sent; appointed; cancelled.
    day = (clock.now() + timedelta(days=1)).date()
    new = {"kind": "VISIT", "on": str(day), "customer_id": project.customer_id, "project_id": project.id}
    assert (await ask(stage, "agent", "POST", "/callback-tasks", new))[0] == 428
    for _ in range(2):
        status, made = await ask(stage, "agent", "POST", "/callback-tasks", new, Idempotency_Key="k-1")
        assert status == 201
    status, page = await ask(stage, "agent", "GET", "/callback-tasks?kind=VISIT")
    assert [item["task_id"] for item in page["items"]] == [made["task"]["task_id"]]
    other = {**new, "project_id": new_ulid()}
    assert (await ask(stage, "agent", "POST", "/callback-tasks", other, Idempotency_Key="k-2"))[0] == 400
    path, version = f"/callback-tasks/{made['task']['task_id']}", f'"{made["version"]}"'
    noon = {"at": f"{day}T12:30:00+08:00"}
    night = {"at": f"{day}T23:00:00+08:00"}
    appoint = f"{path}/appoint"
    assert (await ask(stage, "agent", "POST", appoint, noon, If_Match=version))[0] == 428
    assert (await ask(stage, "agent", "POST", appoint, night, If_Match=version, Idempotency_Key="a"))[
        0
    ] == 400
    assert (await ask(stage, "agent", "POST", appoint, noon, If_Match='"77"', Idempotency_Key="b"))[0] == 412
    for _ in range(2):
        status, made = await ask(stage, "agent", "POST", appoint, noon, If_Match=version, Idempotency_Key="c")
    assert status == 200 and (made["task"]["status"], made["task"]["appointed"]) == ("appointed", True)
    version, why = f'"{made["version"]}"', {"reason": "客户不需要"}
    assert (await ask(stage, "agent", "POST", f"{path}/cancel", why, If_Match=version))[0] == 403
    status, made = await ask(stage, "manager", "POST", f"{path}/cancel", why, If_Match=version)
    assert status == 200 and made["task"]["cancelled_why"] == "by_hand"

    # Nobody has called about the mid-term yet; the manager opens its gate all the same.
    status, found = await ask(stage, "agent", "GET", f"/projects/{project.id}/callback-gates")
    assert status == 200 and [gate["why"] for gate in found["items"]] == ["no_callback"] * 2
    gate = f"/projects/{project.id}/callback-gates"
    assert (await ask(stage, "agent", "POST", gate, {"gate": "handover", "reason": "快"}))[0] == 403
    status, opened = await ask(stage, "manager", "POST", gate, {"gate": "handover", "reason": "客户书面同意"})
    assert status == 200, opened
    assert (opened["open"], opened["why"], opened["reason"]) == (True, "overridden", "客户书面同意")
    assert (await ask(stage, "manager", "POST", gate, {"gate": "handover", "reason": "再一次"}))[0] == 409
