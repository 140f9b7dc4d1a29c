"""The access that every route must declare; ``kernel.access`` has the table of roles.

A handler says what it needs with exactly one of :func:`public`, :func:`signed_in` or :func:`requires`.
A route whose handler says nothing stops the application from starting (:func:`check_routes`), and is
refused by the middleware should it ever get that far.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.web_urldispatcher import StaticResource, SystemRoute

from kernel.access import GRANTS, Permission, Role
from kernel.errors import ConfigurationError

__all__ = [
    "GRANTS",
    "Access",
    "Permission",
    "Role",
    "accepts_files",
    "access_of",
    "check_routes",
    "is_streaming",
    "public",
    "requires",
    "routes_of",
    "signed_in",
    "streaming",
    "takes_files",
]


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its caller.

    ``permission`` is ``None`` when being signed in is enough, or when nothing is needed (``is_public``).
    """

    permission: Permission | None = None
    is_public: bool = False

    def allows(self, role: Role | None) -> bool:
        """Tell whether somebody of ``role`` (``None``: not signed in) may enter."""
        if self.is_public:
            return True
        if role is None:
            return False
        return self.permission is None or self.permission in GRANTS[role]


_ACCESS = "__huifang_access__"
_STREAMING = "__huifang_streaming__"
_FILES = "__huifang_files__"

H = TypeVar("H", bound=Callable[..., Any])


def _declare(handler: H, access: Access) -> H:
    if getattr(handler, _ACCESS, None) is not None:
        raise ConfigurationError(f"{handler.__qualname__} declares its access twice")
    setattr(handler, _ACCESS, access)
    return handler


def requires(permission: Permission) -> Callable[[H], H]:
    """Declare that the handler needs ``permission``."""

    def declare(handler: H) -> H:
        return _declare(handler, Access(permission))

    return declare


def signed_in(handler: H) -> H:
    """Declare that anybody who is signed in may call the handler."""
    return _declare(handler, Access())


def public(handler: H) -> H:
    """Declare that anybody at all may call the handler."""
    return _declare(handler, Access(is_public=True))


def streaming(handler: H) -> H:
    """Declare that the handler answers for as long as it likes (server-sent events): no deadline."""
    setattr(handler, _STREAMING, True)
    return handler


def is_streaming(handler: object) -> bool:
    """Tell whether the handler was declared with :func:`streaming`."""
    return bool(getattr(handler, _STREAMING, False))


def accepts_files(handler: H) -> H:
    """Declare that the handler takes a form with a file instead of JSON, and reads it itself."""
    setattr(handler, _FILES, True)
    return handler


def takes_files(handler: object) -> bool:
    """Tell whether the handler was declared with :func:`accepts_files`."""
    return bool(getattr(handler, _FILES, False))


def access_of(route: web.AbstractRoute) -> Access | None:
    """Return what the route declared, ``None`` when it declared nothing.

    Static files are public: they hold scripts and styles, the sign-in page needs them.
    """
    if isinstance(route.resource, StaticResource):
        return Access(is_public=True)
    if isinstance(route, SystemRoute):  # the router's own 404 and 405
        return Access(is_public=True)
    declared = getattr(route.handler, _ACCESS, None)
    return declared if isinstance(declared, Access) else None


def routes_of(app: web.Application) -> Iterator[web.AbstractRoute]:
    """Yield the routes of an application."""
    yield from app.router.routes()


def check_routes(app: web.Application) -> None:
    """Refuse an application with a route that declares no access.

    Raises:
        ConfigurationError: names every such route.
    """
    bare = [
        f"{route.method} {route.resource.canonical if route.resource else '?'}"
        for route in routes_of(app)
        if access_of(route) is None
    ]
    if bare:
        raise ConfigurationError(
            "routes without @requires, @signed_in or @public: " + ", ".join(sorted(bare))
        )
