"""What a month's complaints were about, with compensation and shares of responsibility (domain.md §2.3)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.compensation import LiableParty
from crm.month_causes import Cause, DepartmentCauses, MonthCauses
from kernel.errors import Invalid
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_parts import departments
from web.pages.list_tabs import tabs_of
from web.pages.shell import render
from web.permissions import Permission, requires

PARTIES = {
    "manufacturer": N_("厂家"),
    "crew": N_("施工队"),
    "customer": N_("客户"),
    "company": N_("公司"),
}
assert set(PARTIES) == {party.value for party in LiableParty}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A cause in words."""

    label: str
    lines: int
    refused: int
    improve: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A department's month in words; ``percent`` is how long the bar of its share is."""

    item: DepartmentCauses
    share: str
    percent: int
    liability: str
    paid: str
    causes: list[Counted]
    most: int


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/lists/causes", show)


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a month of all departments or of one; a head of a department sees their own."""
    user = current_user(request)
    names = await departments(request)
    everything = user.can(Permission.RED_LIST_VIEW)
    department = request.query.get("department", "")
    department = department if everything and department in names else ""
    month = request.query.get("month") or None
    try:
        found = await _read(request, month, department)
    except Invalid:
        found = await _read(request, None, department)
    context: dict[str, Any] = {
        "tabs": tabs_of(user),
        "month": found.month,
        "names": names if everything else {},
        "department": department,
        "parts": [
            _part(one, found.month if user.can(Permission.IMPROVEMENTS_SET) else "")
            for one in found.departments
        ],
        "major": [
            (
                one,
                gettext("、").join(names.get(code, code) for code in one.departments) or "–",
                _shares(one.shares),
                _money(one.paid),
            )
            for one in found.major
        ],
        "lines": found.lines,
        "paid": _money(found.paid),
        "as_of": found.as_of,
    }
    return render(request, "lists/causes.html", context)


async def _read(request: web.Request, month: str | None, department: str) -> MonthCauses:
    actor, reader = current_actor(request), request.app[CRM].month_causes
    if actor.can(Permission.RED_LIST_VIEW):
        return await reader.read(actor, month, department=department or None)
    return await reader.own(actor, month)


def _part(one: DepartmentCauses, month: str) -> Part:
    return Part(
        item=one,
        share=one.share.text,
        percent=round(100 * (one.share.value or 0)),
        liability=_shares(one.liability),
        paid=_money(one.paid),
        causes=[_cause(cause, one.department, month) for cause in one.causes],
        most=max((cause.lines for cause in one.causes), default=1),
    )


def _cause(one: Cause, department: str, month: str) -> Counted:
    label = labels.word(words.CLASSES, one.class_.value)
    if one.subclass:
        label += " · " + labels.word(words.SUBCLASS_WORDS, one.subclass)
    asked = {
        "from_month": month,
        "from_department": department,
        "from_class_code": one.class_.value,
        "from_subclass": one.subclass or "",
    }
    return Counted(
        label=label,
        lines=one.lines,
        refused=one.lines - one.responsible,
        improve="/lists/improvements?" + urlencode(asked) if month else "",
    )


def _shares(shares: dict[LiableParty, Decimal]) -> str:
    named = [
        f"{labels.word(PARTIES, party.value)} {_short(share)} %" for party, share in shares.items() if share
    ]
    return " · ".join(named)


def _short(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _money(amount: Decimal) -> str:
    return f"¥{amount:,.2f}" if amount else "–"
