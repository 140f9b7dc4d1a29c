"""The supervisor's board. Its figures come over the live connection; the page brings the words."""

from aiohttp import web

from web import labels
from web.i18n import gettext
from web.pages.shell import ROSTER, render
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/supervisor", show)


@requires(Permission.BOARD_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the board."""
    roster = request.app[ROSTER]
    texts = {
        "states": labels.words(labels.AGENT_STATES),
        "call_states": labels.words(labels.CALL_STATES),
        "formulas": labels.words(labels.FORMULAS),
        "queues": labels.queue_names(await roster.queues()),
        "pause_reasons": labels.choices(await roster.pause_reasons(all_of_them=True)),
        "list_comma": gettext("、"),
    }
    return render(request, "supervisor.html", {"page": {"labels": texts}})
