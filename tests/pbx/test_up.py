"""``huifang up``: from nothing to a ringing phone, and nothing left of it afterwards."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kernel.db import create_database
from tests.support.centre import fill
from tests.support.pbx import NETWORK_HOST
from tests.support.ports import free_port, free_ports
from tests.support.runtime import runtime_folder
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

READY = "Ctrl-C stops everything."


class Terminal:
    """``huifang up`` with a data folder and ports of its own; ``said`` is what it printed."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.web_port = free_port()
        rtp = free_ports(100)
        self.env = {
            **os.environ,
            "HUIFANG_DATA_DIR": str(self.data),
            "HUIFANG_RUNTIME_DIR": str(runtime_folder()),
            "HUIFANG_WEB__PORT": str(self.web_port),
            "HUIFANG_AMI__PORT": str(free_port()),
            "HUIFANG_AGI__PORT": str(free_port()),
            "HUIFANG_PBX__SIP_PORT": str(free_port()),
            "HUIFANG_PBX__WS_PORT": str(free_port()),
            "HUIFANG_PBX__TRUNK__PORT": str(free_port(host=NETWORK_HOST)),
            "HUIFANG_PBX__RTP_START": str(rtp.start),
            "HUIFANG_PBX__RTP_END": str(rtp.stop - 1),
            "COLUMNS": "200",
        }
        self.said = ""
        self.up: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def start(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start it; whatever is left at the end of the block is killed."""
        self.said = ""
        up = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", "up", *arguments),
            env=self.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        reading = asyncio.create_task(self._read(up))
        try:
            yield up
        finally:
            if up.returncode is None:
                up.kill()
            await up.wait()
            await reading

    async def _read(self, up: asyncio.subprocess.Process) -> None:
        assert up.stdout is not None
        while line := await up.stdout.readline():
            self.said += line.decode()

    def left(self) -> list[str]:
        """The processes that have our data folder in their environment or run inside it."""
        mark = f"HUIFANG_DATA_DIR={self.data}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ours = mark in (folder / "environ").read_bytes()
                # Redis writes its title over its environment
                if ours or self.data in (folder / "cwd").readlink().parents:
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80])
        return found


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


async def test_it_starts_tells_how_to_sign_in_and_stops_with_everything(terminal: Terminal) -> None:
    async with terminal.start("--demo") as up:
        await eventually(lambda: READY in terminal.said, timeout=60, what="the welcome")
        logins = json.loads((terminal.data / "demo-logins.json").read_text())
        assert all(
            f"{login} " in terminal.said and password in terminal.said for login, password in logins.items()
        )
        assert "demo phones answer after 6 s" in terminal.said
        # itself, Redis, Asterisk, the service, the phones, the customers
        await eventually(lambda: len(terminal.left()) == 6, timeout=20)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            form = {"login": "zhouxm", "password": logins["zhouxm"]}
            async with browser.post(
                f"http://127.0.0.1:{terminal.web_port}/sign-in",
                data=form,
                headers={"Origin": f"http://127.0.0.1:{terminal.web_port}"},
            ) as page:
                assert page.status == 200
                assert page.url.path == "/agent"
        up.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(up.wait(), 60) == 0
        assert terminal.left() == []
    # again, with the data that is there
    async with terminal.start("--demo", "--no-phones") as up:
        await eventually(lambda: READY in terminal.said, timeout=30, what="the welcome")
        assert logins["zhouxm"] in terminal.said
        assert "register your own" in terminal.said
        await eventually(lambda: len(terminal.left()) == 5, timeout=20)
        await others_are_refused(terminal)
        up.kill()
        await up.wait()
        await eventually(lambda: terminal.left() == [], timeout=20, what="nothing outlives it")


async def others_are_refused(terminal: Terminal) -> None:
    """A taken port, then a second one in the same folder: one line each."""
    other = Terminal(terminal.data.parent / "other")
    other.env["HUIFANG_WEB__PORT"] = str(terminal.web_port)
    for folder, told in ((other.data, "HUIFANG_WEB__PORT"), (terminal.data, "runs already")):
        other.env["HUIFANG_DATA_DIR"] = str(folder)
        async with other.start("--demo") as up:
            assert await asyncio.wait_for(up.wait(), 60) == 1
        assert other.said.count("\n") == 1
        assert told in other.said


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the demo company, without its month."""
    file = tmp_path_factory.mktemp("made") / "huifang.db"

    async def make() -> None:
        database = create_database(f"sqlite+aiosqlite:///{file}")
        await fill(database, users=False)
        await database.dispose()

    asyncio.run(make())
    return file


@pytest.mark.parametrize("word", ["✓ programs", "✓ Redis", "… Asterisk", "✓ Asterisk", "… service"])
async def test_ctrl_c_while_it_starts_leaves_nothing(terminal: Terminal, company: Path, word: str) -> None:
    terminal.data.mkdir()
    shutil.copyfile(company, terminal.data / company.name)
    async with terminal.start() as up:
        await eventually(lambda: word in terminal.said, timeout=60, what=word)
        up.send_signal(signal.SIGINT)
        await asyncio.wait_for(up.wait(), 60)
        assert READY not in terminal.said
        assert terminal.left() == []
