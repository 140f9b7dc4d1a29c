"""One repair on the captain's telephone: call, appointment, on the way, there, done; photos; re-route."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from sqlalchemy import select

from crm.attachments import Purpose
from crm.domain.case import CaseStatus
from crm.domain.repair import Route, RouteReason, VisitOutcome
from crm.point_jobs import GIVEN_IN, JobEnd, PointJobs, PointJobView
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment
from crm.repair_services import RepairServices
from crm.repair_views import RepairView, VisitView
from crm.tables import Crew
from kernel.access import Actor
from kernel.errors import Invalid, NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages import repair_words
from web.pages.case_forms import Field
from web.pages.case_parts import due_of
from web.pages.customer_call import call_box
from web.pages.office.ink import drawn_png
from web.pages.office.lines import LONGEST_STROKES, read_strokes, upload
from web.pages.office.parts import (
    Attempt,
    ShownStep,
    Step,
    back,
    masked_phones,
    read_form,
    reader_of,
    show_step,
    take_refusal,
)
from web.pages.shell import render, see_other
from web.pages.step_taken import try_step
from web.permissions import Permission, requires
from web.pop import readable


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/captain/{case_id}", show)
    app.router.add_post("/captain/{case_id}/steps/{step}", take_step)
    app.router.add_get("/captain/{case_id}/steps/{step}", back)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A step that somebody takes."""

    services: RepairServices
    points: PointJobs
    actor: Actor
    case_id: str
    expected: int
    values: Mapping[str, Any]


def _appointment(values: Mapping[str, Any]) -> NewAppointment:
    if values["visit_from"] is None or values["visit_until"] is None:
        raise Invalid("says when it begins and when it ends", field="visit_until")
    return NewAppointment(
        from_=values["visit_from"], until=values["visit_until"], plan=values["plan"] or None
    )


async def _contact(taken: Taken) -> object:
    values = taken.values
    agreed = _appointment(values) if values["visit_from"] or values["visit_until"] else None
    return await taken.services.work.contact(
        taken.actor,
        taken.case_id,
        expected=taken.expected,
        contact=CustomerContact(says=values["says"], appointment=agreed),
    )


async def _appoint(taken: Taken) -> object:
    return await taken.services.work.appoint(
        taken.actor, taken.case_id, expected=taken.expected, agreed=_appointment(taken.values)
    )


async def _depart(taken: Taken) -> object:
    return await taken.services.work.depart(taken.actor, taken.case_id, expected=taken.expected)


async def _arrive(taken: Taken) -> object:
    return await taken.services.work.arrive(taken.actor, taken.case_id, expected=taken.expected)


async def _finish(taken: Taken) -> object:
    values, attachments = taken.values, taken.services.attachments
    signature_id = None
    if values["strokes"]:
        picture = await asyncio.to_thread(drawn_png, read_strokes(values["strokes"]))
        kept = await attachments.add(
            taken.actor,
            taken.case_id,
            content=picture,
            name="signature.png",
            purpose=Purpose.SIGNATURE,
        )
        signature_id = kept.attachment_id
    return await taken.services.work.finish(
        taken.actor,
        taken.case_id,
        expected=taken.expected,
        outcome=VisitOutcome(values["outcome"]),
        result=values["result"],
        signature_id=signature_id,
    )


async def _reroute(taken: Taken) -> object:
    values = taken.values
    route = Route(values["route"])
    return await taken.services.repairs.route(
        taken.actor,
        taken.case_id,
        expected=taken.expected,
        asked=AskedRoute(
            route=route,
            reason=RouteReason(values["reason"]),
            note=values["note"],
            crew_id=(values["crew_id"] or None) if route is Route.OTHER_CREW else None,
        ),
    )


async def _give(taken: Taken) -> object:
    values = taken.values
    return await taken.points.give(
        taken.actor,
        taken.case_id,
        expected=taken.expected,
        point_id=values["point_id"],
        note=values["note"],
    )


async def _take_back(taken: Taken) -> object:
    return await taken.points.take_back(
        taken.actor, taken.case_id, expected=taken.expected, why=taken.values["why"]
    )


async def _photos(taken: Taken) -> object:
    """The photos were stored before: nothing else is to be done."""
    return None


_FROM = Field(name="visit_from", label=N_("上门从"), kind="moment")
_UNTIL = Field(name="visit_until", label=N_("到"), kind="moment")
_PLAN = Field(name="plan", label=N_("准备怎么修"), kind="area", limit=2000)

STEPS = (
    Step(
        name="contact",
        title=N_("联系客户"),
        button=N_("保存"),
        done=N_("已记录和客户的联系。"),
        hint=N_("约好了时间就一起填，没约好可以以后再约。"),
        run=_contact,
        fields=(
            Field(name="says", label=N_("客户怎么说"), kind="area", limit=1000),
            replace(_FROM, label=N_("上门从（没约好可不填）"), required=False),
            replace(_UNTIL, required=False),
            replace(_PLAN, required=False),
        ),
    ),
    Step(
        name="appoint",
        title=N_("约时间"),
        button=N_("保存约定"),
        done=N_("已约好上门时间。"),
        run=_appoint,
        fields=(_FROM, _UNTIL, replace(_PLAN, label=N_("准备怎么修（不变可不填）"), required=False)),
    ),
    Step(name="depart", title=N_("出发"), button=N_("出发了"), done=N_("已记录出发。"), run=_depart),
    Step(name="arrive", title=N_("到达"), button=N_("到了"), done=N_("已记录到达。"), run=_arrive),
    Step(
        name="finish",
        title=N_("完成上门"),
        button=N_("完成上门"),
        done=N_("已记录这次上门。"),
        run=_finish,
        fields=(
            Field(name="outcome", label=N_("结果"), kind="choice", options=repair_words.OUTCOMES),
            Field(name="result", label=N_("做了什么"), kind="area", limit=2000),
            Field(
                name="strokes",
                label=N_("客户签名（客户在家时）"),
                kind="strokes",
                required=False,
                limit=LONGEST_STROKES,
            ),
        ),
        photos=True,
        signature=True,
    ),
    Step(
        name="photos",
        title=N_("加照片"),
        button=N_("上传"),
        done=N_("照片已保存。"),
        run=_photos,
        photos=True,
    ),
    Step(
        name="point",
        title=N_("交给维修点"),
        button=N_("交给维修点"),
        done=N_("已交给维修点。"),
        hint=N_("上门、费用照样在这里登记，算作这个维修点的。"),
        run=_give,
        fields=(
            Field(name="point_id", label=N_("哪个维修点"), kind="choice", blank=N_("请选择")),
            Field(name="note", label=N_("说明（换维修点时必填）"), required=False, limit=200),
        ),
    ),
    Step(
        name="take_back",
        title=N_("从维修点收回"),
        button=N_("收回"),
        done=N_("已从维修点收回。"),
        run=_take_back,
        fields=(Field(name="why", label=N_("原因"), limit=200),),
    ),
    Step(
        name="reroute",
        title=N_("改派"),
        button=N_("改派"),
        done=N_("已改派，时限重新计算。"),
        run=_reroute,
        fields=(
            Field(
                name="route",
                label=N_("改由谁修"),
                kind="choice",
                options={
                    "captain": repair_words.ROUTES["captain"],
                    "other_crew": repair_words.ROUTES["other_crew"],
                },
            ),
            Field(
                name="crew_id",
                label=N_("哪支施工队"),
                kind="choice",
                required=False,
                blank=N_("维修队长自己修"),
            ),
            Field(name="reason", label=N_("原因"), kind="choice", options=repair_words.REASONS),
            Field(name="note", label=N_("说明（可不填）"), required=False),
        ),
    ),
)
OWED = frozenset({"BX.R2", "BX.R3", "BX.K0"})
"""Limits of whoever repairs; the callback is customer service's to make."""
BY_NAME = {step.name: step for step in STEPS}
_PERMISSION = {
    "reroute": Permission.REPAIRS_ROUTE,
    "point": Permission.REPAIRS_ROUTE,
    "take_back": Permission.REPAIRS_ROUTE,
}
JOB_ENDS = {"taken_back": N_("已收回"), "given_on": N_("转给别的维修点"), "rerouted": N_("已改派")}
assert set(JOB_ENDS) == {end.value for end in JobEnd}


@requires(Permission.REPAIRS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a repair."""
    return await page(request, request.match_info["case_id"][:40], Attempt())


async def page(
    request: web.Request, case_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    """Return a repair's page, after a refused step with what was written."""
    app, actor = request.app, current_actor(request)
    view = await app[CRM].repairs.reader.get(actor, case_id)
    now = app[DEPS].clock.now()
    jobs = await app[CRM].point_jobs.of_case(actor, case_id)
    steps = await _steps(request, view, attempt, jobs)
    files = await app[CRM].repairs.attachments.of_case(actor, case_id)
    done = BY_NAME.get(request.query.get("done", ""))
    owed = [timer for timer in view.timers if timer.code in OWED]
    open_visit = next((item for item in view.visits if not item.done_at and not item.cancelled_at), None)
    context = {
        "view": view,
        "case": view.case,
        "status": labels.word(labels.CASE_STATUSES, view.status.value),
        "tone": words.STATUS_TONES.get(view.status.value, ""),
        "class_": labels.word(repair_words.CLASSES, view.repair_class.value),
        "warnings": [labels.word(repair_words.WARNINGS, item.value) for item in view.warnings],
        "warranty": labels.word(repair_words.WARRANTIES, view.warranty.flag.value),
        "route": labels.word(repair_words.ROUTES, view.route.value) if view.route else "",
        "reason": labels.word(repair_words.REASONS, view.route_reason.value) if view.route_reason else "",
        "outcomes": labels.words(repair_words.OUTCOMES),
        "dues": [due for due in (due_of(timer, now) for timer in owed) if due is not None],
        "phones": await masked_phones(app, actor, view.case),
        "open_visit": open_visit,
        "jobs": jobs,
        "job_ends": labels.words(JOB_ENDS),
        "readable": readable,
        "steps": steps,
        "attempt": attempt,
        "kept": attempt.kept(STEPS, steps),
        "done_text": gettext(done.done) if done else "",
        "photos": [item for item in files if item.purpose is not Purpose.SIGNATURE],
        "signatures": {item.attachment_id: item for item in files if item.purpose is Purpose.SIGNATURE},
        "cost_owed": view.cost_owed,
        "call_box": await call_box(request, case_id, "captain"),
    }
    return render(request, "office/repair.html", context, status=status)


async def _steps(
    request: web.Request, view: RepairView, attempt: Attempt, jobs: Sequence[PointJobView]
) -> list[ShownStep]:
    actor = current_actor(request)
    works = view.route is not Route.ORIGINAL and view.route is not None
    possible = {step.value for step in view.steps} if works else {"reroute"} & {s.value for s in view.steps}
    if works and view.case.closed_at is None:
        possible.add("photos")
    if view.route is Route.CAPTAIN and view.status in GIVEN_IN:
        possible |= {"point", "take_back"} if jobs and jobs[0].ended_at is None else {"point"}
    under_way = next((item for item in view.visits if not item.done_at and not item.cancelled_at), None)
    if under_way is not None:
        possible -= {"point", "take_back"}
    rank = {name: place for place, name in enumerate(_order(view.status, there=_is_there(under_way)))}
    ranked = sorted(STEPS, key=lambda step: rank.get(step.name, len(rank)))
    found: list[ShownStep] = []
    for step in ranked:
        if step.name not in possible or not actor.can(_PERMISSION.get(step.name, Permission.REPAIRS_WORK)):
            continue
        chosen = await _with_choices(request, step)
        if step.name == "point" and not chosen.fields[0].options:
            continue  # No point has an agreement that holds.
        found.append(
            show_step(
                chosen,
                attempt,
                action=f"/captain/{view.case_id}/steps/{step.name}",
                version=view.version,
            )
        )
    return found


def _is_there(visit: VisitView | None) -> bool:
    return visit is not None and visit.arrived_at is not None


def _order(status: CaseStatus, *, there: bool) -> tuple[str, ...]:
    """Return what comes first; the rest follows in the order of the way."""
    if there:
        return ("finish", "photos")
    return ("depart", "arrive", "finish", "appoint") if status is CaseStatus.APPOINTED else ()


async def _with_choices(request: web.Request, step: Step) -> Step:
    if step.name == "point":
        points = await request.app[CRM].repair_points.points(current_actor(request), valid_only=True)
        names = {point.point_id: f"{point.district} · {point.name}" for point in points}
        return replace(step, fields=(replace(step.fields[0], options=names), *step.fields[1:]))
    if step.name != "reroute":
        return step
    query = select(Crew.id, Crew.name).where(Crew.status == "active").order_by(Crew.name)
    async with request.app[DEPS].database.session() as session:
        crews = {str(key): str(name) for key, name in (await session.execute(query)).all()}
    fields = tuple(replace(item, options=crews) if item.name == "crew_id" else item for item in step.fields)
    return replace(step, fields=fields)


@requires(Permission.REPAIRS_WORK)
async def take_step(request: web.Request) -> web.StreamResponse:
    """Take a step of a repair; refused, the page comes back with what was written."""
    app, actor, case_id = request.app, current_actor(request), request.match_info["case_id"][:40]
    known = BY_NAME.get(request.match_info["step"])
    if known is None:
        raise NotFound("no such step", field="step")
    step = await _with_choices(request, known)
    view = await app[CRM].repairs.reader.get(actor, case_id)
    form = await read_form(request)
    reader = reader_of(request, form)
    attempt = Attempt(step=step.name, form=form)
    visit = next((item for item in view.visits if not item.done_at and not item.cancelled_at), None)

    async def run(values: Mapping[str, Any]) -> object:
        if step.photos:
            await upload(app, actor, case_id, form, visit_id=visit.visit_id if visit else None)
        return await step.run(
            Taken(
                services=app[CRM].repairs,
                points=app[CRM].point_jobs,
                actor=actor,
                case_id=case_id,
                expected=reader.number("version"),
                values=values,
            )
        )

    if status := await try_step(reader, step.fields, attempt, run, take_refusal):
        return await page(request, case_id, attempt, status=status)
    if step.name == "reroute":
        return see_other("/captain?done=reroute")
    return see_other(f"/captain/{case_id}?done={step.name}")
