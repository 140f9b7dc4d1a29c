"""A private PostgreSQL for tests: on a unix socket in a folder of its own, gone with the process.

One server for each test process, started by the first test that needs it; databases are cloned from a
template, or emptied and used again. The binaries are the host's (Debian's package ``postgresql``).
"""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from app.runtime.command import tied_front
from kernel.ids import new_ulid

START_DEADLINE_SECONDS = 30
STOP_DEADLINE_SECONDS = 15
# The data is thrown away, so nothing waits for the disk.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "log_min_messages": "warning",
}
_templates: dict[str, str] = {}
OTHERS_OUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Tables that never had a row have no page. Triggers that keep rows for ever are asleep meanwhile; many rows
# are truncated, because nothing vacuums here.
DELETE_ALL = """
DO $$
DECLARE found regclass;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR found IN
    SELECT oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
  LOOP
    IF pg_relation_size(found) > 262144 THEN
      EXECUTE format('TRUNCATE %s CASCADE', found);
    ELSE
      EXECUTE format('DELETE FROM %s', found);
    END IF;
  END LOOP;
END $$
"""
SHAPE = """
SELECT md5(
  coalesce((SELECT string_agg(format('%s %s %s', oid, relname, relnatts), ',' ORDER BY oid)
            FROM pg_class WHERE relnamespace = 'public'::regnamespace), '')
  || coalesce((SELECT string_agg(format('%s %s', oid, tgenabled), ',' ORDER BY oid) FROM pg_trigger), '')
)
"""


def binary(name: str) -> str:
    """Return the path of a PostgreSQL server program, of the newest version that is installed.

    Raises:
        RuntimeError: none is installed.
    """
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)
    path = os.pathsep.join([*map(str, newest), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise RuntimeError(f"{name} is not installed: apt-get install postgresql")
    return found


def unprivileged_user() -> tuple[int, int] | None:
    """Return user and group id for a server that refuses to run as root; None for an ordinary user."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    raise RuntimeError("there is no user postgres or nobody to run PostgreSQL as")


@dataclass(slots=True)
class PostgresServer:
    """A server and its folder; ``stop`` ends it and deletes all it had."""

    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, database: str) -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.folder), safe='/')}"

    def conninfo(self, database: str = "postgres") -> str:
        """Return psycopg's own address of a database."""
        return f"host={self.folder} user=postgres dbname={database}"

    def start(self) -> None:
        """Start the server on its data, the first time or after `halt`; returns when it answers.

        Raises:
            RuntimeError: it did not start.
        """
        options = {**OPTIONS, "unix_socket_directories": str(self.folder)}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = (*tied_front(run_as=unprivileged_user()), binary("postgres"), "-D", self.folder / "data")
        with (self.folder / "server.log").open("ab") as output:
            process = self.process = subprocess.Popen(
                [str(part) for part in (*command, *settings)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while True:
            try:
                psycopg.connect(self.conninfo()).close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "server.log").read_text("utf-8", "replace")[-500:]
                    self.stop()
                    raise RuntimeError(f"PostgreSQL did not start: {said}") from None
                time.sleep(0.02)

    def halt(self) -> None:
        """End the server, disconnecting whoever is connected; what it stored stays."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self) -> None:
        """End the server and delete its folder."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_postgres() -> PostgresServer:
    """Make an empty cluster and start a server on it; takes about two seconds.

    Raises:
        RuntimeError: PostgreSQL is not installed or did not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="huifang-pg-"))
    user = unprivileged_user()
    if user is not None:
        os.chown(folder, *user)
    data = folder / "data"
    initdb = [binary("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    made = subprocess.run(
        [str(part) for part in (*tied_front(run_as=user), *initdb, "--locale=C.UTF-8", "--no-instructions")],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise RuntimeError(f"initdb failed: {made.stderr.decode('utf-8', 'replace').strip()}")
    server = PostgresServer(folder)
    server.start()
    return server


@cache
def shared_postgres() -> PostgresServer:
    """Return this process' server, started the first time."""
    server = start_postgres()
    atexit.register(server.stop)
    return server


async def create_test_database(
    *, template: str = "", prepare: Callable[[str], Awaitable[None]] | None = None
) -> str:
    """Make a database and return its SQLAlchemy address.

    Args:
        template: a name for what ``prepare`` makes, for example ``"schema"``; "" makes an empty database.
        prepare: fills the template, given its address. It runs once in a process; each later database is a
            copy, in some tenths of a second. It must leave no connection open.
    """
    server = shared_postgres()
    source = "template0"
    if template:
        if template not in _templates:
            assert prepare is not None, f"nothing says how to make the template {template!r}"
            made = await _create(server, "template0")
            await prepare(server.url(made))
            _templates[template] = made
        source = _templates[template]
    return server.url(await _create(server, source))


async def drop_test_database(url: str) -> None:
    """Drop a database made by ``create_test_database``, even if somebody is still connected."""
    await _execute(shared_postgres(), "DROP DATABASE IF EXISTS {} WITH (FORCE)", _name(url))


def shape(url: str) -> str:
    """Return a mark of a database's tables, columns, indexes and triggers: another one after any change."""
    with psycopg.connect(shared_postgres().conninfo(_name(url)), autocommit=True) as connection:
        found = connection.execute(SHAPE).fetchone()
    assert found is not None
    return str(found[0])


def empty_again(url: str) -> str:
    """Delete every row, and end whoever is still connected; return the ``shape``.

    Takes a tenth of the time of a new copy of the template.
    """
    with psycopg.connect(shared_postgres().conninfo(_name(url)), autocommit=True) as connection:
        connection.execute(OTHERS_OUT)
        connection.execute(DELETE_ALL)
        found = connection.execute(SHAPE).fetchone()
    assert found is not None
    return str(found[0])


def _name(url: str) -> str:
    return url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


async def _create(server: PostgresServer, source: str) -> str:
    name = f"test_{new_ulid().lower()}"
    await _execute(server, "CREATE DATABASE {} TEMPLATE {}", name, source)
    return name


async def _execute(server: PostgresServer, statement: str, *names: str) -> None:
    connection = await psycopg.AsyncConnection.connect(server.conninfo(), autocommit=True)
    async with connection:
        query = sql.SQL(statement)
        await connection.execute(query.format(*(sql.Identifier(name) for name in names)))
