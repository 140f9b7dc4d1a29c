"""What the AMI links tell the monitoring."""

from prometheus_client import Counter, Gauge, Histogram

from telephony.ami.epoch import LinkState

EVENTS = Counter("huifang_ami_events", "AMI events received", ["event"])
MALFORMED = Counter("huifang_ami_malformed", "AMI messages that made no sense", ["node"])
DROPPED = Counter("huifang_ami_dropped", "AMI events dropped because the consumer was too slow", ["node"])
RECONNECTS = Counter("huifang_ami_reconnects", "AMI connections that ended", ["node", "reason"])
LINK_STATE = Gauge("huifang_ami_link_state", "1 for the state the AMI link is in", ["node", "state"])
QUEUED = Gauge("huifang_ami_queued_items", "AMI events waiting for their consumer", ["node"])
ACTION_SECONDS = Histogram(
    "huifang_ami_action_seconds",
    "Time from writing an AMI action to its answer",
    ["action", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)

# The closed set of label values; anything else counts as ``other``.
_KNOWN = """
    AgentCalled AgentComplete AgentConnect AgentDump AgentRingNoAnswer AttendedTransfer BlindTransfer
    BridgeCreate BridgeDestroy BridgeEnter BridgeInfoChannel BridgeLeave BridgeListItem BridgeMerge CEL Cdr
    ChanSpyStart ChanSpyStop ContactStatus CoreShowChannel CoreShowChannelsComplete DTMFBegin DTMFEnd
    DeviceStateChange DialBegin DialEnd DialState ExtensionStatus FullyBooted Hangup HangupRequest Hold
    LocalBridge LocalOptimizationBegin LocalOptimizationEnd MixMonitorStart MixMonitorStop MusicOnHoldStart
    MusicOnHoldStop NewAccountCode NewCallerid NewConnectedLine Newchannel Newexten Newstate
    OriginateResponse PeerStatus Pickup PresenceStateChange QueueCallerAbandon QueueCallerJoin
    QueueCallerLeave QueueEntry QueueMember QueueMemberAdded QueueMemberPause QueueMemberPenalty
    QueueMemberRemoved QueueMemberRinginuse QueueMemberStatus QueueParams QueueStatusComplete QueueSummary
    RTCPReceived RTCPSent Registry Reload Rename Shutdown SoftHangupRequest Status StatusComplete
    SuccessfulAuth Unhold UserEvent VarSet
"""
KNOWN_EVENTS = frozenset(_KNOWN.split())


def show_state(node: str, state: LinkState) -> None:
    """Set the gauge of the state to 1 and the others to 0."""
    for each in LinkState:
        LINK_STATE.labels(node, each.value).set(1 if each is state else 0)


def count_events(counts: dict[bytes, int]) -> None:
    """Move the counts of a decoder into the counter and empty them."""
    for raw, number in counts.items():
        name = raw.decode("utf-8", "replace")
        EVENTS.labels(name if name in KNOWN_EVENTS else "other").inc(number)
    counts.clear()
