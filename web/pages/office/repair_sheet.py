"""The sheet 《售中、售后问题确认单》 of a repair, printed for whoever repairs (domain.md §1.5 R2)."""

from aiohttp import web

from crm.domain.repair import RouteReason
from crm.repair_sheets import RepairSheets
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.identity import current_actor
from web.pages import case_words as words
from web.pages import repair_words
from web.pages.customer_call import call_box
from web.pages.shell import render
from web.permissions import Permission, requires
from web.pop import readable


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/cases/{case_id}/sheet", show)
    app.router.add_post("/cases/{case_id}/sheet", show_number)


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the sheet of a repair; why it was routed anew stands in its top right corner."""
    return await _sheet(request, asked=False)


@requires(Permission.CASES_VIEW)
async def show_number(request: web.Request) -> web.StreamResponse:
    """Show the sheet with the customer's whole number, which is written down."""
    return await _sheet(request, asked=True)


async def _sheet(request: web.Request, *, asked: bool) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    services = app[CRM].repairs
    case_id = request.match_info["case_id"][:40]
    sheets = RepairSheets(services.store, services.reader, shown=app[DEPS].settings.sheet_number)
    sheet = await sheets.sheet(actor, case_id, asked=asked)
    view = sheet.view
    reason: RouteReason | None = view.route_reason
    context = {
        "sheet": sheet,
        "view": view,
        "case": view.case,
        "phone": readable(sheet.phone or ""),
        "reason": labels.word(repair_words.REASONS, reason.value) if reason else "",
        "route": labels.word(repair_words.ROUTES, view.route.value) if view.route else "",
        "class_": labels.word(repair_words.CLASSES, view.repair_class.value),
        "warranty": labels.word(repair_words.WARRANTIES, view.warranty.flag.value),
        "warnings": [labels.word(repair_words.WARNINGS, item.value) for item in view.warnings],
        "source": labels.word(words.SOURCES, view.case.source),
        "severity": labels.word(words.SEVERITIES, str(view.case.severity)),
        "due": {timer.code: timer.due_at for timer in view.timers if timer.is_open},
        "printed_by": actor.name,
        "printed_at": app[DEPS].clock.now(),
        "call_box": await call_box(request, case_id, "captain")
        if actor.can(Permission.REPAIRS_WORK)
        else None,
        "back": f"/cases/{case_id}" if actor.can(Permission.CASES_REGISTER) else f"/captain/{case_id}",
    }
    return render(request, "office/repair_sheet.html", context)
