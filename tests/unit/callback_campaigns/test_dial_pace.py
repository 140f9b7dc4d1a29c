"""How many calls a campaign may begin now."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from callback_campaigns.dial_pace import CampaignPace, Room, Starts
from callback_campaigns.domain.campaign import Campaign, CampaignMode
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.exchange import People
from callback_campaigns.pacing.terms import Reason
from tests.unit.callback_campaigns.tasks import MONDAY

pytestmark = pytest.mark.unit

NOW = 10_000.0


def campaign(mode: CampaignMode = CampaignMode.IVR, **changes: Any) -> Campaign:
    known: dict[str, Any] = {
        "campaign_id": "C",
        "name": "回访",
        "mode": mode,
        "kinds": frozenset({CallbackType.START}),
        "queue": "service" if mode.needs_queue else None,
        "trunk": "main",
        "carrier": "own",
        "caller_id": "01065558800",
        "per_second": 50,
        "starts_on": date(2026, 1, 1),
        "ends_on": date(2026, 12, 31),
    }
    return Campaign(**(known | changes))


def room(pace: CampaignPace, of: Campaign, people: People | None = None, **changes: Any) -> Room:
    known: dict[str, Any] = {"lines_left": 100, "heard_ago": 0.1, "wall": MONDAY, "now": NOW}
    return pace.room(of, people or People(), **(known | changes))


def test_without_agents_lines_and_rate_are_all_that_limits() -> None:
    one = campaign(per_second=10)
    pace = CampaignPace.of(one)
    assert room(pace, one).dials == 4  # a burst is 0.4 seconds' worth
    assert room(pace, one, lines_left=2).dials == 2
    full = room(pace, one, lines_left=0)
    assert (full.dials, full.against) == (0, RefusalCode.CONCURRENCY)
    for _ in range(10):
        pace.began("x", NOW)
    assert room(pace, one, now=NOW + 0.9).dials == 0
    assert room(pace, one, now=NOW + 1.0).dials == 4


def test_progressive_is_one_dial_for_each_free_agent() -> None:
    one = campaign(CampaignMode.PROGRESSIVE)
    pace = CampaignPace.of(one)
    assert room(pace, one, People(free=3)).dials == 3
    for number in range(2):
        pace.began(f"a{number}", NOW)
    assert room(pace, one, People(free=3)).dials == 1
    # Somebody waits for an agent already, of ours or of those who called us.
    pace.person("a0", NOW + 5)
    assert room(pace, one, People(free=3), now=NOW + 6).dials == 1
    assert room(pace, one, People(free=3, waiting=3), now=NOW + 6).dials == 0


def test_nobody_is_dialled_for_agents_who_are_not_there_or_not_known() -> None:
    one = campaign(CampaignMode.PREDICTIVE)
    pace = CampaignPace.of(one)
    assert room(pace, one, People()).against is RefusalCode.NO_AGENTS
    stale = room(pace, one, People(free=5), heard_ago=30.0)
    assert (stale.dials, stale.against) == (0, RefusalCode.STALE_STATE)


def _busy(pace: CampaignPace, abandoned: int = 0) -> None:
    """Let a centre learn: 400 calls of two minutes, half of the dials answered after eight seconds."""
    for number in range(400):
        pace.history.dial_answered(8.0)
        pace.history.dial_failed(20.0)
        pace.history.talk_ended(60.0 + number % 120)
        pace.history.wrap_up_ended(10.0)
        pace.remember(NOW - 4000 + number * 10, abandoned=number < abandoned)


TALKING = People(
    free=2,
    talking_since=tuple(MONDAY - timedelta(seconds=10 * number) for number in range(18)),
    wrapping_since=(MONDAY - timedelta(seconds=5),) * 4,
)


def test_predictive_dials_ahead_of_its_agents_only_with_enough_of_them() -> None:
    one = campaign(CampaignMode.PREDICTIVE, agents_least=10)
    pace = CampaignPace.of(one)
    _busy(pace)
    ahead = room(pace, one, TALKING)
    assert ahead.ahead
    assert ahead.dials > TALKING.free
    # The same centre, from which the campaign asks for more agents than there are.
    many = replace(one, agents_least=40)
    held = room(CampaignPace.of(many, pace), many, TALKING)
    assert (held.dials, held.ahead) == (TALKING.free, False)


def test_without_a_budget_it_is_progressive_however_much_is_overdrawn() -> None:
    one = campaign(CampaignMode.PREDICTIVE)
    for abandoned in (12, 60):
        pace = CampaignPace.of(one)
        _busy(pace, abandoned=abandoned)
        held = room(pace, one, TALKING)
        assert (held.dials, held.reason) == (TALKING.free, Reason.BUDGET_USED.value)
        assert pace.share(NOW) == pytest.approx(abandoned / 400)


def _answered(pace: CampaignPace, of: Campaign, now: float, *, taken: bool) -> None:
    """Dial as many as may be, each of whom answers; an agent takes the call, or nobody does."""
    for number in range(room(pace, of, People(free=2), now=now).dials):
        pace.began(f"{now}-{number}", now)
        if taken:
            pace.connected(f"{now}-{number}", now + 3, 1.0)
        else:
            pace.abandoned(f"{now}-{number}", now + 4)


def test_it_stands_still_when_not_even_one_call_for_each_free_agent_is_taken() -> None:
    one = campaign(CampaignMode.PREDICTIVE)
    pace = CampaignPace.of(one)
    _busy(pace, abandoned=60)
    _answered(pace, one, NOW, taken=False)
    _answered(pace, one, NOW + 10, taken=False)
    still = room(pace, one, People(free=2), now=NOW + 20)
    assert (still.dials, still.against) == (0, RefusalCode.ABANDONMENT)
    # A minute later one call tells whether agents answer again; it finds nobody, and twice as long is waited.
    tried = room(pace, one, People(free=2), now=NOW + 80)
    assert (tried.dials, tried.reason) == (1, Reason.TRIAL.value)
    _answered(pace, one, NOW + 80, taken=False)
    assert room(pace, one, People(free=2), now=NOW + 180).dials == 0
    assert room(pace, one, People(free=2), now=NOW + 210).dials == 1
    # Now they do: one more at a time for each that is taken, then as before.
    for step in range(5):
        _answered(pace, one, NOW + 210 + 10 * step, taken=True)
    again = room(pace, one, People(free=2), now=NOW + 300)
    assert (again.dials, again.reason) == (2, Reason.FEW_AGENTS.value)


def test_calls_dialled_ahead_stop_dialling_ahead_and_nothing_else() -> None:
    one = campaign(CampaignMode.PREDICTIVE)
    pace = CampaignPace.of(one)
    _busy(pace)
    ahead = room(pace, one, TALKING)
    assert ahead.ahead
    for number in range(40):
        pace.began(f"a{number}", NOW)
        pace.abandoned(f"a{number}", NOW + 5)
    fallen = room(pace, one, TALKING, now=NOW + 6)
    assert (fallen.dials, fallen.reason) == (TALKING.free, Reason.BUDGET_USED.value)


def test_power_never_exceeds_its_ratio() -> None:
    one = campaign(CampaignMode.POWER, ratio=1.5)
    pace = CampaignPace.of(one)
    _busy(pace)
    assert room(pace, one, replace(TALKING, free=4)).dials <= 6


def test_live_answers_are_counted_by_whether_somebody_took_them() -> None:
    one = campaign(CampaignMode.PROGRESSIVE)
    pace = CampaignPace.of(one)
    for name in ("taken", "left", "machine", "busy"):
        pace.began(name, NOW)
    pace.person("taken", NOW + 5)
    pace.connected("taken", NOW + 6)
    pace.abandoned("left", NOW + 7)
    pace.failed("machine", NOW + 8)
    pace.failed("busy", NOW + 9)
    pace.connected("taken", NOW + 10)  # told twice
    assert pace.share(NOW + 10) == 0.5
    assert pace.history.answers.value < 1.0
    assert not pace.dials


def test_what_was_learnt_outlives_a_change_of_limits() -> None:
    one = campaign(CampaignMode.PREDICTIVE)
    pace = CampaignPace.of(one)
    _busy(pace, abandoned=4)
    assert CampaignPace.of(one, pace) is pace
    after = CampaignPace.of(replace(one, agents_least=12), pace)
    assert after is not pace
    assert after.history is pace.history
    assert after.share(NOW) == pace.share(NOW)


def test_starts_are_forgotten_after_a_second() -> None:
    starts = Starts()
    for at in (0.0, 0.5, 0.9):
        starts.add(at)
    assert [starts.count(now) for now in (0.9, 1.0, 1.6, 2.0)] == [3, 2, 1, 0]


def test_a_machine_was_listened_for_and_the_agent_came_too_late() -> None:
    pace = CampaignPace.of(campaign(CampaignMode.POWER))
    for name, comes in (("late", 2.4), ("in-time", 1.9)):
        pace.began(name, NOW)
        pace.picked_up(name, NOW + 5)
        pace.connected(name, NOW + 5 + comes, comes)
    assert pace.share(NOW + 10) == 0.5
