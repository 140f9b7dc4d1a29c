"""Who waits to be called back in their turn, on the page: seen by agents, led by supervisors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from callback_campaigns.queue_place_tables import QueuePlaceRow
from crm.tables import CustomerPhone
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.ids import new_ulid
from kernel.phone import Phone
from tests.support.office import OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import web_stage
from web.callback_part import CALLBACKS

pytestmark = pytest.mark.integration

PAGE = "/queue-places"
AFTERNOON = datetime(2026, 6, 2, 7, 0, tzinfo=UTC)  # 15:00 at the site


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(AFTERNOON)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def kept(office: OfficeStage, number: str, *, minutes: int, customer_id: str | None = None) -> str:
    """Keep a place for somebody who has waited for so long; return its id."""
    assert office.stage.app is not None
    assert await office.stage.app[CALLBACKS].places.keep(
        call_id=new_ulid(),
        phone=Phone.parse(number, default_area="010"),
        queue="complaint",
        joined_at=office.clock.now() - timedelta(minutes=minutes),
        customer_id=customer_id,
    )
    return (await row(office, number)).id


async def row(office: OfficeStage, number: str) -> QueuePlaceRow:
    query = select(QueuePlaceRow).where(QueuePlaceRow.number == "+86" + number)
    async with office.stage.database.session() as session:
        return (await session.scalars(query)).one()


async def act(office: OfficeStage, login: str, place_id: str, step: str) -> tuple[int, str]:
    status, where, _ = await post(office, login, f"{PAGE}/{place_id}/{step}", {})
    return status, where


async def test_places_are_seen_put_forward_and_cancelled(office: OfficeStage) -> None:
    async with office.stage.database.session() as session:
        phone = (await session.scalars(select(CustomerPhone).where(CustomerPhone.kind == "mobile"))).first()
    assert phone is not None
    first = await kept(office, phone.e164.removeprefix("+86"), minutes=9, customer_id=phone.customer_id)
    second = await kept(office, "13512340002", minutes=4)

    status, page = await get(office, "agent", PAGE)
    assert status == 200
    assert page.index(first) < page.index(second)
    assert f"/customers/{phone.customer_id}" in page
    assert "9 分钟" in page
    assert "135 1234 0002" in page
    assert f'data-dial="call:{(await row(office, "13512340002")).call_id}"' in page
    assert "/forward" not in page, "agents look on"
    assert (await act(office, "agent", second, "cancel"))[0] == 403

    assert await act(office, "supervisor", second, "forward") == (303, PAGE)
    assert (await row(office, "13512340002")).priority > 0
    assert await act(office, "supervisor", first, "cancel") == (303, PAGE)
    # Twice, or by two supervisors: the second is told.
    for place_id, step in ((first, "cancel"), (first, "forward"), (new_ulid(), "cancel")):
        assert await act(office, "supervisor", place_id, step) == (303, f"{PAGE}?problem=over")
    _, page = await get(office, "supervisor", f"{PAGE}?problem=over")
    assert 'role="alert"' in page
    over = page.partition("最近结束")[2]
    assert first in over
    assert second not in over
    async with office.stage.database.session() as session:
        noted = await session.scalars(
            select(AuditRow.action).where(AuditRow.entity == "queue_place").order_by(AuditRow.seq)
        )
        actions = list(noted)
    assert [one for one in actions if one.startswith("queue_place.")] == [
        "queue_place.put_forward",
        "queue_place.cancelled",
    ]
