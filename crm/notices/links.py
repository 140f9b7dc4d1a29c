"""Where a notice leads: the pages of records, in one place."""

CASE_KINDS = frozenset({"complaint", "repair", "ticket"})
"""Kinds of records whose id is that of a case."""


def case_page(case_id: str) -> str:
    """Return the page of a complaint, repair or ticket."""
    return f"/cases/{case_id}"


def handoff_page(handoff_id: str) -> str:
    """Return where a hand-off is signed: it leads on to the department's page of the line, or the ticket."""
    return f"/handoffs/{handoff_id}"


def unsigned_page() -> str:
    """Return where a specialist sees whom to call about a signature, and notes it."""
    return "/my-day#unsigned"


def line_page(line_id: str) -> str:
    """Return the page on which a department works on its line of a complaint."""
    return f"/lines/{line_id}"


def customer_page(customer_id: str) -> str:
    """Return the page of a customer."""
    return f"/customers/{customer_id}"


def call_page(call_id: str) -> str:
    """Return the page of a call."""
    return f"/calls/{call_id}"


def heap_page(heap_id: str) -> str:
    """Return the page of complaints that came in a heap."""
    return f"/lists/heaps/{heap_id}"


def escalation_page(escalation_id: str) -> str:
    """Return the page of a major complaint."""
    return f"/escalations/{escalation_id}"


def record_page(kind: str, record_id: str) -> str:
    """Return the page of a record of any kind, "" where it has none."""
    if kind == "escalation":
        return escalation_page(record_id)
    if kind == "data_request":
        return "/data-requests"
    return case_page(record_id) if kind in CASE_KINDS else ""
