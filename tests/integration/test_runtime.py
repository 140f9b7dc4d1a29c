"""The private runtime for real: its programs run, live as long as they should, and die when they must."""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from app.runtime import ProcessFailed, Runtime, RuntimeSetupError, host, packages
from app.runtime.asterisk import AsteriskServer
from app.runtime.command import run
from app.runtime.espeak import reads_chinese
from app.runtime.process import Backoff, ManagedProcess, ProcessEnded, ProcessSpec
from app.runtime.redis_server import RedisServer, redis_answers
from app.runtime.tool import ALL_TOOLS, MINIMUM, Tool, ToolName
from app.runtime.tree import STAMP
from tests.support.ports import free_port
from tests.support.postgres import create_test_database, drop_test_database
from tests.support.runtime import ROOT, runtime
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

__all__ = ["runtime"]

QUICK = Backoff(first=timedelta(milliseconds=20), most=timedelta(milliseconds=100))


def python(folder: Path, script: str, **changes: object) -> ProcessSpec:
    """A program that is ready once it has written the file ``ready`` (with its process id)."""

    async def ready() -> bool:
        return (folder / "ready").exists() and (folder / "ready").read_text() != ""

    command = [sys.executable, "-u", "-c", f"import os, signal, sys, time\n{script}"]
    fields: dict[str, object] = {
        "name": "program",
        "command": command,
        "folder": folder,
        "log_file": folder / "log" / "program.log",
        "ready": ready,
        "ready_within": timedelta(seconds=10),
        **changes,
    }
    return ProcessSpec(**fields)  # type: ignore[arg-type]


READY = "open('ready', 'w').write(str(os.getpid()))\n"
FOREVER = f"{READY}\nprint('你好')\nwhile True: time.sleep(60)"


def alive(pid: int) -> bool:
    """Whether the process runs (one that is dead and not yet collected does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


# ── find or unpack ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ALL_TOOLS)
def test_every_program_runs_and_is_new_enough(runtime: Runtime, name: ToolName) -> None:
    tool = runtime.tools[name]

    assert host.version_of(name, tool.command(), tool.env()) == tool.version
    assert tool.version_numbers >= MINIMUM[name]


def test_asterisk_brings_its_modules_and_documentation(runtime: Runtime) -> None:
    files = runtime.asterisk_files

    assert (files.modules / "res_pjsip.so").is_file()
    assert (files.data / "documentation" / "core-en_US.xml").is_file()
    assert files.sounds.is_dir()


async def test_espeak_reads_chinese_characters(runtime: Runtime) -> None:
    assert runtime.espeak_reads_chinese
    assert await reads_chinese(runtime.espeak)


async def test_a_complete_tree_is_used_again_and_a_half_one_never(tmp_path: Path) -> None:
    whole, torn = tmp_path / "tree-001", tmp_path / "tree-002"
    whole.mkdir()
    torn.mkdir()
    versions = dict.fromkeys(ALL_TOOLS, "22.1")
    stamp = {"format": 1, "architecture": "amd64", "suite": "forky", "versions": versions}
    (whole / STAMP).write_text(json.dumps(stamp))
    (tmp_path / "unfinished-x").mkdir()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "find_tool", lambda name: None)
        found = await Runtime.ensure(tmp_path, need={"redis", "sipp"})

    assert found.tree == whole
    assert set(found.tools) == {"redis", "sipp"}
    assert found.redis.command()[-1] == str(whole / "usr/bin/redis-server")
    with pytest.raises(RuntimeSetupError, match="was not asked for"):
        _ = found.asterisk


async def test_too_small_a_disk_is_said_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "find_tool", lambda name: None)
    monkeypatch.setattr(packages, "NEEDED_BYTES", 1 << 60)

    with pytest.raises(RuntimeSetupError, match="free some space and start again"):
        await Runtime.ensure(tmp_path / ".runtime", need={"asterisk"})


async def test_a_machine_without_apt_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "find_tool", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RuntimeSetupError, match="apt-get is not on this machine"):
        await Runtime.ensure(tmp_path / ".runtime", need={"asterisk"})
    assert [path.name for path in (tmp_path / ".runtime").iterdir()] == ["lock"]


async def test_a_mirror_that_cannot_be_reached_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "find_tool", lambda name: None)
    dead = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "apt.conf").write_text(f'Acquire::http::Proxy "{dead}";\nAcquire::https::Proxy "{dead}";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))

    with pytest.raises(RuntimeSetupError, match="no network"):
        await Runtime.ensure(tmp_path / ".runtime", need={"asterisk"})
    assert [path.name for path in (tmp_path / ".runtime").iterdir()] == ["lock"]


def fake_program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    (folder / name).chmod(0o755)


def test_the_host_is_taken_only_where_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "search_path", lambda: str(tmp_path))
    assert host.find_tool("redis") is None

    fake_program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0")
    fake_program(tmp_path, "espeak-ng", "eSpeak NG text-to-speech: 1.51  Data at: /usr")
    fake_program(tmp_path, "asterisk", "Asterisk 20.6.0")

    assert host.find_tool("redis") == Tool(name="redis", program=tmp_path / "redis-server", version="7.0.15")
    assert host.find_tool("espeak") is None  # speaks Chinese as garbage
    monkeypatch.setattr(host, "asterisk_modules_dir", lambda: None)
    assert host.find_tool("asterisk") is None  # without the modules that we need


# ── supervision ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_program_that_falls_is_started_again_and_reported(tmp_path: Path) -> None:
    alerts: list[ProcessEnded] = []
    program = ManagedProcess(python(tmp_path, FOREVER), alert=alerts.append, backoff=QUICK)

    async with program.running():
        first = program.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: program.restarts == 1 and program.pid not in (None, first))

    assert [(alert.status, alert.failures) for alert in alerts] == [(-signal.SIGKILL, 1)]
    assert "你好" in alerts[0].output
    assert program.pid is None


async def test_a_program_that_ends_at_once_is_an_error_with_its_words(tmp_path: Path) -> None:
    program = ManagedProcess(python(tmp_path, "sys.exit('端口 5060 已被占用')"))

    with pytest.raises(ProcessFailed, match=r"ended at its start with status 1: 端口 5060 已被占用"):
        await program.start()


async def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    program = ManagedProcess(python(tmp_path, "", command=["/nonexistent/asterisk"]))

    with pytest.raises(ProcessFailed, match="No such file"):
        await program.start()


async def test_a_program_that_never_gets_ready_is_killed(tmp_path: Path) -> None:
    script = "open('pid', 'w').write(str(os.getpid()))\nprint('starting')\ntime.sleep(600)"
    program = ManagedProcess(python(tmp_path, script, ready_within=timedelta(seconds=0.8)))

    with pytest.raises(ProcessFailed, match=r"not ready within 0\.8 seconds"):
        await program.start()

    assert program.pid is None
    if (tmp_path / "pid").exists():
        assert not alive(int((tmp_path / "pid").read_text()))


async def test_a_program_that_will_not_end_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runtime.process.TERMINATE_SECONDS", 0.2)
    script = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: open('child', 'w').write(str(child)); " + READY + "while True: time.sleep(60)"
    )

    async def no_answer() -> None:
        raise ProcessFailed("the console does not answer")

    program = ManagedProcess(python(tmp_path, script, stop=no_answer))
    await program.start()
    pid, child = program.pid, int((tmp_path / "child").read_text())
    assert pid is not None

    await program.stop()

    assert not alive(pid)
    await eventually(lambda: not alive(child))


async def test_a_polite_end_is_asked_for_first(tmp_path: Path) -> None:
    script = f"{READY}\nwhile not os.path.exists('please'): time.sleep(0.01)\nopen('bye', 'w')"

    async def please() -> None:
        (tmp_path / "please").touch()

    program = ManagedProcess(python(tmp_path, script, stop=please))
    async with program.running():
        pass

    assert (tmp_path / "bye").exists()
    assert program.restarts == 0


async def test_the_log_file_stays_within_its_limit(tmp_path: Path) -> None:
    spec = python(tmp_path, FOREVER, log_limit_bytes=1000)
    spec.log_file.parent.mkdir()
    spec.log_file.write_text("old line\n" * 1000)

    program = ManagedProcess(spec)
    async with program.running():
        await eventually(lambda: program.output() == "你好")

    assert spec.log_file.with_name("program.log.1").stat().st_size == 9000


async def test_no_program_outlives_a_killed_service(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from app.runtime.command import run
from app.runtime.espeak import reads_chinese
from app.runtime.process import ManagedProcess
from tests.integration.test_runtime import FOREVER, python
async def main():
    program = ManagedProcess(python(Path({str(tmp_path)!r}), FOREVER))
    await program.start()
    print(program.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    async with asyncio.timeout(20):
        line = ""
        while not line.strip().isdigit():  # log lines come first
            line = (await service.stdout.readline()).decode()
            assert line, "the service ended by itself"
    program = int(line)
    assert alive(program)

    service.kill()
    await service.wait()

    await eventually(lambda: not alive(program))


async def test_a_command_past_its_deadline_is_killed_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path / 'child'}; wait"

    with pytest.raises(TimeoutError):
        await run(["sh", "-c", script], deadline_seconds=0.5)

    child = int((tmp_path / "child").read_text())
    await eventually(lambda: not alive(child))


# ── the servers ─────────────────────────────────────────────────────────────────────────────────────────


async def test_redis_answers_on_its_socket_and_comes_back(runtime: Runtime, tmp_path: Path) -> None:
    server = RedisServer(runtime.redis, tmp_path / "redis", backoff=QUICK)

    async with server.running():
        assert await redis_answers(server.socket)
        assert server.socket.stat().st_mode & 0o077 == 0
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await eventually(lambda: server.restarts == 1)
        assert await redis_answers(server.socket)

    assert not server.socket.exists()


def minimal_asterisk(folder: Path, runtime: Runtime, port: int) -> Path:
    """Write the least configuration that an Asterisk with AMI starts with."""
    files = runtime.asterisk_files
    etc = folder / "etc"
    for name in ("etc", "lib", "db", "keys", "agi", "spool", "run", "log", "cache"):
        (folder / name).mkdir(parents=True)
    texts = {
        "asterisk.conf": (
            f"[directories]\nastetcdir => {etc}\nastmoddir => {files.modules}\nastdatadir => {files.data}\n"
            f"astvarlibdir => {folder}/lib\nastdbdir => {folder}/db\nastkeydir => {folder}/keys\n"
            f"astagidir => {folder}/agi\nastspooldir => {folder}/spool\nastrundir => {folder}/run\n"
            f"astlogdir => {folder}/log\nastsbindir => {files.sbin}\nastcachedir => {folder}/cache\n"
        ),
        "modules.conf": "[modules]\nautoload=no\nload=res_timing_timerfd.so\n",
        "logger.conf": "[general]\n[logfiles]\nconsole => error,warning\n",
        "manager.conf": f"[general]\nenabled=yes\nport={port}\nbindaddr=127.0.0.1\n",
    }
    for name, text in texts.items():
        (etc / name).write_text(text, "utf-8")
    return etc / "asterisk.conf"


async def test_asterisk_boots_answers_comes_back_and_stops(runtime: Runtime, tmp_path: Path) -> None:
    port = free_port()
    conf = minimal_asterisk(tmp_path / "a", runtime, port)
    manager = ("127.0.0.1", port)
    server = AsteriskServer(runtime.asterisk, conf, manager=manager, folder=tmp_path, backoff=QUICK)

    async with server.running():
        assert runtime.asterisk.version in await server.cli("core show version")
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: server.restarts == 1, timeout=20)
        assert "Uptime" in (await server.cli("core show uptime")).replace("uptime", "Uptime")

    assert not alive(first)
    with pytest.raises(ProcessFailed):
        await server.cli("core show version")


async def test_asterisk_without_its_manager_port_is_an_error(runtime: Runtime, tmp_path: Path) -> None:
    port = free_port()
    conf = minimal_asterisk(tmp_path / "a", runtime, port)

    async def nobody_speaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    taken = await asyncio.start_server(nobody_speaks, "127.0.0.1", port)
    async with taken:
        server = AsteriskServer(
            runtime.asterisk,
            conf,
            manager=("127.0.0.1", port),
            folder=tmp_path,
            ready_within=timedelta(seconds=2),
        )
        with pytest.raises(ProcessFailed, match="not ready within 2 seconds"):
            await server.start()
    assert server.pid is None


async def test_each_test_database_is_a_copy_of_its_template() -> None:
    async def prepare(url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as connection:
            await connection.execute("CREATE TABLE customer (name text)")

    async def count(url: str) -> int:
        async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as connection:
            row = await (await connection.execute("SELECT count(*) FROM customer")).fetchone()
            await connection.execute("INSERT INTO customer VALUES ('王先生')")
            return int(row[0]) if row else -1

    first = await create_test_database(template="runtime", prepare=prepare)
    second = await create_test_database(template="runtime", prepare=prepare)

    assert (await count(first), await count(second)) == (0, 0)
    await drop_test_database(first)
    await drop_test_database(second)
