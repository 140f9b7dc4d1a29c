"""What an agent says first when a call comes in: the centre's words, the agent's name (domain.md §1.14)."""

from aiohttp import web

from web.deps import DEPS
from web.i18n import current_language
from web.identity import current_actor

COMPOUND_SURNAMES = frozenset(
    {"欧阳", "司马", "诸葛", "上官", "司徒", "夏侯", "皇甫", "尉迟", "慕容", "令狐", "东方", "公孙", "端木"}
)


def greeting_of(request: web.Request) -> str:
    """Return what the agent of a request says first."""
    greetings, name = request.app[DEPS].settings.greetings, current_actor(request).name
    surname = name[:2] if name[:2] in COMPOUND_SURNAMES else name[:1]
    text = greetings.get(current_language()) or greetings.get("zh-CN", "")
    return text.replace("{surname}", surname).replace("{name}", name)
