"""What cannot start says why in one line and leaves nothing half done: as a person at a terminal sees it."""

import asyncio
import fcntl
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Awaitable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

import app.models  # noqa: F401 - relationships between tables need all of them
from app.cli import cli
from app.demo.seed import seed_company
from app.schema import upgrade
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import create_database
from telephony.roster import Roster
from tests.support.ports import free_port
from tests.support.runtime import ROOT, runtime_folder

pytestmark = pytest.mark.integration


@dataclass
class Installation:
    """A folder to start the product in, with settings of its own."""

    folder: Path
    settings: dict[str, str]

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "huifang.db"

    async def run(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """Run ``huifang``; return its exit status and what it printed on both streams."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUIFANG_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "app.cli", *arguments),
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "300", **self.settings, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def refuses(self, *arguments: str, **settings: str) -> str:
        """Run ``huifang``, which must end with one line and status 1; return the line."""
        status, out, err = await self.run(*arguments, **settings)
        lines = err.strip().splitlines()
        assert (status, len(lines)) == (1, 1), f"{status}\n{out}\n{err}"
        assert lines[0].startswith("✗ ")
        return lines[0]

    def refuses_here(self, *arguments: str, **settings: str) -> str:
        """The same in this process, which saves the time that Python takes to start."""
        env = {"PYTHONPATH": str(ROOT), "COLUMNS": "300", **self.settings, **settings}
        result = CliRunner().invoke(cli, arguments, env=env)
        lines = result.output.strip().splitlines()
        assert (result.exit_code, len(lines)) == (1, 1), f"{result.exit_code}\n{result.output}"
        assert lines[0].startswith("✗ ")
        return lines[0]


async def together(*work: Awaitable[str]) -> list[str]:
    """Run several at once: each spends its time on starting Python."""
    return list(await asyncio.gather(*work))


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    settings = {
        "HUIFANG_DATA_DIR": str(tmp_path / "data"),
        "HUIFANG_RUNTIME_DIR": str(runtime_folder()),
        "HUIFANG_LOG_LEVEL": "ERROR",
    }
    for name in ("WEB__PORT", "AGI__PORT", "AMI__PORT", "PBX__SIP_PORT", "PBX__WS_PORT"):
        settings[f"HUIFANG_{name}"] = str(free_port())
    return Installation(tmp_path, settings)


@pytest.fixture(scope="module")
def demo_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the demo company in it."""
    file = tmp_path_factory.mktemp("made") / "huifang.db"

    async def make() -> None:
        database = create_database(f"sqlite+aiosqlite:///{file}")
        await upgrade(database)
        await Roster(database, SystemClock(), Bus()).seed_codes()
        await seed_company(database, now=SystemClock().now())
        await database.dispose()

    asyncio.run(make())
    return file


@pytest.fixture
def installed(here: Installation, demo_database: Path) -> Installation:
    """An installation whose database is there, and whose prompts need not be spoken again."""
    here.data.mkdir()
    shutil.copyfile(demo_database, here.database)
    shared = runtime_folder() / "test-prompts"
    shared.mkdir(parents=True, exist_ok=True)
    (here.data / "prompts").mkdir()
    (here.data / "prompts" / "clips").symlink_to(shared, target_is_directory=True)
    return here


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens there."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def test_a_typo_in_the_environment(here: Installation) -> None:
    said = here.refuses_here("up", HUIFANG_WEB__PROT="1")
    assert "HUIFANG_WEB__PROT: no such setting; did you mean HUIFANG_WEB__PORT?" in said
    assert not here.data.exists()


MISTAKES = {
    b"[centre]\nhot_line = '1'\n": "centre.hot_line: no such setting; did you mean centre.hotline?",
    b"[ami]\nping_seconds = 'often'\n": "ami.ping_seconds: ",
    b"[web\n": "0.toml: not TOML: ",
    b"\xff\xfe\x00[web]": "0.toml: not TOML: ",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_file(here: Installation, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    file = here.folder / "0.toml"
    file.write_bytes(text)
    for name, value in {**here.settings, "HUIFANG_CONFIG": str(file), "COLUMNS": "300"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli, ["up"])
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1
    assert MISTAKES[text] in result.output
    assert not here.data.exists()


async def test_a_database_of_a_newer_version(installed: Installation) -> None:
    with closing(sqlite3.connect(installed.database)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = installed.database.read_bytes()
    commands = (("up",), ("serve",), ("db", "upgrade"))
    for said in await together(*(installed.refuses(*command) for command in commands)):
        assert "revision 9999" in said
        assert "newer Huifang" in said
    assert installed.database.read_bytes() == before


def test_a_database_that_was_not_upgraded(here: Installation) -> None:
    here.data.mkdir()
    assert "run «huifang db upgrade»" in here.refuses_here("serve")


async def test_a_database_file_that_is_none(here: Installation) -> None:
    here.data.mkdir()
    here.database.write_bytes(b"this is no database" * 1000)
    before = here.database.read_bytes()
    for said in await together(here.refuses("serve"), here.refuses("up")):
        assert "database" in said
    assert here.database.read_bytes() == before


@pytest.mark.parametrize(
    ("setting", "needs"),
    [("WEB__PORT", "pages"), ("AGI__PORT", "FastAGI")],
)
async def test_a_taken_port(installed: Installation, setting: str, needs: str) -> None:
    port = installed.settings[f"HUIFANG_{setting}"]
    with taken(int(port)):
        for said in await together(installed.refuses("serve"), installed.refuses("up")):
            assert port in said
            assert needs in said
            assert f"HUIFANG_{setting}=" in said


async def test_ports_that_are_0(here: Installation) -> None:
    pages, menus = await together(
        here.refuses("up", HUIFANG_WEB__PORT="0"), here.refuses("serve", HUIFANG_AGI__PORT="0")
    )
    assert "HUIFANG_WEB__PORT=0 is for «huifang serve»" in pages
    assert "agi.port" in menus


def test_a_data_folder_that_cannot_be(here: Installation) -> None:
    (here.folder / "data").write_text("a file is in the way")
    said = here.refuses_here("up")
    assert str(here.data) in said
    assert "HUIFANG_DATA_DIR" in said
    assert str(here.data) in here.refuses_here("db", "upgrade")
    assert (here.folder / "data").read_text() == "a file is in the way"


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"])
def test_secrets_that_cannot_be_read(installed: Installation, content: bytes) -> None:
    secrets = installed.data / "secrets.json"
    secrets.write_bytes(content)
    said = installed.refuses_here("serve", "--roles", "telephony")
    assert f"{secrets} cannot be read" in said
    assert "restore it or delete it" in said
    assert secrets.read_bytes() == content


async def test_a_second_start_in_the_same_folder(here: Installation) -> None:
    (here.data / "run").mkdir(parents=True)
    with (here.data / "run" / "up.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = await here.refuses("up", "--demo")
    assert "runs already" in said
    assert "4711" in said
    assert not here.database.exists()


BROKEN = {
    "broken.yaml": (b"flow: broken\nstart: nowhere\n", "nowhere"),
    "tabs.yaml": (b"flow:\t[\n", "tabs.yaml"),
    "bytes.yaml": (b"\xff\xfe", "not UTF-8"),
    "bomb.yaml": (b"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c]\n", "bomb.yaml"),
    "hotline.yaml": (b"flow: after-queue\n", "hotline.yaml"),
}


def test_a_broken_flow_leaves_the_old_one_in_force(installed: Installation) -> None:
    """A flow may have many mistakes: these are the only refusals of more than one line."""

    def publish(name: str, status: int) -> str:
        file = installed.folder / name
        result = CliRunner().invoke(cli, ["flow", "publish", str(file)], env={**installed.settings})
        assert result.exit_code == status, result.output
        return result.output

    shutil.copyfile(ROOT / "ivr" / "flows" / "hotline.yaml", installed.folder / "hotline.yaml")
    publish("hotline.yaml", 0)
    before = _flows(installed)
    assert len(before) == 1
    for name, (content, wanted) in BROKEN.items():
        (installed.folder / name).write_bytes(content)
        said = publish(name, 1)
        assert said.startswith("✗ "), said
        assert wanted in said
        assert "Traceback" not in said
    assert _flows(installed) == before


def _flows(installed: Installation) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(installed.database)) as database:
        versions = "SELECT v.* FROM ivr_flow_version v JOIN ivr_active_flow a ON a.version_id = v.id"
        return database.execute(versions).fetchall()


def test_a_flow_file_that_is_not_there(installed: Installation) -> None:
    assert "absent.yaml" in installed.refuses_here("flow", "publish", "absent.yaml")


def test_a_role_that_is_none(here: Installation) -> None:
    assert "telephony, ivr, web" in here.refuses_here("serve", "--roles", "web,kitchen")
