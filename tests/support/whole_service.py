"""The service as a whole in front of a real Asterisk, the customers behind the trunk, and what joins them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.demo.seed import seed_company
from app.runtime.redis_server import RedisServer
from app.store import complete
from callback_campaigns.domain.terms import CallbackType
from kernel.db import Database, create_database
from tests.support.pbx import HOTLINE, Pbx, running_pbx
from tests.support.service_child import COMPANY, ServicePlan, tones_of
from tests.support.shared_clock import SharedClock
from tests.support.tcp_proxy import TcpProxy
from tests.support.town import Town, town

KINDS = (CallbackType.START, CallbackType.CONCEALED)
"""Of these callbacks the questions have tones."""


@dataclass(frozen=True, slots=True)
class Line:
    """Everything but the service itself, which a test starts as often as it likes."""

    pbx: Pbx
    town: Town
    wire: TcpProxy
    database: Database
    clock: SharedClock
    plan: ServicePlan


def _plan(folder: Path, pbx: Pbx, ami_port: int, redis_url: str, lasts: int) -> ServicePlan:
    """Return how the service is run: its own patience shortened where waiting proves nothing."""
    config = pbx.config
    settings: dict[str, Any] = {
        "data_dir": str(folder / "data"),
        "database_url": f"sqlite+aiosqlite:///{folder / 'huifang.db'}",
        "redis_url": redis_url,
        "log_level": "WARNING",
        "centre": {"company": COMPANY, "hotline": HOTLINE, "always_open": True},
        "ami": {
            "port": ami_port,
            "username": config.ami_user,
            "secret": config.ami_secret,
            "ping_seconds": 1,
            "action_seconds": 2,
            "connect_seconds": 3,
        },
        "agi": {"port": config.agi_port},
        "pbx": {"node": config.node, "event_log": str(config.paths.event_log)},
        # Nobody speaks but in tones: prompts of the dialplan stay the ones that were written for it.
        "voice": {"espeak": str(folder / "no-voice")},
        "dialler": {"ring_seconds": 4, "agent_ring_seconds": 1, "settle_seconds": 12},
    }
    return ServicePlan(
        settings=settings,
        roles=("telephony", "ivr"),
        clock=folder / "clock",
        tones=folder / "tones",
        codes=tuple(kind.value for kind in KINDS),
        hotline=HOTLINE,
        log=folder / "service.log",
        lasts=lasts,
    )


@asynccontextmanager
async def whole_line(
    folder: Path, start: datetime, *, seed: int = 1, lasts: int = 120, **changes: Any
) -> AsyncIterator[Line]:
    """Have it all for the length of the block, with an empty company in the database.

    Args:
        start: what time it is for everybody.
        seed: of what customers do.
        lasts: seconds after which a service ends in any case.
        changes: for :func:`tests.support.pbx.running_pbx`.
    """
    clock = SharedClock.make(folder / "clock", start)
    async with (
        running_pbx(folder, **changes) as pbx,
        RedisServer(pbx.runtime.redis, folder / "redis").running() as redis,
        TcpProxy(pbx.config.ami_port) as wire,
    ):
        assert isinstance(redis, RedisServer)
        plan = _plan(folder, pbx, wire.port, redis.url, lasts)
        data = Path(plan.settings["data_dir"])
        data.mkdir()
        # Where Asterisk finds its sounds the service writes its own.
        (data / "prompts").symlink_to(pbx.config.prompts_dir, target_is_directory=True)
        tones = tones_of(plan)
        tones.write(plan.tones, pbx.config.prompts_dir)
        database = create_database(plan.settings["database_url"])
        try:
            await complete(database)
            await seed_company(database, now=clock.now())
            async with town(tones, pbx.trunk.host, pbx.trunk.port, seed=seed) as people:
                yield Line(pbx, people, wire, database, clock, plan)
        finally:
            await database.dispose()
