"""What is told of single dials."""

from kernel.events import Event, event


@event
class DialFailed(Event):
    """The exchange took an Originate and made no channel of it."""

    attempt_id: str
    node: str
