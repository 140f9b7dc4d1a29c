"""One declaration per API operation: it validates the request, shapes the answer and documents both."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from kernel.errors import NotFound
from kernel.ids import is_ulid
from web.deps import DEPS
from web.permissions import Permission, requires
from web.problems import FieldError, InvalidFields

Q = TypeVar("Q", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)

_OPERATION = "__huifang_operation__"
MAX_QUERY_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Operation:
    """What ``/api/v1/openapi.json`` says about a handler."""

    operation_id: str
    summary: str
    description: str
    tag: str
    permission: Permission
    query: type[BaseModel]
    response: type[BaseModel]
    path_parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Generic[Q]):
    """A validated request."""

    request: web.Request
    query: Q


def operation(
    *,
    query: type[Q],
    response: type[R],
    permission: Permission,
    summary: str,
    tag: str,
    description: str = "",
    path_parameters: tuple[tuple[str, str], ...] = (),
) -> Callable[[Callable[[Call[Q]], Awaitable[R]]], Callable[[web.Request], Awaitable[web.Response]]]:
    """Make an API handler of a function from a validated request to a response model.

    ``path_parameters`` are pairs of name and description; each is a ULID.
    """

    def declare(
        function: Callable[[Call[Q]], Awaitable[R]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        @requires(permission)
        @wraps(function)
        async def handle(request: web.Request) -> web.Response:
            for name, _ in path_parameters:
                if not is_ulid(request.match_info[name]):
                    raise NotFound(f"{name}: no such thing", field=name)
            answer = await function(Call(request, read_query(request, query)))
            zone = request.app[DEPS].settings.timezone
            body = answer.model_dump_json(context={"timezone": zone}).encode()
            return web.Response(body=body, content_type="application/json")

        declared = Operation(
            operation_id=function.__name__,
            summary=summary,
            description=description,
            tag=tag,
            permission=permission,
            query=query,
            response=response,
            path_parameters=path_parameters,
        )
        setattr(handle, _OPERATION, declared)
        return handle

    return declare


def operation_of(handler: object) -> Operation | None:
    """Return what the handler declared with :func:`operation`."""
    found = getattr(handler, _OPERATION, None)
    return found if isinstance(found, Operation) else None


def read_query(request: web.Request, model: type[Q]) -> Q:
    """Validate the query string.

    Raises:
        InvalidFields: an unknown, repeated, malformed or contradictory parameter, named.
    """
    if len(request.query_string) > MAX_QUERY_CHARACTERS:
        raise InvalidFields((FieldError("query", f"at most {MAX_QUERY_CHARACTERS} characters"),))
    counts = Counter(name for name, _ in request.query.items())
    repeated = tuple(FieldError(name, "given more than once") for name, n in counts.items() if n > 1)
    if repeated:
        raise InvalidFields(repeated)
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise InvalidFields(tuple(_field_error(item) for item in error.errors())) from error


def _field_error(item: Any) -> FieldError:
    place = ".".join(str(part) for part in item["loc"]) or "query"
    if item["type"] == "extra_forbidden":
        return FieldError(place[:60], "unknown parameter")
    return FieldError(place[:60], str(item["msg"]).removeprefix("Value error, "))
