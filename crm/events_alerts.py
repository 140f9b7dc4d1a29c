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
    """The same cause came up so often in ``days``, with the same crew or manufacturer (``subject``).

    Attributes:
        subject_key: names the subject among all: ``crew:ID``, ``manufacturer:NAME``.
        cause: class and kind of the complaints in words; ``cause_key`` names it.
        case_ids: the complaints, the oldest first.
    """

    cause: str
    cause_key: str
    subject: str
    subject_key: str
    count: int
    days: int
    case_ids: tuple[str, ...]


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
    """A case speaks of the press or a regulator; ``word`` is what was found, ``about`` which of the two."""

    case_id: str
    no: str
    about: str
    word: str
    specialist_id: str | None


@event
class ServiceLevelLow(Event):
    """The day's service level of a queue has been below the target for a while; levels in percent."""

    queue: str
    label: str
    level: int
    target: int
    minutes: int
    below_since: datetime
