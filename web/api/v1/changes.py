"""Operations that change one record: what those of an area have in common is said once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery
from web.idempotency import Idempotency
from web.permissions import Permission

R = TypeVar("R", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Generic[R]):
    """Declares operations that ask for ``If-Match`` and answer with the record as it is then."""

    response: type[R]
    tag: str
    path_parameters: tuple[tuple[str, str], ...]

    def __call__(
        self,
        *,
        permission: Permission,
        summary: str,
        description: str = "",
        body: type[BaseModel] | None = None,
        idempotent: Idempotency = Idempotency.NONE,
    ) -> Callable[
        [Callable[[Call[NoQuery]], Awaitable[R]]], Callable[[web.Request], Awaitable[web.Response]]
    ]:
        """Make a handler, as :func:`web.api.operation.operation` does."""
        return operation(
            query=NoQuery,
            response=self.response,
            permission=permission,
            summary=summary,
            description=description,
            tag=self.tag,
            path_parameters=self.path_parameters,
            body=body,
            if_match=True,
            idempotent=idempotent,
        )
