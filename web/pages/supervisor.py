"""The supervisor's board. Its figures come over the live connection; the page brings the words."""

from aiohttp import web

from web import labels
from web.i18n import gettext
from web.identity import current_user
from web.pages.shell import ROSTER, render
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/supervisor", show)


@requires(Permission.BOARD_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the board."""
    roster, user = request.app[ROSTER], current_user(request)
    reasons = await roster.pause_reasons(all_of_them=True)
    texts = {
        "states": labels.words(labels.AGENT_STATES),
        "call_states": labels.words(labels.CALL_STATES),
        "formulas": labels.words(labels.FORMULAS),
        "limits": labels.words(labels.BOARD_LIMITS),
        "queues": labels.queue_names(await roster.queues()),
        "pause_reasons": labels.choices(reasons),
        "list_comma": gettext("、"),
        "pause_limits": {one.code: one.limit_seconds for one in reasons},
        "problems": labels.words(labels.PROBLEMS),
    }
    selectable = [one for one in reasons if one.selectable]
    context = {
        "may_listen": user.can(Permission.CALLS_LISTEN),
        "may_direct": user.can(Permission.AGENTS_DIRECT),
        "pause_choices": labels.choices(selectable),
        "limits": selectable,
        "queues": texts["queues"],
        "page": {
            "labels": texts,
            "may_pause": user.can(Permission.RECORDINGS_PLAY),
            "may_see_campaigns": user.can(Permission.CAMPAIGNS_VIEW),
        },
        "may_see_campaigns": user.can(Permission.CAMPAIGNS_VIEW),
        "may_manage_screens": user.can(Permission.SCREENS_MANAGE),
    }
    return render(request, "supervisor.html", context)
