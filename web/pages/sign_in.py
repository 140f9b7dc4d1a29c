"""Sign-in and sign-out."""

import contextlib

from aiohttp import web

from kernel.errors import NotFound, TooMany
from web.auth import (
    ACCOUNTS,
    WrongCredentials,
    clear_session_cookie,
    safe_next,
    set_sign_in_cookies,
    visitor_of,
)
from web.deps import DEPS
from web.i18n import set_language_cookie
from web.identity import CLIENT_IP, USER, current_user
from web.labels import PROBLEMS, word
from web.pages.shell import render, see_other
from web.passwords import LONGEST
from web.permissions import public, signed_in

# One more than may be: what is too long must not become a password that is not.
LONGEST_FIELD = LONGEST + 1


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/sign-in", show)
    app.router.add_post("/sign-in", enter)
    app.router.add_post("/sign-out", leave)


@public
async def show(request: web.Request) -> web.StreamResponse:
    """Show the form; who is signed in already goes on."""
    if request.get(USER) is not None:
        return see_other(safe_next(request.query.get("next")))
    return _form(request, next_page=safe_next(request.query.get("next")), ended="ended" in request.query)


@public
async def enter(request: web.Request) -> web.StreamResponse:
    """Check login and password, open a session."""
    form = await request.post()
    login, password = (str(form.get(name, ""))[:LONGEST_FIELD] for name in ("login", "password"))
    next_page = safe_next(form.get("next"))
    try:
        signed = await request.app[ACCOUNTS].authenticator.sign_in(
            login, password, visitor=visitor_of(request, request.get(USER))
        )
    except (WrongCredentials, TooMany) as error:
        status = 401 if isinstance(error, WrongCredentials) else 429
        return _form(
            request, login=login, next_page=next_page, error=word(PROBLEMS, error.code), status=status
        )
    response = see_other(next_page)
    set_sign_in_cookies(request, response, signed)
    set_language_cookie(response, signed.user.locale, secure=request.app[DEPS].settings.secure)
    return response


@signed_in
async def leave(request: web.Request) -> web.StreamResponse:
    """End the session; an agent leaves the queues too, after the present call where there is one."""
    user = current_user(request)
    if user.agent_id is not None:
        with contextlib.suppress(NotFound):  # the agent's place may be gone; the session ends all the same
            await request.app[DEPS].desk.sign_out(user.agent_id)
    await request.app[ACCOUNTS].authenticator.sign_out(user, ip=request.get(CLIENT_IP, ""))
    response = see_other("/sign-in")
    clear_session_cookie(request, response)
    return response


def _form(
    request: web.Request,
    *,
    next_page: str,
    login: str = "",
    error: str = "",
    ended: bool = False,
    status: int = 200,
) -> web.Response:
    context = {"next": next_page, "login": login, "error": error, "ended": ended, "user": None}
    return render(request, "login.html", context, status=status)
