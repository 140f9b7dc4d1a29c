"""The whole centre for a test: Asterisk, Redis, database, demo company, service, on free ports.

``async with running_centre(tmp_path) as centre`` gives what ``huifang up`` gives, in this process.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import pbx as pbx_settings
from app.container import ALL_ROLES, Centre, Role, open_centre
from app.demo import company
from app.demo.seed import demo_users, seed_company
from app.runtime import Runtime
from app.runtime.asterisk import AsteriskServer
from app.runtime.redis_server import RedisServer
from app.runtime.tool import ALL_TOOLS
from app.schema import upgrade
from app.settings import Settings, load_settings
from app.survey_part import survey_prompts
from kernel.bus import Bus
from kernel.clock import Clock, SystemClock
from kernel.db import Database, create_database
from telephony.asterisk.model import AsteriskPaths
from telephony.asterisk.render import prepare
from telephony.roster import Roster
from tests.support.pbx import NETWORK_HOST, Pbx
from tests.support.ports import free_port, free_ports
from tests.support.runtime import runtime_folder
from web.auth import build_accounts
from web.permissions import Role as UserRole

PASSWORD = "demo-password-回访"
AGENT_NUMBERS = {agent.name: agent.number for agent in company.AGENTS}
LOGINS = {agent.number: agent.login for agent in company.AGENTS}


@dataclass(slots=True, kw_only=True)
class RunningCentre:
    """A centre that takes calls. ``service`` is replaced by :meth:`restart_service`."""

    settings: Settings
    pbx: Pbx
    redis: RedisServer
    database: Database
    service: Centre
    clock: Clock
    _services: contextlib.AsyncExitStack

    @property
    def url(self) -> str:
        """Address of the pages."""
        return f"http://127.0.0.1:{self.service.web_port}"

    async def stop_service(self) -> None:
        """End the service; Asterisk and Redis go on."""
        await self._services.aclose()

    async def restart_service(self, roles: frozenset[Role] = ALL_ROLES) -> Centre:
        """End the service and start it again over the same data."""
        await self.stop_service()
        self.service = await self._services.enter_async_context(
            open_centre(self.settings, roles, espeak=self.pbx.runtime.espeak, clock=self.clock)
        )
        await self.service.wait_live()
        return self.service

    async def agent_id(self, number: str) -> str:
        """Return the id of an agent of the demo company."""
        agents = await Roster(self.database, SystemClock(), Bus()).agents()
        return next(agent.agent_id for agent in agents if agent.number == number)


def centre_settings(folder: Path, **changes: Any) -> Settings:
    """Return settings of a centre on free ports under ``folder``; sections may be changed by dicts."""
    rtp = free_ports(100)
    sections: dict[str, Any] = {
        "data_dir": folder / "d",  # a socket's path is at most 107 bytes
        "runtime_dir": runtime_folder(),
        "log_level": "WARNING",
        "demo": True,
        "web": {"port": 0},
        "agi": {"port": free_port()},
        "ami": {"port": free_port()},
        "pbx": {
            "sip_port": free_port(),
            "ws_port": free_port(),
            "rtp_start": rtp.start,
            "rtp_end": rtp.stop - 1,
            "record_calls": False,
        },
        # Tests run at any hour of any day.
        "centre": {"always_open": True},
    }
    for name, value in changes.items():
        if isinstance(value, dict):
            sections[name] = {**sections.get(name, {}), **value}
        else:
            sections[name] = value
    # Of its own like all the others: two telephone networks at one address answer each other's calls.
    trunk = sections["pbx"].get("trunk", {})
    sections["pbx"]["trunk"] = {"port": free_port(host=trunk.get("host", NETWORK_HOST)), **trunk}
    return load_settings({}, **sections)


@contextlib.asynccontextmanager
async def running_centre(
    folder: Path,
    *,
    roles: frozenset[Role] = ALL_ROLES,
    users: bool = True,
    clock: Clock | None = None,
    also: Callable[[Database], Awaitable[None]] | None = None,
    **changes: Any,
) -> AsyncIterator[RunningCentre]:
    """Run a centre with the demo company for the length of the block.

    Args:
        users: make the demo's users, all with :data:`PASSWORD`.
        clock: what the service goes by, where it matters which day and hour it is.
        also: puts more into the database before Asterisk reads it.
        changes: settings, such as ``centre={"wrap_up_seconds": 1}`` or ``database_url=…``.
    """
    runtime = await Runtime.ensure(runtime_folder(), need=frozenset(ALL_TOOLS))
    settings, clock = centre_settings(folder, **changes), clock or SystemClock()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    share_prompts(settings)
    async with contextlib.AsyncExitStack() as stack:
        redis = RedisServer(runtime.redis, settings.data_dir / "run")
        await redis.start()
        stack.push_async_callback(redis.stop)
        settings = settings.model_copy(update={"redis_url": redis.url})
        database = create_database(settings.sql_url)
        stack.push_async_callback(database.dispose)
        await fill(database, users=users, clock=clock)
        if also is not None:
            await also(database)
        pbx = await _pbx(settings, database, runtime)
        await pbx.server.start()
        stack.push_async_callback(pbx.server.stop)
        services = await stack.enter_async_context(contextlib.AsyncExitStack())
        service = await services.enter_async_context(
            open_centre(settings, roles, espeak=runtime.espeak, clock=clock)
        )
        await service.wait_live()
        yield RunningCentre(
            settings=settings,
            pbx=pbx,
            redis=redis,
            database=database,
            service=service,
            clock=clock,
            _services=services,
        )


def share_prompts(settings: Settings) -> None:
    """Let all tests use one folder of synthesised prompts: its files are named by their content."""
    shared = runtime_folder() / "test-prompts"
    shared.mkdir(parents=True, exist_ok=True)
    for folder in (pbx_settings.prompts_dir(settings), survey_prompts(settings)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "clips").symlink_to(shared, target_is_directory=True)


async def fill(database: Database, *, users: bool, clock: Clock | None = None) -> None:
    """Bring the schema up to date and put the demo company in, with its users if wanted."""
    clock = clock or SystemClock()
    await upgrade(database)
    await Roster(database, clock, Bus()).seed_codes()
    await seed_company(database, now=clock.now())
    if users:
        accounts = build_accounts(database, clock)
        for person in await demo_users(database):
            await accounts.users.create(
                login=person.login,
                password=PASSWORD,
                role=UserRole(person.role),
                display_name=person.name,
                agent_id=person.agent_id,
                department=person.department,
            )


async def _pbx(settings: Settings, database: Database, runtime: Runtime) -> Pbx:
    root = settings.data_dir / "asterisk"
    files = runtime.asterisk_files
    paths = AsteriskPaths.under(root, modules=files.modules, data=files.data, sbin=files.sbin)
    config = await pbx_settings.build_pbx_config(settings, database, paths)
    prepare(config)
    server = AsteriskServer(
        runtime.asterisk,
        paths.config / "asterisk.conf",
        manager=(settings.ami.host, settings.ami.port),
        folder=root,
    )
    return Pbx(config=config, runtime=runtime, server=server)
