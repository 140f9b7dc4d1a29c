"""Who is told at once of what cases, calls and their words say: the receivers of those facts."""

from dataclasses import dataclass
from functools import partial

from app.call_alerts import CALL_FACTS, CallListener
from app.said_alerts import SAID_FACTS, SaidListener
from app.settings import Settings
from app.web_settings import own_watchwords
from crm.case_alerts import ALERT_FACTS, look_at_case
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from kernel.outbox import FactHandler


@dataclass(frozen=True, slots=True)
class Receiver:
    """A task, the name under which it takes facts, which, and what it does with them."""

    task: str
    name: str
    types: tuple[type[Event], ...]
    handler: FactHandler


def alert_receivers(settings: Settings, database: Database, clock: Clock, bus: Bus) -> tuple[Receiver, ...]:
    """Return the receivers. Raises ConfigurationError for a file of the centre's own with mistakes."""
    words = own_watchwords(settings)
    calls = CallListener(settings, database, clock, bus)
    return (
        Receiver("case-alerts", "crm.case-alerts", ALERT_FACTS, partial(look_at_case, words=words)),
        Receiver("call-alerts", "crm.call_alerts", CALL_FACTS, calls.take),
        Receiver("said-alerts", "crm.said-alerts", SAID_FACTS, SaidListener(words).take),
    )
