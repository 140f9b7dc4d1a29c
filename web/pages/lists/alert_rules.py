"""The rules of what is told at once: watchwords, and how many complaints are a heap; versions of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from aiohttp import web

from crm.alert_rules import MAX_WHY, NewRules
from crm.domain.alert_rules import MOST_COMPLAINTS, MOST_DAYS, ONE_CAUSE, AlertRules, HeapRule, Subject
from crm.domain.watchwords import MAX_WORD, MAX_WORDS, About
from kernel.errors import Invalid, StaleVersion
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.list_tabs import tabs_of
from web.pages.lists.heaps import KINDS
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

HERE = "/lists/alert-rules"
PAGE = 10
LONGEST = MAX_WORDS * (MAX_WORD + 2)
ABOUT = {
    "regulator": N_("监管或诉讼"),
    "media": N_("媒体曝光"),
    "other": N_("其他关注词"),
}
assert set(ABOUT) == {about.value for about in About}
_BETWEEN = re.compile(r"[\s,，、;；]+")


@dataclass(slots=True, kw_only=True)
class Typed:
    """What was written and refused stays on the page; ``problems`` by field."""

    form: Mapping[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE, publish)


@requires(Permission.LIMITS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the rules in force, what is planned, and what was in force before."""
    return await _page(request, Typed())


@requires(Permission.LIMITS_CONFIGURE)
async def publish(request: web.Request) -> web.StreamResponse:
    """Put the written rules in force."""
    posted = await request.post()
    form = {key: value[:LONGEST] for key, value in posted.items() if isinstance(value, str)}
    typed = Typed(form=form)
    new = _read(typed)
    if new is None:
        typed.problem = gettext("还有地方要改，请看红色的说明。")
        return await _page(request, typed, status=400)
    version = form.get("version", "")
    expected = int(version) if version.isdecimal() and len(version) < 9 else -1
    try:
        await request.app[CRM].alert_rules.publish(current_actor(request), new, expected=expected)
    except StaleVersion:
        typed.problem = gettext("别人刚刚改过规则。请核对现行规则，再发布一次。")
        return await _page(request, typed, status=412)
    except Invalid as error:
        typed.problems[error.field or ""] = _said(error.field or "")
        typed.problem = gettext("还有地方要改，请看红色的说明。")
        return await _page(request, typed, status=400)
    return see_other(HERE + "?done=1")


def _said(name: str) -> str:
    if name.startswith("words."):
        return gettext("每个词 2 到 %(n)s 个字，最多 %(m)s 个词。") % {"n": MAX_WORD, "m": MAX_WORDS}
    if name == "starts_on":
        return gettext("从今天起一年以内。")
    if name == "why":
        return gettext("最多 %(n)s 个字。") % {"n": MAX_WHY}
    return gettext("件数 2 到 %(n)s（0 为不提醒），天数 1 到 %(m)s。") % {
        "n": MOST_COMPLAINTS,
        "m": MOST_DAYS,
    }


def _read(typed: Typed) -> NewRules | None:
    form, wrong = typed.form, typed.problems
    heaps: dict[Subject, HeapRule] = {}
    for subject in Subject:
        name = f"heaps.{subject.value}"
        given = [form.get(f"{name}.{part}", "").strip() for part in ("needed", "days")]
        if not all(text.isascii() and text.isdigit() and len(text) < 5 for text in given):
            wrong[name] = _said(name)
            continue
        heaps[subject] = HeapRule(int(given[0]), int(given[1]))
    starts_on = None
    raw = form.get("starts_on", "").strip()
    if raw:
        try:
            starts_on = date.fromisoformat(raw[:10])
        except ValueError:
            wrong["starts_on"] = _said("starts_on")
    words = {
        about: [word for word in _BETWEEN.split(form.get(f"words.{about.value}", "")) if word]
        for about in About
    }
    if wrong:
        return None
    return NewRules(words=words, heaps=heaps, starts_on=starts_on, why=form.get("why", ""))


async def _page(request: web.Request, typed: Typed, *, status: int = 200) -> web.StreamResponse:
    actor, book = current_actor(request), request.app[CRM].alert_rules
    current, latest = await book.current(actor), await book.latest(actor)
    cursor = request.query.get("cursor")
    try:
        page = await book.versions(actor, cursor=cursor, limit=PAGE)
    except Invalid:
        cursor, page = None, await book.versions(actor, limit=PAGE)
    problems = {
        name.removesuffix(".needed").removesuffix(".days"): text for name, text in typed.problems.items()
    }
    context: dict[str, Any] = {
        "tabs": tabs_of(current_user(request)),
        "current": current,
        "latest": latest,
        "today": book.today(),
        "may_edit": actor.can(Permission.LIMITS_CONFIGURE),
        "values": _values(current) | dict(typed.form),
        "abouts": {code: gettext(label) for code, label in ABOUT.items()},
        "kinds": [
            (
                subject.value,
                gettext(KINDS[subject.value]),
                subject in ONE_CAUSE and subject is not Subject.CAUSE,
            )
            for subject in Subject
        ],
        "versions": [(item, _state(item, current, latest)) for item in page.items],
        "problems": problems,
        "problem": typed.problem,
        "longest": {"words": LONGEST, "why": MAX_WHY},
        "most": {"needed": MOST_COMPLAINTS, "days": MOST_DAYS},
        "more": f"{HERE}?cursor={page.next_cursor}" if page.next_cursor else "",
        "first": HERE if cursor else "",
        "done_text": gettext("已发布。之前提醒过的不变。") if request.query.get("done") else "",
    }
    return render(request, "lists/alert_rules.html", context, status=status)


def _state(item: AlertRules, current: AlertRules, latest: int) -> str:
    if item.version == current.version:
        return "current"
    return "planned" if item.version == latest and item.version > current.version else "past"


def _values(rules: AlertRules) -> dict[str, str]:
    found = {f"words.{about.value}": "、".join(rules.words.get(about, ())) for about in About}
    for subject in Subject:
        rule = rules.heaps.get(subject, HeapRule(0, 7))
        found[f"heaps.{subject.value}.needed"] = str(rule.needed)
        found[f"heaps.{subject.value}.days"] = str(rule.days)
    return found
