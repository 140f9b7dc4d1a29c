"""Knowledge articles: found, read, found useful, written and corrected."""

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.complaint import ComplaintClass
from crm.domain.knowledge import Area
from crm.domain.search_text import MAX_QUERY
from crm.knowledge import MAX_ANSWER, MAX_QUESTION, MAX_WHY, Knowledge
from crm.knowledge_views import ArticleText, ArticleView
from crm.search import Kind
from crm.search_asked import SearchRefused
from kernel.errors import DeadlineExceeded, Invalid, StaleVersion
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_words import CLASSES
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

PAGE = 100
HITS = 50
AREAS: dict[str, str] = {
    Area.USE: N_("施工与使用"),
    Area.PRICE: N_("价格与付款"),
    Area.AFTER_SALE: N_("售后与保修"),
    Area.COMPLAINTS: N_("投诉与建议"),
}
WRONG = {
    "question": N_("请写问题，最多 120 个字。"),
    "answer": N_("请写答案，最多 8000 个字。"),
    "keywords": N_("关键词最多 20 个，每个 2 到 20 个字，用空格隔开。"),
    "valid_from": N_("请填写有效的日期。"),
    "valid_to": N_("失效日期不能早于生效日期。"),
    "area": N_("请选择类别。"),
    "classes": N_("请选择投诉分类。"),
    "why": N_("请写明原因，最多 200 个字。"),
    "If-Match": N_("别人刚刚修改了这篇文章。请重新打开后再改。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What stands in the form's fields."""

    area: str = Area.AFTER_SALE.value
    question: str = ""
    answer: str = ""
    keywords: str = ""
    classes: tuple[str, ...] = ()
    valid_from: str = ""
    valid_to: str = ""
    why: str = ""
    version: str = ""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/knowledge", show)
    app.router.add_get("/knowledge/new", show_new)
    app.router.add_post("/knowledge/new", create)
    app.router.add_get("/knowledge/{article_id}", read)
    app.router.add_post("/knowledge/{article_id}/vote", vote)
    app.router.add_get("/knowledge/{article_id}/edit", show_edit)
    app.router.add_post("/knowledge/{article_id}/edit", edit)
    app.router.add_post("/knowledge/{article_id}/withdraw", withdraw)


def articles_of(request: web.Request) -> Knowledge:
    """Return the service of articles."""
    return request.app[CRM].knowledge


@requires(Permission.KNOWLEDGE_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the articles of an area, or those that have the words that were typed."""
    actor, knowledge = current_actor(request), articles_of(request)
    query = " ".join(request.query.get("q", "").split())[: MAX_QUERY + 1]
    area = next((known for known in Area if known.value == request.query.get("area")), None)
    problem = ""
    if query:
        found: tuple[ArticleView, ...] = ()
        try:
            page = await request.app[CRM].search.search(actor, query, kinds=(Kind.ARTICLE,), limit=HITS)
            found = await knowledge.by_ids(actor, [hit.ref_id for hit in page.items])
        except (SearchRefused, DeadlineExceeded):
            problem = gettext("请写至少两个字的词，最多八个词。")
        if area is not None:
            found = tuple(article for article in found if article.area is area)
    else:
        found = await knowledge.articles(actor, area=area, limit=PAGE)
    words = {"q": query} if query else {}
    tabs = [("", gettext("全部"), "/knowledge?" + urlencode(words))]
    tabs += [
        (code.value, labels.word(AREAS, code), "/knowledge?" + urlencode({**words, "area": code.value}))
        for code in Area
    ]
    context = {
        "articles": found,
        "areas": {code: labels.word(AREAS, code) for code in Area},
        "query": query,
        "chosen": area.value if area else "",
        "tabs": tabs,
        "problem": problem,
        "longest": MAX_QUERY,
        "edits": current_user(request).can(Permission.KNOWLEDGE_EDIT),
    }
    return render(request, "knowledge/list.html", context)


@requires(Permission.KNOWLEDGE_VIEW)
async def read(request: web.Request) -> web.StreamResponse:
    """Show an article and what it was before."""
    actor, knowledge = current_actor(request), articles_of(request)
    article_id = request.match_info["article_id"]
    article = await knowledge.read(actor, article_id)
    return _article(request, article, await knowledge.versions(actor, article_id))


def _article(
    request: web.Request,
    article: ArticleView,
    versions: object,
    *,
    error: str = "",
    status: int = 200,
) -> web.Response:
    context = {
        "article": article,
        "area": labels.word(AREAS, article.area),
        "versions": versions,
        "classes": [labels.word(CLASSES, code) for code in article.classes],
        "edits": current_user(request).can(Permission.KNOWLEDGE_EDIT),
        "error": error,
        "longest_why": MAX_WHY,
    }
    return render(request, "knowledge/article.html", context, status=status)


@requires(Permission.KNOWLEDGE_VIEW)
async def vote(request: web.Request) -> web.StreamResponse:
    """Note that the article was useful, or take it back."""
    form = await request.post()
    article_id = request.match_info["article_id"]
    await articles_of(request).vote(current_actor(request), article_id, useful=form.get("useful") == "yes")
    return see_other(f"/knowledge/{article_id}")


@requires(Permission.KNOWLEDGE_EDIT)
async def show_new(request: web.Request) -> web.StreamResponse:
    """Show an empty form."""
    return _form(request, None, Form(valid_from=articles_of(request).today().isoformat()))


@requires(Permission.KNOWLEDGE_EDIT)
async def create(request: web.Request) -> web.StreamResponse:
    """Write an article."""
    form = await _read_form(request)
    try:
        made = await articles_of(request).write(current_actor(request), _text(form))
    except Invalid as error:
        return _form(request, None, form, field=error.field or "")
    return see_other(f"/knowledge/{made.article_id}")


@requires(Permission.KNOWLEDGE_EDIT)
async def show_edit(request: web.Request) -> web.StreamResponse:
    """Show an article in the form."""
    article = await articles_of(request).read(current_actor(request), request.match_info["article_id"])
    form = Form(
        area=article.area.value,
        question=article.question,
        answer=article.answer,
        keywords=" ".join(article.keywords),
        classes=tuple(str(code) for code in article.classes),
        valid_from=article.valid_from.isoformat(),
        valid_to=article.valid_to.isoformat() if article.valid_to else "",
        version=str(article.version),
    )
    return _form(request, article.article_id, form)


@requires(Permission.KNOWLEDGE_EDIT)
async def edit(request: web.Request) -> web.StreamResponse:
    """Correct an article; what it said before stays among its versions."""
    form, article_id = await _read_form(request), request.match_info["article_id"]
    try:
        await articles_of(request).correct(
            current_actor(request), article_id, _text(form), expected=_version(form.version), why=form.why
        )
    except Invalid as error:
        return _form(request, article_id, form, field=error.field or "")
    except StaleVersion:
        return _form(request, article_id, form, field="If-Match", status=409)
    return see_other(f"/knowledge/{article_id}")


@requires(Permission.KNOWLEDGE_EDIT)
async def withdraw(request: web.Request) -> web.StreamResponse:
    """Offer an article no more."""
    actor, knowledge = current_actor(request), articles_of(request)
    article_id, form = request.match_info["article_id"], await _read_form(request)
    try:
        await knowledge.withdraw(actor, article_id, expected=_version(form.version), why=form.why)
    except (Invalid, StaleVersion) as error:
        article, versions = (
            await knowledge.read(actor, article_id),
            await knowledge.versions(actor, article_id),
        )
        stale = isinstance(error, StaleVersion)
        text = labels.word(WRONG, "If-Match" if stale else "why")
        return _article(request, article, versions, error=text, status=409 if stale else 400)
    return see_other(f"/knowledge/{article_id}")


def _form(
    request: web.Request, article_id: str | None, form: Form, *, field: str = "", status: int = 0
) -> web.Response:
    wrong = field.split(".", 1)[0]
    context = {
        "article_id": article_id,
        "form": form,
        "wrong": wrong,
        "error": labels.word(WRONG, wrong) if wrong in WRONG else (gettext("请检查内容。") if wrong else ""),
        "areas": [(code.value, labels.word(AREAS, code)) for code in Area],
        "classes": [(code, gettext(label)) for code, label in CLASSES.items()],
        "longest": {"question": MAX_QUESTION, "answer": MAX_ANSWER, "why": MAX_WHY},
    }
    return render(request, "knowledge/form.html", context, status=status or (400 if wrong else 200))


async def _read_form(request: web.Request) -> Form:
    posted = await request.post()

    def text(name: str) -> str:
        value = posted.get(name, "")
        return value if isinstance(value, str) else ""

    return Form(
        area=text("area"),
        question=text("question"),
        answer=text("answer"),
        keywords=text("keywords"),
        classes=tuple(str(value) for value in posted.getall("classes", [])[:20]),
        valid_from=text("valid_from"),
        valid_to=text("valid_to"),
        why=text("why"),
        version=text("version"),
    )


def _text(form: Form) -> ArticleText:
    """Return the form as the service wants it. Raises Invalid."""
    if form.area not in {area.value for area in Area}:
        raise Invalid("no such area", field="area")
    codes = {str(int(code)): int(code) for code in ComplaintClass}
    if any(code not in codes for code in form.classes):
        raise Invalid("no such class", field="classes")
    keywords = form.keywords[:2000]
    for mark in "，、,;；\n":
        keywords = keywords.replace(mark, " ")
    return ArticleText(
        area=Area(form.area),
        question=form.question,
        answer=form.answer,
        keywords=tuple(keywords.split()),
        classes=tuple(codes[code] for code in form.classes),
        valid_from=_day(form.valid_from, "valid_from"),
        valid_to=_day(form.valid_to, "valid_to"),
    )


def _day(raw: str, field: str) -> date | None:
    if not raw.strip():
        return None
    try:
        return date.fromisoformat(raw.strip())
    except ValueError as error:
        raise Invalid("no day", field=field) from error


def _version(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise StaleVersion("reload the page", field="If-Match")
    return int(raw)
