"""The doctor on real servers: what it says when all is well, and of each thing that is not."""

import asyncio
import os
import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import schema
from app.doctor import DoctorInputs, Finding, Level, ManagerLogin, PortUse, check_ports, run_checks
from app.doctor.calendar import check_calendar
from app.doctor.machine import check_data_dir
from app.doctor.pbx import check_manager
from app.doctor.services import check_database, check_prompts, check_redis
from app.runtime.redis_server import RedisServer
from crm.calendar_book import CalendarBook
from kernel.clock import FakeClock
from kernel.db import Database, create_database
from kernel.errors import ConfigurationError
from kernel.holidays import WorkCalendar
from tests.support.pbx import running_pbx
from tests.support.ports import free_port
from tests.support.postgres import create_test_database, drop_test_database
from tests.support.runtime import runtime_folder

pytestmark = pytest.mark.integration


def inputs(folder: Path, **changes: object) -> DoctorInputs:
    fields: dict[str, object] = {
        "data_dir": folder / "data",
        "runtime_dir": runtime_folder(),
        "database_url": f"sqlite+aiosqlite:///{folder / 'huifang.db'}",
        "redis_url": f"unix://{folder / 'redis.sock'}",
        "manager": ManagerLogin(host="127.0.0.1", port=free_port(), username="huifang", secret="x"),
        "agi": ("127.0.0.1", free_port()),
        # Far from the end of what the calendar knows.
        "clock": FakeClock(datetime(2026, 3, 2, tzinfo=UTC)),
        **changes,
    }
    return DoctorInputs(**fields)  # type: ignore[arg-type]


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.name: finding.level for finding in findings}


async def test_before_the_first_start_nothing_is_an_error(tmp_path: Path) -> None:
    found = levels(await run_checks(inputs(tmp_path)))

    assert Level.ERROR not in found.values()
    assert {found[name] for name in ("database", "Redis", "AMI", "FastAGI")} == {Level.WARNING}
    assert found["voice"] is Level.OK
    assert not (tmp_path / "data").exists()


async def test_a_running_asterisk_is_well(tmp_path: Path) -> None:
    async with running_pbx(tmp_path) as pbx:
        config = pbx.config
        login = ManagerLogin(
            host=config.ami_host, port=config.ami_port, username=config.ami_user, secret=config.ami_secret
        )
        given = inputs(tmp_path, manager=login)
        well = levels(list(await check_manager(given)))
        (refused,) = await check_manager(replace(given, manager=replace(login, secret="wrong")))
        lacking = await check_manager(replace(given, modules=("app_queue", "app_nonesuch")))
        (ours,) = await check_ports(
            replace(given, ports=(PortUse("AMI", "ami.port", config.ami_host, config.ami_port),))
        )

    names = ("AMI", "Asterisk version", "AMI permissions", "Asterisk modules")
    assert well == dict.fromkeys(names, Level.OK)
    assert refused.level is Level.ERROR
    assert "Authentication failed" in refused.message
    assert (lacking[-1].level, "app_nonesuch.so" in lacking[-1].message) == (Level.ERROR, True)
    assert ours.level is Level.OK
    assert "held by the centre itself (asterisk" in ours.message


async def test_a_port_taken_by_another_program_names_it_and_the_setting(tmp_path: Path) -> None:
    script = (
        "import socket, time\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "time.sleep(60)"
    )
    other = await asyncio.create_subprocess_exec("python3", "-c", script, stdout=asyncio.subprocess.PIPE)
    try:
        assert other.stdout is not None
        port = int(await other.stdout.readline())
        (finding,) = await check_ports(
            inputs(tmp_path, ports=(PortUse("web pages", "web.port", "127.0.0.1", port),))
        )
    finally:
        other.kill()
        await other.wait()

    assert finding.level is Level.ERROR
    assert f"taken by python3 (process {other.pid})" in finding.message
    assert "web.port (HUIFANG_WEB__PORT)" in finding.mend


async def test_an_address_of_another_machine_is_an_error(tmp_path: Path) -> None:
    (finding,) = await check_ports(
        inputs(tmp_path, ports=(PortUse("SIP", "pbx.sip_port", "192.0.2.1", 5060),))
    )

    assert finding.level is Level.ERROR
    assert "not an address of this machine" in finding.message


async def test_something_else_on_the_managers_port_is_told(tmp_path: Path) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        login = ManagerLogin(host="127.0.0.1", port=port, username="huifang", secret="x")
        (finding,) = await check_manager(inputs(tmp_path, manager=login))

    assert finding.level is Level.ERROR
    assert "is not Asterisk's manager interface" in finding.message


async def test_an_asterisk_elsewhere_that_is_down_is_an_error(tmp_path: Path) -> None:
    (finding,) = await check_manager(inputs(tmp_path, private_pbx=False))

    assert finding.level is Level.ERROR
    assert "does not answer" in finding.message


async def test_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    (well,) = await check_redis(inputs(tmp_path, redis_url=redis_server.url))
    (down,) = await check_redis(inputs(tmp_path, private_redis=False))
    (odd,) = await check_redis(inputs(tmp_path, redis_url="localhost:6379"))

    assert (well.level, down.level, odd.level) == (Level.OK, Level.ERROR, Level.ERROR)
    assert "does not answer" in down.message


def stamp_schema(file: Path, revision: str) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))")
        connection.execute("DELETE FROM alembic_version")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    connection.close()


async def test_the_databases_schema_is_empty_right_or_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "newest_revision", lambda: "0001")
    given = inputs(tmp_path)
    file = tmp_path / "huifang.db"
    file.touch()
    (empty,) = await check_database(given)
    stamp_schema(file, "from_2031")
    (newer,) = await check_database(given)

    assert (empty.level, newer.level) == (Level.WARNING, Level.ERROR)
    assert "huifang db upgrade" in empty.mend
    assert "from_2031" in newer.message
    assert "start that version" in newer.mend


async def test_a_sound_database_is_told_with_what_serves_it(database: Database, tmp_path: Path) -> None:
    sqlite = database.dialect_name == "sqlite"
    assert re.fullmatch(r"SQLite 3\.[\d.]+" if sqlite else r"PostgreSQL \d+\.\d+", await database.product())
    if sqlite:
        made = create_database(f"sqlite+aiosqlite:///{tmp_path / 'huifang.db'}")
        await schema.upgrade(made)
        await made.dispose()
        (found, *_) = await check_database(inputs(tmp_path))
        assert (found.level, await database.product() in found.message) == (Level.OK, True)


async def test_an_older_schema_asks_for_an_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def older(database: Database) -> None:
        raise ConfigurationError("the database must be upgraded first")

    monkeypatch.setattr(schema, "check", older)
    monkeypatch.setattr(schema, "newest_revision", lambda: "0009")
    stamp_schema(tmp_path / "huifang.db", "0008")

    (finding,) = await check_database(inputs(tmp_path))

    assert finding.level is Level.ERROR
    assert "at revision 0008, this version needs 0009" in finding.message
    assert "huifang db upgrade" in finding.mend


async def test_a_postgresql_that_is_not_there_hides_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://huifang:secret@127.0.0.1:{free_port()}/huifang"
    (finding,) = await check_database(inputs(tmp_path, database_url=url))
    (odd,) = await check_database(inputs(tmp_path, database_url="mysql://x/y"))

    assert (finding.level, odd.level) == (Level.ERROR, Level.ERROR)
    assert "does not answer" in finding.message
    assert "secret" not in finding.message


async def test_an_empty_postgresql_asks_for_an_upgrade(tmp_path: Path) -> None:
    url = await create_test_database()
    (finding,) = await check_database(inputs(tmp_path, database_url=url))
    await drop_test_database(url)

    assert finding.level is Level.WARNING
    assert "huifang db upgrade" in finding.mend


async def test_a_data_folder_that_cannot_be_made_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = await check_data_dir(inputs(tmp_path, data_dir=Path("/proc/huifang")))
    monkeypatch.setattr(os, "access", lambda *_: False)
    (forbidden,) = await check_data_dir(inputs(tmp_path, data_dir=tmp_path / "x"))

    assert forbidden.level is Level.ERROR
    assert folder.name == "data folder"


async def test_missing_prompts_are_counted(tmp_path: Path) -> None:
    async def missing() -> list[str]:
        return ["问候", "菜单", "下班", "谢谢"]

    (finding,) = await check_prompts(inputs(tmp_path, missing_prompts=missing))

    assert finding.level is Level.WARNING
    assert finding.message == "4 not made yet: 问候, 菜单, 下班 …"


async def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(tmp_path: Path) -> None:
    async def broken() -> list[str]:
        raise ValueError("flow without name")

    found = await run_checks(inputs(tmp_path, missing_prompts=broken))

    prompts = next(finding for finding in found if finding.name == "prompts")
    assert "flow without name" in prompts.message
    assert len(found) > 8


async def test_a_calendar_that_ends_soon_is_named_with_what_to_do(tmp_path: Path, database: Database) -> None:
    last = WorkCalendar().first_unknown(2026) - 1

    async def look(month: int, day: int, **changes: object) -> Finding:
        clock = FakeClock(datetime(last, month, day, 4, tzinfo=UTC))
        (found,) = await check_calendar(inputs(tmp_path, clock=clock, **changes))
        return found

    assert (await look(11, 2)).level is Level.OK
    soon, now = await look(11, 3), await look(12, 26)
    assert (soon.level, now.level) == (Level.WARNING, Level.ERROR)
    assert f"days off of {last + 1} are not known, and it begins in 59 days" in soon.message
    assert "huifang calendar load FILE" in soon.mend
    async with database.transaction() as session:
        await CalendarBook(FakeClock(datetime(last, 11, 20, tzinfo=UTC))).load_year(session, last + 1, [])
    url = database.engine.url.render_as_string(hide_password=False)
    loaded = await look(12, 26, database_url=url)
    assert (loaded.level, loaded.message) == (Level.OK, f"days off are known until the end of {last + 1}")
    year_gone = FakeClock(datetime(last + 1, 1, 5, tzinfo=UTC))
    (gone,) = await check_calendar(inputs(tmp_path, clock=year_gone))
    assert gone.level is Level.ERROR
