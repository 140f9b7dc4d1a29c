"""Who is calling, and from which page: cookies, tokens, cross-site posts."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.sample_routes import sample_routes
from tests.support.web import PASSWORD, Client, WebHarness, same_origin
from web.auth import safe_next
from web.permissions import Role

pytestmark = pytest.mark.integration


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


@pytest.fixture
async def client(harness: WebHarness) -> AsyncIterator[Client]:
    async with harness.serve(sample_routes) as client:
        yield client


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
