"""The recogniser's own process: ``python -m speech.worker MODULE FOLDER``, spoken to on its standard input.

It ends when its standard input does, so it never outlives the service. Whatever kills it (the engine's
library, the system's memory, a person) costs the streams it has, and nothing else.
"""

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from speech.engines import Engine, Listener, ModelUnfit, load_engine
from speech.homophones import Homophones
from speech.ports import BYTES_PER_SECOND
from speech.wire import Decoder, Frame, Kind, Said, WireBroken, encode, encode_json, piece_to_json

READ_BYTES = 64 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)
TURN_PIECES = 4
"""A stream that is behind is listened to for so many pieces before the next one gets its turn."""


@dataclass(slots=True)
class Ear:
    """One stream: what is to be listened to, and how far it has come."""

    number: int
    language: str
    phrases: tuple[str, ...]
    thorough: bool
    expects: Homophones | None = None
    listener: Listener | None = None
    waiting: bytearray = field(default_factory=bytearray)
    finished: bool = False
    closed: bool = False
    at_work: bool = False


class Desk:
    """Shares the streams out among the threads, one thread at a time for each, in turn."""

    def __init__(self, engine: Engine, piece_seconds: float, out: "Out", threads: int) -> None:
        self._engine = engine
        self._piece = max(int(piece_seconds * BYTES_PER_SECOND) // 2 * 2, 2)
        self._out = out
        self._ears: dict[int, Ear] = {}
        self._ready: deque[Ear] = deque()
        self._change = threading.Condition()
        self._preparing = False
        self._prepared = False
        for number in range(threads):
            threading.Thread(target=self._work, name=f"ear-{number}", daemon=True).start()

    def take(self, frame: Frame) -> None:
        """Do what a frame says; a frame of a stream that is gone is nothing."""
        with self._change:
            if frame.kind is Kind.OPEN:
                wish = frame.json()
                ear = Ear(frame.stream, str(wish["language"]), tuple(wish["phrases"]), bool(wish["thorough"]))
                self._ears[frame.stream] = ear
                self._queue(ear)
                return
            found = self._ears.get(frame.stream)
            if found is None:
                return
            if frame.kind is Kind.AUDIO:
                found.waiting += frame.payload
            elif frame.kind is Kind.FINISH:
                found.finished = True
            elif frame.kind is Kind.CLOSE:
                found.closed = True
                found.waiting.clear()
                del self._ears[found.number]
            if self._has_work(found):
                self._queue(found)

    def _has_work(self, ear: Ear) -> bool:
        return ear.closed or ear.finished or ear.listener is None or len(ear.waiting) >= self._piece

    def _queue(self, ear: Ear) -> None:
        if not ear.at_work:
            ear.at_work = True
            self._ready.append(ear)
            self._change.notify()

    def _work(self) -> None:
        try:
            while True:
                with self._change:
                    while not self._ready and not self._may_prepare():
                        self._change.wait()
                    ear = self._ready.popleft() if self._ready else None
                    self._preparing = self._preparing or ear is None
                if ear is None:
                    more = self._engine.prepare()
                    with self._change:
                        self._preparing, self._prepared = False, not more
                    continue
                self._turn(ear)
                with self._change:
                    ear.at_work = False
                    if self._again(ear):
                        self._queue(ear)
        except BaseException:
            # With a thread less, streams would stand still: the service makes a new process instead.
            with contextlib.suppress(Exception):
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
            os._exit(70)

    def _may_prepare(self) -> bool:
        """Whether a thread with nothing to do gets ready for speakers to come: only while nobody speaks."""
        return not (self._ears or self._preparing or self._prepared)

    def _again(self, ear: Ear) -> bool:
        if ear.listener is None:
            return False  # it has ended
        return self._has_work(ear)

    def _turn(self, ear: Ear) -> None:
        if ear.listener is None:
            if ear.closed:
                return
            if ear.language == "zh" and ear.phrases:
                ear.expects = expecting(ear.phrases)
            ear.listener = self._engine.listener(ear.language, ear.phrases, thorough=ear.thorough)
            self._out.send(encode(Kind.OPENED, ear.number))
        for _ in range(TURN_PIECES):
            with self._change:
                closed = ear.closed
                piece = bytes(ear.waiting[: self._piece])
                whole = len(piece) == self._piece
                last = ear.finished and not whole
                if whole or last:
                    del ear.waiting[: len(piece)]
            if closed:
                self._end(ear, ear.listener)
                return
            if not (whole or last):
                return
            if piece:
                self._say(ear, ear.listener.hear(piece))
                self._out.send(encode(Kind.TAKEN, ear.number, len(piece).to_bytes(4, "big")))
            if last:
                self._say(ear, ear.listener.finish())
                self._out.send(encode(Kind.FINISHED, ear.number))
                with self._change:
                    self._ears.pop(ear.number, None)
                self._end(ear, ear.listener)
                return

    def _say(self, ear: Ear, pieces: Iterable[Said]) -> None:
        for piece in pieces:
            if ear.expects is not None:
                piece = ear.expects.put(piece)
            self._out.send(encode_json(Kind.HEARD, ear.number, piece_to_json(piece)))

    def _end(self, ear: Ear, listener: Listener) -> None:
        ear.listener = None
        ear.finished = ear.closed = False
        ear.waiting.clear()
        self._engine.release(listener)
        with self._change:
            self._prepared = False


@lru_cache(maxsize=8)
def expecting(phrases: tuple[str, ...]) -> Homophones:
    """Return the phrases ready to be put; calls of a queue have the same."""
    return Homophones(phrases)


class Out:
    """The way back to the service; several threads write."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def send(self, data: bytes) -> None:
        """Write a whole frame; ends the process if nobody reads any more."""
        try:
            with self._lock:
                self._file.write(data)
                self._file.flush()
        except OSError:
            os._exit(0)


def serve(arguments: argparse.Namespace) -> int:
    """Load the engine and listen until the standard input ends."""
    # What a library prints must not get between the frames.
    out = Out(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    with contextlib.suppress(OSError):
        os.nice(arguments.nice)
    try:
        engine = load_engine(
            arguments.module, arguments.folder, threads=arguments.threads, warm=arguments.warm
        )
    except ImportError as error:
        return _failed(out, "engine_missing", str(error))
    except OSError as error:
        # What is copied beside a model is copied by others' code, whose errors have no number.
        full = error.errno in FULL or any(os.strerror(number) in str(error) for number in FULL)
        return _failed(out, "disk_full" if full else "model_damaged", str(error))
    except ModelUnfit as error:
        return _failed(out, "model_damaged", str(error))
    desk = Desk(engine, arguments.piece, out, arguments.threads)
    out.send(encode(Kind.READY))
    decoder = Decoder()
    while data := os.read(0, READ_BYTES):
        try:
            for frame in decoder.feed(data):
                desk.take(frame)
        except (WireBroken, KeyError, TypeError) as error:
            return _failed(out, "wire_broken", str(error))
    return 0


def _failed(out: Out, code: str, message: str) -> int:
    out.send(encode_json(Kind.FAILED, 0, {"code": code, "message": message[:500]}))
    return 1


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="where the engine's function load is")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--piece", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0)
    # Ctrl-C at the terminal is for the service, which then closes our standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = serve(parser.parse_args())
    # The engine's threads may be at work, and a library's own end may wait for them.
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
