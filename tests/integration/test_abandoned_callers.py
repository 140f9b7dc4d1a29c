"""Who gave up in the queue is called back: once, not at once, not if somebody talked with them since."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.abandoned_part import abandoned_callers
from app.settings import load_settings
from crm.abandoned_callers import REASON
from crm.service import CallbackRequests
from crm.tables import CallbackRequest, Customer, CustomerPhone
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.phone import Phone
from telephony.events import CallEnded

pytestmark = pytest.mark.integration

CALLER = "+8613800138000"


def over(clock: FakeClock, result: str = "ABANDONED_QUEUE", **changes: object) -> CallEnded:
    values: dict[str, object] = {
        "at": clock.now(),
        "call_id": new_ulid(),
        "node": "pbx1",
        "direction": "in",
        "result": result,
        "queue": "service",
        "agent_id": None,
        "agent_number": None,
        "from_number": CALLER,
        "to_number": "+861065558800",
        "menu_path": (),
        "started_at": clock.now() - timedelta(minutes=1),
        "queued_at": clock.now() - timedelta(seconds=40),
        "answered_at": None,
        "ended_at": clock.now(),
        "wait_seconds": 40.0,
        "talk_seconds": 0.0,
        "hangup_by": "caller",
        "end_reason": "hangup",
    }
    return CallEnded(**{**values, **changes})  # type: ignore[arg-type]


async def wishes(database: Database) -> list[tuple[str, str, bool]]:
    async with database.session() as session:
        rows = await session.scalars(select(CallbackRequest).order_by(CallbackRequest.requested_at))
        return [(row.e164, row.reason, row.open_key is not None) for row in rows]


async def told(database: Database, *facts: CallEnded, **settings: object) -> list[tuple[str, str, bool]]:
    take = abandoned_callers(load_settings({}, centre=settings))
    for fact in facts:
        async with database.transaction() as session:
            await take(session, fact)
    return await wishes(database)


async def test_one_open_callback_per_number(database: Database, clock: FakeClock) -> None:
    first = over(clock)
    assert await told(database, first, first, over(clock)) == [(CALLER, REASON, True)]
    # Whoever was reached meanwhile, by whichever side's call, is not called back.
    reached = over(clock, "ANSWERED", direction="out", from_number="+861065558800", to_number=CALLER)
    assert await told(database, reached) == [(CALLER, REASON, False)]
    clock.advance(timedelta(minutes=5))
    assert [found[2] for found in await told(database, over(clock))] == [False, True]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"result": "ABANDONED_SHORT"}, id="short"),
        pytest.param({"wait_seconds": 9.5}, id="below-the-limit"),
        pytest.param({"result": "NO_ANSWER"}, id="given-back"),
        pytest.param({"from_number": "anonymous"}, id="hidden"),
        pytest.param({"direction": "internal"}, id="internal"),
        pytest.param({"direction": "out"}, id="campaign"),
    ],
)
async def test_who_is_not_called_back(sqlite: Database, clock: FakeClock, changes: dict[str, object]) -> None:
    assert await told(sqlite, over(clock, **changes)) == []  # type: ignore[arg-type]


async def test_it_can_be_switched_off(sqlite: Database, clock: FakeClock) -> None:
    assert await told(sqlite, over(clock), abandoned_callback=False) == []


async def test_a_wish_that_was_told_stays_and_who_is_not_to_be_called_is_not(
    sqlite: Database, clock: FakeClock
) -> None:
    own = Phone.parse(CALLER)
    await CallbackRequests(sqlite, clock).create(call_id=new_ulid(), phone=own, reason="hotline")
    assert await told(sqlite, over(clock), over(clock, "ANSWERED")) == [(CALLER, "hotline", True)]
    other = "+8613900139000"
    async with sqlite.transaction() as session:
        customer = Customer(
            id=new_ulid(), name="王建国", level="B", do_not_call=True, created_at=clock.now(), version=1
        )
        session.add(customer)
        await session.flush()
        session.add(CustomerPhone(customer_id=customer.id, e164=other))
    assert await told(sqlite, over(clock, from_number=other)) == [(CALLER, "hotline", True)]
