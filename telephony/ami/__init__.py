"""The Asterisk Manager Interface: one link per PBX node, typed actions, one ordered stream of events.

panoramisk is the AMI library; its defects are contained here (``docs/architecture``, hazards 2-10 and 12).
Only this package and ``telephony.agi`` import it.
"""

from telephony.ami.actions import AmiActions
from telephony.ami.config import AmiConfig
from telephony.ami.epoch import EpochEnded, EpochStarted, Item, LinkMoved, LinkState, Overflowed
from telephony.ami.errors import (
    AmiDown,
    AmiError,
    AmiInvalid,
    AmiNoSuch,
    AmiProtocolError,
    AmiRejected,
    AmiTimeout,
)
from telephony.ami.link import AmiLink
from telephony.ami.message import AmiEvent, AmiResponse
from telephony.ami.results import (
    BridgeDetail,
    CallerId,
    CoreSettings,
    CoreStatus,
    OriginateAccepted,
    OriginateReason,
    OriginateResult,
    QueueStatus,
)

__all__ = [
    "AmiActions",
    "AmiConfig",
    "AmiDown",
    "AmiError",
    "AmiEvent",
    "AmiInvalid",
    "AmiLink",
    "AmiNoSuch",
    "AmiProtocolError",
    "AmiRejected",
    "AmiResponse",
    "AmiTimeout",
    "BridgeDetail",
    "CallerId",
    "CoreSettings",
    "CoreStatus",
    "EpochEnded",
    "EpochStarted",
    "Item",
    "LinkMoved",
    "LinkState",
    "OriginateAccepted",
    "OriginateReason",
    "OriginateResult",
    "Overflowed",
    "QueueStatus",
]
