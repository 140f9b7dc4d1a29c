"""A decision of routing in words, for a call's time line and page."""

from collections.abc import Mapping

from web import labels
from web.i18n import N_, gettext

CASE_WORDS: dict[str, str] = {
    "complaint": N_("有未办结的投诉"),
    "repair": N_("有未办结的报修"),
    "ticket": N_("有未办结的回访问题"),
}
KNOWN_WORDS: dict[str, str] = {
    "open_case": N_("有未办结事项的客户"),
    "repeat": N_("重复投诉的客户"),
    "level_A": N_("A 级客户"),
    "everybody": N_("所有客户"),
}
BECAUSE: dict[str, str] = {
    "menu": N_("按导航的选择"),
    "no_queue": N_("导航选择的队列不存在"),
    "late": N_("没有及时作出决定，按导航的选择"),
    "failed": N_("决定时出错，按导航的选择"),
    "message": N_("按来电通知"),
    "unrecorded": N_("按规则不录音"),
    "waited": N_("等待太久，换队列"),
    "last_agent": N_("上次通话的坐席"),
}


def routed_text(detail: Mapping[str, str], queues: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return why a call went where it went, in one line."""
    said = [_because(one, queues) for one in detail.get("because", "").split()]
    if detail.get("offer"):
        said.append(gettext("请客户留言或登记回电"))
    if detail.get("first"):
        number = detail["first"]
        said.append(gettext("先振 %(agent)s") % {"agent": f"{number} {names.get(number, '')}".strip()})
    if detail.get("priority", "0") not in ("", "0"):
        said.append(gettext("优先级 %(n)s") % {"n": detail["priority"]})
    if detail.get("rules"):
        said.append(gettext("规则第 %(n)s 版") % {"n": detail["rules"]})
    return " · ".join(part for part in said if part)


def _because(text: str, queues: Mapping[str, str]) -> str:
    code, _, more = text.partition(":")
    match code:
        case "level":
            return gettext("%(level)s 级客户") % {"level": more}
        case "open_case":
            return labels.word(CASE_WORDS, more)
        case "repeat":
            return gettext("重复投诉（%(n)s 次）") % {"n": more}
        case "skill":
            return gettext("需要技能：%(skill)s") % {"skill": more}
        case "closed":
            return gettext("“%(queue)s”不在服务时间") % {"queue": queues.get(more, more)}
        case "overflow":
            return gettext("“%(queue)s”排队的人太多") % {"queue": queues.get(more, more)}
        case _:
            return labels.word(BECAUSE, code)
