"""Facts that somebody should hear of at once (domain.md §2.1, §2.2)."""

from datetime import datetime

from kernel.events import Event, event


@event
class OpenCaseCaller(Event):
    """A customer with an open case called.

    Attributes:
        kind: of the case.
        answered: somebody talked to the customer.
    """

    case_id: str
    no: str
    kind: str
    customer_id: str
    call_id: str
    specialist_id: str | None
    answered: bool
    called_at: datetime


@event
class RefusedNumberCalled(Event):
    """Somebody dialled a number that is not to be called, and has no open case to call it about.

    Attributes:
        user_id: who dialled, as far as it is known; ``agent`` the name or number.
    """

    call_id: str
    entry_id: str
    customer_id: str | None
    user_id: str | None
    agent: str
    called_at: datetime


@event
class CauseRising(Event):
    """So many complaints in ``days`` have a cause or a ``subject`` in common, or both.

    Attributes:
        subject_key: names the subject among all: ``crew:ID``, ``manufacturer:NAME``, ``cause:``.
        cause: class and kind of the complaints in words; ``cause_key`` names it; "" where causes differ.
        case_ids: the complaints, the oldest first.
        heap_id: the heap that they are; it is told of once.
    """

    cause: str
    cause_key: str
    subject: str
    subject_key: str
    count: int
    days: int
    case_ids: tuple[str, ...]
    heap_id: str = ""


@event
class GroupComplaint(Event):
    """Several customers of one community complain of the same, and this complaint is not a major one.

    Attributes:
        cause: the class in words.
        customers: how many, in ``days``.
    """

    case_id: str
    no: str
    community: str
    cause: str
    customers: int
    days: int
    specialist_id: str | None


@event
class WatchwordFound(Event):
    """A case, or a call about it, has a watchword in it: ``word``, which is ``about`` a regulator or so."""

    case_id: str
    no: str
    about: str
    word: str
    specialist_id: str | None


@event
class WatchwordSaid(Event):
    """A customer said a watchword in a call that is about no case.

    Attributes:
        customer_id: whose number it is, if it is one customer's.
        second: of the call, at which it was said.
    """

    call_id: str
    about: str
    word: str
    customer_id: str | None
    second: float


@event
class ServiceLevelLow(Event):
    """A queue's service level over the last ``minutes`` is below the target; levels in percent."""

    queue: str
    label: str
    level: int
    target: int
    minutes: int
    below_since: datetime


@event
class BoardLimitCrossed(Event):
    """A figure of a queue is beyond the limit that was set for the supervisor's board.

    Attributes:
        kind: ``waiting``, ``longest`` (seconds), ``level`` (percent) or ``free``.
    """

    queue: str
    label: str
    kind: str
    limit: int
    value: int
    since: datetime
