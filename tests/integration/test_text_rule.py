"""Which calls become text while they go on."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.demo.seed import seed_company
from app.live_text import TextRule
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.task_tables import DialAttemptRow
from crm.people_tables import ConsentRow
from crm.tables import CustomerPhone
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Unavailable
from kernel.ids import new_ulid
from telephony.agent_tables import QueueRow
from telephony.domain.call import Call, Direction
from tests.support.calls import FickleDatabase
from tests.support.db import filled
from tests.support.masked import repair_in_hand

pytestmark = pytest.mark.integration

WANG = "+8613800138001"


@pytest.fixture
async def company(sqlite: Database, clock: FakeClock) -> Database:
    """The demo company, whose queue for complaints has live text."""

    async def fill() -> None:
        await seed_company(sqlite, now=clock.now())

    await filled(sqlite, "text rule", fill)
    return sqlite


def call(clock: FakeClock, **changes: Any) -> Call:
    values: dict[str, Any] = {
        "node": "pbx1",
        "direction": Direction.IN,
        "from_number": WANG,
        "to_number": "01065558800",
        "from_name": "",
        "started_at": clock.now(),
        "call_id": new_ulid(),
        "queue": "complaint",
    }
    return Call(**{**values, **changes})


async def test_the_queue_decides(company: Database, clock: FakeClock) -> None:
    rule = TextRule(company)
    assert await rule(call(clock))
    assert not await rule(call(clock, queue="repair"))
    assert not await rule(call(clock, queue=None))
    assert not await rule(call(clock, queue="gone"))


async def test_colleagues_among_themselves_are_nobodys_business(company: Database, clock: FakeClock) -> None:
    assert not await TextRule(company)(call(clock, direction=Direction.INTERNAL))


async def test_a_customer_who_took_their_consent_back_is_not_listened_to(
    company: Database, clock: FakeClock
) -> None:
    rule = TextRule(company)
    async with company.transaction() as session:
        owner = await session.scalar(select(CustomerPhone.customer_id).where(CustomerPhone.e164 == WANG))
        consent = ConsentRow(
            id=new_ulid(),
            customer_id=owner,
            purpose="recording",
            basis="consent",
            given_at=clock.now(),
            evidence="签约时",
            text_version="1",
            recorded_by="test",
        )
        session.add(consent)
    assert await rule(call(clock)), "given"
    async with company.transaction() as session:
        kept = await session.get_one(ConsentRow, consent.id)
        kept.withdrawn_at = clock.now()
    assert not await rule(call(clock))
    assert not await rule(call(clock, direction=Direction.OUT, from_number="1001", to_number=WANG))
    assert await rule(call(clock, from_number="+8613800138002"))


async def test_of_a_dialled_call_the_campaign_decides(company: Database, clock: FakeClock) -> None:
    rule, dialled = TextRule(company), call(clock, direction=Direction.OUT, to_number="+8613800138009")
    today = clock.now().date()
    async with company.transaction() as session:
        campaign = CampaignRow(
            id=new_ulid(),
            name="完工回访",
            mode="preview",
            state="running",
            kinds=[],
            levels=[],
            store_ids=[],
            tasks_from="all",
            queue="complaint",
            trunk="main",
            carrier="own",
            caller_id="01065558800",
            lines=1,
            per_second=1,
            agents_least=1,
            abandon_cap=0.03,
            ratio=1.0,
            amd=False,
            priority=50,
            starts_on=today,
            ends_on=today,
            created_at=clock.now(),
            created_by="test",
            updated_at=clock.now(),
            updated_by="test",
        )
        session.add(campaign)
        await session.flush()
        session.add(
            DialAttemptRow(
                id=dialled.call_id,
                channel_id=f"att-{dialled.call_id}",
                campaign_id=campaign.id,
                number=dialled.to_number,
                node="pbx1",
                trunk="main",
                state="TALKING",
                survey=False,
                began_at=clock.now(),
                since=clock.now(),
            )
        )
    assert not await rule(dialled), "campaigns have none unless somebody wants it, whatever the queue has"
    async with company.transaction() as session:
        (await session.get_one(CampaignRow, campaign.id)).live_text = True
    assert await rule(dialled)


async def test_a_call_about_a_case_follows_the_queue_of_its_kind(company: Database, clock: FakeClock) -> None:
    rule, number = TextRule(company), "+8613800138777"
    _, case_id = await repair_in_hand(company, clock, number)
    about = call(clock, direction=Direction.OUT, queue=None, from_number="", to_number=number)
    async with company.transaction() as session:
        session.add(
            DialAttemptRow(
                id=about.call_id,
                channel_id=f"att-{about.call_id}",
                case_id=case_id,
                number=number,
                node="pbx1",
                trunk="main",
                state="answered",
                survey=False,
                began_at=clock.now(),
                since=clock.now(),
            )
        )
    assert not await rule(about)
    async with company.transaction() as session:
        wanted = update(QueueRow).where(QueueRow.name == "repair").values(live_text=True)
        await session.execute(wanted)
    assert await rule(about)


async def test_without_the_database_nothing_is_known(company: Database, clock: FakeClock) -> None:
    fickle = FickleDatabase(company)
    fickle.gone = True
    with pytest.raises(Unavailable):
        await TextRule(fickle)(call(clock))
