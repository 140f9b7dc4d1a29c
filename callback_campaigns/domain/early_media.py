"""What the network's own voice says before anybody answers 运营商提示音, and what an attempt comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from callback_campaigns.domain.terms import Outcome

MAX_TEXT = 200
"""Characters that are kept of what was heard."""


class Announcement(StrEnum):
    """What an announcement means."""

    EMPTY = "empty"
    """空号: there is no such number."""
    SUSPENDED = "suspended"
    """已停机, 暂停服务: the number is there and out of service."""
    OFF = "off"
    """已关机."""
    UNREACHABLE = "unreachable"
    """暂时无法接通, 不在服务区."""
    BUSY = "busy"
    """正在通话中, 正忙."""
    NO_ANSWER = "no_answer"
    """暂时无人接听."""
    CONGESTION = "congestion"
    """网络忙, 线路忙."""


OUTCOMES: Mapping[Announcement, Outcome] = {
    Announcement.EMPTY: Outcome.EMPTY,
    Announcement.SUSPENDED: Outcome.EMPTY,
    Announcement.OFF: Outcome.OFF,
    Announcement.UNREACHABLE: Outcome.OFF,
    Announcement.BUSY: Outcome.BUSY,
    Announcement.NO_ANSWER: Outcome.NO_ANSWER,
    Announcement.CONGESTION: Outcome.CONGESTION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardBefore:
    """What was heard before anybody answered.

    Attributes:
        announcement: what it means; ``None`` when that is unclear: then the network's cause counts.
        text: as it was recognised; "" for a tone.
        sure: 0 to 1, how sure the meaning is.
    """

    announcement: Announcement | None = None
    text: str = ""
    sure: float | None = None
