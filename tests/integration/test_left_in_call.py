"""No callback stays in a call for ever: whatever of its call was never heard of, it is tried again."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.talk_sweep import TalkSweep
from callback_campaigns.task_tables import CallbackTaskRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.talks import TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
async def centre(sqlite: Database) -> TalkCentre:
    return await centre_with_talks(sqlite, FakeClock(at("2026-03-02 15:00")))


async def swept(centre: TalkCentre) -> int:
    callbacks = centre.callbacks
    centre.clock.advance(timedelta(minutes=2))
    sweep = TalkSweep(callbacks.desk.office, callbacks.tasks, centre.talks, shipped_dialling())
    return await sweep.run_once()


async def test_that_somebody_answered_is_known_by_the_end_of_the_call_alone(centre: TalkCentre) -> None:
    # The link was down while the phone rang and was answered; the record of the call came afterwards.
    attempt = await centre.dial(answer=False)
    await centre.hang_up(attempt, Outcome.ANSWERED)
    assert (await centre.task()).status is TaskStatus.TALKING
    assert await swept(centre) == 1
    task = await centre.task()
    assert (task.status, [one.outcome for one in task.tried]) == (TaskStatus.RETRY_WAIT, [Outcome.ANSWERED])


async def test_a_callback_that_was_left_dialling_by_an_earlier_version_is_tried_again(
    centre: TalkCentre,
) -> None:
    attempt = await centre.dial(answer=False)
    await centre.hang_up(attempt, Outcome.ANSWERED)
    async with centre.callbacks.database.transaction() as session:
        await session.execute(update(CallbackTaskRow).values(status=TaskStatus.DIALLING.value))
    assert await swept(centre) == 1
    assert (await centre.task()).status is TaskStatus.RETRY_WAIT
