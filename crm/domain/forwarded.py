"""Orders that another hotline forwards: closed only when it was told the result (domain.md §1.13)."""

from datetime import datetime
from enum import StrEnum

from crm.domain.case import Source
from kernel.errors import Conflict, Invalid


class ReplyWay(StrEnum):
    """How the forwarding hotline was told."""

    PHONE = "phone"
    ORDER_SYSTEM = "order_system"
    """In the hotline's own system, where the order came from."""
    EMAIL = "email"
    LETTER = "letter"
    VISIT = "visit"


class ReplyOwed(Conflict):
    """The hotline that forwarded the case has no reply yet."""

    code = "reply_owed"


class NoReplyOwed(Conflict):
    """Nobody forwarded the case, or who did was told already."""

    code = "no_reply_owed"


def reply_owed(source: str, external_no: str | None, replied_at: datetime | None) -> bool:
    """Tell whether a hotline that forwarded a case still waits for the result."""
    return source == Source.HOTLINE_FORWARD.value and bool(external_no) and replied_at is None


def check_replied(source: str, external_no: str | None, replied_at: datetime | None) -> None:
    """Refuse to close a case while its hotline waits. Every kind of case asks this before CLOSED.

    Raises:
        ReplyOwed: it does.
    """
    if reply_owed(source, external_no, replied_at):
        raise ReplyOwed("the hotline that forwarded it has no reply yet", field="reply_to_source")


def check_reply_time(at: datetime, *, opened_at: datetime, now: datetime) -> None:
    """Refuse a reply that was given before there was an order, or lies ahead. Raises Invalid."""
    if at > now:
        raise Invalid("lies ahead", field="replied_at")
    if at < opened_at:
        raise Invalid("is before the order was registered", field="replied_at")
