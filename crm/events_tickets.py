"""Facts about problem tickets, forwarded orders and repair points."""

from datetime import datetime

from kernel.events import Event, event


@event
class TicketOpened(Event):
    """A problem that a callback found was written down; ``fed_back`` counts this and earlier times."""

    case_id: str
    no: str
    customer_id: str
    severity: int
    departments: tuple[str, ...]
    specialist_id: str | None
    summary: str
    fed_back: int


@event
class TicketHandedOff(Event):
    """A department is to sign for its part of a ticket.

    Attributes:
        due_at: the end of limit TD.T1.
        again_at: when it is told again if nobody has signed, on the service clock.
    """

    case_id: str
    no: str
    part_id: str
    handoff_id: str
    receipt_no: str
    department: str
    specialist_id: str | None
    summary: str
    due_at: datetime | None
    again_at: datetime | None = None


@event
class TicketSigned(Event):
    """A department has signed for its part."""

    case_id: str
    no: str
    part_id: str
    department: str
    received_by: str
    specialist_id: str | None


@event
class TicketRefused(Event):
    """A department says that the part is not theirs, or not so."""

    case_id: str
    no: str
    part_id: str
    department: str
    specialist_id: str | None
    reason: str


@event
class RevisitWanted(Event):
    """Every part of a ticket is solved: the customer is to be called again, with the same questions."""

    case_id: str
    no: str
    customer_id: str
    project_id: str | None
    callback_ref: str | None
    question_id: str | None
    specialist_id: str | None


@event
class TicketVerified(Event):
    """The customer agrees that it is solved, or the manager waived the question."""

    case_id: str
    no: str
    specialist_id: str | None
    waived: bool


@event
class TicketClosed(Event):
    """A ticket is settled."""

    case_id: str
    no: str
    customer_id: str
    specialist_id: str | None


@event
class TicketConverted(Event):
    """A ticket has become a complaint; ``why``: customer, severity, revisit, decided."""

    case_id: str
    no: str
    complaint_id: str
    complaint_no: str
    why: str
    specialist_id: str | None


@event
class OpinionNoticeIssued(Event):
    """The same problem was fed back twice and not solved in time: notice one level up (CB-6)."""

    notice_id: str
    no: str
    case_id: str
    case_no: str
    department: str
    addressed_to: str
    fed_back: int


@event
class SourceReplied(Event):
    """A hotline that forwarded a case was told the result."""

    case_id: str
    no: str
    kind: str
    external_no: str
    way: str
    replied_by: str
    specialist_id: str | None


@event
class RepairBudgetExceeded(Event):
    """A repair point's month costs more than its budget; amounts in yuan."""

    account_id: str
    point_id: str
    point: str
    month: str
    budget: str
    actual: str
