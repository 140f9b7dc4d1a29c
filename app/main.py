"""The service: one process that plays every role, or a part of them."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from app.container import Centre, Role, open_centre
from app.runtime.espeak import find_espeak
from app.settings import Settings
from kernel.errors import Invalid
from kernel.logs import configure_logs

log = structlog.get_logger(__name__)


def parse_roles(text: str) -> frozenset[Role]:
    """Return the roles of a comma-separated list.

    Raises:
        Invalid: a name is no role; the message lists them.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        found = frozenset(Role(name) for name in names)
    except ValueError as error:
        raise Invalid(f"roles: {error}; the roles are {', '.join(Role)}", field="roles") from error
    if not found:
        raise Invalid(f"roles: name at least one of {', '.join(Role)}", field="roles")
    return found


@contextlib.asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """Turn SIGINT, SIGTERM and a closed terminal into an event; a second one cancels what is slow."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def run_until(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Await ``work``, or cancel it once ``stop`` is set; return whether it ended by itself."""
    task = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return False
    finally:
        stopping.cancel()
        task.cancel()


def _spare_the_collector() -> None:
    """Take what the start has made (modules, classes, statements) out of the garbage collector's rounds.

    It lives as long as the process; looking through it again and again holds the loop up by 0.1 s and more.
    """
    gc.collect()
    gc.freeze()


async def run_service(
    settings: Settings, roles: frozenset[Role], *, started: Callable[[Centre], None] | None = None
) -> None:
    """Run the service until SIGINT or SIGTERM.

    Raises:
        HuifangError: it cannot start; the message says what to do.
    """
    configure_logs(level=settings.log_level, json=settings.log_json)

    async def serve() -> None:
        # One that is missing is fetched, or waited for, while calls are taken already.
        espeak = await find_espeak(settings.voice.espeak, settings.runtime_dir) if Role.IVR in roles else None
        async with open_centre(settings, roles, espeak=espeak) as centre:
            _spare_the_collector()
            log.info("service_started", roles=sorted(roles), web_port=centre.web_port)
            if started is not None:
                started(centre)
            await asyncio.Event().wait()

    async with stop_signals() as stop:
        await run_until(stop, serve())
    log.info("service_stopped")
