"""How to reach one PBX node and how patient to be with it."""

from dataclasses import dataclass, field
from datetime import timedelta

# Classes that the call model, the queues and the agents live on. ``dialplan`` (VarSet, Newexten) and
# ``reporting`` (RTCP) are most of the traffic and tell nothing that other events do not.
DEFAULT_EVENT_MASK = "system,call,agent,user"

# Names that are dropped on sight when they come all the same (a PBX that ignores the mask).
DEFAULT_DISCARD = frozenset(
    {
        "VarSet",
        "Newexten",
        "RTCPSent",
        "RTCPReceived",
        "DTMFBegin",
        "DTMFEnd",
        "ChannelTalkingStart",
        "ChannelTalkingStop",
        "SuccessfulAuth",
        "ChallengeSent",
        "TestEvent",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiConfig:
    """Settings of one AMI link."""

    host: str = "127.0.0.1"
    port: int = 5038
    username: str = "huifang"
    secret: str = field(default="", repr=False)
    md5_login: bool = True
    event_mask: str = DEFAULT_EVENT_MASK
    discard: frozenset[str] = DEFAULT_DISCARD
    allow_commands: bool = False

    connect_timeout: timedelta = timedelta(seconds=5)
    login_timeout: timedelta = timedelta(seconds=5)
    # Asterisk accepts a login while its modules are still loading.
    boot_timeout: timedelta = timedelta(seconds=60)
    action_timeout: timedelta = timedelta(seconds=5)
    list_timeout: timedelta = timedelta(seconds=15)
    ping_interval: timedelta = timedelta(seconds=5)
    ping_misses: int = 2
    close_timeout: timedelta = timedelta(milliseconds=500)

    backoff_first: timedelta = timedelta(seconds=1)
    # Asterisk back without us has queues without members: it is not left alone for long.
    backoff_most: timedelta = timedelta(seconds=5)
    # An epoch that lived this long counts as a success: the next backoff starts from the first step.
    stable_after: timedelta = timedelta(seconds=10)
    # None: a refused login is retried only after ``AmiLink.reset()``.
    login_retry: timedelta | None = None
    # How long a consumer that fell behind may take to catch up before the next epoch begins.
    catch_up: timedelta = timedelta(seconds=30)

    queue_items: int = 20_000
    queue_bytes: int = 64 * 1024 * 1024
    pending_actions: int = 1_000
    list_items: int = 50_000
    write_backlog: int = 1024 * 1024

    def backoff(self, tries: int, *, spread: float) -> timedelta:
        """How long to wait after ``tries`` failures in a row, a quarter more or less by ``spread`` (0 to 1).

        The spread keeps many processes from coming back to a restarted PBX in the same instant.
        """
        step = min(self.backoff_most, self.backoff_first * 2.0 ** min(tries, 16))
        return min(self.backoff_most, step * (0.75 + 0.5 * spread))
