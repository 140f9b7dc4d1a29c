"""Routes of every kind of access, that sign in, fail, take long or stream: to send requests through."""

import asyncio

from aiohttp import web

from kernel.errors import Conflict
from web.auth import ACCOUNTS, clear_session_cookie, set_sign_in_cookies, visitor_of
from web.identity import CLIENT_IP, current_user
from web.permissions import Permission, public, requires, signed_in, streaming


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
    """Add them; a part for ``WebHarness.serve``."""
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
