"""Registering a repair while the customer is talking; the warranty and its warnings stand on top."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from crm.domain.case import CaseKind, Severity, Source
from crm.domain.classification import Nature, Urgency
from crm.domain.repair import Route, RouteReason
from crm.domain.warranty import ItemCover, RepairClass
from crm.limit_views import RecordRef
from crm.repair_input import AskedRoute, NewRepair
from kernel.errors import HuifangError
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages import repair_words
from web.pages.case_forms import Reader, refusal
from web.pages.case_known import known, newcomer, sent_before
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

HOLDERS = (
    "customer_id",
    "project_id",
    "call_id",
    "content",
    "place",
    "repair_class",
    "item",
    "route",
    "reason",
    "severity",
    "nature",
    "urgency",
    "source",
    "external_no",
    "new_name",
    "new_salutation",
    "new_phone",
)
PLACES = (N_("厨房"), N_("卫生间"), N_("客厅"), N_("主卧"), N_("次卧"), N_("阳台"), N_("全屋"))
LATER = "later"
ROUTES = {
    Route.ORIGINAL.value: N_("原施工队"),
    Route.CAPTAIN.value: N_("客服部维修队长"),
    LATER: N_("以后再定"),
}
FIRST_REASONS = (RouteReason.CREW_LEFT.value, RouteReason.CUSTOMER_DEMAND.value)


@dataclass(slots=True, kw_only=True)
class Draft:
    """The form as it stands, with what is wrong with it."""

    values: dict[str, str] = field(default_factory=dict)
    read_back: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def setup(app: web.Application) -> None:
    """Add the route; the form itself is shown by ``/cases/new?kind=repair``."""
    app.router.add_post("/cases/new/repair", register)


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form, with everything about customer, call and warranty that is known."""
    values = {
        "customer_id": request.query.get("customer", "")[:26],
        "project_id": request.query.get("project", "")[:26],
        "call_id": request.query.get("call", "")[:26],
        "severity": str(Severity.GENERAL.value),
        "nature": Nature.REPAIR.value,
        "urgency": Urgency.NORMAL.value,
        "source": Source.PHONE.value,
    }
    return await _page(request, Draft(values=values))


async def _page(request: web.Request, draft: Draft, *, status: int = 200) -> web.StreamResponse:
    app = request.app
    values = draft.values = dict.fromkeys(HOLDERS, "") | draft.values
    found = await known(request, values)
    preview = await app[CRM].repairs.reader.preview(
        current_actor(request), found.project.project_id if found.project else None
    )
    values["repair_class"] = values["repair_class"] or preview.suggested_class.value
    values["route"] = values["route"] or preview.suggested_route.value
    if not values["reason"] and not preview.crew_active:  # gone, or there never was one
        values["reason"] = RouteReason.CREW_LEFT.value
    record, now = RecordRef("repair", ""), app[DEPS].clock.now()
    async with app[DEPS].database.session() as session:
        notify = await app[CRM].limits.rule(session, "BX.R2", record, at=now)
        contact = await app[CRM].limits.rule(session, "BX.R3", record, at=now)
    context = {
        **found.context(request),
        "kind": CaseKind.REPAIR.value,
        "draft": draft,
        "values": values,
        "warranty": preview.warranty,
        "warranty_word": labels.word(repair_words.WARRANTIES, preview.warranty.flag.value),
        "warnings": [labels.word(repair_words.WARNINGS, item.value) for item in preview.warnings],
        "item_warnings": {
            one.code: labels.word(repair_words.WARNINGS, f"ITEM_{'EXCLUDED' if one.excluded else 'EXPIRED'}")
            for one in preview.warranty.items
            if one.state is not ItemCover.COVERED and preview.warranty.flag.value not in {"none", "pre"}
        },
        "item_states": labels.words(repair_words.ITEM_STATES),
        "crew": preview.crew,
        "crew_active": preview.crew_active,
        "classes": labels.words(repair_words.CLASSES),
        "routes": labels.words(ROUTES),
        "reasons": {code: gettext(repair_words.REASONS[code]) for code in FIRST_REASONS},
        "places": [gettext(place) for place in PLACES],
        "severities": labels.words(words.SEVERITIES),
        "natures": labels.words(words.NATURES),
        "urgencies": labels.words(words.URGENCIES),
        "sources": labels.words(words.SOURCES),
        "notify_hours": int(notify.amount / timedelta(hours=1)),
        "contact_hours": int(contact.amount / timedelta(hours=1)),
        "page": {"draft": f"new:repair:{values['customer_id']}:{values['call_id']}"},
    }
    return render(request, "cases/new_repair.html", context, status=status)


@requires(Permission.CASES_REGISTER)
async def register(request: web.Request) -> web.StreamResponse:
    """Register what was written, or show the form again with what is wrong."""
    app = request.app
    reader = Reader(dict(await request.post()), app[DEPS].settings.timezone)
    draft = Draft(values={name: reader.raw(name) for name in HOLDERS}, read_back=reader.check("read_back"))
    new = _read(reader, draft)
    fresh = newcomer(reader, draft.values) if not draft.values["customer_id"] else None
    if new is None or reader.problems:
        draft.problems, draft.problem = reader.problems, gettext("还不能保存，请检查标红的地方。")
        return await _page(request, draft, status=400)
    actor = current_actor(request)
    try:
        if fresh is not None:
            record = await app[CRM].people.customers.create(actor, fresh)
            draft.values["customer_id"] = record.customer_id
            new = replace(new, customer_id=record.customer_id)
        before = await sent_before(request, CaseKind.REPAIR, new.customer_id, new.symptoms)
        if before is not None:
            return see_other(f"/cases/{before}?done=registered")
        view = await app[CRM].repairs.repairs.register(actor, new)
    except HuifangError as error:
        status = int(status_of(error))
        if status >= 500:
            raise
        draft.problem, draft.problems = refusal(error, frozenset(HOLDERS))
        return await _page(request, draft, status=status)
    return see_other(f"/cases/{view.case_id}?done=registered")


def _read(reader: Reader, draft: Draft) -> NewRepair | None:
    symptoms = reader.text("content", limit=2000)
    place = reader.text("place", limit=60)
    class_ = reader.choice("repair_class", repair_words.CLASSES)
    item = reader.text("item", limit=20, required=False)
    severity = reader.choice("severity", words.SEVERITIES)
    nature = reader.choice("nature", words.NATURES, required=False)
    urgency = reader.choice("urgency", words.URGENCIES, required=False)
    source = reader.choice("source", words.SOURCES)
    external_no = reader.text("external_no", limit=60, required=source == Source.HOTLINE_FORWARD)
    route = reader.choice("route", ROUTES)
    reason = reader.choice("reason", dict.fromkeys(FIRST_REASONS, ""), required=route == Route.CAPTAIN)
    if not draft.read_back:
        reader.problems["read_back"] = gettext("保存之前，请先向客户复述一遍。")
    if reader.problems:
        return None
    asked = None
    if route != LATER:
        away = route == Route.CAPTAIN
        asked = AskedRoute(route=Route(route), reason=RouteReason(reason) if away else None)
    return NewRepair(
        customer_id=draft.values["customer_id"],
        project_id=draft.values["project_id"] or None,
        symptoms=symptoms,
        place=place,
        repair_class=RepairClass(class_),
        item=item or None,
        source=Source(source),
        severity=Severity(int(severity)),
        nature=Nature(nature or Nature.REPAIR.value),
        urgency=Urgency(urgency or Urgency.NORMAL.value),
        external_no=external_no or None,
        call_id=draft.values["call_id"] or None,
        route=asked,
    )
