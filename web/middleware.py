"""What every request passes through, outermost first.

``envelope``  request id, client address, log context, access log, metrics; errors become problems or pages
``limits``    a deadline for the handler
``identify``  bearer token or session cookie → ``request[USER]``
``guard``     cross-site posts refused, the route's declared access enforced

Security headers are set when a response is prepared (:func:`add_security_headers`), so that streams and
files carry them as well.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import hdrs, web
from prometheus_client import Counter, Histogram

from kernel.errors import Forbidden, HuifangError, Unauthenticated
from kernel.ids import new_ulid
from web.auth import ACCOUNTS, session_cookie
from web.deps import DEPS, WebSettings
from web.identity import CLIENT_IP, REQUEST_ID, USER, CurrentUser, Via
from web.origin import is_trusted
from web.permissions import Access, access_of, is_streaming, takes_files
from web.problems import Problem, problem_headers, problem_of, problem_response

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ErrorPage = Callable[[web.Request, Problem], Awaitable[web.StreamResponse]]

ERROR_PAGE: web.AppKey[ErrorPage] = web.AppKey("ERROR_PAGE")
"""Renders a problem for people; ``web.pages`` sets it."""

SIGN_IN_PATH = "/sign-in"
PASSWORD_PATH = "/account"  # noqa: S105
_PASSWORD_PATHS = frozenset({PASSWORD_PATH, "/sign-out"})
"""All that somebody with a one-time password can do: choose another one, or leave."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_KNOWN_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_FOREIGN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

REQUESTS = Counter("huifang_http_requests_total", "HTTP requests", ["method", "route", "status"])
DURATION = Histogram(
    "huifang_http_request_duration_seconds",
    "Time to answer, streams excepted",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
CALLER_LEFT = 499
"""What is counted when the caller goes away before the answer."""


class CrossSite(Forbidden):
    """A request that changes something came from another site's page."""

    code = "cross_site"


class PasswordDue(Forbidden):
    """The person is signed in with a one-time password, and must choose their own before anything else."""

    code = "password_due"


class BadToken(Unauthenticated):
    """The bearer token is unknown, expired or revoked."""

    code = "bad_token"


def client_ip(request: web.Request, settings: WebSettings) -> str:
    """Return the caller's address: the last one in ``X-Forwarded-For`` that is not a trusted proxy's."""
    address = request.remote or ""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    while hops and is_trusted(address, settings):
        address = hops.pop()
    try:
        return str(ip_address(address))
    except ValueError:
        return ""


def wants_json(request: web.Request) -> bool:
    """Tell whether errors go out as problem details rather than as a page."""
    if request.path.startswith("/api/"):
        return True
    accept = request.headers.get(hdrs.ACCEPT, "")
    return "json" in accept and "text/html" not in accept


def route_label(request: web.Request) -> str:
    """Return the route's pattern: a closed set, and free of what people put into paths."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind the request's context, answer every error, count and log the request."""
    settings = request.app[DEPS].settings
    given = request.headers.get("X-Request-Id", "")
    trusted = is_trusted(request.remote or "", settings) and _FOREIGN_REQUEST_ID.fullmatch(given)
    request_id = given if trusted else new_ulid()
    request[REQUEST_ID] = request_id
    request[CLIENT_IP] = client_ip(request, settings)
    started = time.perf_counter()
    status = CALLER_LEFT
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            response = await _answer(request, handler)
            status = response.status
            return response
        finally:
            _count(request, status, time.perf_counter() - started)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if answer.status < HTTPStatus.BAD_REQUEST:
            return answer
        return await _fail(request, answer)
    except ConnectionResetError as error:
        if request.transport is not None and not request.transport.is_closing():
            return await _fail(request, error)
        # They closed the page while it was sending: nobody reads an answer, and nothing is wrong here.
        return web.Response(status=CALLER_LEFT)
    except Exception as error:  # the border: every error becomes one answer and at most one log line
        return await _fail(request, error)


async def _fail(request: web.Request, error: Exception) -> web.StreamResponse:
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        expected = isinstance(error, HuifangError | web.HTTPException)
        log.error(
            "request_failed",
            code=problem.code,
            route=route_label(request),
            error=type(error).__name__,
            exc_info=None if expected else error,
        )
    if request.get(_PREPARED):
        # The head is out already (a stream): all that is left is to end the connection.
        raise error
    if wants_json(request):
        return problem_response(problem, instance=request.path, request_id=request[REQUEST_ID])
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return _to_sign_in(request, problem)
    response = await _error_page(request, problem)
    for name, value in problem_headers(problem).items():
        response.headers[name] = value
    return response


def _to_sign_in(request: web.Request, problem: Problem) -> web.Response:
    if request.method not in {"GET", "HEAD"} or request.headers.get("HX-Request"):
        headers = {"HX-Redirect": SIGN_IN_PATH} if request.headers.get("HX-Request") else {}
        return web.Response(status=HTTPStatus.UNAUTHORIZED, headers=headers, text=problem.detail)
    if "text/event-stream" in request.headers.get(hdrs.ACCEPT, ""):
        return web.Response(status=HTTPStatus.UNAUTHORIZED, text=problem.detail)
    target = SIGN_IN_PATH
    if request.path != "/":
        target += "?next=" + quote(request.path_qs, safe="/")
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: target})


async def _error_page(request: web.Request, problem: Problem) -> web.StreamResponse:
    page = request.app.get(ERROR_PAGE)
    if page is not None:
        try:
            return await page(request, problem)
        except Exception:  # the border: a broken template must not hide the error it was to show
            log.exception("error_page_failed", code=problem.code)
    return await _plain_page(request, problem)


async def _plain_page(request: web.Request, problem: Problem) -> web.Response:
    text = f"{problem.status} {problem.title}\n{problem.detail}\n{request[REQUEST_ID]}\n"
    return web.Response(status=problem.status, text=text)


def _count(request: web.Request, status: int, seconds: float) -> None:
    route = route_label(request)
    method = request.method if request.method in _KNOWN_METHODS else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    if not is_streaming(request.match_info.handler):
        DURATION.labels(route).observe(seconds)
    user = request.get(USER)
    log.info(
        "http_request",
        method=method,
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 1),
        user_id=user.user_id if user else None,
        ip_pii=request[CLIENT_IP],
        request_id=request[REQUEST_ID],
    )


@web.middleware
async def limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """End a handler that takes too long."""
    if is_streaming(request.match_info.handler):
        return await handler(request)
    async with asyncio.timeout(request.app[DEPS].settings.request_deadline.total_seconds()):
        return await handler(request)


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who is calling. A bearer token goes before a cookie, and only the API takes one."""
    user = await _caller(request)
    if user is None:
        return await handler(request)
    request[USER] = user
    with structlog.contextvars.bound_contextvars(user_id=user.user_id):
        return await handler(request)


async def _caller(request: web.Request) -> CurrentUser | None:
    accounts = request.app[ACCOUNTS]
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and not _is_page(request):
        found = await accounts.tokens.resolve(credentials.strip())
        if found is None:
            raise BadToken("the bearer token is unknown, expired or revoked")
        return found
    secret = session_cookie(request)
    return await accounts.sessions.resolve(secret) if secret else None


def _is_page(request: web.Request) -> bool:
    return not request.path.startswith("/api/") and request.path not in {"/metrics", "/readyz"}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse cross-site changes and whoever the route is not for."""
    user = request.get(USER)
    if request.method not in _SAFE_METHODS:
        if user is None or user.via is not Via.TOKEN:
            refuse_cross_site(request)
        if (
            request.path.startswith("/api/")
            and request.can_read_body
            and request.content_type != "application/json"
            and not takes_files(request.match_info.handler)
        ):
            raise web.HTTPUnsupportedMediaType(reason="send application/json")
    access = access_of(request.match_info.route)
    if access is None:
        raise Forbidden("this route declares no access")
    if not access.allows(user.role if user else None):
        if user is None:
            raise Unauthenticated("sign in first")
        raise Forbidden(f"needs the permission {access.permission}")
    if _must_choose_password(request, user, access):
        return _to_own_password(request)
    return await handler(request)


def _must_choose_password(request: web.Request, user: CurrentUser | None, access: Access) -> bool:
    if user is None or not user.password_due or access.is_public:
        return False
    return request.path not in _PASSWORD_PATHS


def _to_own_password(request: web.Request) -> web.Response:
    opens_page = request.method == "GET" and "text/html" in request.headers.get(hdrs.ACCEPT, "")
    if opens_page and not request.headers.get("HX-Request") and not request.path.startswith("/api/"):
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: PASSWORD_PATH})
    raise PasswordDue("choose a password of your own first")


def refuse_cross_site(request: web.Request) -> None:
    """Check Sec-Fetch-Site, and Origin for the browsers (and plain HTTP) that do not send it.

    A request with neither header does not come from a page of ours: browsers send Origin with every post.
    """
    origin = request.headers.get(hdrs.ORIGIN, "")
    if origin and origin in request.app[DEPS].settings.allowed_origins:
        return
    site = request.headers.get("Sec-Fetch-Site", "")
    if site:
        if site == "same-origin":
            return
    elif origin and urlsplit(origin).netloc.lower() == request.host.lower():
        return
    raise CrossSite("this request did not come from one of our own pages")


_PREPARED: web.RequestKey[bool] = web.RequestKey("PREPARED", bool)


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers every answer carries. A handler may set a stricter one itself."""
    request[_PREPARED] = True
    settings = request.app[DEPS].settings
    headers = response.headers
    headers["Server"] = "huifang"
    headers.setdefault("X-Request-Id", request.get(REQUEST_ID, ""))
    headers.setdefault("Content-Security-Policy", content_security_policy(settings))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault(
        "Permissions-Policy", "microphone=(self), camera=(), geolocation=(), payment=(), usb=()"
    )
    if settings.secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if not isinstance(response, web.FileResponse):
        headers.setdefault(hdrs.CACHE_CONTROL, "no-store")


def content_security_policy(settings: WebSettings) -> str:
    """Return the policy: everything from here, nothing inline, nobody may frame us."""
    connect = " ".join(("'self'", *settings.connect_sources))
    return (
        f"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"media-src 'self' blob:; connect-src {connect}; object-src 'none'; base-uri 'none'; "
        f"form-action 'self'; frame-ancestors 'none'"
    )


MIDDLEWARES = (envelope, limits, identify, guard)
