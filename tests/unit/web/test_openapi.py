"""The description of the API: complete, sound, and the same as what validates."""

from enum import StrEnum
from typing import Any, get_args

import pytest
from aiohttp import web

from kernel.clock import FakeClock
from kernel.db import create_database
from kernel.errors import ConfigurationError
from telephony.domain.agent_state import AgentState
from telephony.domain.call import CallResult, CallState, Direction, HangupBy
from tests.support.web import WebHarness
from web.api.operation import operation_of
from web.api.routes import OPENAPI
from web.api.v1 import schemas
from web.app import create_app
from web.openapi import OPENAPI_PATH, TAGS, describe
from web.permissions import Permission, public, routes_of

pytestmark = pytest.mark.unit


@pytest.fixture
def app(clock: FakeClock) -> web.Application:
    """The application over a database that nobody asks anything."""
    harness = WebHarness(create_database("sqlite+aiosqlite:///:memory:"), clock)
    return create_app(harness.deps(), parts=())


@pytest.fixture
def document(app: web.Application) -> dict[str, Any]:
    return app[OPENAPI]


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_every_route_is_documented_and_nothing_else(app: web.Application, document: dict[str, Any]) -> None:
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in routes_of(app)
        if route.resource is not None
        and route.resource.canonical.startswith("/api/")
        and route.method != "HEAD"
    }
    documented = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert documented == routes
    assert ("get", OPENAPI_PATH) in documented


def test_an_undescribed_route_stops_the_start(app: web.Application) -> None:
    @public
    async def secret(request: web.Request) -> web.Response:
        return web.Response()

    bare = web.Application()
    bare.router.add_get("/api/v1/secret", secret)
    with pytest.raises(ConfigurationError, match="/api/v1/secret"):
        describe(bare, version="1")


def test_structure(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"]
    assert document["info"]["version"]
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    identifiers = [operation["operationId"] for operation in operations(document)]
    assert len(identifiers) == len(set(identifiers))
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"]
            assert set(operation["tags"]) <= set(TAGS)
            assert {"200", "201"} & set(operation["responses"])
            in_path = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            for parameter in operation.get("parameters", []):
                assert parameter["schema"]
                assert "null" not in str(parameter["schema"].get("type", ""))


def test_every_operation_but_the_description_asks_for_credentials(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path == OPENAPI_PATH:
                assert operation["security"] == []
            else:
                assert operation["security"] == [{"bearer": []}, {"session": []}]
                assert operation["x-permission"] in set(Permission)
                assert {"400", "401", "403"} <= set(operation["responses"])


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(references(value) for value in part)) if part else set()
    return set()


def test_every_reference_leads_somewhere_and_no_schema_is_left_over(document: dict[str, Any]) -> None:
    found = references(document)
    for reference in found:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]
    used = {reference.rsplit("/", 1)[1] for reference in found if "/schemas/" in reference}
    assert used == set(document["components"]["schemas"])


def test_the_documented_parameters_are_the_validated_ones(
    app: web.Application, document: dict[str, Any]
) -> None:
    for route in routes_of(app):
        described = operation_of(route.handler)
        if described is None or route.resource is None or route.method == "HEAD":
            continue
        operation = document["paths"][route.resource.canonical][route.method.lower()]
        in_query = {p["name"]: p["required"] for p in operation["parameters"] if p["in"] == "query"}
        fields = described.query.model_fields
        assert in_query == {name: field.is_required() for name, field in fields.items()}


def test_the_call_object_has_the_promised_fields(document: dict[str, Any]) -> None:
    promised = {
        *("call_id", "direction", "from_number", "to_number", "customer_id", "queue", "agent", "state"),
        *("result", "menu_path", "started_at", "queued_at", "answered_at", "ended_at", "wait_seconds"),
        *("talk_seconds", "hangup_by", "legs", "node"),
    }
    for name in ("Call", "CallDetail"):
        schema = document["components"]["schemas"][name]
        assert promised <= set(schema["properties"])
        assert promised <= set(schema["required"])
    assert "timeline" in document["components"]["schemas"]["CallDetail"]["properties"]


@pytest.mark.parametrize(
    ("words", "enumeration"),
    [
        (schemas.Direction, Direction),
        (schemas.CallStateName, CallState),
        (schemas.CallResultName, CallResult),
        (schemas.HangupBy, HangupBy),
        (schemas.AgentStateName, AgentState),
    ],
)
def test_the_words_are_telephonys(words: Any, enumeration: type[StrEnum]) -> None:
    assert list(get_args(words)) == [word.value for word in enumeration]
