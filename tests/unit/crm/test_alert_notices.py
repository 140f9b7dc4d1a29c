"""What alerts become as notices: whom they name, and when they are the same one again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.events_alerts import (
    CauseRising,
    OpenCaseCaller,
    RefusedNumberCalled,
    ServiceLevelLow,
    WatchwordFound,
    WatchwordSaid,
)
from crm.events_cases import VisitPlanned
from crm.notices.alert_facts import ALERT_ENTRIES
from crm.notices.case_facts import CASE_ENTRIES
from crm.notices.domain import NoticeRequest
from crm.notices.rules import LANGUAGES, shipped
from kernel.business_time import SHANGHAI
from kernel.events import Event

pytestmark = pytest.mark.unit

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def only(fact: Event) -> NoticeRequest:
    """Return the one notice that a fact makes."""
    (step,) = ALERT_ENTRIES[type(fact)](fact)
    assert isinstance(step, NoticeRequest)
    return step


def rising(at: datetime, **changes: Any) -> CauseRising:
    what: dict[str, Any] = {
        "cause": "施工质量·瓷砖",
        "cause_key": "1.tile",
        "subject": "赵师傅施工队",
        "subject_key": "crew:C1",
        "count": 3,
        "days": 7,
        "case_ids": ("A", "B", "C"),
    }
    return CauseRising(at=at, **(what | changes))


def caller(call_id: str) -> OpenCaseCaller:
    return OpenCaseCaller(
        at=MONDAY,
        case_id="CASE",
        no="TS1",
        kind="complaint",
        customer_id="CUST",
        call_id=call_id,
        specialist_id="u1",
        answered=False,
        called_at=MONDAY,
    )


def test_a_rise_that_names_no_heap_is_told_once_a_week() -> None:
    first, later = only(rising(MONDAY)), only(rising(MONDAY + timedelta(days=6), count=5))
    assert first.key == later.key
    assert first.key != only(rising(MONDAY + timedelta(days=7))).key
    assert first.key != only(rising(MONDAY, subject_key="crew:C2")).key
    assert first.link == "/cases/C"


def test_a_heap_is_told_once_however_long_it_grows() -> None:
    first = only(rising(MONDAY, heap_id="H1"))
    assert first.key == only(rising(MONDAY + timedelta(days=20), heap_id="H1", count=9)).key
    assert first.key != only(rising(MONDAY, heap_id="H2")).key
    assert (first.link, first.parameters["kind"]) == ("/lists/heaps/H1", "crew")


def test_a_watchword_of_a_call_leads_to_the_call() -> None:
    def said(about: str) -> NoticeRequest:
        return only(
            WatchwordSaid(at=MONDAY, call_id="CALL", about=about, word="记者", customer_id=None, second=3.5)
        )

    assert said("media").key == said("media").key != said("other").key
    assert said("media").link == "/calls/CALL"


def test_a_long_name_of_a_manufacturer_leaves_room_for_the_week() -> None:
    request = only(rising(MONDAY, subject_key="manufacturer:" + "长" * 200))
    assert len(request.key) <= 160 and request.key.endswith("20260302")


def test_each_call_of_a_customer_with_an_open_case_is_told_to_its_specialist_once() -> None:
    assert only(caller("1")).key == only(caller("1")).key != only(caller("2")).key
    assert only(caller("1")).party.specialist_user_id == "u1"


def test_who_dialled_a_refused_number_hears_of_it() -> None:
    fact = RefusedNumberCalled(
        at=MONDAY, call_id="1", entry_id="E", customer_id=None, user_id="u2", agent="冯磊", called_at=MONDAY
    )
    request = only(fact)
    assert request.party.owner_user_id == "u2" and request.link == ""


def test_a_low_service_level_is_told_once_an_hour() -> None:
    def low(at: datetime) -> NoticeRequest:
        return only(
            ServiceLevelLow(
                at=at, queue="repair", label="报修热线", level=61, target=80, minutes=15, below_since=MONDAY
            )
        )

    assert low(MONDAY).key == low(MONDAY + timedelta(minutes=59)).key
    assert low(MONDAY).key != low(MONDAY + timedelta(hours=1)).key


def test_a_watchword_is_told_once_for_press_and_once_for_regulators() -> None:
    def found(about: str) -> NoticeRequest:
        return only(
            WatchwordFound(at=MONDAY, case_id="C", no="TS1", about=about, word="12315", specialist_id=None)
        )

    assert found("media").key == found("media").key != found("regulator").key


def test_the_specialist_is_reminded_ten_minutes_before_a_visit() -> None:
    visit = VisitPlanned(
        at=MONDAY,
        case_id="C",
        no="TS1",
        line_id="L",
        customer_id="CUST",
        department="ENG",
        person_id=None,
        specialist_id="u1",
        visit_from=MONDAY + timedelta(hours=5),
        visit_until=MONDAY + timedelta(hours=7),
    )
    steps = [step for step in CASE_ENTRIES[VisitPlanned](visit) if isinstance(step, NoticeRequest)]
    soon, now = steps
    assert (soon.code, now.code) == ("appointment.soon", "appointment.now")
    assert now.not_before == visit.visit_from - timedelta(minutes=10)
    assert now.subject == soon.subject, "a visit that is moved takes both reminders back"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_say_what_was_found(language: str) -> None:
    request = only(
        WatchwordFound(at=MONDAY, case_id="C", no="TS1", about="media", word="记者", specialist_id=None)
    )
    given = {name: str(value) for name, value in request.parameters.items()}
    book = shipped()
    assert "TS1" in book.title(request.code, given, language, SHANGHAI)
    assert "media" not in book.title(request.code, given, language, SHANGHAI)
    assert "记者" in book.text(request.code, given, language, SHANGHAI)
