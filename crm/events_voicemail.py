"""Facts about messages that callers left."""

from kernel.events import Event, event


@event
class MessageLeft(Event):
    """A caller left a message; ``path`` is below the folder of messages."""

    message_id: str
    path: str
