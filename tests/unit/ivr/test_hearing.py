"""Keys, words, or neither: whichever a menu gets first, and how long it waits."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from ivr.domain.effects import Ask, Input, Listen, Piece, Pressed, Silence, Spoke
from ivr.domain.wishes import Wish, Wishes
from ivr.listening import Hearing, HearingConfig
from kernel.phone import Phone
from telephony.agi import AgiSession, CallerHungUp

pytestmark = pytest.mark.unit

LISTEN = Listen(Wishes({"1": Wish(("投诉",)), "2": Wish(("报修",))}), prompt="投诉请按一报修请按二")
CONFIG = HearingConfig(slice=timedelta(milliseconds=5), longest=timedelta(milliseconds=200))


class Ears:
    """Somebody who hears what a test says."""

    def __init__(self) -> None:
        self.ready = True
        self.pending = False
        self.opened = 0
        self.closed = 0
        self.say: Callable[[str, float | None], None] = lambda text, confidence: None

    def listen(
        self, channel: str, phone: Phone | None, heard: Callable[[str, float | None], None]
    ) -> "Ears | None":
        if not self.ready:
            return None
        self.opened += 1
        self.say = heard
        return self

    def close(self) -> None:
        self.closed += 1


class Session:
    """A channel that waits for a key; ``keys`` come after so many waits."""

    def __init__(self, key: str | None = None, *, after: int = 0) -> None:
        self.key, self.after, self.waits = key, after, 0

    async def wait_for_digit(self, timeout: timedelta) -> str | None:
        self.waits += 1
        await asyncio.sleep(timeout.total_seconds())
        return self.key if self.waits > self.after else None


class Menu:
    """One menu asked by a hearing; while the prompt plays ``during`` happens."""

    def __init__(self, session: Session | None = None) -> None:
        self.ears = Ears()
        self.session = session or Session()
        self.hearing = Hearing(self.ears, "PJSIP/x", None, CONFIG)
        self.stopped = False
        self.during: Callable[[], Any] = lambda: None
        self.key: str | None = None

    async def ask(self, wait: float = 0.05) -> Input:
        effect = Ask(pieces=(), barge_in=True, wait=timedelta(seconds=wait), listen=LISTEN)

        async def play(pieces: tuple[Piece, ...], stop: asyncio.Event) -> str | None:
            self.during()
            self.stopped = stop.is_set()
            return self.key

        async with asyncio.timeout(20):
            return await self.hearing.ask(cast(AgiSession, self.session), effect, LISTEN, play)


async def test_words_that_mean_something_stop_the_prompt() -> None:
    menu = Menu()
    menu.during = lambda: menu.ears.say("我要投诉", 0.9)
    assert await menu.ask() == Spoke("我要投诉", 0.9)
    assert menu.stopped
    assert menu.session.waits == 0


async def test_a_key_wins_at_any_moment() -> None:
    menu = Menu(Session("2"))
    menu.during = lambda: menu.ears.say("今天天气不错", 0.9)
    assert await menu.ask() == Pressed("2")
    menu.key = "1"
    assert await menu.ask() == Pressed("1")


async def test_chatter_and_our_own_prompt_do_not_stop_it() -> None:
    menu = Menu()
    menu.during = lambda: (menu.ears.say("今天天气不错", 0.9), menu.ears.say("投诉请按一报修请按", 0.9))
    assert await menu.ask() == Spoke("今天天气不错", 0.9)
    assert not menu.stopped


async def test_silence_is_silence_with_and_without_ears() -> None:
    menu = Menu()
    assert await menu.ask() == Silence()
    menu.hearing.rest()
    menu.ears.ready = False
    assert await menu.ask() == Silence()


async def test_who_speaks_is_waited_for_but_not_for_ever() -> None:
    menu = Menu()
    menu.ears.pending = True
    asyncio.get_running_loop().call_later(0.1, lambda: menu.ears.say("我要报修", 0.9))
    assert await menu.ask() == Spoke("我要报修", 0.9)
    menu.ears.pending = True
    assert await menu.ask() == Silence()


async def test_parts_of_one_answer_are_taken_together() -> None:
    menu = Menu()
    menu.during = lambda: (menu.ears.say("那个我想", 0.8), menu.ears.say("投诉", 0.6))
    assert await menu.ask() == Spoke("那个我想，投诉", 0.6)


async def test_one_ear_serves_the_question_and_what_is_asked_back_and_goes_when_the_menu_is_left() -> None:
    menu = Menu()
    await menu.ask()
    await menu.ask()
    assert (menu.ears.opened, menu.ears.closed) == (1, 0)
    menu.hearing.rest()
    menu.hearing.rest()
    assert menu.ears.closed == 1
    menu.ears.say("投诉", 0.9)  # too late: nobody asks
    await menu.ask()
    assert menu.ears.opened == 2


async def test_a_hangup_is_a_hangup() -> None:
    menu = Menu()

    async def gone(timeout: timedelta) -> str | None:
        raise CallerHungUp("gone")

    menu.session.wait_for_digit = gone  # type: ignore[method-assign]
    with pytest.raises(CallerHungUp):
        await menu.ask()
