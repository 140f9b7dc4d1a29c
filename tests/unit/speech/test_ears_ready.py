"""A recogniser gets ready for speakers to come while nobody speaks."""

import io
import threading
from collections.abc import Iterable, Sequence

import pytest

from speech.engines import Listener
from speech.wire import Decoder, Kind, Said, encode, encode_json
from speech.worker import Desk, Out

pytestmark = pytest.mark.unit

WISH = {"language": "zh", "phrases": [], "thorough": False}


class Ear:
    def __init__(self, heard: threading.Event) -> None:
        self._heard = heard

    def hear(self, pcm: bytes) -> Iterable[Said]:
        self._heard.set()
        return ()

    def finish(self) -> Iterable[Said]:
        return ()


class Counting:
    """An engine that wants so many steps of preparation, and says when it has been asked."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.taken = 0
        self.done = threading.Event()
        self.heard = threading.Event()
        self.released = threading.Event()
        self.go_on = threading.Semaphore(0)
        self._lock = threading.Lock()

    def listener(self, language: str, phrases: Sequence[str], *, thorough: bool) -> Listener:
        return Ear(self.heard)

    def release(self, listener: Listener) -> None:
        self.left = 1
        self.done.clear()
        self.released.set()

    def prepare(self) -> bool:
        assert self._lock.acquire(blocking=False), "two threads prepare at once"
        self.go_on.acquire()
        self.taken += 1
        self.left -= 1
        self._lock.release()
        if not self.left:
            self.done.set()
        return self.left > 0


def tell(desk: Desk, frame: bytes) -> None:
    for one in Decoder().feed(frame):
        desk.take(one)


def test_it_prepares_until_all_is_ready_and_again_when_an_ear_was_given_up() -> None:
    engine = Counting(3)
    engine.go_on.release(100)
    desk = Desk(engine, 0.1, Out(io.BytesIO()), threads=2)
    assert engine.done.wait(5)
    assert engine.taken == 3
    tell(desk, encode_json(Kind.OPEN, 1, WISH))
    tell(desk, encode(Kind.FINISH, 1))
    assert engine.released.wait(5)
    assert engine.done.wait(5)
    assert engine.taken == 4


def test_nothing_is_prepared_while_somebody_speaks() -> None:
    engine = Counting(3)
    desk = Desk(engine, 0.1, Out(io.BytesIO()), threads=1)
    tell(desk, encode_json(Kind.OPEN, 1, WISH))
    engine.go_on.release(100)  # the step under way ends; the next one waits for the end of the speaker
    tell(desk, encode(Kind.AUDIO, 1, bytes(1600)))
    assert engine.heard.wait(5)
    assert engine.taken <= 1
    tell(desk, encode(Kind.FINISH, 1))
    assert engine.released.wait(5)
    assert engine.done.wait(5)
