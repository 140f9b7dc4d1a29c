"""Where callers go: the rules in words, their text to change, every version."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ivr.domain.routing import OFFER, QueueRule, RoutingRules
from ivr.domain.routing_file import MAX_TEXT, RoutingInvalid
from ivr.routing_book import MAX_WHY, RoutingVersion
from kernel.errors import HuifangError, Invalid, StaleVersion
from web import labels
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.routing_words import CASE_WORDS, KNOWN_WORDS
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires
from web.routing_part import ROUTING

SPEAKERS: dict[str, str] = {"zh": N_("说中文的客户"), "en": N_("说英文的客户")}
WRONG: dict[str, str] = {
    "why": N_("请写明改了什么，最多 200 个字。"),
    "text": N_("还有错误，请看下面的说明。"),
    "If-Match": N_("别人刚刚修改了规则。请重新打开后再改。"),
}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/routing", show)
    app.router.add_post("/routing", publish)


@requires(Permission.ROUTING_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the rules in force."""
    return await _shown(request, None, None)


@requires(Permission.ROUTING_EDIT)
async def publish(request: web.Request) -> web.StreamResponse:
    """Put the rules in force for the next caller; what is wrong is shown beside what was typed."""
    form = await request.post()
    text, version = _text(form, "text"), _text(form, "version")
    try:
        if not (version.isascii() and version.isdigit() and len(version) < 9):
            raise StaleVersion("reload the page", field="If-Match")
        await request.app[ROUTING].book.publish(
            current_actor(request), text[: MAX_TEXT + 1], why=_text(form, "why"), expected=int(version)
        )
    except (Invalid, StaleVersion) as error:
        return await _shown(request, error, {"text": text[:MAX_TEXT], "why": _text(form, "why")[:MAX_WHY]})
    return see_other("/routing")


async def _shown(
    request: web.Request, error: HuifangError | None, typed: Mapping[str, str] | None
) -> web.Response:
    book, actor = request.app[ROUTING].book, current_actor(request)
    version = await book.current(actor)
    page = await book.versions(actor, limit=20)
    queues = labels.queue_names(await request.app[ROSTER].queues())
    context = {
        "version": version,
        "lines": _in_words(book.read(version), queues),
        "text": typed["text"] if typed else version.text,
        "why": typed["why"] if typed else "",
        "error": _told(error) if error else "",
        "problems": str(error).splitlines() if isinstance(error, RoutingInvalid) else (),
        "versions": (*page.items, RoutingVersion(version=0, text="")),
        "edits": current_user(request).can(Permission.ROUTING_EDIT),
        "longest": {"text": MAX_TEXT, "why": MAX_WHY},
    }
    status = 200 if error is None else 409 if isinstance(error, StaleVersion) else 400
    return render(request, "routing.html", context, status=status)


def _told(error: HuifangError) -> str:
    return labels.word(WRONG, error.field or "text")


def _in_words(rules: RoutingRules, queues: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the rules as somebody would say them: heading and sentence."""
    found: list[tuple[str, str]] = []
    for level, points in rules.levels.items():
        if points:
            found.append(
                (gettext("%(level)s 级客户") % {"level": level}, gettext("优先级加 %(n)s") % {"n": points})
            )
    for kind, case in rules.cases.items():
        said = [gettext("优先级加 %(n)s") % {"n": case.priority}] if case.priority else []
        if case.queue:
            said.append(
                gettext("只选人工的客户进入“%(queue)s”") % {"queue": queues.get(case.queue, case.queue)}
            )
        found.append((labels.word(CASE_WORDS, kind), gettext("；").join(said)))
    if rules.repeat_complaints:
        which = gettext("%(days)s 天内投诉 %(n)s 次") % {
            "days": rules.repeat_window.days,
            "n": rules.repeat_complaints,
        }
        found.append((which, gettext("优先级加 %(n)s") % {"n": rules.repeat_priority}))
    if rules.last_agent_for:
        whom = gettext("、").join(labels.word(KNOWN_WORDS, one.value) for one in sorted(rules.last_agent_for))
        said_first = gettext("%(days)s 天内通过话的坐席空闲时先振 %(n)s 秒：%(whom)s") % {
            "days": rules.last_agent_window.days,
            "n": int(rules.first.total_seconds()),
            "whom": whom,
        }
        found.append((gettext("上次的坐席"), said_first))
    for wanted, skill in (*rules.skill_by_language.items(), *rules.skill_by_queue.items()):
        found.append(
            (
                gettext(SPEAKERS[wanted]) if wanted in SPEAKERS else queues.get(wanted, wanted),
                gettext("有“%(skill)s”技能的空闲坐席先振 %(n)s 秒")
                % {"skill": skill, "n": int(rules.first.total_seconds())},
            )
        )
    if rules.say_ahead or rules.say_wait:
        said = [gettext("前面还有几位")] if rules.say_ahead else []
        said += [gettext("预计等多久（说不准时不说）")] if rules.say_wait else []
        found.append((gettext("进入排队时告诉客户"), gettext("、").join(said)))
    silent = [queues.get(name, name) for name in sorted(rules.unrecorded_queues)]
    silent += [gettext("%(level)s 级客户") % {"level": level} for level in sorted(rules.unrecorded_levels)]
    if silent:
        found.append((gettext("不录音"), gettext("、").join(silent)))
    for name, rule in rules.queues.items():
        found += [(queues.get(name, name), text) for text in _of_queue(rule, queues)]
    return found


def _of_queue(rule: QueueRule, queues: Mapping[str, str]) -> list[str]:
    def target(name: str) -> str:
        return gettext("请客户留言或登记回电") if name == OFFER else queues.get(name, name)

    said = []
    if rule.hours is not None:
        said.append(gettext("服务时间以外：%(to)s") % {"to": target(rule.closed)})
    if rule.waiting:
        said.append(
            gettext("%(n)s 人在等、没有人空闲：%(to)s") % {"n": rule.waiting, "to": target(rule.over)}
        )
    if rule.longest is not None:
        said.append(
            gettext("等了 %(n)s 秒：%(to)s")
            % {"n": int(rule.longest.total_seconds()), "to": target(rule.over)}
        )
    return said


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""
