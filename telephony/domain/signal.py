"""What the call model needs of an AMI event."""

from collections.abc import Mapping
from typing import Protocol


class Signal(Protocol):
    """An AMI event: a name, headers looked up without regard to case, and channel variables."""

    @property
    def name(self) -> str:
        """Name of the event, e.g. ``Newchannel``."""
        ...

    def get(self, key: str, default: str = "", /) -> str:
        """Return the header's value or ``default``."""
        ...

    @property
    def chan_variables(self) -> Mapping[str, str]:
        """The ``ChanVariable`` headers as a mapping."""
        ...


class ChannelSignal(Signal, Protocol):
    """An AMI event that may speak of two channels."""

    def variables(self, header: str, /) -> Mapping[str, str]:
        """Return headers of the form ``name=value``, e.g. ``DestChanVariable``, as a mapping."""
        ...
