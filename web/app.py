"""The web application: middleware, routes and the services behind them.

``web.pages.setup(app)`` and ``web.live.setup(app)`` add the pages and the event stream; they may set
``app[ERROR_PAGE]`` to render problems for people.
"""

from collections.abc import Callable, Sequence

from aiohttp import web

from web import (
    callback_part,
    crm_part,
    health,
    live,
    pages,
    quality_part,
    questionnaire_part,
    routing_part,
    softphone,
    softphone_quality,
    speech_rules_part,
    system_state,
)
from web.api import routes
from web.auth import ACCOUNTS, Accounts, build_accounts
from web.deps import DEPS, WebDeps
from web.idempotency import ONCE, Once
from web.middleware import MIDDLEWARES, add_security_headers
from web.permissions import check_routes
from web.user_admin import USER_ADMIN, UserAdmin

Setup = Callable[[web.Application], None]
PARTS: tuple[Setup, ...] = (pages.setup, live.setup, softphone.setup, softphone_quality.setup)


def create_app(
    deps: WebDeps, *, accounts: Accounts | None = None, parts: Sequence[Setup] = PARTS
) -> web.Application:
    """Return the application, complete.

    Args:
        deps: what it is given from outside.
        accounts: the services of users; made from ``deps`` when not given.
        parts: functions that add the routes besides those of health and API.

    Raises:
        ConfigurationError: a route declares no access.
    """
    settings = deps.settings
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=settings.max_body_bytes)
    app[DEPS] = deps
    app[ACCOUNTS] = accounts or build_accounts(
        deps.database,
        deps.clock,
        redis=deps.redis,
        session_idle=settings.session_idle,
        session_absolute=settings.session_absolute,
    )

    async def leave_queues(agent_id: str) -> None:
        await deps.desk.sign_out(agent_id)

    app[USER_ADMIN] = UserAdmin(deps.database, deps.clock, app[ACCOUNTS], leave_queues)
    app[ONCE] = Once(deps.database, deps.clock)
    app.on_response_prepare.append(add_security_headers)
    areas = (
        *(crm_part.setup, callback_part.setup, questionnaire_part.setup),
        *(speech_rules_part.setup, routing_part.setup, quality_part.setup, system_state.setup),
    )
    for setup in (*areas, health.setup, routes.setup, *parts):
        setup(app)
    check_routes(app)
    return app
