"""One project: facts, stage bar, history, payments; registering stages, and every smaller step."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from callback_campaigns.domain.gates import GateState
from callback_campaigns.domain.terms import Gate
from crm.domain.lines import choice
from crm.domain.project import Stage
from crm.domain.stages import DELIVERY_STEPS, ENDED, Delivery
from crm.organisation_views import CrewStatus
from crm.payments import NewPayment
from crm.people_services import PeopleServices
from crm.project_views import ProjectRecord
from crm.stages import NewStage
from kernel.access import Actor
from kernel.errors import Invalid, StaleVersion
from web import labels
from web.callback_part import CALLBACKS
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.pages import callback_words, repair_words, warranty
from web.pages import people_forms as forms
from web.pages import people_words as words
from web.pages.customer import project_card, services
from web.pages.people_forms import Form, Refused
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

TEXTS = (
    "contract_no",
    "community",
    "building",
    "unit",
    "room",
    "area_m2",
    "store_id",
    "crew_id",
    "gang",
    "package",
    "amount",
    "project_manager",
    "designer",
    "inspector",
    "sales_person",
    "archive_no",
)
DAYS = ("signed_on", "contract_starts_on", "contract_ends_on", "concealed_planned", "midterm_planned")


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/customers/{customer_id}/projects/new", new)
    app.router.add_post("/customers/{customer_id}/projects/new", create)
    app.router.add_get("/projects/{project_id}", show)
    app.router.add_get("/projects/{project_id}/edit", edit)
    app.router.add_post("/projects/{project_id}/edit", save)
    warranty.setup(app)
    for name, (permission, step) in STEPS.items():
        app.router.add_post(f"/projects/{{project_id}}/{name}", _handler(name, permission, step))


@requires(Permission.PROJECTS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the project."""
    return await _page(request, await _record(request))


async def _record(request: web.Request) -> ProjectRecord:
    return await services(request).projects.get(current_actor(request), request.match_info["project_id"])


async def _page(
    request: web.Request,
    record: ProjectRecord,
    *,
    refused: Refused | None = None,
    typed: Form | None = None,
    status: int = 200,
) -> web.Response:
    user, project = current_user(request), record.project
    people = services(request)
    below = [
        stage
        for stage in Stage
        if 0 < stage < project.rank or (stage == project.rank and project.stage in ENDED)
    ]
    context: dict[str, Any] = {
        "record": record,
        "project": project,
        "item": project_card(project),
        "refused": refused,
        "typed": typed or {},
        "stages": labels.words(labels.STAGES),
        "next_stages": {
            str(int(stage)): labels.word(labels.STAGES, int(stage))
            for stage in Stage
            if stage > project.stage > 0 and stage not in (Stage.MID_PAID, Stage.FINAL_PAID)
        },
        "lower_stages": {
            str(int(stage)): labels.word(labels.STAGES, int(stage)) for stage in sorted(below, reverse=True)
        },
        "ends": {str(int(stage)): labels.word(labels.STAGES, int(stage)) for stage in sorted(ENDED)},
        "periods": labels.words(words.PERIODS),
        "delivery": labels.words(words.DELIVERY),
        "delivery_steps": {
            state.value: labels.word(words.DELIVERY, state.value)
            for state in sorted(DELIVERY_STEPS[project.delivery_state] - {Delivery.DELIVERED})
        }
        if project.stage >= Stage.COMPLETED
        else {},
        "kinds": labels.words(words.PROJECT_KINDS),
        "crew_statuses": labels.words(labels.CREW_STATUSES),
        "today": people.office.today().isoformat(),
        "sees_customer": user.can(Permission.CUSTOMERS_VIEW),
        "may_edit": user.can(Permission.PROJECTS_EDIT),
        "may_correct": user.can(Permission.PROJECTS_CORRECT),
        "may_post": user.can(Permission.PAYMENTS_POST),
        "may_ask": project.stage is Stage.MIDTERM and user.can(Permission.PAYMENTS_POST),
        "gates": await _gates(request, project.project_id),
        "warranty": (
            card := await request.app[CRM].repairs.warranties.get(current_actor(request), project.project_id)
        ),
        "warranty_word": labels.word(repair_words.WARRANTIES, card.flag.value),
        "item_states": labels.words(repair_words.ITEM_STATES),
        "item_tones": repair_words.ITEM_TONES,
        "stops": await request.app[CALLBACKS].desk.stops(current_actor(request), project.project_id),
        "callback_kinds": labels.words(callback_words.KINDS),
        "gate_words": labels.words(words.GATES),
        "gate_whys": labels.words(words.GATE_WHYS),
    }
    return render(request, "project.html", context, status=status)


# Written down, edited


@requires(Permission.PROJECTS_EDIT)
async def new(request: web.Request) -> web.StreamResponse:
    """Show an empty form for a project of this customer."""
    return await _form(request, None, {"kind": "home", "stage": "25"})


@requires(Permission.PROJECTS_EDIT)
async def create(request: web.Request) -> web.StreamResponse:
    """Write a project down."""
    form = await forms.read_form(request)
    try:
        stage = Stage(forms.number(form, "stage"))
        record = await services(request).projects.create(
            current_actor(request), request.match_info["customer_id"], _fields(form), stage=stage
        )
    except forms.EXPECTED as error:
        return await _form(request, None, form, Refused.of("project", error))
    return see_other(f"/projects/{record.project.project_id}")


@requires(Permission.PROJECTS_EDIT)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show the project in a form."""
    record = await _record(request)
    project = record.project
    form = {name: str(getattr(project, name) or "") for name in (*TEXTS, *DAYS)}
    form |= {"version": str(project.version), "kind": project.kind, "address": project.address or ""}
    return await _form(request, record, form)


@requires(Permission.PROJECTS_EDIT)
async def save(request: web.Request) -> web.StreamResponse:
    """Save the fields."""
    form = await forms.read_form(request)
    record = await _record(request)
    key = record.project.project_id
    try:
        await services(request).projects.change(
            current_actor(request), key, _fields(form), expected=forms.version_of(form)
        )
    except forms.EXPECTED as error:
        typed = dict(form)
        if isinstance(error, StaleVersion):
            typed["version"] = str(record.project.version)
        return await _form(request, record, typed, Refused.of("project", error))
    return see_other(f"/projects/{key}")


def _fields(form: Form) -> dict[str, Any]:
    fields: dict[str, Any] = {name: forms.maybe(form, name) for name in TEXTS}
    fields |= {name: forms.day(form, name) for name in DAYS}
    fields |= {"kind": forms.text(form, "kind") or "home", "contract_no": forms.text(form, "contract_no")}
    address = forms.maybe(form, "address")
    if address is not None:
        fields["address"] = address
    return fields


async def _form(
    request: web.Request, record: ProjectRecord | None, form: Form, refused: Refused | None = None
) -> web.Response:
    actor, organisation = current_actor(request), services(request).organisation
    crews = {crew.crew_id: crew.name for crew in await organisation.crews(actor, status=CrewStatus.ACTIVE)}
    if record is not None and record.project.crew_id:
        crews.setdefault(record.project.crew_id, record.project.crew or "")
    shown = _shown(record) if record else {}
    stale = refused is not None and refused.is_stale
    context = {
        "record": record,
        "customer_id": record.project.customer_id if record else request.match_info["customer_id"],
        "form": form,
        "refused": refused,
        "shown": shown,
        "changed": forms.changed_since(form, shown) if stale else (),
        "crews": crews,
        "stores": {store.store_id: store.name for store in await organisation.stores(actor)},
        "kinds": labels.words(words.PROJECT_KINDS),
        "first_stages": {str(n): labels.word(labels.STAGES, n) for n in (10, 15, 20, 25)},
    }
    return render(request, "project_form.html", context, status=412 if stale else 400 if refused else 200)


def _shown(record: ProjectRecord) -> dict[str, tuple[str, str]]:
    """Return what the form goes along with, so that it can tell what somebody else changed."""
    project = record.project
    labelled = {
        "contract_no": gettext("合同号"),
        "address": gettext("地址"),
        "area_m2": gettext("面积（平方米）"),
        "store": gettext("店面"),
        "package": gettext("套餐"),
        "amount": gettext("合同金额"),
        "signed_on": gettext("签约日期"),
        "contract_starts_on": gettext("合同开工"),
        "contract_ends_on": gettext("合同竣工"),
        "concealed_planned": gettext("隐蔽工程计划日"),
        "midterm_planned": gettext("中期验收计划日"),
        "crew": gettext("施工队"),
        "gang": gettext("班组"),
        "project_manager": gettext("项目经理"),
        "designer": gettext("设计师"),
        "inspector": gettext("质检"),
        "sales_person": gettext("业务员"),
        "archive_no": gettext("档案袋号"),
    }
    found = {name: (label, str(getattr(project, name) or "")) for name, label in labelled.items()}
    return found | {"kind": (gettext("类型"), labels.word(words.PROJECT_KINDS, project.kind))}


# Smaller steps

Step = Callable[[web.Request, PeopleServices, Actor, str, Form], Awaitable[Any]]


def _stage(form: Form) -> Stage:
    try:
        return Stage(forms.number(form, "stage"))
    except ValueError as error:
        raise Invalid("not a stage", field="stage") from error


async def _register(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    step = NewStage(
        stage=_stage(form),
        happened_on=forms.needed_day(form, "happened_on"),
        concealed_planned=forms.day(form, "concealed_planned"),
        midterm_planned=forms.day(form, "midterm_planned"),
        warranty_until=forms.day(form, "warranty_until"),
        sheet_ref=forms.maybe(form, "sheet_ref"),
        note=forms.maybe(form, "note"),
    )
    return await people.stages.register(actor, key, step, expected=forms.version_of(form))


async def _correct(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    stage = _stage(form)
    move = people.stages.end if stage in ENDED else people.stages.correct
    reason = forms.text(form, "reason")
    return await move(actor, key, stage, reason=reason, expected=forms.version_of(form))


async def _suspend(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.stages.suspend(
        actor,
        key,
        since=forms.needed_day(form, "since"),
        reason=forms.text(form, "reason"),
        expected=forms.version_of(form),
    )


async def _resume(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    until = forms.needed_day(form, "until")
    return await people.stages.resume(actor, key, until=until, expected=forms.version_of(form))


async def _deliver(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    state = forms.text(form, "delivery_state")
    if state not in set(Delivery):
        raise Invalid("not one of the states", field="delivery_state")
    version = forms.version_of(form)
    return await people.stages.move_delivery(actor, key, Delivery(state), expected=version)


async def _appraise(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    points = forms.number(form, "points") if forms.maybe(form, "points") else None
    note, version = forms.maybe(form, "note"), forms.version_of(form)
    return await people.stages.appraise(actor, key, points, note, expected=version)


async def _pay(request: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    try:
        moment = datetime.fromisoformat(forms.text(form, "paid_at"))
    except ValueError as error:
        raise Invalid("a time like 2026-03-02T10:30", field="paid_at") from error
    payment = NewPayment(
        period=forms.text(form, "period"),
        amount=forms.text(form, "amount"),
        due=forms.maybe(form, "due"),
        paid_at=moment.replace(tzinfo=request.app[DEPS].settings.timezone),
        receipt_no=forms.text(form, "receipt_no"),
    )
    return await people.payments.post(actor, key, payment)


async def _ask(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.payment_notices.ask_midterm(actor, key)


async def _open_gate(request: web.Request, _: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    gate = choice(Gate, forms.text(form, "gate"), field="gate")
    return await request.app[CALLBACKS].gates.open(actor, key, gate, reason=forms.text(form, "reason"))


async def _stop(request: web.Request, _: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    desk, kind = request.app[CALLBACKS].desk, forms.text(form, "kind")
    reason, version = forms.text(form, "reason"), forms.version_of(form)
    await desk.stop(actor, key, kind, reason=reason, expected=version)


async def _enable(request: web.Request, _: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    desk, kind = request.app[CALLBACKS].desk, forms.text(form, "kind")
    reason, version = forms.text(form, "reason"), forms.version_of(form)
    await desk.enable(actor, key, kind, reason=reason, expected=version)


async def _reverse(_: web.Request, people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    payment_id = forms.text(form, "payment_id")
    return await people.payments.reverse(actor, payment_id, reason=forms.text(form, "reason"))


async def _gates(request: web.Request, project_id: str) -> list[tuple[str, GateState]]:
    """Return what the project's next steps wait for."""
    found = await request.app[CALLBACKS].gates.of_project(current_actor(request), project_id)
    return [(gate.value, state) for gate, state in found.items()]


EDIT = Permission.PROJECTS_EDIT
STEPS: dict[str, tuple[Permission, Step]] = {
    "stage": (EDIT, _register),
    "correct": (Permission.PROJECTS_CORRECT, _correct),
    "suspend": (EDIT, _suspend),
    "resume": (EDIT, _resume),
    "delivery": (EDIT, _deliver),
    "appraisal": (Permission.PROJECTS_CORRECT, _appraise),
    "payment": (Permission.PAYMENTS_POST, _pay),
    "notice": (Permission.PAYMENTS_POST, _ask),
    "gate": (Permission.PROJECTS_CORRECT, _open_gate),
    "callback-stop": (Permission.PROJECTS_CORRECT, _stop),
    "callback-enable": (Permission.PROJECTS_CORRECT, _enable),
    "reverse": (Permission.PAYMENTS_POST, _reverse),
}


def _handler(
    name: str, permission: Permission, step: Step
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        form = await forms.read_form(request)
        key = request.match_info["project_id"]
        try:
            await step(request, services(request), current_actor(request), key, form)
        except forms.EXPECTED as error:
            record = await _record(request)
            refused = Refused.of(name, error)
            return await _page(request, record, refused=refused, typed=form, status=400)
        return see_other(f"/projects/{key}")

    return requires(permission)(handle)
