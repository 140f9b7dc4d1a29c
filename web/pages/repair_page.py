"""One repair: who repairs, what was agreed, the visits, and the forms of customer service's steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from sqlalchemy import select

from crm.domain.case import Source
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, VisitOutcome
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment, NewCallback, ToldRepairer
from crm.repair_views import RepairView
from crm.tables import Crew
from kernel.access import Actor
from kernel.errors import NotFound
from web import labels
from web.crm_part import CRM, CrmServices
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages import repair_words
from web.pages.agreed_visit import agreed_times
from web.pages.case_forms import Field, Reader
from web.pages.case_parts import due_of
from web.pages.case_shown import Attempt, history_of, shown_form, since
from web.pages.case_steps import StepForm
from web.pages.case_texts import texts_of_case
from web.pages.shell import DIRECTORY, render, see_other
from web.pages.step_taken import note_refusal, try_step
from web.pages.ticket_page import CALLED_AGAIN, REPLY
from web.permissions import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRepair:
    """A step of a repair that somebody takes."""

    crm: CrmServices
    actor: Actor
    case_id: str
    expected: int
    values: Mapping[str, Any]


async def _route(asked: AskedRepair) -> object:
    values = asked.values
    route = Route(values["route"])
    return await asked.crm.repairs.repairs.route(
        asked.actor,
        asked.case_id,
        expected=asked.expected,
        asked=AskedRoute(
            route=route,
            reason=RouteReason(values["reason"]) if values["reason"] else None,
            note=values["note"],
            crew_id=(values["crew_id"] or None) if route is Route.OTHER_CREW else None,
        ),
    )


async def _notify(asked: AskedRepair) -> object:
    values = asked.values
    told = ToldRepairer(way=NoticeWay(values["way"]), whom=values["whom"], at=values["at"])
    return await asked.crm.repairs.repairs.notify(
        asked.actor, asked.case_id, expected=asked.expected, told=told
    )


def _appointment(values: Mapping[str, Any]) -> NewAppointment | None:
    if values["visit_from"] is None or values["visit_until"] is None:
        return None
    return NewAppointment(
        from_=values["visit_from"], until=values["visit_until"], plan=values["plan"] or None
    )


async def _contact(asked: AskedRepair) -> object:
    contact = CustomerContact(says=asked.values["says"], appointment=_appointment(asked.values))
    return await asked.crm.repairs.work.contact(
        asked.actor, asked.case_id, expected=asked.expected, contact=contact
    )


async def _appoint(asked: AskedRepair) -> object:
    agreed = _appointment(asked.values)
    assert agreed is not None
    return await asked.crm.repairs.work.appoint(
        asked.actor, asked.case_id, expected=asked.expected, agreed=agreed
    )


async def _finish(asked: AskedRepair) -> object:
    return await asked.crm.repairs.work.finish(
        asked.actor,
        asked.case_id,
        expected=asked.expected,
        outcome=VisitOutcome(asked.values["outcome"]),
        result=asked.values["result"],
    )


def _in_time(code: str) -> InTime | None:
    return InTime(code) if code else None


async def _call_back(asked: AskedRepair) -> object:
    values = asked.values
    problem = ProblemStatus(values["problem"])
    reached = problem is not ProblemStatus.NOT_CONNECTED
    return await asked.crm.repairs.repairs.call_back(
        asked.actor,
        asked.case_id,
        expected=asked.expected,
        callback=NewCallback(
            problem=problem,
            verdict=Verdict(values["verdict"]) if reached and values["verdict"] else None,
            contacted_in_time=_in_time(values["contacted_in_time"]),
            timely=_in_time(values["timely"]),
            remark=values["remark"],
            no_visit_reason=values["no_visit_reason"],
            call_id=values["call_id"] or None,
        ),
    )


async def _close(asked: AskedRepair) -> object:
    return await asked.crm.repairs.repairs.close(
        asked.actor, asked.case_id, expected=asked.expected, waiver=asked.values["waiver"]
    )


_CREW = Field(
    name="crew_id", label=N_("哪个施工队（派其他施工队时）"), kind="choice", required=False, blank=" "
)
_PLAN = Field(name="plan", label=N_("准备怎么修"), kind="area", required=False, limit=2000)
_ROUTE_FIELDS = (
    Field(name="route", label=N_("谁来修"), kind="choice", options=repair_words.ROUTES),
    Field(
        name="reason",
        label=N_("不派原施工队的原因"),
        kind="choice",
        options=repair_words.REASONS,
        required=False,
        blank=" ",
    ),
    _CREW,
    Field(name="note", label=N_("备注（可不填）"), required=False),
)
_REACHED = {code: label for code, label in words.VERDICTS.items() if code != "not_reached"}

FORMS = (
    StepForm(
        step="route",
        title=N_("确定维修方"),
        button=N_("确定"),
        done=N_("已确定维修方。"),
        run=_route,
        fields=_ROUTE_FIELDS,
    ),
    StepForm(
        step="notify",
        title=N_("通知维修方"),
        button=N_("记下通知"),
        done=N_("已记下通知，等维修方联系客户。"),
        run=_notify,
        fields=(
            Field(name="way", label=N_("怎么通知的"), kind="choice", options=repair_words.WAYS),
            Field(name="whom", label=N_("通知了谁"), limit=40),
            Field(name="at", label=N_("时间（不填就是现在）"), kind="moment", required=False),
        ),
    ),
    StepForm(
        step="contact",
        title=N_("记录联系客户"),
        button=N_("保存"),
        done=N_("已记录。"),
        run=_contact,
        fields=(
            Field(name="says", label=N_("客户怎么说"), kind="area", limit=1000),
            Field(name="visit_from", label=N_("上门从（可不填）"), kind="moment", required=False),
            Field(name="visit_until", label=N_("到"), kind="moment", required=False),
            _PLAN,
        ),
    ),
    StepForm(
        step="appoint",
        title=N_("约定上门"),
        button=N_("保存约定"),
        done=N_("已记录约定的上门时间。"),
        run=_appoint,
        fields=(
            Field(name="visit_from", label=N_("上门从"), kind="moment"),
            Field(name="visit_until", label=N_("到"), kind="moment"),
            _PLAN,
        ),
    ),
    StepForm(
        step="finish",
        title=N_("记录上门结果"),
        button=N_("保存"),
        done=N_("已记录上门结果。"),
        run=_finish,
        fields=(
            Field(name="outcome", label=N_("结果"), kind="choice", options=repair_words.OUTCOMES),
            Field(name="result", label=N_("做了什么"), kind="area", limit=2000),
        ),
    ),
    StepForm(
        step="call_back",
        title=N_("记录回访"),
        button=N_("保存回访"),
        done=N_("已记录回访。"),
        run=_call_back,
        fields=(
            Field(name="problem", label=N_("问题现在"), kind="choice", options=words.PROBLEMS),
            Field(
                name="verdict",
                label=N_("客户对结果"),
                kind="choice",
                options=_REACHED,
                required=False,
                blank=" ",
            ),
            Field(
                name="contacted_in_time",
                label=N_("维修方按时联系了吗"),
                kind="choice",
                options=words.CONTACTED,
                required=False,
                blank=" ",
            ),
            Field(
                name="timely",
                label=N_("处理得及时吗"),
                kind="choice",
                options=repair_words.TIMELY,
                required=False,
                blank=" ",
            ),
            Field(name="remark", label=N_("客户怎么说"), kind="area", required=False, limit=1000),
            Field(
                name="no_visit_reason",
                label=N_("没有上门就解决了：怎么解决的"),
                required=False,
                limit=400,
            ),
            Field(name="call_id", label="", kind="hidden", required=False, limit=26),
        ),
    ),
    StepForm(
        step="close",
        title=N_("结案"),
        button=N_("结案"),
        done=N_("已结案。"),
        run=_close,
        fields=(Field(name="waiver", label=N_("免回访的原因（只有经理可填）"), required=False),),
    ),
    StepForm(
        step="reroute",
        title=N_("改派"),
        button=N_("改派"),
        done=N_("已改派，时限重新计算。"),
        run=_route,
        fields=_ROUTE_FIELDS,
    ),
    CALLED_AGAIN,
    REPLY,
)
_KNOWN = {form.step: form for form in FORMS}
NEXT = ("route", "notify", "contact", "appoint", "finish", "close", "call_back")
"""The first of these that is possible is what is next."""
NEXT_WORDS = {
    "route": N_("确定谁来修"),
    "notify": N_("通知维修方"),
    "contact": N_("维修方联系客户"),
    "appoint": N_("约定上门时间"),
    "finish": N_("上门维修"),
    "call_back": N_("回访客户"),
    "close": N_("结案"),
}
NEEDED = {"route": Permission.REPAIRS_ROUTE, "reroute": Permission.REPAIRS_ROUTE}


def _next(view: RepairView) -> str:
    steps = {step.value for step in view.steps}
    if view.status.value in ("visited", "callback"):
        return "close" if "close" in steps else "call_back"
    return next((step for step in NEXT if step in steps), "")


async def page(
    request: web.Request, case_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    """Return the page of a repair, after a refused step with what was written."""
    app, actor, user = request.app, current_actor(request), current_user(request)
    view = await app[CRM].repairs.reader.get(actor, case_id)
    now, case = app[DEPS].clock.now(), view.case
    history = await history_of(request, "repair", case_id, {})
    if attempt.seen:
        attempt.changed = since(history, attempt.seen)
    crews = await _crews(request)
    steps = {step.value for step in view.steps}
    owed = case.source == Source.HOTLINE_FORWARD.value and case.replied_to_source_at is None
    steps |= {CALLED_AGAIN.step} if case.closed_at is None else set()
    steps |= {REPLY.step} if owed and case.closed_at is None else set()
    agreed = await agreed_times(request, case.call_id) if steps & {"contact", "appoint"} else {}
    forms = [
        shown_form(
            form,
            _fields(form, crews, agreed),
            attempt,
            version=view.version,
            call_id=request.query.get("call", "")[:26],
        )
        for form in FORMS
        if form.step in steps and actor.can(NEEDED.get(form.step, Permission.CASES_REGISTER))
    ]
    upcoming = _next(view)
    card = None
    if user.can(Permission.CUSTOMERS_VIEW):
        try:
            card = await app[DIRECTORY].card(case.customer_id)
        except NotFound:
            card = None
    dues = sorted(
        (due for due in (due_of(timer, now) for timer in view.timers) if due), key=lambda due: due.at
    )
    done = request.query.get("done", "")
    context = {
        "view": view,
        "case": case,
        "kind": labels.word(labels.CASE_KINDS, case.kind.value),
        "status": labels.word(labels.CASE_STATUSES, case.status.value),
        "status_tone": words.STATUS_TONES.get(case.status.value, ""),
        "severity": labels.word(words.SEVERITIES, case.severity),
        "severity_tone": words.SEVERITY_TONES.get(str(case.severity), ""),
        "target": words.target_text(case.nature, case.urgency),
        "source": labels.word(words.SOURCES, case.source),
        "class_word": labels.word(repair_words.CLASSES, view.repair_class.value),
        "item_states": labels.words(repair_words.ITEM_STATES),
        "item_tones": repair_words.ITEM_TONES,
        "warranty_word": labels.word(repair_words.WARRANTIES, view.warranty.flag.value),
        "warnings": [labels.word(repair_words.WARNINGS, item.value) for item in view.warnings],
        "routes": labels.words(repair_words.ROUTES),
        "reasons": labels.words(repair_words.REASONS),
        "outcomes": labels.words(repair_words.OUTCOMES),
        "ways": labels.words(repair_words.WAYS),
        "problem_words": labels.words(words.PROBLEMS),
        "verdicts": labels.words(words.VERDICTS),
        "next_text": labels.word(NEXT_WORDS, upcoming) if upcoming else gettext("已经办结"),
        "next_form": next((form for form in forms if form.form.step == upcoming), None),
        "more_forms": [form for form in forms if form.form.step != upcoming],
        "card": card,
        "dues": dues,
        "history": history,
        "attempt": attempt,
        "files": await app[CRM].repairs.attachments.of_case(actor, case_id),
        "done_text": _done(done, view),
        "seen": now.isoformat(),
        "call_texts": await texts_of_case(request, case_id),
        "zone_key": app[DEPS].settings.timezone.key,
    }
    return render(request, "cases/repair.html", context, status=status)


def _done(done: str, view: RepairView) -> str:
    if done == "registered":
        return gettext("已登记，单号 %(no)s。") % {"no": view.no}
    told = _KNOWN.get(done)
    return gettext(told.done) if told else ""


async def _crews(request: web.Request) -> dict[str, str]:
    query = select(Crew.id, Crew.name).where(Crew.status == "active").order_by(Crew.name)
    async with request.app[DEPS].database.session() as session:
        return {str(key): str(name) for key, name in (await session.execute(query)).all()}


def _fields(form: StepForm, crews: Mapping[str, str], agreed: Mapping[str, str]) -> tuple[Field, ...]:
    known = (replace(item, options=crews) if item.name == "crew_id" else item for item in form.fields)
    return tuple(replace(item, start=agreed.get(item.name, item.start)) for item in known)


async def take_step(request: web.Request, case_id: str, step: str) -> web.StreamResponse:
    """Take a step of a repair; refused, the page comes back with what was written."""
    app, actor = request.app, current_actor(request)
    form: Mapping[str, object] = dict(await request.post())
    reader = Reader(form, app[DEPS].settings.timezone)
    known = _KNOWN.get(step)
    if known is None:
        raise NotFound("no such step", field="step")
    fields = _fields(known, await _crews(request), {})
    attempt = Attempt(step=step, form=form)

    async def run(values: Mapping[str, Any]) -> object:
        return await known.run(
            AskedRepair(
                crm=app[CRM],
                actor=actor,
                case_id=case_id,
                expected=reader.number("version"),
                values=values,
            )
        )

    if status := await try_step(reader, fields, attempt, run, note_refusal):
        return await page(request, case_id, attempt, status=status)
    return see_other(f"/cases/{case_id}?done={step}")
