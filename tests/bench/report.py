"""The one shape of a benchmark's result, and the page made of them."""

import os
import platform
from collections.abc import Iterable, Mapping
from typing import Any


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = found[0] if found else model
    except OSError:
        pass
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": model,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def at_least(value: float, goal: float) -> dict[str, Any]:
    """A goal for a figure that should be high."""
    return {"goal": f">= {goal:g}", "value": value, "met": value >= goal}


def at_most(value: float, goal: float) -> dict[str, Any]:
    """A goal for a figure that should be low."""
    return {"goal": f"< {goal:g}", "value": value, "met": value < goal}


def report(
    bench: str, figures: Mapping[str, float], goals: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The result of one benchmark. The name of a figure ends with its unit."""
    return {
        "bench": bench,
        "machine": machine(),
        "figures": {name: _rounded(value) for name, value in figures.items()},
        "goals": {name: {**goal, "value": _rounded(goal["value"])} for name, goal in goals.items()},
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def markdown(results: Iterable[Mapping[str, Any]], about: Mapping[str, str]) -> str:
    """The page ``docs/benchmarks.md``. ``about``: name of a benchmark → what it measures."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Both sides of every ratio ran in one go on the same machine; what drives",
        "a bench (SIPp, Asterisk, Chromium, the played PBX) shared that machine with what it measures.",
        "Absolute times differ from machine to machine, and from hour to hour on a machine that others use:",
        "`machine_busy_percent` tells how much was left.",
    ]
    for result in results:
        lines += _section(result, about.get(result["bench"], ""))
    return "\n".join(lines) + "\n"


def put_into(page: str, result: Mapping[str, Any], about: str) -> str:
    """Return the page with one benchmark's section replaced, or put where its name belongs."""
    head, *sections = page.split("\n## ")
    made = "\n".join(_section(result, about)).removeprefix("\n## ")
    others = [one for one in sections if one.partition("\n")[0] != result["bench"]]
    bodies = sorted((*(one.rstrip("\n") for one in others), made), key=lambda one: one.partition("\n")[0])
    return "\n\n## ".join((head.rstrip("\n"), *bodies)) + "\n"


def _section(result: Mapping[str, Any], about: str) -> list[str]:
    where = result["machine"]
    lines = [
        "",
        f"## {result['bench']}",
        "",
        about.strip(),
        "",
        f"{where['cpus']} CPUs ({where['cpu']}), {where['system']}, Python {where['python']}.",
        "",
        "| figure | value |",
        "|---|---|",
    ]
    lines += [f"| {name} | {value:g} |" for name, value in result["figures"].items()]
    if result["goals"]:
        lines += ["", "| goal | wanted | measured | met |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {goal['goal']} | {goal['value']:g} | {'yes' if goal['met'] else 'NO'} |"
            for name, goal in result["goals"].items()
        ]
    return lines
