"""API operations that take or hand out a file; the rest are JSON (:mod:`web.api.operation`)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from callback_campaigns.answer_player import PlayedAnswer
from crm.kept_files import StoredFile
from kernel.errors import Invalid, NotFound, TooMany
from kernel.ids import is_ulid
from web.api.operation import Call, Operation, declare_operation, field_error, json_response, read_query
from web.api.v1.schemas import NoQuery
from web.file_response import file_response
from web.permissions import Permission, accepts_files, requires, streaming
from web.problems import FieldError, InvalidFields

UPLOAD_DEADLINE = timedelta(seconds=120)
"""A photo of some megabytes over a bad telephone line; other requests end much sooner."""
MAX_UPLOADS = 8
"""At once; each is held in memory."""
MAX_PARTS = 12
MAX_FORM_BYTES = 4000
CHUNK = 64 * 1024

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was sent, with the other fields of its form.

    Attributes:
        name: as the sender calls it; anything at all.
    """

    name: str
    content: bytes
    form: BaseModel


def upload(
    *,
    form: type[BaseModel],
    response: type[R],
    permission: Permission,
    max_bytes: int,
    summary: str,
    tag: str,
    description: str = "",
    path_parameters: tuple[tuple[str, str], ...] = (),
) -> Callable[
    [Callable[[Call[NoQuery], Upload], Awaitable[R]]], Callable[[web.Request], Awaitable[web.Response]]
]:
    """Make a handler that takes one file as ``multipart/form-data``; answers 201.

    Args:
        form: model of the form's other fields, which come as text.
        max_bytes: of the file; the application's limit for bodies does not hold here.
    """

    def declare(
        function: Callable[[Call[NoQuery], Upload], Awaitable[R]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        active = 0

        @requires(permission)
        @accepts_files
        @streaming
        @wraps(function)
        async def handle(request: web.Request) -> web.Response:
            nonlocal active
            _check_path(request, path_parameters)
            asked = read_query(request, NoQuery)
            if active >= MAX_UPLOADS:
                raise TooMany("too many files are being sent; try again in a moment")
            active += 1
            try:
                async with asyncio.timeout(UPLOAD_DEADLINE.total_seconds()):
                    sent = await _read_upload(request, form, max_bytes)
                    answer = await function(Call(request, asked), sent)
            finally:
                active -= 1
            return json_response(request, answer, status=201)

        return declare_operation(
            handle,
            Operation(
                operation_id=function.__name__,
                summary=summary,
                description=description,
                tag=tag,
                permission=permission,
                query=NoQuery,
                response=response,
                path_parameters=path_parameters,
                form=form,
                status=201,
            ),
        )

    return declare


def download(
    *,
    media_types: tuple[str, ...],
    permission: Permission,
    summary: str,
    tag: str,
    description: str = "",
    path_parameters: tuple[tuple[str, str], ...] = (),
) -> Callable[
    [Callable[[Call[NoQuery]], Awaitable[StoredFile | PlayedAnswer]]],
    Callable[[web.Request], Awaitable[web.StreamResponse]],
]:
    """Make a handler that hands out a file: never guessed at, never run, from no shared cache."""

    def declare(
        function: Callable[[Call[NoQuery]], Awaitable[StoredFile | PlayedAnswer]],
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        @requires(permission)
        @wraps(function)
        async def handle(request: web.Request) -> web.StreamResponse:
            _check_path(request, path_parameters)
            found = await function(Call(request, read_query(request, NoQuery)))
            return file_response(found)

        return declare_operation(
            handle,
            Operation(
                operation_id=function.__name__,
                summary=summary,
                description=description,
                tag=tag,
                permission=permission,
                query=NoQuery,
                response=None,
                media_types=media_types,
                path_parameters=path_parameters,
            ),
        )

    return declare


def _check_path(request: web.Request, names: tuple[tuple[str, str], ...]) -> None:
    for name, _ in names:
        if not is_ulid(request.match_info[name]):
            raise NotFound(f"{name}: no such thing", field=name)


async def _read_upload(request: web.Request, form: type[BaseModel], max_bytes: int) -> Upload:
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType(reason="send multipart/form-data")
    most = max_bytes + MAX_PARTS * MAX_FORM_BYTES
    if request.content_length is not None and request.content_length > most:
        raise web.HTTPRequestEntityTooLarge(max_bytes, request.content_length)
    try:
        name, content, fields = await _read_parts(request, max_bytes)
    except (ValueError, AssertionError, LookupError, HttpProcessingError) as error:
        raise Invalid("the form cannot be read", field="body") from error
    if content is None:
        raise InvalidFields((FieldError("file", "is missing"),))
    try:
        return Upload(name=name, content=content, form=form.model_validate(fields))
    except ValidationError as error:
        raise InvalidFields(tuple(field_error(item, "body") for item in error.errors())) from error


async def _read_parts(request: web.Request, max_bytes: int) -> tuple[str, bytes | None, dict[str, Any]]:
    name, content = "", None
    fields: dict[str, Any] = {}
    reader = await request.multipart()
    for _ in range(MAX_PARTS):
        part = await reader.next()
        if part is None:
            return name, content, fields
        if not isinstance(part, BodyPartReader) or not part.name:
            raise ValueError("a part that is no field of a form")
        if part.name in fields or (part.name == "file" and content is not None):
            raise InvalidFields((FieldError(part.name[:60], "given more than once"),))
        if part.name == "file":
            name, content = part.filename or "", await _read_part(part, max_bytes)
        else:
            fields[part.name] = (await _read_part(part, MAX_FORM_BYTES)).decode("utf-8")
    raise ValueError("too many fields")


async def _read_part(part: BodyPartReader, most: int) -> bytes:
    read = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        read += chunk
        if len(read) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(read))
    return bytes(read)
