"""The pop as data: phases, customers, and its JSON with hostile names in it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from telephony.agent_views import WrapUpView
from telephony.events import AgentRinging, CallEnded
from tests.support.web import agent_snapshot, call_view, customer_card
from web.pop import (
    NONE_OF_THEM,
    Lookup,
    Notice,
    Phase,
    Pop,
    draft_payload,
    notice_payload,
    pop_payload,
    readable,
    state_payload,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\r\n\u202e王😀"


def ring(**changes: Any) -> AgentRinging:
    """A ring of 13800138000 on the complaint line."""
    event = AgentRinging(
        at=NOW,
        call_id="01JZZZZZZZZZZZZZZZZZZZZZ01",
        node="pbx1",
        direction="in",
        agent_id="a",
        agent_number="1001",
        queue="complaint",
        from_number="+8613800138000",
        to_number="+861065551234",
        caller_name="王建国",
        menu_path=("投诉", "施工质量"),
        queued_at=NOW - timedelta(seconds=12),
        wait_seconds=12.0,
        started_at=NOW - timedelta(seconds=30),
    )
    return replace(event, **changes)


def end(**changes: Any) -> CallEnded:
    event = CallEnded(
        at=NOW,
        call_id="01JZZZZZZZZZZZZZZZZZZZZZ01",
        node="pbx1",
        direction="in",
        result="ANSWERED",
        queue="complaint",
        agent_id="a",
        agent_number="1001",
        from_number="+8613800138000",
        to_number="+861065551234",
        menu_path=(),
        started_at=NOW,
        queued_at=NOW,
        answered_at=NOW,
        ended_at=NOW + timedelta(seconds=90),
        wait_seconds=12.0,
        talk_seconds=75.0,
        hangup_by="caller",
    )
    return replace(event, **changes)


def test_a_ring_shows_the_caller_the_way_and_the_wait() -> None:
    payload = pop_payload(Pop.of_ring(ring()))
    assert payload is not None
    assert payload["phase"] == "ringing"
    assert payload["number"] == "138 0013 8000"
    assert payload["menu_path"] == ["投诉", "施工质量"]
    assert payload["queued_at"] == "2026-03-02T01:59:48+00:00"
    assert payload["lookup"] == "pending"


def test_the_other_side_of_an_outgoing_call_is_whom_one_called() -> None:
    pop = Pop.of_ring(ring(direction="out", from_number="1001", to_number="+8613900139000"))
    assert pop.phone is not None
    assert pop.phone.e164 == "+8613900139000"


def test_an_internal_or_anonymous_call_is_looked_up_nowhere() -> None:
    assert Pop.of_ring(ring(direction="internal", from_number="1002")).phone is None
    assert Pop.of_ring(ring(from_number="anonymous")).phone is None
    assert Pop.of_ring(ring(from_number="' OR 1=1 --")).phone is None


def test_one_customer_is_chosen_several_are_a_choice_none_is_a_form() -> None:
    pop = Pop.of_ring(ring())
    one, other = customer_card("C1"), customer_card("C2")
    found = pop.with_customers((one,))
    assert (found.lookup, found.chosen) == (Lookup.FOUND, "C1")
    several = pop.with_customers((one, other))
    assert (several.lookup, several.chosen) == (Lookup.SEVERAL, None)
    assert pop.with_customers(()).lookup is Lookup.UNKNOWN


@pytest.mark.parametrize("chosen", ["C2", NONE_OF_THEM])
def test_a_choice_stays_when_the_customers_are_read_again(chosen: str) -> None:
    cards = (customer_card("C1"), customer_card("C2"))
    pop = replace(Pop.of_ring(ring()), chosen=chosen)
    assert pop.with_customers(cards).chosen == chosen
    assert replace(pop, chosen="C9").with_customers(cards).chosen is None


def test_the_answer_starts_the_clock_once() -> None:
    pop = Pop.of_ring(ring()).answered(NOW, None)
    again = pop.answered(NOW + timedelta(seconds=3), 12.5)
    assert again.phase is Phase.TALKING
    assert again.answered_at == NOW
    assert again.wait_seconds == 12.5
    assert again.answered(NOW, None).wait_seconds == 12.5


def test_after_the_hang_up_nothing_brings_the_conversation_back() -> None:
    over = Pop.of_ring(ring()).answered(NOW, 12.0).ended(end())
    assert over.phase is Phase.WRAP_UP
    assert over.talk_seconds == 75.0
    assert over.answered(NOW, 1.0) is over


def test_a_call_that_was_not_seen_to_ring_is_drawn_from_its_record() -> None:
    pop = Pop.of_call(call_view(customer_id="C1"), Phase.WRAP_UP, now=NOW)
    assert (pop.number, pop.talk_seconds, pop.chosen) == ("+8613800138000", 60.0, "C1")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("+8613800138000", "138 0013 8000"),
        ("+861065551234", "010 6555 1234"),
        ("+8657112345678", "0571 1234 5678"),
        ("4008001234", "4008001234"),
        ("1001", "1001"),
        ("anonymous", ""),
        ("", ""),
        ("138****8000", "138****8000"),
        ("<b>", "<b>"),
    ],
)
def test_numbers_are_grouped_for_reading_aloud(raw: str, shown: str) -> None:
    assert readable(raw) == shown


def test_names_travel_as_data_whatever_they_are() -> None:
    pop = Pop.of_ring(ring(caller_name=HOSTILE)).with_customers((customer_card(name=HOSTILE),))
    payload = json.loads(json.dumps(pop_payload(pop)))
    assert payload["caller_name"] == HOSTILE
    assert payload["customers"][0]["name"] == HOSTILE


def test_a_missed_caller_is_nobodys_call_and_masked() -> None:
    payload = notice_payload(Notice(reason="no_answer", number="+8613800138000", queue="repair", at=NOW))
    assert payload is not None
    assert payload["number"] == "138****8000"
    anonymous = notice_payload(Notice(reason="no_answer", number="anonymous", queue=None, at=NOW))
    assert anonymous is not None
    assert anonymous["number"] == ""
    assert notice_payload(None) is None
    assert pop_payload(None) is None


def written(**changes: Any) -> WrapUpView:
    view = WrapUpView(
        call_id="01JZZZZZZZZZZZZZZZZZZZZZ01",
        agent_id="a",
        queue="complaint",
        taken_at=NOW,
        ended_at=None,
        disposition="call_back",
        notes="旧",
        customer_id=None,
        saved_at=None,
        draft_disposition=None,
        draft_notes=None,
    )
    return replace(view, **changes)


def test_a_draft_is_newer_than_what_was_saved() -> None:
    assert draft_payload(written())["notes"] == "旧"
    newer = draft_payload(written(draft_notes="新", draft_disposition=None))
    assert (newer["notes"], newer["disposition"]) == ("新", None)


def test_a_saved_wrap_up_says_so() -> None:
    pop = replace(Pop.of_ring(ring()), draft=written(saved_at=NOW), wrap_up=timedelta(seconds=60))
    payload = pop_payload(pop)
    assert payload is not None
    assert (payload["wrap_up"], payload["wrap_up_seconds"]) == ("done", 60.0)


def test_the_agents_state_names_their_queues() -> None:
    payload = state_payload(agent_snapshot())
    assert payload["state"] == "available"
    assert payload["queues"] == ["complaint", "repair"]
