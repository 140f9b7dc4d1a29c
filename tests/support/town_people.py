"""The people of a town: what they do when they are called, and what they remember of it."""

import random
from dataclasses import dataclass, field
from typing import Final

from tests.support.sip_phone import Dialog
from tests.support.tones import Prompt

WAYS_OUT: Final = (
    ("", 45),
    ("486 Busy Here", 18),
    ("603 Decline", 8),
    ("404 Not Found", 4),
    ("480 Temporarily Unavailable", 8),
    ("503 Service Unavailable", 5),
    ("silence", 12),
)
"""What happens to a call, and how often of a hundred; nothing is an answer."""
MANNERS: Final = (
    ("patient", 62),
    ("unhappy", 14),
    ("hangs_up", 10),
    ("later", 5),
    ("no_more", 4),
    ("mute", 3),
    ("person", 2),
)
"""How whoever answers takes it."""


@dataclass(slots=True)
class Press:
    """A key, and to what it was pressed. ``heeded``: something else was said after it."""

    prompt: Prompt
    key: str
    at: float
    heeded: bool = False


@dataclass(slots=True)
class FarCall:
    """A call as it arrived at the customer. Times are of the machine's real clock."""

    number: str
    nth: int
    at: float
    way: str
    manner: str
    chance: random.Random
    dialog: Dialog
    talked: bool = False
    ended_by: str = ""
    ended_at: float | None = None
    lost: bool = False
    last: Prompt | None = None
    presses: list[Press] = field(default_factory=list)
    wrong_keys: int = 0
    quiet: float = 0.0
    """The longest silence while they talked with us."""

    @property
    def up(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None


def one_of(chance: random.Random, choices: tuple[tuple[str, int], ...]) -> str:
    """Return one of the names, by their weights."""
    names, weights = zip(*choices, strict=True)
    return str(chance.choices(names, weights)[0])
