"""The desk of complaints on the day of the worked example, and the services of tickets beside it."""

import pytest

from crm.ticket_services import TicketServices
from kernel.db import Database
from tests.support.complaints import (
    Desk,
    open_desk,
)
from tests.support.limits import SettableClock, at
from tests.support.tickets import ticket_services


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 16:30, as in the worked example of domain.md §1.3."""
    return SettableClock(at("2026-03-20T16:30"))


@pytest.fixture
async def desk(database: Database, clock: SettableClock) -> Desk:
    return await open_desk(database, clock)


@pytest.fixture
def services(desk: Desk) -> TicketServices:
    return ticket_services(desk)
