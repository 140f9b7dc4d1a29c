"""The people who may sign in, as administrators manage them, and what each role may do."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from kernel.access import GRANTS, Role
from kernel.errors import Conflict, HuifangError, Invalid, StaleVersion
from web import labels
from web.i18n import LANGUAGES, N_, gettext
from web.identity import current_actor
from web.pages.customer import services
from web.pages.role_words import GROUPS
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires
from web.user_admin import (
    LONGEST_NAME,
    USER_ADMIN,
    GivenPassword,
    ManagedUser,
    UserFilter,
    UserState,
    UserText,
    roles_in_order,
)

LIST = "/admin/users"
PAGE_SIZE = 50
STATES: dict[str, str] = {
    UserState.ENABLED: N_("在用"),
    UserState.PASSWORD_DUE: N_("还没改一次性密码"),
    UserState.DISABLED: N_("已停用"),
}
FILTER_STATES: dict[str, str] = {
    UserState.ENABLED: N_("在用的"),
    UserState.PASSWORD_DUE: N_("还没改一次性密码的"),
    UserState.DISABLED: N_("已停用的"),
}
TONES = {UserState.ENABLED: "green", UserState.PASSWORD_DUE: "amber", UserState.DISABLED: ""}
WRONG: dict[str, str] = {
    "login": N_("登录名要 2 到 64 个字母、数字、点、横线或 @，不能和别人的相同。"),
    "display_name": N_("请填写姓名，最多 80 个字。"),
    "role": N_("请选择角色。"),
    "department": N_("这个角色要选择部门。"),
    "agent_id": N_("这个角色不接电话，不能有分机。"),
    "locale": N_("请选择语言。"),
}
FIELDS = ("login", "display_name", "role", "department", "agent_id", "locale")
DONE: dict[str, str] = {
    "saved": N_("已保存。"),
    "disabled": N_("已停用：登录全部退出，分机断开，已签出队列（正在通话的，通话结束后签出）。"),
    "enabled": N_("已恢复，可以登录了。"),
    "sessions": N_("已让他退出所有登录，分机断开，已签出队列（正在通话的，通话结束后签出）。"),
}


def setup(app: web.Application) -> None:
    """Add the routes; a new one comes before those with an id."""
    app.router.add_get(LIST, show)
    app.router.add_get("/admin/roles", show_roles)
    app.router.add_get(f"{LIST}/new", new)
    app.router.add_post(f"{LIST}/new", create)
    app.router.add_get(f"{LIST}/{{user_id}}", edit)
    app.router.add_post(f"{LIST}/{{user_id}}", save)
    app.router.add_post(f"{LIST}/{{user_id}}/disable", disable)
    app.router.add_post(f"{LIST}/{{user_id}}/enable", enable)
    app.router.add_post(f"{LIST}/{{user_id}}/password", give_password)
    app.router.add_post(f"{LIST}/{{user_id}}/sessions", end_sessions)


@requires(Permission.USERS_MANAGE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the users: all, or those that were asked for."""
    query = {name: request.query.get(name, "")[:80] for name in ("q", "role", "state")}
    wanted = UserFilter(
        text=query["q"],
        role=Role(query["role"]) if query["role"] in set(Role) else None,
        state=UserState(query["state"]) if query["state"] in set(UserState) else None,
    )
    cursor = request.query.get("cursor") or None
    page = await request.app[USER_ADMIN].page(current_actor(request), wanted, limit=PAGE_SIZE, cursor=cursor)
    chosen = {name: text for name, text in query.items() if text}
    first = f"{LIST}?{urlencode(chosen)}" if chosen else LIST
    more = f"{LIST}?{urlencode({**chosen, 'cursor': page.next_cursor})}" if page.next_cursor else ""
    context = {
        "users": page.items,
        "form": query,
        "filtered": bool(chosen),
        "first_page": cursor is None,
        "first_href": first,
        "more": more,
        "departments": await _departments(request),
        "filter_states": labels.words(FILTER_STATES),
        **_words(),
    }
    return render(request, "admin/users.html", context)


@requires(Permission.USERS_MANAGE)
async def show_roles(request: web.Request) -> web.StreamResponse:
    """Show what each role may do."""
    groups = [
        (gettext(title), [(gettext(text), permission) for permission, text in table.items()])
        for title, table in GROUPS
    ]
    context = {"groups": groups, "roles": labels.words(labels.ROLES), "order": roles_in_order()}
    return render(request, "admin/roles.html", {**context, "grants": GRANTS})


@requires(Permission.USERS_MANAGE)
async def new(request: web.Request) -> web.StreamResponse:
    """Show the form of a new user."""
    return await _form(request, None)


@requires(Permission.USERS_MANAGE)
async def create(request: web.Request) -> web.StreamResponse:
    """Add a user, and show their one-time password, this once."""
    typed = await _typed(request)
    try:
        text = _text(typed)
        given = await request.app[USER_ADMIN].create(current_actor(request), typed["login"], text)
    except (Invalid, Conflict) as error:
        return await _form(request, None, typed=typed, error=error)
    return _given(request, given)


@requires(Permission.USERS_MANAGE)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show a user."""
    return await _form(request, await _user(request), done=request.query.get("done", ""))


@requires(Permission.USERS_MANAGE)
async def save(request: web.Request) -> web.StreamResponse:
    """Write a user anew."""
    user_id, typed = request.match_info["user_id"], await _typed(request)
    try:
        await request.app[USER_ADMIN].change(
            current_actor(request), user_id, _text(typed), expected=_version(typed)
        )
    except (Invalid, Conflict) as error:
        return await _form(request, await _user(request), typed=typed, error=error)
    return see_other(f"{LIST}/{user_id}?done=saved")


@requires(Permission.USERS_MANAGE)
async def disable(request: web.Request) -> web.StreamResponse:
    """Let a user in no more."""
    return await _switch(request, active=False)


@requires(Permission.USERS_MANAGE)
async def enable(request: web.Request) -> web.StreamResponse:
    """Let a user in again."""
    return await _switch(request, active=True)


@requires(Permission.USERS_MANAGE)
async def give_password(request: web.Request) -> web.StreamResponse:
    """Give a user a one-time password, and show it, this once."""
    user_id, typed = request.match_info["user_id"], await _typed(request)
    try:
        given = await request.app[USER_ADMIN].give_password(
            current_actor(request), user_id, expected=_version(typed)
        )
    except Conflict as error:
        return await _form(request, await _user(request), error=error)
    return _given(request, given)


@requires(Permission.USERS_MANAGE)
async def end_sessions(request: web.Request) -> web.StreamResponse:
    """Sign a user out everywhere."""
    user_id = request.match_info["user_id"]
    await request.app[USER_ADMIN].end_sessions(current_actor(request), user_id)
    return see_other(f"{LIST}/{user_id}?done=sessions")


async def _switch(request: web.Request, *, active: bool) -> web.Response:
    user_id, typed = request.match_info["user_id"], await _typed(request)
    try:
        await request.app[USER_ADMIN].set_active(
            current_actor(request), user_id, active, expected=_version(typed)
        )
    except Conflict as error:
        return await _form(request, await _user(request), error=error)
    return see_other(f"{LIST}/{user_id}?done={'enabled' if active else 'disabled'}")


async def _user(request: web.Request) -> ManagedUser:
    return await request.app[USER_ADMIN].get(current_actor(request), request.match_info["user_id"])


async def _form(
    request: web.Request,
    user: ManagedUser | None,
    *,
    typed: Mapping[str, str] | None = None,
    error: HuifangError | None = None,
    done: str = "",
) -> web.Response:
    """Show the form; after an error with what was typed, and what somebody else wrote meanwhile."""
    now = _now(user)
    stale = isinstance(error, StaleVersion)
    choices = await _choices(request, user)
    context = {
        "account": user,
        "own": user is not None and user.user_id == current_actor(request).user_id,
        "form": {**now, **(typed or {})},
        "choices": choices,
        "error": _told(error) if error else "",
        "wrong": error.field if error and error.field in FIELDS else "",
        "changed": _changed(now, typed, choices) if stale and typed else [],
        "done": labels.word(DONE, done) if done in DONE else "",
        "longest": LONGEST_NAME,
        **_words(),
    }
    status = 200 if error is None else 409 if isinstance(error, Conflict) else 400
    return render(request, "admin/user.html", context, status=status)


def _now(user: ManagedUser | None) -> dict[str, str]:
    if user is None:
        return {**dict.fromkeys(FIELDS, ""), "role": Role.AGENT.value, "locale": "zh-CN"}
    return {name: str(getattr(user, name) or "") for name in FIELDS}


def _changed(
    now: Mapping[str, str], typed: Mapping[str, str], choices: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str]]:
    """Return what stands there now and is not what was typed: label and value."""
    names = labels.words(LABELS)
    return [
        (names[name], choices.get(name, {}).get(now[name], now[name]) or "–")
        for name in FIELDS
        if name != "login" and now[name] != typed.get(name, "")
    ]


LABELS: dict[str, str] = {
    "login": N_("登录名"),
    "display_name": N_("姓名"),
    "role": N_("角色"),
    "department": N_("部门"),
    "agent_id": N_("分机"),
    "locale": N_("语言"),
}


async def _choices(request: web.Request, user: ManagedUser | None) -> dict[str, dict[str, str]]:
    agents = {one.agent_id: f"{one.number} · {one.name}" for one in await request.app[ROSTER].agents()}
    if user is not None and user.agent_id and user.agent_id not in agents:
        agents[user.agent_id] = user.agent_number or user.agent_id
    return {
        "role": {role.value: labels.word(labels.ROLES, role) for role in reversed(roles_in_order())},
        "department": await _departments(request),
        "agent_id": agents,
        "locale": dict(LANGUAGES),
    }


async def _departments(request: web.Request) -> dict[str, str]:
    found = await services(request).organisation.departments(current_actor(request))
    return {one.code: one.name for one in found}


def _words() -> dict[str, Any]:
    return {"roles": labels.words(labels.ROLES), "states": labels.words(STATES), "tones": TONES}


def _told(error: HuifangError) -> str:
    if isinstance(error, StaleVersion):
        return gettext("别人刚刚改过这位用户，没有保存。请看一下现在的内容，再决定。")
    if error.code in labels.PROBLEMS and error.code != Invalid.code:
        return labels.word(labels.PROBLEMS, error.code)
    return (
        labels.word(WRONG, error.field) if error.field in WRONG else labels.word(labels.PROBLEMS, "invalid")
    )


def _given(request: web.Request, given: GivenPassword) -> web.Response:
    return render(request, "admin/given_password.html", {"account": given.user, "password": given.password})


async def _typed(request: web.Request) -> dict[str, str]:
    form = await request.post()
    found = {name: form.get(name, "") for name in (*FIELDS, "version")}
    return {name: value.strip()[:200] if isinstance(value, str) else "" for name, value in found.items()}


def _text(typed: Mapping[str, str]) -> UserText:
    if typed["role"] not in set(Role):
        raise Invalid("role: none of ours", field="role")
    return UserText(
        display_name=typed["display_name"],
        role=Role(typed["role"]),
        department=typed["department"] or None,
        agent_id=typed["agent_id"] or None,
        locale=typed["locale"],
    )


def _version(typed: Mapping[str, str]) -> int:
    text = typed["version"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise StaleVersion("reload the page", field="If-Match")
    return int(text)
