"""What limits tell: the breach chain (domain.md §0)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crm.domain.case import CaseKind
from crm.events_limits import (
    CalendarYearNotLoaded,
    LimitBreached,
    LimitEscalated,
    LimitFact,
    LimitRed,
    LimitWarned,
)
from crm.notices import handoff_facts
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.links import record_page
from crm.notices.repair_facts import captains
from kernel.access import Role
from kernel.events import Event

MANAGERS_OWE = {
    "ES.REVIEW": (f"role:{Role.MANAGER}",),
    "RQ.ANSWER": (f"role:{Role.MANAGER}", f"role:{Role.SUPERVISOR}"),
}
DEPARTMENT_OWES = frozenset({"TS.T1", "TS.T2", "TS.T3"})
"""Where no department is named, the complaint is confidential."""
MESSAGE_FROM_PERCENT = 80
"""Earlier warning points only colour the owner's list (domain.md §0)."""


def _warned(fact: LimitWarned) -> Iterable[NoticeRequest]:
    if fact.percent >= MESSAGE_FROM_PERCENT:
        # Of a customer who is to be contacted the notice says what to do (domain.md §2.4).
        code = "repair.contact_due" if fact.code == "BX.R3" else "limit.warned"
        yield _about(fact, code, percent=fact.percent)


def _breached(fact: LimitBreached) -> Iterable[NoticeRequest]:
    yield _about(fact, "limit.breached")


def _red(fact: LimitRed) -> Iterable[NoticeRequest]:
    yield _about(fact, "limit.red")


def _escalated(fact: LimitEscalated) -> Iterable[NoticeRequest]:
    yield _about(fact, "limit.escalated")


def _calendar(fact: CalendarYearNotLoaded) -> Iterable[NoticeRequest]:
    yield NoticeRequest(
        code="calendar.missing",
        # Once a day, however many limits wait.
        key=f"calendar.missing|{fact.year}|{fact.day}",
        parameters={"year": fact.year, "days": fact.days_left},
    )


def _about(fact: LimitFact, code: str, **further: object) -> NoticeRequest:
    return NoticeRequest(
        code=code,
        # A limit that was moved (a re-opened record, a corrected start) may come to the same point again.
        key=f"{code}|{fact.timer_id}|{fact.due_at:%Y%m%dT%H%M%S}|{further.get('percent', '')}",
        parameters={
            "no": fact.record_no or fact.record_id,
            "limit": fact.code,
            "due_at": fact.due_at.isoformat(),
            "department": fact.department,
            **further,
        },
        link=record_page(fact.record_kind, fact.record_id),
        party=Party(
            owner_user_id=fact.user_id,
            owner_department=fact.department,
            specialist_user_id=fact.specialist,
        ),
        also=_further(fact),
    )


def _further(fact: LimitFact) -> tuple[str, ...]:
    """Return who owes it as well."""
    if fact.code in DEPARTMENT_OWES and not fact.department:
        return handoff_facts.managers(None)
    if fact.user_id:
        return ()
    if fact.department:
        return captains(fact.department) if fact.record_kind == CaseKind.REPAIR else ()
    # What the manager owes before anybody has taken it belongs to whoever is manager.
    return MANAGERS_OWE.get(fact.code, ())


LIMIT_ENTRIES: Mapping[type[Event], Callable[[Any], Iterable[NoticeRequest | Forget]]] = {
    LimitWarned: _warned,
    LimitBreached: _breached,
    LimitRed: _red,
    LimitEscalated: _escalated,
    CalendarYearNotLoaded: _calendar,
}
