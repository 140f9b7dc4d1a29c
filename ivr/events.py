"""What the menus tell the rest of the centre."""

from kernel.events import Event, event


@event
class FlowPublished(Event):
    """Another version of a flow is in force; every process that speaks it loads it."""

    name: str
    version: int
