"""Improvement measures: who does what against a problem, and whether it works (domain.md §1.15)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import select

from crm.domain.improvement import MeasureState
from crm.improvement_views import MeasureFilter, MeasurePage, MeasureView
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.file_response import file_response
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_parts import departments
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, row_step
from web.pages.lists.improvement_steps import ENTRIES, SET, STATES, STEPS, TONES
from web.pages.office.parts import (
    Attempt,
    ShownStep,
    Step,
    files_of,
    read_form,
    reader_of,
    take_refusal,
)
from web.pages.shell import render, see_other
from web.pages.step_taken import try_step
from web.permissions import Permission, accepts_files, requires
from web.tables import UserRow

HERE = "/lists/improvements"
PAGE = 50
USUAL = timedelta(days=30)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/steps/set", take_new)
    app.router.add_get(HERE + "/steps/set", back)
    app.router.add_get(HERE + "/{measure_id}", show_one)
    app.router.add_post(HERE + "/{measure_id}/steps/{step}", take)
    app.router.add_get(HERE + "/{measure_id}/steps/{step}", back)
    app.router.add_get("/improvement-files/{file_id}", show_file)


def kind_label(item: MeasureView) -> str:
    """Return class and sub-class of the complaints that a measure answers."""
    if item.class_code is None:
        return ""
    label = labels.word(words.CLASSES, item.class_code.value)
    return label + (" · " + labels.word(words.SUBCLASS_WORDS, item.subclass) if item.subclass else "")


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of measures by due date."""
    return await _list(request, RowAttempt())


@requires(Permission.CASES_VIEW)
async def show_one(request: web.Request) -> web.StreamResponse:
    """Show a measure."""
    return await _one(request, request.match_info["measure_id"][:40], RowAttempt())


@requires(Permission.CASES_VIEW)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the page of a form: a refused one has the address of its step, which somebody may reload."""
    measure_id = request.match_info.get("measure_id")
    return see_other(f"{HERE}/{measure_id[:40]}" if measure_id else HERE)


@requires(Permission.IMPROVEMENTS_SET)
async def take_new(request: web.Request) -> web.StreamResponse:
    """Set a measure."""
    status, tried, found = await _take(request, await _with_choices(request, SET), "new")
    if status:
        return await _list(request, tried, status=status)
    return see_other(f"{HERE}/{found.measure.measure_id}?done=set")


@requires(Permission.CASES_VIEW)
@accepts_files
async def take(request: web.Request) -> web.StreamResponse:
    """Take a step of a measure."""
    measure_id, step = request.match_info["measure_id"][:40], STEPS.get(request.match_info["step"])
    if step is None or step is SET:
        raise NotFound("no such step", field="step")
    status, tried, _ = await _take(request, await _with_choices(request, step), measure_id)
    if status:
        return await _one(request, measure_id, tried, status=status)
    return see_other(f"{HERE}/{measure_id}?done={step.name}")


async def _take(request: web.Request, step: Step, key: str) -> tuple[int, RowAttempt, Any]:
    """Take a step; its photos go first, so that what is refused keeps them."""
    crm, actor = request.app[CRM], current_actor(request)
    form = await read_form(request)
    reader = reader_of(request, form)
    tried = RowAttempt(key=key, attempt=Attempt(step=step.name, form=form))
    found: list[Any] = []

    async def run(values: dict[str, Any]) -> None:
        if step.photos:
            for file in files_of(form, "photos"):
                await crm.improvement_evidence.add(actor, key, content=file.content, name=file.filename)
        taken = {"improvements": crm.improvements, "actor": actor, "key": key, "values": values}
        found.append(await step.run(taken | {"version": reader.number("version")}))

    status = await try_step(reader, step.fields, tried.attempt, run, take_refusal)
    return status, tried, found[0] if found else None


async def _with_choices(request: web.Request, step: Step) -> Step:
    names = await departments(request)
    query = select(UserRow.user_id, UserRow.display_name, UserRow.department).where(
        UserRow.active, UserRow.department.is_not(None)
    )
    async with request.app[DEPS].database.session() as session:
        rows = (await session.execute(query.order_by(UserRow.department, UserRow.display_name))).all()
    people = {
        row.user_id: f"{row.display_name} · {names.get(row.department or '', row.department)}" for row in rows
    }
    options: dict[str, Mapping[str, str]] = {"department": names, "owner_id": people}
    fields = tuple(
        replace(item, options=options[item.name]) if item.name in options else item for item in step.fields
    )
    return replace(step, fields=fields)


async def _list(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    improvements, names = app[CRM].improvements, await departments(request)
    asked = {
        "state": request.query.get("state", "open"),
        "department": request.query.get("department", ""),
        "month": request.query.get("month", "")[:7],
    }
    wanted = MeasureFilter(
        is_open={"open": True, "over": False}.get(asked["state"]),
        overdue=asked["state"] == "overdue",
        department=asked["department"] if asked["department"] in names else None,
        month=asked["month"] or None,
    )
    problem, cursor = "", request.query.get("cursor")
    try:
        page = await improvements.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status = gettext("这一页已经过期，请从第一页开始。"), 400
        page = MeasurePage(items=(), next_cursor=None)
    steps: list[ShownStep] = []
    if actor.can(Permission.IMPROVEMENTS_SET):
        start = await _start(request)
        step = await _with_choices(request, SET)
        shown = row_step(step, tried, key="new", action=f"{HERE}/steps/set", start=start)
        steps.append(replace(shown, is_open=shown.is_open or "problem" in start or "case_id" in start))
    everything = actor.can(Permission.RED_LIST_VIEW)
    context = {
        "tabs": tabs_of(current_user(request)),
        "asked": asked,
        "names": names if everything else {},
        "rows": [(item, kind_label(item), labels.word(STATES, item.state.value)) for item in page.items],
        "tones": TONES,
        "steps": steps,
        "problem": problem,
        "done_text": "",
        "first": f"{HERE}?" + urlencode(asked) if cursor else "",
        "more": f"{HERE}?" + urlencode(asked | {"cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "lists/improvements.html", context, status=status)


async def _start(request: web.Request) -> dict[str, str]:
    """Return what stands in a new measure: taken from the cause or the complaint that somebody came from."""
    app, query = request.app, request.query
    start = {"due_on": (app[CRM].improvements.today() + USUAL).isoformat()}
    kept = ("department", "month", "class_code", "subclass")
    start |= {name: query[f"from_{name}"][:24] for name in kept if query.get(f"from_{name}")}
    case_id = query.get("case", "")[:26]
    if is_ulid(case_id):
        view = await app[CRM].complaints.complaints.get(current_actor(request), case_id)
        line = next(iter(view.lines), None)
        start |= {"case_id": case_id, "problem": line.cause if line else view.header.content}
        if line is not None:
            start |= {"department": line.department, "class_code": f"{line.class_code}"}
            start |= {"subclass": line.subclass} if line.subclass else {}
    elif start.get("class_code"):
        label = labels.word(words.CLASSES, start["class_code"])
        if start.get("subclass"):
            label += " · " + labels.word(words.SUBCLASS_WORDS, start["subclass"])
        start["problem"] = gettext("%(month)s 投诉集中在：%(cause)s") % {
            "month": start.get("month", ""),
            "cause": label,
        }
    return start


async def _one(
    request: web.Request, measure_id: str, tried: RowAttempt, *, status: int = 200
) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    found = await app[CRM].improvements.get(actor, measure_id)
    item = found.measure
    starts = {
        "change": {
            "problem": item.problem,
            "measure": item.measure,
            "due_on": item.due_on.isoformat(),
            "owner_id": item.owner_id or "",
        },
        "check": {"due_on": (app[CRM].improvements.today() + USUAL).isoformat()},
    }
    steps = [
        row_step(
            await _with_choices(request, STEPS[step.value]),
            tried,
            key=measure_id,
            action=f"{HERE}/{measure_id}/steps/{step.value}",
            version=item.version,
            start=starts.get(step.value),
        )
        for step in item.steps
    ]
    done = STEPS.get(request.query.get("done", ""))
    context = {
        "tabs": tabs_of(current_user(request)),
        "item": item,
        "kind": kind_label(item),
        "state": labels.word(STATES, item.state.value),
        "tone": TONES[item.state.value],
        "waits": item.state is MeasureState.REPORTED and "check" not in {step.value for step in item.steps},
        "history": [(entry, labels.word(ENTRIES, entry.step)) for entry in found.history],
        "evidence": found.evidence,
        "steps": steps,
        "refused": tried.attempt.problem if not any(step.is_open for step in steps) else "",
        "done_text": gettext(done.done) if done else "",
    }
    return render(request, "lists/improvement.html", context, status=status)


@requires(Permission.CASES_VIEW)
async def show_file(request: web.Request) -> web.StreamResponse:
    """Hand out a file of a measure, or with ``small`` its thumbnail."""
    stored = await request.app[CRM].improvement_evidence.open(
        current_actor(request), request.match_info["file_id"][:40], thumbnail="small" in request.query
    )
    return file_response(stored)
