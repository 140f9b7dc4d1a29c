"""Every route of the whole application against every kind of caller, through the real middleware."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.web_urldispatcher import StaticResource

from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web import PASSWORD, Client, WebHarness, same_origin
from web.app import create_app
from web.auth import SESSION_COOKIE, Visitor
from web.permissions import (
    GRANTS,
    Access,
    Role,
    access_of,
    is_streaming,
    public,
    requires,
    routes_of,
    signed_in,
)

pytestmark = pytest.mark.integration

CALLERS: tuple[Role | None, ...] = (None, *Role)

FOR_ANYBODY = {
    "GET /livez",
    "GET /readyz",
    "GET /metrics",  # asks for the loopback or a token by itself
    "GET /api/v1/openapi.json",
    "GET /sign-in",
    "POST /sign-in",
    "POST /language",
    "GET /shared/{token}",  # its secret is the permission; it ends within a day
    "GET /f/{token}",  # a customer's questionnaire; likewise, within seven days
    "POST /f/{token}",
    "GET /wallboard",  # a screen's cookie or a supervisor's sign-in is asked for by themselves
    "POST /wallboard",
    "GET /wallboard/live",
    "GET /wallboard/live/check",
}
"""All routes that nobody needs to sign in for; static files besides. Adding one is a decision."""


def all_routes(app: web.Application) -> dict[str, tuple[web.AbstractRoute, Access | None]]:
    """Return every route by method and path, HEAD and static files left out."""
    return {
        f"{route.method} {route.resource.canonical}": (route, access_of(route))
        for route in routes_of(app)
        if route.resource is not None
        and route.method != "HEAD"
        and not isinstance(route.resource, StaticResource)
    }


@pytest.fixture
def harness(sqlite: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(sqlite, clock)


@pytest.fixture
def whole(harness: WebHarness) -> web.Application:
    return create_app(harness.deps(), accounts=harness.accounts)


def test_every_route_declares_its_access(whole: web.Application) -> None:
    assert [name for name, (_, access) in all_routes(whole).items() if access is None] == []


def test_the_routes_for_anybody_are_these(whole: web.Application) -> None:
    found = {name for name, (_, access) in all_routes(whole).items() if access and access.is_public}
    assert found == FOR_ANYBODY


def test_only_the_live_stream_and_uploads_have_deadlines_of_their_own(whole: web.Application) -> None:
    assert {name for name, (route, _) in all_routes(whole).items() if is_streaming(route.handler)} == {
        "GET /live",
        "GET /wallboard/live",
        "GET /agent/phone/sip",
        "GET /test-phone/sip",
        "GET /calls/{call_id}/recording.wav",
        "POST /calls/{call_id}/recording",
        "GET /api/v1/campaigns/{campaign_id}/results.csv",
        "GET /api/v1/campaigns/{campaign_id}/results.xlsx",
        "GET /api/v1/dial-attempts.csv",
        "GET /api/v1/dial-attempts.xlsx",
        "GET /callback-results.{form}",
        "GET /callback-voices.{form}",
        "GET /exports/appraisals.{form}",
        "GET /exports/campaigns/{campaign_id}.{form}",
        "GET /exports/cases.{form}",
        "GET /exports/crew-repairs.{form}",
        "GET /exports/lost.{form}",
        "GET /exports/repair-points.{form}",
        "GET /lists/reports/{code}/{month}.{form}",
        "GET /api/v1/repair-point-ledger.csv",
        "GET /api/v1/repair-point-ledger.xlsx",
        "POST /api/v1/repair-points/{point_id}/files",
        "GET /exports/overdue.{form}",
        "GET /exports/repeats.{form}",
        "GET /exports/voices.{form}",
        "POST /api/v1/campaigns/{campaign_id}/lists",
        "POST /api/v1/cases/{case_id}/attachments",
        "POST /api/v1/improvements/{measure_id}/evidence",
        "POST /api/v1/imports",
        "POST /api/v1/staff/import",
    }


def hollow(whole: web.Application) -> web.Application:
    """The same routes with the same declarations, and handlers that only say that they were reached."""
    app = web.Application()
    for route, access in all_routes(whole).values():
        assert access is not None
        assert route.resource is not None

        async def reached(request: web.Request) -> web.Response:
            return web.Response(status=299)

        if access.is_public:
            handler = public(reached)
        elif access.permission is None:
            handler = signed_in(reached)
        else:
            handler = requires(access.permission)(reached)
        app.router.add_route(route.method, route.resource.canonical, handler)
    return app


@pytest.fixture
async def client(harness: WebHarness, whole: web.Application) -> AsyncIterator[Client]:
    """A browser before the hollow application, with the whole one's middleware around it."""
    hollowed = hollow(whole)

    def routes(app: web.Application) -> None:
        known = set(all_routes(app))
        for name, (route, _) in all_routes(hollowed).items():
            if name not in known:
                assert route.resource is not None
                app.router.add_route(route.method, route.resource.canonical, route.handler)

    async with harness.serve(routes) as client:
        yield client


def concrete(path: str) -> str:
    """Fill a pattern's places."""
    return re.sub(r"\{[^}]+\}", "01JZZZZZZZZZZZZZZZZZZZZZ01", path)


async def test_every_route_against_every_caller(
    harness: WebHarness, whole: web.Application, client: Client
) -> None:
    cookies: dict[Role | None, dict[str, str]] = {None: {}}
    for person in Role:
        login = await harness.user(person)
        signed = await harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
        cookies[person] = {"Cookie": f"{SESSION_COOKIE}={signed.session.secret}"}
    wrong: list[str] = []
    for name, (_, access) in all_routes(whole).items():
        method, path = name.split(" ", 1)
        assert access is not None
        for role in CALLERS:
            headers = cookies[role] | same_origin(client) | {"Accept": "application/json"}
            response = await client.request(method, concrete(path), headers=headers, allow_redirects=False)
            granted = role is not None and (access.permission is None or access.permission in GRANTS[role])
            if access.is_public or granted:
                right = response.status not in {401, 403}
            else:
                right = response.status == (401 if role is None else 403)
            if not right:
                wrong.append(f"{name} as {role}: {response.status}")
    assert wrong == []


async def test_no_post_is_taken_from_another_site(
    harness: WebHarness, whole: web.Application, client: Client
) -> None:
    login = await harness.user(Role.ADMINISTRATOR)
    signed = await harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
    for name in all_routes(whole):
        method, path = name.split(" ", 1)
        if method in {"GET", "HEAD"}:
            continue
        response = await client.request(
            method,
            concrete(path),
            headers={
                "Cookie": f"{SESSION_COOKIE}={signed.session.secret}",
                "Origin": "https://evil.example",
                "Sec-Fetch-Site": "cross-site",
            },
            allow_redirects=False,
        )
        assert response.status == 403, name
