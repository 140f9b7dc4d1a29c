"""One declaration per API operation: it validates the request, shapes the answer and documents both."""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from kernel.access import Actor
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid
from web.api.booleans import as_numbers
from web.deps import DEPS
from web.idempotency import HEADER, ONCE, Idempotency
from web.identity import current_actor
from web.permissions import Permission, requires
from web.problems import FieldError, InvalidFields, VersionMissing

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)
H = TypeVar("H", bound=Callable[..., Any])

_OPERATION = "__huifang_operation__"
MAX_QUERY_CHARACTERS = 2000
_VERSION = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Operation:
    """What ``/api/v1/openapi.json`` says about a handler.

    Attributes:
        response: model of the JSON answer; ``None`` for a file of one of ``media_types``.
        form: model of a form that comes with a file.
    """

    operation_id: str
    summary: str
    description: str
    tag: str
    permission: Permission
    query: type[BaseModel]
    response: type[BaseModel] | None
    path_parameters: tuple[tuple[str, str], ...] = ()
    body: type[BaseModel] | None = None
    if_match: bool = False
    idempotent: Idempotency = Idempotency.NONE
    status: int = 200
    form: type[BaseModel] | None = None
    media_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Generic[Q]):
    """A validated request.

    Attributes:
        content: the validated body; see :meth:`body`.
        expected: the version in ``If-Match`` of an operation that asks for it, else 0.
    """

    request: web.Request
    query: Q
    content: BaseModel | None = None
    expected: int = 0

    @property
    def actor(self) -> Actor:
        """Who asks, as services want it."""
        return current_actor(self.request)

    def body(self, model: type[B]) -> B:
        """Return the body, of the model that the operation declared."""
        if not isinstance(self.content, model):
            raise TypeError(f"the operation declares no body {model.__name__}")
        return self.content


def operation(
    *,
    query: type[Q],
    response: type[R],
    permission: Permission,
    summary: str,
    tag: str,
    description: str = "",
    path_parameters: tuple[tuple[str, str], ...] = (),
    body: type[BaseModel] | None = None,
    if_match: bool = False,
    idempotent: Idempotency = Idempotency.NONE,
    status: int = 200,
) -> Callable[[Callable[[Call[Q]], Awaitable[R]]], Callable[[web.Request], Awaitable[web.Response]]]:
    """Make an API handler of a function from a validated request to a response model.

    Args:
        path_parameters: pairs of name and description; each is a ULID, but one that ends with ``_code``.
        body: model of the JSON body; unknown members are refused when the model forbids them.
        if_match: the request must say in ``If-Match`` which version it changes.
        idempotent: whether it takes ``Idempotency-Key``: what makes a record, and what moves money, does.
        status: of the answer; an answer with a ``version`` carries it as ``ETag``.
    """

    def declare(
        function: Callable[[Call[Q]], Awaitable[R]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        @requires(permission)
        @wraps(function)
        async def handle(request: web.Request) -> web.Response:
            for name, _ in path_parameters:
                if not name.endswith("_code") and not is_ulid(request.match_info[name]):
                    raise NotFound(f"{name}: no such thing", field=name)
            asked = read_query(request, query)
            content = await read_body(request, body) if body is not None else None
            expected = read_if_match(request) if if_match else 0
            call = Call(request, asked, content, expected)

            async def carry_out() -> web.Response:
                return json_response(request, await function(call), status=status)

            if idempotent is Idempotency.NONE:
                return await carry_out()
            return await request.app[ONCE].run(
                user_id=call.actor.user_id,
                route=f"{request.method} {request.path}",
                key=request.headers.get(HEADER),
                body=await request.read(),
                query=request.query_string,
                version=call.expected,
                rights=f"{call.actor.role} {call.actor.department or ''}",
                required=idempotent is Idempotency.REQUIRED,
                handle=carry_out,
            )

        declared = Operation(
            operation_id=function.__name__,
            summary=summary,
            description=description,
            tag=tag,
            permission=permission,
            query=query,
            response=response,
            path_parameters=path_parameters,
            body=body,
            if_match=if_match,
            idempotent=idempotent,
            status=status,
        )
        return declare_operation(handle, declared)

    return declare


def json_response(request: web.Request, answer: BaseModel, *, status: int) -> web.Response:
    """Return an answer, its ``version`` as ``ETag``, times in the site's zone."""
    zone = request.app[DEPS].settings.timezone
    text = answer.model_dump_json(context={"timezone": zone}).encode()
    version = getattr(answer, "version", None)
    headers = {"ETag": f'"{version}"'} if isinstance(version, int) else None
    return web.Response(body=text, content_type="application/json", status=status, headers=headers)


def declare_operation(handler: H, declared: Operation) -> H:
    """Say what a handler does."""
    setattr(handler, _OPERATION, declared)
    return handler


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
        raise InvalidFields(tuple(field_error(item) for item in error.errors())) from error


async def read_body(request: web.Request, model: type[B]) -> B:
    """Validate the JSON body.

    Raises:
        Invalid: it is not JSON.
        InvalidFields: an unknown, missing or malformed member, named.
    """
    raw = await request.read()
    try:
        content = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise Invalid("the body is not JSON", field="body") from error
    try:
        asked = model.model_validate(content)
    except ValidationError as error:
        raise InvalidFields(tuple(field_error(item, "body") for item in error.errors())) from error
    if flags := tuple(as_numbers(model, content)):
        raise InvalidFields(tuple(FieldError(place[:60], "must be a number") for place in flags))
    return asked


def read_if_match(request: web.Request) -> int:
    """Return the version that the request says it changes.

    Raises:
        VersionMissing: it says none, or not as our ``ETag`` does.
    """
    match = _VERSION.fullmatch(request.headers.get("If-Match", "").strip())
    if match is None:
        raise VersionMissing("send If-Match with the ETag of what you read", field="If-Match")
    return int(match[1])


def field_error(item: Any, whole: str = "query") -> FieldError:
    """Return what a model says is wrong with a field, by its place."""
    place = ".".join(str(part) for part in item["loc"]) or whole
    if item["type"] == "extra_forbidden":
        return FieldError(place[:60], "unknown parameter" if whole == "query" else "unknown member")
    return FieldError(place[:60], str(item["msg"]).removeprefix("Value error, "))
