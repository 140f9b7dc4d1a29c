"""Calls are judged, disputed and calibrated; agents read how they were judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kernel.errors import Conflict, Forbidden, HuifangError, Invalid, NotFound, StaleVersion
from telephony.domain.quality import (
    MAX_COMMENT,
    MAX_MARK,
    MAX_MARKS,
    MAX_TEXT,
    Form,
    FormInvalid,
    Mark,
    State,
    Typed,
)
from telephony.quality import MAX_REASON, Review, spread
from telephony.quality_forms import MAX_WHY
from web import labels
from web.deps import DEPS
from web.i18n import N_, current_language, gettext
from web.identity import current_actor, current_user
from web.pages.recordings import ShownPart, shown_parts
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires, signed_in
from web.quality_part import QUALITY

LIST = "/quality"
STATES: dict[str, str] = {
    State.DRAWN: N_("待评"),
    State.DRAFT: N_("草稿"),
    State.PUBLISHED: N_("已公布"),
    State.DISPUTED: N_("申诉中"),
    State.SETTLED: N_("申诉已答复"),
}
TONES = {State.DRAWN: "", State.DRAFT: "amber", State.PUBLISHED: "green", State.DISPUTED: "brick"}
REASONS: dict[str, str] = {
    "week": N_("每周抽查"),
    "rating": N_("客户不满意"),
    "queue": N_("队列必查"),
    "person": N_("人工选中"),
    "calibration": N_("校准"),
}
TABS: dict[str, tuple[str, tuple[State, ...]]] = {
    "todo": (N_("待评"), (State.DRAWN, State.DRAFT)),
    "disputed": (N_("申诉"), (State.DISPUTED,)),
    "done": (N_("已完成"), (State.PUBLISHED, State.SETTLED)),
}
WRONG: dict[str, str] = {
    "state": N_("这份评分刚刚变了，请看现在的内容。"),
    "If-Match": N_("同事刚刚改过这份评分，请看现在的内容。"),
    "late": N_("公布已超过 7 天，不能再申诉。"),
    "reason": N_("请写明理由，最多 500 个字。"),
    "comment": N_("评语最多 1000 个字。"),
    "marks": N_("时刻要在录音之内，每条说明最多 200 个字，最多 50 条。"),
    "call_id": N_("只有坐席接听过、已经结束的通话可以评分。"),
    "calibration_id": N_("这次校准已经结束。"),
    "why": N_("请写明改了什么，最多 200 个字。"),
    "text": N_("还有错误，请看下面的说明。"),
    "own": N_("自己的评分由其他主管答复申诉。"),
    "missing": N_("还有没评的项目，请补上。"),
}
DONE: dict[str, str] = {
    "published": N_("已公布，坐席现在可以看到。"),
    "disputed": N_("已提交申诉，主管会尽快答复。"),
    "settled": N_("已答复。"),
    "form": N_("已发布，以后开始的评分用新的评分表。"),
    "calibrated": N_("您的评分已交，结束校准后大家才能看到。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A judgement in a list."""

    review: Review
    agent: str
    queue: str
    state: str
    tone: str
    reason: str


def setup(app: web.Application) -> None:
    """Add the routes; those with a name come before that of one judgement."""
    app.router.add_get(LIST, show_all)
    app.router.add_post(LIST, add)
    app.router.add_get(f"{LIST}/form", form)
    app.router.add_post(f"{LIST}/form", publish_form)
    app.router.add_post(f"{LIST}/calibrations", calibrate)
    app.router.add_get(f"{LIST}/calibrations/{{calibration_id}}", calibration)
    app.router.add_post(f"{LIST}/calibrations/{{calibration_id}}/own", own)
    app.router.add_post(f"{LIST}/calibrations/{{calibration_id}}/close", close)
    app.router.add_get(f"{LIST}/{{review_id}}", show)
    app.router.add_post(f"{LIST}/{{review_id}}", publish)
    app.router.add_post(f"{LIST}/{{review_id}}/draft", draft)
    app.router.add_post(f"{LIST}/{{review_id}}/dispute", dispute)
    app.router.add_post(f"{LIST}/{{review_id}}/settle", settle)


@signed_in
async def show_all(request: web.Request) -> web.StreamResponse:
    """Show what is to be judged and what was; agents see their own."""
    return await _list(request)


@requires(Permission.QUALITY_SCORE)
async def add(request: web.Request) -> web.StreamResponse:
    """Have a call judged that somebody chose."""
    posted = await request.post()
    try:
        review_id = await request.app[QUALITY].reviews.add(current_actor(request), _field(posted, "call_id"))
    except Conflict as error:
        return await _list(request, error)
    return see_other(f"{LIST}/{review_id}")


@signed_in
async def show(request: web.Request) -> web.StreamResponse:
    """Show one judgement, to be made, read, disputed or answered; agents see their own, once published."""
    return await _sheet(request)


@requires(Permission.QUALITY_SCORE)
async def draft(request: web.Request) -> web.StreamResponse:
    """Keep what was written so far; the answer is the version for the next time."""
    posted = await request.post()
    review = await request.app[QUALITY].reviews.save(
        current_actor(request),
        request.match_info["review_id"],
        await _typed(request, posted),
        expected=_number(_field(posted, "version")),
    )
    return web.json_response({"version": review.version}, headers={"Cache-Control": "no-store"})


@requires(Permission.QUALITY_SCORE)
async def publish(request: web.Request) -> web.StreamResponse:
    """Publish a judgement."""
    posted, review_id = await request.post(), request.match_info["review_id"]
    typed = await _typed(request, posted)
    try:
        review = await request.app[QUALITY].reviews.publish(
            current_actor(request), review_id, typed, expected=_number(_field(posted, "version"))
        )
    except (Invalid, Conflict) as error:
        return await _sheet(request, error=error, typed=typed)
    if review.calibration_id is not None:
        return see_other(f"{LIST}/calibrations/{review.calibration_id}?done=calibrated")
    return see_other(f"{LIST}/{review_id}?done=published")


@requires(Permission.DESK_USE)
async def dispute(request: web.Request) -> web.StreamResponse:
    """Say that one sees it otherwise."""
    posted, review_id = await request.post(), request.match_info["review_id"]
    agent_id = current_user(request).agent_id
    if agent_id is None:
        raise Forbidden("only the agent disputes a judgement")
    reason = _field(posted, "reason")
    try:
        await request.app[QUALITY].reviews.dispute(current_actor(request), agent_id, review_id, reason)
    except (Invalid, Conflict) as error:
        return await _sheet(request, error=error, reason=reason)
    return see_other(f"{LIST}/{review_id}?done=disputed")


@requires(Permission.QUALITY_SCORE)
async def settle(request: web.Request) -> web.StreamResponse:
    """Answer a dispute."""
    posted, review_id = await request.post(), request.match_info["review_id"]
    typed = await _typed(request, posted) if "correct" in posted else None
    reason = _field(posted, "reason")
    try:
        await request.app[QUALITY].reviews.settle(
            current_actor(request),
            review_id,
            typed,
            reason=reason,
            expected=_number(_field(posted, "version")),
        )
    except Forbidden:
        return await _sheet(request, error=Invalid("somebody else answers", field="own"), reason=reason)
    except (Invalid, Conflict) as error:
        return await _sheet(request, error=error, typed=typed, reason=reason)
    return see_other(f"{LIST}/{review_id}?done=settled")


@requires(Permission.QUALITY_SCORE)
async def form(request: web.Request) -> web.StreamResponse:
    """Show the form in force, and its versions."""
    return await _form_page(request)


@requires(Permission.QUALITY_CONFIGURE)
async def publish_form(request: web.Request) -> web.StreamResponse:
    """Put a form in force; what is wrong is shown beside what was typed."""
    posted = await request.post()
    text, why = _field(posted, "text"), _field(posted, "why")
    try:
        await request.app[QUALITY].book.publish(
            current_actor(request),
            text[: MAX_TEXT + 1],
            why=why,
            expected=_number(_field(posted, "version")),
        )
    except (Invalid, StaleVersion) as error:
        return await _form_page(request, error, text[:MAX_TEXT], why[:MAX_WHY])
    return see_other(f"{LIST}/form?done=form")


@requires(Permission.QUALITY_SCORE)
async def calibrate(request: web.Request) -> web.StreamResponse:
    """Give a call to everybody who judges."""
    posted = await request.post()
    try:
        found = await request.app[QUALITY].reviews.calibrate(
            current_actor(request), _field(posted, "call_id")
        )
    except Conflict as error:
        return await _list(request, error)
    return see_other(f"{LIST}/calibrations/{found}")


@requires(Permission.QUALITY_SCORE)
async def calibration(request: web.Request) -> web.StreamResponse:
    """Show who judged a call so far, and when it is closed where they differ."""
    services, actor = request.app[QUALITY], current_actor(request)
    found = await services.reviews.calibration(actor, request.match_info["calibration_id"])
    sheet = await services.book.form(found.form_version)
    context = {
        "found": found,
        "form": sheet,
        "spread": spread(found.reviews, sheet) if found.closed_at else {},
        "own": next((one for one in found.reviews if one.scorer_id == actor.user_id), None),
        "agent": (await _agents(request)).get(found.agent_id, ""),
        "done": labels.word(DONE, request.query.get("done", "")) if request.query.get("done") in DONE else "",
        **_words(),
    }
    return render(request, "quality/calibration.html", context)


@requires(Permission.QUALITY_SCORE)
async def own(request: web.Request) -> web.StreamResponse:
    """Begin one's own judgement of a calibration."""
    calibration_id = request.match_info["calibration_id"]
    review_id = await request.app[QUALITY].reviews.own_of(current_actor(request), calibration_id)
    return see_other(f"{LIST}/{review_id}")


@requires(Permission.QUALITY_SCORE)
async def close(request: web.Request) -> web.StreamResponse:
    """Show everybody what everybody wrote."""
    calibration_id = request.match_info["calibration_id"]
    await request.app[QUALITY].reviews.close_calibration(current_actor(request), calibration_id)
    return see_other(f"{LIST}/calibrations/{calibration_id}")


async def _list(request: web.Request, error: HuifangError | None = None) -> web.Response:
    user, actor, reviews = current_user(request), current_actor(request), request.app[QUALITY].reviews
    judges = user.can(Permission.QUALITY_SCORE)
    if not judges and (user.agent_id is None or not user.can(Permission.DESK_USE)):
        raise Forbidden("neither judges calls nor takes any")
    tab = request.query.get("tab", "") if judges else "done"
    tab = tab if tab in TABS else "todo"
    states = TABS[tab][1] if judges else tuple(State)
    agent_id = (request.query.get("agent", "") or None) if judges else user.agent_id
    page = await reviews.page(actor, states, agent_id=agent_id, cursor=request.query.get("cursor"))
    agents = await _agents(request)
    queues = labels.queue_names(await request.app[ROSTER].queues())
    standings = await reviews.standings(actor, agent_id=None if judges else user.agent_id)
    context = {
        "judges": judges,
        "configures": user.can(Permission.QUALITY_CONFIGURE),
        "tabs": [(code, gettext(words)) for code, (words, _) in TABS.items()],
        "tab": tab,
        "rows": [_row(one, agents, queues) for one in page.items],
        "more": page.next_cursor,
        "agent": agent_id or "",
        "standings": [(one, agents.get(one.agent_id, one.agent_id)) for one in standings],
        "calibrations": await reviews.calibrations(actor) if judges else (),
        "agents": agents,
        "error": _told(error) if error else "",
    }
    return render(request, "quality/list.html", context, status=_status(error))


def _row(review: Review, agents: Mapping[str, str], queues: Mapping[str, str]) -> Row:
    return Row(
        review=review,
        agent=agents.get(review.agent_id, review.agent_id),
        queue=queues.get(review.queue, review.queue),
        state=labels.word(STATES, review.state),
        tone=TONES.get(review.state, ""),
        reason=labels.word(REASONS, review.reason),
    )


async def _sheet(
    request: web.Request,
    *,
    error: HuifangError | None = None,
    typed: Typed | None = None,
    reason: str = "",
) -> web.Response:
    user, actor, services = current_user(request), current_actor(request), request.app[QUALITY]
    review = await services.reviews.get(actor, request.match_info["review_id"], agent_id=user.agent_id)
    sheet = await services.book.form(review.form_version)
    judges = user.can(Permission.QUALITY_SCORE)
    mine = review.scorer_id == actor.user_id
    missing = (error.field or "") if isinstance(error, Invalid) and error.field in _codes(sheet) else ""
    writes = judges and review.state in (State.DRAWN, State.DRAFT)
    context = {
        "row": _row(review, await _agents(request), labels.queue_names(await request.app[ROSTER].queues())),
        "review": review,
        "form": sheet,
        "typed": typed or review.typed,
        "recordings": await _recordings(request, review.call_id),
        "call": {"call_id": review.call_id},
        "may_download": False,
        "judges": judges,
        "writes": writes,
        "settles": judges and review.state is State.DISPUTED and not mine,
        "own_dispute": judges and review.state is State.DISPUTED and mine,
        "disputes": review.state is State.PUBLISHED and user.agent_id == review.agent_id,
        "reason": reason[:MAX_REASON],
        "longest": {"mark": MAX_MARK, "comment": MAX_COMMENT, "reason": MAX_REASON, "marks": MAX_MARKS},
        "missing": missing,
        "error": (_told(error) if not missing else labels.word(WRONG, "missing")) if error else "",
        "done": labels.word(DONE, request.query.get("done", "")) if request.query.get("done") in DONE else "",
        **_words(),
    }
    return render(request, "quality/sheet.html", context, status=_status(error))


async def _recordings(request: web.Request, call_id: str) -> tuple[ShownPart, ...]:
    try:
        call = await request.app[DEPS].history.get(call_id)
    except NotFound:
        return ()
    return await shown_parts(request, call, [])


async def _form_page(
    request: web.Request, error: HuifangError | None = None, text: str = "", why: str = ""
) -> web.Response:
    services, actor = request.app[QUALITY], current_actor(request)
    version = await services.book.current()
    context = {
        "version": version,
        "form": await services.book.form(),
        "text": text or version.text,
        "why": why,
        "versions": await services.book.versions(actor),
        "edits": current_user(request).can(Permission.QUALITY_CONFIGURE),
        "error": _told(error) if error else "",
        "problems": str(error).splitlines() if isinstance(error, FormInvalid) else (),
        "done": labels.word(DONE, "form") if request.query.get("done") == "form" else "",
        "longest": {"text": MAX_TEXT, "why": MAX_WHY},
        **_words(),
    }
    return render(request, "quality/form.html", context, status=_status(error))


async def _agents(request: web.Request) -> dict[str, str]:
    """Id → name and number."""
    return {one.agent_id: f"{one.name} {one.number}" for one in await request.app[ROSTER].agents()}


def _words() -> dict[str, Any]:
    english = current_language() == "en"
    return {"said": lambda one: one.label_en if english else one.label}


async def _typed(request: web.Request, posted: Mapping[str, Any]) -> Typed:
    """Read the form. Raises Invalid, which names the field."""
    services, actor = request.app[QUALITY], current_actor(request)
    review = await services.reviews.get(actor, request.match_info["review_id"])
    sheet = await services.book.form(review.form_version)
    points: dict[str, int | None] = {}
    for criterion in sheet.criteria:
        value = _field(posted, criterion.code)
        if value == "na" or _field(posted, f"na_{criterion.code}"):
            points[criterion.code] = None
        elif value:
            points[criterion.code] = _points(value)
    fatal = {one.code for one in sheet.fatal if _field(posted, f"fatal_{one.code}")}
    return Typed(
        points=points,
        fatal=frozenset(fatal),
        marks=_marks(_field(posted, "marks")),
        comment=_field(posted, "comment")[: MAX_COMMENT + 1],
    )


def _marks(text: str) -> tuple[Mark, ...]:
    """A line each: seconds, criterion, words, with tabulators between."""
    found = []
    for line in text.splitlines()[: MAX_MARKS + 1]:
        at, _, rest = line.partition("\t")
        code, _, words = rest.partition("\t")
        try:
            moment = float(at)
        except ValueError as error:
            raise Invalid("seconds, criterion and words", field="marks") from error
        found.append(Mark(at=moment, code=code, text=words.strip()[: MAX_MARK + 1]))
    return tuple(found)


def _codes(sheet: Form) -> frozenset[str]:
    return frozenset(one.code for one in sheet.criteria)


def _points(value: str) -> int:
    # What is no number fits no criterion.
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else -1


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _field(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def _told(error: HuifangError) -> str:
    return labels.word(WRONG, error.field or "text")


def _status(error: HuifangError | None) -> int:
    return 200 if error is None else 409 if isinstance(error, Conflict) else 400
