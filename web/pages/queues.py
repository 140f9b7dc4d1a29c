"""Queues and who works in them, as administrators keep them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from aiohttp import web

from kernel.errors import Conflict, HuifangError, Invalid, NotFound
from telephony.agent_views import AgentSnapshot
from telephony.asterisk.model import Strategy
from telephony.directing import Directing
from telephony.domain.queue import QueueSettings
from telephony.roster import MAX_PENALTY, QueueChanged, QueuesChanged
from web import labels
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires
from web.queue_admin import (
    MAX_LABEL,
    MAX_WEIGHT,
    QUEUE_ADMIN,
    SPANS,
    QueueAdmin,
    QueueInUse,
    QueueText,
    text_of,
)
from web.queue_uses import Need, QueueUses
from web.routing_part import ROUTING

LIST = "/admin/queues"
STRATEGIES: dict[str, str] = {
    Strategy.ROUND_ROBIN: N_("轮流：接着上次的往下"),
    Strategy.LEAST_RECENT: N_("最久没接电话的先振"),
    Strategy.FEWEST_CALLS: N_("接得最少的先振"),
    Strategy.RING_ALL: N_("一起振"),
    Strategy.RANDOM: N_("随机"),
    Strategy.WEIGHTED_RANDOM: N_("随机，级别靠前的机会大"),
    Strategy.ROUND_ROBIN_ORDERED: N_("轮流：按加入的先后"),
    Strategy.LINEAR: N_("总从第一位开始"),
}
WRONG: dict[str, str] = {
    "name": N_("代号要小写字母开头，只有小写字母、数字、横线，最多 32 个，不能和别的队列相同。"),
    "label_zh": N_("请填写名称，最多 40 个字，不要有分号。"),
    "label_en": N_("请填写英文名称，最多 40 个字，不要有分号。"),
    "strategy": N_("请选择怎么振铃。"),
    "ring_timeout": N_("振铃 3 到 120 秒。"),
    "wrap_up": N_("话后整理 0 到 3600 秒。"),
    "max_wait": N_("最长等待 0 到 7200 秒。"),
    "answer_within": N_("接听目标 1 到 600 秒。"),
    "weight": N_("先后 0 到 100。"),
    "penalty": N_("级别 0 到 100。"),
    "agent_id": N_("请选择坐席。"),
    "queue": N_("这个队列已经没有了。"),
}
CHANGED = N_("同事刚刚改过这个队列。您填的内容还在，请核对后再保存。")
MEMBERS_CHANGED = N_("同事刚刚调整过这位坐席的队列，请再看一下。")
IN_USE = N_("还有地方要用这个队列，现在不能停用。")
USES: dict[str, str] = {
    Need.DEFAULT: N_("系统设置里，没有别的去处的来电都到这里。"),
    Need.WAITING: N_("现在有 %(what)s 通电话在里面等。"),
    Need.PLACE: N_("有 %(what)s 位客户留了位置，等着回电。"),
    Need.FLOW: N_("导航“%(what)s”会转到这里。"),
    Need.ROUTING: N_("来电分配规则第 %(what)s 行写了它。"),
    Need.CAMPAIGN: N_("外呼“%(what)s”接通后到这里。"),
    Need.DISPOSITION: N_("处理结果“%(what)s”只给这个队列用。"),
}
assert set(USES) == set(Need)
NUMBERS = (*SPANS, "weight")
FLAGS = ("live_text", "rating")
DONE: dict[str, str] = {
    "saved": N_("已保存，几秒后生效，通话不受影响。"),
    "members": N_("已调整，马上生效。"),
    "retired": N_("队列已停用；以前的通话和数字都还在。"),
    "restored": N_("队列又可以用了。里面还没有坐席，请先加入。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An agent in a queue, and all their queues as the page saw them."""

    agent: AgentSnapshot
    penalty: int
    seen: str


def setup(app: web.Application) -> None:
    """Add the routes; a new one comes before those with a name."""
    deps = app[DEPS]
    uses = QueueUses(
        deps.database,
        deps.clock,
        app[ROSTER],
        app[ROUTING].book,
        default_queue=deps.settings.default_queue,
    )
    app[QUEUE_ADMIN] = QueueAdmin(deps.database, deps.clock, app[ROSTER], uses)
    app.router.add_get(LIST, show)
    app.router.add_get(f"{LIST}/new", new)
    app.router.add_post(f"{LIST}/new", create)
    app.router.add_get(f"{LIST}/{{queue_code}}", edit)
    app.router.add_post(f"{LIST}/{{queue_code}}", save)
    app.router.add_post(f"{LIST}/{{queue_code}}/members", set_member)
    app.router.add_post(f"{LIST}/{{queue_code}}/retire", retire)
    app.router.add_post(f"{LIST}/{{queue_code}}/restore", restore)


@requires(Permission.DESK_CONFIGURE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the queues."""
    queues = await request.app[ROSTER].queues()
    agents = await request.app[DEPS].desk.states()
    count = {queue.name: len(_members(agents, queue.name)) for queue in queues}
    done = request.query.get("done", "")
    context = {
        "queues": queues,
        "count": count,
        "retired": await request.app[QUEUE_ADMIN].retired(current_actor(request)),
        "done": labels.word(DONE, done) if done in DONE else "",
        **_words(),
    }
    return render(request, "admin/queues.html", context)


@requires(Permission.DESK_CONFIGURE)
async def new(request: web.Request) -> web.StreamResponse:
    """Show the form of a new queue."""
    return await _form(request, None)


@requires(Permission.DESK_CONFIGURE)
async def create(request: web.Request) -> web.StreamResponse:
    """Add a queue."""
    typed = await _typed(request)
    try:
        made = await request.app[QUEUE_ADMIN].create(
            current_actor(request), typed.get("name", ""), _text(typed)
        )
    except QueueChanged as error:
        return await _form(request, None, typed=typed, error=Invalid(error.message, field="name"))
    except Invalid as error:
        return await _form(request, None, typed=typed, error=error)
    return see_other(f"{LIST}/{made.name}?done=saved")


@requires(Permission.DESK_CONFIGURE)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show a queue and who works in it."""
    return await _form(request, await _queue(request), done=request.query.get("done", ""))


@requires(Permission.DESK_CONFIGURE)
async def save(request: web.Request) -> web.StreamResponse:
    """Write a queue anew."""
    typed, name = await _typed(request), request.match_info["queue_code"]
    try:
        before = _text(typed, seen="seen_")
        await request.app[QUEUE_ADMIN].change(current_actor(request), name, _text(typed), before=before)
    except (Invalid, Conflict) as error:
        return await _form(request, await _queue(request), typed=typed, error=error)
    return see_other(f"{LIST}/{name}?done=saved")


@requires(Permission.DESK_CONFIGURE)
async def set_member(request: web.Request) -> web.StreamResponse:
    """Let an agent work in the queue with a penalty, or no more."""
    typed, queue = await _typed(request), await _queue(request)
    deps = request.app[DEPS]
    directing = Directing(deps.database, deps.clock, deps.desk, request.app[ROSTER])
    try:
        agent_id, before = typed.get("agent_id", ""), _read_seen(typed.get("seen", ""))
        wanted = {name: penalty for name, penalty in before.items() if name != queue.name}
        if "out" not in typed:
            wanted[queue.name] = _number(typed, "penalty")
        if not agent_id:
            raise Invalid("choose an agent", field="agent_id")
        await directing.set_queues(current_actor(request), agent_id, wanted, before=before)
    except (Invalid, Conflict, NotFound) as error:
        return await _form(request, queue, error=error)
    return see_other(f"{LIST}/{queue.name}?done=members#members")


@requires(Permission.DESK_CONFIGURE)
async def retire(request: web.Request) -> web.StreamResponse:
    """Take a queue out of use."""
    queue = await _queue(request)
    try:
        await request.app[QUEUE_ADMIN].retire(current_actor(request), queue.name)
    except QueueInUse as error:
        return await _form(request, queue, error=error)
    return see_other(f"{LIST}?done=retired")


@requires(Permission.DESK_CONFIGURE)
async def restore(request: web.Request) -> web.StreamResponse:
    """Take a retired queue into use again."""
    name = request.match_info["queue_code"]
    await request.app[QUEUE_ADMIN].restore(current_actor(request), name)
    return see_other(f"{LIST}/{name}?done=restored#members")


async def _queue(request: web.Request) -> QueueSettings:
    return await request.app[QUEUE_ADMIN].get(current_actor(request), request.match_info["queue_code"])


async def _form(
    request: web.Request,
    queue: QueueSettings | None,
    *,
    typed: Mapping[str, str] | None = None,
    error: HuifangError | None = None,
    done: str = "",
) -> web.Response:
    """Show the form; after an error with what was typed, beside what is set now."""
    start = queue or QueueSettings(name="", label_zh="", label_en="")
    now = {name: _shown(value) for name, value in _values(text_of(start)).items()}
    agents: tuple[AgentSnapshot, ...] = await request.app[DEPS].desk.states()
    members = _members(agents, queue.name) if queue else ()
    inside = {one.agent.agent_id for one in members}
    uses = await request.app[QUEUE_ADMIN].uses(current_actor(request), queue.name) if queue else ()
    context = {
        "queue": queue,
        "form": {**now, "name": start.name, **({} if typed is None else _retyped(typed))},
        "now": now,
        "members": members,
        "uses": [gettext(USES[one.need]) % {"what": one.what} for one in uses],
        "others": [(one, _seen(one)) for one in agents if one.agent_id not in inside],
        "error": _told(error) if error else "",
        "wrong": (error.field or "") if error else "",
        "done": labels.word(DONE, done) if done in DONE else "",
        "longest": MAX_LABEL,
        "spans": SPANS,
        "heaviest": MAX_WEIGHT,
        "most": MAX_PENALTY,
        **_words(),
    }
    status = 200 if error is None else 409 if isinstance(error, Conflict) else 400
    return render(request, "admin/queue.html", context, status=status)


def _words() -> dict[str, Any]:
    return {"strategies": labels.words(STRATEGIES), "states": labels.words(labels.AGENT_STATES)}


def _told(error: HuifangError) -> str:
    if isinstance(error, QueueInUse):
        return gettext(IN_USE)
    if isinstance(error, (QueueChanged, QueuesChanged)):
        return gettext(MEMBERS_CHANGED if isinstance(error, QueuesChanged) else CHANGED)
    return labels.word(WRONG, error.field or "name") or labels.word(labels.PROBLEMS, "invalid")


def _members(agents: tuple[AgentSnapshot, ...], queue: str) -> tuple[Member, ...]:
    found = [
        Member(agent=agent, penalty=one.penalty, seen=_seen(agent))
        for agent in agents
        for one in agent.queues
        if one.queue == queue
    ]
    return tuple(sorted(found, key=lambda member: (member.penalty, member.agent.number)))


def _seen(agent: AgentSnapshot) -> str:
    return " ".join(f"{one.queue}:{one.penalty}" for one in agent.queues)


def _read_seen(text: str) -> dict[str, int]:
    found = {}
    for item in text.split()[:200]:
        name, _, penalty = item.partition(":")
        if not (penalty.isascii() and penalty.isdigit() and len(penalty) < 4):
            raise Invalid("the agent's queues as they were", field="agent_id")
        found[name] = int(penalty)
    return found


async def _typed(request: web.Request) -> dict[str, str]:
    posted = await request.post()
    return {name: value[:400].strip() for name, value in posted.items() if isinstance(value, str)}


def _text(typed: Mapping[str, str], *, seen: str = "") -> QueueText:
    return QueueText(
        label_zh=typed.get(seen + "label_zh", ""),
        label_en=typed.get(seen + "label_en", ""),
        strategy=typed.get(seen + "strategy", ""),
        live_text=typed.get(seen + "live_text") == "1",
        rating=typed.get(seen + "rating") == "1",
        **{name: _number(typed, name, seen=seen) for name in NUMBERS},
    )


def _number(typed: Mapping[str, str], name: str, *, seen: str = "") -> int:
    text = typed.get(seen + name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise Invalid("a whole number", field=name)
    return int(text)


def _values(text: QueueText) -> dict[str, Any]:
    return {field.name: getattr(text, field.name) for field in fields(text)}


def _shown(value: object) -> str:
    return ("1" if value else "") if isinstance(value, bool) else str(value)


def _retyped(typed: Mapping[str, str]) -> dict[str, str]:
    """Return what was typed; a tick that is not there was taken away."""
    names = ("name", "label_zh", "label_en", "strategy", *NUMBERS, *FLAGS)
    return {name: typed.get(name, "") for name in names if name != "name" or name in typed}
