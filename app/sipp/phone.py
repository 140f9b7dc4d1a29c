"""An agent's telephone played by SIPp, with verbs: it rings, answers, holds, transfers, hangs up.

A verb returns when the other side has confirmed, or raises after a deadline, so that a scenario reads as a
story and never sleeps.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from app.handset import Ear, Handset
from app.sipp.process import SippEvent, SippFailed, SippProcess, free_udp_port, render_scenario

PHONE_REFUSALS: Final = (
    (403, "Forbidden"),
    (404, "Not Found"),
    (480, "Temporarily Unavailable"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (500, "Server Internal Error"),
    (503, "Service Unavailable"),
    (603, "Decline"),
)
VERB_SECONDS: Final = 5.0
FIRST_OWN_CSEQ: Final = 10
LEAVE_SECONDS: Final = 1.0


class PhoneCall:
    """One call on a telephone. ``happened`` is all that SIPp told of it, in order.

    Attributes:
        caller, dialled: from whom and to which number a call came; empty for one that was made.
    """

    def __init__(
        self, number: str, server: str, process: SippProcess, call_id: str, handset: Handset | None = None
    ) -> None:
        self.call_id = call_id
        self.caller = self.dialled = ""
        self.happened: list[str] = []
        self.from_tag = ""
        self.to_tag = ""
        self._number = number
        self._server = server
        self._process = process
        self._handset = handset
        self._media: tuple[str, int] | None = None
        self._changed = asyncio.Condition()
        self._seq = FIRST_OWN_CSEQ
        self._left = False

    @property
    def ear(self) -> Ear:
        """What the agent hears; only after the answer."""
        assert self._handset is not None
        return self._handset.ear

    @property
    def handset(self) -> Handset:
        """The agent's mouth; only after the answer."""
        assert self._handset is not None
        return self._handset

    @property
    def ended_by(self) -> str:
        """``near`` (this phone), ``far``, ``cancelled``, or nothing while it goes on."""
        return next((what.split()[1] for what in self.happened if what.startswith("ended")), "")

    @property
    def up(self) -> bool:
        """Whether the call was answered and goes on."""
        return not self.ended_by and any(what.startswith(("talking", "answered")) for what in self.happened)

    async def answer(self) -> None:
        """Pick up; returns when the PBX knows."""
        self._handset = await Handset.open(self._process.host)
        self._tell("ANSWER", port=str(self._handset.port))
        await self.until("talking")

    async def reject(self, code: int = 486) -> None:
        """Refuse the call: 486 is busy, 603 is declined."""
        self._tell(f"REJECT{code}")
        await self.until("ended")

    async def hang_up(self) -> None:
        """Say goodbye."""
        self._tell("HANGUP")
        await self.until("ended")

    async def press(self, keys: str) -> None:
        """Press keys (RFC 4733); returns when they have been sent."""
        for key in keys:
            self.handset.press(key)
        await self.handset.finished()

    async def hold(self) -> None:
        """Put the other side on hold (re-INVITE with sendonly)."""
        await self._again("HOLD", "held")

    async def unhold(self) -> None:
        """Take the other side back."""
        await self._again("UNHOLD", "unheld")

    async def transfer(self, number: str) -> None:
        """Send the other side to a number (blind transfer, REFER); returns when the PBX accepted."""
        await self._refer(f"<sip:{number}@{self._server}>")

    async def transfer_to(self, other: "PhoneCall") -> None:
        """Connect the other side with whom we called meanwhile (attended transfer, REFER with Replaces)."""
        replaces = f"{other.call_id};to-tag={other.to_tag};from-tag={other.from_tag}"
        await self._refer(f"<sip:{self._number}@{self._server}?Replaces={quote(replaces, safe='')}>")

    async def ended(self, *, within: float = VERB_SECONDS) -> str:
        """Wait until the call is over; returns `ended_by`."""
        await self.until("ended", "refused", within=within)
        return self.ended_by

    async def until(self, *words: str, within: float = VERB_SECONDS, past: int = 0) -> str:
        """Wait until one of these has happened (after the first ``past`` happenings) and return it.

        Raises:
            TimeoutError: it did not; the message says what did happen.
        """

        def found() -> str:
            return next((what for what in self.happened[past:] if what.split()[0] in words), "")

        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: bool(found()))
        except TimeoutError:
            raise TimeoutError(
                f"phone {self._number}: not {' or '.join(words)} within {within:g} s but {self.happened}"
            ) from None
        return found()

    def close(self) -> None:
        """Free the handset; what was heard stays."""
        if self._handset is not None:
            self._handset.close()

    async def _again(self, verb: str, done: str) -> None:
        past = len(self.happened)
        self._tell(verb)
        await self.until(done, past=past)

    async def _refer(self, target: str) -> None:
        past = len(self.happened)
        self._tell("TRANSFER", to=target)
        if (said := await self.until("transferring", "failed", past=past)).startswith("failed"):
            raise SippFailed(f"the PBX refused the transfer: {said}")

    def _leave(self) -> None:
        if not self._left and not self.ended_by and self._process.running:
            self._left = True
            self._tell("HANGUP")

    def _tell(self, verb: str, **headers: str) -> None:
        self._seq += 1
        self._process.tell(self.call_id, verb, seq=str(self._seq), **headers)

    async def note(self, event: SippEvent) -> None:
        """Take in what SIPp told."""
        match event.name:
            case "offered":
                host, port, self.dialled, *caller = event.detail
                self._media, self.caller = (host, int(port)), "".join(caller)
            case "answered":
                host, port, *tags = event.detail
                self._media = (host, int(port))
                self.from_tag, self.to_tag = [*tags, "", ""][:2]
        if event.name in {"talking", "answered"} and self._handset and self._media:
            self._handset.connect(*self._media)
        if event.name in {"ended", "refused"}:
            self.close()
        # once a transfer is done it is the phone that leaves, as telephones do; SIPp may miss one of two
        # NOTIFYs that come together, so it leaves a little later in any case
        if event.name == "notified" and event.detail[:1] == ("200",):
            self._leave()
        if event.name == "transferring":
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._leave)
        async with self._changed:
            self.happened.append(" ".join((event.name, *event.detail)))
            self._changed.notify_all()


Reaction = Callable[[PhoneCall], Awaitable[None]]


class AgentPhone:
    """A SIP phone registered as an agent. ``async with`` registers it and takes it away again.

    Args:
        sipp: the command that starts SIPp.
        server: the PBX, as (host, port).
        number, secret: the agent's number and SIP password.
        folder: an existing folder for SIPp's files.
        on_ring: what the phone does by itself when it rings; by default nothing.
        host, port: the phone's address; port 0 takes a free one.
        registers: no for a phone in the telephone network, which the PBX reaches through its trunk.
    """

    def __init__(
        self,
        sipp: Sequence[str],
        server: tuple[str, int],
        *,
        number: str,
        secret: str = "",
        folder: Path,
        on_ring: Reaction | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        registers: bool = True,
    ) -> None:
        self.number = number
        self.server = f"{server[0]}:{server[1]}"
        self.calls: list[PhoneCall] = []
        self._sipp = sipp
        self._target = server
        self._secret = secret
        self._folder = folder
        self._on_ring = on_ring
        self._host = host
        self._port = port
        self._registers = registers
        self._rings: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self._stack = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None
        self._listener: SippProcess | None = None

    async def __aenter__(self) -> "AgentPhone":
        self._port = self._port or free_udp_port(self._host)
        if self._registers:
            await self.register()
        scenario = render_scenario("phone_rings", user=self.number, refusals=PHONE_REFUSALS)
        self._listener = self._process(scenario, port=self._port, arguments=["-aa"])
        self._listening = await self._listen(self._listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in self.calls:
            if call.up:
                with contextlib.suppress(TimeoutError):
                    await call.hang_up()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for call in self.calls:
            call.close()
        await self._stack.aclose()

    async def gone(self) -> None:
        """Wait until it hears no more calls: SIPp has ended."""
        assert self._listening is not None
        await asyncio.wait([self._listening])

    async def register(self, expires: int = 120) -> None:
        """Tell the PBX where the phone is; 0 takes it away.

        Raises:
            SippFailed: the PBX refused.
        """
        scenario = render_scenario("register", user=self.number, secret=self._secret, expires=expires)
        # the PBX calls back to where the registration came from: the port on which the phone listens next
        port = self._port if expires else 0
        async with self._process(scenario, port=port, arguments=["-m", "1", "-r", "50"]) as process:
            if await process.wait() != 0:
                raise SippFailed(f"phone {self.number} cannot register: {process.errors().strip()[-200:]}")

    async def rings(self, *, within: float = VERB_SECONDS) -> PhoneCall:
        """Wait for the next call to ring here.

        Raises:
            SippFailed: it does not listen any more: another one has its address, say.
            TimeoutError: nobody called.
        """
        assert self._listening is not None
        if not self._rings.empty():
            return self._rings.get_nowait()
        ringing = asyncio.create_task(self._rings.get())
        try:
            await asyncio.wait(
                {ringing, self._listening}, timeout=within, return_when=asyncio.FIRST_COMPLETED
            )
            if ringing.done():
                return ringing.result()
        finally:
            ringing.cancel()
        if self._listening.done():
            said = self._listener.errors().strip()[-200:] if self._listener is not None else ""
            raise SippFailed(f"phone {self.number} does not listen at {self._host}:{self._port}: {said}")
        raise TimeoutError(f"phone {self.number} did not ring within {within:g} s")

    async def dial(self, number: str, *, wait: bool = True, within: float = VERB_SECONDS) -> PhoneCall:
        """Call a number; returns when it is answered, or at once without ``wait``.

        Raises:
            SippFailed: it was refused.
        """
        handset = await Handset.open(self._host)
        scenario = render_scenario(
            "phone_dials",
            user=self.number,
            secret=self._secret,
            number=number,
            media_port=handset.port,
            refusals=PHONE_REFUSALS,
        )
        process = self._process(scenario, arguments=["-aa", "-m", "1", "-r", "50"])
        call_id = f"{self.number}-{process.port}-{len(self.calls)}"
        process.add_arguments(["-cid_str", f"{call_id}-%u"])
        call = PhoneCall(self.number, self.server, process, f"{call_id}-1", handset)
        self.calls.append(call)
        await self._listen(process)
        if wait and (said := await call.until("answered", "refused", within=within)).startswith("refused"):
            raise SippFailed(f"phone {self.number} could not reach {number}: {said}")
        return call

    def _process(self, scenario: str, *, port: int = 0, arguments: Sequence[str] = ()) -> SippProcess:
        return SippProcess(
            self._sipp,
            scenario,
            target=self._target,
            host=self._host,
            port=port,
            folder=self._folder,
            arguments=arguments,
        )

    async def _listen(self, process: SippProcess) -> asyncio.Task[None]:
        await self._stack.enter_async_context(process)
        task = asyncio.create_task(self._follow(process), name=f"phone-{self.number}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _follow(self, process: SippProcess) -> None:
        async for event in process.events():
            call = next((known for known in self.calls if known.call_id == event.call_id), None)
            if call is None:
                call = PhoneCall(self.number, self.server, process, event.call_id)
                self.calls.append(call)
            await call.note(event)
            if event.name == "offered":
                self._rings.put_nowait(call)
                if self._on_ring is not None:
                    task = asyncio.create_task(self._react(call))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _react(self, call: PhoneCall) -> None:
        assert self._on_ring is not None
        # a caller who hangs up first makes the verb fail, and that is no failure of the phone
        with contextlib.suppress(TimeoutError):
            await self._on_ring(call)


def answers(after: float = 0.0) -> Reaction:
    """A phone that answers each call after so many seconds."""

    async def react(call: PhoneCall) -> None:
        await asyncio.sleep(after)
        await call.answer()

    return react


def rejects(code: int = 486, after: float = 0.0) -> Reaction:
    """A phone that refuses each call."""

    async def react(call: PhoneCall) -> None:
        await asyncio.sleep(after)
        await call.reject(code)

    return react
