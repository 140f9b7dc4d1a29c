"""Facts about repairs, their costs and crews' deposits; each says enough to tell somebody what to do next."""

from datetime import datetime

from kernel.events import Event, event


@event
class RepairRegistered(Event):
    """A repair was written down; ``warnings`` are what the agent was shown."""

    case_id: str
    no: str
    customer_id: str
    project_id: str | None
    summary: str
    warnings: tuple[str, ...]
    specialist_id: str | None


@event
class RepairRouted(Event):
    """Somebody is to repair it: ``original``, ``captain`` or ``other_crew``.

    ``again``: it was taken from others; ``department`` has to act.
    """

    case_id: str
    no: str
    customer_id: str
    route: str
    reason: str | None
    note: str
    crew_id: str | None
    department: str | None
    again: bool
    specialist_id: str | None
    summary: str


@event
class RerouteProposed(Event):
    """The 24 h check: whoever repairs has not contacted the customer; the specialist may route it anew."""

    case_id: str
    no: str
    route: str
    department: str | None
    specialist_id: str | None
    due_at: datetime


@event
class RepairNotified(Event):
    """Whoever repairs was told, by ``sheet`` or ``phone``."""

    case_id: str
    no: str
    route: str
    way: str
    department: str | None


@event
class RepairAppointed(Event):
    """The customer and whoever repairs agreed on a visit."""

    case_id: str
    no: str
    customer_id: str
    visit_from: datetime
    visit_until: datetime
    department: str | None
    specialist_id: str | None


@event
class RepairVisitFinished(Event):
    """A visit is over; ``cost_owed``: the cost sheet is due within the limit K0."""

    case_id: str
    no: str
    customer_id: str
    visit_id: str
    outcome: str
    cost_owed: bool
    department: str | None
    specialist_id: str | None


@event
class RepairCalledBack(Event):
    """The customer was called back, or nobody was reached (``not_connected``)."""

    case_id: str
    no: str
    customer_id: str
    problem: str
    verdict: str | None
    round: int
    department: str | None
    specialist_id: str | None


@event
class RepairClosed(Event):
    """A repair was closed; ``waived``: by the manager, without the customer's word."""

    case_id: str
    no: str
    customer_id: str
    waived: bool
    first_time_fix: bool | None


@event
class CostSheetWritten(Event):
    """What a repair cost was written down, or changed (``revision`` above 1); it waits for a signature."""

    case_id: str
    no: str
    cost_id: str
    total: str
    kind: str
    revision: int
    author_id: str


@event
class CostSheetMoved(Event):
    """A settlement is one step further, or was sent back: ``state`` says what it waits for."""

    case_id: str
    no: str
    cost_id: str
    state: str
    state_was: str
    total: str
    reason: str
    author_id: str


@event
class DepositPosted(Event):
    """A crew's deposit changed; ``amount`` is below zero when it was taken out."""

    crew_id: str
    posting_id: str
    kind: str
    amount: str
    balance: str
    case_id: str | None


@event
class DepositShort(Event):
    """A deposit did not suffice: ``owed`` became a receivable. Finance and engineering are told."""

    crew_id: str
    crew_name: str
    receivable_id: str
    case_id: str
    no: str
    due: str
    posted: str
    owed: str


@event
class ReceivableCleared(Event):
    """What a crew owed beyond its deposit was paid or settled otherwise."""

    crew_id: str
    receivable_id: str
    case_id: str
    amount: str
