"""Imports over the API: sent, checked, looked at, written; the report as a file; how far one is."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import FormData, web

from crm.importing.events import ImportProgressed
from crm.importing.sheet import MAX_BYTES
from crm.people import CustomerFilter
from crm.people_services import PeopleServices
from kernel.access import Role
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.people import MANAGER
from tests.support.waiting import eventually
from tests.support.web import Client, WebHarness
from web.api.files import MAX_FORM_BYTES, MAX_PARTS
from web.crm_part import CRM
from web.import_feed import ImportFeed
from web.live_hub import LiveHub

pytestmark = pytest.mark.integration

SHEET = "客户姓名,电话,合同号,小区\n钱多多,13700137001,ZX-77,翠湖\n=孙悟空,12,,\n"


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


class Held:
    """The application that serves, as soon as it does."""

    app: web.Application

    @property
    def people(self) -> PeopleServices:
        return self.app[CRM].people


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def client(harness: WebHarness, held: Held) -> AsyncIterator[Client]:
    """No pages: nothing works on imports but the test."""

    def hold(app: web.Application) -> None:
        held.app = app

    async with harness.serve(hold) as client:
        yield client


def form(content: bytes, **fields: str) -> FormData:
    sent = FormData(quote_fields=False)
    sent.add_field("file", io.BytesIO(content), filename="../../客户.csv")
    for name, value in fields.items():
        sent.add_field(name, value)
    return sent


async def test_a_sheet_is_sent_checked_and_written(harness: WebHarness, client: Client, held: Held) -> None:
    headers = await harness.bearer(Role.MANAGER)

    async def ask(method: str, path: str, status: int, **more: Any) -> Any:
        async with client.request(method, f"/api/v1/imports{path}", headers=headers, **more) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return json.loads(text)

    made = await ask("POST", "", 201, data=form(SHEET.encode(), overwrite="true"))
    assert (made["state"], made["filename"], made["overwrite"]) == ("checking", "客户.csv", True)
    path = f"/{made['job_id']}"
    early = await ask("POST", f"{path}/run", 409, json={})
    assert early["errors"][0]["field"] == "job_id"
    assert await held.people.jobs.run_once()
    checked = await ask("GET", path, 200)
    assert checked["state"] == "checked"
    assert (checked["report"]["rows"], checked["report"]["good"], checked["report"]["bad"]) == (2, 1, 1)
    (problem,) = [item for item in checked["report"]["problems"] if item["code"] == "not_a_phone"]
    assert (problem["row"], problem["column"], problem["is_warning"]) == (3, "电话", False)
    running = await ask("POST", f"{path}/run", 200, json={"good_rows_only": True})
    assert (running["state"], running["good_rows_only"]) == ("importing", True)
    assert await held.people.jobs.run_once()
    assert (await ask("GET", path, 200))["report"]["written"]
    assert [item["state"] for item in (await ask("GET", "", 200))["items"]] == ["done"]
    page = await held.people.customers.page(MANAGER, CustomerFilter(name="钱多多"))
    assert len(page.items) == 1
    async with client.get(f"/api/v1/imports{path}/report.csv", headers=headers) as answer:
        rows = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
        assert rows[0] == ["row", "column", "value", "problem", "what to do"]
        assert all(not cell.startswith("=") for row in rows for cell in row)
        assert "attachment" in answer.headers["Content-Disposition"]
    async with client.get(f"/api/v1/imports{path}/report.xlsx", headers=headers) as answer:
        assert (await answer.read())[:2] == b"PK"


async def test_what_is_refused_names_its_field(harness: WebHarness, client: Client, held: Held) -> None:
    headers = await harness.bearer(Role.MANAGER)
    for sent, status in (
        (form(b""), 400),
        (form(SHEET.encode(), overwrite="perhaps"), 400),
        (form(SHEET.encode(), surprise="1"), 400),
        (form(b"x" * (MAX_BYTES + MAX_PARTS * MAX_FORM_BYTES + 1)), 413),
    ):
        async with client.post("/api/v1/imports", headers=headers, data=sent) as answer:
            assert answer.status == status, await answer.text()
    async with client.post("/api/v1/imports", headers=headers, json={}) as answer:
        assert answer.status == 415
    for path in (f"/{new_ulid()}", "/no-id", f"/{new_ulid()}/report.csv", f"/{new_ulid()}/report.xlsx"):
        async with client.get(f"/api/v1/imports{path}", headers=headers) as answer:
            assert answer.status == 404, path
    assert await held.people.jobs.list(MANAGER) == []


async def test_pages_hear_how_far_an_import_is(clock: FakeClock) -> None:
    bus, hub = Bus(), LiveHub(clock)
    feed = ImportFeed(bus=bus, hub=hub)
    reader = hub.open(["imports"], user_id="u1")
    first = await reader.next_chunk(1)
    assert first is not None
    assert b'"all":true' in first, "a page that comes reads itself again"
    task = asyncio.create_task(feed.run())
    heard = b""

    async def told() -> bool:
        nonlocal heard
        item = ImportProgressed(at=clock.now(), job_id="J1", state="importing", step="write", done=5, total=9)
        bus.publish(item)
        heard += await reader.next_chunk(0.05) or b""
        return b'"step":"write","done":5,"total":9' in heard

    await eventually(told, timeout=20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    hub.close()


async def test_a_job_tells_its_states_and_steps(sqlite: Database, clock: FakeClock, held: Held) -> None:
    harness = WebHarness(sqlite, clock)
    async with harness.serve(lambda app: setattr(held, "app", app)):
        told: list[ImportProgressed] = []
        jobs = held.people.jobs
        jobs._publish = told.append  # type: ignore[assignment]
        made = await jobs.upload(MANAGER, "a.csv", SHEET.encode())
        await jobs.run_once()
        await jobs.start(MANAGER, made.job_id, good_rows_only=True)
        await jobs.run_once()
    states = list(dict.fromkeys(item.state for item in told))
    assert states == ["checking", "checked", "importing", "done"]
    assert {"read", "check", "write"} <= {item.step for item in told}
    assert told[-1].state == "done"
    assert told[-1].step == ""
