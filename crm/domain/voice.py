"""What customers say that is no case: suggestions for market planning, news of competitors for the general
manager (domain.md §1.12).
"""

from enum import StrEnum

from crm.domain.lines import maybe_line
from kernel.errors import Invalid

MAX_COMPETITOR = 60


class VoiceKind(StrEnum):
    """Whom it is for."""

    SUGGESTION = "suggestion"
    """Collected per month for market planning."""
    COMPETITOR = "competitor"
    """Goes to the general manager."""


def competitor_of(kind: VoiceKind, raw: str | None) -> str:
    """Return the competitor's name: required for news of one, refused for a suggestion. Raises Invalid."""
    name = maybe_line(raw, field="competitor", limit=MAX_COMPETITOR) or ""
    if kind is VoiceKind.COMPETITOR and not name:
        raise Invalid("which competitor", field="competitor")
    if kind is VoiceKind.SUGGESTION and name:
        raise Invalid("a suggestion is about no competitor", field="competitor")
    return name
