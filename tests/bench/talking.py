"""A centre whose callers and agents really speak, and the text of it as the agents' pages get it.

A real Asterisk, the service as a process of its own, SIPp for the signalling; the sound is G.711 over RTP,
sent and heard by this process, so that it is known to the frame when which word ended.
"""

import asyncio
import json
import os
import sys
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import update

from app.runtime.process import ManagedProcess
from app.sipp.phone import AgentPhone, PhoneCall, answers
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.agent_tables import QueueRow
from tests.bench.apart import cpu_seconds, descendants, service_process, service_url
from tests.support.centre import LOGINS, PASSWORD, RunningCentre, running_centre
from tests.support.models import installed, models_folder, read_wav, sentences
from tests.support.pbx import AGENT_HOST, HOTLINE, Pbx
from tests.support.ports import free_port
from tests.support.sipp import choose, customer
from tests.support.waiting import eventually
from web.auth import SESSION_COOKIE, Visitor, build_accounts

KOREAN = Path(__file__).resolve().parents[1] / "data" / "speech" / "korean"
TAPPED, UNTAPPED = "1", "2"
"""Keys of the menu: complaints become text, repairs do not."""
AGENTS = ("1001", "1002", "1003", "1004")
QUEUE = "complaint"
FRAME = 160
QUIET_SECONDS = 1.2
"""An utterance's text is whole when nothing more has come for so long."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What is said: the samples end with the last word."""

    name: str
    text: str
    samples: "array[int]" = field(repr=False)


def clip(name: str, text: str, pcm: bytes) -> Clip:
    """Return the clip, without the silence after its last word."""
    samples = array("h")
    samples.frombytes(pcm)
    frames = [max(map(abs, samples[at : at + FRAME]), default=0) for at in range(0, len(samples), FRAME)]
    loud = [index for index, peak in enumerate(frames) if peak > max(frames) * 0.04]
    return Clip(name, text, samples[: (loud[-1] + 1) * FRAME])


def mandarin() -> list[Clip]:
    """Return the sentences of the hotline."""
    return [clip(one.name, one.text, one.pcm) for one in sentences()]


def korean() -> list[Clip]:
    """Return the Korean ones."""
    rows = (KOREAN / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = [row.split("\t") for row in rows]
    return [clip(name, text, read_wav(KOREAN / name)) for name, text in pairs]


def seconds_of(pcm: bytes) -> float:
    """Return how long sound at 8 kHz lasts."""
    return len(pcm) / 16_000


@dataclass(frozen=True, slots=True)
class Line:
    """A text that came to a page, and when, on the event loop's clock."""

    at: float
    kind: str
    text: str


class TextPage:
    """An agent's page as far as text goes: what its live connection brings."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Line]] = {"customer": [], "agent": []}
        self.gaps = 0
        self._seen: set[str] = set()

    async def read(self, url: str, cookie: str) -> None:
        """Follow the live connection until cancelled."""
        async with (
            aiohttp.ClientSession(url, cookies={SESSION_COOKIE: cookie}) as session,
            session.get("/live", params={"topics": "agent,words"}, timeout=aiohttp.ClientTimeout()) as answer,
        ):
            event = ""
            async for raw in answer.content:
                if raw.startswith(b"event: "):
                    event = raw[7:].strip().decode()
                elif raw.startswith(b"data: ") and event in {"text", "text_all"}:
                    self._take(event, json.loads(raw[6:]))

    def _take(self, event: str, told: dict[str, Any]) -> None:
        at = asyncio.get_running_loop().time()
        for line in told["lines"] if event == "text_all" else [told]:
            if line["kind"] == "gap":
                self.gaps += line["id"] not in self._seen
                self._seen.add(line["id"])
            elif line["kind"] in {"partial", "final"} and (not line["id"] or line["id"] not in self._seen):
                self._seen.update({line["id"]} if line["id"] else ())
                self.lines[line["speaker"]].append(Line(at, line["kind"], line["text"]))


@dataclass(frozen=True, slots=True)
class Told:
    """What the page made of one utterance.

    Attributes:
        text: all finals; empty if none came.
        shown: seconds from the end of the last word until the page showed as many words as stay, for good.
        final: until it was told what stays.
    """

    clip: Clip
    text: str
    shown: float
    final: float


@dataclass(slots=True)
class Conversation:
    """A call between a customer and an agent, and the agent's page."""

    caller: PhoneCall
    agent: PhoneCall
    page: TextPage

    def phone(self, speaker: str) -> PhoneCall:
        """Return the telephone of a speaker."""
        return self.caller if speaker == "customer" else self.agent

    async def say(self, speaker: str, said: Clip, *, patience: float = 8.0) -> Told:
        """Say something and wait until its text is whole."""
        loop = asyncio.get_running_loop()
        lines, handset = self.page.lines[speaker], self.phone(speaker).handset
        began = len(lines)
        handset.say(said.samples)
        await handset.finished()
        ended = loop.time()
        while loop.time() < ended + patience:
            await asyncio.sleep(0.05)
            if len(lines) == began or lines[-1].kind != "final":
                continue
            if loop.time() - max(ended, lines[-1].at) > QUIET_SECONDS:
                break
        if os.environ.get("BENCH_SAYS"):
            for line in lines[began:]:
                print(
                    f"{speaker} {line.at - ended:+.2f} {line.kind} {line.text}", file=sys.stderr, flush=True
                )
        return told_of(said, lines[began:], ended)


def told_of(said: Clip, lines: Sequence[Line], ended: float) -> Told:
    """Return what was made of an utterance whose last word ended at ``ended``.

    Shown is what stays shown: a text that grows shorter again had not been there yet. One that was there
    before the word had ended, heard ahead, was shown at once.
    """
    whole = " ".join(line.text for line in lines if line.kind == "final")
    if not whole:
        return Told(said, "", float("nan"), float("nan"))
    last = next(line for line in reversed(lines) if line.kind == "final")
    finals, shown = "", None
    for line in lines:
        text = f"{finals} {line.text}"
        if line.kind == "final":
            finals = text
        if len(text.split()) < len(whole.split()):
            shown = None
        elif shown is None:
            shown = line
    return Told(said, whole, max(0.0, (shown or last).at - ended), last.at - ended)


class Stage:
    """The centre with its agents at their telephones."""

    def __init__(
        self,
        centre: RunningCentre,
        service: ManagedProcess,
        phones: dict[str, AgentPhone],
        pages: dict[str, TextPage],
    ) -> None:
        self.centre = centre
        self.service = service
        self.phones = phones
        self.pages = pages
        self._next = 0

    @asynccontextmanager
    async def conversation(self, key: str = TAPPED) -> AsyncIterator[Conversation]:
        """Have a customer call, choose from the menu, and an agent take the call."""
        self._next += 1
        known = {id(call) for phone in self.phones.values() for call in phone.calls}
        async with customer(self.centre.pbx, number=f"138{self._next:08d}") as caller:
            await choose(caller, key, within=20)

            def taken() -> str:
                return next(
                    (
                        number
                        for number, phone in self.phones.items()
                        if any(call.up and id(call) not in known for call in phone.calls)
                    ),
                    "",
                )

            number = await eventually(taken, timeout=30, what="an agent takes the call")
            call = next(call for call in self.phones[number].calls if call.up and id(call) not in known)
            yield Conversation(caller, call, self.pages[number])

    @asynccontextmanager
    async def conversations(self, count: int, key: str = TAPPED) -> AsyncIterator[list[Conversation]]:
        """Have several, begun one after the other."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.conversation(key)) for _ in range(count)]
        await eventually(self.centre.pbx.idle, timeout=20, what="no channel is left")

    async def taps(self) -> int:
        """How many speakers are tapped."""
        return sum(name.startswith("AudioSocket/") for name in await self.centre.pbx.channels())

    async def tapped(self, count: int) -> None:
        """Wait until so many are."""

        async def there() -> bool:
            return await self.taps() == count

        await eventually(there, timeout=30, what=f"{count} taps")

    async def warm(self, said: Clip) -> None:
        """Have the model in memory and every part tried once: a call whose text comes."""
        async with self.conversations(1) as (talk,):
            await self.tapped(2)
            for _ in range(10):
                if (await talk.say("customer", said)).text:
                    return
        raise RuntimeError("no text of the first call")

    def workers(self) -> list[int]:
        """Return the recognisers' processes."""
        pid = self.service.pid
        return descendants(pid) if pid is not None else []

    def cpu(self) -> dict[str, float]:
        """Return the processor time that each part has used."""
        return {
            "asterisk": cpu_seconds(self.centre.pbx.server.pid),
            "service": cpu_seconds(self.service.pid),
            "recogniser": cpu_seconds(*self.workers()),
        }


class LastingPhone(AgentPhone):
    """A telephone that is known for five minutes, as long as Asterisk lets it be."""

    async def register(self, expires: int = 300) -> None:
        """Tell the PBX where it is."""
        await super().register(expires)


def _phone(pbx: Pbx, number: str) -> LastingPhone:
    config = pbx.config
    folder = config.paths.spool / "phones"
    folder.mkdir(parents=True, exist_ok=True)
    return LastingPhone(
        pbx.runtime.sipp.command(),
        (config.sip_host, config.sip_port),
        number=number,
        secret=next(agent.secret for agent in config.agents if agent.number == number),
        folder=folder,
        on_ring=answers(),
        host=AGENT_HOST,
    )


@asynccontextmanager
async def stage(folder: Path, *, model: str, language: str, agents: int = 4) -> AsyncIterator[Stage]:
    """Run it all with one model, ready to listen."""
    store = await installed(model)
    engine = store.entry(model).engine
    async with AsyncExitStack() as stack:
        centre = await stack.enter_async_context(
            running_centre(
                folder,
                roles=frozenset(),
                centre={"hotline": HOTLINE},
                web={"port": free_port()},
                speech={
                    "models_dir": str(models_folder()),
                    "engine": engine,
                    "languages": (language,),
                },
                live_text={"streams": 2 * agents},
            )
        )
        async with centre.database.transaction() as session:
            await session.execute(update(QueueRow).values(wrap_up_seconds=1))
        numbers = AGENTS[:agents]
        for number in numbers:
            await centre.service.desk.sign_in(await centre.agent_id(number))
        cookies = {number: await _cookie(centre.database, LOGINS[number]) for number in numbers}
        # From here on only the service that is measured works on this database.
        await centre.stop_service()
        service = service_process(centre.settings)
        await stack.enter_async_context(service.running())
        phones = {number: await stack.enter_async_context(_phone(centre.pbx, number)) for number in numbers}
        pages = {number: TextPage() for number in numbers}
        group = await stack.enter_async_context(_reading())
        for number in numbers:
            url = service_url(centre.settings)
            group.append(asyncio.create_task(pages[number].read(url, cookies[number])))
        await eventually(
            lambda: _all_there(centre, agents), timeout=30, interval=0.5, what="agents are there"
        )
        made = Stage(centre, service, phones, pages)
        await eventually(lambda: bool(made.workers()), timeout=60, what="the recogniser runs")
        yield made


@asynccontextmanager
async def _reading() -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all_there(centre: RunningCentre, agents: int) -> bool:
    return (await centre.pbx.cli(f"queue show {QUEUE}")).count("(Not in use)") >= agents


async def _cookie(database: Database, login: str) -> str:
    accounts = build_accounts(database, SystemClock())
    signed = await accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor(ip="127.0.0.1"))
    return signed.session.secret
