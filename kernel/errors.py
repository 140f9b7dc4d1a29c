"""The one root of all errors, and the few general kinds under it.

A package subclasses these with its own ``code``. The web edge maps kind to status in one table.
Whether an action may be tried again is decided where the error is made (``retryable``).
"""

from typing import ClassVar


class HuifangError(Exception):
    """Root of all errors that Huifang raises on purpose.

    Args:
        message: says what is wrong and what to do, in one line, without personal data.
        field: the input field at fault, where there is one.
        context: values for the log line.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, field: str | None = None, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.context = context


class Invalid(HuifangError):
    """The input breaks a rule."""

    code = "invalid"


class NotFound(HuifangError):
    """No such thing, or none that this person may see."""

    code = "not_found"


class Conflict(HuifangError):
    """The thing is not in a state that allows this, or somebody else changed it."""

    code = "conflict"


class StaleVersion(Conflict):
    """Somebody else changed the thing since it was read; read it again, then change it."""

    code = "stale_version"


class Unauthenticated(HuifangError):
    """Nobody is signed in."""

    code = "unauthenticated"


class Forbidden(HuifangError):
    """Signed in, but not allowed."""

    code = "forbidden"


class TooMany(HuifangError):
    """A rate or size limit was reached."""

    code = "too_many_requests"


class Unavailable(HuifangError):
    """Something outside is down; later it may work."""

    code = "unavailable"
    retryable = True


class DeadlineExceeded(HuifangError):
    """Something outside did not answer in time; whether it acted is not known."""

    code = "deadline_exceeded"


class ConfigurationError(HuifangError):
    """The settings or a configuration file are wrong; the message names the place."""

    code = "configuration"
