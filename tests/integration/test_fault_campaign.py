"""A campaign in which everything fails at random: nobody is called twice, or at a bad hour.

Ten thousand attempts of it are ``python -m tests.bench dialler_faults_played``.
"""

import pytest

from kernel.db import Database
from tests.support.fault_campaign import FaultWorld

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_fails_nobody_is_called_who_may_not_be(sqlite: Database, seed: int) -> None:
    verdict = await FaultWorld(sqlite, seed, customers=100).run(100)
    assert not verdict.wrong, verdict.examples
    assert verdict.attempts >= 100
    assert sum(verdict.faults.values()) >= 5
