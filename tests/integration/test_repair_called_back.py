"""What customers say about their repair goes into it: another round, or its end (domain.md §1.5 R6, §3.6)."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from callback_campaigns.domain.terms import Channel
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.complaint_line import ProblemStatus
from crm.repair_views import RepairView
from crm.tables import CustomerPhone
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.callback_centre import make_centre
from tests.support.callback_effects import Followed, make_followed
from tests.support.repairs import CAPTAIN, SPECIALIST, Company, open_company
from tests.support.talks import TalkCentre, make_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 09:00"))


@pytest.fixture
async def company(sqlite: Database, clock: FakeClock, tmp_path: Path) -> Company:
    return await open_company(sqlite, clock, tmp_path)


async def asked(company: Company, repair: RepairView, **keys: str) -> Followed:
    """Have the customer of a repair called by a person, who asks this."""
    centre = make_centre(company.database, company.clock)
    led: TalkCentre = make_talks(centre)
    await centre.tell()
    (task,) = [one for one in await centre.all() if one.case_id == repair.case_id]
    async with company.database.transaction() as session:
        ready = update(CallbackTaskRow).where(CallbackTaskRow.id == task.task_id)
        await session.execute(ready.values(status="ready", call_at=company.clock.now(), due_at=None))
        session.add(
            CustomerPhone(
                customer_id=company.customer_id,
                e164="+8613800138001",
                kind="mobile",
                position=0,
            )
        )
    company.clock.advance(timedelta(minutes=1))
    talk = await led.talk(channel=Channel.AGENT)
    talk = await led.press(talk, **keys)
    await led.finish(talk)
    followed = await make_followed(led, ())
    await followed.follow()
    return followed


async def test_BX3_repaired_is_the_customers_word_that_it_is_solved(company: Company) -> None:
    repair = await company.repaired()
    await asked(company, repair, BX1="1", BX2="2", BX3="1", BX4="1", BX5="1", BX6="1")
    seen = await company.services.reader.get(SPECIALIST, repair.case_id)
    (callback,) = seen.callbacks
    assert (callback.problem, callback.contacted_in_time, callback.timely) == (
        ProblemStatus.SOLVED,
        "yes",
        "no",
    )
    assert seen.round == repair.round


async def test_BX3_not_repaired_begins_another_round_and_opens_no_ticket_besides(company: Company) -> None:
    repair = await company.repaired()
    followed = await asked(company, repair, BX1="1", BX2="1", BX3="2", BX4="1", BX5="3", BX6="1")
    seen = await company.services.reader.get(CAPTAIN, repair.case_id)
    assert seen.round == repair.round + 1
    assert "result" not in await followed.tickets()
    assert not [name for name in await followed.tickets() if name.endswith("visit_again")]
    # Told once more, nothing happens once more.
    await followed.follow(again=True)
    seen = await company.services.reader.get(CAPTAIN, repair.case_id)
    assert (seen.round, len(seen.callbacks)) == (repair.round + 1, 1)
