"""What all pages share: the template engine, static files, the frame, the language switch, error pages."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from crm.domain.spoken import is_listened_to
from crm.service import CustomerDirectory
from telephony.roster import Roster
from web.auth import ACCOUNTS, safe_next
from web.deps import DEPS
from web.i18n import (
    LANGUAGES,
    current_language,
    gettext,
    language_middleware,
    ngettext,
    product_name,
    script_texts,
    set_language_cookie,
)
from web.identity import CLIENT_IP, REQUEST_ID, USER, CurrentUser, current_user
from web.labels import PROBLEMS, word
from web.middleware import ERROR_PAGE
from web.pages import times
from web.pages.admin_tabs import admin_tabs
from web.pages.list_tabs import tabs_of
from web.permissions import Permission, Role, public, signed_in
from web.problems import Problem

WEB = Path(__file__).parents[1]
STATIC = WEB / "static"
TEMPLATES = WEB / "templates"
A_YEAR = "public, max-age=31536000, immutable"

TEMPLATE_ENGINE: web.AppKey[jinja2.Environment] = web.AppKey("TEMPLATE_ENGINE", jinja2.Environment)
STATIC_PREFIX: web.AppKey[str] = web.AppKey("STATIC_PREFIX", str)
ROSTER: web.AppKey[Roster] = web.AppKey("ROSTER", Roster)
DIRECTORY: web.AppKey[CustomerDirectory] = web.AppKey("DIRECTORY", CustomerDirectory)


DECIDING = frozenset({Role.MANAGER, Role.GENERAL_MANAGER, Role.FINANCE, Role.HR, Role.ADMINISTRATOR})
"""Roles whose decisions others wait for: their first page says for which."""


SHOWN_ITEMS = 7
"""As many items as fit the bar of a small desk in every language; the rest is in a menu."""

FIRST_PAGES = {
    Role.DEPARTMENT_HEAD: "/inbox",
    Role.DEPARTMENT_MEMBER: "/inbox",
    Role.CAPTAIN: "/captain",
    Role.GENERAL_MANAGER: "/approvals",
    Role.FINANCE: "/approvals",
    Role.HR: "/approvals",
}
"""Where ``/`` leads; the other roles go to the first page of their navigation."""


SECTIONS = {
    "/lines": "/inbox",
    "/said": "/calls",
    "/flows": "/routing",
    "/transcripts": "/calls",
    "/costs": "/approvals",
    "/duplicates": "/customers",
    "/freezes": "/customers",
    "/do-not-call": "/customers",
    "/data-requests": "/customers",
    "/projects": "/customers",
    "/callbacks": "/callback-tasks",
    "/callback-results": "/callback-tasks",
    "/callback-voices": "/callback-tasks",
}
"""Pages that are no item of the bar → the item that they belong to."""


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One page in the top bar."""

    href: str
    label: str


def setup(app: web.Application) -> None:
    """Add the template engine, ``/static``, ``/``, ``/language`` and the error page."""
    deps = app[DEPS]
    app[ROSTER] = Roster(deps.database, deps.clock, deps.bus)
    app[DIRECTORY] = CustomerDirectory(deps.database)
    app[STATIC_PREFIX] = f"/static/{_fingerprint(STATIC)}"
    app[ERROR_PAGE] = error_page
    app[TEMPLATE_ENGINE] = _engine(deps.settings.timezone)
    # The language comes first of all, so that error pages speak it as well.
    app.middlewares.insert(0, language_middleware)
    app.on_response_prepare.append(_cache_static)
    app.router.add_static(app[STATIC_PREFIX], STATIC)
    app.router.add_get("/", home)
    app.router.add_post("/language", switch_language)


# Applications of one process share what is compiled.
@lru_cache(maxsize=4)
def _engine(timezone: ZoneInfo) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        extensions=("jinja2.ext.i18n",),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= times.filters(timezone)
    return environment


@cache
def _fingerprint(folder: Path) -> str:
    """Return a short hash over all static files: their address changes when one of them does."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


async def _cache_static(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith(request.app[STATIC_PREFIX] + "/") and response.status in (200, 206, 304):
        response.headers["Cache-Control"] = A_YEAR


def _frame(request: web.Request) -> dict[str, Any]:
    """Return what ``base.html`` needs."""
    prefix = request.app[STATIC_PREFIX]
    user = request.get(USER)
    items = _navigation(user) if user and not user.password_due else []
    first = "/" + request.path.split("/")[1]
    tabs = admin_tabs(user) if user and first == "/admin" else ()
    return {
        "static": lambda name: f"{prefix}/{name}",
        "language": current_language(),
        "product": product_name(),
        "languages": LANGUAGES,
        "script_texts": script_texts(current_language()),
        "zone": request.app[DEPS].settings.timezone.key,
        "user": user,
        "may_dial": user is not None and user.agent_id is not None and user.can(Permission.CALLS_DIAL),
        "navigation": items[:SHOWN_ITEMS],
        "more_navigation": items[SHOWN_ITEMS:],
        "here": tabs[0][1] if first == "/admin" and tabs else SECTIONS.get(first, first),
        "admin_tabs": tabs,
        "path": request.path_qs,
        "being_heard": lambda state, at: is_listened_to(state, at, request.app[DEPS].clock.now()),
    }


def _navigation(user: CurrentUser) -> list[NavigationItem]:
    items: list[NavigationItem] = []
    if user.agent_id is not None and user.can(Permission.DESK_USE):
        items.append(NavigationItem("/agent", gettext("坐席")))
    if user.can(Permission.BOARD_VIEW):
        items.append(NavigationItem("/supervisor", gettext("实时")))
    if user.can(Permission.CASES_REGISTER):
        items.append(NavigationItem("/my-day", gettext("我的一天")))
    items += _office_navigation(user)
    if user.can(Permission.CASES_VIEW):
        items.append(NavigationItem("/cases", gettext("投诉报修")))
    if user.can(Permission.CASES_REGISTER):
        items.append(NavigationItem("/handoffs", gettext("转交箱")))
    if user.can(Permission.CALLS_VIEW):
        items.append(NavigationItem("/calls", gettext("通话记录")))
    if user.can(Permission.CALLBACKS_WORK):
        items.append(NavigationItem("/callback-tasks", gettext("回访任务")))
    if not user.can(Permission.RED_LIST_VIEW):
        items += _late_navigation(user)
    if user.can(Permission.CUSTOMERS_VIEW):
        items.append(NavigationItem("/customers", gettext("客户档案")))
    if user.can(Permission.KNOWLEDGE_VIEW):
        items.append(NavigationItem("/knowledge", gettext("知识库")))
    if user.can(Permission.CAMPAIGNS_VIEW):
        items.append(NavigationItem("/campaigns", gettext("外呼任务")))
    if user.can(Permission.QUESTIONNAIRES_VIEW):
        items.append(NavigationItem("/questionnaires", gettext("回访问卷")))
    if user.can(Permission.SPEECH_RULES_VIEW):
        items.append(NavigationItem("/speech-rules", gettext("听什么")))
    if user.can(Permission.QUALITY_SCORE) or (user.agent_id is not None and user.can(Permission.DESK_USE)):
        items.append(NavigationItem("/quality", gettext("通话评分")))
    if user.can(Permission.ROUTING_VIEW):
        items.append(NavigationItem("/routing", gettext("来电分配")))
    if user.can(Permission.LINE_MESSAGES_SWITCH):
        items.append(NavigationItem("/line-messages", gettext("来电通知")))
    if user.can(Permission.RED_LIST_VIEW):
        items.append(NavigationItem("/figures", gettext("统计")))
    if lists := tabs_of(user):
        items.append(NavigationItem("/lists", lists[0][1] if len(lists) == 1 else gettext("清单")))
    if user.can(Permission.STAFF_EDIT):
        items.append(NavigationItem("/organisation", gettext("组织")))
    if user.can(Permission.DATA_IMPORT):
        items.append(NavigationItem("/import", gettext("导入")))
    if tabs := admin_tabs(user):
        items.append(NavigationItem(tabs[0][1], tabs[0][2] if len(tabs) == 1 else gettext("系统")))
    return items


def _office_navigation(user: CurrentUser) -> list[NavigationItem]:
    """Return the first pages of departments, the captain and those who decide."""
    items: list[NavigationItem] = []
    everything = user.can(Permission.CASES_VIEW_ALL)
    if user.can(Permission.REPAIRS_WORK) and not everything:
        items.append(NavigationItem("/captain", gettext("我的维修")))
    if user.can(Permission.CASES_WORK) and not everything:
        items.append(NavigationItem("/inbox", gettext("收件箱")))
    if user.role in DECIDING:
        items.append(NavigationItem("/approvals", gettext("待我审批")))
    if user.can(Permission.RED_LIST_VIEW):
        items.append(NavigationItem("/red-list", gettext("红色名单")))
        items += _late_navigation(user)
    return items


def _late_navigation(user: CurrentUser) -> list[NavigationItem]:
    items: list[NavigationItem] = []
    everything = user.can(Permission.CASES_VIEW_ALL)
    if everything or user.can(Permission.CASES_WORK):
        items.append(NavigationItem("/overdue", gettext("超时")))
    if everything:
        items.append(NavigationItem("/escalations", gettext("重大客诉")))
    return items


def render(
    request: web.Request, template: str, context: Mapping[str, Any], status: int = 200
) -> web.Response:
    """Return the page. Every value is escaped unless a template says otherwise, and none does."""
    text = request.app[TEMPLATE_ENGINE].get_template(template).render({**_frame(request), **context})
    return web.Response(text=text, status=status, content_type="text/html")


def see_other(path: str) -> web.Response:
    """Return a redirect that a browser follows with GET."""
    return web.Response(status=303, headers={"Location": path})


@signed_in
async def home(request: web.Request) -> web.StreamResponse:
    """Send everybody to the page they work on."""
    user = current_user(request)
    items = _navigation(user)
    return see_other(FIRST_PAGES.get(user.role) or (items[0].href if items else "/account"))


@public
async def switch_language(request: web.Request) -> web.StreamResponse:
    """Remember the language in this browser and, where somebody is signed in, with the user."""
    form = await request.post()
    language = str(form.get("language", ""))
    if language not in LANGUAGES:
        raise web.HTTPBadRequest
    user = request.get(USER)
    if user is not None and user.locale != language:
        users = request.app[ACCOUNTS].users
        await users.change(user.login, locale=language, actor=user.login, ip=request.get(CLIENT_IP, ""))
    response = see_other(safe_next(form.get("next")))
    set_language_cookie(response, language, secure=request.app[DEPS].settings.secure)
    return response


async def error_page(request: web.Request, problem: Problem) -> web.StreamResponse:
    """Show a problem to a person: what happened and what to do, never what broke inside."""
    headings = {
        403: gettext("没有权限"),
        404: gettext("没有这个页面"),
        429: gettext("请稍等片刻"),
        503: gettext("系统暂时不可用"),
    }
    fallback = gettext("请求有误") if problem.status < 500 else gettext("系统出错了")
    general = gettext("请返回后再试一次。如果一直这样，请把编号告诉管理员。")
    context = {
        "heading": headings.get(problem.status, fallback),
        "advice": word(PROBLEMS, problem.code) if problem.code in PROBLEMS else general,
        "request_id": request[REQUEST_ID],
    }
    return render(request, "error.html", context, status=problem.status)
