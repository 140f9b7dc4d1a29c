"""Live events of supervisors who listen."""

from kernel.events import Event, event


@event
class ListeningWished(Event):
    """A supervisor asked for something; the process that follows the PBX carries it out."""

    listening_id: str


@event
class ListeningChanged(Event):
    """What the PBX does for a supervisor changed, or ended; read the open ones."""

    listening_id: str
    call_id: str
