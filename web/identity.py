"""Who is behind a request."""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from kernel.access import Actor
from kernel.errors import Unauthenticated
from web.permissions import GRANTS, Permission, Role


class Via(StrEnum):
    """How the caller proved who they are."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentUser:
    """The person, or the program with a token, that makes a request.

    Attributes:
        user_id: ULID of the user, or of the token.
        login: the login name; for a token ``token:<name>``.
        department: code of the department the person belongs to.
        agent_id: the agent this person is on the telephone, ``None`` when they take no calls.
        locale: language of the pages, ``zh-CN`` or ``en``.
        session_id: stored id (a hash) of the session, ``None`` for a token.
        password_due: they must choose a password of their own before anything else.
    """

    user_id: str
    login: str
    display_name: str
    role: Role
    via: Via
    agent_id: str | None = None
    department: str | None = None
    locale: str = "zh-CN"
    session_id: str | None = None
    password_due: bool = False

    def can(self, permission: Permission) -> bool:
        """Tell whether the role grants ``permission``."""
        return permission in GRANTS[self.role]


USER: web.RequestKey[CurrentUser] = web.RequestKey("USER", CurrentUser)
"""``request[USER]``; absent while nobody is signed in."""

REQUEST_ID: web.RequestKey[str] = web.RequestKey("REQUEST_ID", str)
CLIENT_IP: web.RequestKey[str] = web.RequestKey("CLIENT_IP", str)
"""The caller's address, seen through trusted proxies; empty for a unix socket."""


def current_user(request: web.Request) -> CurrentUser:
    """Return who makes the request.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    user: CurrentUser | None = request.get(USER)
    if user is None:
        raise Unauthenticated("sign in first")
    return user


def current_actor(request: web.Request) -> Actor:
    """Return who makes the request, as services want it.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    user = current_user(request)
    return Actor(
        user_id=user.user_id,
        name=user.display_name or user.login,
        role=user.role,
        department=user.department,
        ip=request.get(CLIENT_IP, ""),
    )
