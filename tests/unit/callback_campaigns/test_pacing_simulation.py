"""The simulator: virtual time, the same list for every dialler, and what is counted."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from app.cli import cli
from callback_campaigns.pacing import Mode, Policy
from callback_campaigns.pacing.simulation.centre import Centre, Contacts, random_centre
from callback_campaigns.pacing.simulation.comparison import compare, try_random_centres
from callback_campaigns.pacing.simulation.diallers import FixedRatioDialler, PacedDialler
from callback_campaigns.pacing.simulation.run import Outcome, Run, oracle

pytestmark = pytest.mark.unit

CENTRE = Centre(agents=12, hours=0.25, talk_mean=60.0, wrap_mean=15.0)


def outcome_of(centre: Centre, ratio: float) -> Outcome:
    return Run(centre, Contacts(centre), FixedRatioDialler(ratio), 0.03).outcome()


def test_progressive_abandons_nobody() -> None:
    run = Run(CENTRE, Contacts(CENTRE), PacedDialler(Mode.PROGRESSIVE, Policy()), 0.03).outcome()
    assert run.live == run.connected > 0
    assert run.abandoned == 0


def test_a_reckless_dialler_abandons_and_every_live_answer_is_counted_once() -> None:
    run = outcome_of(CENTRE, 4.0)
    assert run.abandoned > 0
    assert run.connected + run.abandoned == run.live
    assert run.excess > 0


def test_the_oracle_is_hardly_ever_idle() -> None:
    assert oracle(CENTRE, Contacts(CENTRE)).occupancy > 0.97


def test_trunks_limit_every_dialler() -> None:
    narrow = replace(CENTRE, lines_per_agent=0.0)
    assert narrow.lines == 12
    assert outcome_of(narrow, 10.0).dials < outcome_of(CENTRE, 10.0).dials


def test_the_answer_ratio_turns() -> None:
    centre = Centre(agents=5, swing=0.0, answer_ratio=0.4, turns=((100.0, 0.5), (200.0, 2.0)))
    assert [centre.answering(at) for at in (50.0, 150.0, 250.0)] == pytest.approx([0.4, 0.2, 0.8])


def test_everyone_is_compared_on_the_same_list() -> None:
    told: list[str] = []
    results = compare(CENTRE, policy=Policy(), progress=lambda name, ready, total: told.append(name))
    assert [one.dialler for one in results] == ["predictive", "power", "progressive", "fixed 2:1", "oracle"]
    assert all(0 < one.to_oracle <= 1.02 for one in results)
    assert told
    assert results[0].reasons


def test_random_centres_are_5_to_200_agents_and_repeatable() -> None:
    sizes = [random_centre(seed).agents for seed in range(300)]
    assert min(sizes) >= 5
    assert max(sizes) <= 200
    assert random_centre(7) == random_centre(7)
    assert try_random_centres(2, policy=Policy(), hours=0.05).centres == 2


def test_the_command_prints_json_and_refuses_other_sizes() -> None:
    run = CliRunner().invoke(cli, ["simulate", "--agents", "5", "--hours", "0.1", "--json"])
    assert run.exit_code == 0
    results = json.loads(run.stdout)["results"]
    assert {row["dialler"] for row in results} == {
        "predictive",
        "power",
        "progressive",
        "fixed 2:1",
        "oracle",
    }
    assert CliRunner().invoke(cli, ["simulate", "--agents", "4"]).exit_code == 1
