"""The live connection over HTTP: who may read what, resuming, heartbeats, ended sessions, stopping."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, UnixConnector, web

from tests.support.waiting import eventually
from tests.support.web import PASSWORD, Client, WebHarness, agent_snapshot, same_origin
from web import live, pages
from web.app import create_app
from web.auth import SESSION_COOKIE, Visitor
from web.live import LIVE, Live
from web.permissions import Role

pytestmark = pytest.mark.integration


class Desk:
    """One agent who waits for calls."""

    def __init__(self) -> None:
        self.agent = agent_snapshot()

    async def state(self, agent_id: str) -> Any:
        return self.agent

    async def sign_out(self, agent_id: str) -> Any:
        return self.agent

    async def wrap_up(self, agent_id: str, call_id: str) -> None:
        return None

    async def unsaved_wrap_ups(self, agent_id: str, *, limit: int = 20) -> tuple[()]:
        return ()


class Events:
    """Reads a stream of server-sent events as a browser does."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.last_id = ""

    async def next(self, timeout: float = 5.0) -> tuple[str, Any]:
        """Return the next event's name and data; ``("", None)`` at the end of the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(timeout):
            while line := await self._response.content.readline():
                text = line.decode().rstrip("\n")
                if text:
                    name, _, value = text.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    self.last_id = fields.get("id", self.last_id)
                    return fields["event"], json.loads(fields["data"])
        return "", None

    async def until(self, name: str) -> Any:
        """Read on until an event of this name."""
        while True:
            event, payload = await self.next()
            if event == name:
                return payload
            assert event, f"the stream ended before {name}"


@pytest.fixture
async def harness(sqlite: Any, clock: Any) -> WebHarness:
    made = WebHarness(database=sqlite, clock=clock)
    made.desk = Desk()
    return made


@asynccontextmanager
async def stream(client: Client, query: str = "topics=agent", **headers: str) -> AsyncIterator[Events]:
    async with client.get(f"/live?{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Events(response)


def live_of(client: Client) -> Live:
    app = client.app
    assert app is not None
    return app[LIVE]


async def test_a_page_is_told_the_time_the_state_and_then_every_change(harness: WebHarness) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1001")
        async with client.get("/live?topics=agent") as response:
            assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert response.headers["Cache-Control"] == "no-store, no-transform"
            assert response.headers["X-Accel-Buffering"] == "no"
            assert "Content-Encoding" not in response.headers
            events = Events(response)
            assert (await events.next())[1] == {"now": harness.clock.now().isoformat()}
            name, snapshot = await events.next()
            assert name == "snapshot"
            assert dict(snapshot["events"])["state"]["state"] == "available"
            live_of(client).hub.publish("agent:agent-1001", "pop", {"caller_name": "\r\n\r\n<王>"})
            assert await events.next() == ("pop", {"caller_name": "\r\n\r\n<王>"})


async def test_after_a_break_only_what_was_missed_is_told(harness: WebHarness) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1001")
        async with stream(client) as events:
            await events.until("snapshot")
        hub = live_of(client).hub
        hub.publish("agent:agent-1001", "pop", 1)
        async with stream(client, **{"Last-Event-ID": events.last_id}) as again:
            await again.until("heartbeat")
            assert await again.next() == ("pop", 1)
        async with stream(client, f"topics=agent&last_event_id={events.last_id}") as by_address:
            await by_address.until("heartbeat")
            assert await by_address.next() == ("pop", 1)
        async with stream(client, **{"Last-Event-ID": "nonsense"}) as anew:
            await anew.until("snapshot")


async def test_who_may_read_what(harness: WebHarness) -> None:
    async with harness.serve() as client:
        for path in ("/live?topics=agent", "/live/check"):
            response = await client.get(path, headers={"Accept": "text/event-stream"})
            assert response.status == 401
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1001")
        json_errors = {"Accept": "application/json"}
        assert (await client.get("/live?topics=board", headers=json_errors)).status == 403
        assert (await client.get("/live?topics=agent,board", headers=json_errors)).status == 403
        assert (await client.get("/live?topics=everything", headers=json_errors)).status == 400
        assert (await client.get("/live", headers=json_errors)).status == 400
        assert (await client.get("/live/check")).status == 204
    async with harness.serve() as client:
        await harness.sign_in(client, Role.SUPERVISOR)
        assert (await client.get("/live?topics=agent", headers=json_errors)).status == 403
        async with stream(client, "topics=board") as events:
            await events.until("snapshot")


async def test_a_stream_ends_with_its_session(harness: WebHarness) -> None:
    def quick(app: web.Application) -> None:
        live.setup(app)
        app[LIVE] = live.build(app, heartbeat_seconds=0.05)

    async with harness.serve(pages.setup, quick) as client:
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1001")
        async with stream(client) as events:
            await events.until("snapshot")
            harness.clock.advance(timedelta(seconds=1))
            await events.until("heartbeat")
            out = await client.post("/sign-out", headers=same_origin(client), allow_redirects=False)
            assert out.status == 303
            harness.clock.advance(timedelta(seconds=1))
            while (await events.next())[0]:
                pass


async def test_the_board_is_pushed_and_masked(harness: WebHarness) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, Role.SUPERVISOR)
        async with stream(client, "topics=board") as events:
            snapshot = dict((await events.until("snapshot"))["events"])["board"]
            assert snapshot["queues"][0]["service_level"] == 0.75
            harness.board.stale = True
            assert (await events.until("board"))["stale"] is True


async def test_the_fifth_tab_takes_the_place_of_the_first(harness: WebHarness) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1001")
        async with stream(client) as first:
            await first.until("snapshot")
            async with stream(client), stream(client), stream(client), stream(client) as fifth:
                await fifth.until("snapshot")
                assert await first.next() == ("displaced", {})
                assert await first.next() == ("", None)


async def test_a_reader_that_goes_away_is_forgotten(harness: WebHarness) -> None:
    async with harness.serve() as client:
        await harness.sign_in(client, Role.AGENT, agent_id="agent-1001")
        hub = live_of(client).hub
        async with stream(client) as events:
            await events.until("snapshot")
            assert hub.has_readers("agent:agent-1001")

        def told_to_nobody() -> bool:
            hub.publish("agent:agent-1001", "pop", "x" * 1000)
            return not hub.has_readers("agent:agent-1001")

        await eventually(told_to_nobody)


async def test_the_server_stops_at_once_with_pages_open(harness: WebHarness, tmp_path: Path) -> None:
    runner = web.AppRunner(create_app(harness.deps(), accounts=harness.accounts), access_log=None)
    await runner.setup()
    site = web.UnixSite(runner, str(tmp_path / "s"))
    await site.start()
    await harness.user(Role.SUPERVISOR)
    signed_in = await harness.accounts.authenticator.sign_in("supervisor", PASSWORD, visitor=Visitor())
    connector = UnixConnector(str(tmp_path / "s"))
    cookies = {SESSION_COOKIE: signed_in.session.secret}
    async with (
        ClientSession(connector=connector, cookies=cookies) as session,
        session.get("http://localhost/live?topics=board") as response,
    ):
        events = Events(response)
        await events.until("snapshot")
        async with asyncio.timeout(20):
            await runner.cleanup()
        await events.until("closing")
        assert await events.next() == ("", None)
