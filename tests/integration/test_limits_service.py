"""The limits' worker in a centre that runs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.container import Role, open_centre
from app.runtime.redis_server import RedisServer
from app.settings import load_settings
from app.store import bring_up_to_date
from crm.limit_tables import LimitBreachRow
from crm.limits import LimitBook
from kernel.clock import SystemClock
from kernel.ids import new_ulid
from tests.support.limits import OWNER, complaint
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


async def test_a_centre_that_starts_writes_the_breaches_of_the_night(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings = load_settings(
        {},
        data_dir=tmp_path / "data",
        redis_url=redis_server.url,
        web={"port": 0},
        centre={"limit_set": "B", "service_holidays": "never"},
    )
    await bring_up_to_date(settings)
    async with open_centre(settings, frozenset({Role.WEB})) as centre:
        database = centre.base.database
        book = LimitBook(SystemClock(), hours=settings.service_hours, default_set=settings.centre.limit_set)
        async with database.transaction() as session:
            begun = datetime.now(UTC) - timedelta(hours=49)
            view = await book.start(session, "TS.T4", complaint(new_ulid()), at=begun, owner=OWNER)
        assert view.policy == "B/1"

        async def breaches() -> int:
            async with database.session() as session:
                return await session.scalar(select(func.count()).select_from(LimitBreachRow)) or 0

        await eventually(breaches, timeout=10)
        assert centre.base.tasks.health()["limits"].crashes == 0
