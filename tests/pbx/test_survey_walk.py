"""Customers called by a real Asterisk go a way or two through every questionnaire of domain.md §3.

All ways there are, with every key of every item, are walked by ``python -m tests.bench survey_walk``.
"""

from pathlib import Path

import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.survey_walk import walk_line
from tests.support.walk_table import a_few

pytestmark = pytest.mark.pbx


async def test_each_questionnaire_asks_what_it_should_and_comes_to_what_it_should(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    async with walk_line(tmp_path, sqlite, clock) as line:
        wrong = await line.walk_all(a_few())
    assert not wrong, "\n".join(wrong)
