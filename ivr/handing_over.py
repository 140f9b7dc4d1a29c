"""What a flow leaves with the channel: its language, its queue, its place in the queue that it came from."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from ivr.domain.effects import ToQueue
from ivr.domain.languages import LANGUAGE_VARIABLE, channel_of, code_of
from ivr.ports import PlaceBook
from kernel.clock import Clock
from kernel.phone import Phone
from telephony.agi import AgiSession

log = structlog.get_logger(__name__)

KEEP_PLACE = "PLACE"
"""Stands for the queue's status where the caller pressed the key to be called back."""


class PlaceKeeper:
    """Keeps the place of the caller on a channel.

    Args:
        places: where; ``None`` where nobody can keep one.
        deadline: longest wait for it to be stored.
    """

    def __init__(
        self, places: PlaceBook | None, clock: Clock, *, deadline: timedelta, default_area: str | None
    ) -> None:
        self._places = places
        self._clock = clock
        self._deadline = deadline.total_seconds()
        self._default_area = default_area

    async def keep(
        self, session: AgiSession, call_id: str, phone: str, queue: str, customer_id: str | None
    ) -> bool:
        """Keep the place in the queue that the caller comes from; false when that cannot be.

        Raises:
            AgiError: the channel did not tell what is known of it.
        """
        number = Phone.parse_caller(phone, default_area=self._default_area)
        if self._places is None or number is None or not number.dialable or not queue or not call_id:
            return False
        joined = await session.get_variable("HF_JOINED") or ""
        priority = await session.get_variable("QUEUE_PRIO") or ""
        since = datetime.fromtimestamp(int(joined), UTC) if _is_count(joined) else self._clock.now()
        try:
            async with asyncio.timeout(self._deadline):
                return await self._places.keep(
                    call_id=call_id,
                    phone=number,
                    queue=queue,
                    joined_at=since,
                    priority=int(priority) if _is_count(priority) else 0,
                    customer_id=customer_id,
                    language=spoken_to(session),
                )
        except Exception as error:  # a border: people call them back instead
            log.error("ivr_place_not_kept", call_id=call_id, error=type(error).__name__, exc_info=True)
            return False


async def speak(session: AgiSession, code: str) -> None:
    """Have the channel, and whatever reads the call's events, know the caller's language where it changes."""
    if code == spoken_to(session):
        return
    await session.set_variable("CHANNEL(language)", channel_of(code))
    await session.set_variable(f"__{LANGUAGE_VARIABLE}", code)
    call_id = await session.get_variable("HF_CALL") or ""
    await session.user_event("HuifangLanguage", Call=call_id, Language=code)


def spoken_to(session: AgiSession) -> str:
    """Return the language of the channel, as the last flow set it."""
    return code_of(session.environment.get("agi_language", ""))


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 12


async def decide_queue(session: AgiSession, effect: ToQueue) -> None:
    """Tell the dialplan which queue the call goes to."""
    await session.set_variable("HF_QUEUE", effect.queue)
    if effect.resume and not await session.get_variable("HF_RESUMED"):
        # They stood before all who came since; once, so that the key is no way to the front.
        await session.set_variable("HF_RESUMED", "yes")
        before = await session.get_variable("QUEUE_PRIO") or ""
        await session.set_variable("HF_QUEUE_PRIO", str((int(before) if _is_count(before) else 0) + 1))
    if effect.timeout is not None:
        await session.set_variable("HF_QUEUE_TIMEOUT", str(int(effect.timeout.total_seconds())))
    if effect.priority:
        await session.set_variable("HF_QUEUE_PRIO", str(effect.priority))
    # Last, because it is what the dialplan goes by.
    await session.set_variable("HF_NEXT", "queue")
