"""What can go wrong while talking AGI to a channel."""

from kernel.errors import DeadlineExceeded, HuifangError, Invalid, Unavailable


class AgiError(HuifangError):
    """Asterisk refused or failed a command, or broke the protocol; the session may go on unless closed."""

    code = "agi_failed"


class AgiTimeout(DeadlineExceeded):
    """No reply before the command's deadline; the session is closed, for a late reply would be mistaken."""

    code = "agi_timeout"


class CallerHungUp(HuifangError):
    """The caller is gone: HANGUP line, dead channel, or end of file."""

    code = "caller_hung_up"


class AgiValueRefused(Invalid):
    """A command word that could break out of its line or overflow Asterisk's buffer."""

    code = "agi_value_refused"


class AgiConnectionRefused(Unavailable):
    """The peer is not a call: no usable environment, too slow, too big, or too many at once."""

    code = "agi_connection_refused"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason)
        self.reason = reason
