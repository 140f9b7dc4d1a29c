"""What customers said in their own words: heard, classified, and passed on to departments."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from callback_campaigns.answer_review import Ruling
from callback_campaigns.answer_said import CLASSES, CLEAR, SECRET, UNCLASSED, Heard, ReviewFilter, Said
from crm.domain.complaint import FIRST_DEPARTMENT
from crm.domain.spoken import Opinion
from crm.exports import Export
from crm.sheets import Cell
from kernel.errors import Invalid, StaleVersion
from kernel.ids import is_ulid
from speech.reading.sensitive import without_numbers
from web import labels
from web.callback_part import CALLBACKS
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import case_words
from web.pages.exports import SLOTS, form_of, send_file, time_cell
from web.pages.people_forms import Form, read_form, text
from web.pages.shell import render, see_other
from web.permissions import Permission, requires, streaming
from web.problems import status_of

HERE = "/callback-voices"
PAGE = 30
PART = "X-Part"
"""A header of the page's own script: the row comes back alone, so that what plays goes on playing."""
CLASS_WORDS = {str(CLEAR): N_("无问题"), **case_words.CLASSES}
assert set(CLASS_WORDS) == {str(code) for code in CLASSES}
HEARD_WORDS = {Heard.UNHEARD: N_("没听"), Heard.HEARD: N_("已听"), Heard.ALL: N_("全部")}
KEYS = {"10": "-"}
"""Keys of classes that are not their number: the one beside the nought."""
OPINIONS: dict[str, str] = {
    Opinion.UNCLEAR: N_("听不准，请人听"),
    Opinion.DISSATISFIED: N_("不满意"),
    Opinion.CALL: N_("希望回电"),
    Opinion.SATISFIED: N_("满意"),
}
TONES: dict[str, str] = {
    Opinion.UNCLEAR: "amber",
    Opinion.DISSATISFIED: "brick",
    Opinion.CALL: "violet",
    Opinion.SATISFIED: "green",
}
PROBLEMS = {
    "text": N_("请写客户说的话，最多2000字。"),
    "department": N_("请选转给哪个部门；廉洁问题只转客户服务部。"),
    "words": N_("请写明客户说了什么。"),
    "class_code": N_("没有问题就不用转部门；要转，请选问题类别。"),
    "why": N_("改动已有的归类，请写明理由。"),
    "If-Match": N_("同事刚处理过这一条，下面是最新情况。"),
}
TITLES = (
    N_("时间"), N_("客户"), N_("问题"), N_("种类"), N_("时长（秒）"), N_("客户怎么说"), N_("听过的时间"),
    N_("听的人"), N_("归类"), N_("归类人"), N_("改类理由"), N_("问题单"),
)  # fmt: skip


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_get(HERE + ".{form}", export)
    app.router.add_post(HERE + "/{said_id}/heard", heard)
    app.router.add_post(HERE + "/{said_id}/class", classify)
    app.router.add_post(HERE + "/{said_id}/text", correct)
    for step in ("heard", "class", "text"):
        app.router.add_get(HERE + "/{said_id}/" + step, back)


@requires(Permission.CALLBACKS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what was said, newest first."""
    return await _page(request)


@requires(Permission.CALLBACKS_WORK)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the list: a refused form has the address of its step, which somebody may reload."""
    return see_other(HERE)


@requires(Permission.CALLBACKS_WORK)
async def heard(request: web.Request) -> web.StreamResponse:
    """Note that somebody has listened."""
    said = await request.app[CALLBACKS].review.heard(current_actor(request), request.match_info["said_id"])
    return await _done(request, said, "heard")


@requires(Permission.CALLBACKS_WORK)
async def classify(request: web.Request) -> web.StreamResponse:
    """Note what it is about, and pass it on where a department is named."""
    form, said_id = await read_form(request), request.match_info["said_id"]
    review, actor = request.app[CALLBACKS].review, current_actor(request)
    try:
        said = await review.classify(actor, said_id, _ruling(form), expected=_version(form))
    except (Invalid, StaleVersion) as error:
        problem = gettext(PROBLEMS.get(error.field or "", N_("请检查填写的内容。")))
        if PART in request.headers:
            return await _row(request, await review.get(actor, said_id), problem, status=status_of(error))
        return await _page(request, problem, status=status_of(error))
    return await _done(request, said, "ticket" if text(form, "department") else "class")


@requires(Permission.CALLBACKS_WORK)
async def correct(request: web.Request) -> web.StreamResponse:
    """Put the text of a recording right."""
    form, said_id = await read_form(request), request.match_info["said_id"]
    review, actor = request.app[CALLBACKS].review, current_actor(request)
    try:
        said = await review.correct(
            actor, said_id, without_numbers(text(form, "text")), expected=_version(form)
        )
    except (Invalid, StaleVersion) as error:
        problem = gettext(PROBLEMS.get(error.field or "", N_("请检查填写的内容。")))
        if PART in request.headers:
            return await _row(request, await review.get(actor, said_id), problem, status=status_of(error))
        return await _page(request, problem, status=status_of(error))
    return await _done(request, said, "text")


@streaming
@requires(Permission.EXPORT)
async def export(request: web.Request) -> web.StreamResponse:
    """Send the list as a file, filtered as the page is."""
    form, wanted = form_of(request), _wanted(asked_of(request))
    titles: list[Cell] = [gettext(title) for title in TITLES]
    time = time_cell(request)

    def row(said: Said) -> list[Cell]:
        return [
            time(said.at),
            said.customer,
            said.asked or gettext("客户留言"),
            gettext("录音") if said.is_recording else gettext("文字"),
            round(said.seconds) if said.seconds is not None else "",
            said.text,
            time(said.heard_at),
            said.heard_by or "",
            labels.word(CLASS_WORDS, str(said.class_code)) if said.class_code is not None else "",
            said.classed_by or "",
            said.note,
            " ".join(no for _, no in said.cases),
        ]

    with request.app[SLOTS].one():
        actor = current_actor(request)
        found: Export[Said] = await request.app[CALLBACKS].review.export(actor, wanted, form=form)
        return await send_file(request, form, "callback-voices", titles, found, row)


def asked_of(request: web.Request) -> dict[str, str]:
    """Return what the address asks for; the address of notices says ``unheard``."""
    query = request.query
    store, code, which = query.get("store", ""), query.get("class", ""), query.get("heard", "")
    opinion = query.get("opinion", "")
    return {
        "kind": "text" if query.get("kind") == "text" else "",
        "heard": which if which in set(Heard) else Heard.UNHEARD.value,
        "class": code if code in {*CLASS_WORDS, str(UNCLASSED)} else "",
        "store": store if is_ulid(store) else "",
        "opinion": opinion if opinion in OPINIONS else "",
    }


def _wanted(asked: Mapping[str, str]) -> ReviewFilter:
    return ReviewFilter(
        written=bool(asked["kind"]),
        heard=Heard(asked["heard"]),
        store_id=asked["store"] or None,
        class_code=int(asked["class"]) if asked["class"] else None,
        opinion=Opinion(asked["opinion"]) if asked["opinion"] else None,
    )


def _ruling(form: Form) -> Ruling:
    code = text(form, "class_code")
    if code not in CLASS_WORDS:
        raise Invalid("no such class", field="class_code")
    department = text(form, "department") or None
    return Ruling(
        class_code=int(code), why=text(form, "why"), department=department, words=text(form, "words")
    )


def _version(form: Form) -> int | None:
    given = text(form, "version")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


async def _done(request: web.Request, said: Said, done: str) -> web.StreamResponse:
    if PART in request.headers:
        return await _row(request, said, done=done)
    return see_other(f"{HERE}?" + urlencode({**_given(asked_of(request)), "done": done}))


def _given(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


async def _words(request: web.Request) -> dict[str, Any]:
    """Return what rows need, in a list and alone."""
    departments = await request.app[CALLBACKS].review.departments()
    first = {str(int(one)): code for one, code in FIRST_DEPARTMENT.items() if code in departments}
    return {
        "departments": departments,
        "classes": labels.words(CLASS_WORDS),
        "natures": labels.words(case_words.NATURES),
        "keys": {code: KEYS.get(code, code) for code in CLASS_WORDS},
        "first_department": first,
        "secret": {str(code) for code in SECRET},
        "opinions": labels.words(OPINIONS),
        "tones": TONES,
        "may_open": current_actor(request).can(Permission.CASES_REGISTER),
        "given": urlencode(_given(asked_of(request))),
    }


async def _row(
    request: web.Request, said: Said, problem: str = "", *, done: str = "", status: int = 200
) -> web.StreamResponse:
    context = {**await _words(request), "row": said, "row_problem": problem, "row_done": done}
    return render(request, "callbacks/said.html", context, status=status)


async def _page(request: web.Request, problem: str = "", *, status: int = 200) -> web.StreamResponse:
    actor, review = current_actor(request), request.app[CALLBACKS].review
    asked = asked_of(request)
    wanted = _wanted(asked)
    cursor = request.query.get("cursor") if request.method == "GET" else None
    try:
        page = await review.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status, cursor = gettext("这一页已经过期，请从第一页开始。"), 400, None
        page = await review.page(actor, wanted, limit=PAGE)
    counts = await review.counts(actor, wanted)
    given = urlencode(_given(asked))
    stores = await request.app[CRM].people.organisation.stores(actor)
    shown = [
        (
            which.value,
            gettext(label),
            counts.of(which),
            f"{HERE}?" + urlencode({**_given(asked), "heard": which}),
        )
        for which, label in HEARD_WORDS.items()
    ]
    context = {
        **await _words(request),
        "asked": asked,
        "rows": page.items,
        "counts": shown,
        "stores": {store.store_id: store.name for store in stores},
        "class_choices": {str(UNCLASSED): gettext("还没归类"), **labels.words(CLASS_WORDS)},
        "problem": problem,
        "done": request.query.get("done", ""),
        "may_export": actor.can(Permission.EXPORT),
        "first": f"{HERE}?{given}" if cursor else "",
        "more": f"{HERE}?{given}&" + urlencode({"cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "callbacks/voices.html", context, status=status)
