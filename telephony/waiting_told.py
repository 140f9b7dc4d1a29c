"""Tells the PBX each waiting caller's place, so that what it plays again says how many are before them.

The place is Asterisk's own, priorities included. It is told as the channel's language (see
:mod:`ivr.domain.languages`): without us callers hear what is said to everybody.
"""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta

import structlog
from prometheus_client import Counter

from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError, AmiNoSuch, AmiRejected
from telephony.ami.message import AmiEvent
from telephony.domain.call import Call, CallState

log = structlog.get_logger(__name__)

LOOK = timedelta(seconds=4)
MOST = 500
"""So many are told in one look; who waits behind them is in no hurry to hear it."""

TOLD = Counter("huifang_waiting_places_told_total", "Times a waiting caller's place was told to the PBX")


class WaitingTold:
    """Looks every few seconds while somebody waits. Give :meth:`run` to the supervisor.

    Args:
        open_calls: the calls in progress, from the call model.
        channel_language: language of a caller and how many are before them (``None``: nothing is said of
            it) → the channel's language.
        wanted: whether callers are to hear their place.
        most_ahead: beyond it nothing is said of it.
    """

    def __init__(
        self,
        actions: AmiActions,
        open_calls: Callable[[], Collection[Call]],
        *,
        channel_language: Callable[[str, int | None], str],
        wanted: Callable[[], bool],
        most_ahead: int,
    ) -> None:
        self._actions = actions
        self._open_calls = open_calls
        self._channel_language = channel_language
        self._wanted = wanted
        self._most = most_ahead
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK.total_seconds())

    async def look(self) -> int:
        """Tell the places that are new; return how many. An Asterisk out of reach is for the next time."""
        waiting = {
            leg.uniqueid: call.language
            for call in self._open_calls()
            if call.state in (CallState.QUEUED, CallState.RINGING)
            for leg in call.live.values()
        }
        if not waiting:
            self._told.clear()
            return 0
        try:
            callers = (await self._actions.queue_status()).callers
        except AmiError:
            return 0
        there = {caller.get("Uniqueid"): caller for caller in callers[:MOST]}
        self._told = {uniqueid: said for uniqueid, said in self._told.items() if uniqueid in there}
        told = 0
        for uniqueid, caller in there.items():
            if uniqueid in waiting:
                told += await self._tell(uniqueid, caller, waiting[uniqueid])
        return told

    async def _tell(self, uniqueid: str, caller: AmiEvent, language: str) -> bool:
        position = caller.get("Position")
        ahead = int(position) - 1 if position.isdigit() else None
        if ahead is not None and (not self._wanted() or not 0 <= ahead <= self._most):
            ahead = None
        wish = self._channel_language(language, ahead)
        # Whom nothing was told of hears what everybody hears.
        if self._told.get(uniqueid, self._channel_language(language, None)) == wish:
            return False
        try:
            await self._actions.setvar("CHANNEL(language)", wish, channel=caller.get("Channel"))
        except (AmiNoSuch, AmiRejected):
            return False
        except AmiError as error:
            log.warning("waiting_place_not_told", error=type(error).__name__)
            return False
        self._told[uniqueid] = wish
        TOLD.inc()
        return True
