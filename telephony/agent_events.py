"""Live events of the agents' side that are not about one agent's state or one call."""

from kernel.events import Event, event


@event
class RosterChanged(Event):
    """Agents, queues or memberships were edited; ``agent_ids`` empty means: anything may have changed."""

    agent_ids: tuple[str, ...] = ()


@event
class BoardChanged(Event):
    """Something on the live board moved; read its snapshot. At most four a second."""

    node: str
