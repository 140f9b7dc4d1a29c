"""What can go wrong on the way to the PBX and back.

Every error says whether the action may have reached Asterisk (``sent``): an action that was never
written may be tried again, one that was written and never answered may have acted.
"""

from kernel.errors import Conflict, DeadlineExceeded, HuifangError, Invalid, Unavailable


class AmiError(HuifangError):
    """Root of the errors of the AMI adapter."""

    code = "ami"
    sent: bool = False


class AmiDown(AmiError, Unavailable):
    """There is no usable link to the PBX, or it was lost before the answer came."""

    code = "ami_down"

    def __init__(self, message: str, *, sent: bool, **context: object) -> None:
        super().__init__(message, field=None, **context)
        self.sent = sent
        # Only what certainly never left this process may be repeated without looking first.
        self.retryable = not sent  # type: ignore[misc]


class AmiTimeout(AmiError, DeadlineExceeded):
    """The PBX did not answer in time; whether it acted is not known."""

    code = "ami_timeout"
    sent = True


class AmiRejected(AmiError, Conflict):
    """The PBX understood the action and refused it; ``answer`` is its own wording."""

    code = "ami_rejected"
    sent = True

    def __init__(self, message: str, *, answer: str = "", **context: object) -> None:
        super().__init__(message, field=None, **context)
        self.answer = answer


class AmiNoSuch(AmiRejected):
    """The channel, queue, member or bridge of the action does not exist (any more)."""

    code = "ami_no_such"


class AmiInvalid(AmiError, Invalid):
    """A header cannot be sent: control characters, too long, or not text."""

    code = "ami_invalid"


class AmiProtocolError(AmiError):
    """The peer does not speak AMI."""

    code = "ami_protocol"


class AmiLoginRefused(AmiError):
    """The PBX refused user name or secret, or the address we come from."""

    code = "ami_login_refused"
