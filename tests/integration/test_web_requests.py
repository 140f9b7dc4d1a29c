"""What every request passes through: errors, limits, headers, cross-site posts, who is calling."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import ClientPayloadError, web
from structlog.testing import capture_logs

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict
from kernel.ids import is_ulid
from tests.support.web import PASSWORD, Client, WebHarness, same_origin
from web.auth import ACCOUNTS, Visitor, clear_session_cookie, safe_next, set_sign_in_cookies, visitor_of
from web.identity import CLIENT_IP, current_user
from web.middleware import ERROR_PAGE
from web.permissions import Permission, Role, public, requires, signed_in, streaming
from web.problems import Problem

pytestmark = pytest.mark.integration


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


@public
async def enter(request: web.Request) -> web.Response:
    form = await request.post()
    signed = await request.app[ACCOUNTS].authenticator.sign_in(
        str(form["login"]), str(form["password"]), visitor=visitor_of(request)
    )
    response = web.Response(status=204)
    set_sign_in_cookies(request, response, signed)
    return response


@signed_in
async def leave(request: web.Request) -> web.Response:
    await request.app[ACCOUNTS].authenticator.sign_out(current_user(request), ip=request[CLIENT_IP])
    response = web.Response(status=204)
    clear_session_cookie(request, response)
    return response


@public
async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), headers={"X-Seen-Ip": request[CLIENT_IP]})


@requires(Permission.USERS_MANAGE)
async def staff(request: web.Request) -> web.Response:
    return web.Response(text=current_user(request).login)


@public
async def broken(request: web.Request) -> web.Response:
    raise ValueError("王建国 13800138000")


@public
async def taken(request: web.Request) -> web.Response:
    raise Conflict("somebody else has it", field="name")


@public
async def slow(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


@public
@streaming
async def ticks(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"tick")
    if request.query.get("then") == "break":
        raise ValueError("in the middle")
    return response


def sample_routes(app: web.Application) -> None:
    app.router.add_post("/enter", enter)
    app.router.add_post("/leave", leave)
    app.router.add_route("*", "/echo", echo)
    app.router.add_route("*", "/api/echo", echo)
    app.router.add_get("/staff", staff)
    app.router.add_get("/broken", broken)
    app.router.add_get("/api/broken", broken)
    app.router.add_get("/api/taken", taken)
    app.router.add_get("/api/slow", slow)
    app.router.add_get("/ticks", ticks)


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


class TestCrossSite:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "none"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
            ({"Referer": "http://127.0.0.1/"}, 403),
            ({}, 403),
        ],
    )
    async def test_posts_come_from_our_own_pages(
        self, client: Client, headers: dict[str, str], status: int
    ) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = await client.request(method, "/echo", headers=headers)
            assert response.status == status
        assert (await client.get("/echo", headers=headers)).status == 200

    async def test_the_own_origin_will_do(self, client: Client) -> None:
        origin = same_origin(client)["Origin"]
        assert (await client.post("/echo", headers={"Origin": origin})).status == 200
        assert (await client.post("/echo", headers={"Origin": origin + "0"})).status == 403
        lying = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        assert (await client.post("/echo", headers=lying)).status == 403

    async def test_a_named_origin_is_allowed(self, harness: WebHarness) -> None:
        harness.settings = replace(harness.settings, allowed_origins=("https://cc.example.com",))
        async with harness.serve(sample_routes) as client:
            allowed = {"Origin": "https://cc.example.com", "Sec-Fetch-Site": "same-site"}
            assert (await client.post("/echo", headers=allowed)).status == 200
            assert (await client.post("/echo", headers={"Origin": "https://cc.example.org"})).status == 403

    async def test_a_token_cannot_be_ridden_and_needs_no_origin(
        self, harness: WebHarness, client: Client
    ) -> None:
        headers = await harness.bearer(Role.AGENT)
        json = {"Content-Type": "application/json"}
        assert (await client.post("/api/echo", data=b"{}", headers=headers | json)).status == 200
        text = {"Content-Type": "text/plain"}
        response = await client.post("/api/echo", data=b"{}", headers=headers | text)
        assert response.status == 415
        assert (await response.json())["code"] == "unsupported_media_type"

    async def test_a_session_on_the_api_is_checked_too(self, harness: WebHarness, client: Client) -> None:
        await harness.sign_in(client, Role.AGENT)
        response = await client.post("/api/echo", json={})
        assert response.status == 403
        assert (await response.json())["code"] == "cross_site"


class TestWhoIsCalling:
    async def sign_in(self, client: Client, login: str, password: str = PASSWORD) -> Any:
        return await client.post(
            "/enter", data={"login": login, "password": password}, headers=same_origin(client)
        )

    async def test_signing_in_and_out(self, harness: WebHarness, client: Client) -> None:
        await harness.user(Role.ADMINISTRATOR)
        assert (await client.get("/staff", allow_redirects=False)).status == 303
        response = await self.sign_in(client, "administrator")
        assert response.status == 204
        for cookie in response.headers.getall("Set-Cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie
            assert "Path=/" in cookie
            assert "Secure" not in cookie
        assert await (await client.get("/staff")).text() == "administrator"
        kept = {cookie.key: cookie.value for cookie in client.session.cookie_jar}
        assert (await client.post("/leave", headers=same_origin(client))).status == 204
        client.session.cookie_jar.update_cookies(kept)
        assert (await client.get("/staff", allow_redirects=False)).status == 303

    async def test_signing_in_again_rotates(self, harness: WebHarness, client: Client) -> None:
        await harness.user(Role.AGENT)
        first = (await self.sign_in(client, "agent")).cookies["hf_session"].value
        second = (await self.sign_in(client, "agent")).cookies["hf_session"].value
        assert first != second

    async def test_wrong_credentials_and_too_many(self, harness: WebHarness, client: Client) -> None:
        await harness.user(Role.AGENT)
        for _ in range(6):
            assert (await self.sign_in(client, "agent", "guess")).status == 401
        response = await self.sign_in(client, "agent", "guess")
        assert response.status == 429
        assert response.headers["Retry-After"] == "1"

    async def test_a_page_leads_to_the_sign_in_page_and_back(self, client: Client) -> None:
        response = await client.get("/staff?tab=2", allow_redirects=False)
        assert response.status == 303
        assert response.headers["Location"] == "/sign-in?next=/staff%3Ftab%3D2"

    async def test_a_fragment_and_a_stream_are_told_so(self, client: Client) -> None:
        fragment = await client.get("/staff", headers={"HX-Request": "true"}, allow_redirects=False)
        assert (fragment.status, fragment.headers["HX-Redirect"]) == (401, "/sign-in")
        stream = await client.get("/staff", headers={"Accept": "text/event-stream"}, allow_redirects=False)
        assert stream.status == 401

    async def test_the_api_says_401_and_403(self, harness: WebHarness, client: Client) -> None:
        response = await client.get("/api/v1/calls")
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        await harness.sign_in(client, Role.AGENT)
        refused = await client.get("/staff", headers={"Accept": "application/json"})
        assert refused.status == 403
        assert "users.manage" in (await refused.json())["detail"]

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer hf_nope", "bearer hf_" + "x" * 43])
    async def test_a_bad_token_is_refused_even_beside_a_good_session(
        self, harness: WebHarness, client: Client, header: str
    ) -> None:
        await harness.sign_in(client, Role.SUPERVISOR)
        response = await client.get("/api/v1/calls", headers={"Authorization": header})
        assert response.status == 401
        assert (await response.json())["code"] == "bad_token"

    async def test_a_token_opens_no_page(self, harness: WebHarness, client: Client) -> None:
        headers = await harness.bearer(Role.ADMINISTRATOR)
        assert (await client.get("/staff", headers=headers, allow_redirects=False)).status == 303

    async def test_a_session_that_ended_meanwhile(
        self, harness: WebHarness, client: Client, clock: FakeClock
    ) -> None:
        await harness.sign_in(client, Role.SUPERVISOR)
        assert (await client.get("/api/v1/calls")).status == 200
        clock.advance(harness.settings.session_idle)
        assert (await client.get("/api/v1/calls")).status == 401

    async def test_device_cookie_survives_signing_out(self, harness: WebHarness, client: Client) -> None:
        await harness.user(Role.AGENT)
        first = (await self.sign_in(client, "agent")).cookies["hf_device"].value
        await client.post("/leave", headers=same_origin(client))
        assert (await self.sign_in(client, "agent")).cookies["hf_device"].value == first


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("/calls?x=1", "/calls?x=1"),
        ("/", "/"),
        (None, "/"),
        ("", "/"),
        ("calls", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/" + "a" * 500, "/"),
    ],
)
def test_where_to_go_after_signing_in(raw: str | None, safe: str) -> None:
    assert safe_next(raw) == safe


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
