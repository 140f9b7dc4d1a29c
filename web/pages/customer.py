"""One customer: the card, and every contact on a time line."""

from dataclasses import dataclass

from aiohttp import web

from crm.views import ContactBrief
from kernel.ids import is_ulid
from web import labels
from web.i18n import gettext
from web.pages.shell import DIRECTORY, ROSTER, render
from web.permissions import Permission, requires

PAGE = 30


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/customers/{customer_id}", show)


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact in words."""

    contact: ContactBrief
    direction: str
    result: str
    queue: str
    disposition: str


@requires(Permission.CUSTOMERS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the customer and a page of the time line."""
    directory, roster = request.app[DIRECTORY], request.app[ROSTER]
    card = await directory.card(request.match_info["customer_id"])
    before = request.query.get("before", "")
    found = await directory.contacts(
        card.customer_id, limit=PAGE + 1, before=before if is_ulid(before) else None
    )
    queues = labels.queue_names(await roster.queues())
    dispositions = labels.choices(await roster.dispositions(all_of_them=True))
    entries = [
        Entry(
            contact=contact,
            direction=labels.word(labels.DIRECTIONS, contact.direction),
            result=labels.word(labels.CALL_RESULTS, contact.result),
            queue=queues.get(contact.queue or "", contact.queue or ""),
            disposition=dispositions.get(contact.disposition or "", contact.disposition or ""),
        )
        for contact in found[:PAGE]
    ]
    more = (
        f"/customers/{card.customer_id}?before={entries[-1].contact.contact_id}" if len(found) > PAGE else ""
    )
    context = {
        "card": card,
        "entries": entries,
        "more": more,
        "first_page": not before,
        "stages": {
            project.project_id: labels.word(labels.STAGES, project.stage) for project in card.projects
        },
        "case_kinds": labels.words(labels.CASE_KINDS),
        "case_statuses": labels.words(labels.CASE_STATUSES),
        "crew_statuses": labels.words(labels.CREW_STATUSES),
        "salutation": labels.word(labels.SALUTATIONS, card.salutation),
        "level_text": gettext("%(level)s 级客户") % {"level": card.level},
    }
    return render(request, "customer.html", context)
