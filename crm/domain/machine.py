"""What the state machines of cases have in common."""

from collections.abc import Iterable
from enum import StrEnum

from kernel.errors import Conflict


class IllegalStep(Conflict):
    """The thing is not in a state from which this step leads anywhere."""

    code = "illegal_step"


def refuse(step: str, state: StrEnum, allowed: Iterable[str], *, field: str = "status") -> IllegalStep:
    """Return the error for a step that the state does not allow; the message lists those that it does."""
    listed = ", ".join(sorted(allowed)) or "none"
    return IllegalStep(f"{step} is not possible from {state.value}; possible now: {listed}", field=field)
