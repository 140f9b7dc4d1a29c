"""The exchange over AMI: calls are placed by one action, all else is what telephony knows already."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from callback_campaigns.dial_events import DialFailed
from callback_campaigns.domain.attempt import CHANNEL_PREFIX, AttemptState
from callback_campaigns.exchange import DialOrder, ExchangeAway, People, Picture, Sending, Way
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import HuifangError
from kernel.phone import Phone
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiDown, AmiError, AmiInvalid, AmiRejected
from telephony.ami.message import AmiEvent
from telephony.ami.results import CallerId, OriginateResult
from telephony.board_views import AgentView, BoardView
from telephony.domain.agent_state import AgentState
from telephony.domain.call import Call
from telephony.domain.call_book import CallBook
from telephony.domain.call_id import STAFF, attempted_call
from telephony.events import LinkStateChanged

log = structlog.get_logger(__name__)

SURVEY, PREVIEW, MASKED = "huifang-dialled", "huifang-preview", "huifang-masked"
_CONTEXTS = {Way.PREVIEW: PREVIEW, Way.MASKED: MASKED}
"""Where the telephone that rings first is one of ours."""
BOARD_AGE = timedelta(milliseconds=200)
"""A picture of the agents that is younger is not made anew."""
PING = timedelta(seconds=2)


class AmiExchange:
    """One PBX behind an AMI link.

    Args:
        status: how the link stands, and when the PBX was last heard.
        board: the agents now; ``None`` where campaigns need none.
        page_open: whether an agent (by number) has the page open, on which the questions are; nobody is
            called for one who has not.
        answer_within: deadline of the action; the call itself may ring longer.
    """

    def __init__(
        self,
        actions: AmiActions,
        book: CallBook,
        *,
        status: Callable[[], LinkStateChanged],
        board: Callable[[], BoardView] | None,
        bus: Bus,
        clock: Clock,
        page_open: Callable[[str], bool] = lambda number: True,
        answer_within: timedelta = timedelta(seconds=5),
    ) -> None:
        self._actions = actions
        self._book = book
        self._status = status
        self._board = board
        self._bus = bus
        self._clock = clock
        self._page_open = page_open
        self._answer_within = answer_within
        self._seen_board: tuple[datetime, BoardView] | None = None

    @property
    def node(self) -> str:
        """Return its name in the centre."""
        return self._book.node

    async def originate(self, order: DialOrder) -> Sending:
        """Write the Originate, once; see :class:`callback_campaigns.exchange.Exchange`."""
        if order.way is Way.MASKED and order.agent_number is None and order.own_number is None:
            return Sending.NOT_SENT  # Nobody of ours is there to be rung before the customer.
        number = Phone.parse(order.number).national
        # What the telephone that rings first shows, and what happens once it is answered.
        shown = number if order.way is Way.PREVIEW else order.caller_id
        context, exten = _CONTEXTS.get(order.way, SURVEY), number
        if context == SURVEY:
            exten = order.way.value
        variables = {
            "__HF_CALL": order.attempt_id,
            "__HF_DIR": "out",
            "__HF_DID": order.caller_id,
            "__HF_TO": number,
            "HF_AMD": "yes" if order.amd else "no",
            "HF_TRUNK": order.trunk,
            "HF_CALLER": order.caller_id,
        }
        if not order.record:
            variables["__HF_RECORD"] = "no"
        if order.queue is not None:
            variables["__HF_QUEUE"] = order.queue
        try:
            await self._actions.originate(
                _first(order),
                channel_id=CHANNEL_PREFIX + order.attempt_id + (STAFF if order.way is Way.MASKED else ""),
                context=context,
                exten=exten,
                variables=variables,
                caller_id=CallerId(number=shown),
                ring_timeout=order.ring,
                account=order.attempt_id,
                answer_at_once=order.at_once,
                timeout=self._answer_within,
            )
        except (AmiRejected, AmiInvalid) as error:
            log.warning("dial_refused_by_pbx", attempt=order.attempt_id, error=error.code)
            return Sending.NOT_SENT
        except AmiDown as error:
            return Sending.DOUBT if error.sent else Sending.NOT_SENT
        except AmiError:
            return Sending.DOUBT
        return Sending.SENT

    def picture(self) -> Picture:
        """Return how well the exchange is known now."""
        status = self._status()
        return Picture(live=status.state == "live", as_of=status.as_of)

    async def freshen(self, older_than: timedelta) -> None:
        """Ask for a sign of life if the last one is older; a PBX that does not answer stays silent."""
        picture = self.picture()
        if not picture.live or picture.as_of is None:
            return
        if abs(self._clock.now() - picture.as_of) > older_than:
            try:
                await self._actions.ping(timeout=PING)
            except HuifangError as error:
                log.info("exchange_silent", node=self.node, error=error.code)

    def used(self, trunk: str) -> int:
        """Return the calls on a trunk, of everybody."""
        begins = f"PJSIP/trunk-{trunk}-"
        return sum(
            leg.channel.startswith(begins) for call in self._book.open_calls() for leg in call.live.values()
        )

    def on_call(self, number: str) -> bool:
        """Tell whether somebody with this number talks with us, or is being called."""
        return any(
            number in (call.from_number, call.to_number)
            or any(leg.agent_number == number for leg in call.live.values())
            for call in self._book.open_calls()
        )

    def reachable(self, extension: str) -> bool:
        """Tell whether a telephone is registered as this extension, as far as anybody follows it."""
        board = self._look_at_board()
        agents = board.agents if board is not None else ()
        return any(one.number == extension and one.device and _reachable(one) for one in agents)

    def knows(self, attempt_id: str) -> bool:
        """Tell whether the call of an attempt was seen, and is over or not."""
        return self._book.knows(attempt_id)

    def seen(self, attempt_id: str) -> AttemptState | None:
        """Return where the call of an attempt stands, ``None`` when there is none in progress."""
        call = self._book.get(attempt_id)
        return _state_of(call) if call is not None else None

    async def look(self) -> frozenset[str]:
        """Return the attempts that have a channel. Raises ExchangeAway."""
        if not self.picture().live:
            raise ExchangeAway("the PBX is not followed now")
        try:
            channels = await self._actions.core_show_channels()
        except AmiError as error:
            raise ExchangeAway("the PBX did not tell its channels") from error
        found = (attempted_call(event.get("uniqueid").partition(";")[0]) for event in channels)
        return frozenset(attempt_id for attempt_id in found if attempt_id is not None)

    def people(self, queue: str) -> People:
        """Return the agents of a queue whose page is open."""
        board = self._look_at_board()
        if board is None:
            return People()
        mine = [agent for agent in board.agents if queue in agent.queues and self._page_open(agent.number)]
        return People(
            free=sum(agent.state == AgentState.AVAILABLE and _reachable(agent) for agent in mine),
            ringing=sum(agent.state == AgentState.RINGING for agent in mine),
            talking_since=tuple(agent.since for agent in mine if agent.state == AgentState.ON_CALL),
            wrapping_since=tuple(agent.since for agent in mine if agent.state == AgentState.WRAP_UP),
            waiting=next((one.waiting for one in board.queues if one.name == queue), 0),
        )

    def sink(self, item: Any, now: datetime) -> None:
        """Hear how Originates end; to be added to the ingest for ``OriginateResponse``.

        A call whose channel exists is followed by it; where none was ever made, this is all that comes.
        """
        if not isinstance(item, AmiEvent) or item.name != "OriginateResponse":
            return
        _, _, channel_id = item.action_id.partition("/")
        attempt_id = attempted_call(channel_id)
        if attempt_id is None:
            return
        if not OriginateResult.from_event(item).success and not self._book.knows(attempt_id):
            self._bus.publish(DialFailed(at=now, attempt_id=attempt_id, node=self.node))

    def _look_at_board(self) -> BoardView | None:
        if self._board is None:
            return None
        now = self._clock.now()
        if self._seen_board is None or abs(now - self._seen_board[0]) > BOARD_AGE:
            self._seen_board = (now, self._board())
        return self._seen_board[1]


def _reachable(agent: AgentView) -> bool:
    return agent.device not in {"UNAVAILABLE", "INVALID"}


def _first(order: DialOrder) -> str:
    """Return the channel that is made: of the telephone that rings first."""
    if order.way in _CONTEXTS and order.agent_number is not None:
        return f"PJSIP/{order.agent_number}"
    outside = order.own_number if order.way is Way.MASKED and order.own_number is not None else order.number
    return f"PJSIP/{Phone.parse(outside).national}@trunk-{order.trunk}"


def _state_of(call: Call) -> AttemptState:
    if call.answered_at is not None:
        return AttemptState.ANSWERED
    # One of ours who was rung first is there: from then on it is the customer who is called.
    rings = (leg.answered_at is not None if leg.is_staff else leg.rang for leg in call.live.values())
    return AttemptState.RINGING if any(rings) else AttemptState.SENT
