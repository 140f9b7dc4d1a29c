"""The lines to the telephone network as the PBX has them now, and a test of each.

Looked at by the process with the link to the PBX; others ask it over the bus and wait with a deadline.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.events import Event, event
from kernel.ids import new_ulid
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError, AmiRejected
from telephony.ami.message import AmiEvent
from telephony.asterisk.model import TrunkConfig
from telephony.sip_options import ask_options

log = structlog.get_logger(__name__)

ANSWER_WITHIN = timedelta(seconds=8)
FRESH = timedelta(seconds=5)
TEST_WITHIN = timedelta(seconds=4)
MOST_CHANNELS = 2000


@event
class TrunksAsked(Event):
    """Somebody looks at the trunks of a node, or has one tested.

    Attributes:
        test: name of the trunk to ask; "" to look only.
    """

    request_id: str
    node: str
    test: str = ""


@event
class TrunkTold(Event):
    """A trunk as it is now; the last one of an answer is ``last``.

    Attributes:
        name: "" where there is no trunk at all.
        registration: at the carrier, as the PBX names it; "" where it does not register.
        channels: calls over it now; ``None`` where the PBX did not say.
        tested, status, reason, took_ms: what its server answered to OPTIONS just now.
    """

    request_id: str
    node: str
    name: str
    registration: str = ""
    channels: int | None = None
    tested: bool = False
    status: int | None = None
    reason: str = ""
    took_ms: float | None = None
    last: bool = True


class TrunksAway(Unavailable):
    """No process with the role ``telephony`` answered."""

    code = "telephony_away"


class TrunkDesk:
    """Looks at the trunks and answers who asks. Give :meth:`run` to the supervisor.

    Args:
        user: whose From a test carries: the hotline.
    """

    def __init__(
        self,
        actions: Callable[[], AmiActions],
        trunks: Sequence[TrunkConfig],
        bus: Bus,
        clock: Clock,
        *,
        node: str,
        user: str,
    ) -> None:
        self._actions = actions
        self._trunks = tuple(trunks)
        self._bus = bus
        self._clock = clock
        self._node = node
        self._user = user

    async def run(self) -> None:
        """Answer until cancelled, one question after the other."""
        async with self._bus.subscribe(TrunksAsked, name="trunks", maxsize=20) as asked:
            async for item in asked:
                if isinstance(item, TrunksAsked) and item.node == self._node:
                    if abs(self._clock.now() - item.at) > FRESH:
                        log.warning("trunks_asked_too_late", request=item.request_id)
                        continue
                    for told in await self.answer(item):
                        self._bus.publish(told)

    async def answer(self, asked: TrunksAsked) -> tuple[TrunkTold, ...]:
        """Return how the trunks are."""
        registrations, channels = await self._seen()
        found = []
        for trunk in self._trunks:
            tested: dict[str, object] = {}
            if asked.test == trunk.name:
                answer = await ask_options(trunk.host, trunk.port, user=self._user, within=TEST_WITHIN)
                took = answer.took.total_seconds() * 1000 if answer.took is not None else None
                tested = {
                    "tested": True,
                    "status": answer.status,
                    "reason": answer.reason,
                    "took_ms": round(took, 1) if took is not None else None,
                }
            found.append(
                TrunkTold(
                    at=self._clock.now(),
                    request_id=asked.request_id,
                    node=self._node,
                    name=trunk.name,
                    registration=registrations.get(trunk.endpoint, ""),
                    channels=None if channels is None else channels.get(trunk.endpoint, 0),
                    last=trunk is self._trunks[-1],
                    **tested,  # type: ignore[arg-type]
                )
            )
        return tuple(found) or (
            TrunkTold(at=self._clock.now(), request_id=asked.request_id, node=self._node, name=""),
        )

    async def _seen(self) -> tuple[dict[str, str], dict[str, int] | None]:
        """What the PBX says of them: nothing of what it does not."""
        registrations: dict[str, str] = {}
        try:
            actions = self._actions()
            for one in await _listed(actions, "PJSIPShowRegistrationsOutbound"):
                # Its list has the passwords too: nothing of it but this is looked at.
                if one.get("objecttype") == "registration":
                    registrations[one.get("objectname") or ""] = one.get("status") or ""
            channels = dict.fromkeys((trunk.endpoint for trunk in self._trunks), 0)
            for one in (await actions.core_show_channels())[:MOST_CHANNELS]:
                endpoint = (one.get("channel") or "").removeprefix("PJSIP/").rpartition("-")[0]
                if endpoint in channels:
                    channels[endpoint] += 1
        except AmiError as error:
            log.warning("trunks_not_seen", error=error.code)
            return registrations, None
        return registrations, channels


async def _listed(actions: AmiActions, name: str) -> Sequence[AmiEvent]:
    try:
        return (await actions.request(name, timeout=timedelta(seconds=3), collect=True))[1]
    except AmiRejected:
        # It says so where it has none.
        return ()


class Trunks:
    """Asks the process with the link."""

    def __init__(self, bus: Bus, clock: Clock, *, node: str, within: timedelta = ANSWER_WITHIN) -> None:
        self._bus = bus
        self._clock = clock
        self._node = node
        self._within = within

    async def look(self, *, test: str = "") -> tuple[TrunkTold, ...]:
        """Return the trunks as they are.

        Args:
            test: name of the one whose server is asked whether it is there.

        Raises:
            TrunksAway: nobody answered in time.
        """
        asked = TrunksAsked(at=self._clock.now(), request_id=new_ulid(), node=self._node, test=test)
        found: list[TrunkTold] = []
        async with self._bus.subscribe(TrunkTold, name="trunk-answers") as answers:
            self._bus.publish(asked)
            try:
                async with asyncio.timeout(self._within.total_seconds()):
                    async for item in answers:
                        if isinstance(item, TrunkTold) and item.request_id == asked.request_id:
                            found.append(item)
                            if item.last:
                                return tuple(one for one in found if one.name)
            except TimeoutError:
                log.warning("trunks_not_told", node=self._node)
        raise TrunksAway(
            f"no process with the role «telephony» of {self._node} answered; start one on the same Redis "
            "(huifang serve --roles telephony), then try again"
        )


def seen_at(trunks: Sequence[TrunkTold]) -> datetime | None:
    """When they were looked at."""
    return max((one.at for one in trunks), default=None)
