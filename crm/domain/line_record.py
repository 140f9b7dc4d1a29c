"""What a department notes down while it works on its line: handle records 处理记录 (domain.md §4.4).

A record moves nothing and stops no limit: what was verified, planned, visited and solved has steps of its
own. It is written once and never changed.
"""

from datetime import datetime
from enum import StrEnum

from crm.domain.complaint_line import Line
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid


class RecordKind(StrEnum):
    """What was done."""

    VISIT = "visit"
    """Somebody went to the customer's."""
    TELEPHONE = "telephone"
    ON_SITE = "on_site"
    """Work on the site."""
    MATERIAL = "material"
    """Ordered, delivered, exchanged."""
    OTHER = "other"


RECORD_LABELS = {
    RecordKind.VISIT: "上门",
    RecordKind.TELEPHONE: "电话",
    RecordKind.ON_SITE: "现场施工",
    RecordKind.MATERIAL: "材料",
    RecordKind.OTHER: "其他",
}
AT_CUSTOMERS = frozenset({RecordKind.VISIT, RecordKind.ON_SITE})
"""Where the customer and the company met: it belongs on the customer's time line."""


def may_be_recorded(line: Line) -> bool:
    """Tell whether there is work to note down: the department has accepted, and it is not over."""
    return line.mode is not None and line.status.is_open


def check_record(line: Line, done_at: datetime, now: datetime) -> None:
    """Refuse a record of a line that nobody works on, and of a time that cannot be.

    Raises:
        IllegalStep: the department has not accepted, or the line is closed.
        Invalid: it lies ahead, or before the department accepted.
    """
    if not may_be_recorded(line):
        raise IllegalStep(f"nobody works on it while it is {line.status}", field="status")
    if done_at > now:
        raise Invalid("lies ahead", field="done_at")
    if line.accepted_at is not None and done_at < line.accepted_at:
        raise Invalid("lies before the department accepted", field="done_at")
