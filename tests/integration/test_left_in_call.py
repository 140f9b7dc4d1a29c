"""No callback stays in a call for ever: whatever of its call was never heard of, it is tried again."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Channel, Outcome
from callback_campaigns.entries import Entry, EntryKind, EntryRecall, EntrySpool
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.talk_sweep import TalkSweep
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.talks import BY, TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
async def centre(sqlite: Database) -> TalkCentre:
    return await centre_with_talks(sqlite, FakeClock(at("2026-03-02 15:00")))


async def swept(centre: TalkCentre, spool: EntrySpool | None = None) -> int:
    callbacks = centre.callbacks
    centre.clock.advance(timedelta(minutes=2))
    sweep = TalkSweep(callbacks.desk.office, callbacks.tasks, centre.talks, shipped_dialling())
    if spool is not None:
        sweep.waiting = spool.waiting
    return await sweep.run_once()


async def test_that_somebody_answered_is_known_by_the_end_of_the_call_alone(centre: TalkCentre) -> None:
    # The link was down while the phone rang and was answered; the record of the call came afterwards.
    attempt = await centre.dial(answer=False)
    await centre.hang_up(attempt, Outcome.ANSWERED)
    assert (await centre.task()).status is TaskStatus.TALKING
    assert await swept(centre) == 1
    task = await centre.task()
    assert (task.status, [one.outcome for one in task.tried]) == (TaskStatus.RETRY_WAIT, [Outcome.ANSWERED])


async def test_whoever_asks_knows_that_somebody_answered(centre: TalkCentre) -> None:
    # The link is down: nothing is heard of the call, but the customer is being asked over FastAGI.
    attempt = await centre.dial(answer=False)
    task = await centre.task()
    await centre.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    await centre.hang_up(attempt, Outcome.UNKNOWN)
    async with centre.callbacks.database.session() as session:
        row = await session.get_one(DialAttemptRow, attempt.attempt_id)
    assert (row.outcome, row.answered_at) == ("answered", centre.clock.now())


async def test_answers_that_waited_on_the_disk_are_kept_by_the_next_process(
    centre: TalkCentre, tmp_path: Path
) -> None:
    attempt = await centre.dial()
    task = await centre.task()
    talk = await centre.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    await centre.press(talk, KG1="1")
    answer = Answer(values=("satisfied",))
    kinds: dict[str, Any] = {"talk_id": talk.talk_id, "by": BY}
    EntrySpool(tmp_path).write(
        talk.talk_id,
        (
            Entry(kind=EntryKind.ANSWER, item_id="KG1", answer=Answer(values=("both_came",)), **kinds),
            Entry(kind=EntryKind.ANSWER, item_id="KG2", answer=answer, **kinds),
            Entry(kind=EntryKind.ANSWER, item_id="XX9", answer=answer, **kinds),
            Entry(kind=EntryKind.END, how=TalkEnding.DO_NOT_CALL, **kinds),
        ),
    )
    await centre.hang_up(attempt)
    spool = EntrySpool(tmp_path)
    # Who sweeps does not end what is not whole yet.
    assert await swept(centre, spool) == 0
    assert await EntryRecall(centre.talks, spool).run_once() == 1
    found = await centre.talks.get(talk.talk_id)
    assert (set(found.answers), found.ended) == ({"KG1", "KG2"}, TalkEnding.DO_NOT_CALL)
    assert (await centre.task()).status is TaskStatus.REFUSED
    assert not spool.left()
    assert await EntryRecall(centre.talks, spool).run_once() == 0


async def test_a_callback_that_was_left_dialling_by_an_earlier_version_is_tried_again(
    centre: TalkCentre,
) -> None:
    attempt = await centre.dial(answer=False)
    await centre.hang_up(attempt, Outcome.ANSWERED)
    async with centre.callbacks.database.transaction() as session:
        await session.execute(update(CallbackTaskRow).values(status=TaskStatus.DIALLING.value))
    assert await swept(centre) == 1
    assert (await centre.task()).status is TaskStatus.RETRY_WAIT
