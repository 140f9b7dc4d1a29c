"""What customers are told of their own cases by text: registered, visit agreed, settled (domain.md §2).

An entry is a pure function from a fact to the messages wanted. They are about the customer's own case, so
that refusals of other calls do not reach them; the same key is sent once.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from crm.events_cases import CaseClosed, ComplaintRegistered, VisitPlanned
from crm.events_repairs import RepairAppointed, RepairClosed, RepairRegistered
from crm.notices.events import CustomerMessageWanted
from kernel.events import Event

STALE = timedelta(hours=24)
"""A fact that arrives later than that is no news to the customer any more."""


def _registered(fact: ComplaintRegistered | RepairRegistered) -> Iterable[CustomerMessageWanted]:
    yield _wanted(fact, "case.registered", fact.case_id)


def _visit(fact: VisitPlanned | RepairAppointed) -> Iterable[CustomerMessageWanted]:
    if fact.visit_from > fact.at:  # a visit that is written down afterwards needs no announcement
        key = f"{fact.case_id}|{fact.visit_from:%Y%m%dT%H%M}"
        yield _wanted(fact, "visit.booked", key, at=fact.visit_from.isoformat())


def _complaint_closed(fact: CaseClosed) -> Iterable[CustomerMessageWanted]:
    if not fact.not_filed:
        yield _wanted(fact, "case.closed", f"{fact.case_id}|{fact.round}")


def _repair_closed(fact: RepairClosed) -> Iterable[CustomerMessageWanted]:
    if not fact.waived:  # of what was closed without the customer's word nobody says that it is settled
        yield _wanted(fact, "case.closed", fact.case_id)


def _wanted(
    fact: ComplaintRegistered | RepairRegistered | VisitPlanned | RepairAppointed | CaseClosed | RepairClosed,
    template: str,
    key: str,
    **parameters: str,
) -> CustomerMessageWanted:
    return CustomerMessageWanted(
        at=fact.at,
        customer_id=fact.customer_id,
        template=template,
        key=f"{template}|{key}",
        parameters={"no": fact.no, **parameters},
    )


CUSTOMER_ENTRIES: Mapping[type[Event], Callable[[Any], Iterable[CustomerMessageWanted]]] = {
    ComplaintRegistered: _registered,
    RepairRegistered: _registered,
    VisitPlanned: _visit,
    RepairAppointed: _visit,
    CaseClosed: _complaint_closed,
    RepairClosed: _repair_closed,
}
