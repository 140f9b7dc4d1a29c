"""Who listens to callers in a menu: a tap of the caller's own voice, words out, never in the menu's way."""

from array import array
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from app.menu_ears import CallerEar, MenuEars, MenuEarsConfig
from kernel.clock import FakeClock
from kernel.phone import Phone
from speech.listener import Ended, StreamListener
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiDown
from tests.support.fake_recogniser import FakeRecogniser
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LOUD = array("h", [3000, -3000] * 80).tobytes()
QUIET = bytes(320)


class Actions:
    """What is asked of Asterisk."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.down = False

    async def originate(self, channel: str, **wanted: Any) -> None:
        if self.down:
            raise AmiDown("no link", sent=False)
        self.asked.append({"channel": channel, **wanted})


class Stage:
    """Ears over a fake recogniser."""

    def __init__(self, clock: FakeClock, listener: StreamListener, *script: str) -> None:
        self.clock = clock
        self.actions = Actions()
        self.recogniser = FakeRecogniser(*script)
        self.objects = False
        self.heard: list[tuple[str, float | None]] = []
        self.ears = MenuEars(
            cast(AmiActions, self.actions),
            listener,
            self.recogniser,
            address=lambda: f"127.0.0.1:{listener.port}",
            allowed=self.allowed,
            clock=clock,
            config=MenuEarsConfig(most=1),
        )

    async def allowed(self, phone: Phone | None) -> bool:
        return not self.objects

    def listen(self) -> CallerEar | None:
        return self.ears.listen("PJSIP/trunk-main-00000001", None, lambda *said: self.heard.append(said))

    def say(self, ear: CallerEar, frame: bytes, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(timedelta(milliseconds=20))
            ear.sound(frame)


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[Stage]:
    listener = StreamListener()
    await listener.start()
    made = Stage(clock, listener, "我要投诉，卡号6222020200112230009")
    yield made
    await made.ears.aclose()
    await listener.stop()


async def test_a_caller_is_tapped_heard_and_left_alone_again(stage: Stage) -> None:
    ear = stage.listen()
    assert ear is not None
    await eventually(lambda: stage.actions.asked, timeout=20)
    (asked,) = stage.actions.asked
    assert asked["channel"].startswith("AudioSocket/127.0.0.1:")
    assert asked["data"] == "PJSIP/trunk-main-00000001,qouES"
    assert asked["channel_id"].startswith("ear-")
    ear.opened()
    await eventually(lambda: stage.recogniser.streams, timeout=20)
    stage.say(ear, LOUD, 0.3)
    assert ear.pending
    stage.say(ear, QUIET, 0.5)
    await eventually(lambda: stage.heard, timeout=20)
    ((text, confidence),) = stage.heard
    assert text.startswith("我要投诉")
    assert "6222020200112230009" not in text
    assert confidence == pytest.approx(0.9)
    assert not ear.pending
    assert not stage.ears.ready  # the only place is taken
    assert stage.listen() is None
    ear.close()
    ear.close()
    await eventually(lambda: not stage.recogniser.streams, timeout=20)
    assert stage.ears.ready
    assert stage.ears.listening == 0


async def test_noise_that_does_not_cease_is_no_voice(stage: Stage) -> None:
    ear = stage.listen()
    assert ear is not None
    stage.say(ear, LOUD, 20)
    assert not ear.pending


async def test_words_that_do_not_come_are_not_waited_for_long(stage: Stage) -> None:
    ear = stage.listen()
    assert ear is not None
    stage.say(ear, LOUD, 0.2)
    assert ear.pending
    stage.clock.advance(timedelta(seconds=5))
    assert not ear.pending


@pytest.mark.parametrize("trouble", ["objects", "no_link", "expired"])
async def test_whatever_fails_leaves_the_keys(stage: Stage, trouble: str) -> None:
    stage.objects, stage.actions.down = trouble == "objects", trouble == "no_link"
    ear = stage.listen()
    assert ear is not None
    if trouble == "expired":
        await eventually(lambda: stage.actions.asked, timeout=20)
        ear.closed(Ended.EXPIRED)
        ear.close()
    await eventually(lambda: stage.ears.listening == 0, timeout=20)
    assert not ear.pending
    assert stage.heard == []
    assert (stage.actions.asked == []) is (trouble != "expired")


async def test_without_a_model_or_after_the_end_nobody_listens(stage: Stage) -> None:
    stage.recogniser.languages = frozenset({"en"})
    assert not stage.ears.ready
    assert stage.listen() is None
    stage.recogniser.languages = frozenset({"zh"})
    ear = stage.listen()
    assert ear is not None
    await stage.ears.aclose()
    assert stage.listen() is None
