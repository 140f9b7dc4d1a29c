"""One's own account: who is signed in here, a new password, and the PIN for signing."""

from aiohttp import web

from kernel.errors import TooMany
from web.auth import ACCOUNTS, WrongOldPassword, set_sign_in_cookies, visitor_of
from web.i18n import gettext
from web.identity import USER, CurrentUser, Via, current_user
from web.labels import PROBLEMS, ROLES, word
from web.pages.shell import render, see_other
from web.passwords import LONGEST, SHORTEST, WeakPassword
from web.permissions import Permission, signed_in
from web.pins import WeakPin

OLD, NEW, AGAIN = "old_password", "new_password", "new_password_again"
PASSWORD, PIN, PIN_AGAIN = "pin_password", "pin", "pin_again"
# One more than may be: a password that is too long must not become another one that is not.
LONGEST_FIELD = LONGEST + 1


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/account", show)
    app.router.add_post("/account", change_password)
    app.router.add_post("/account/pin", set_pin)


@signed_in
async def show(request: web.Request) -> web.StreamResponse:
    """Show the account; ``changed`` in the query tells of a new password."""
    return _page(request, changed="changed" in request.query, pin_set="pin" in request.query)


@signed_in
async def change_password(request: web.Request) -> web.StreamResponse:
    """Give the user a new password; this browser stays signed in, all others do not."""
    user = current_user(request)
    if user.via is not Via.SESSION:
        raise web.HTTPForbidden
    form = await request.post()
    old, new, again = (str(form.get(name, ""))[:LONGEST_FIELD] for name in (OLD, NEW, AGAIN))
    if new != again:
        return _page(request, error=gettext("两次输入的新密码不一样。"), wrong=AGAIN, status=422)
    if new == old:
        return _page(request, error=gettext("新密码不能和现在的密码相同。"), wrong=NEW, status=422)
    try:
        signed = await request.app[ACCOUNTS].authenticator.change_password(
            user, old, new, visitor=visitor_of(request, user)
        )
    except WeakPassword:
        return _page(request, error=gettext("这个密码不符合要求。"), wrong=NEW, status=422)
    except WrongOldPassword as error:
        return _page(request, error=word(PROBLEMS, error.code), wrong=OLD, status=422)
    except TooMany:
        return _page(request, error=gettext("尝试太多次了，请稍后再试。"), wrong=OLD, status=429)
    response = see_other("/account?changed")
    set_sign_in_cookies(request, response, signed)
    return response


@signed_in
async def set_pin(request: web.Request) -> web.StreamResponse:
    """Set the PIN that the user signs for hand-offs with; the password says that it is they."""
    user = current_user(request)
    if user.via is not Via.SESSION or not signs(user):
        raise web.HTTPForbidden
    form = await request.post()
    password, pin, again = (str(form.get(name, ""))[:LONGEST_FIELD] for name in (PASSWORD, PIN, PIN_AGAIN))
    if pin != again:
        return _page(request, error=gettext("两次输入的签收密码不一样。"), wrong=PIN_AGAIN, status=422)
    accounts = request.app[ACCOUNTS]
    try:
        await accounts.authenticator.confirm(user, password)
        await accounts.pins.put(user.user_id, user.login, pin, ip=visitor_of(request, user).ip)
    except WeakPin:
        error = gettext("签收密码是 4 到 12 位数字，不能都一样，也不能是连着的数字。")
        return _page(request, error=error, wrong=PIN, status=422)
    except WrongOldPassword:
        return _page(request, error=gettext("登录密码不对。"), wrong=PASSWORD, status=422)
    except TooMany:
        return _page(request, error=gettext("尝试太多次了，请稍后再试。"), wrong=PASSWORD, status=429)
    return see_other("/account?pin")


def signs(user: CurrentUser) -> bool:
    """Tell whether a person signs for hand-offs: heads, and the manager for what is confidential."""
    return user.can(Permission.CASES_SIGN) or (
        user.can(Permission.CASES_DECIDE) and user.can(Permission.CASES_CONFIDENTIAL)
    )


def _page(
    request: web.Request,
    *,
    error: str = "",
    wrong: str = "",
    changed: bool = False,
    pin_set: bool = False,
    status: int = 200,
) -> web.Response:
    """``wrong`` names the field that the error is about."""
    user = request[USER]
    context = {
        "role": word(ROLES, user.role),
        "error": error,
        "wrong": wrong,
        "changed": changed,
        "pin_set": pin_set,
        "signs": signs(user),
        "pin_wrong": wrong in (PASSWORD, PIN, PIN_AGAIN),
        "shortest": SHORTEST,
        "longest": LONGEST,
    }
    return render(request, "account.html", context, status=status)
