"""One's own account: who is signed in here, and a new password."""

from aiohttp import web

from kernel.errors import TooMany
from web.auth import ACCOUNTS, WrongOldPassword, set_sign_in_cookies, visitor_of
from web.i18n import gettext
from web.identity import USER, Via, current_user
from web.labels import PROBLEMS, ROLES, word
from web.pages.shell import render, see_other
from web.passwords import LONGEST, SHORTEST, WeakPassword
from web.permissions import signed_in

OLD, NEW, AGAIN = "old_password", "new_password", "new_password_again"
# One more than may be: a password that is too long must not become another one that is not.
LONGEST_FIELD = LONGEST + 1


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/account", show)
    app.router.add_post("/account", change_password)


@signed_in
async def show(request: web.Request) -> web.StreamResponse:
    """Show the account; ``changed`` in the query tells of a new password."""
    return _page(request, changed="changed" in request.query)


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


def _page(
    request: web.Request, *, error: str = "", wrong: str = "", changed: bool = False, status: int = 200
) -> web.Response:
    """``wrong`` names the field that the error is about."""
    user = request[USER]
    context = {
        "role": word(ROLES, user.role),
        "error": error,
        "wrong": wrong,
        "changed": changed,
        "shortest": SHORTEST,
        "longest": LONGEST,
    }
    return render(request, "account.html", context, status=status)
