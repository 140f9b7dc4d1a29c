"""News about imports, for pages that show how far one is."""

from kernel.events import Event, event


@event
class ImportProgressed(Event):
    """A job is in this state, and so far with this step; ``total`` is 0 while nobody knows it."""

    job_id: str
    state: str
    step: str
    done: int
    total: int
