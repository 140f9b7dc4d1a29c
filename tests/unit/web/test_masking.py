"""Who sees which digits."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from telephony.views import CallView, TimelineEntry
from tests.support.web import call_view
from web.identity import CurrentUser, Via
from web.masking import mask_call, masked, shown_call
from web.permissions import Role

pytestmark = pytest.mark.unit


def user(role: Role, agent_id: str | None = None, via: Via = Via.SESSION) -> CurrentUser:
    return CurrentUser(user_id="u", login="l", display_name="d", role=role, via=via, agent_id=agent_id)


def everything(call: CallView) -> str:
    return json.dumps(asdict(call), default=str, ensure_ascii=False)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613800138000", "138****8000"),
        ("13800138000", "138****8000"),
        ("+861065551234", "010****1234"),
        ("+441632960961", "004*******0961"),
        ("1001", "1001"),
        ("12345", "12345"),
        ("anonymous", "anonymous"),
        ("", ""),
        ("<b>13800138000</b>", None),
    ],
)
def test_masked(number: str, shown: str | None) -> None:
    assert masked(number) == shown or shown is None
    assert "13800138000" not in masked(number)


def test_the_callers_number_is_hidden_wherever_it_stands() -> None:
    call = mask_call(call_view(from_name="王建国 13800138000"))
    assert call.from_number == "138****8000"
    assert "13800138000" not in everything(call)
    assert call.to_number == "+861065551234"  # the centre's own line is no secret
    assert call.timeline[0].detail["did"] == "+861065551234"
    assert call.timeline[0].channel == "Local/138****8000@from-agent-0001"


def test_of_an_outgoing_call_the_called_number_is_hidden() -> None:
    call = mask_call(call_view(direction="out", from_number="1001", to_number="+8613900139000", legs=()))
    assert (call.from_number, call.to_number) == ("1001", "139****9000")


def test_an_internal_call_shows_both_extensions() -> None:
    call = mask_call(call_view(direction="internal", from_number="1001", to_number="1002", legs=()))
    assert (call.from_number, call.to_number) == ("1001", "1002")


def test_an_outside_number_a_call_was_transferred_to_is_hidden() -> None:
    entry = replace(call_view().timeline[0], kind="transferred", channel=None, detail={"to": "13700137000"})
    assert "13700137000" not in everything(mask_call(call_view(timeline=(entry,))))


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.ADMINISTRATOR])
@pytest.mark.parametrize("via", Via)
def test_leaders_see_whole_numbers(role: Role, via: Via) -> None:
    assert shown_call(call_view(), user(role, via=via)) == call_view()


def test_an_agent_sees_the_number_of_the_call_in_hand_only() -> None:
    mine = call_view(state="talking", result=None, agent_id="agent-1")
    assert shown_call(mine, user(Role.AGENT, "agent-1")) == mine
    assert shown_call(mine, user(Role.AGENT, "agent-2")).from_number == "138****8000"
    assert shown_call(mine, user(Role.AGENT)).from_number == "138****8000"
    assert shown_call(call_view(), user(Role.AGENT, "agent-1")).from_number == "138****8000"


def test_a_call_of_nobody_is_not_the_call_of_a_user_without_agent() -> None:
    queued = call_view(state="queued", agent=None, agent_id=None)
    assert shown_call(queued, user(Role.AGENT)).from_number == "138****8000"


def test_who_may_not_listen_does_not_see_who_listened_in_silence() -> None:
    modes = ("listen", "whisper", "barge", "end")
    told = tuple(
        TimelineEntry(
            seq=seq,
            at=datetime(2026, 3, 2, tzinfo=UTC),
            kind="supervised",
            channel=None,
            agent="1008",
            queue=None,
            detail={"mode": mode},
        )
        for seq, mode in enumerate(modes, 1)
    )
    call = replace(call_view(), timeline=told)
    seen = [row.detail["mode"] for row in shown_call(call, user(Role.AGENT)).timeline]
    assert seen == ["whisper", "barge"]
    assert len(shown_call(call, user(Role.SUPERVISOR)).timeline) == len(modes)
