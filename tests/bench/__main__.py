"""``python -m tests.bench NAME`` runs one benchmark, ``all`` every one and writes ``docs/benchmarks.md``.

``NAME --page`` puts its result into that page as well.

A benchmark is a module beside this one with ``def run() -> dict`` (or ``async def``). It returns an object
with ``bench``, ``machine``, ``figures`` and ``goals`` (see `tests.bench.report`). The last line printed is
that object as JSON; the exit code is 0 whether or not a goal is met: the numbers are the result.
"""

import asyncio
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import tests.bench
from tests.bench.report import markdown, put_into

HELPERS = {"__main__", "report"}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
LIMIT_SECONDS = 600
"""For a benchmark that does not say another."""


def names() -> list[str]:
    """The benchmarks there are: modules that have a ``run``."""
    found = []
    for module in pkgutil.iter_modules(tests.bench.__path__):
        path = Path(tests.bench.__path__[0]) / f"{module.name}.py"
        if module.name not in HELPERS and path.is_file() and "def run(" in path.read_text():
            found.append(module.name)
    return sorted(found)


def run_here(name: str) -> dict[str, Any]:
    """Run one benchmark in this process."""
    run = importlib.import_module(f"tests.bench.{name}").run
    result = run()
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return dict(result)


def about(name: str) -> str:
    """What a benchmark says of itself."""
    text = importlib.import_module(f"tests.bench.{name}").__doc__ or ""
    return text.replace("``", "`")


def run_apart(name: str) -> dict[str, Any] | None:
    """Run one benchmark in a process of its own, so that none spoils the next one's memory figures."""
    command = [sys.executable, "-m", "tests.bench", name]
    limit = getattr(importlib.import_module(f"tests.bench.{name}"), "LIMIT_SECONDS", LIMIT_SECONDS)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=limit, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(arguments: list[str]) -> int:
    """Run what is asked for; without a name, list what there is."""
    known = names()
    if arguments == ["all"]:
        results = []
        for name in known:
            print(f"== {name}", file=sys.stderr)
            result = run_apart(name)
            if result is not None:
                print(json.dumps(result, ensure_ascii=False))
                results.append(result)
        PAGE.write_text(markdown(results, {name: about(name) for name in known}), encoding="utf-8")
        return 0 if len(results) == len(known) else 1
    name, *options = arguments or [""]
    if name not in known or options not in ([], ["--page"]):
        print(f"usage: python -m tests.bench {{{','.join(['all', *known])}}} [--page]", file=sys.stderr)
        return 2
    result = run_here(name)
    if options:
        page = put_into(PAGE.read_text(encoding="utf-8"), result, about(name))
        PAGE.write_text(page, encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
