"""What is known before a case is registered: the call, whose it is, the home; and who is new to us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from crm.cases import CaseFilter
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint import REPEAT_WINDOW
from crm.domain.customer_rules import PhoneEntry
from crm.people import NewCustomer
from crm.views import CustomerCard, ProjectBrief
from kernel.errors import NotFound
from kernel.ids import is_ulid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.masking import shown_call
from web.pages.case_forms import Reader
from web.pages.case_parts import AGAIN
from web.pages.shell import DIRECTORY
from web.permissions import Permission
from web.pop import readable

FOUND = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the form shows beside what is typed. ``number`` and ``menu_path`` are the call's."""

    card: CustomerCard | None
    project: ProjectBrief | None
    number: str
    menu_path: str
    query: str
    found: Sequence[CustomerCard]

    @property
    def people(self) -> list[str]:
        """Who of the home's project may be responsible."""
        if self.project is None:
            return []
        named = (self.project.project_manager, self.project.designer, self.project.inspector)
        return [person for person in named if person]

    def context(self, request: web.Request) -> dict[str, object]:
        """Return what the templates of the forms need of it."""
        card, project = self.card, self.project
        return {
            "card": card,
            "project": project,
            "number": self.number,
            "menu_path": self.menu_path,
            "query": self.query,
            "found": self.found,
            "stage": labels.word(labels.STAGES, project.stage) if project else "",
            "crew_statuses": labels.words(labels.CREW_STATUSES),
            "salutations": labels.words(labels.SALUTATIONS),
            "case_kinds": labels.words(labels.CASE_KINDS),
            "case_statuses": labels.words(labels.CASE_STATUSES),
            "greeting": _greeting(card) if card else "",
            "may_create": current_user(request).can(Permission.CUSTOMERS_EDIT),
        }


def _greeting(card: CustomerCard) -> str:
    if not card.salutation:
        return card.name
    title = labels.word(labels.SALUTATIONS, card.salutation)
    return gettext("%(name)s%(title)s") % {"name": card.name, "title": title}


async def known(request: web.Request, values: dict[str, str]) -> Known:
    """Return what is known; fill in call, customer and project where they follow from one another."""
    app = request.app
    number, menu_path = await _call(request, values)
    card = await _card(app, values["customer_id"])
    project = _project(card, values["project_id"])
    if project is not None:
        values["project_id"] = project.project_id
    query = request.query.get("q", "").strip()[:40]
    found: Sequence[CustomerCard] = ()
    if card is None and len(query) > 1:
        found = await app[DIRECTORY].search(query, limit=FOUND)
    return Known(card=card, project=project, number=number, menu_path=menu_path, query=query, found=found)


async def _call(request: web.Request, values: dict[str, str]) -> tuple[str, str]:
    call_id = values["call_id"]
    if not is_ulid(call_id):
        values["call_id"] = ""
        return "", ""
    try:
        found = await request.app[DEPS].history.get(call_id)
    except NotFound:
        return "", ""  # a call that has only just begun is not in the history yet
    if not values["customer_id"] and found.customer_id:
        values["customer_id"] = found.customer_id
    call = shown_call(found, current_user(request))
    other = call.to_number if call.direction == "out" else call.from_number
    return readable(other), " › ".join(call.menu_path)


async def _card(app: web.Application, customer_id: str) -> CustomerCard | None:
    if not is_ulid(customer_id):
        return None
    try:
        card: CustomerCard = await app[DIRECTORY].card(customer_id)
    except NotFound:
        return None
    return card


def _project(card: CustomerCard | None, project_id: str) -> ProjectBrief | None:
    projects = card.projects if card is not None else ()
    for project in projects:
        if project.project_id == project_id:
            return project
    return projects[0] if len(projects) == 1 else None


def newcomer(reader: Reader, values: Mapping[str, str]) -> NewCustomer | None:
    """Return the customer whom nobody knew before this call; what is missing becomes a problem."""
    if not any(values[name].strip() for name in ("new_name", "new_phone")):
        reader.problems["customer_id"] = gettext("请先选定客户，或者写下新客户的姓名和电话。")
        return None
    name = reader.text("new_name", limit=40)
    phone = reader.text("new_phone", limit=40)
    salutation = reader.choice("new_salutation", labels.SALUTATIONS, required=False)
    if not name or not phone:
        return None
    return NewCustomer(
        name=name, salutation=salutation or None, phones=(PhoneEntry(number=phone, verified=True),)
    )


async def complained_lately(request: web.Request, customer_id: str) -> bool:
    """Tell whether the customer complained in the last 30 days: another complaint is a serious one then."""
    if not is_ulid(customer_id):
        return False
    since = request.app[DEPS].clock.now() - REPEAT_WINDOW
    lately = CaseFilter(kind=CaseKind.COMPLAINT, customer_id=customer_id, opened_since=since)
    page = await request.app[CRM].cases.page(current_actor(request), lately, limit=20)
    return any(case.status is not CaseStatus.NOT_FILED for case in page.items)


async def sent_before(request: web.Request, kind: CaseKind, customer_id: str, content: str) -> str | None:
    """Return the case that this very form made a moment ago, when it was sent twice."""
    actor = current_actor(request)
    page = await request.app[CRM].cases.page(
        actor,
        CaseFilter(
            kind=kind,
            customer_id=customer_id,
            specialist_id=actor.user_id,
            opened_since=request.app[DEPS].clock.now() - AGAIN,
        ),
        limit=5,
    )
    said = content.replace("\r\n", "\n").strip()
    return next((case.case_id for case in page.items if case.content == said), None)
