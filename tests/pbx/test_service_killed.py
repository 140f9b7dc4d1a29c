"""The process that holds the dialler and the surveys is killed while a customer presses keys."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.talk_sweep import TalkSweep
from callback_campaigns.task_tables import DialAttemptRow
from kernel.db import Database
from tests.support.callback_centre import make_centre
from tests.support.dialling import OFFICE_HOUR, start_campaign, waiting_customers
from tests.support.service_child import ServiceStarter
from tests.support.talks import make_talks
from tests.support.tones import Said
from tests.support.town import Town
from tests.support.town_people import FarCall
from tests.support.waiting import eventually
from tests.support.whole_service import whole_line

pytestmark = pytest.mark.pbx

NUMBER = "13900000001"
ANSWERED = 2
SILENT_AT_MOST = 7.0
"""Five seconds for a key that was being waited for, and then the dialplan speaks."""


def heeded(town: Town) -> list[tuple[str, str]]:
    """Return what the customer answered and was heard with: question and stored value."""
    presses = [press for call in town.calls for press in call.presses if press.heeded]
    asked = [press for press in presses if press.prompt.said is Said.QUESTION]
    return [(press.prompt.items[0], press.prompt.keys[press.key]) for press in asked]


async def attempts(database: Database) -> list[DialAttemptRow]:
    async with database.session() as session:
        return list(await session.scalars(select(DialAttemptRow)))


async def test_who_answers_is_kept_hears_a_word_and_is_not_called_twice(tmp_path: Path) -> None:
    starter = ServiceStarter()
    async with whole_line(tmp_path, OFFICE_HOUR) as line:
        line.town.habits[NUMBER] = ("", "patient")
        await waiting_customers(line.database, line.clock, [f"+86{NUMBER}"])
        await start_campaign(line.database, line.clock)
        first = starter.start(line.plan)
        try:
            await eventually(lambda: len(heeded(line.town)) >= ANSWERED, timeout=30, what="asked")
        finally:
            first.kill()
            await first.gone()
        (call,) = line.town.calls
        await eventually(lambda: not call.up, timeout=20, what="it ends")
        was_taken_leave_of(call)

        again = starter.start(line.plan)
        try:
            await eventually(lambda: again.live, timeout=30, what="live again")

            async def over() -> bool:
                return [row.outcome for row in await attempts(line.database)] == ["answered"]

            await eventually(over, timeout=20, interval=0.1, what="the attempt is over")
            line.clock.jump(timedelta(minutes=2))
            centre = make_centre(line.database, line.clock)  # type: ignore[arg-type]  # as good as a FakeClock
            led = make_talks(centre)
            await TalkSweep(centre.desk.office, centre.tasks, led.talks, shipped_dialling()).run_once()
            (row,) = await attempts(line.database)
            talk = await led.talks.of_attempt(row.id)
            (task,) = await centre.all()
        finally:
            again.kill()
            await again.gone()
    assert talk is not None
    kept = {(item, value) for item, answer in talk.answers.items() for value in answer.values}
    assert set(heeded(line.town)) <= kept
    assert (talk.ended, task.status) == (TalkEnding.BROKEN_OFF, TaskStatus.RETRY_WAIT)
    assert task.due_at >= OFFICE_HOUR + timedelta(hours=2)
    assert len(line.town.calls) == 1


def was_taken_leave_of(call: FarCall) -> None:
    """The dialplan had the last word, and did not let them wait for it."""
    assert call.ended_by == "far"
    assert call.last is not None
    assert call.last.said is Said.SORRY
    assert call.quiet < SILENT_AT_MOST
