"""Runs every test: ``python -m tests.every [pytest's arguments]``.

Three at a time on two processors is the load under which races show. It is also the load under which a
deadline of a real telephone call is missed for no reason of ours. So a few that failed are run once more,
alone, on the machine that is quiet now: what fails twice is broken; what fails only under load is named, and
does not hold up a release.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

FEW: Final = 3
"""More than these have not failed for the machine's sake."""
ARGUMENTS: Final = ("-n", "3", "--dist", "loadfile", "--max-worker-restart", "3")
FAILED: Final = 1
"""pytest's exit code where tests ran and some failed; every other one is an end before its time."""
REMEMBERED: Final = Path(".pytest_cache/v/cache/lastfailed")


def pytest(*arguments: str) -> int:
    """Return pytest's exit code."""
    return subprocess.call([sys.executable, "-m", "pytest", *arguments])


def remembered(path: Path = REMEMBERED) -> tuple[str, ...]:
    """Return the names of the tests that failed, as pytest remembers them."""
    try:
        return tuple(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ()


def main(arguments: list[str]) -> int:
    """Run them, and a few that failed once more; return the exit code."""
    REMEMBERED.unlink(missing_ok=True)
    code = pytest(*ARGUMENTS, *arguments)
    failed = remembered()
    if code != FAILED or not 0 < len(failed) <= FEW or not all("::" in name for name in failed):
        return code
    print(f"\n{len(failed)} failed while the machine was busy; once more, alone.", flush=True)
    code = pytest("-p", "no:xdist", *failed)
    if code == 0:
        print("FAILED UNDER LOAD ONLY, look at them:", *failed, sep="\n  ")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
