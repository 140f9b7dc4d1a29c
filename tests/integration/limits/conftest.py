"""The clock and the book of limits, on the day of the worked example."""

import pytest

from crm.limits import LimitBook
from tests.support.limit_work import FRIDAY
from tests.support.limits import SettableClock


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 16:30: the worked example's registration."""
    return SettableClock(FRIDAY)


@pytest.fixture
def book(clock: SettableClock) -> LimitBook:
    return LimitBook(clock)
