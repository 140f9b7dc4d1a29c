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
from web.pages.shell import render
from web.permissions import Permission, requires
from web.pop import readable


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/cases/{case_id}/sheet", show)


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the sheet of a repair; why it was routed anew stands in its top right corner."""
    app, actor = request.app, current_actor(request)
    services = app[CRM].repairs
    case_id = request.match_info["case_id"][:40]
    sheet = await RepairSheets(services.store, services.reader).sheet(actor, case_id)
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
        "back": f"/cases/{case_id}" if actor.can(Permission.CASES_REGISTER) else f"/captain/{case_id}",
    }
    return render(request, "office/repair_sheet.html", context)
