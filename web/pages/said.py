"""Who said it, and when: what was said in calls, found, read and heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.search_text import MAX_QUERY
from crm.said_search import SaidAsked, Speaker
from crm.search_asked import SearchRefused
from kernel.errors import DeadlineExceeded, Forbidden, Invalid
from speech.events import AGENT, CUSTOMER
from telephony.recordings import with_several
from telephony.views import CallView
from web import labels, said
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.calls import asked_day, outside_number
from web.pages.search import problem_of
from web.pages.shell import ROSTER, render
from web.pages.times import day_end, day_start
from web.permissions import Permission, requires
from web.pop import readable
from web.recordings import Part, part_at, parts_of
from web.said import SaidLine

PAGE = 20
FIELDS = ("q", "speaker", "from", "to", "agent", "queue", "campaign")
SPEAKERS = {CUSTOMER: N_("客户"), AGENT: N_("坐席")}
DAYS = N_("日期的格式是 2026-03-31。")


def setup(app: web.Application) -> None:
    """Add the route."""
    said.setup(app)
    app.router.add_get("/said", show)


@dataclass(frozen=True, slots=True)
class Row:
    """A call and what was said in it; ``outside`` is the number to call about it, empty for none."""

    call: CallView
    number: str
    outside: str
    direction: str
    queue: str
    lines: tuple[SaidLine, ...]
    more: int
    parts: tuple[Part, ...] = ()

    def sound(self, line: SaidLine) -> tuple[int, float]:
        """Return in which recording a sentence is, and where in it in seconds."""
        return part_at(self.parts, line.at)


@requires(Permission.CALLS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of calls in which the words were said, newest first."""
    user, roster = current_user(request), request.app[ROSTER]
    if not said.may_find_said(user):
        raise Forbidden("agents find what was said in their own calls")
    form = {name: request.query.get(name, "").strip()[: MAX_QUERY + 1] for name in FIELDS}
    kept = {name: value for name, value in form.items() if value}
    queues = labels.queue_names(await roster.queues())
    hears_all = user.can(Permission.RECORDINGS_PLAY)
    rows: list[Row] = []
    problem, more = "", ""
    if form["q"]:
        try:
            page = await said.find_said(
                request, _asked(form, request), limit=PAGE, cursor=request.query.get("cursor")
            )
            parts = await _parts(request, [item.call for item in page.items])
            rows = [
                Row(
                    call=item.call,
                    number=_number(item.call),
                    outside=outside_number(item.call, item.call),
                    direction=labels.word(labels.DIRECTIONS, item.call.direction),
                    queue=queues.get(item.call.queue or "", item.call.queue or ""),
                    lines=item.lines,
                    more=item.more,
                    parts=parts.get(item.call.call_id, ()),
                )
                for item in page.items
            ]
            if page.next_cursor:
                more = "/said?" + urlencode({**kept, "cursor": page.next_cursor})
        except (SearchRefused, DeadlineExceeded, Invalid) as error:
            in_days = isinstance(error, Invalid) and error.field in {"from", "to"}
            problem = gettext(DAYS) if in_days else problem_of(error)
    campaigns = {}
    if user.can(Permission.CAMPAIGNS_VIEW):
        listed = await request.app[CALLBACKS].campaigns.page(current_actor(request), limit=50)
        campaigns = {one.campaign.campaign_id: one.campaign.name for one in listed.items}
    context = {
        "form": form,
        "longest": MAX_QUERY,
        "rows": rows,
        "more": more,
        "first_page": "cursor" not in request.query,
        "first_href": "/said?" + urlencode(kept),
        "problem": problem,
        "hears_all": hears_all,
        "speakers": labels.words(SPEAKERS),
        "queues": queues,
        "agents": {one.number: one.name for one in await roster.agents()} if hears_all else {},
        "campaigns": campaigns,
    }
    # While somebody is still typing, half a word is no error.
    typing = request.headers.get("HX-Request") == "true"
    return render(request, "said.html", context, status=400 if problem and not typing else 200)


def _asked(form: dict[str, str], request: web.Request) -> SaidAsked:
    zone = request.app[DEPS].settings.timezone
    since, until = asked_day(form["from"], "from"), asked_day(form["to"], "to")
    speaker: Speaker | None = None
    if form["speaker"] == CUSTOMER:
        speaker = "customer"
    elif form["speaker"] == AGENT:
        speaker = "agent"
    return SaidAsked(
        q=form["q"],
        speaker=speaker,
        since=day_start(since, zone) if since else None,
        until=day_end(until, zone) if until else None,
        agent=form["agent"] or None,
        queue=form["queue"] or None,
        campaign_id=form["campaign"] or None,
    )


async def _parts(request: web.Request, calls: Sequence[CallView]) -> dict[str, tuple[Part, ...]]:
    """Return the recordings of the calls that have several: a sentence is heard in the one it is in."""
    several = await with_several(request.app[DEPS].database, [call.call_id for call in calls])
    return {call.call_id: await parts_of(request, call) for call in calls if call.call_id in several}


def _number(call: CallView) -> str:
    """Return the other side's number."""
    return readable(call.to_number if call.direction == "out" else call.from_number) or gettext("号码未知")
