"""A centre that runs: a problem fed back twice whose limit is missed goes one level up by itself (CB-6)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.container import Role, open_centre
from app.runtime.redis_server import RedisServer
from app.settings import load_settings
from app.store import bring_up_to_date
from crm.domain.ticket import Revisit
from crm.ticket_services import TicketServices
from crm.ticket_views import CallbackSource, NewRevisit, TicketView
from kernel.clock import FakeClock
from tests.support.complaints import ENGINEER, MANAGER, PIN, SPECIALIST, Desk, open_desk
from tests.support.tickets import ticket_services
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


async def fed_back(services: TicketServices, desk: Desk, callback: str) -> TicketView:
    found = CallbackSource(
        customer_id=desk.customer_id,
        project_id=desk.project_id,
        callback_ref=callback,
        question_id="ZQ3",
        text="卫生间门框松动",
    )
    return await services.tickets.open_from_callback(SPECIALIST, found, ("ENG",))


async def test_a_running_centre_issues_the_notice(tmp_path: Path, redis_server: RedisServer) -> None:
    settings = load_settings(
        {},
        data_dir=tmp_path / "data",
        redis_url=redis_server.url,
        web={"port": 0},
        centre={"service_holidays": "never"},
    )
    await bring_up_to_date(settings)
    clock = FakeClock(datetime.now(UTC) - timedelta(days=5))
    async with open_centre(settings, frozenset({Role.WEB})) as centre:
        desk = await open_desk(centre.base.database, clock)
        services = ticket_services(desk)
        first = await fed_back(services, desk, "HF-1")
        (part,) = first.parts
        first = await services.work.sign(ENGINEER, part.part_id, part.version, PIN)
        (part,) = first.parts
        first = await services.work.solve(ENGINEER, part.part_id, part.version, "已加固")
        satisfied = NewRevisit(said=Revisit.SATISFIED)
        await services.end.revisit(SPECIALIST, first.case_id, first.version, satisfied)
        clock.advance(timedelta(days=1))
        second = await fed_back(services, desk, "HF-2")
        assert (second.fed_back, second.notices) == (2, ())

        async def notices() -> int:
            return len((await services.tickets.get(MANAGER, second.case_id)).notices)

        await eventually(notices, timeout=15)
        (notice,) = (await services.tickets.get(MANAGER, second.case_id)).notices
        assert (notice.why, notice.department, notice.fed_back) == ("late", "ENG", 2)
        assert centre.base.tasks.health()["opinion-notices"].crashes == 0
