"""What is written down later than it happened 补录: kept, since it may be true, and marked as such."""

from datetime import datetime, timedelta
from typing import Any

PROMPT = timedelta(minutes=30)
"""Who writes it down within this time writes it down at once."""


def is_backdated(happened_at: datetime | None, noted_at: datetime | None) -> bool:
    """Tell whether something was noted later than one who does it at once notes it."""
    return happened_at is not None and noted_at is not None and noted_at - happened_at > PROMPT


def noted_late(happened_at: datetime | None, now: datetime) -> dict[str, Any]:
    """Return what the journal says of something that is noted late: when it happened; else nothing."""
    return {"backdated": happened_at} if happened_at is not None and is_backdated(happened_at, now) else {}
