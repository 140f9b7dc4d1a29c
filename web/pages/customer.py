"""One customer, all round: facts and flags, numbers, projects, open cases, payments, the time line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from crm.domain.project import Stage
from crm.people_services import PeopleServices
from crm.people_views import CustomerRecord
from crm.project_views import ProjectView
from crm.projects import ProjectFilter
from kernel.ids import is_ulid
from web import labels
from web.crm_part import CRM
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.numbers import whole_numbers
from web.pages import people_words as words
from web.pages.people_forms import Form, Refused
from web.pages.shell import DIRECTORY, render, see_other
from web.pages.timeline_words import Teller
from web.permissions import Permission, requires
from web.pop import readable

PAGE = 30
MILESTONES = (
    Stage.SIGNED,
    Stage.CREW_ASSIGNED,
    Stage.STARTED,
    Stage.CONCEALED,
    Stage.MIDTERM,
    Stage.COMPLETED,
    Stage.DELIVERED,
)


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/customers/{customer_id}", show)


def services(request: web.Request) -> PeopleServices:
    """Return the services of customers and projects."""
    return request.app[CRM].people


@dataclass(frozen=True, slots=True)
class Milestone:
    """A stage on the bar: ``done``, ``now`` or nothing."""

    label: str
    step: str


@dataclass(frozen=True, slots=True)
class ProjectCard:
    """A project on the page."""

    project: ProjectView
    stage: str
    bar: tuple[Milestone, ...]


@dataclass(frozen=True, slots=True)
class PhoneLine:
    """A number as this person may see it; ``ref`` names it where it is masked."""

    ref: str
    shown: str
    label: str
    preferred: bool
    verified: bool
    bad: str


@requires(Permission.CUSTOMERS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the customer; an old id leads to the customer it was merged into."""
    asked = request.match_info["customer_id"]
    record = await services(request).customers.get(current_actor(request), asked)
    if record.customer_id != asked:
        return see_other(f"/customers/{record.customer_id}")
    return await customer_page(request, record)


async def customer_page(
    request: web.Request,
    record: CustomerRecord,
    *,
    refused: Refused | None = None,
    typed: Form | None = None,
    status: int = 200,
) -> web.Response:
    """Return the page; ``refused`` opens its form again, with what was ``typed``."""
    user, actor = current_user(request), current_actor(request)
    card = await request.app[DIRECTORY].card(record.customer_id)
    listed = await services(request).projects.page(
        actor, ProjectFilter(customer_id=record.customer_id), limit=20
    )
    context: dict[str, Any] = {
        "record": record,
        "card": card,
        "phones": await phone_lines(request, record),
        "projects": [project_card(project) for project in listed.items],
        "refused": refused,
        "typed": typed or {},
        "may_edit": user.can(Permission.CUSTOMERS_EDIT),
        "may_manage": user.can(Permission.CUSTOMERS_MERGE),
        "may_add_project": user.can(Permission.PROJECTS_EDIT),
        "merges": await services(request).merging.of_customer(actor, record.customer_id)
        if user.can(Permission.CUSTOMERS_MERGE)
        else (),
        "case_kinds": labels.words(labels.CASE_KINDS),
        "case_statuses": labels.words(labels.CASE_STATUSES),
        "crew_statuses": labels.words(labels.CREW_STATUSES),
        "salutation": labels.word(labels.SALUTATIONS, record.salutation),
        "level_text": gettext("%(level)s 级客户") % {"level": record.level},
        **word_lists(),
        **await _timeline(request, record.customer_id),
    }
    return render(request, "customer.html", context, status=status)


def word_lists() -> dict[str, Mapping[str, str]]:
    """Return the words that forms choose from."""
    return {
        "channels": labels.words(words.CHANNELS),
        "bad_numbers": labels.words(words.BAD_NUMBERS),
        "scopes": labels.words(words.SCOPES),
        "refusal_levels": labels.words(words.REFUSAL_LEVELS),
        "refusal_sources": labels.words(words.REFUSAL_SOURCES),
        "callback_kinds": labels.words(words.CALLBACK_KINDS),
        "consent_purposes": labels.words(words.CONSENT_PURPOSES),
        "consent_bases": labels.words(words.CONSENT_BASES),
        "salutations": labels.words(labels.SALUTATIONS),
    }


async def phone_lines(request: web.Request, record: CustomerRecord) -> list[PhoneLine]:
    """Return the numbers, whole where this person may see them so."""
    whole = await whole_numbers(request, record.customer_id, [phone.number for phone in record.phones])
    return [
        PhoneLine(
            ref=phone.phone_id,
            shown=readable(phone.number) if phone.number in whole else phone.masked,
            label=phone.label or "",
            preferred=phone.preferred,
            verified=phone.verified_at is not None,
            bad=labels.word(words.BAD_NUMBERS, phone.bad_reason),
        )
        for phone in record.phones
    ]


def project_card(project: ProjectView) -> ProjectCard:
    """Return a project with its stage bar."""
    reached = [stage for stage in MILESTONES if stage <= project.rank]
    now = reached[-1] if reached else None
    bar = tuple(
        Milestone(
            labels.word(labels.STAGES, int(stage)),
            "now" if stage is now else "done" if stage in reached else "",
        )
        for stage in MILESTONES
    )
    return ProjectCard(project, labels.word(labels.STAGES, int(project.stage)), bar)


async def _timeline(request: web.Request, customer_id: str) -> dict[str, Any]:
    before = request.query.get("before", "")
    page = await request.app[CRM].timeline.page(
        current_actor(request), customer_id, before=before if is_ulid(before) else None, limit=PAGE
    )
    teller = await Teller.of(request)
    return {
        "entries": [teller.tell(entry) for entry in page.items],
        "more": f"/customers/{customer_id}?before={page.next_cursor}" if page.next_cursor else "",
        "first_page": not before,
    }
