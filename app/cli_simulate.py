"""``huifang simulate``: what the pacing would make of a centre, without dialling anybody."""

import dataclasses
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from app.console import Step, console, fail, step

if TYPE_CHECKING:
    from callback_campaigns.pacing.simulation.comparison import Compared, Trial

FEWEST, MOST = 5, 200


def simulate(
    agents: Annotated[
        str, typer.Option(help=f"How many agents, {FEWEST}–{MOST}; several with commas.")
    ] = "5,10,20,50,100,200",
    hours: Annotated[float, typer.Option(min=0.1, max=24, help="Hours to dial, in virtual time.")] = 2.0,
    talk: Annotated[float, typer.Option(min=10, max=1800, help="Mean conversation, seconds.")] = 180.0,
    talk_spread: Annotated[
        float, typer.Option(min=0, max=1.5, help="Spread of its logarithm (lognormal).")
    ] = 0.6,
    wrap: Annotated[float, typer.Option(min=1, max=600, help="Mean wrap-up, seconds.")] = 30.0,
    ring: Annotated[float, typer.Option(min=2, max=29, help="Mean time to answer, seconds.")] = 11.0,
    answers: Annotated[
        float, typer.Option(min=0.03, max=0.95, help="Share of dials a person answers.")
    ] = 0.4,
    machines: Annotated[float, typer.Option(min=0, max=0.9, help="Share a machine answers.")] = 0.08,
    swing: Annotated[
        float, typer.Option(min=0, max=0.9, help="How much the share of answers changes through the day.")
    ] = 0.25,
    cap: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Live answers that may be abandoned.")
    ] = 0.03,
    min_agents: Annotated[int, typer.Option(min=1, help="Fewer are dialled for progressively.")] = 8,
    ratio: Annotated[
        float, typer.Option(min=1, max=10, help="Lines per free agent of the fixed-ratio dialler.")
    ] = 2.0,
    random: Annotated[
        int, typer.Option(min=0, max=10_000, help="Try so many random centres instead, half an hour each.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Run the dialler's pacing in synthetic centres, beside other diallers and one that knows the future."""
    sizes = _sizes(agents)
    settled: dict[str, Any] = {
        "hours": hours,
        "talk_mean": talk,
        "talk_spread": talk_spread,
        "wrap_mean": wrap,
        "ring_mean": ring,
        "answer_ratio": answers,
        "machine_ratio": machines,
        "swing": swing,
        "seed": seed,
    }
    try:
        _simulate(sizes, settled, {"cap": cap, "min_agents": min_agents}, ratio, random, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or not all(FEWEST <= size <= MOST for size in sizes):
        raise typer.Exit(fail(f"--agents: numbers from {FEWEST} to {MOST}, with commas, not {text!r}"))
    return sizes


def _simulate(
    sizes: tuple[int, ...],
    settled: dict[str, Any],
    permitted: dict[str, Any],
    ratio: float,
    random: int,
    as_json: bool,
) -> None:
    from callback_campaigns.pacing.simulation.centre import Centre
    from callback_campaigns.pacing.simulation.comparison import compare, try_random_centres
    from callback_campaigns.pacing.terms import Policy

    policy = Policy(**permitted)
    with nullcontext(None) if as_json else step("simulating") as shown:
        progress = _progress(shown)
        if random:
            trial = try_random_centres(random, policy=policy, first_seed=settled["seed"], progress=progress)
        else:
            results = {
                size: compare(Centre(agents=size, **settled), policy=policy, ratio=ratio, progress=progress)
                for size in sizes
            }
    if random:
        _tell_trial(trial, policy.cap, as_json)
    elif as_json:
        console.print_json(json.dumps({"centre": settled, "policy": permitted, "results": _rows(results)}))
    else:
        _tell(results)


def _progress(shown: Step | None) -> Any:
    if shown is None:
        return None
    return lambda name, ready, total: shown.show(name, int(ready), int(total))


def _rows(results: "dict[int, tuple[Compared, ...]]") -> list[dict[str, Any]]:
    return [
        {
            "agents": size,
            "dialler": one.dialler,
            "occupancy": round(one.outcome.occupancy, 4),
            "occupancy_to_oracle": round(one.to_oracle, 4),
            "abandonment": round(one.outcome.abandonment, 4),
            "live_answers": one.outcome.live,
            "abandoned": one.outcome.abandoned,
            "dials": one.outcome.dials,
            "calls_per_hour": round(one.outcome.calls_per_hour, 1),
            "decisions": one.reasons,
        }
        for size, compared in results.items()
        for one in compared
    ]


def _tell(results: "dict[int, tuple[Compared, ...]]") -> None:
    table = Table()
    table.add_column("agents", justify="right")
    table.add_column("dialler")
    for title in ("occupancy", "gap to oracle", "abandoned", "calls/h", "dials"):
        table.add_column(title, justify="right")
    for size, compared in results.items():
        for one in compared:
            made = one.outcome
            table.add_row(
                str(size),
                one.dialler,
                f"{made.occupancy:.1%}",
                "–" if one.dialler == "oracle" else f"{1 - one.to_oracle:.1%}",
                f"{made.abandonment:.2%}",
                f"{made.calls_per_hour:.0f}",
                str(made.dials),
            )
        table.add_section()
    console.print(table)


def _tell_trial(trial: "Trial", cap: float, as_json: bool) -> None:
    if as_json:
        console.print_json(json.dumps({"cap": cap, **dataclasses.asdict(trial)}))
        return
    console.print(
        f"{trial.centres} random centres, {trial.live} live answers, {trial.abandoned} abandoned; above "
        f"{cap:.1%} at the end: {trial.above_cap}, at any moment: {trial.above_at_times} (by "
        f"{trial.worst_excess:.1f} calls at most); highest at the end {trial.worst_rate:.2%}",
        soft_wrap=True,
    )
