"""The table of roles, spelled out a second time, and the rule that every route declares its access."""

import pytest
from aiohttp import web

from kernel.errors import ConfigurationError
from web.permissions import (
    GRANTS,
    Access,
    Permission,
    Role,
    access_of,
    check_routes,
    is_streaming,
    public,
    requires,
    signed_in,
    streaming,
)

pytestmark = pytest.mark.unit

EVERYBODY = {Role.AGENT, Role.SUPERVISOR, Role.ADMINISTRATOR}
LEADERS = {Role.SUPERVISOR, Role.ADMINISTRATOR}
ADMINISTRATORS = {Role.ADMINISTRATOR}

EXPECTED = {
    Permission.DESK_USE: EVERYBODY,
    Permission.CALLS_VIEW: EVERYBODY,
    Permission.QUEUES_VIEW: EVERYBODY,
    Permission.AGENTS_VIEW: EVERYBODY,
    Permission.CUSTOMERS_VIEW: EVERYBODY,
    Permission.CUSTOMERS_EDIT: EVERYBODY,
    Permission.CALLBACKS_WORK: EVERYBODY,
    Permission.BOARD_VIEW: LEADERS,
    Permission.PHONES_FULL: LEADERS,
    Permission.RECORDINGS_PLAY: LEADERS,
    Permission.USERS_MANAGE: ADMINISTRATORS,
    Permission.TOKENS_MANAGE: ADMINISTRATORS,
    Permission.AUDIT_VIEW: ADMINISTRATORS,
    Permission.METRICS_VIEW: ADMINISTRATORS,
}


def test_the_expectation_names_every_permission() -> None:
    assert set(EXPECTED) == set(Permission)
    assert set(GRANTS) == set(Role)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_grants(role: Role, permission: Permission) -> None:
    assert (permission in GRANTS[role]) == (role in EXPECTED[permission])
    assert Access(permission).allows(role) == (role in EXPECTED[permission])


@pytest.mark.parametrize("permission", Permission)
def test_nobody_has_no_permission(permission: Permission) -> None:
    assert not Access(permission).allows(None)


def test_signed_in_takes_any_role_but_not_nobody() -> None:
    assert all(Access().allows(role) for role in Role)
    assert not Access().allows(None)
    assert Access(is_public=True).allows(None)


@requires(Permission.BOARD_VIEW)
async def board(request: web.Request) -> web.Response:
    return web.Response()


@public
@streaming
async def clock(request: web.Request) -> web.Response:
    return web.Response()


async def bare(request: web.Request) -> web.Response:
    return web.Response()


def test_declarations_are_found_on_routes() -> None:
    app = web.Application()
    assert access_of(app.router.add_get("/board", board)) == Access(Permission.BOARD_VIEW)
    assert access_of(app.router.add_get("/clock", clock)) == Access(is_public=True)
    assert access_of(app.router.add_get("/bare", bare)) is None
    assert is_streaming(clock)
    assert not is_streaming(board)


def test_an_application_with_a_bare_route_is_refused() -> None:
    app = web.Application()
    app.router.add_get("/board", board)
    check_routes(app)
    app.router.add_post("/bare/{name}", bare)
    with pytest.raises(ConfigurationError, match=r"POST /bare/\{name\}"):
        check_routes(app)


def test_access_is_declared_once() -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        signed_in(board)
