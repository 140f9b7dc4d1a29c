"""Facts about complaints and major complaints; each says enough to tell somebody what to do next."""

from datetime import datetime

from kernel.events import Event, event


@event
class ComplaintRegistered(Event):
    """A complaint was written down."""

    case_id: str
    no: str
    customer_id: str
    severity: int
    source: str
    departments: tuple[str, ...]
    specialist_id: str | None
    summary: str


@event
class ConfidentialRegistered(Event):
    """A complaint has a line about integrity that nobody was handed off: the manager is to know at once."""

    case_id: str
    no: str
    line_id: str
    specialist_id: str | None


@event
class CustomerCalledAgain(Event):
    """The customer called again about an open case."""

    case_id: str
    no: str
    customer_id: str
    call_count: int
    severity: int
    departments: tuple[str, ...]
    specialist_id: str | None


@event
class SeverityRaised(Event):
    """A case is graver than it was."""

    case_id: str
    no: str
    severity: int
    before: int
    reason: str
    specialist_id: str | None


@event
class HandOffSent(Event):
    """A department is to sign for its part.

    Attributes:
        due_at: the end of limit T1.
        again_at: when it is told again if nobody has signed, on the service clock.
    """

    case_id: str
    no: str
    line_id: str
    handoff_id: str
    receipt_no: str
    department: str | None
    specialist_id: str | None
    summary: str
    due_at: datetime | None
    again_at: datetime | None = None


@event
class HandOffChased(Event):
    """Customer service asks the department once more to sign."""

    case_id: str
    no: str
    line_id: str
    handoff_id: str
    department: str | None
    specialist_id: str | None
    due_at: datetime | None


@event
class HandOffSigned(Event):
    """A department has signed."""

    case_id: str
    no: str
    line_id: str
    handoff_id: str
    receipt_no: str
    department: str | None
    specialist_id: str | None
    received_by: str
    mode: str


@event
class LineRejected(Event):
    """A department says that it is not theirs, or not so."""

    case_id: str
    no: str
    line_id: str
    department: str | None
    specialist_id: str | None
    reason: str


@event
class LineAssigned(Event):
    """Somebody of a department is to handle its part."""

    case_id: str
    no: str
    line_id: str
    department: str | None
    person: str
    person_id: str | None
    specialist_id: str | None


@event
class VisitPlanned(Event):
    """A visit was agreed with the customer, or moved."""

    case_id: str
    no: str
    line_id: str
    customer_id: str
    department: str | None
    person_id: str | None
    specialist_id: str | None
    visit_from: datetime
    visit_until: datetime


@event
class PlanApprovalWanted(Event):
    """A plan waits for the manager."""

    case_id: str
    no: str
    line_id: str
    department: str | None
    made_by: str
    pay_customer: str | None


@event
class PlanDecided(Event):
    """The manager has decided on a plan."""

    case_id: str
    no: str
    line_id: str
    department: str | None
    person_id: str | None
    approved: bool
    reason: str


@event
class LineDone(Event):
    """A department reports its part done; the customer is to be called back."""

    case_id: str
    no: str
    line_id: str
    department: str | None
    specialist_id: str | None


@event
class CallbackUnsolved(Event):
    """The customer says that a department's part is not solved."""

    case_id: str
    no: str
    line_id: str
    department: str | None
    person_id: str | None
    specialist_id: str | None
    problem: str
    round: int
    note: str


@event
class EscalationOwed(Event):
    """A complaint has to become a major one."""

    case_id: str
    no: str
    specialist_id: str | None
    reason: str


@event
class CaseClosed(Event):
    """A complaint is settled; ``not_filed`` when it became no case."""

    case_id: str
    no: str
    customer_id: str
    round: int
    satisfaction: str | None
    departments: tuple[str, ...]
    specialist_id: str | None
    not_filed: bool = False


@event
class EscalationSubmitted(Event):
    """A complaint became a major one."""

    escalation_id: str
    case_id: str
    no: str
    customer_id: str
    specialist_id: str | None
    cause: str


@event
class EscalationMoved(Event):
    """A major complaint has come to another state, ``E0`` to ``E10``."""

    escalation_id: str
    case_id: str
    no: str
    state: str
    before: str
    by: str
    specialist_id: str | None
    departments: tuple[str, ...]
    visit_from: datetime | None = None
    visit_until: datetime | None = None


@event
class CompensationRequested(Event):
    """Money waits for a decision; the amount in yuan."""

    escalation_id: str
    compensation_id: str
    case_id: str
    no: str
    amount: str
    requested_by: str


@event
class CompensationDecided(Event):
    """Somebody has agreed to an amount, released it, or refused it."""

    escalation_id: str
    compensation_id: str
    case_id: str
    no: str
    amount: str
    state: str
    by: str
    reason: str
    requested_by_id: str


@event
class RecoverySent(Event):
    """The staff's shares of a paid amount have gone to HR; ``month`` is that of the payroll."""

    escalation_id: str
    compensation_id: str
    case_id: str
    no: str
    month: str
    people: int
    amount: str
