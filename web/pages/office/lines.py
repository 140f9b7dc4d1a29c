"""One cause line as its department works on it, with a thumb: sign or send back, then a step at a time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from crm.attachments import AttachmentView, Purpose
from crm.complaint_input import Acceptance, NewVisit
from crm.complaint_views import ComplaintView, LineView
from crm.domain.complaint_line import AcceptMode, LineStatus
from crm.domain.handoff import SignatureKind, Signed
from kernel.access import Actor
from kernel.errors import Invalid, NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_files import STEP as FILES
from web.pages.case_files import photos_of, places_of, upload_form
from web.pages.case_forms import Field
from web.pages.case_parts import due_of
from web.pages.case_steps import LINE_FORMS, Asked
from web.pages.case_steps import RECORD as CASE_RECORD
from web.pages.customer_call import call_box
from web.pages.office.parts import (
    Attempt,
    Step,
    back,
    files_of,
    masked_phones,
    read_form,
    reader_of,
    show_step,
    take_refusal,
)
from web.pages.shell import render, see_other
from web.pages.step_taken import try_step
from web.permissions import Permission, requires

LONGEST_STROKES = 400_000


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/lines/{line_id}", show)
    app.router.add_post("/lines/{line_id}/steps/{step}", take_step)
    app.router.add_get("/lines/{line_id}/steps/{step}", back)


async def _accept(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.accept(
        asked.actor,
        asked.line_id,
        asked.expected,
        Acceptance(
            signature=signed(values),
            mode=AcceptMode(values["mode"]),
            person=values["person"] or None,
            planned_visit_at=values["planned_visit_at"],
            planned_plan_at=values["planned_plan_at"],
            planned_solve_at=values["planned_solve_at"],
        ),
    )


async def _visit(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.record_visit(
        asked.actor,
        asked.line_id,
        asked.expected,
        NewVisit(
            arrived_at=values["arrived_at"],
            left_at=values["left_at"],
            who=values["who"],
            record=values["record"],
            photos=values.get("photos", ()),
        ),
    )


def signed(values: Mapping[str, Any]) -> Signed:
    """Return the signature of a form: the PIN where there is one, else what was drawn.

    Raises:
        Invalid: neither is there, or the drawing cannot be read.
    """
    if values["pin"]:
        return Signed(kind=SignatureKind.PIN, pin=values["pin"])
    return Signed(kind=SignatureKind.DRAWN, strokes=read_strokes(values["strokes"]))


def read_strokes(raw: str) -> list[list[list[float]]]:
    """Return the lines that the page's canvas recorded. Raises Invalid when they are none."""
    try:
        strokes = json.loads(raw or "[]")
        found = [[[float(part) for part in point] for point in stroke] for stroke in strokes]
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid("is no drawing", field="signature.strokes") from error
    if not found:
        raise Invalid("nothing was drawn", field="signature.strokes")
    return found


ACCEPT = Step(
    name="accept",
    title=N_("签收"),
    button=N_("签名接收"),
    done=N_("已签收。接下来请在时限内电话联系客户核实。"),
    run=_accept,
    fields=(
        Field(name="mode", label=N_("怎么处理"), kind="choice", options=words.ACCEPT_MODES),
        Field(name="person", label=N_("经办人（可不填）"), required=False, limit=40),
        Field(name="planned_visit_at", label=N_("计划上门（可不填）"), kind="moment", required=False),
        Field(name="planned_plan_at", label=N_("计划出方案（可不填）"), kind="moment", required=False),
        Field(name="planned_solve_at", label=N_("计划解决（可不填）"), kind="moment", required=False),
        Field(name="strokes", label=N_("签名"), kind="strokes", required=False, limit=LONGEST_STROKES),
        Field(
            name="pin",
            label=N_("不方便手写时，填 4 到 12 位数字的签收密码"),
            kind="pin",
            required=False,
            limit=12,
        ),
    ),
    signature=True,
)

ORDER = ("accept", "verify", "agree_visit", "plan", "decide", "visit", "done", "reject", "assign")
FIRST: Mapping[LineStatus, tuple[str, ...]] = {
    LineStatus.VERIFIED: ("plan", "agree_visit"),
    LineStatus.VISIT_AGREED: ("visit",),
    LineStatus.VISITED: ("plan", "done"),
    LineStatus.PLANNED: ("visit", "done"),
    LineStatus.ON_SITE: ("done",),
    LineStatus.UNSOLVED: ("plan",),
    LineStatus.PLAN_REFUSED: ("plan",),
}
"""What a department does next as a rule; the rest is offered after it."""
_FROM_CASES = {form.step: form for form in LINE_FORMS}


def _steps() -> dict[str, Step]:
    found: dict[str, Step] = {"accept": ACCEPT}
    for name in ORDER[1:]:
        form = _FROM_CASES[name]
        found[name] = Step(
            name=name,
            title=form.title,
            button=form.button,
            done=form.done,
            run=_visit if name == "visit" else form.run,
            fields=form.fields,
            hint=form.hint,
            photos=name == "visit",
        )
    return found


STEPS = _steps()
RECORD = Step(
    name=CASE_RECORD.step,
    title=CASE_RECORD.title,
    button=CASE_RECORD.button,
    done=CASE_RECORD.done,
    run=CASE_RECORD.run,
    fields=CASE_RECORD.fields,
    hint=CASE_RECORD.hint,
    photos=True,
)
"""Stands beside the steps: it is no step on the way."""
TAKEN = {**STEPS, RECORD.name: RECORD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point on the way of a line: reached, at hand, or ahead."""

    label: str
    state: str


def in_order(line: LineView) -> list[str]:
    """Return the steps that may be taken, what is next as a rule first."""
    first = FIRST.get(line.status, ())
    if line.status is LineStatus.VERIFIED and line.mode is AcceptMode.VISIT_FIRST:
        first = tuple(reversed(first))
    ranked = (*first, *(name for name in ORDER if name not in first))
    return [name for name in ranked if name in line.steps]


def way_of(line: LineView) -> list[Mark]:
    """Return the steps of a department as a way, with where the line is on it."""
    reached = [
        (gettext("签收"), line.accepted_at),
        (gettext("核实"), line.verified_at),
        (gettext("约上门"), line.visit_from),
        (gettext("方案"), line.plans[-1].made_at if line.plans else None),
        (gettext("上门"), line.visited_at),
        (gettext("解决"), line.done_at),
    ]
    last = max((place for place, (_, at) in enumerate(reached) if at is not None), default=-1)
    marks = []
    for place, (label, at) in enumerate(reached):
        state = "done" if at is not None else "now" if place == last + 1 else ""
        marks.append(Mark(label=label, state=state))
    return marks


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a line to those who work on it."""
    return await page(request, request.match_info["line_id"][:40], Attempt())


async def page(
    request: web.Request, line_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    """Return the page of a line, after a refused step with what was written."""
    app, actor = request.app, current_actor(request)
    crm, now = app[CRM], app[DEPS].clock.now()
    line = await crm.complaints.work.get(actor, line_id)
    view: ComplaintView = await crm.complaints.complaints.get(actor, line.case_id)
    files = await crm.repairs.attachments.of_case(actor, line.case_id)
    steps = [
        show_step(
            STEPS[name], attempt, action=f"/lines/{line_id}/steps/{name}", version=line.version, ident=name
        )
        for name in in_order(line)
    ]
    record = None
    if RECORD.name in line.steps:
        record = show_step(
            RECORD, attempt, action=f"/lines/{line_id}/steps/{RECORD.name}", version=0, ident=RECORD.name
        )
    shown = [*steps, record] if record else steps
    done = request.query.get("done", "")
    waiting = next((item for item in line.handoffs if item.state == "waiting"), None)
    everything = actor.can(Permission.CASES_VIEW_ALL)
    owed = [timer for timer in line.limits if everything or timer.owner.department == line.department]
    context = {
        "line": line,
        "case": view.header,
        "view": view,
        "status": labels.word(words.LINE_STATUSES, line.status.value),
        "tone": words.LINE_TONES.get(line.status.value, ""),
        "class_": labels.word(words.CLASSES, line.class_code),
        "subclass": labels.word(words.SUBCLASS_WORDS, line.subclass),
        "severity": labels.word(words.SEVERITIES, view.header.severity),
        "severity_tone": words.SEVERITY_TONES.get(str(view.header.severity), ""),
        "mode": labels.word(words.ACCEPT_MODES, line.mode.value) if line.mode else "",
        "dues": [due for due in (due_of(timer, now) for timer in owed) if due is not None],
        "way": way_of(line),
        "steps": steps,
        "record": record,
        "record_open": "note" in request.query,
        "record_kinds": labels.words(words.RECORD_KINDS),
        "shown": shown,
        "attempt": attempt,
        "kept": attempt.kept(tuple(TAKEN.values()), shown),
        "done_text": _done_text(done),
        "phones": await masked_phones(app, actor, view.header),
        "waiting": waiting,
        "own_hand_off": waiting is not None and waiting.sent_by_id == actor.user_id,
        "may_sign": actor.can(Permission.CASES_SIGN),
        "may_see_calls": current_user(request).can(Permission.CALLS_VIEW),
        "call_box": await call_box(request, line.case_id, f"line:{line_id}"),
        "photos": photos_of((line,), files),
        "other_files": [item for item in files if not _is_shown(item, line)],
        "places": places_of(files, view),
        "upload": upload_form(
            actor,
            view,
            line_id=line_id,
            chosen=str(attempt.form.get("line_id", "")) if attempt.step == FILES else line_id,
            problem=attempt.problem if attempt.step == FILES else "",
        ),
    }
    return render(request, "office/line.html", context, status=status)


def _done_text(done: str) -> str:
    if done == FILES:
        return gettext("文件已保存。")
    step = TAKEN.get(done)
    return gettext(step.done) if step else ""


def _is_shown(item: AttachmentView, line: LineView) -> bool:
    photos = [*(visit.photos for visit in line.visits), *(record.photos for record in line.records)]
    return any(item.attachment_id in named for named in photos)


@requires(Permission.CASES_VIEW)
async def take_step(request: web.Request) -> web.StreamResponse:
    """Take a step of a line; refused, the page comes back with what was written."""
    app, actor = request.app, current_actor(request)
    line_id, name = request.match_info["line_id"][:40], request.match_info["step"]
    step = TAKEN.get(name)
    if step is None:
        raise NotFound("no such step", field="step")
    line = await app[CRM].complaints.work.get(actor, line_id)
    form = await read_form(request)
    reader = reader_of(request, form)
    attempt = Attempt(step=name, form=form)

    async def run(values: dict[str, Any]) -> object:
        if step.signature:
            raw = form.get("strokes", "")
            values["strokes"] = raw[:LONGEST_STROKES] if isinstance(raw, str) else ""
        if step.photos:
            values["photos"] = await upload(app, actor, line.case_id, form, line_id=line_id)
        asked = Asked(
            services=app[CRM].complaints,
            actor=actor,
            case_id=line.case_id,
            line_id=line_id,
            expected=reader.number("version"),
            values=values,
        )
        return await step.run(asked)

    if status := await try_step(reader, step.fields, attempt, run, take_refusal):
        return await page(request, line_id, attempt, status=status)
    if name == "reject":
        return see_other("/inbox?done=reject")
    return see_other(f"/lines/{line_id}?done={name}" + ("#records" if step is RECORD else ""))


async def upload(
    app: web.Application,
    actor: Actor,
    case_id: str,
    form: Mapping[str, object],
    *,
    visit_id: str | None = None,
    line_id: str | None = None,
    purpose: Purpose = Purpose.PHOTO,
    name: str = "photos",
) -> tuple[str, ...]:
    """Put the photos of a form into a case; return their ids. The same photo sent twice is kept once."""
    found: list[str] = []
    for file in files_of(form, name):
        kept = await app[CRM].repairs.attachments.add(
            actor,
            case_id,
            content=file.content,
            name=file.filename,
            purpose=purpose,
            visit_id=visit_id,
            line_id=line_id,
        )
        found.append(kept.attachment_id)
    return tuple(dict.fromkeys(found))


def age_days(since: datetime, now: datetime) -> int:
    """Return for how many whole days something has been open."""
    return max(0, (now - since).days)
