"""What must be heard of at once: callers with open cases, refused numbers, rising causes (domain.md §2)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from crm.events_alerts import (
    BoardLimitCrossed,
    CauseRising,
    GroupComplaint,
    OpenCaseCaller,
    RefusedNumberCalled,
    ServiceLevelLow,
    WatchwordFound,
    WatchwordSaid,
)
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.links import call_page, case_page, customer_page, heap_page
from kernel.events import Event

Step = NoticeRequest | Forget


def _caller(fact: OpenCaseCaller) -> Iterable[Step]:
    yield NoticeRequest(
        code="case.caller",
        key=f"case.caller|{fact.case_id}|{fact.call_id}",
        parameters={
            "no": fact.no,
            "customer": fact.customer_id,
            "at": fact.called_at.isoformat(),
            "result": "answered" if fact.answered else "missed",
        },
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _refused_number(fact: RefusedNumberCalled) -> Iterable[Step]:
    yield NoticeRequest(
        code="call.refused",
        key=f"call.refused|{fact.call_id}",
        parameters={"agent": fact.agent, "at": fact.called_at.isoformat(), "customer": fact.customer_id},
        link=customer_page(fact.customer_id) if fact.customer_id else "",
        party=Party(owner_user_id=fact.user_id),
    )


def _rising(fact: CauseRising) -> Iterable[Step]:
    # One that was told by the version before names no heap: once a week for each cause and subject.
    week = (fact.at - timedelta(days=fact.at.weekday())).strftime("%Y%m%d")
    known = fact.heap_id or f"{fact.cause_key}|{fact.subject_key}"[:130] + f"|{week}"
    kind = fact.subject_key.partition(":")[0]
    yield NoticeRequest(
        code="cause.rising",
        key=f"cause.rising|{known}",
        parameters={
            "cause": fact.cause,
            "kind": kind,
            "subject": fact.subject,
            "count": fact.count,
            "days": fact.days,
        },
        link=heap_page(fact.heap_id) if fact.heap_id else case_page(fact.case_ids[-1]),
    )


def _group(fact: GroupComplaint) -> Iterable[Step]:
    yield NoticeRequest(
        code="complaint.group",
        key=f"complaint.group|{fact.case_id}",
        parameters={
            "no": fact.no,
            "community": fact.community,
            "cause": fact.cause,
            "count": fact.customers,
            "days": fact.days,
        },
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _watchword(fact: WatchwordFound) -> Iterable[Step]:
    yield NoticeRequest(
        code="case.watchword",
        key=f"case.watchword|{fact.case_id}|{fact.about}",
        parameters={"no": fact.no, "about": fact.about, "word": fact.word},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _said(fact: WatchwordSaid) -> Iterable[Step]:
    yield NoticeRequest(
        code="call.watchword",
        key=f"call.watchword|{fact.call_id}|{fact.about}",
        parameters={"about": fact.about, "word": fact.word, "customer": fact.customer_id},
        link=call_page(fact.call_id),
    )


def _service_low(fact: ServiceLevelLow) -> Iterable[Step]:
    yield NoticeRequest(
        code="service.low",
        key=f"service.low|{fact.queue}|{fact.at:%Y%m%d%H}",
        parameters={
            "queue": fact.label,
            "level": fact.level,
            "target": fact.target,
            "minutes": fact.minutes,
        },
        link="/supervisor",
    )


def _board_limit(fact: BoardLimitCrossed) -> Iterable[Step]:
    yield NoticeRequest(
        code="board.limit",
        key=f"board.limit|{fact.queue}|{fact.kind}|{fact.since:%Y%m%d%H%M%S}",
        parameters={
            "queue": fact.label,
            "kind": fact.kind,
            "limit": fact.limit,
            "value": fact.value,
            "since": fact.since.isoformat(),
        },
        link="/supervisor",
        expires_at=fact.at + timedelta(hours=4),
    )


ALERT_ENTRIES: Mapping[type[Event], Callable[[Any], Iterable[Step]]] = {
    OpenCaseCaller: _caller,
    RefusedNumberCalled: _refused_number,
    CauseRising: _rising,
    GroupComplaint: _group,
    WatchwordFound: _watchword,
    WatchwordSaid: _said,
    ServiceLevelLow: _service_low,
    BoardLimitCrossed: _board_limit,
}
