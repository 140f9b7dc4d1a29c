"""Live events of the agents' side that are not about one agent's state or one call."""

from datetime import datetime

from kernel.events import Event, event


@event
class RosterChanged(Event):
    """Agents, queues or memberships were edited; ``agent_ids`` empty means: anything may have changed."""

    agent_ids: tuple[str, ...] = ()


@event
class BoardChanged(Event):
    """Something on the live board moved; read its snapshot. At most four a second."""

    node: str


@event
class FiguresRebuilt(Event):
    """A day's stored figures were computed anew; ``day`` is the site's, as YYYY-MM-DD."""

    day: str


@event
class PauseOverran(Event):
    """A break lasts longer than its reason allows; told once for each break."""

    agent_id: str
    agent_number: str
    agent_name: str
    reason: str
    since: datetime
    limit_seconds: int
