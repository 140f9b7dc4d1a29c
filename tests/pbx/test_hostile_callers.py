"""Strangers who send what no telephone would, over the trunk: they get a person, and nobody else notices."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from telephony.history import CallHistory
from telephony.views import CallView
from tests.support.centre import RunningCentre, running_centre
from tests.support.log_file import LogFile, logging_to
from tests.support.pbx import HOTLINE
from tests.support.rogue import Rogue
from tests.support.sipp import customer
from tests.support.staff import staffed
from tests.support.waiting import eventually

# One centre for all of them.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

AGENTS = ("1001", "1002", "1003", "1004")


@dataclass
class Stage:
    """The centre and its log."""

    centre: RunningCentre
    log: LogFile

    def live(self) -> list[CallView]:
        """The calls in progress."""
        assert self.centre.service.telephony is not None
        return list(self.centre.service.telephony.ingest.live_calls())

    async def stored(self) -> list[CallView]:
        """Every call in SQL once all have ended, oldest first."""
        history = CallHistory(self.centre.database)

        async def over() -> bool:
            return self.live() == [] and all(
                call.state == "ended" for call in (await history.page(limit=200)).items
            )

        await eventually(over, timeout=15, what="every call is stored and over")
        return [await history.get(call.call_id) for call in reversed((await history.page(limit=200)).items)]

    async def asterisk_is_idle(self) -> None:
        await eventually(self.centre.pbx.idle, timeout=10, interval=0.1, what="every channel is gone")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    with logging_to(folder / "huifang.log") as log:
        async with running_centre(folder, users=False, centre={"hotline": HOTLINE}) as centre:
            yield Stage(centre, log)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is sent, and what must be stored of it."""

    from_: bytes
    number: str
    name: str = ""
    did: bytes = HOTLINE.encode()
    to: str = HOTLINE

    def __str__(self) -> str:
        return f"{self.number} {self.name} → {self.to}"


def shown(name: bytes, expected: str, line: int) -> Case:
    """A caller with this display name, as it stands in SIP."""
    return Case(
        from_=b'"' + name + b'" <sip:138001380%02d@127.0.0.2>' % line,
        number=f"+86138001380{line:02}",
        name=expected,
    )


def calling(user: bytes, number: str, name: str) -> Case:
    """A caller whose number is this; the name tells the cases apart."""
    who = user + b"@" if user else b""
    return Case(from_=b'"' + name.encode() + b'" <sip:' + who + b"127.0.0.2>", number=number, name=name)


def dialling(did: bytes, to: str, line: int) -> Case:
    """A call to this number."""
    return Case(
        from_=b"<sip:139001390%02d@127.0.0.2>" % line, number=f"+86139001390{line:02}", did=did, to=to
    )


CASES = (
    shown("😀🎉 王女士".encode(), "😀🎉 王女士", 1),
    shown(b"<script>alert(1)</script>", "<script>alert(1)</script>", 2),
    shown(b'\\"Bob\\" \\\\ O\'Brien', '"Bob" \\ O\'Brien', 3),
    shown(b"a\x01\x07\x1b[31mred", "a [31mred", 4),
    shown(b"A" * 10_000, "A" * 79, 5),
    shown("王".encode()[:-1], "�", 6),
    shown(b"M\xfcller", "M�ller", 7),
    shown("王小明".encode()[:-1] + b"\xff\xfe\xc0", "王小����", 8),
    shown(b"${SHELL(id)} $[1/0] %s%n", "${SHELL(id)} $[1/0] %s%n", 9),
    shown("\u202egnp.exe\u2028x".encode(), "gnp.exe x", 10),
    shown(b"', (SELECT 1)); DROP TABLE call; --", "', (SELECT 1)); DROP TABLE call; --", 11),
    Case(from_=b'"hidden" <sip:anonymous@anonymous.invalid>', number="anonymous", name="hidden"),
    calling(b"", "anonymous", "nobody"),
    calling(b"+", "+", "plus"),
    calling(b"abcdef", "abcdef", "letters"),
    calling(b"1" * 40, "1" * 40, "forty"),
    calling(b"9" * 300, "9" * 64, "three hundred"),
    calling(b"1001", "1001", "an agent"),
    calling(b"../../etc/passwd", "../../etc/passwd", "path"),
    calling(b"$%7BEXTEN%7D", "${EXTEN}", "variable"),
    calling(b"$%5B1/0%5D", "$[1/0]", "expression"),
    calling(b"x%29%3aSystem%28id%29", "x):System(id)", "application"),
    calling(b"1%0a%0aagi_network_script%3a%20x", "1 agi_network_script: x", "line feeds"),
    calling(b"138%0013800", "138", "zero"),
    calling(b"%e7%8e%8b%ff", "王�", "bytes"),
    dialling(b"", "", 1),
    dialling(b"+", "+", 2),
    dialling(b"1", "1", 3),
    dialling(b"1001", "1001", 4),
    dialling(b"service", "service", 5),
    dialling(b"../../etc", "../../etc", 6),
    dialling(b"$%7BEXTEN%7D", "${EXTEN}", 7),
    dialling(b"%3brm", ";rm", 8),
    dialling(b"*98", "*98", 9),
    dialling(b"4" * 40, "4" * 40, 10),
    dialling(b"h", "h", 11),
    dialling(b"400,1,2", "400,1,2", 12),
)


def facts(call: CallView) -> tuple[str, str, str]:
    return (call.from_number, call.from_name, call.to_number)


async def reach_a_person(stage: Stage, case: Case) -> None:
    """Dial, press 0 in the menu, talk with whoever answers, hang up."""
    wanted = (case.number, case.name, case.to)

    def in_state(*states: str) -> bool:
        return any(facts(call) == wanted and call.state in states for call in stage.live())

    async with Rogue(stage.centre.pbx, from_=case.from_, did=case.did) as caller:
        assert await caller.call() == 200, str(case)
        known = [facts(call) for call in stage.live()]
        await eventually(lambda: in_state("menu"), what=f"{case} is in the menu; there are {known}")
        # Asterisk drops what is pressed while its FastAGI has no command.
        await caller.hears()
        caller.press("0")
        await eventually(lambda: in_state("talking"), timeout=60, what=f"{case} talks with a person")


async def test_every_stranger_reaches_a_person_and_is_recorded_once(stage: Stage) -> None:
    before = len(await stage.stored())
    async with staffed(stage.centre, *AGENTS):
        async with asyncio.TaskGroup() as group:
            for case in CASES:
                group.create_task(reach_a_person(stage, case))
        calls = (await stage.stored())[before:]
    assert sorted(map(facts, calls)) == sorted((case.number, case.name, case.to) for case in CASES)
    for call in calls:
        assert (call.result, call.hangup_by, call.menu_path) == ("ANSWERED", "caller", ("人工服务",)), call
        assert call.agent in AGENTS
        assert [entry.seq for entry in call.timeline] == list(range(1, len(call.timeline) + 1))
    await stage.asterisk_is_idle()


async def test_a_caller_who_speaks_as_asterisk_harms_nobody(stage: Stage) -> None:
    before = len(await stage.stored())
    assert stage.centre.service.telephony is not None
    epoch = stage.centre.service.telephony.link.epoch
    async with customer(stage.centre.pbx, number="13800138001") as victim:
        await victim.until("answered")
        await eventually(lambda: victim.ear.packets > 10)
        await victim.press("0")
        await eventually(lambda: [call.state for call in stage.live()] == ["queued"], timeout=10)
        (waiting,) = stage.live()
        (channel,) = [leg.uniqueid for leg in waiting.legs]
        forgeries = [
            f"1\r\nUniqueid: {channel}\r\nLinkedid: {channel}",
            f"\r\n\r\nEvent: Hangup\r\nUniqueid: {channel}\r\nCause: 16\r\n\r\n",
            "\r\n\r\nEvent: Shutdown\r\nShutdown: Cleanly\r\n\r\n",
            f"1\r\n\r\nEvent: QueueCallerLeave\r\nQueue: service\r\nUniqueid: {channel}",
            "\r\n\r\nEvent: FullyBooted\r\nUptime: 0\r\n\r\n",
        ]
        for text in forgeries:
            user = "".join(char if char.isalnum() else f"%{ord(char):02x}" for char in text).encode()
            async with Rogue(stage.centre.pbx, from_=b"<sip:" + user + b"@127.0.0.2>") as caller:
                assert await caller.call() == 200
                await eventually(lambda: [c.state for c in stage.live()] == ["queued", "menu"], what=text)
            await eventually(lambda: [c.state for c in stage.live()] == ["queued"], what=text)
        await victim.hang_up()
    calls = (await stage.stored())[before:]
    assert len(calls) == len(forgeries) + 1
    first, *others = calls
    assert (first.call_id, first.result, first.hangup_by) == (waiting.call_id, "ABANDONED_SHORT", "caller")
    assert [(call.result, call.hangup_by) for call in others] == [("IVR_ONLY", "caller")] * len(others)
    assert all(call.from_number.isprintable() and len(call.from_number) <= 64 for call in others)
    assert stage.centre.service.telephony.link.epoch == epoch
    await stage.asterisk_is_idle()


async def test_a_dialled_number_with_line_breaks_is_refused(stage: Stage) -> None:
    before = len(await stage.stored())
    for did in (b"400%0d%0aUniqueid%3a%201", b"400%1b%5b2J", b"4" * 79):
        async with Rogue(stage.centre.pbx, from_=b"<sip:13800138000@127.0.0.2>", did=did) as caller:
            assert await caller.call() in (404, 484)
    assert len(await stage.stored()) == before


async def nuisance(host: str, port: int, begun: asyncio.Event, stop: asyncio.Event) -> int:
    """Garbage, half messages, slow lorises, scans and idle connections, again and again; returns how many.

    ``begun`` is set once a first round of it has been sent.
    """
    made = 0
    writers: list[asyncio.StreamWriter] = []
    try:
        for _ in range(300):
            _, writer = await asyncio.open_connection(host, port)
            writers.append(writer)
        while not stop.is_set():
            for data in (
                b"",
                secrets.token_bytes(4096),
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"agi_network: yes\nagi_network_script: flow/1\n",
                b"agi_network: yes\n\n",
                b"A" * 100_000,
                b"Action: Login\r\nUsername: x\r\nSecret: y\r\n\r\n",
                b"Action: Login\r\nUsername: ",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            ):
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(host, port)
                    writer.write(data)
                    made += 1
                    if made % 2:
                        writer.close()
                    else:
                        writers.append(writer)
            for writer in writers[-20:]:
                if not writer.is_closing():
                    writer.write(b"a")
            begun.set()
            await asyncio.sleep(0.05)
    finally:
        for writer in writers:
            writer.transport.abort()
    return made


@pytest.mark.parametrize("door", ["agi", "ami"])
async def test_calls_go_on_while_strangers_rattle_at_the_door(stage: Stage, door: str) -> None:
    before = len(await stage.stored())
    telephony, config = stage.centre.service.telephony, stage.centre.pbx.config
    assert telephony is not None
    epoch = telephony.link.epoch
    port = config.agi_port if door == "agi" else config.ami_port
    begun, stop = asyncio.Event(), asyncio.Event()
    async with staffed(stage.centre, "1001", "1002"):
        rattling = asyncio.create_task(nuisance("127.0.0.1", port, begun, stop))
        async with asyncio.timeout(60):
            await begun.wait()
        async with asyncio.TaskGroup() as group:
            for line in range(4):
                case = calling(b"1380013801%d" % line, f"+861380013801{line}", "王建国")
                group.create_task(reach_a_person(stage, case))
        stop.set()
        assert await rattling > 8
    calls = (await stage.stored())[before:]
    assert [call.result for call in calls] == ["ANSWERED"] * 4
    assert [call.menu_path for call in calls] == [("人工服务",)] * 4
    assert (telephony.link.epoch, telephony.ingest.status.state) == (epoch, "live")
    await stage.asterisk_is_idle()


async def test_the_logs_stay_clean_and_short(stage: Stage) -> None:
    """The last of this module: it reads what all of them left."""
    lines = stage.log.raw.split(b"\n")
    assert [line for line in lines if any(byte < 32 or byte == 127 for byte in line)] == []
    assert stage.log.entries("error", "critical") == []
    # A busy machine; each is told once a minute at most, or once until it works again.
    late = {"ivr_lookup_late", "routing_late", "epoch_not_stored"}
    complaints = [entry for entry in stage.log.entries("warning") if entry["event"] not in late]
    assert len({(entry["event"], entry.get("reason")) for entry in complaints}) == len(complaints), complaints
