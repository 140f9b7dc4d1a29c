"""One case: what it is, what is next, its lines with their forms, and everything that happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from crm.complaint_views import ComplaintView, LineView
from crm.domain.case import CaseKind, Severity
from crm.domain.group import Group
from kernel.access import Actor
from kernel.errors import NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages import repair_page, ticket_page
from web.pages.case_files import STEP as FILES
from web.pages.case_files import photos_of, places_of, upload_form
from web.pages.case_forms import Field, Reader
from web.pages.case_parts import Due, departments, due_of, has_page
from web.pages.case_shown import Attempt, ShownForm, history_of, shown_form, since
from web.pages.case_steps import LINE_FORMS, Asked, StepForm
from web.pages.case_texts import texts_of_case
from web.pages.complaint_steps import CASE_FORMS, OF_NEXT, asked_lines
from web.pages.shell import DIRECTORY, render, see_other
from web.pages.step_taken import note_refusal, try_step
from web.permissions import Permission, requires

_CASE = {form.step: form for form in CASE_FORMS}
_LINE = {form.step: form for form in LINE_FORMS}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/cases/{case_id}", show)
    app.router.add_post("/cases/{case_id}/steps/{step}", take_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """A line in words."""

    line: LineView
    status: str
    tone: str
    class_: str
    subclass: str
    mode: str
    due: Sequence[Due]
    forms: Sequence[ShownForm]
    sign_href: str


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a case of whatever kind."""
    actor = current_actor(request)
    header = await request.app[CRM].cases.get(actor, request.match_info["case_id"][:40])
    if header.kind is CaseKind.REPAIR:
        return await repair_page.page(request, header.case_id, Attempt())
    if header.kind is CaseKind.TICKET:
        return await ticket_page.page(request, header.case_id, Attempt())
    return await page(request, header.case_id, Attempt())


async def page(
    request: web.Request, case_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    """Return the page of a complaint, after a refused step with what was written."""
    app, actor, user = request.app, current_actor(request), current_user(request)
    view = await app[CRM].complaints.complaints.get(actor, case_id)
    now, zone = app[DEPS].clock.now(), app[DEPS].settings.timezone
    names = {line.line_id: line.department_name for line in view.lines}
    history = await history_of(request, "complaint", case_id, names, texts_hidden=view.header.texts_hidden)
    if attempt.seen:
        attempt.changed = since(history, attempt.seen)
    forms = _Forms(view, attempt, await departments(request), request.query.get("call", "")[:26])
    case_forms = [forms.of(form) for form in CASE_FORMS if form.step in view.steps]
    next_form = OF_NEXT.get(view.next_step.value, "")
    card = None
    if user.can(Permission.CUSTOMERS_VIEW):
        try:
            card = await app[DIRECTORY].card(view.header.customer_id)
        except NotFound:
            card = None
    dues = [due_of(timer, now) for timer in (*view.limits, *(t for ln in view.lines for t in ln.limits))]
    running = sorted((due for due in dues if due is not None), key=lambda due: due.at)
    done = request.query.get("done", "")
    files = await app[CRM].repairs.attachments.of_case(actor, case_id)
    context = {
        "view": view,
        "case": view.header,
        "kind": labels.word(labels.CASE_KINDS, view.header.kind.value),
        "status": labels.word(labels.CASE_STATUSES, view.header.status.value),
        "status_tone": words.STATUS_TONES.get(view.header.status.value, ""),
        "severity": labels.word(words.SEVERITIES, view.header.severity),
        "severity_tone": words.SEVERITY_TONES.get(str(view.header.severity), ""),
        "target": words.target_text(view.header.nature, view.header.urgency),
        "source": labels.word(words.SOURCES, view.header.source),
        "next_text": labels.word(words.NEXT_STEPS, view.next_step.value),
        "next_form": next((form for form in case_forms if form.form.step == next_form), None),
        "more_forms": [form for form in case_forms if form.form.step != next_form],
        "nearest": running[0] if running else None,
        "card": card,
        "project": next(
            (item for item in (card.projects if card else ()) if item.project_id == view.header.project_id),
            None,
        ),
        "lines": [_line(request, view, line, forms, now) for line in view.lines],
        "history": history,
        "attempt": attempt,
        "files": files,
        "group": await _group(app, actor, view),
        "places": places_of(files, view),
        "photos": photos_of(view.lines, files),
        "upload": upload_form(
            actor,
            view,
            chosen=str(attempt.form.get("line_id", "")) if attempt.step == FILES else "",
            problem=attempt.problem if attempt.step == FILES else "",
        ),
        "record_kinds": labels.words(words.RECORD_KINDS),
        "done_text": _done_text(done, view),
        "seen": now.isoformat(),
        "verdicts": labels.words(words.VERDICTS),
        "problem_words": labels.words(words.PROBLEMS),
        "timeliness": labels.words(words.TIMELINESS),
        "contacted": labels.words(words.CONTACTED),
        "handoff_states": labels.words(words.HANDOFF_STATES),
        "handoff_forms": labels.words(words.HANDOFF_FORMS),
        "next_words": labels.words(words.NEXT_STEPS),
        "sheet_page": has_page(app, "/handoffs/{handoff_id}/sheet"),
        "escalate_href": _escalate(app, view),
        "improve_href": f"/lists/improvements?case={case_id}"
        if user.can(Permission.IMPROVEMENTS_SET)
        else "",
        "call_texts": await texts_of_case(request, case_id),
        "zone_key": zone.key,
    }
    return render(request, "cases/case.html", context, status=status)


async def _group(app: web.Application, actor: Actor, view: ComplaintView) -> Group | None:
    """Return the group that an open complaint is one of, while it is not a major one."""
    header = view.header
    if header.closed_at is not None or header.severity >= Severity.MAJOR:
        return None
    return await app[CRM].groups.of_case(actor, header.project_id, header.case_id)


def _done_text(done: str, view: ComplaintView) -> str:
    if done == "registered":
        return gettext("已登记，单号 %(no)s。") % {"no": view.no}
    if done == FILES:
        return gettext("文件已保存。")
    told = _CASE.get(done) or _LINE.get(done)
    return gettext(told.done) if told else ""


@requires(Permission.CASES_VIEW)
async def take_step(request: web.Request) -> web.StreamResponse:
    """Take a step of a complaint or one of its lines; refused, the page comes back with what was written."""
    app, actor = request.app, current_actor(request)
    case_id, step = request.match_info["case_id"][:40], request.match_info["step"]
    header = await app[CRM].cases.get(actor, case_id)
    if header.kind is CaseKind.REPAIR:
        return await repair_page.take_step(request, case_id, step)
    if header.kind is CaseKind.TICKET:
        return await ticket_page.take_step(request, case_id, step)
    form: Mapping[str, object] = dict(await request.post())
    reader = Reader(form, app[DEPS].settings.timezone)
    line_id = reader.raw("line_id")[:40]
    known = (_LINE if line_id else _CASE).get(step)
    if known is None:
        raise NotFound("no such step", field="step")
    view = await app[CRM].complaints.complaints.get(actor, case_id)
    fields = _Forms(view, Attempt(), await departments(request), "").fields(known)
    attempt = Attempt(step=step, line_id=line_id, form=form)

    async def run(values: Mapping[str, Any]) -> object:
        return await known.run(
            Asked(
                services=app[CRM].complaints,
                actor=actor,
                case_id=case_id,
                line_id=line_id,
                expected=reader.number("version"),
                values=values,
            )
        )

    if status := await try_step(reader, fields, attempt, run, note_refusal):
        return await page(request, case_id, attempt, status=status)
    anchor = f"#line-{line_id}" if line_id else ""
    return see_other(f"/cases/{case_id}?done={step}{anchor}")


class _Forms:
    """Makes the forms of a complaint's page."""

    def __init__(self, view: ComplaintView, attempt: Attempt, known: Mapping[str, str], call_id: str) -> None:
        self._view = view
        self._attempt = attempt
        self._departments = known
        self._call_id = call_id

    def fields(self, form: StepForm) -> tuple[Field, ...]:
        """Return the fields of a form in this complaint."""
        found: list[Field] = []
        for item in form.fields:
            if item.name == "department":
                item = Field(
                    name=item.name,
                    label=item.label,
                    kind="choice",
                    options=self._departments,
                    required=item.required,
                    blank=item.blank,
                )
            found.append(item)
            if form.step == "callback" and item.name == "problem":
                found += [
                    Field(
                        name=f"line-{line.line_id}",
                        label=line.department_name,
                        kind="choice",
                        options=words.PROBLEMS,
                        required=False,
                        blank=gettext("同上"),
                    )
                    for line in asked_lines(self._view)
                ]
        return tuple(found)

    def of(self, form: StepForm, line: LineView | None = None) -> ShownForm:
        """Return a form of the complaint, or of one of its lines."""
        line_id = line.line_id if line else ""
        own = line is not None and form.step != "hand_off"
        return shown_form(
            form,
            self.fields(form),
            self._attempt,
            version=line.version if line is not None and own else self._view.version,
            line_id=line_id,
            call_id=self._call_id,
        )


def _line(
    request: web.Request, view: ComplaintView, line: LineView, forms: _Forms, now: datetime
) -> ShownLine:
    whole = "hand_off" in view.steps and sum("hand_off" in item.steps for item in view.lines) == 1
    return ShownLine(
        line=line,
        status=labels.word(words.LINE_STATUSES, line.status.value),
        tone=words.LINE_TONES.get(line.status.value, ""),
        class_=labels.word(words.CLASSES, line.class_code),
        subclass=labels.word(words.SUBCLASS_WORDS, line.subclass),
        mode=labels.word(words.ACCEPT_MODES, line.mode.value) if line.mode else "",
        due=[due for due in (due_of(timer, now) for timer in line.limits) if due is not None],
        forms=[
            forms.of(form, line)
            for form in LINE_FORMS
            if form.step in line.steps and not (form.step == "hand_off" and whole)
        ],
        sign_href=_sign(request.app, line),
    )


def _sign(app: web.Application, line: LineView) -> str:
    waiting = next((item for item in line.handoffs if item.state == "waiting"), None)
    if "accept" not in line.steps or waiting is None:
        return ""
    return f"/handoffs/{waiting.handoff_id}" if has_page(app, "/handoffs/{handoff_id}") else "/inbox"


def _escalate(app: web.Application, view: ComplaintView) -> str:
    if "escalate" not in view.steps or not has_page(app, "/escalations/new"):
        return ""
    return f"/escalations/new?case={view.case_id}"
