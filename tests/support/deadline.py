"""The last deadline of a test: what still hangs after its time limit is broken off, and says where it hung.

The limit of ``pytest-timeout`` raises once in the main thread. A test whose clean-up then waits for something
that never comes would hang for ever, and the whole run with it. Here it is raised again, some times; if even
that is of no use, the process ends.
"""

import asyncio
import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import pytest

SIGNAL = signal.SIGUSR2
STATUS = 70
EVERY_SECONDS = 10.0
TIMES = 6


@contextmanager
def last_deadline(name: str, seconds: float, out: TextIO) -> Iterator[None]:
    """Break the block off if it is not over within ``seconds``; what hangs is written to ``out``.

    To be entered in the main thread.
    """

    def broken_off(_signum: int, _frame: Any) -> None:
        pytest.fail(f"not over after {seconds:.0f} s: broken off in its clean-up", pytrace=False)

    over = threading.Event()
    before = signal.signal(SIGNAL, broken_off)
    watch = threading.Thread(target=_watch, args=(name, seconds, out, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
        signal.signal(SIGNAL, before)


def _watch(name: str, seconds: float, out: TextIO, over: threading.Event) -> None:
    if over.wait(seconds):
        return
    print(f"\n{name} is not over after {seconds:.0f} s; it hangs here:", file=out)
    faulthandler.dump_traceback(file=out, all_threads=True)
    for task in _tasks():
        task.print_stack(file=out)
    out.flush()
    main = threading.main_thread().ident
    for _ in range(TIMES):
        if main is not None:
            signal.pthread_kill(main, SIGNAL)
        if over.wait(EVERY_SECONDS):
            return
    os._exit(STATUS)


def _tasks() -> list["asyncio.Task[object]"]:
    """Return the tasks of every loop: this thread has none of its own."""
    known = getattr(asyncio.tasks, "_all_tasks", ())
    return [task for task in list(known) if not task.done()]
