"""What every request passes through: errors, limits, headers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, web
from structlog.testing import capture_logs

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import is_ulid
from tests.support.sample_routes import sample_routes
from tests.support.waiting import eventually
from tests.support.web import PASSWORD, Client, WebHarness, same_origin
from web.auth import Visitor
from web.middleware import ERROR_PAGE
from web.permissions import Role, public
from web.problems import Problem

pytestmark = pytest.mark.integration


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(sample_routes) as client:
        yield client


class TestErrors:
    async def test_an_unexpected_error_tells_nothing_and_is_logged_once(self, client: Client) -> None:
        with capture_logs() as logs:
            response = await client.get("/api/broken")
            body = await response.json()
        assert response.status == 500
        assert (body["code"], body["request_id"]) == ("internal", response.headers["X-Request-Id"])
        assert "13800138000" not in str(body)
        failures = [entry for entry in logs if entry["event"] == "request_failed"]
        assert len(failures) == 1
        assert failures[0]["error"] == "ValueError"

    async def test_expected_errors_are_problems_and_not_logged_as_failures(self, client: Client) -> None:
        with capture_logs() as logs:
            response = await client.get("/api/taken")
        assert response.status == 409
        assert response.content_type == "application/problem+json"
        assert (await response.json())["errors"] == [{"field": "name", "message": "somebody else has it"}]
        assert not [entry for entry in logs if entry["event"] == "request_failed"]

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/api/v1/nothing", 404, "not_found"),
            ("/api/", 404, "not_found"),
            ("/api/v1/%00", 404, "not_found"),
        ],
    )
    async def test_unknown_paths(self, client: Client, path: str, status: int, code: str) -> None:
        response = await client.get(path)
        assert response.status == status
        assert response.content_type == "application/problem+json"
        assert (await response.json())["code"] == code

    async def test_a_wrong_method_names_the_right_ones(self, harness: WebHarness, client: Client) -> None:
        headers = await harness.bearer(Role.ADMINISTRATOR)
        response = await client.delete("/api/v1/calls", headers=headers)
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD"
        assert (await response.json())["code"] == "method_not_allowed"

    async def test_pages_get_a_page(self, client: Client) -> None:
        response = await client.get("/broken", headers={"Accept": "text/html"})
        assert response.status == 500
        assert response.content_type == "text/plain"
        assert "13800138000" not in await response.text()
        as_json = await client.get("/broken", headers={"Accept": "application/json"})
        assert as_json.content_type == "application/problem+json"

    async def test_the_pages_own_error_page(self, harness: WebHarness) -> None:
        async def page(request: web.Request, problem: Problem) -> web.StreamResponse:
            return web.Response(
                status=problem.status, text=f"<h1>{problem.code}</h1>", content_type="text/html"
            )

        def setup(app: web.Application) -> None:
            app[ERROR_PAGE] = page

        async with harness.serve(sample_routes, setup) as client:
            response = await client.get("/nowhere")
            assert response.status == 404
            assert await response.text() == "<h1>not_found</h1>"

    async def test_an_error_page_that_fails_itself(self, harness: WebHarness) -> None:
        async def page(request: web.Request, problem: Problem) -> web.StreamResponse:
            raise KeyError("no such template")

        def setup(app: web.Application) -> None:
            app[ERROR_PAGE] = page

        async with harness.serve(sample_routes, setup) as client:
            response = await client.get("/nowhere")
            assert response.status == 404
            assert response.content_type == "text/plain"

    async def test_a_handler_that_takes_too_long(self, harness: WebHarness) -> None:
        harness.settings = replace(harness.settings, request_deadline=timedelta(milliseconds=30))
        async with harness.serve(sample_routes) as client:
            response = await client.get("/api/slow")
            assert response.status == 504
            assert (await response.json())["code"] == "deadline_exceeded"

    async def test_a_body_that_is_too_large(self, harness: WebHarness) -> None:
        harness.settings = replace(harness.settings, max_body_bytes=1000)
        headers = await harness.bearer(Role.AGENT) | {"Content-Type": "application/json"}
        async with harness.serve(sample_routes) as client:
            fits = await client.post("/api/echo", data=b"1" * 1000, headers=headers)
            assert fits.status == 200
            response = await client.post("/api/echo", data=b"1" * 1001, headers=headers)
            assert response.status == 413
            assert (await response.json())["code"] == "body_too_large"

    async def test_a_caller_who_leaves_while_sending_is_no_failure_of_ours(self, harness: WebHarness) -> None:
        @public
        async def left(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.close()
            raise ConnectionResetError("Connection lost")

        def routes(app: web.Application) -> None:
            app.router.add_get("/left", left)

        async with harness.serve(routes) as client:
            with capture_logs() as logs:
                with pytest.raises(ClientConnectionError):
                    await client.get("/left")
                await eventually(lambda: [entry for entry in logs if entry["event"] == "http_request"])
        assert [entry["status"] for entry in logs if entry["event"] == "http_request"] == [499]
        assert not [entry for entry in logs if entry["event"] == "request_failed"]

    async def test_a_stream_that_breaks_ends(self, client: Client) -> None:
        whole = await client.get("/ticks")
        assert await whole.read() == b"tick"
        assert "Content-Security-Policy" in whole.headers
        with capture_logs() as logs:
            response = await client.get("/ticks?then=break")
            with pytest.raises(ClientPayloadError):
                await response.read()
        assert [entry["event"] for entry in logs].count("request_failed") == 1


class TestHeaders:
    async def test_every_answer_carries_them(self, client: Client) -> None:
        for path in ("/livez", "/api/v1/openapi.json", "/api/nothing", "/nothing", "/broken", "/ticks"):
            headers = (await client.get(path)).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "same-origin"
            assert "camera=()" in headers["Permissions-Policy"]
            assert headers["Cache-Control"] == "no-store"
            assert headers["Server"] == "huifang"
            assert "Strict-Transport-Security" not in headers
            assert is_ulid(headers["X-Request-Id"])

    async def test_behind_tls(self, harness: WebHarness) -> None:
        harness.settings = replace(harness.settings, secure=True, connect_sources=("wss://pbx.example",))
        await harness.user(Role.AGENT)
        async with harness.serve(sample_routes) as client:
            response = await client.post(
                "/enter", data={"login": "agent", "password": PASSWORD}, headers=same_origin(client)
            )
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert "connect-src 'self' wss://pbx.example;" in response.headers["Content-Security-Policy"]
            for cookie in response.headers.getall("Set-Cookie"):
                assert cookie.startswith("__Host-hf_")
                assert "Secure" in cookie

    async def test_a_request_id_is_taken_from_a_trusted_proxy_only(self, harness: WebHarness) -> None:
        given = {"X-Request-Id": "edge-0123456789"}
        async with harness.serve(sample_routes) as client:
            assert (await client.get("/livez", headers=given)).headers["X-Request-Id"] != given[
                "X-Request-Id"
            ]
        harness.settings = replace(harness.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
        async with harness.serve(sample_routes) as client:
            assert (await client.get("/livez", headers=given)).headers["X-Request-Id"] == given[
                "X-Request-Id"
            ]
            for hostile in ("short", "x" * 65, "a b c d e f", "<script>alert</script>"):
                answer = await client.get("/livez", headers={"X-Request-Id": hostile})
                assert is_ulid(answer.headers["X-Request-Id"])

    @pytest.mark.parametrize(
        ("forwarded", "seen_untrusted", "seen_trusted"),
        [
            ("", "127.0.0.1", "127.0.0.1"),
            ("203.0.113.7", "127.0.0.1", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7", "127.0.0.1", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7, 10.0.0.9", "127.0.0.1", "203.0.113.7"),
            ("2001:db8::1", "127.0.0.1", "2001:db8::1"),
            ("nonsense", "127.0.0.1", ""),
        ],
    )
    async def test_the_callers_address(
        self, harness: WebHarness, forwarded: str, seen_untrusted: str, seen_trusted: str
    ) -> None:
        proxies = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        for trusted, seen in (((), seen_untrusted), (proxies, seen_trusted)):
            harness.settings = replace(harness.settings, trusted_proxies=trusted)
            async with harness.serve(sample_routes) as client:
                assert (await client.get("/echo", headers=headers)).headers["X-Seen-Ip"] == seen

    async def test_the_access_log_holds_no_personal_data(self, harness: WebHarness, client: Client) -> None:
        headers = await harness.bearer(Role.SUPERVISOR)
        with capture_logs() as logs:
            await client.get("/api/v1/customers?phone=13800138000", headers=headers)
            await client.get("/who/13800138000")
        requests = [entry for entry in logs if entry["event"] == "http_request"]
        assert [entry["route"] for entry in requests] == ["/api/v1/customers", "unmatched"]
        assert "13800138000" not in str(logs)
        assert {key for entry in requests for key, value in entry.items() if value == "127.0.0.1"} == {
            "ip_pii"
        }


async def test_the_database_is_gone(harness: WebHarness) -> None:
    await harness.user(Role.AGENT)
    signed = await harness.accounts.authenticator.sign_in("agent", PASSWORD, visitor=Visitor())
    async with harness.serve(sample_routes) as client:
        async with harness.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE user_session RENAME TO elsewhere")
        response = await client.get("/api/v1/calls", cookies={"hf_session": signed.session.secret})
        assert response.status == 503
        assert (await response.json())["code"] == "unavailable"
        assert response.headers["Retry-After"] == "5"
