"""What repairs, their costs and crews' deposits tell (domain.md §1.4, §2.4)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from crm.domain.repair_terms import CAPTAIN_DEPARTMENT, Route
from crm.events_repairs import (
    CostSheetMoved,
    CostSheetWritten,
    DepositShort,
    RepairAppointed,
    RepairRouted,
    RepairVisitFinished,
    RerouteProposed,
)
from crm.notices.case_facts import just_before
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.links import case_page
from kernel.access import Role
from kernel.events import Event

VISIT_AHEAD = timedelta(hours=1)
CAPTAINS = f"role:{Role.CAPTAIN}"

Step = NoticeRequest | Forget


def _visit(case_id: str) -> str:
    return f"repair.visit|{case_id}"


def captains(department: str | None) -> tuple[str, ...]:
    """Return the captains where a repair is theirs: they may be neither head nor deputy of a department."""
    return (CAPTAINS,) if department in {None, CAPTAIN_DEPARTMENT} else ()


def _who(route: str) -> tuple[str, ...]:
    """Other crews are led by the captain."""
    return () if route == Route.ORIGINAL else (CAPTAINS,)


def _routed(fact: RepairRouted) -> Iterable[Step]:
    yield Forget(_visit(fact.case_id))
    yield NoticeRequest(
        code="repair.rerouted" if fact.again else "repair.routed",
        key=f"repair.routed|{fact.event_id}",
        parameters={"no": fact.no, "reason": fact.note or fact.reason},
        link=case_page(fact.case_id),
        party=Party(owner_department=fact.department, specialist_user_id=fact.specialist_id),
        also=_who(fact.route),
    )


def _reroute_proposed(fact: RerouteProposed) -> Iterable[Step]:
    yield NoticeRequest(
        code="repair.reroute_proposed",
        key=f"repair.reroute_proposed|{fact.case_id}|{fact.due_at:%Y%m%dT%H%M}",
        parameters={"no": fact.no, "due_at": fact.due_at.isoformat()},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _appointed(fact: RepairAppointed) -> Iterable[Step]:
    subject = _visit(fact.case_id)
    yield Forget(subject)
    yield NoticeRequest(
        code="appointment.soon",
        key=f"{subject}|{fact.visit_from:%Y%m%dT%H%M}",
        parameters={"no": fact.no, "at": fact.visit_from.isoformat()},
        link=case_page(fact.case_id),
        party=Party(owner_department=fact.department, specialist_user_id=fact.specialist_id),
        also=captains(fact.department),
        not_before=fact.visit_from - VISIT_AHEAD,
        subject=subject,
    )
    yield just_before(fact, subject)


def _visited(fact: RepairVisitFinished) -> Iterable[Step]:
    yield Forget(_visit(fact.case_id))
    if fact.cost_owed:
        yield NoticeRequest(
            code="repair.costing_due",
            key=f"repair.costing_due|{fact.visit_id}",
            parameters={"no": fact.no},
            link=case_page(fact.case_id),
            party=Party(owner_department=fact.department),
            also=captains(fact.department),
        )


def _cost_written(fact: CostSheetWritten) -> Iterable[Step]:
    yield NoticeRequest(
        code="cost.waits",
        key=f"cost.waits|{fact.cost_id}|{fact.revision}",
        parameters={"no": fact.no, "amount": fact.total},
        link=case_page(fact.case_id),
    )


def _cost_moved(fact: CostSheetMoved) -> Iterable[Step]:
    yield NoticeRequest(
        code="cost.moved",
        key=f"cost.moved|{fact.event_id}",
        parameters={"no": fact.no, "amount": fact.total, "state": fact.state, "reason": fact.reason},
        link=case_page(fact.case_id),
        party=Party(owner_user_id=fact.author_id),
    )


def _deposit_short(fact: DepositShort) -> Iterable[Step]:
    yield NoticeRequest(
        code="deposit.short",
        key=f"deposit.short|{fact.receivable_id}",
        parameters={"no": fact.no, "crew": fact.crew_name, "owed": fact.owed},
        link=case_page(fact.case_id),
    )


REPAIR_ENTRIES: Mapping[type[Event], Callable[[Any], Iterable[Step]]] = {
    RepairRouted: _routed,
    RerouteProposed: _reroute_proposed,
    RepairAppointed: _appointed,
    RepairVisitFinished: _visited,
    CostSheetWritten: _cost_written,
    CostSheetMoved: _cost_moved,
    DepositShort: _deposit_short,
}
