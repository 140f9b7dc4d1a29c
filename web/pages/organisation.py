"""The company's own lists: stores, departments, crews (departed ones too) and staff; edited one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from crm.organisation_views import CrewStatus, StaffRole
from kernel.errors import HuifangError, NotFound, StaleVersion
from web import labels
from web.auth import ACCOUNTS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import people_forms as forms
from web.pages import staff_import
from web.pages.customer import services
from web.pages.organisation_kinds import KINDS, NUMBER_TROUBLES, STAFF_ROLES, Field, Kind, advice
from web.pages.people_forms import EXPECTED, Changed, Form, Refused
from web.pages.shell import render, see_other
from web.permissions import Permission, Role, requires
from web.problems import status_of

VIEW, EDIT = Permission.PROJECTS_VIEW, Permission.STAFF_EDIT
HEADS = frozenset({Role.DEPARTMENT_HEAD, Role.CAPTAIN, Role.MANAGER})
"""Roles whose people may sign for a department."""


def setup(app: web.Application) -> None:
    """Add the routes; a new one comes before those with a key."""
    staff_import.setup(app)
    app.router.add_get("/organisation", first)
    app.router.add_get("/organisation/{kind}", show)
    app.router.add_get("/organisation/{kind}/new", new)
    app.router.add_post("/organisation/{kind}/new", create)
    app.router.add_get("/organisation/{kind}/{key}", edit)
    app.router.add_post("/organisation/{kind}/{key}", save)


@requires(VIEW)
async def first(request: web.Request) -> web.StreamResponse:
    """Lead to the first of the lists."""
    return see_other(f"/organisation/{next(iter(KINDS))}")


def _kind(request: web.Request) -> Kind:
    found = KINDS.get(request.match_info["kind"])
    if found is None:
        raise NotFound("no such list", field="kind")
    return found


@requires(VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show one of the lists."""
    kind, actor, organisation = _kind(request), current_actor(request), services(request).organisation
    status, gone = request.query.get("status", ""), request.query.get("gone") == "1"
    views = await _views(request, kind, status=status, gone=gone)
    context = {
        "kind": kind,
        "kinds": [(one.name, gettext(one.title)) for one in KINDS.values()],
        "title": gettext(kind.title),
        "add_label": gettext(kind.add),
        "views": views,
        "status": status,
        "gone": gone,
        "filters": labels.words(kind.filters),
        "crew_statuses": labels.words(labels.CREW_STATUSES),
        "staff_roles": labels.words(STAFF_ROLES),
        "stores": {one.store_id: one.name for one in await organisation.stores(actor)},
        "departments": {one.code: one.name for one in await organisation.departments(actor)},
        "may_edit": actor.can(EDIT),
        "number_troubles": labels.words(NUMBER_TROUBLES),
        "troubled": sum(1 for one in views if getattr(one, "agent_no_trouble", None) is not None),
    }
    return render(request, "people/organisation.html", context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A field of the form: what stands in it now, what stood there when the page was shown."""

    field: Field
    value: str
    was: str
    choices: Mapping[str, str]
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Shown:
    """What a form shows besides its fields."""

    refused: Refused | None = None
    typed: Form = field(default_factory=dict)
    status: int = 200

    @property
    def is_stale(self) -> bool:
        """Whether somebody else changed it meanwhile."""
        return self.refused is not None and self.refused.field == "If-Match"


async def _choices(request: web.Request, kind: Kind) -> dict[str, dict[str, str]]:
    """Return the choices of the form's fields."""
    found = {one.name: labels.words(one.choices) for one in kind.fields if one.choices}
    actor, organisation = current_actor(request), services(request).organisation
    names = {one.name for one in kind.fields}
    if "store_id" in names:
        found["store_id"] = {one.store_id: one.name for one in await organisation.stores(actor)}
    if "department_code" in names:
        found["department_code"] = {one.code: one.name for one in await organisation.departments(actor)}
    if "head_user_id" in names:
        users = await request.app[ACCOUNTS].users.list()
        heads = {
            one.user_id: f"{one.display_name or one.login} · {one.login}"
            for one in users
            if one.active and one.role in HEADS
        }
        found["head_user_id"] = found["deputy_user_id"] = heads
    if "user_id" in names:
        found["user_id"] = {
            one.user_id: f"{one.display_name or one.login} · {one.login}"
            for one in await request.app[ACCOUNTS].users.list()
            if one.active
        }
    return found


async def _views(request: web.Request, kind: Kind, *, status: str = "", gone: bool = False) -> Sequence[Any]:
    """Return one of the lists, of one status or role when it is known."""
    actor, organisation = current_actor(request), services(request).organisation
    match kind.name:
        case "stores":
            return await organisation.stores(actor)
        case "departments":
            return await organisation.departments(actor)
        case "crews":
            chosen = CrewStatus(status) if status in set(CrewStatus) else None
            return await organisation.crews(actor, status=chosen)
        case _:
            role = StaffRole(status) if status in set(StaffRole) else None
            return await organisation.staff(actor, role=role, active=None if gone else True)


async def _view(request: web.Request, kind: Kind) -> Any:
    """Return what the address names. Raises NotFound."""
    key = request.match_info["key"]
    views = await _views(request, kind, gone=True)
    found = next((one for one in views if getattr(one, kind.key) == key), None)
    if found is None:
        raise NotFound("no such thing", field="key")
    return found


async def _form(request: web.Request, kind: Kind, view: Any | None, shown: Shown) -> web.Response:
    choices = await _choices(request, kind)
    boxes, changed = [], []
    for one in kind.fields:
        if view is not None and one.only_new:
            continue
        now = one.text(view)
        words = choices.get(one.name, {})
        if now and words and now not in words:
            words = words | {now: now}  # somebody who is no choice any more stays what they are
        was = shown.typed.get(f"was-{one.name}", now)
        if shown.is_stale and was != now:
            label = gettext(one.label)
            changed.append(Changed(label, words.get(was, one.said(was)), words.get(now, one.said(now))))
        wrong = shown.refused is not None and shown.refused.field == one.name
        boxes.append(
            Box(
                field=one,
                value=one.typed(shown.typed) if shown.typed else now,
                was=now,
                choices=words,
                problem=shown.refused.text if wrong and shown.refused else "",
            )
        )
    context = {
        "kind": kind,
        "kinds": [(other.name, gettext(other.title)) for other in KINDS.values()],
        "title": gettext(kind.title),
        "heading": view.name if view is not None else gettext(kind.add),
        "boxes": boxes,
        "changed": changed,
        "version": "" if view is None else view.version,
        "action": f"/organisation/{kind.name}/{getattr(view, kind.key) if view is not None else 'new'}",
        "refused": shown.refused,
        "named": any(box.problem for box in boxes),
        "running": getattr(view, "running", 0),
        "trouble": _trouble(view),
    }
    return render(request, "people/organisation_form.html", context, status=shown.status)


def _trouble(view: Any | None) -> str:
    """Return how somebody's number differs from the telephones that there are; "" where it does not."""
    found = getattr(view, "agent_no_trouble", None)
    if found is None:
        return ""
    said = labels.word(NUMBER_TROUBLES, found.value).replace("{no}", getattr(view, "telephone_no", "") or "")
    return gettext("工号对不上：%(why)s。") % {"why": said}


@requires(EDIT)
async def new(request: web.Request) -> web.StreamResponse:
    """Show an empty form."""
    return await _form(request, _kind(request), None, Shown())


@requires(EDIT)
async def create(request: web.Request) -> web.StreamResponse:
    """Write something down."""
    kind, form = _kind(request), await forms.read_form(request)
    try:
        await _put(request, kind, None, form, None)
    except EXPECTED as error:
        return await _form(request, kind, None, _refused(error, form))
    return see_other(f"/organisation/{kind.name}")


@requires(EDIT)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show one in a form."""
    kind = _kind(request)
    return await _form(request, kind, await _view(request, kind), Shown())


@requires(EDIT)
async def save(request: web.Request) -> web.StreamResponse:
    """Save one; what was changed by somebody else meanwhile is shown beside what was typed."""
    kind, form = _kind(request), await forms.read_form(request)
    try:
        await _put(request, kind, request.match_info["key"], form, forms.version_of(form))
    except EXPECTED as error:
        return await _form(request, kind, await _view(request, kind), _refused(error, form))
    return see_other(f"/organisation/{kind.name}")


def _refused(error: HuifangError, form: Form) -> Shown:
    name = "If-Match" if isinstance(error, StaleVersion) else (error.field or "").split(".")[0]
    return Shown(
        refused=Refused("organisation", name, advice(name, error.code)),
        typed=form,
        status=int(status_of(error)),
    )


async def _put(request: web.Request, kind: Kind, key: str | None, form: Form, expected: int | None) -> None:
    given: dict[str, Any] = {}
    for one in kind.fields:
        if one.only_new or not one.touched(form):
            continue
        given[one.name] = one.value(form)
    actor, organisation = current_actor(request), services(request).organisation
    match kind.name:
        case "stores":
            await organisation.put_store(actor, key, given, expected=expected)
        case "departments":
            code = key if key is not None else form.get("code", "").strip().upper()
            await organisation.put_department(actor, code, given, expected=expected)
        case "crews":
            await organisation.put_crew(actor, key, given, expected=expected)
        case _:
            await organisation.put_staff(actor, key, given, expected=expected)
