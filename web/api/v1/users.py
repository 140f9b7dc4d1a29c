"""``/api/v1/users``: who may sign in."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from kernel.access import Role
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody
from web.api.v1.schemas import NoQuery, Out, Query
from web.permissions import Permission
from web.user_admin import (
    LONGEST_NAME,
    USER_ADMIN,
    GivenPassword,
    ManagedUser,
    UserAdmin,
    UserFilter,
    UserState,
    UserText,
)

USER_ID = (("user_id", "The user's ULID."),)
TAG = "users"
Short = Annotated[str, StringConstraints(max_length=80)]


class UsersQuery(Query):
    """Which users."""

    text: Short = Field("", description="Part of a login or a name, or the number of an agent.")
    role: Role | None = None
    state: UserState | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class UserPutIn(ComplaintBody):
    """What is written of a user."""

    display_name: str = Field(min_length=1, max_length=LONGEST_NAME)
    role: Role
    department: Short | None = Field(None, description="Code of theirs; some roles need one.")
    agent_id: Short | None = Field(None, description="The agent they are, for roles that take calls.")
    locale: Annotated[str, StringConstraints(max_length=10)] = "zh-CN"


class UserAddIn(UserPutIn):
    """A new user."""

    login: Annotated[str, StringConstraints(min_length=2, max_length=64)]


class UserActiveIn(ComplaintBody):
    """Whether somebody may sign in."""

    active: bool


class UserOut(Out):
    """A user; never a password."""

    user_id: str
    login: str
    display_name: str
    role: Role
    department: str | None
    agent_id: str | None
    agent_number: str | None
    locale: str
    state: UserState
    created_at: datetime
    last_sign_in_at: datetime | None
    version: int


class GivenPasswordOut(Out):
    """A user, and the one-time password just made for them: told here and nowhere else."""

    user: UserOut
    password: str


class UserList(Out):
    """A page of users."""

    items: tuple[UserOut, ...]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; `null` on the last.")


@operation(
    query=UsersQuery,
    response=UserList,
    permission=Permission.USERS_MANAGE,
    summary="List users",
    description="By login.",
    tag=TAG,
)
async def list_users(call: Call[UsersQuery]) -> UserList:
    """Return a page of users."""
    query = call.query
    wanted = UserFilter(text=query.text, role=query.role, state=query.state)
    page = await _admin(call.request).page(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return UserList(items=tuple(map(_out, page.items)), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=UserOut,
    permission=Permission.USERS_MANAGE,
    summary="Read a user",
    tag=TAG,
    path_parameters=USER_ID,
)
async def get_user(call: Call[NoQuery]) -> UserOut:
    """Return one user."""
    return _out(await _admin(call.request).get(call.actor, _id(call)))


@operation(
    query=NoQuery,
    response=GivenPasswordOut,
    permission=Permission.USERS_MANAGE,
    summary="Add a user",
    description="The one-time password is in this answer alone; it must be changed at the first sign-in.",
    tag=TAG,
    body=UserAddIn,
    status=201,
)
async def add_user(call: Call[NoQuery]) -> GivenPasswordOut:
    """Add a user."""
    body = call.body(UserAddIn)
    return _given(await _admin(call.request).create(call.actor, body.login, _text(body)))


@operation(
    query=NoQuery,
    response=UserOut,
    permission=Permission.USERS_MANAGE,
    summary="Change a user",
    description="With another role, department or agent they have to sign in again.",
    tag=TAG,
    path_parameters=USER_ID,
    body=UserPutIn,
    if_match=True,
)
async def change_user(call: Call[NoQuery]) -> UserOut:
    """Write a user anew."""
    text = _text(call.body(UserPutIn))
    return _out(await _admin(call.request).change(call.actor, _id(call), text, expected=call.expected))


@operation(
    query=NoQuery,
    response=UserOut,
    permission=Permission.USERS_MANAGE,
    summary="Disable or enable a user",
    description="Who is disabled is signed out everywhere at once.",
    tag=TAG,
    path_parameters=USER_ID,
    body=UserActiveIn,
    if_match=True,
)
async def set_user_active(call: Call[NoQuery]) -> UserOut:
    """Disable or enable a user."""
    active = call.body(UserActiveIn).active
    admin = _admin(call.request)
    return _out(await admin.set_active(call.actor, _id(call), active, expected=call.expected))


@operation(
    query=NoQuery,
    response=GivenPasswordOut,
    permission=Permission.USERS_MANAGE,
    summary="Give a user a one-time password",
    description="The one they had is good for nothing at once, and their sessions end.",
    tag=TAG,
    path_parameters=USER_ID,
    if_match=True,
)
async def give_user_password(call: Call[NoQuery]) -> GivenPasswordOut:
    """Give a user a one-time password."""
    return _given(await _admin(call.request).give_password(call.actor, _id(call), expected=call.expected))


@operation(
    query=NoQuery,
    response=UserOut,
    permission=Permission.USERS_MANAGE,
    summary="Sign a user out everywhere",
    tag=TAG,
    path_parameters=USER_ID,
)
async def end_user_sessions(call: Call[NoQuery]) -> UserOut:
    """End a user's sessions."""
    return _out(await _admin(call.request).end_sessions(call.actor, _id(call)))


def _admin(request: web.Request) -> UserAdmin:
    return request.app[USER_ADMIN]


def _id(call: Call[NoQuery]) -> str:
    return call.request.match_info["user_id"]


def _text(body: UserPutIn) -> UserText:
    return UserText(
        display_name=body.display_name,
        role=body.role,
        department=body.department or None,
        agent_id=body.agent_id or None,
        locale=body.locale,
    )


def _out(user: ManagedUser) -> UserOut:
    return UserOut(
        user_id=user.user_id,
        login=user.login,
        display_name=user.display_name,
        role=user.role,
        department=user.department,
        agent_id=user.agent_id,
        agent_number=user.agent_number,
        locale=user.locale,
        state=user.state,
        created_at=user.created_at,
        last_sign_in_at=user.last_sign_in_at,
        version=user.version,
    )


def _given(given: GivenPassword) -> GivenPasswordOut:
    return GivenPasswordOut(user=_out(given.user), password=given.password)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/users", list_users),
    ("POST", "/users", add_user),
    ("GET", "/users/{user_id}", get_user),
    ("PUT", "/users/{user_id}", change_user),
    ("PUT", "/users/{user_id}/active", set_user_active),
    ("POST", "/users/{user_id}/password", give_user_password),
    ("DELETE", "/users/{user_id}/sessions", end_user_sessions),
)
