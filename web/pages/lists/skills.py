"""What agents can do, as one table: a row each, a column per skill; routing follows at once."""

from dataclasses import dataclass, field

from aiohttp import web

from crm.domain.staff import MAX_SKILL, MAX_SKILLS, split_skills
from crm.skills import Skilled, SkillsChanged
from kernel.errors import Invalid, NotFound
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.list_tabs import tabs_of
from web.pages.routing import SPEAKERS
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires
from web.problems import status_of
from web.routing_part import ROUTING

HERE = "/lists/skills"
DONE = N_("已保存，下一通电话就按新的分配。")
WRONG = N_("最多 12 项，每项最多 20 个字，用顿号分开。")
GONE = N_("“人员”里已经没有这个工号了。")
CHANGED = N_("同事刚刚改过这位坐席的技能，下面是最新的。")


@dataclass(slots=True)
class Typed:
    """What was refused stays in its row."""

    agent_no: str = ""
    fresh: str = ""
    problem: str = ""
    ticked: frozenset[str] = field(default_factory=frozenset)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/{agent_no}", save)


@requires(Permission.AGENTS_DIRECT)
async def show(request: web.Request) -> web.StreamResponse:
    """Show who can do what."""
    return await _page(request, Typed())


@requires(Permission.AGENTS_DIRECT)
async def save(request: web.Request) -> web.StreamResponse:
    """Say what one agent can do."""
    posted = await request.post()
    ticked = [str(one)[:MAX_SKILL] for one in posted.getall("skill", ())][: 4 * MAX_SKILLS]
    seen = split_skills(str(posted.get("seen", ""))[:400])
    typed = Typed(
        agent_no=request.match_info["agent_no"][:16],
        fresh=str(posted.get("fresh", ""))[:200],
        ticked=frozenset(ticked),
    )
    try:
        wanted = (*ticked, *split_skills(typed.fresh))
        await request.app[CRM].people.skills.put(current_actor(request), typed.agent_no, wanted, before=seen)
    except (Invalid, NotFound, SkillsChanged) as error:
        text = {NotFound: GONE, SkillsChanged: CHANGED}.get(type(error), WRONG)
        typed.problem = gettext(text)
        if isinstance(error, SkillsChanged):
            typed.ticked = frozenset()
            typed.agent_no = ""
        return await _page(request, typed, status=int(status_of(error)))
    return see_other(f"{HERE}?done=1")


async def _page(request: web.Request, typed: Typed, *, status: int = 200) -> web.StreamResponse:
    people = await request.app[CRM].people.skills.everybody(current_actor(request))
    wanted = await _wanted(request)
    known = sorted({skill for one in people for skill in one.skills} | set(wanted))
    context = {
        "tabs": tabs_of(current_user(request)),
        "rows": [_row(one, typed) for one in people],
        "known": known,
        "wanted": wanted,
        "longest": MAX_SKILL * MAX_SKILLS,
        "problem": typed.problem,
        "done_text": gettext(DONE) if request.query.get("done") else "",
    }
    return render(request, "lists/skills.html", context, status=status)


def _row(one: Skilled, typed: Typed) -> dict[str, object]:
    mine = typed.agent_no == one.agent_no
    return {
        "number": one.agent_no,
        "name": one.name,
        "skills": sorted(typed.ticked) if mine else one.skills,
        "seen": "、".join(one.skills),
        "fresh": typed.fresh if mine else "",
        "wrong": mine and bool(typed.problem),
    }


async def _wanted(request: web.Request) -> dict[str, str]:
    """Return the skills that the rules of routing look for → whose callers they are for."""
    book = request.app[ROUTING].book
    try:
        rules = book.read(await book.in_force())
    except Invalid:
        return {}
    queues = labels.queue_names(await request.app[ROSTER].queues())
    found: dict[str, list[str]] = {}
    for language, skill in rules.skill_by_language.items():
        found.setdefault(skill, []).append(gettext(SPEAKERS.get(language, language)))
    for queue, skill in rules.skill_by_queue.items():
        found.setdefault(skill, []).append(queues.get(queue, queue))
    return {skill: gettext("、").join(callers) for skill, callers in found.items()}
