"""The private runtime for tests: unpacked once into ``.runtime`` at the root of the project, then shared.

Name the fixture in a test, or call ``shared_runtime()``; the first call on a machine needs a network and
some ten seconds. ``HUIFANG_RUNTIME_DIR`` names another folder.
"""

import asyncio
import os
from functools import cache
from pathlib import Path

import pytest

from app.runtime import Runtime
from app.runtime.tool import ALL_TOOLS

ROOT = Path(__file__).resolve().parents[2]


def runtime_folder() -> Path:
    """Return the folder that holds the unpacked programs."""
    return Path(os.environ.get("HUIFANG_RUNTIME_DIR") or ROOT / ".runtime")


@cache
def shared_runtime() -> Runtime:
    """Return all four programs; a lock keeps parallel workers from unpacking twice.

    Not to be called inside a running event loop: there, ``await Runtime.ensure(runtime_folder(), ...)``.
    """
    return asyncio.run(Runtime.ensure(runtime_folder(), need=frozenset(ALL_TOOLS)))


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """Asterisk, redis-server, espeak-ng and SIPp, from the host or unpacked."""
    return shared_runtime()
