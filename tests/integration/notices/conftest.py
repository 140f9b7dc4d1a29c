"""The stage of notices."""

import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.notices import NoticeStage


@pytest.fixture
def stage(database: Database, clock: FakeClock) -> NoticeStage:
    return NoticeStage(database, clock)
