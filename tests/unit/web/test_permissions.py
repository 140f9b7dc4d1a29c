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

A, S, M = Role.AGENT, Role.SUPERVISOR, Role.MANAGER
H, D, C = Role.DEPARTMENT_HEAD, Role.DEPARTMENT_MEMBER, Role.CAPTAIN
G, F, P, X = Role.GENERAL_MANAGER, Role.FINANCE, Role.HR, Role.ADMINISTRATOR
DESK = {A, S, M, X}
FLOOR = {S, M, X}
DEPARTMENT = {H, D, C}

EXPECTED = {
    Permission.DESK_USE: DESK,
    Permission.BOARD_VIEW: FLOOR | {G},
    Permission.SCREENS_MANAGE: FLOOR,
    Permission.CALLS_VIEW: DESK,
    Permission.CALLS_LISTEN: FLOOR,
    Permission.CALLS_DIAL: DESK,
    Permission.QUEUES_VIEW: DESK,
    Permission.AGENTS_VIEW: DESK,
    Permission.AGENTS_DIRECT: FLOOR,
    Permission.CUSTOMERS_VIEW: DESK | {G},
    Permission.CUSTOMERS_EDIT: DESK,
    Permission.CUSTOMERS_MERGE: {M, X},
    Permission.DATA_IMPORT: {M, X},
    Permission.PROJECTS_VIEW: DESK | DEPARTMENT | {G, F},
    Permission.PROJECTS_EDIT: DESK,
    Permission.PROJECTS_CORRECT: {M},
    Permission.PAYMENTS_POST: {F},
    Permission.STAFF_EDIT: {M, X},
    Permission.CALLBACKS_WORK: DESK,
    Permission.CAMPAIGNS_VIEW: FLOOR | {G},
    Permission.CAMPAIGNS_RUN: FLOOR,
    Permission.CASES_VIEW: DESK | DEPARTMENT | {G, F, P},
    Permission.CASES_VIEW_ALL: DESK | {G, F, P},
    Permission.CASES_REGISTER: DESK,
    Permission.CASES_WORK: DEPARTMENT,
    Permission.CASES_SIGN: {H, C},
    Permission.CASES_DECIDE: {M},
    Permission.CASES_CONFIDENTIAL: {M, G},
    Permission.RED_LIST_VIEW: {M, G, X},
    Permission.IMPROVEMENTS_SET: {M, X},
    Permission.IMPROVEMENTS_CHECK: {M, G, X},
    Permission.DUTY_PLAN: FLOOR,
    Permission.MATERIALS_EDIT: {M, H, X},
    Permission.ESCALATIONS_SUBMIT: DESK,
    Permission.ESCALATIONS_HANDLE: {M},
    Permission.COMPENSATION_REQUEST: {M},
    Permission.COMPENSATION_REVIEW: {G},
    Permission.VOUCHERS_WRITE: {F},
    Permission.RECOVERY_HANDLE: {P},
    Permission.REPAIRS_WORK: {C},
    Permission.REPAIRS_ROUTE: DESK | {C},
    Permission.COSTS_SIGN_SERVICE: {M},
    Permission.COSTS_SIGN_COMPANY: {G},
    Permission.DEPOSITS_VIEW: {M, C, G, F, X},
    Permission.DEPOSITS_POST: {F},
    Permission.KNOWLEDGE_VIEW: DESK | DEPARTMENT | {G},
    Permission.KNOWLEDGE_EDIT: FLOOR,
    Permission.QUESTIONNAIRES_VIEW: DESK | DEPARTMENT | {G},
    Permission.QUESTIONNAIRES_EDIT: {M, X},
    Permission.QUESTIONNAIRES_PUBLISH: {M, X},
    Permission.SPEECH_RULES_VIEW: {S, M, X},
    Permission.SPEECH_RULES_EDIT: {M, X},
    Permission.ROUTING_VIEW: {S, M, X},
    Permission.ROUTING_EDIT: {M, X},
    Permission.QUALITY_SCORE: {S, M, X},
    Permission.QUALITY_CONFIGURE: {M, X},
    Permission.LINE_MESSAGES_SWITCH: {S, M, X},
    Permission.DESK_CONFIGURE: {M, X},
    Permission.LIMITS_VIEW: DESK | DEPARTMENT | {G},
    Permission.LIMITS_CONFIGURE: {M, X},
    Permission.NOTICES_ADMINISTER: {X},
    Permission.EXPORT: {M, G, X},
    Permission.PHONES_FULL: FLOOR,
    Permission.RECORDINGS_PLAY: FLOOR,
    Permission.RECORDINGS_DOWNLOAD: {M, X},
    Permission.PRIVACY_HANDLE: FLOOR,
    Permission.USERS_MANAGE: {X},
    Permission.TOKENS_MANAGE: {X},
    Permission.AUDIT_VIEW: {X},
    Permission.METRICS_VIEW: {X},
    Permission.SYSTEM_VIEW: {X},
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
