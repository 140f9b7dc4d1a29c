"""Customers who call: what ``huifang call`` plays, over the trunk, with SIPp and real audio.

Each played customer dials, listens, speaks, presses keys, waits and hangs up. A few are played with a
handset each (RTP both ways, keys as RFC 4733 events); for a load of calls SIPp alone presses the keys.
"""

import asyncio
import contextlib
import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from app.handset import KEYS, Ear, Handset
from app.sipp import SippEvent, SippFailed, SippProcess, render_scenario
from kernel.errors import Invalid
from telephony.audio import RATE

NETWORK_HOST: Final = "127.0.0.2"
"""Where the demo's telephone network lives: a loopback address of its own, because a trunk is known by
its address and agents register from 127.0.0.1."""

REFUSALS: Final = (400, 401, 403, 404, 408, 480, 484, 486, 487, 488, 500, 503, 600, 603)
FIRST_LISTEN_SECONDS: Final = 2.0
BETWEEN_KEYS_SECONDS: Final = 1.5
MAX_CALLS_WITH_AUDIO: Final = 60


@dataclass(frozen=True, slots=True)
class Wait:
    """Listen for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press a key."""

    key: str


@dataclass(frozen=True, slots=True)
class Say:
    """Speak; ``text`` is what the samples (8 kHz) say."""

    text: str
    samples: "array[int]"


Step = Wait | Press | Say


def menu_steps(
    keys: str, *, first: float = FIRST_LISTEN_SECONDS, between: float = BETWEEN_KEYS_SECONDS
) -> tuple[Step, ...]:
    """The steps of a menu path: ``"12"`` presses 1, then 2; a comma waits two seconds more."""
    steps: list[Step] = []
    for index, key in enumerate(keys):
        if key == ",":
            steps.append(Wait(2.0))
            continue
        steps += [Wait(first if index == 0 else between), Press(key)]
    return tuple(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """Who calls whom, and what the customer does.

    Attributes:
        from_number, caller_name: as the telephone network shows them; the name may be anything.
        did: the dialled number.
        steps: what happens after the answer; then the customer waits ``hold_seconds`` and hangs up.
        calls, rate: how many customers, and how many begin a second.
        audio: a handset for each call; by default for up to 60 calls. Without one nothing is said or heard.
    """

    from_number: str
    did: str
    caller_name: str = ""
    steps: tuple[Step, ...] = ()
    hold_seconds: float = 60.0
    ring_seconds: float = 60.0
    calls: int = 1
    rate: float = 1.0
    audio: bool | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.calls <= 1_000_000:
            raise Invalid("calls must be from 1 to 1000000", field="calls")
        if not 0 < self.rate <= 1000:
            raise Invalid("rate must be above 0 and at most 1000 calls a second", field="rate")
        for name in ("from_number", "did"):
            value = getattr(self, name)
            if not 1 <= len(value) <= 255 or set(value) & set(";<>@ []") or not value.isprintable():
                raise Invalid(f"{name} is nothing one can dial", field=name)
        for step in self.steps:
            if isinstance(step, Press) and (len(step.key) != 1 or step.key not in KEYS):
                raise Invalid(f"{step.key} is no telephone key", field="menu")

    @property
    def with_audio(self) -> bool:
        """Whether each call has a handset."""
        return self.calls <= MAX_CALLS_WITH_AUDIO if self.audio is None else self.audio

    def timed_keys(self) -> tuple[list[tuple[int, str]], float]:
        """The keys with the pause before each in ms, and the seconds left after the last one."""
        keys, pause = [], 0.0
        for step in self.steps:
            match step:
                case Press(key):
                    keys.append((max(20, round(pause * 1000)), key))
                    pause = 0.0
                case Wait(seconds):
                    pause += seconds
                case Say(samples=samples):
                    pause += len(samples) / RATE
        return keys, pause


@dataclass(slots=True, kw_only=True)
class PlayedCall:
    """How one call went. Times are the event loop's."""

    number: int
    dialled: float | None = None
    answered: float | None = None
    ended: float | None = None
    ended_by: str = ""
    refused: int | None = None
    ear: Ear | None = field(default=None, repr=False)

    @property
    def succeeded(self) -> bool:
        """It was answered, and ended as a call ends."""
        return self.answered is not None and self.ended is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerReport:
    """The outcome of a plan."""

    calls: tuple[PlayedCall, ...]

    @property
    def successful(self) -> int:
        """Calls that were answered and ended as calls end."""
        return sum(call.succeeded for call in self.calls)

    @property
    def failed(self) -> int:
        """All the others."""
        return len(self.calls) - self.successful


Progress = Callable[[str], None]


def _silent(line: str) -> None:
    pass


async def run(
    plan: CallPlan,
    *,
    sipp: Sequence[str],
    host: str,
    port: int,
    local_host: str = NETWORK_HOST,
    progress: Progress = _silent,
    env: dict[str, str] | None = None,
) -> CallerReport:
    """Play the plan against the PBX at ``host:port`` and return how it went.

    When cancelled, the calls that are up are hung up first.

    Args:
        sipp: the command that starts SIPp.
        local_host: the address we call from; the PBX must know it as its trunk.
        progress: given a line for people to read whenever something happens.

    Raises:
        SippFailed: SIPp is not there, or could not place a single call.
    """
    with TemporaryDirectory(prefix="huifang-call-") as folder:
        player = _Player(plan, progress)
        await player.play(sipp, (host, port), local_host, Path(folder), env)
        return player.report()


@dataclass
class _Player:
    plan: CallPlan
    progress: Progress
    calls: dict[int, PlayedCall] = field(default_factory=dict)
    handsets: list[Handset] = field(default_factory=list)
    call_ids: dict[int, str] = field(default_factory=dict)

    async def play(
        self,
        sipp: Sequence[str],
        target: tuple[str, int],
        local_host: str,
        folder: Path,
        env: dict[str, str] | None,
    ) -> None:
        plan = self.plan
        if plan.with_audio:
            self.handsets = [await Handset.open(local_host) for _ in range(plan.calls)]
        process = SippProcess(
            sipp,
            self._scenario(),
            target=target,
            host=local_host,
            folder=folder,
            arguments=["-m", str(plan.calls), "-l", str(plan.calls), *sipp_rate(plan)],
            rows=self._rows(),
            env=env,
        )
        try:
            async with process, asyncio.TaskGroup() as group:
                steps: dict[str, asyncio.Task[None]] = {}
                try:
                    async for event in process.events():
                        self._note(event)
                        if event.name == "answered" and self.handsets:
                            act = self._act(process, event)
                            steps[event.call_id] = group.create_task(act)
                        elif event.name == "ended" and event.call_id in steps:
                            steps.pop(event.call_id).cancel()
                except asyncio.CancelledError:
                    await self._hang_up_all(process)
                    raise
                for task in steps.values():
                    task.cancel()
            if await process.wait() != 0 and not self.calls:
                raise SippFailed(f"SIPp ended without a call: {process.errors().strip()[-300:]}")
        finally:
            for handset in self.handsets:
                handset.close()
            await asyncio.sleep(0)  # the sockets close in the loop's next turn

    def report(self) -> CallerReport:
        calls = [
            self.calls.get(number) or PlayedCall(number=number) for number in range(1, self.plan.calls + 1)
        ]
        return CallerReport(calls=tuple(calls))

    def _rows(self) -> list[list[str]]:
        plan = self.plan
        name = display_name(plan.caller_name)
        ports = [handset.port for handset in self.handsets] or [9]
        return [[plan.from_number, name, str(port)] for port in ports]

    def _scenario(self) -> str:
        plan = self.plan
        keys, pause = ([], 0.0) if plan.with_audio else plan.timed_keys()
        # with a handset we hang up ourselves; SIPp's own limit is only there should we die
        talk = pause + plan.hold_seconds if not plan.with_audio else plan.hold_seconds + 3600
        return render_scenario(
            "customer",
            did=plan.did,
            keys=keys,
            refusals=REFUSALS,
            ring_ms=round(plan.ring_seconds * 1000),
            talk_ms=max(20, round(talk * 1000)),
        )

    async def _act(self, process: SippProcess, event: SippEvent) -> None:
        """The customer, from the answer on."""
        handset = self.handsets[event.call_number - 1]
        media_host, media_port = event.detail[:2]
        handset.connect(media_host, int(media_port))
        for step in self.plan.steps:
            match step:
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Press(key):
                    self._tell(event.call_number, f"按 {key}")
                    handset.press(key)
                case Say(text, samples):
                    self._tell(event.call_number, f"说：{text}")
                    handset.say(samples)
            await handset.finished()
        await asyncio.sleep(self.plan.hold_seconds)
        process.tell(event.call_id, "HANGUP")

    async def _hang_up_all(self, process: SippProcess) -> None:
        """Tell every call that is up to hang up, and give them a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                open_calls = [call for call in self.calls.values() if call.ended is None]
                for call in open_calls:
                    process.tell(self.call_ids[call.number], "HANGUP")
                while any(call.ended is None for call in open_calls):
                    async for event in process.events():
                        self._note(event)
                        break

    def _note(self, event: SippEvent) -> None:
        now = asyncio.get_running_loop().time()
        number = event.call_number
        call = self.calls.setdefault(number, PlayedCall(number=number))
        self.call_ids[number] = event.call_id
        match event.name:
            case "dialled":
                call.dialled = now
                if self.handsets:
                    call.ear = self.handsets[number - 1].ear
                self._tell(number, f"{self.plan.from_number} 拨号中 …")
            case "ringing":
                self._tell(number, "振铃")
            case "answered":
                call.answered = now
                self._tell(number, "已接通")
            case "pressed":
                self._tell(number, f"按 {event.detail[0]}")
            case "refused":
                call.refused = int(event.detail[0])
                self._tell(number, f"未接通（{call.refused}）")
            case "ended":
                call.ended, call.ended_by = now, event.detail[0]
                self._tell(number, "对方挂断" if call.ended_by == "far" else "挂断")

    def _tell(self, number: int, what: str) -> None:
        self.progress(what if self.plan.calls == 1 else f"第 {number} 通  {what}")


def sipp_rate(plan: CallPlan) -> list[str]:
    """SIPp's way to say so many calls a second; a single call begins at once."""
    if plan.calls == 1:
        return ["-r", "50"]
    period = 1000 if plan.rate >= 1 and float(plan.rate).is_integer() else 10_000
    calls = max(1, round(plan.rate * period / 1000))
    if math.isclose(calls * 1000 / period, plan.rate, rel_tol=0.05):
        return ["-r", str(calls), "-rp", str(period)]
    return ["-r", "1", "-rp", str(round(1000 / plan.rate))]


def display_name(name: str) -> str:
    """The name as it stands in From: quoted, its quotes and backslashes escaped, no line breaks."""
    if not name:
        return ""
    kept = "".join(char for char in name if char not in ";\r\n")
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'
