"""From errors to problems."""

import json
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy.exc import OperationalError

from kernel import errors
from kernel.errors import HuifangError
from kernel.phone import InvalidPhone
from web.auth import WrongCredentials
from web.problems import (
    STATUS_OF,
    FieldError,
    InvalidFields,
    KeyMissing,
    KeyReused,
    StillRunning,
    VersionMissing,
    problem_headers,
    problem_of,
    problem_response,
    status_of,
)
from web.throttle import SlowDown
from web.users import LoginTaken

pytestmark = pytest.mark.unit


def test_every_kind_of_error_has_a_status() -> None:
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HuifangError)
    }
    assert kinds | {VersionMissing, KeyMissing, KeyReused} == set(STATUS_OF)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Invalid("x", field="since"), 400, "invalid"),
        (InvalidPhone("x", field="phone"), 400, "invalid_phone"),
        (WrongCredentials("x"), 401, "wrong_credentials"),
        (errors.Forbidden("x"), 403, "forbidden"),
        (KeyMissing("x"), 428, "idempotency_key_missing"),
        (KeyReused("x"), 422, "idempotency_key_reused"),
        (StillRunning("x"), 409, "request_running"),
        (errors.NotFound("x"), 404, "not_found"),
        (LoginTaken("x"), 409, "login_taken"),
        (SlowDown(timedelta(seconds=3)), 429, "too_many_attempts"),
        (errors.Unavailable("x"), 503, "unavailable"),
        (errors.DeadlineExceeded("x"), 504, "deadline_exceeded"),
        (errors.ConfigurationError("secret place"), 500, "internal"),
        (HuifangError("secret"), 500, "internal"),
        (OperationalError("SELECT secret", {"phone": "secret"}, Exception("secret")), 503, "unavailable"),
        (TimeoutError(), 504, "deadline_exceeded"),
        (ValueError("secret"), 500, "internal"),
        (web.HTTPNotFound(), 404, "not_found"),
        (web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2), 413, "body_too_large"),
    ],
)
def test_status_and_code(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    assert "secret" not in problem.detail


def test_a_subclass_takes_the_nearest_ancestors_status() -> None:
    class Deeper(InvalidPhone):
        code = "deeper"

    assert status_of(Deeper("x")) == 400


def test_the_field_is_named() -> None:
    assert problem_of(errors.Invalid("no", field="since")).errors == (FieldError("since", "no"),)
    large = problem_of(web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2))
    assert [error.field for error in large.errors] == ["body"]
    several = InvalidFields((FieldError("a", "1"), FieldError("b", "2")))
    assert problem_of(several).errors == several.errors
    assert several.field == "a"


def test_headers_say_when_and_how() -> None:
    assert problem_headers(problem_of(SlowDown(timedelta(seconds=2.1)))) == {"Retry-After": "3"}
    assert problem_headers(problem_of(web.HTTPMethodNotAllowed("PUT", ["GET", "HEAD"]))) == {
        "Allow": "GET, HEAD"
    }


def test_the_wire_form_is_rfc_9457() -> None:
    response = problem_response(
        problem_of(errors.Invalid("页码不对", field="cursor")), instance="/api/v1/calls", request_id="R1"
    )
    assert response.content_type == "application/problem+json"
    assert response.status == 400
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {
        "type": "urn:huifang:problem:invalid",
        "title": "Bad Request",
        "status": 400,
        "detail": "页码不对",
        "instance": "/api/v1/calls",
        "code": "invalid",
        "request_id": "R1",
        "errors": [{"field": "cursor", "message": "页码不对"}],
    }


def test_unauthenticated_says_how_to_sign_in() -> None:
    response = problem_response(problem_of(errors.Unauthenticated("x")), instance="/", request_id="R1")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
