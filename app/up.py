"""``huifang up``: the whole centre on one machine, from nothing to a ringing phone."""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import aiohttp
from rich.markup import escape

from app import pbx
from app.console import console, done, step
from app.demo import company
from app.demo.articles import seed_articles
from app.demo.campaigns import fill_campaigns
from app.demo.customers import DemoCustomers
from app.demo.month import fill_month
from app.demo.people import OFFICE
from app.demo.phones import DemoPhones
from app.demo.seed import demo_users, is_empty, seed_company
from app.main import run_until, stop_signals
from app.ports import LOCK, check_free, port_uses
from app.runtime import Runtime
from app.runtime.asterisk import AsteriskServer
from app.runtime.errors import ProcessFailed, RuntimeSetupError
from app.runtime.espeak import find_espeak
from app.runtime.process import ManagedProcess, ProcessEnded, ProcessSpec
from app.runtime.redis_server import RedisServer
from app.runtime.tool import ToolName
from app.secrets_file import write_private
from app.settings import Settings
from app.store import complete
from app.voice import MEND
from app.web_settings import web_settings
from kernel.clock import SystemClock
from kernel.db import Database, create_database
from kernel.errors import ConfigurationError
from kernel.logs import configure_logs
from telephony.asterisk.model import AgentEndpoint, AsteriskPaths, PbxConfig
from telephony.asterisk.render import prepare
from web.auth import Accounts, build_accounts
from web.permissions import Role as UserRole
from web.pins import is_easy

FREE_BYTES = 200 << 20
LOGINS = "demo-logins.json"
PIN = " PIN"
"""Behind a login in that file: what they sign with."""
NO_VOICE = "no voice speaks the menus, callers hear a chime and go to the default queue"
OWN_PHONES = "register your own as an agent: .venv/bin/huifang agent phone 1001 says how"
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"


async def run_up(settings: Settings, *, phones_answer: timedelta | None = None) -> None:
    """Set everything up that is missing, start it, and run until Ctrl-C; every child ends with us.

    Args:
        phones_answer: play the demo agents' telephones, which answer after this long.

    Raises:
        HuifangError: what cannot start, in one line that says what to do.
    """
    async with stop_signals() as stop:
        ended_itself = await run_until(stop, _up(settings, phones_answer))
    if not ended_itself:
        done("stopped")


async def _up(settings: Settings, phones_answer: timedelta | None) -> None:
    _prepare_folder(settings)
    log_file = (settings.data_dir / "log" / "up.log").open("a", encoding="utf-8", buffering=1)
    with log_file, _only_one(settings):
        configure_logs(level=settings.log_level, json=settings.log_json, stream=log_file)
        async with contextlib.AsyncExitStack() as stack:
            check_free(port_uses(settings))
            runtime = await _programs(settings)
            if not settings.redis_url:
                redis = RedisServer(runtime.redis, settings.data_dir / "run", alert=_tell_end)
                await stack.enter_async_context(redis.running())
                settings = settings.model_copy(update={"redis_url": redis.url})
                done("Redis")
            passwords = await _data(settings)
            asterisk, config = await _asterisk(settings, runtime)
            with step("Asterisk") as current:
                await stack.enter_async_context(asterisk.running())
                current.result = f"Asterisk {runtime.asterisk.version}"
            with step("service, menus and prompts"):
                await stack.enter_async_context(_service(settings).running())
            phones = await _phones(stack, settings, runtime, asterisk, config.agents, phones_answer)
            _welcome(settings, passwords, phones, await _customers(stack, settings, runtime, config))
            await asyncio.Event().wait()


def _service(settings: Settings) -> ManagedProcess:
    """Return the service as a child: when it falls, calls stay up in Asterisk and it comes back."""
    folder = Path.cwd()
    changed = {
        "HUIFANG_DATA_DIR": str(settings.data_dir),
        "HUIFANG_RUNTIME_DIR": str(settings.runtime_dir),
        "HUIFANG_REDIS_URL": settings.redis_address,
        "PYTHONUNBUFFERED": "1",
    }
    if settings.demo and "test_phone" not in settings.pbx.model_fields_set:
        changed["HUIFANG_PBX__TEST_PHONE"] = "true"
    if settings.demo and "always_open" not in settings.centre.model_fields_set:
        # Whoever tries the product at night wants to reach a person too.
        changed["HUIFANG_CENTRE__ALWAYS_OPEN"] = "true"
    return ManagedProcess(
        ProcessSpec(
            name="service",
            command=(sys.executable, "-m", "app.cli", "serve"),
            folder=folder,
            log_file=settings.data_dir / "log" / "huifang.log",
            ready=lambda: _ready(settings),
            env=changed,
            ready_within=timedelta(seconds=120),
            stop_within=timedelta(seconds=15),
            death_signal=signal.SIGTERM,
        ),
        alert=_tell_end,
    )


async def _ready(settings: Settings) -> bool:
    """Whether the service answers that it is ready."""
    url = f"http://{_reachable(settings.web.host)}:{settings.web.port}/readyz"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        try:
            async with session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not bound


def _prepare_folder(settings: Settings) -> None:
    try:
        for folder in (settings.data_dir, settings.data_dir / "log", settings.data_dir / "run"):
            folder.mkdir(parents=True, exist_ok=True)
        settings.data_dir.chmod(0o700)
        free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        raise ConfigurationError(
            f"{settings.data_dir} cannot be used ({error.strerror}): choose another with HUIFANG_DATA_DIR=…"
        ) from error
    if free < FREE_BYTES:
        raise ConfigurationError(
            f"only {free >> 20} MB are free in {settings.data_dir}: make room for {FREE_BYTES >> 20} MB, or "
            "choose another folder with HUIFANG_DATA_DIR=…"
        )


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    path = settings.data_dir / "run" / LOCK
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise ConfigurationError(
                f"the centre runs already in {settings.data_dir} (pid {file.read().strip() or 'unknown'}): "
                "stop it with Ctrl-C there, or choose another folder with HUIFANG_DATA_DIR=…"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


async def _programs(settings: Settings) -> Runtime:
    need: set[ToolName] = {"asterisk"}
    if not settings.redis_url:
        need.add("redis")
    wanted: set[ToolName] = {*need, "sipp"}
    if not settings.voice.espeak:
        wanted.add("espeak")
    with step("programs") as current:
        try:
            runtime = await Runtime.ensure(settings.runtime_dir, need=wanted, progress=current.show)
        except RuntimeSetupError as error:
            runtime = await Runtime.present(settings.runtime_dir)
            if not need <= runtime.tools.keys():
                raise
            lacking = " and ".join(sorted(wanted - runtime.tools.keys()))
            console.print(f"[yellow]![/] without {lacking}: {escape(error.message)}", soft_wrap=True)
        current.result = "programs: " + ", ".join(
            f"{tool.name} {tool.version}" for tool in runtime.tools.values()
        )
    if await find_espeak(settings.voice.espeak, settings.runtime_dir) is None:
        console.print(f"[yellow]![/] {NO_VOICE}: {escape(MEND)}", soft_wrap=True)
    return runtime


def _tell_end(ended: ProcessEnded) -> None:
    console.print(f"[yellow]![/] {ended.name} ended ({ended.status}); starting it again", soft_wrap=True)


async def _data(settings: Settings) -> dict[str, str]:
    """Bring the database up to date and fill it where it is empty; return the demo's passwords."""
    database = create_database(settings.sql_url, alone=True)
    try:
        with step("database") as current:
            await complete(database)
            clock = SystemClock()
            fresh = settings.demo and await is_empty(database)
            if fresh:
                await seed_company(database, now=clock.now())
                await seed_articles(database, clock, zone=settings.zone)
            passwords = await _users(settings, database) if settings.demo else {}
            if fresh:
                await fill_month(
                    database,
                    web_settings(settings),
                    until=clock.now(),
                    progress=lambda done, total: current.show("a month of the demo company", done, total),
                )
                await fill_campaigns(database, web_settings(settings), until=clock.now())
            current.result = f"database ({database.dialect_name})"
    finally:
        await database.dispose()
    return passwords


async def _users(settings: Settings, database: Database) -> dict[str, str]:
    """Create the demo's users that are missing; their passwords are made once and kept in a private file."""
    path = settings.data_dir / LOGINS
    people = await demo_users(database)
    passwords: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    missing = {person.login: _password() for person in people if person.login not in passwords}
    if missing:
        passwords |= missing
        write_private(path, json.dumps(passwords, indent=1))
    accounts = build_accounts(database, SystemClock())
    users = accounts.users
    known = {user.login for user in await users.list()}
    for person in people:
        if person.login not in known:
            await users.create(
                login=person.login,
                password=passwords[person.login],
                role=UserRole(person.role),
                display_name=person.name,
                agent_id=person.agent_id,
                department=person.department,
            )
    await _pins(accounts, path, passwords, {person.login for person in people if person.signs})
    return passwords


async def _pins(accounts: Accounts, path: Path, logins: dict[str, str], signers: set[str]) -> None:
    """Give a PIN to whoever signs for hand-offs and has none; it stands in the file beside the password."""
    for user in await accounts.users.list():
        if user.login not in signers or await accounts.pins.is_set(user.user_id):
            continue
        pin = _pin()
        await accounts.pins.put(user.user_id, user.login, pin)
        logins[f"{user.login}{PIN}"] = pin
        write_private(path, json.dumps(logins, indent=1))


def _pin() -> str:
    while is_easy(pin := f"{secrets.randbelow(10**6):06}"):
        pass
    return pin


def _password() -> str:
    return "".join(secrets.choice(READABLE) for _ in range(12))


async def _asterisk(settings: Settings, runtime: Runtime) -> tuple[AsteriskServer, PbxConfig]:
    files = runtime.asterisk_files
    root = pbx.asterisk_root(settings)
    paths = AsteriskPaths.under(root, modules=files.modules, data=files.data, sbin=files.sbin)
    database = create_database(settings.sql_url)
    try:
        config = await pbx.build_pbx_config(settings, database, paths)
    finally:
        await database.dispose()
    prepare(config)
    server = AsteriskServer(
        runtime.asterisk,
        paths.config / "asterisk.conf",
        manager=(settings.ami.host, settings.ami.port),
        folder=root,
        alert=_tell_end,
    )
    return server, config


async def _phones(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    runtime: Runtime,
    asterisk: AsteriskServer,
    agents: Sequence[AgentEndpoint],
    answer: timedelta | None,
) -> str:
    """Play the demo agents' telephones if wanted; return what the welcome says of telephones."""
    numbers = {agent.number for agent in company.AGENTS}
    played = [agent for agent in agents if agent.number in numbers and not agent.webrtc]
    if answer is None or not played or "sipp" not in runtime.tools:
        return OWN_PHONES
    phones = DemoPhones(
        runtime.sipp,
        asterisk,
        pbx=(_reachable(settings.pbx.sip_host), settings.pbx.sip_port),
        agents=played,
        folder=settings.data_dir / "run" / "phones",
        log_file=settings.data_dir / "log" / "phones.log",
        ring=answer,
        alert=_tell_end,
    )
    try:
        with step("demo phones"):
            await stack.enter_async_context(phones.running())
    except ProcessFailed as error:
        # the centre works without them
        console.print(f"[yellow]![/] {escape(error.message)}", soft_wrap=True)
        return f"the demo phones did not start; {OWN_PHONES}"
    return (
        f"demo phones answer after {answer.total_seconds():g} s; to use your own: make run ARGS=--no-phones"
    )


async def _customers(
    stack: contextlib.AsyncExitStack, settings: Settings, runtime: Runtime, config: PbxConfig
) -> str:
    """Play the demo's customers where the trunk leads to this machine; return what the welcome says."""
    if not settings.demo or "sipp" not in runtime.tools:
        return ""
    trunk = config.trunks[0]
    customers = DemoCustomers(
        runtime.sipp.command(),
        pbx=(_reachable(settings.pbx.sip_host), settings.pbx.sip_port),
        trunk=trunk,
        folder=settings.data_dir / "run" / "customers",
    )
    if not customers.possible:
        return "not played: the trunk leads elsewhere, or its port is taken"
    await stack.enter_async_context(customers.running())
    return "played: they answer calls to them, and a machine's questions with 1"


def _welcome(settings: Settings, passwords: dict[str, str], phones: str, customers: str) -> None:
    console.print()
    console.print(f"[bold]Huifang 回访[/]  {escape(settings.centre.company)}")
    console.print(f"  pages    http://{_reachable(settings.web.host)}:{settings.web.port}/", soft_wrap=True)
    console.print(
        f"  hotline  {settings.centre.hotline}   (make call in another terminal, or /test-phone in a browser)"
    )
    if passwords:
        console.print("  logins")
        people = [(agent.login, f"agent {agent.number} {agent.name}") for agent in company.AGENTS]
        people += [(company.SUPERVISOR[0], f"supervisor {company.SUPERVISOR[1]}")]
        people += [
            (
                user.login,
                " ".join(filter(None, (user.role.value.replace("_", " "), user.department, user.name))),
            )
            for user in OFFICE
        ]
        people += [(company.ADMINISTRATOR[0], f"administrator {company.ADMINISTRATOR[1]}")]
        for login, who in people:
            pin = passwords.get(login + PIN)
            signs = f", {login}{PIN} {pin}" if pin else ""
            console.print(
                f"    {login:<10} {passwords.get(login, '(changed)'):<16} {who}{signs}",
                markup=False,
                soft_wrap=True,
            )
    console.print(f"  phones   {phones}", soft_wrap=True)
    if customers:
        console.print(f"  customers {customers}", soft_wrap=True)
    console.print(f"  log      {settings.data_dir / 'log' / 'huifang.log'}", soft_wrap=True)
    console.print("  Ctrl-C stops everything.")
