"""Registering a complaint while the customer is talking: one screen, what is known is filled in already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from crm.complaint_input import NewComplaint, NewLine
from crm.domain.case import CaseKind, Severity, Source
from crm.domain.classification import Nature, Urgency
from crm.domain.complaint import (
    FIRST_DEPARTMENT,
    GRAVE_SOURCES,
    MAX_LINES,
    SECOND_DEPARTMENT,
    SERIOUS_CAUSES,
    may_be_general,
)
from crm.domain.handoff import HandoffForm
from crm.handoffs import Dispatch
from crm.limit_views import RecordRef
from kernel.access import Actor
from kernel.errors import HuifangError, NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages import repair_new
from web.pages.case_forms import Reader, refusal
from web.pages.case_known import complained_lately, known, newcomer, sent_before
from web.pages.case_parts import departments
from web.pages.case_steps import all_kinds, kinds, new_line
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

HOLDERS = (
    "customer_id",
    "project_id",
    "call_id",
    "content",
    "demand",
    "want_by",
    "severity",
    "nature",
    "urgency",
    "severity_reason",
    "source",
    "external_no",
    "form",
    "new_name",
    "new_salutation",
    "new_phone",
)
GROUP_SHOWN = 5
CHECKS = ("hand_off", "copy", "read_back")


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/cases/new", show)
    app.router.add_post("/cases/new", register)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFields:
    """A cause line as it stands in the form."""

    kind: str = ""
    cause: str = ""
    department: str = ""
    person: str = ""
    manufacturer: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was chosen or written."""
        return not (self.kind or self.cause or self.department or self.person or self.manufacturer)


@dataclass(slots=True, kw_only=True)
class Draft:
    """The form as it stands, with what is wrong with it."""

    values: dict[str, str] = field(default_factory=dict)
    checks: dict[str, bool] = field(default_factory=dict)
    lines: Sequence[LineFields] = (LineFields(),)
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@requires(Permission.CASES_REGISTER)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the form, with everything about customer and call that is known."""
    if request.query.get("kind") == CaseKind.REPAIR.value:
        return await repair_new.show(request)
    customer_id = request.query.get("customer", "")[:26]
    repeated = await complained_lately(request, customer_id)
    values = {
        "customer_id": customer_id,
        "project_id": request.query.get("project", "")[:26],
        "call_id": request.query.get("call", "")[:26],
        "severity": str((Severity.SERIOUS if repeated else Severity.GENERAL).value),
        "nature": Nature.COMPLAINT.value,
        "urgency": Urgency.NORMAL.value,
        "source": Source.PHONE.value,
        "form": HandoffForm.ELECTRONIC.value,
    }
    draft = Draft(values=values, checks={"hand_off": True, "copy": True})
    return await _page(request, draft)


async def _page(request: web.Request, draft: Draft, *, status: int = 200) -> web.StreamResponse:
    values = draft.values = dict.fromkeys(HOLDERS, "") | draft.values
    draft.checks = dict.fromkeys(CHECKS, False) | draft.checks
    found = await known(request, values)
    departments_ = await departments(request)
    accept, verify = await _promise(request)
    proposed = {
        str(class_.value): departments_.get(code or "", "") for class_, code in FIRST_DEPARTMENT.items()
    }
    second = {
        str(class_.value): {"code": code, "name": departments_[code]}
        for class_, code in SECOND_DEPARTMENT.items()
        if code in departments_
    }
    context = {
        **found.context(request),
        "kind": CaseKind.COMPLAINT.value,
        "draft": draft,
        "values": values,
        "lines": draft.lines,
        "kinds": kinds(),
        "departments": departments_,
        "people": found.people,
        "severities": labels.words(words.SEVERITIES),
        "natures": labels.words(words.NATURES),
        "urgencies": labels.words(words.URGENCIES),
        "severity_hints": labels.words(words.SEVERITY_HINTS),
        "sources": labels.words(words.SOURCES),
        "forms": labels.words(words.HANDOFF_FORMS),
        "may_decide": current_actor(request).can(Permission.CASES_DECIDE),
        "grave": sorted(GRAVE_SOURCES),
        "accept_hours": accept,
        "verify_hours": verify,
        "page": {
            "draft": f"new:complaint:{values['customer_id']}:{values['call_id']}",
            "proposed": proposed,
            "second": second,
            "grave": sorted(GRAVE_SOURCES),
            "groups": await _groups(request, values["project_id"]),
            "serious": sorted(f"{class_.value}.{subclass}" for class_, subclass in SERIOUS_CAUSES),
            "max": MAX_LINES,
        },
    }
    return render(request, "cases/new.html", context, status=status)


async def _groups(request: web.Request, project_id: str) -> dict[str, dict[str, object]]:
    """Return class → what the form says about the group that a complaint about it would be one of."""
    try:
        found = await request.app[CRM].groups.around(current_actor(request), project_id or None)
    except NotFound:
        return {}
    return {
        str(class_.value): {"customers": group.customers, "nos": gettext("、").join(group.nos[:GROUP_SHOWN])}
        for class_, group in found.items()
    }


async def _promise(request: web.Request) -> tuple[int, int]:
    """Return in how many hours a department accepts a complaint and calls the customer after that."""
    app = request.app
    record, now = RecordRef("complaint", ""), app[DEPS].clock.now()
    async with app[DEPS].database.session() as session:
        accept = await app[CRM].limits.rule(session, "TS.T1", record, at=now)
        verify = await app[CRM].limits.rule(session, "TS.T2", record, at=now)
    hour = timedelta(hours=1)
    return int(accept.amount / hour), int(verify.amount / hour)


@requires(Permission.CASES_REGISTER)
async def register(request: web.Request) -> web.StreamResponse:
    """Register what was written, or show the form again with what is wrong."""
    app = request.app
    form: Mapping[str, object] = dict(await request.post())
    reader = Reader(form, app[DEPS].settings.timezone)
    draft = _draft(reader)
    if reader.raw("add_line"):
        draft.lines = (*draft.lines, LineFields())[:MAX_LINES]
        return await _page(request, draft)
    actor, complaints = current_actor(request), app[CRM].complaints.complaints
    new = _read(actor, reader, draft)
    fresh = newcomer(reader, draft.values) if not draft.values["customer_id"] else None
    if new is None or reader.problems:
        draft.problems, draft.problem = reader.problems, gettext("还不能保存，请检查标红的地方。")
        return await _page(request, draft, status=400)
    try:
        if fresh is not None:
            record = await app[CRM].people.customers.create(actor, fresh)
            draft.values["customer_id"] = record.customer_id
            new = replace(new, customer_id=record.customer_id)
        before = await sent_before(request, CaseKind.COMPLAINT, new.customer_id, new.content)
        if before is not None:
            return see_other(f"/cases/{before}?done=registered")
        view = await complaints.register(actor, new)
    except HuifangError as error:
        status = int(status_of(error))
        if status >= 500:
            raise
        draft.problem, draft.problems = refusal(error, _names(draft))
        return await _page(request, draft, status=status)
    return see_other(f"/cases/{view.case_id}?done=registered")


def _names(draft: Draft) -> frozenset[str]:
    lines = {
        f"lines.{place}.{name}"
        for place in range(len(draft.lines))
        for name in ("kind", "cause", "department", "person", "manufacturer", "subclass")
    }
    return frozenset(lines | set(HOLDERS))


def _draft(reader: Reader) -> Draft:
    lines: list[LineFields] = []
    for place in range(MAX_LINES):
        line = LineFields(**{name: reader.raw(f"lines.{place}.{name}") for name in LineFields.__slots__})
        if not line.is_empty or not lines:
            lines.append(line)
    return Draft(
        values={name: reader.raw(name) for name in HOLDERS},
        checks={name: reader.check(name) for name in CHECKS},
        lines=lines,
    )


def _read(actor: Actor, reader: Reader, draft: Draft) -> NewComplaint | None:
    content = reader.text("content", limit=2000)
    demand = reader.text("demand", limit=1000, required=False)
    want_by = reader.moment("want_by")
    severity = reader.choice("severity", words.SEVERITIES)
    nature = reader.choice("nature", words.NATURES, required=False)
    urgency = reader.choice("urgency", words.URGENCIES, required=False)
    source = reader.choice("source", words.SOURCES)
    why = reader.text("severity_reason", limit=400, required=False)
    decides = actor.can(Permission.CASES_DECIDE)
    if (
        severity == str(Severity.GENERAL.value)
        and source
        and not may_be_general(Source(source), decides=decides, reason=why)
    ):
        reader.problems["severity"] = (
            gettext("媒体、监管部门来的是重大投诉；按一般登记请写明理由。")
            if decides
            else gettext("媒体、监管部门来的是重大投诉；只有经理可以按一般登记。")
        )
    external_no = reader.text("external_no", limit=60, required=source == Source.HOTLINE_FORWARD)
    paper = reader.choice("form", words.HANDOFF_FORMS, required=False)
    if not reader.check("read_back"):
        reader.problems["read_back"] = gettext("保存之前，请先向客户复述一遍。")
    lines = [
        line
        for place, shown in enumerate(draft.lines)
        if (line := _line(reader, place, shown, content)) is not None
    ]
    if reader.problems:
        return None
    return NewComplaint(
        customer_id=draft.values["customer_id"],
        project_id=draft.values["project_id"] or None,
        content=content,
        demand=demand,
        want_by=want_by,
        severity=Severity(int(severity)),
        nature=Nature(nature or Nature.COMPLAINT.value),
        urgency=Urgency(urgency or Urgency.NORMAL.value),
        severity_reason=why,
        source=Source(source),
        external_no=external_no or None,
        call_id=draft.values["call_id"] or None,
        lines=tuple(lines),
        hand_off=Dispatch(
            form=HandoffForm(paper or HandoffForm.ELECTRONIC.value), copy_left=draft.checks["copy"]
        )
        if draft.checks["hand_off"]
        else None,
    )


def _line(reader: Reader, place: int, shown: LineFields, content: str) -> NewLine | None:
    if place and shown.is_empty:
        return None
    if shown.kind not in all_kinds():
        reader.problems[f"lines.{place}.kind"] = gettext("请选择问题类别。")
        return None
    return new_line(
        shown.kind,
        shown.cause.strip() or content[:1000],
        department=shown.department,
        person=shown.person.strip(),
        manufacturer=shown.manufacturer.strip(),
    )
