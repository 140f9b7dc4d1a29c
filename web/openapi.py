"""The OpenAPI 3.1 description, generated from the routes and the models that validate them."""

from collections import Counter
from functools import lru_cache
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from kernel.errors import ConfigurationError
from web.api.operation import Operation, operation_of
from web.api.v1.schemas import ProblemDetails
from web.idempotency import HEADER, REPLAYED, Idempotency
from web.permissions import routes_of
from web.problems import PROBLEM_JSON

API_PREFIX = "/api/v1"
OPENAPI_PATH = f"{API_PREFIX}/openapi.json"
_REF = "#/components/schemas/{model}"
_PROBLEM = {"$ref": "#/components/responses/Problem"}

_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what you read; a newer version answers 412.",
    "schema": {"type": "string"},
}

TAGS = {
    "calls": "Calls and their time lines",
    "system": "How the installation is",
    "users": "Who may sign in, and as what",
    "queues": "Queues and their live figures",
    "agents": "Agents and their states",
    "routing": "Where callers go who are to wait, and what they are told before",
    "supervision": "What supervisors do: listen to calls, direct agents, send them messages",
    "alerts": "What is told at once: watchwords, complaints that come in a heap",
    "speech": "What is said in calls, what is listened for, what it proposes",
    "customers": "Customers: their numbers, freezes, refusals, consents, merges",
    "projects": "Projects, their stages and payments",
    "organisation": "Stores, departments, crews, staff",
    "imports": "Sheets of customers and projects: checked, then written",
    "search": "Everything that can be found",
    "notices": "Notices, outgoing messages, and who hears of what",
    "complaints": "Complaints, their cause lines, hand-offs, and what is late",
    "escalations": "Major complaints, compensation and recovery",
    "appraisals": "Appraisal entries that missed limits propose",
    "retention": "What is kept beyond its end, and what people ask about their own data",
    "improvements": "What is done against what keeps going wrong, and whether it works",
    "voices": "Suggestions of customers, and news of competitors",
    "duty": "Who is on duty, the duty log, and patrols twice a day",
    "repairs": "Repairs, their visits, and what is to be done about them",
    "settlements": "What repairs cost, who bears it, and crews' deposits",
    "tickets": "Problem tickets from callbacks, and notices one level up",
    "forwarded": "Orders of other hotlines, and what they were told",
    "office-lists": "What repeats, who is flagged, what a month was about",
    "figures": "Complaints and repairs in figures",
    "knowledge": "Articles, and what customers' words look like",
    "repair points": "The network of repair points: agreements, parts, accounts, quality",
    "follow-ups": "Closed cases looked after once more",
    "callbacks": "Callback tasks: planned, appointed, cancelled, stopped for a project",
    "campaigns": "Campaigns: whom to call, how, over which lines; their figures, lists and attempts",
    "questionnaires": "What callbacks ask, and what answers come to",
    "cases": "What complaints, repairs and tickets have in common: calls to their customers",
    "attachments": "Photos and scans of cases",
    "description": "This document",
}


def describe(app: web.Application, *, version: str) -> dict[str, Any]:
    """Return the document for every route under ``/api/v1``.

    Raises:
        ConfigurationError: a route there was not made with ``@operation``.
    """
    routes = (
        (route.method, route.resource.canonical if route.resource is not None else "", route.handler)
        for route in routes_of(app)
    )
    return _document(
        tuple(
            route
            for route in routes
            if route[1].startswith(API_PREFIX) and route[1] != OPENAPI_PATH and route[0] != "HEAD"
        ),
        version,
    )


# It takes half a second, and the routes of a process are the same each time.
@lru_cache(maxsize=2)
def _document(routes: tuple[tuple[str, str, Any], ...], version: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {OPENAPI_PATH: {"get": _own_operation()}}
    models: list[type[BaseModel]] = [ProblemDetails]
    inputs: list[type[BaseModel]] = []
    asked: dict[str, Any] = {}
    for method, path, handler in routes:
        operation = operation_of(handler)
        if operation is None:
            raise ConfigurationError(f"{method} {path} is not described: use @operation")
        if operation.response is not None:
            models.append(operation.response)
        asked |= operation.query.model_json_schema(ref_template=_REF).get("$defs", {})
        if operation.body is not None:
            inputs.append(operation.body)
        paths.setdefault(path, {})[method.lower()] = _operation(operation)
    _refuse_namesakes({*models, *inputs})
    _, schemas = models_json_schema(
        [
            *((model, "serialization") for model in dict.fromkeys(models)),
            *((model, "validation") for model in dict.fromkeys(inputs)),
        ],
        ref_template=_REF,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Huifang 回访",
            "version": version,
            "description": "Calls, queues, agents and customers of the call centre.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": asked | schemas["$defs"],
            "responses": {
                "Problem": {
                    "description": "Any error",
                    "content": {PROBLEM_JSON: {"schema": {"$ref": _REF.format(model="ProblemDetails")}}},
                }
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "From `huifang token create --name NAME --role ROLE`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "hf_session",
                    "description": "The cookie of a signed-in browser (`__Host-hf_session` behind TLS).",
                },
            },
        },
    }


def _refuse_namesakes(models: set[type[BaseModel]]) -> None:
    counts = Counter(model.__name__ for model in models)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ConfigurationError(f"models of the API that share a name: {', '.join(twice)}")


def _operation(operation: Operation) -> dict[str, Any]:
    failures = [
        *(["413", "415", "429"] if operation.form else []),
        "400",
        "401",
        "403",
        *(["404"] if operation.path_parameters else []),
        "503",
    ]
    if operation.body is not None:
        failures.append("409")
    if operation.if_match:
        failures += ["412", "428"]
    if operation.idempotent is not Idempotency.NONE:
        failures += ["409", "422"]
    if operation.idempotent is Idempotency.REQUIRED:
        failures.append("428")
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-permission": operation.permission.value,
        "security": [{"bearer": []}, {"session": []}],
        "parameters": [
            *_path_parameters(operation),
            *_query_parameters(operation.query),
            *([_IF_MATCH] if operation.if_match else []),
            *_idempotency_key(operation.idempotent),
        ],
        "responses": {
            str(operation.status): {"description": "Done", "content": _answer(operation)},
            **dict.fromkeys(failures, _PROBLEM),
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF.format(model=operation.body.__name__)}}},
        }
    if operation.form is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": _form(operation.form)},
        }
    if operation.description:
        described["description"] = operation.description
    return described


def _idempotency_key(mode: Idempotency) -> list[dict[str, Any]]:
    if mode is Idempotency.NONE:
        return []
    return [
        {
            "name": HEADER,
            "in": "header",
            "required": mode is Idempotency.REQUIRED,
            "description": "Any word of your own, new for each thing to be done. The same request "
            "with the same key within 24 hours is not carried out again: it gets the first answer, with "
            f"`{REPLAYED}: true`. With another body it is refused (422); while the first runs, 409.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 100},
        }
    ]


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.response is not None:
        schema: dict[str, Any] = {"$ref": _REF.format(model=operation.response.__name__)}
        return {"application/json": {"schema": schema}}
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in operation.media_types}


def _form(model: type[BaseModel]) -> dict[str, Any]:
    fields = model.model_json_schema(ref_template=_REF)
    shown = {name: _without_null(given) for name, given in fields.get("properties", {}).items()}
    file = {"type": "string", "format": "binary"}
    required = ["file", *fields.get("required", [])]
    return {"schema": {"type": "object", "properties": {"file": file, **shown}, "required": required}}


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in operation.path_parameters
    ]


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(ref_template=_REF)
    parameters = []
    for name, given in schema.get("properties", {}).items():
        parameter: dict[str, Any] = {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
        }
        if "description" in given:
            parameter["description"] = given["description"]
        parameters.append(parameter | {"schema": _without_null(given)})
    return parameters


def _without_null(given: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out, never null."""
    kept = {key: value for key, value in given.items() if key not in {"anyOf", "title", "description"}}
    choices = [choice for choice in given.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        kept |= choices[0]
    elif choices:
        kept["anyOf"] = choices
    if kept.get("default", ...) is None:
        del kept["default"]
    return kept


def _own_operation() -> dict[str, Any]:
    return {
        "operationId": "get_openapi",
        "summary": "Read this description",
        "tags": ["description"],
        "security": [],
        "responses": {
            "200": {
                "description": "OpenAPI 3.1",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    }
