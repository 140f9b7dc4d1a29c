"""The steps between the members that Asterisk has and those it should have."""

import pytest

from telephony.domain.agent_state import Stance
from telephony.domain.queue import (
    ActualMember,
    AddMember,
    MemberPlan,
    Membership,
    PauseMember,
    RemoveMember,
    SetPenalty,
    UnpauseMember,
    changes,
)

pytestmark = pytest.mark.unit

FREE = Stance(present=True)
LUNCH = Stance(present=True, paused=True, reason="lunch")
AWAY = Stance(present=False)


def plan(stance: Stance, *queues: tuple[str, int]) -> MemberPlan:
    memberships = tuple(Membership(name, penalty) for name, penalty in queues)
    return MemberPlan(number="1001", name="李静", version=1, memberships=memberships, stance=stance)


def member(queue: str, *, penalty: int = 0, reason: str | None = None) -> ActualMember:
    return ActualMember(queue=queue, penalty=penalty, paused=reason is not None, reason=reason or "")


def test_nothing_to_do() -> None:
    assert changes(plan(FREE, ("repair", 0)), [member("repair")]) == ()
    assert changes(plan(LUNCH, ("repair", 0)), [member("repair", reason="lunch")]) == ()
    assert changes(plan(AWAY, ("repair", 0)), []) == ()


def test_an_agent_joins_all_their_queues_with_their_penalties() -> None:
    assert changes(plan(FREE, ("service", 5), ("repair", 0)), []) == (
        AddMember(queue="repair", penalty=0, paused=False, reason=""),
        AddMember(queue="service", penalty=5, paused=False, reason=""),
    )


def test_an_agent_in_a_break_joins_paused() -> None:
    assert changes(plan(LUNCH, ("repair", 0)), []) == (
        AddMember(queue="repair", penalty=0, paused=True, reason="lunch"),
    )


def test_a_signed_out_agent_leaves_all() -> None:
    found = changes(plan(AWAY, ("repair", 0)), [member("repair"), member("service", reason="lunch")])
    assert found == (RemoveMember("repair"), RemoveMember("service"))


def test_a_queue_the_agent_works_in_no_more_is_left() -> None:
    found = changes(plan(FREE, ("repair", 0)), [member("repair"), member("complaint")])
    assert found == (RemoveMember("complaint"),)


def test_a_changed_penalty() -> None:
    assert changes(plan(FREE, ("repair", 3)), [member("repair")]) == (SetPenalty("repair", 3),)


def test_a_pause_is_one_step_for_all_queues_and_comes_first() -> None:
    found = changes(plan(LUNCH, ("repair", 0), ("service", 0)), [member("repair"), member("other")])
    assert found == (
        PauseMember("lunch"),
        RemoveMember("other"),
        AddMember(queue="service", penalty=0, paused=True, reason="lunch"),
    )


def test_another_reason_is_told() -> None:
    found = changes(plan(LUNCH, ("repair", 0)), [member("repair", reason="wrap-up")])
    assert found == (PauseMember("lunch"),)


def test_coming_back_is_the_last_step() -> None:
    found = changes(plan(FREE, ("repair", 1), ("service", 0)), [member("repair", reason="lunch")])
    assert found == (
        SetPenalty("repair", 1),
        AddMember(queue="service", penalty=0, paused=False, reason=""),
        UnpauseMember(),
    )
