"""The wallboard: the figures on a big screen, dark, with nothing to press; and the screens that show it.

Who may see the supervisor's board sees it with their own sign-in. A screen that hangs there day and night is
opened once with a code (:mod:`web.wall_screens`) and then reads this page and its stream, nothing else.
"""

from typing import Any

from aiohttp import web

from kernel.errors import Invalid, TooMany
from web import labels
from web.auth import ACCOUNTS, cookie_name, session_cookie
from web.board_feed import TREND, WALL
from web.deps import DEPS
from web.i18n import gettext
from web.identity import CLIENT_IP, USER, CurrentUser, current_actor
from web.live import serve_stream
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, public, requires, streaming
from web.running_feed import KIND as RUNNING
from web.wall_screens import COOKIE_LIFETIME, MAX_NAME, TooManyScreens, WrongCode

SCREEN_COOKIE = "hf_screen"
HERE = "/wallboard"
SCREENS = "/supervisor/screens"
LONGEST_CODE = 40


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE, open_screen)
    app.router.add_get(f"{HERE}/live", stream)
    app.router.add_get(f"{HERE}/live/check", check)
    app.router.add_get(SCREENS, screens)
    app.router.add_post(SCREENS, make_screen)
    app.router.add_post(f"{SCREENS}/{{screen_id}}/take-away", take_away)


async def reader_of(request: web.Request) -> str | None:
    """Return the id of the user or the screen that may read the wallboard here, ``None`` for nobody."""
    user: CurrentUser | None = request.get(USER)
    if user is not None and user.can(Permission.BOARD_VIEW):
        return user.user_id
    return await request.app[ACCOUNTS].screens.find(_secret(request))


def _secret(request: web.Request) -> str:
    return request.cookies.get(cookie_name(request, SCREEN_COOKIE), "")


@public
async def show(request: web.Request) -> web.StreamResponse:
    """Show the figures, or ask for the screen's code."""
    if await reader_of(request) is None:
        return _ask(request)
    texts = {
        "formulas": labels.words(labels.FORMULAS),
        "limits": labels.words(labels.BOARD_LIMITS),
        "queues": labels.queue_names(await request.app[ROSTER].queues()),
    }
    settings = request.app[DEPS].settings
    context: dict[str, Any] = {"page": {"labels": texts}, "company": settings.company}
    return render(request, "wallboard.html", context)


def _ask(request: web.Request, problem: str = "", status: int = 200) -> web.StreamResponse:
    return render(request, "wallboard_code.html", {"problem": problem}, status=status)


@public
async def open_screen(request: web.Request) -> web.StreamResponse:
    """Open the screen whose code was typed in here."""
    form = await request.post()
    code = str(form.get("code", ""))[:LONGEST_CODE]
    try:
        secret = await request.app[ACCOUNTS].screens.open(code, ip=request.get(CLIENT_IP, ""))
    except WrongCode:
        return _ask(request, gettext("这个屏幕码不对或已过期，请让班长重新生成一个。"), 422)
    except TooMany:
        return _ask(request, gettext("尝试太多次了，请稍后再试。"), 429)
    response = see_other(HERE)
    response.set_cookie(
        cookie_name(request, SCREEN_COOKIE),
        secret,
        max_age=int(COOKIE_LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=request.app[DEPS].settings.secure,
    )
    return response


@public
@streaming
async def stream(request: web.Request) -> web.StreamResponse:
    """Send the figures, as ``/live`` does, to whoever may read the wallboard."""
    reader = await reader_of(request)
    if reader is None:
        return web.Response(status=401, text="open the screen with a code first")
    accounts, secret, session = request.app[ACCOUNTS], _secret(request), session_cookie(request)

    async def still_there() -> bool:
        user = await accounts.sessions.resolve(session)
        if user is not None and user.can(Permission.BOARD_VIEW):
            return True
        return await accounts.screens.find(secret) is not None

    return await serve_stream(request, (WALL, TREND, RUNNING), reader, still_there)


@public
async def check(request: web.Request) -> web.Response:
    """Tell a screen whose stream was refused whether it is still one of ours (401 otherwise)."""
    return web.Response(status=401 if await reader_of(request) is None else 204)


@requires(Permission.SCREENS_MANAGE)
async def screens(request: web.Request) -> web.StreamResponse:
    """Show the screens there are."""
    return await _screens(request)


@requires(Permission.SCREENS_MANAGE)
async def make_screen(request: web.Request) -> web.StreamResponse:
    """Make a screen and show its code, this once."""
    form = await request.post()
    name = str(form.get("name", ""))[: MAX_NAME + 1]
    try:
        code = await request.app[ACCOUNTS].screens.create(current_actor(request), name)
    except TooManyScreens:
        return await _screens(request, problem=gettext("屏幕太多了，请先移除不用的。"), name=name, status=409)
    except Invalid:
        problem = gettext("请写 1 到 %(n)s 个字的名称。") % {"n": MAX_NAME}
        return await _screens(request, problem=problem, name=name, status=422)
    return await _screens(request, code=code, made=" ".join(name.split()))


@requires(Permission.SCREENS_MANAGE)
async def take_away(request: web.Request) -> web.StreamResponse:
    """Take a screen away."""
    await request.app[ACCOUNTS].screens.revoke(current_actor(request), request.match_info["screen_id"][:26])
    return see_other(SCREENS)


async def _screens(
    request: web.Request,
    *,
    problem: str = "",
    name: str = "",
    code: str = "",
    made: str = "",
    status: int = 200,
) -> web.StreamResponse:
    found = await request.app[ACCOUNTS].screens.list(current_actor(request))
    context: dict[str, Any] = {
        "screens": found,
        "problem": problem,
        "name": name,
        "longest": MAX_NAME,
        "code": f"{code[:4]}-{code[4:]}" if code else "",
        "made": made,
        "address": f"{request.url.origin()}{HERE}",
    }
    return render(request, "screens.html", context, status=status)
