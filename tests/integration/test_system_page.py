"""The administrators' system page and its API: who may, what is shown, examinations that hang or break."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from app.examination import examine
from app.settings import load_settings
from kernel.access import Actor, Permission, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden
from tests.support.web import Client, WebHarness, same_origin
from web.app import create_app
from web.doctor_wire import Examine, Examined
from web.system_state import SystemState

pytestmark = pytest.mark.integration

PAGE, AGAIN, API = "/admin/system", "/admin/system/examinations", "/api/v1/system"
ADMINISTRATOR = Actor(user_id="0" * 26, name="管理员", role=Role.ADMINISTRATOR)
HIDDEN = "hunter2-of-the-database"


@asynccontextmanager
async def serving(harness: WebHarness, look: Examine | None) -> AsyncIterator[Client]:
    app = create_app(replace(harness.deps(), examine=look), accounts=harness.accounts)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def harness(database: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(database, clock)


def state(clock: FakeClock, look: Examine, folder: Path, seconds: float) -> SystemState:
    return SystemState(clock, examine=look, tasks=dict, release="1", folder=folder, seconds=seconds)


async def test_the_doctor_is_shown_with_its_age_and_no_secrets(harness: WebHarness, tmp_path: Path) -> None:
    settings = load_settings(
        {},
        data_dir=tmp_path,
        database_url=f"postgresql://huifang:{HIDDEN}@127.0.0.1:9/huifang",
        redis_url=f"redis://:{HIDDEN}@127.0.0.1:9/0",
    )
    async with serving(harness, partial(examine, settings)) as client:
        await harness.sign_in(client, Role.ADMINISTRATOR)
        async with client.get(PAGE) as answer:
            assert answer.status == 200
            assert "还没有检查过" in await answer.text()
        async with client.post(AGAIN, headers=same_origin(client)) as answer:
            page = await answer.text()
        assert str(answer.url).endswith(PAGE)
        assert "检查时间" in page
        assert "需要处理" in page
        assert "HUIFANG_DATABASE_URL" in page
        async with client.get(API) as answer:
            given = await answer.json()
        assert given["examined_at"] is not None
        assert {"database", "Redis", "disk"} <= {one["name"] for one in given["findings"]}
        assert all(one["mend"] for one in given["findings"] if one["level"] == "error")
        assert given["disk_free_bytes"] <= given["disk_total_bytes"]
        assert HIDDEN not in page + str(given)
        async with client.get(PAGE, headers={"Accept-Language": "en"}) as answer:
            assert HIDDEN not in await answer.text()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR], ids=str)
async def test_others_see_nothing(harness: WebHarness, role: Role) -> None:
    async with serving(harness, None) as client:
        await harness.sign_in(client, role, department="ENG")
        for path in (PAGE, API):
            async with client.get(path) as answer:
                assert answer.status == 403
        async with client.post(AGAIN, headers=same_origin(client)) as answer:
            assert answer.status == 403


async def test_one_examination_at_a_time_and_each_ends(clock: FakeClock, tmp_path: Path) -> None:
    begun: list[int] = []

    async def hang() -> Sequence[Examined]:
        begun.append(os.getpid())
        await asyncio.Event().wait()
        return ()

    system = state(clock, hang, tmp_path, seconds=0.2)
    assert not await system.examine(ADMINISTRATOR)
    assert (await system.view(ADMINISTRATOR)).running
    assert await system.examine(ADMINISTRATOR, wait=timedelta(seconds=10))
    view = await system.view(ADMINISTRATOR)
    assert len(begun) == 1
    assert not view.running
    assert view.examination is not None
    assert view.examination.late
    await system.close()


async def test_an_examination_that_breaks_is_said(clock: FakeClock, tmp_path: Path) -> None:
    async def breaks() -> Sequence[Examined]:
        raise OSError("no such device")

    system = state(clock, breaks, tmp_path / "gone", seconds=5)
    assert await system.examine(ADMINISTRATOR, wait=timedelta(seconds=10))
    view = await system.view(ADMINISTRATOR)
    assert view.examination is not None
    assert view.examination.late
    assert view.disk_free is not None
    await system.close()


async def test_the_service_asks_for_the_permission_itself(clock: FakeClock, tmp_path: Path) -> None:
    system = state(clock, _nothing, tmp_path, seconds=5)
    manager = Actor(user_id="1" * 26, name="孟经理", role=Role.MANAGER)
    assert not manager.can(Permission.SYSTEM_VIEW)
    with pytest.raises(Forbidden):
        await system.view(manager)
    with pytest.raises(Forbidden):
        await system.examine(manager)


async def _nothing() -> Sequence[Examined]:
    return ()
