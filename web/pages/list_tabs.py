"""Which lists somebody has: one item of the bar leads to all of them."""

from collections.abc import Callable
from dataclasses import dataclass

from callback_campaigns.regular_reports import MARKETING
from web.i18n import N_, gettext
from web.identity import CurrentUser
from web.permissions import Permission


@dataclass(frozen=True, slots=True)
class Tab:
    """A list and who has it."""

    href: str
    label: str
    shown_to: Callable[[CurrentUser], bool]


def _leads(user: CurrentUser) -> bool:
    return user.can(Permission.RED_LIST_VIEW)


def _has_causes(user: CurrentUser) -> bool:
    return _leads(user) or (user.can(Permission.CASES_SIGN) and user.department is not None)


def _follows_up(user: CurrentUser) -> bool:
    return user.can(Permission.BOARD_VIEW) and user.can(Permission.CASES_VIEW_ALL)


def _has_orders(user: CurrentUser) -> bool:
    return user.can(Permission.CASES_REGISTER) or _leads(user)


def _has_appraisals(user: CurrentUser) -> bool:
    return _leads(user) or user.can(Permission.RECOVERY_HANDLE)


def _has_measures(user: CurrentUser) -> bool:
    return _leads(user) or (user.can(Permission.CASES_VIEW) and user.department is not None)


def _has_materials(user: CurrentUser) -> bool:
    return user.can(Permission.MATERIALS_EDIT) or user.can(Permission.REPAIRS_WORK)


def _has_points(user: CurrentUser) -> bool:
    works = (Permission.REPAIRS_WORK, Permission.STAFF_EDIT, Permission.COSTS_SIGN_SERVICE)
    return user.can(Permission.PROJECTS_VIEW) and any(user.can(one) for one in works)


TABS = (
    Tab("/lists/repeats", N_("重复投诉"), _leads),
    Tab("/lists/heaps", N_("集中投诉"), _leads),
    Tab("/lists/problem-customers", N_("重点客户"), _leads),
    Tab("/lists/causes", N_("月度原因"), _has_causes),
    Tab("/lists/improvements", N_("改进措施"), _has_measures),
    Tab("/lists/voices", N_("客户声音"), _has_orders),
    Tab("/lists/reports", N_("定期报表"), lambda user: _leads(user) or user.department == MARKETING),
    Tab("/lists/duty", N_("值班"), _has_orders),
    Tab("/lists/staffing", N_("排班与话务"), _leads),
    Tab("/lists/forwarded", N_("转办单"), _has_orders),
    Tab("/lists/follow-ups", N_("结案抽查"), _follows_up),
    Tab("/lists/appraisals", N_("考核"), _has_appraisals),
    Tab("/lists/materials", N_("材料"), _has_materials),
    Tab("/lists/deposits", N_("质保金"), lambda user: user.can(Permission.DEPOSITS_VIEW)),
    Tab("/lists/repair-points", N_("维修点"), _has_points),
    Tab("/lists/dispositions", N_("处理结果"), lambda user: user.can(Permission.DESK_CONFIGURE)),
    Tab("/lists/skills", N_("坐席技能"), lambda user: user.can(Permission.AGENTS_DIRECT)),
    Tab("/lists/pause-reasons", N_("小休原因"), lambda user: user.can(Permission.DESK_CONFIGURE)),
)


def tabs_of(user: CurrentUser) -> list[tuple[str, str]]:
    """Return address and name of the lists that somebody has."""
    return [(tab.href, gettext(tab.label)) for tab in TABS if tab.shown_to(user)]
