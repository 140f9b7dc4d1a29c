"""One problem ticket: what the callback found, the departments' parts, and the forms of its steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from crm.domain.case import Severity
from crm.domain.forwarded import ReplyWay
from crm.domain.handoff import SignatureKind, Signed
from crm.domain.ticket import ConvertWhy, Revisit
from crm.forwarded import NewReply
from crm.ticket_views import NewRevisit, TicketView
from kernel.access import Actor
from kernel.errors import NotFound
from web import labels
from web.crm_part import CRM, CrmServices
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages import ticket_words
from web.pages.case_forms import Field, Reader
from web.pages.case_parts import departments, due_of, has_page
from web.pages.case_shown import Attempt, history_of, shown_form, since
from web.pages.case_steps import CALL_ID, DEPARTMENT, REASON, StepForm
from web.pages.case_texts import texts_of_case
from web.pages.customer_call import call_box
from web.pages.shell import render, see_other
from web.pages.step_taken import note_refusal, try_step
from web.permissions import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTicket:
    """A step that somebody takes; ``part_id`` is empty for the ticket as a whole."""

    crm: CrmServices
    actor: Actor
    case_id: str
    part_id: str
    expected: int
    values: Mapping[str, Any]


async def _revisit(asked: AskedTicket) -> object:
    said = NewRevisit(said=Revisit(asked.values["said"]), note=asked.values["note"])
    return await asked.crm.tickets.end.revisit(asked.actor, asked.case_id, asked.expected, said)


async def _waive(asked: AskedTicket) -> object:
    reason = asked.values["reason"]
    return await asked.crm.tickets.end.waive(asked.actor, asked.case_id, asked.expected, reason)


async def _close(asked: AskedTicket) -> object:
    return await asked.crm.tickets.end.close(asked.actor, asked.case_id, asked.expected)


async def _convert(asked: AskedTicket) -> object:
    why, note = ConvertWhy(asked.values["why"]), asked.values["note"]
    return await asked.crm.tickets.end.convert(asked.actor, asked.case_id, asked.expected, why, note=note)


async def _severity(asked: AskedTicket) -> object:
    severity, reason = Severity(int(asked.values["severity"])), asked.values["reason"]
    return await asked.crm.tickets.end.set_severity(
        asked.actor, asked.case_id, asked.expected, severity, reason
    )


async def _add_part(asked: AskedTicket) -> object:
    return await asked.crm.tickets.tickets.add_part(
        asked.actor, asked.case_id, asked.expected, asked.values["department"]
    )


async def reply(asked: Any) -> object:
    """Note what the forwarding hotline was told; for every kind of case alike."""
    values = asked.values
    told = NewReply(way=ReplyWay(values["way"]), text=values["text"], told=values["told"])
    return await asked.crm.forwarded.reply(asked.actor, asked.case_id, asked.expected, told)


async def _reroute(asked: AskedTicket) -> object:
    values = asked.values
    return await asked.crm.tickets.tickets.reroute(
        asked.actor, asked.part_id, asked.expected, values["department"], values["reason"]
    )


async def _unfounded(asked: AskedTicket) -> object:
    reason = asked.values["reason"]
    return await asked.crm.tickets.tickets.unfounded(asked.actor, asked.part_id, asked.expected, reason)


async def _sign(asked: AskedTicket) -> object:
    signed = Signed(kind=SignatureKind.PIN, pin=asked.values["pin"])
    return await asked.crm.tickets.work.sign(asked.actor, asked.part_id, asked.expected, signed)


async def _refuse(asked: AskedTicket) -> object:
    reason = asked.values["reason"]
    return await asked.crm.tickets.work.refuse(asked.actor, asked.part_id, asked.expected, reason)


async def _solve(asked: AskedTicket) -> object:
    solution = asked.values["solution"]
    return await asked.crm.tickets.work.solve(asked.actor, asked.part_id, asked.expected, solution)


async def called_again(asked: Any) -> object:
    """Count a call of the customer; for repairs and tickets alike."""
    call_id = asked.values["call_id"] or None
    return await asked.crm.repeat_calls.note(
        asked.actor, asked.case_id, call_id=call_id, note=asked.values["note"]
    )


CALLED_AGAIN = StepForm(
    step="called_again",
    title=N_("客户再次来电"),
    button=N_("记下来电"),
    done=N_("已记下这次来电，没有另开新单。"),
    hint=N_("三十天内第二次来电，严重程度自动升为「严重」。"),
    run=called_again,
    versioned=False,
    fields=(
        Field(name="note", label=N_("客户这次说了什么"), kind="area", required=False, limit=400),
        CALL_ID,
    ),
)
REPLY = StepForm(
    step="reply_to_source",
    title=N_("回复转办热线"),
    button=N_("记下回复"),
    done=N_("已记录给转办热线的回复。"),
    run=reply,
    fields=(
        Field(name="way", label=N_("怎么回复的"), kind="choice", options=ticket_words.WAYS),
        Field(name="told", label=N_("对方是谁（可不填）"), required=False, limit=40),
        Field(name="text", label=N_("回复的内容"), kind="area", limit=2000),
    ),
)
FORMS = (
    StepForm(
        step="revisit",
        title=N_("记录回访"),
        button=N_("保存回访"),
        done=N_("已记录回访。"),
        run=_revisit,
        hint=N_("客户说没有解决，就自动转为投诉。"),
        fields=(
            Field(name="said", label=N_("问题现在"), kind="choice", options=ticket_words.REVISITS),
            Field(name="note", label=N_("客户怎么说"), kind="area", required=False, limit=1000),
        ),
    ),
    StepForm(step="close", title=N_("结案"), button=N_("结案"), done=N_("已结案。"), run=_close),
    REPLY,
    StepForm(
        step="convert",
        title=N_("转为投诉"),
        button=N_("转为投诉"),
        done=N_("已转为投诉。"),
        run=_convert,
        fields=(
            Field(name="why", label=N_("为什么"), kind="choice", options=ticket_words.WHY),
            Field(name="note", label=N_("客户怎么说"), kind="area", required=False, limit=1000),
        ),
    ),
    StepForm(
        step="add_part",
        title=N_("增加部门"),
        button=N_("增加"),
        done=N_("已增加部门。"),
        run=_add_part,
        fields=(DEPARTMENT,),
    ),
    StepForm(
        step="severity",
        title=N_("改严重程度"),
        button=N_("保存"),
        done=N_("已更改严重程度。"),
        run=_severity,
        hint=N_("从「严重」起自动转为投诉。"),
        fields=(
            Field(name="severity", label=N_("严重程度"), kind="choice", options=words.SEVERITIES),
            REASON,
        ),
    ),
    replace(CALLED_AGAIN, hint=N_("三十天内第二次来电就是「严重」，问题单自动转为投诉。")),
    StepForm(
        step="waive",
        title=N_("免回访"),
        button=N_("免回访"),
        done=N_("已免去回访。"),
        run=_waive,
        fields=(REASON,),
    ),
)
PART_FORMS = (
    StepForm(
        step="sign",
        title=N_("签收"),
        button=N_("签收"),
        done=N_("已签收。"),
        run=_sign,
        fields=(Field(name="pin", label=N_("签收密码（4 到 12 位数字）"), limit=12),),
    ),
    StepForm(
        step="refuse",
        title=N_("退回"),
        button=N_("退回客服"),
        done=N_("已退回客服。"),
        run=_refuse,
        fields=(REASON,),
    ),
    StepForm(
        step="solve",
        title=N_("报已解决"),
        button=N_("报已解决"),
        done=N_("已报客服，等回访。"),
        run=_solve,
        fields=(Field(name="solution", label=N_("怎么解决的"), kind="area", limit=2000),),
    ),
    StepForm(
        step="reroute",
        title=N_("改派"),
        button=N_("改派"),
        done=N_("已改派，时限重新计算。"),
        run=_reroute,
        fields=(DEPARTMENT, REASON),
    ),
    StepForm(
        step="unfounded",
        title=N_("按不属实结案"),
        button=N_("不属实结案"),
        done=N_("这条责任线已按不属实结案。"),
        run=_unfounded,
        fields=(REASON,),
    ),
)
_WHOLE = {form.step: form for form in FORMS}
_PART = {form.step: form for form in PART_FORMS}
NEXT = {"revisit": N_("回访客户"), "reply_to_source": N_("回复转办热线"), "close": N_("结案")}


def _next(view: TicketView) -> str:
    order = ("reply_to_source", "close", "revisit") if view.verified_at else ("revisit",)
    return next((step for step in order if step in view.steps), "")


def _next_text(view: TicketView, step: str) -> str:
    if step:
        return gettext(NEXT[step])
    if not view.header.status.is_open:
        return gettext("已经办结")
    refused = any("reroute" in part.steps for part in view.parts)
    return gettext("部门退回了：改派，或按不属实结案") if refused else gettext("部门正在处理，请留意时限")


async def page(
    request: web.Request, case_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    """Return the page of a ticket, after a refused step with what was written."""
    app, actor = request.app, current_actor(request)
    view = await app[CRM].tickets.tickets.get(actor, case_id)
    now, case = app[DEPS].clock.now(), view.header
    names = {part.part_id: part.department_name for part in view.parts}
    history = await history_of(request, "ticket", case_id, names, part="part")
    if attempt.seen:
        attempt.changed = since(history, attempt.seen)
    known = await departments(request)
    upcoming = _next(view)
    steps = set(view.steps)
    if case.closed_at is None and actor.can(Permission.CASES_REGISTER):
        steps.add(CALLED_AGAIN.step)
    call_id = request.query.get("call", "")[:26]
    forms = [
        shown_form(form, _fields(form, known), attempt, version=view.version, call_id=call_id)
        for form in FORMS
        if form.step in steps
    ]
    parts = [
        {
            "part": part,
            "status": labels.word(ticket_words.PARTS, part.status.value),
            "due": [due for due in (due_of(timer, now) for timer in part.limits) if due],
            "forms": [
                shown_form(form, _fields(form, known), attempt, version=part.version, line_id=part.part_id)
                for form in PART_FORMS
                if form.step in part.steps
            ],
        }
        for part in view.parts
    ]
    dues = [due for due in (due_of(timer, now) for timer in view.limits) if due]
    done = request.query.get("done", "")
    told = _WHOLE.get(done) or _PART.get(done)
    context = {
        "view": view,
        "case": case,
        "kind": labels.word(labels.CASE_KINDS, case.kind.value),
        "status": labels.word(labels.CASE_STATUSES, case.status.value),
        "status_tone": words.STATUS_TONES.get(case.status.value, ""),
        "severity": labels.word(words.SEVERITIES, case.severity),
        "severity_tone": words.SEVERITY_TONES.get(str(case.severity), ""),
        "source": labels.word(words.SOURCES, case.source),
        "dues": dues,
        "parts": parts,
        "next_text": _next_text(view, upcoming),
        "next_form": next((form for form in forms if form.form.step == upcoming), None),
        "more_forms": [form for form in forms if form.form.step != upcoming],
        "history": history,
        "attempt": attempt,
        "files": await app[CRM].repairs.attachments.of_case(actor, case_id),
        "done_text": gettext(told.done) if told else "",
        "call_box": await call_box(request, case_id, "case"),
        "handoff_states": labels.words(words.HANDOFF_STATES),
        "sheet_page": has_page(app, "/handoffs/{handoff_id}/sheet"),
        "seen": now.isoformat(),
        "call_texts": await texts_of_case(request, case_id),
        "zone_key": app[DEPS].settings.timezone.key,
    }
    return render(request, "cases/ticket.html", context, status=status)


def _fields(form: StepForm, known: Mapping[str, str]) -> tuple[Field, ...]:
    return tuple(replace(item, options=known) if item.name == "department" else item for item in form.fields)


async def take_step(request: web.Request, case_id: str, step: str) -> web.StreamResponse:
    """Take a step of a ticket or a part; refused, the page comes back with what was written."""
    app, actor = request.app, current_actor(request)
    form: Mapping[str, object] = dict(await request.post())
    reader = Reader(form, app[DEPS].settings.timezone)
    part_id = reader.raw("line_id")[:40]
    known = (_PART if part_id else _WHOLE).get(step)
    if known is None:
        raise NotFound("no such step", field="step")
    fields = _fields(known, await departments(request))
    attempt = Attempt(step=step, line_id=part_id, form=form)

    async def run(values: Mapping[str, Any]) -> object:
        return await known.run(
            AskedTicket(
                crm=app[CRM],
                actor=actor,
                case_id=case_id,
                part_id=part_id,
                expected=reader.number("version"),
                values=values,
            )
        )

    if status := await try_step(reader, fields, attempt, run, note_refusal):
        return await page(request, case_id, attempt, status=status)
    return see_other(f"/cases/{case_id}?done={step}")
