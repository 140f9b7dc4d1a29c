"""What callbacks need from outside."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from kernel.errors import Unavailable


class CannotSpeak(Unavailable):
    """A text has no audio, and none could be made in time."""

    code = "cannot_speak"


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio that the PBX can play.

    Attributes:
        path: without extension, as Asterisk wants it.
        length: how long it lasts.
    """

    path: Path
    length: timedelta


class Speaking(Protocol):
    """A voice that makes texts into files."""

    async def speak(
        self, text: str, *, slow: bool = False, passing: bool = False, within: timedelta | None = None
    ) -> Sound:
        """Return the audio of a text; what was spoken once is there at once.

        Args:
            slow: for elderly people.
            passing: of one customer only, not to be kept for ever.
            within: how long a customer may wait for it; ``None``: nobody waits.

        Raises:
            CannotSpeak: there is no voice, or it was not ready in time.
        """
        ...
