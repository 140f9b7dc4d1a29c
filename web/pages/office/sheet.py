"""The sheet 《售中、售后问题确认单》: the receipt of a hand-off, printed or kept (domain.md §1.3 C1)."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from crm.complaint_views import HandoffSheet
from crm.handoff_links import MadeLink
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.identity import current_actor
from web.pages import case_words as words
from web.pages.shell import STATIC, render
from web.permissions import Permission, requires
from web.pop import readable

MARGIN = 120
STYLE = STATIC / "css" / "sheet.css"


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/handoffs/{handoff_id}/sheet", show)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A drawn signature as a path of SVG, in a box that it just fills."""

    path: str
    box: str


def drawing(strokes: tuple[tuple[tuple[int, int], ...], ...]) -> Drawing | None:
    """Return a signature as SVG has it; ``None`` where nothing was drawn."""
    points = [point for stroke in strokes for point in stroke]
    if not points:
        return None
    left, top = min(x for x, _ in points) - MARGIN, min(y for _, y in points) - MARGIN
    right, bottom = max(x for x, _ in points) + MARGIN, max(y for _, y in points) + MARGIN
    parts = []
    for stroke in strokes:
        (x, y), rest = stroke[0], stroke[1:]
        # A dot is a line of no length: with round ends it is seen.
        parts.append(f"M{x} {y}" + ("".join(f"L{a} {b}" for a, b in rest) or f"L{x} {y}"))
    return Drawing(path="".join(parts), box=f"{left} {top} {right - left} {bottom - top}")


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the sheet; ``download`` sends it as a file that needs nothing else, to be kept."""
    handoff_id = request.match_info["handoff_id"][:40]
    if "download" not in request.query:
        return await render_sheet(request, handoff_id)
    context = await _context(request, handoff_id)
    response = render(
        request, "office/sheet_file.html", context | {"style": STYLE.read_text(encoding="utf-8")}
    )
    receipt_no = context["handoff"].receipt_no
    response.headers["Content-Disposition"] = f'attachment; filename="{receipt_no}.html"'
    return response


async def render_sheet(
    request: web.Request,
    handoff_id: str,
    *,
    made: MadeLink | None = None,
    url: str = "",
    problem: str = "",
    status: int = 200,
) -> web.Response:
    """Return the sheet's page, with the links that lead to it.

    Args:
        made: a link that was just made, which is ``url``.
        problem: why none was.
    """
    links = await request.app[CRM].handoff_links.live(current_actor(request), handoff_id)
    context = await _context(request, handoff_id) | {
        "links": links,
        "made": made,
        "url": url,
        "link_problem": problem,
        "revoked": request.query.get("done") == "revoked",
    }
    return render(request, "office/sheet.html", context, status=status)


async def _context(request: web.Request, handoff_id: str) -> dict[str, Any]:
    actor = current_actor(request)
    sheet: HandoffSheet = await request.app[CRM].complaints.handoffs.sheet(actor, handoff_id)
    return words_of(request, sheet) | {"printed_by": actor.name}


def words_of(request: web.Request, sheet: HandoffSheet) -> dict[str, Any]:
    """Return what the sheet's template shows, but for who printed it."""
    return {
        "sheet": sheet,
        "phone": readable(sheet.phone or ""),
        "handoff": sheet.handoff,
        "drawing": drawing(sheet.strokes),
        "state": labels.word(words.HANDOFF_STATES, sheet.handoff.state),
        "form": labels.word(words.HANDOFF_FORMS, sheet.handoff.form),
        "signature_kind": labels.word(words.SIGNATURE_KINDS, sheet.handoff.signature_kind),
        "source": labels.word(words.SOURCES, sheet.source),
        "severity": labels.word(words.SEVERITIES, sheet.severity),
        "mode": labels.word(words.ACCEPT_MODES, sheet.mode.value) if sheet.mode else "",
        "record_kinds": labels.words(words.RECORD_KINDS),
        "printed_at": request.app[DEPS].clock.now(),
    }
