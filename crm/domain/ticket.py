"""A problem ticket 回访问题单: a light complaint born from a callback (domain.md §1.4, §1.2 CB-5, CB-6).

Each department that the problem concerns has a part. The ticket's own state follows from the parts until all
are solved; then the customer is asked again (REVISIT).

============ ===========================================================================================
part         steps
============ ===========================================================================================
OPEN         sign → IN_HAND; refuse → REFUSED
REFUSED      reroute → REROUTED, and another department gets an OPEN part; unfounded → UNFOUNDED
IN_HAND      solve → SOLVED
============ ===========================================================================================

============ ===========================================================================================
ticket       steps
============ ===========================================================================================
OPEN         add a department; convert; withdraw, while nobody has signed or refused → CLOSED
IN_HAND      add a department; convert
SOLVED       revisit: satisfied → VERIFIED, dissatisfied → CONVERTED, not reached → SOLVED; waive → VERIFIED;
             convert
VERIFIED     close → CLOSED; convert
============ ===========================================================================================

CLOSED and CONVERTED are final. A ticket that is serious (severity 2 and up) is converted at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crm.domain.case import CaseStatus, Severity
from crm.domain.machine import refuse
from kernel.errors import Invalid, NotFound

CONVERT_FROM = Severity.SERIOUS
NOTICE_FROM = 2
"""So often must a problem have been fed back before a notice goes one level up (CB-6)."""
MAX_PARTS = 8


class PartStatus(StrEnum):
    """Where a department's part stands."""

    OPEN = "open"
    """Handed off, waits for the department's signature."""
    IN_HAND = "in_hand"
    SOLVED = "solved"
    REFUSED = "refused"
    REROUTED = "rerouted"
    UNFOUNDED = "unfounded"

    @property
    def is_live(self) -> bool:
        """Whether the part counts for the ticket's state."""
        return self not in {PartStatus.REROUTED, PartStatus.UNFOUNDED}


PART_LABELS = {
    PartStatus.OPEN: "待接收",
    PartStatus.IN_HAND: "在处理",
    PartStatus.SOLVED: "已解决",
    PartStatus.REFUSED: "部门退回",
    PartStatus.REROUTED: "已改派",
    PartStatus.UNFOUNDED: "不属实",
}


class PartStep(StrEnum):
    """What may be done with a part."""

    SIGN = "sign"
    REFUSE = "refuse"
    REROUTE = "reroute"
    UNFOUNDED = "unfounded"
    SOLVE = "solve"


_PART_STEPS: dict[PartStatus, dict[PartStep, PartStatus]] = {
    PartStatus.OPEN: {PartStep.SIGN: PartStatus.IN_HAND, PartStep.REFUSE: PartStatus.REFUSED},
    PartStatus.REFUSED: {
        PartStep.REROUTE: PartStatus.REROUTED,
        PartStep.UNFOUNDED: PartStatus.UNFOUNDED,
    },
    PartStatus.IN_HAND: {PartStep.SOLVE: PartStatus.SOLVED},
}


class TicketStep(StrEnum):
    """What may be done with a ticket as a whole."""

    ADD_PART = "add_part"
    REVISIT = "revisit"
    WAIVE = "waive"
    CLOSE = "close"
    CONVERT = "convert"


_TICKET_STEPS: dict[CaseStatus, tuple[TicketStep, ...]] = {
    CaseStatus.OPEN: (TicketStep.ADD_PART, TicketStep.CONVERT),
    CaseStatus.IN_HAND: (TicketStep.ADD_PART, TicketStep.CONVERT),
    CaseStatus.SOLVED: (TicketStep.REVISIT, TicketStep.WAIVE, TicketStep.CONVERT),
    CaseStatus.VERIFIED: (TicketStep.CLOSE, TicketStep.CONVERT),
}


class Revisit(StrEnum):
    """What the customer says when asked again."""

    SATISFIED = "satisfied"
    DISSATISFIED = "dissatisfied"
    NOT_REACHED = "not_reached"


class ConvertWhy(StrEnum):
    """Why a ticket becomes a complaint."""

    CUSTOMER = "customer"
    """The customer wants to complain."""
    SEVERITY = "severity"
    REVISIT = "revisit"
    """The customer says that it is not solved."""
    DECIDED = "decided"
    """The manager's decision, where no rule asks for it."""


WHY_LABELS = {
    ConvertWhy.CUSTOMER: "客户要求投诉",
    ConvertWhy.SEVERITY: "严重程度达到投诉",
    ConvertWhy.REVISIT: "再次回访仍未解决",
    ConvertWhy.DECIDED: "经理决定",
}


class TicketLimit(StrEnum):
    """What a step means for the limits of a part; the first three are events of the limit policies."""

    OPENED = "opened"
    IN_HAND = "in_hand"
    SOLVED = "solved"
    REFUSED = "refused"
    """T1 ends though nobody signed."""
    VOID = "void"
    """Nothing is owed any more on this part, or with no part on the whole ticket."""


@dataclass(frozen=True, slots=True)
class Part:
    """A department's part."""

    part_id: str
    department: str
    status: PartStatus = PartStatus.OPEN


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the rules depend on."""

    status: CaseStatus
    severity: Severity
    parts: tuple[Part, ...]

    def part(self, part_id: str) -> Part:
        """Return a part. Raises NotFound."""
        for part in self.parts:
            if part.part_id == part_id:
                return part
        raise NotFound("no such part", field="part_id")


@dataclass(frozen=True, slots=True)
class Moved:
    """A ticket after a step.

    Attributes:
        limits: what it means for limits, in order, each with the part or an empty id for the whole ticket.
        revisit_wanted: all parts are solved now: the customer is to be asked.
        converted: it has to become a complaint, for this reason.
    """

    ticket: Ticket
    limits: tuple[tuple[TicketLimit, str], ...] = ()
    revisit_wanted: bool = False
    converted: ConvertWhy | None = None


def open_ticket(severity: Severity, parts: Sequence[Part]) -> Moved:
    """Open a ticket with a part for each department; a serious one is a complaint at once.

    Raises:
        Invalid: no department, too many, or one twice.
    """
    if not parts:
        raise Invalid("at least one department", field="departments")
    _check_parts(parts)
    ticket = Ticket(CaseStatus.OPEN, severity, tuple(parts))
    limits = tuple((TicketLimit.OPENED, part.part_id) for part in parts)
    if severity >= CONVERT_FROM:
        return _converted(Moved(ticket, limits), ConvertWhy.SEVERITY)
    return Moved(ticket, limits)


def part_steps(ticket: Ticket, part: Part) -> tuple[PartStep, ...]:
    """Return what may be done with a part now."""
    if not ticket.status.is_open:
        return ()
    return tuple(_PART_STEPS.get(part.status, {}))


def ticket_steps(ticket: Ticket) -> tuple[TicketStep, ...]:
    """Return what may be done with a ticket now."""
    return _TICKET_STEPS.get(ticket.status, ())


def add_part(ticket: Ticket, part: Part) -> Moved:
    """Give another department a part. Raises IllegalStep, Invalid."""
    _check_step(ticket, TicketStep.ADD_PART)
    moved = replace(ticket, parts=(*ticket.parts, part))
    _check_parts(moved.parts)
    return _settle(moved, ((TicketLimit.OPENED, part.part_id),))


def sign(ticket: Ticket, part_id: str) -> Moved:
    """The department's head signs: T1 ends, T2 begins."""
    return _step(ticket, part_id, PartStep.SIGN, TicketLimit.IN_HAND)


def refuse_part(ticket: Ticket, part_id: str) -> Moved:
    """The department says that it is not theirs, or not so: T1 ends."""
    return _step(ticket, part_id, PartStep.REFUSE, TicketLimit.REFUSED)


def reroute(ticket: Ticket, part_id: str, to: Part) -> Moved:
    """Give a refused part to another department, with fresh limits.

    Raises:
        IllegalStep: it was not refused.
        Invalid: the department refused it, or has a part already.
    """
    part = ticket.part(part_id)
    if to.department == part.department:
        raise Invalid("the department has just refused it", field="department")
    moved = _step(ticket, part_id, PartStep.REROUTE, TicketLimit.VOID)
    parts = (*moved.ticket.parts, to)
    _check_parts(parts, field="department")
    return _settle(replace(moved.ticket, parts=parts), (*moved.limits, (TicketLimit.OPENED, to.part_id)))


def unfounded(ticket: Ticket, part_id: str) -> Moved:
    """Agree that a refused part is not so; the customer is still asked."""
    return _step(ticket, part_id, PartStep.UNFOUNDED, TicketLimit.VOID)


def solve(ticket: Ticket, part_id: str) -> Moved:
    """The department says that its part is solved: T2 ends. With the last part the revisit is wanted."""
    return _step(ticket, part_id, PartStep.SOLVE, TicketLimit.SOLVED)


def revisit(ticket: Ticket, said: Revisit) -> Moved:
    """The customer was asked again, or not reached. Raises IllegalStep."""
    _check_step(ticket, TicketStep.REVISIT)
    match said:
        case Revisit.SATISFIED:
            return Moved(replace(ticket, status=CaseStatus.VERIFIED))
        case Revisit.DISSATISFIED:
            return _converted(Moved(ticket), ConvertWhy.REVISIT)
        case Revisit.NOT_REACHED:
            return Moved(ticket)


def waive(ticket: Ticket) -> Moved:
    """Do without asking the customer: the manager's decision. Raises IllegalStep."""
    _check_step(ticket, TicketStep.WAIVE)
    return Moved(replace(ticket, status=CaseStatus.VERIFIED))


def close(ticket: Ticket) -> Moved:
    """Settle a ticket that is verified. Raises IllegalStep."""
    _check_step(ticket, TicketStep.CLOSE)
    return Moved(replace(ticket, status=CaseStatus.CLOSED), ((TicketLimit.VOID, ""),))


def is_untouched(ticket: Ticket) -> bool:
    """Tell whether no department has taken or refused anything of it yet."""
    parts = all(part.status is PartStatus.OPEN for part in ticket.parts)
    return ticket.status is CaseStatus.OPEN and parts


def withdraw(ticket: Ticket) -> Moved:
    """Take it back: the customer did not mean it, and nobody has begun. Raises IllegalStep."""
    if not is_untouched(ticket):
        raise refuse("withdraw", ticket.status, ticket_steps(ticket))
    parts = tuple(replace(part, status=PartStatus.UNFOUNDED) for part in ticket.parts)
    return Moved(replace(ticket, status=CaseStatus.CLOSED, parts=parts), ((TicketLimit.VOID, ""),))


def convert(ticket: Ticket, why: ConvertWhy) -> Moved:
    """Make a complaint of it: every limit of the ticket ends. Raises IllegalStep."""
    _check_step(ticket, TicketStep.CONVERT)
    return _converted(Moved(ticket), why)


def set_severity(ticket: Ticket, severity: Severity) -> Moved:
    """Say how bad it is; from serious on it is a complaint. Raises IllegalStep when it is over."""
    if not ticket.status.is_open:
        raise refuse("severity", ticket.status, ())
    moved = Moved(replace(ticket, severity=severity))
    return _converted(moved, ConvertWhy.SEVERITY) if severity >= CONVERT_FROM else moved


def notice_owed(fed_back: int, *, late: bool) -> bool:
    """Tell whether a notice goes one level up: fed back twice and not solved in time (CB-6)."""
    return fed_back >= NOTICE_FROM and late


def check_revisit_time(at: datetime, *, solved_at: datetime | None, now: datetime) -> None:
    """Refuse a revisit before the thing was solved, or in the future. Raises Invalid."""
    if at > now:
        raise Invalid("lies ahead", field="revisited_at")
    if solved_at is not None and at < solved_at:
        raise Invalid("is before it was solved", field="revisited_at")


def _step(ticket: Ticket, part_id: str, step: PartStep, limit: TicketLimit) -> Moved:
    part = ticket.part(part_id)
    allowed = part_steps(ticket, part)
    if step not in allowed:
        state = part.status if ticket.status.is_open else ticket.status
        raise refuse(step.value, state, allowed)
    moved = replace(part, status=_PART_STEPS[part.status][step])
    parts = tuple(moved if known is part else known for known in ticket.parts)
    return _settle(replace(ticket, parts=parts), ((limit, part_id),))


def _settle(ticket: Ticket, limits: tuple[tuple[TicketLimit, str], ...]) -> Moved:
    """Return the ticket with the state that follows from its parts: that of the least advanced one."""
    live = [part.status for part in ticket.parts if part.status.is_live]
    if any(status in {PartStatus.OPEN, PartStatus.REFUSED} for status in live):
        status = CaseStatus.OPEN
    elif PartStatus.IN_HAND in live:
        status = CaseStatus.IN_HAND
    else:
        status = CaseStatus.SOLVED
    solved = status is CaseStatus.SOLVED and ticket.status is not CaseStatus.SOLVED
    return Moved(replace(ticket, status=status), limits, revisit_wanted=solved)


def _converted(moved: Moved, why: ConvertWhy) -> Moved:
    return Moved(
        replace(moved.ticket, status=CaseStatus.CONVERTED),
        (*moved.limits, (TicketLimit.VOID, "")),
        converted=why,
    )


def _check_step(ticket: Ticket, step: TicketStep) -> None:
    allowed = ticket_steps(ticket)
    if step not in allowed:
        raise refuse(step.value, ticket.status, allowed)


def _check_parts(parts: Sequence[Part], *, field: str = "departments") -> None:
    if len(parts) > MAX_PARTS:
        raise Invalid(f"at most {MAX_PARTS} departments", field=field)
    live = [part.department for part in parts if part.status.is_live]
    if len(set(live)) != len(live):
        raise Invalid("each department once", field=field)
