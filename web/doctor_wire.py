"""What the web shell knows of the doctor, who looks at the installation (``app/doctor``)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Examined:
    """One finding; ``mend`` says what to do and is "" when nothing is to be done."""

    name: str
    level: Literal["ok", "warning", "error"]
    message: str
    mend: str = ""


Examine = Callable[[], Awaitable[Sequence[Examined]]]
