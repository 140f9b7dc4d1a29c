"""What can go wrong before and while the programs run; every message is one line that says what to do."""

from kernel.errors import ConfigurationError, Unavailable


class RuntimeSetupError(ConfigurationError):
    """A program that is needed is not on the host and could not be unpacked."""

    code = "runtime_setup"


class ProcessFailed(Unavailable):
    """A program that we start did not come up, or would not do what it was asked."""

    code = "process_failed"
