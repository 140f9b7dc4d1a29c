"""The tabs of administration that somebody may open, in order."""

from dataclasses import dataclass

from web.i18n import N_, gettext
from web.identity import CurrentUser
from web.permissions import Permission


@dataclass(frozen=True, slots=True)
class AdminTab:
    """One tab; the first that somebody may open is where the bar leads."""

    code: str
    href: str
    label: str
    permission: Permission


_TABS = (
    AdminTab("system", "/admin/system", N_("系统"), Permission.SYSTEM_VIEW),
    AdminTab("trunks", "/admin/trunks", N_("线路"), Permission.SYSTEM_VIEW),
    AdminTab("queues", "/admin/queues", N_("队列"), Permission.DESK_CONFIGURE),
    AdminTab("calendar", "/admin/calendar", N_("时间与日历"), Permission.LIMITS_CONFIGURE),
    AdminTab("users", "/admin/users", N_("用户"), Permission.USERS_MANAGE),
    AdminTab("roles", "/admin/roles", N_("角色能做什么"), Permission.USERS_MANAGE),
)


def admin_tabs(user: CurrentUser) -> tuple[tuple[str, str, str], ...]:
    """Return code, address and words of each tab."""
    return tuple((tab.code, tab.href, gettext(tab.label)) for tab in _TABS if user.can(tab.permission))
