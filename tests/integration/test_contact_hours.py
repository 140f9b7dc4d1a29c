"""When a customer likes to be called is asked at the start of work, and kept (domain.md §3.0)."""

from datetime import time

import pytest
from sqlalchemy import select

from callback_campaigns.contact_hours import ContactHours, asks_hours, hours_of
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import Channel
from callback_campaigns.task_tables import CallbackTaskRow
from crm.tables import Customer
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from tests.support.people import AGENT
from tests.support.talks import TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration
EVENING = ContactHours(time(18, 30), time(20, 0))


@pytest.fixture
async def centre(sqlite: Database) -> TalkCentre:
    return await centre_with_talks(sqlite, FakeClock(at("2026-03-02 15:00")))


async def asked(centre: TalkCentre, level: str, channel: str = "phone") -> str:
    """Have an agent ask a customer of a level; return the talk."""
    async with centre.callbacks.database.transaction() as session:
        task = (await session.scalars(select(CallbackTaskRow))).one()
        known = await session.get_one(Customer, task.customer_id)
        task.level, known.level, known.preferred_channel = level, level, channel
    talk = await centre.talk(channel=Channel.AGENT)
    assert asks_hours(talk) is (channel == "phone"), "who has said how they like to be reached is not asked"
    return talk.talk_id


async def customer(centre: TalkCentre) -> Customer:
    async with centre.callbacks.database.session() as session:
        return (await session.scalars(select(Customer))).one()


@pytest.mark.parametrize("level", ["A", "B"])
async def test_the_preferred_contact_time_is_asked_and_stored(centre: TalkCentre, level: str) -> None:
    talk_id = await asked(centre, level)
    for _ in range(2):
        await centre.talks.end(talk_id, TalkEnding.BROKEN_OFF, by="王芳", actor=AGENT, hours=EVENING)
    kept = await customer(centre)
    assert (kept.preferred_from, kept.preferred_until) == (time(18, 30), time(20, 0))


@pytest.mark.parametrize(
    ("channel", "how"), [("wechat", TalkEnding.BROKEN_OFF), ("phone", TalkEnding.WRONG_PERSON)]
)
async def test_the_time_is_kept_only_of_customers_who_are_asked(
    centre: TalkCentre, channel: str, how: TalkEnding
) -> None:
    talk_id = await asked(centre, "A", channel)
    await centre.talks.end(talk_id, how, by="王芳", actor=AGENT, hours=EVENING)
    assert (await customer(centre)).preferred_from is None


def test_one_end_of_the_time_alone_is_refused() -> None:
    assert hours_of(None, None) is None
    with pytest.raises(Invalid):
        hours_of(time(9), None)
    with pytest.raises(Invalid):
        hours_of(time(20), time(9))
