"""One error shape for the API: RFC 9457 problem details; and the one table from error to status."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from callback_campaigns.preview import DialRefused
from kernel.errors import (
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    HuifangError,
    Invalid,
    NotFound,
    StaleVersion,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from web.throttle import SlowDown

PROBLEM_JSON = "application/problem+json"


class VersionMissing(Invalid):
    """A change must say which version it changes, so that nobody overwrites what they have not seen."""

    code = "version_missing"


class KeyMissing(Invalid):
    """What moves money or makes telephones ring must carry a key, so that a repetition does it once."""

    code = "idempotency_key_missing"


class KeyReused(Invalid):
    """The key belongs to another request."""

    code = "idempotency_key_reused"


class StillRunning(Conflict):
    """The same request is being carried out at this moment."""

    code = "request_running"


STATUS_OF: dict[type[HuifangError], HTTPStatus] = {
    Invalid: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    VersionMissing: HTTPStatus.PRECONDITION_REQUIRED,
    KeyMissing: HTTPStatus.PRECONDITION_REQUIRED,
    KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    Conflict: HTTPStatus.CONFLICT,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    HuifangError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""A subclass has the status of its nearest ancestor in the table."""

_CODE_OF_STATUS = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "unauthenticated",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the input."""

    field: str
    message: str


class InvalidFields(Invalid):
    """Several fields may be wrong at once; the first is the error's ``field``."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        first = errors[0]
        super().__init__(f"{first.field}: {first.message}", field=first.field)
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as the outside sees it: no stack, no SQL, no path.

    Attributes:
        code: stable word for programs.
        detail: one line for people, in English; pages show their own text by ``code``.
        retry_after_seconds: when to come back.
        allow: methods, for a 405.
        refusal: of a call that a rule of dialling stands against: which; ``until``: when it may be made.
    """

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    retry_after_seconds: int | None = None
    allow: tuple[str, ...] = field(default=())
    refusal: str | None = None
    until: str | None = None

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase


def status_of(error: HuifangError) -> HTTPStatus:
    """Return the status of an error by the table."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def problem_of(error: BaseException) -> Problem:
    """Return the problem for whatever a handler raised. What we did not raise on purpose says nothing."""
    if isinstance(error, HuifangError):
        return _expected(error)
    if isinstance(error, web.HTTPException):
        status = HTTPStatus(error.status)
        allow = tuple(sorted(error.allowed_methods)) if isinstance(error, web.HTTPMethodNotAllowed) else ()
        code = _CODE_OF_STATUS.get(status, "http_error")
        detail = status.description or status.phrase
        # Nobody reads a body of that size to its end, so that no field of it can be named.
        large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        errors = (FieldError("body", detail),) if large else ()
        return Problem(status=status, code=code, detail=detail, errors=errors, allow=allow)
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
        return Problem(
            status=503, code="unavailable", detail="the database does not answer", retry_after_seconds=5
        )
    if isinstance(error, TimeoutError):
        return Problem(status=504, code="deadline_exceeded", detail="the request took too long")
    return Problem(status=500, code="internal", detail="an error on our side; it was logged")


def _expected(error: HuifangError) -> Problem:
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(status=500, code="internal", detail="an error on our side; it was logged")
    errors: tuple[FieldError, ...] = ()
    if isinstance(error, InvalidFields):
        errors = error.errors
    elif error.field:
        errors = (FieldError(error.field, error.message),)
    retry_after = None
    if isinstance(error, SlowDown):
        retry_after = int(error.retry_after.total_seconds())
    elif isinstance(error, StillRunning):
        retry_after = 1
    elif isinstance(error, Unavailable):
        retry_after = 5
    refused = error.refusal if isinstance(error, DialRefused) else None
    return Problem(
        status=status,
        code=error.code,
        detail=error.message,
        errors=errors,
        retry_after_seconds=retry_after,
        refusal=refused.code.value if refused is not None else None,
        until=refused.until.isoformat() if refused is not None and refused.until is not None else None,
    )


def problem_headers(problem: Problem) -> dict[str, str]:
    """Return the headers that belong to the problem, in whatever form it is shown."""
    headers: dict[str, str] = {}
    if problem.retry_after_seconds is not None:
        headers["Retry-After"] = str(problem.retry_after_seconds)
    if problem.allow:
        headers["Allow"] = ", ".join(problem.allow)
    return headers


def problem_response(problem: Problem, *, instance: str, request_id: str) -> web.Response:
    """Return the problem as ``application/problem+json``."""
    body: dict[str, Any] = {
        "type": f"urn:huifang:problem:{problem.code}",
        "title": problem.title,
        "status": int(problem.status),
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = [{"field": item.field, "message": item.message} for item in problem.errors]
    more = {"refusal": problem.refusal, "until": problem.until}
    body |= {name: value for name, value in more.items() if value is not None}
    headers = problem_headers(problem)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="huifang"'
    return web.Response(
        status=problem.status,
        headers=headers,
        content_type=PROBLEM_JSON,
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
