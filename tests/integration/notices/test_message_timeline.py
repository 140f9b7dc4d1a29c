"""Messages to a customer on the customer's time line: each once, with what became of it."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm.events_repairs import RepairAppointed, RepairClosed, RepairRegistered
from crm.notices.domain import ATTEMPTS, QuietHours
from crm.notices.events import CustomerMessageWanted
from crm.notices.messages import CustomerMessage
from crm.notices.ports import Permanent, Temporary
from crm.tables import Contact, Customer, CustomerPhone, ServiceCase
from crm.timeline import Timeline, TimelineEntry
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.notice_board import take
from tests.support.notices import ZONE, NoticeStage

pytestmark = pytest.mark.integration

NUMBER = "+8613800138002"
AWAKE = QuietHours(time(3), time(3, 1), ZONE)
CASE = "01JZZZZZZZZZZZZZZZZZZZZZT1"


async def people(stage: NoticeStage) -> None:
    """Write two customers on one number; the first has a case."""
    now = stage.clock.now()
    async with stage.database.transaction() as session:
        for customer_id, name in (("c1", "王建军"), ("c2", "李梅")):
            session.add(Customer(id=customer_id, name=name, level="A", created_at=now))
        await session.flush()
        for customer_id in ("c1", "c2"):
            session.add(CustomerPhone(customer_id=customer_id, e164=NUMBER, position=0))
        session.add(
            ServiceCase(
                id=CASE,
                no="BX1",
                kind="repair",
                customer_id="c1",
                status="appointed",
                summary="漏水",
                opened_at=now,
            )
        )


def wanted(stage: NoticeStage, **changes: Any) -> CustomerMessageWanted:
    values: dict[str, Any] = {
        "customer_id": "c1",
        "template": "visit.booked",
        "key": "visit|1",
        "parameters": {"no": "BX1", "at": stage.clock.now().isoformat()},
    }
    return CustomerMessageWanted(at=stage.clock.now(), **values | changes)


async def entries(stage: NoticeStage, customer_id: str = "c1") -> tuple[TimelineEntry, ...]:
    return (await Timeline(stage.database).page(stage.actor("u-agent"), customer_id)).items


async def test_a_message_stands_once_on_the_time_line_until_it_is_sent(
    database: Database, clock: FakeClock
) -> None:
    """Both databases: the entry is written once, and its state follows the message."""
    stage = NoticeStage(database, clock)
    await people(stage)
    await take(stage, wanted(stage), wanted(stage))
    (entry,) = await entries(stage)
    assert (entry.channel, entry.direction, entry.result) == ("message", "out", "waiting")
    assert entry.detail == {"channel": "sms", "template": "visit.booked", "case_id": CASE, "no": "BX1"}
    assert await entries(stage, "c2") == (), "it is the customer's, not everybody's on the number"
    stage.sender.outcomes = [Temporary("no answer in time")]
    worker = stage.worker()
    await worker.run_once()
    assert [one.result for one in await entries(stage)] == ["waiting"]
    clock.advance(timedelta(minutes=1))
    await worker.run_once()
    (sent,) = await entries(stage)
    assert (sent.result, sent.at, sent.entry_id) == ("sent", clock.now(), entry.entry_id)
    assert len(stage.sender.sent) == 2


async def test_what_cannot_be_sent_says_so_and_may_be_tried_again(sqlite: Database, clock: FakeClock) -> None:
    stage = NoticeStage(sqlite, clock)
    await people(stage)
    stage.sender.outcomes = [Permanent("the receiver refused it")]
    await take(stage, wanted(stage))
    await stage.worker().run_once()
    assert [one.result for one in await entries(stage)] == ["failed"]
    (message,) = [row for row in await stage.messages() if row.to_customer]
    await stage.desk.try_again(stage.actor("u-admin"), message.message_id)
    assert [one.result for one in await entries(stage)] == ["waiting"]
    await stage.worker().run_once()
    assert [one.result for one in await entries(stage)] == ["sent"]


async def test_tries_that_all_fail_leave_one_entry(sqlite: Database, clock: FakeClock) -> None:
    stage = NoticeStage(sqlite, clock)
    await people(stage)
    stage.sender.outcomes = [Temporary("no answer in time")] * ATTEMPTS
    await take(stage, wanted(stage))
    worker = stage.worker(quiet=AWAKE)
    for _ in range(ATTEMPTS):
        await worker.run_once()
        clock.advance(timedelta(hours=6))
    assert len(stage.sender.sent) == ATTEMPTS
    assert [one.result for one in await entries(stage)] == ["failed"]


async def test_who_refuses_messages_sees_what_was_held_back(sqlite: Database, clock: FakeClock) -> None:
    stage = NoticeStage(sqlite, clock)
    await people(stage)
    stage.do_not_call.add(NUMBER)
    await take(stage, wanted(stage, template="callback.announced", key="a", parameters={}))
    assert [one.result for one in await entries(stage)] == ["suppressed"]
    stage.do_not_call.clear()
    await take(stage, wanted(stage, template="callback.announced", key="b", parameters={}))
    stage.do_not_call.add(NUMBER)  # between the queue and the way out
    await stage.worker().run_once()
    assert [one.result for one in await entries(stage)] == ["suppressed", "suppressed"]


async def test_a_number_without_a_name_is_everybodys_and_a_strangers_case_is_not_told(
    sqlite: Database, clock: FakeClock
) -> None:
    stage = NoticeStage(sqlite, clock)
    await people(stage)

    async def send() -> CustomerMessage:
        async with stage.database.transaction() as session:
            return await stage.queue.send_to_customer(session, NUMBER, "case.closed", {"no": "BX1"}, "k")

    assert await send() is CustomerMessage.QUEUED
    assert await send() is CustomerMessage.KNOWN
    assert [(one.result, one.detail.get("no")) for one in await entries(stage)] == [("waiting", "BX1")]
    assert [(one.result, one.detail.get("no")) for one in await entries(stage, "c2")] == [("waiting", None)]


async def test_messages_to_people_who_work_here_are_on_nobodys(sqlite: Database, clock: FakeClock) -> None:
    stage = NoticeStage(sqlite, clock)
    await people(stage)
    await take(stage, wanted(stage, customer_id="nobody"))
    await stage.worker().run_once()
    async with stage.database.session() as session:
        assert (await session.scalars(select(Contact))).all() == []


async def test_a_customer_hears_of_the_own_case_once(stage: NoticeStage, clock: FakeClock) -> None:
    """Registered, a visit agreed, settled; not what became no case, nor what is long past."""
    async with stage.database.transaction() as session:
        session.add(Customer(id="c9", name="李梅", salutation="女士", level="B", created_at=clock.now()))
        await session.flush()
        session.add(CustomerPhone(customer_id="c9", e164="+8613800138009", position=0))
    about: dict[str, Any] = {"case_id": new_ulid(), "no": "BX20260302-0009", "customer_id": "c9"}
    registered = RepairRegistered(
        at=clock.now(), **about, project_id=None, summary="漏水", warnings=(), specialist_id=None
    )
    visit = RepairAppointed(
        at=clock.now(),
        **about,
        visit_from=clock.now() + timedelta(days=1),
        visit_until=clock.now() + timedelta(days=1, hours=2),
        department="ENG",
        specialist_id=None,
    )
    closed = RepairClosed(at=clock.now(), **about, waived=False, first_time_fix=True)
    waived = replace(closed, case_id=new_ulid(), waived=True)
    past = replace(registered, case_id=new_ulid(), at=clock.now() - timedelta(days=2))
    await take(stage, registered, registered, visit, visit, closed, closed, waived, past)
    told = [(row.code, row.address, row.to_customer) for row in await stage.messages()]
    assert sorted(told) == [
        ("case.closed", "+8613800138009", True),
        ("case.registered", "+8613800138009", True),
        ("visit.booked", "+8613800138009", True),
    ]
