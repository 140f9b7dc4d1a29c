"""Figures of callbacks read from real talks, on both databases; the API, the page, the file, the form."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from callback_campaigns.domain.figures import CallbackFigure, GroupBy
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import CallbackType, Outcome
from callback_campaigns.figures import FiguresAsked, FiguresReader
from callback_campaigns.rule_files import shipped_plan
from callback_campaigns.task_tables import CallbackTaskRow
from crm.tables import Project
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from tests.support.people import AGENT, MANAGER
from tests.support.talks import GOOD, TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def centre(database: Database, clock: FakeClock) -> TalkCentre:
    return await centre_with_talks(database, clock)


async def test_the_delay_is_done_date_minus_the_due_date_it_was_first_planned_for(centre: TalkCentre) -> None:
    planned = (await centre.task()).due_at
    await centre.hang_up(await centre.dial(answer=False), Outcome.NO_ANSWER)
    # Done on the second day after, the window still open, in the first hour of the site's day.
    done = at("2026-03-05 00:30")
    async with centre.callbacks.database.transaction() as session:
        row = (await session.scalars(select(CallbackTaskRow))).one()
        assert row.planned_for == planned == at("2026-03-03 09:30")
        assert row.call_at > planned, "retries move the next call, not the due date"
        assert row.window_end is not None and row.window_end > done
        row.status, row.ended_at = "done", done
    month = FiguresAsked(since=at("2026-03-01 00:00"), until=at("2026-04-01 00:00"))
    found = await FiguresReader(centre.callbacks.desk.office, shipped_plan()).read(MANAGER, month)
    assert {band: number for band, number in found.delays.items() if number} == {"2-3": 1}


async def test_the_figures_of_a_month(centre: TalkCentre) -> None:
    async with centre.callbacks.database.transaction() as session:
        (await session.scalars(select(Project))).one().project_manager = "刘工"
    attempt = await centre.dial()
    await centre.hang_up(attempt)
    talk_task = await centre.task()
    talk = await centre.talks.open(
        talk_task.task_id, attempt_id=attempt.attempt_id, channel=talk_task.channel, by="ivr"
    )
    await centre.finish(await centre.press(talk, **(GOOD | {"KG4": "2"})), TalkEnding.FINISHED)
    reader = FiguresReader(centre.callbacks.desk.office, shipped_plan())
    month = FiguresAsked(since=at("2026-03-01 00:00"), until=at("2026-04-01 00:00"))
    early = (await reader.read(MANAGER, month)).figures[CallbackFigure.COVERAGE]
    assert early.denominator == 0, "its window has not ended"
    centre.clock.advance(timedelta(days=7))
    found = await reader.read(MANAGER, month)
    shown = {code: (int(one.numerator), int(one.denominator)) for code, one in found.figures.items()}
    assert shown == {
        CallbackFigure.COVERAGE: (1, 1),
        CallbackFigure.ON_TIME: (1, 1),
        CallbackFigure.REQUIRED_RATIO: (1, 1),
        CallbackFigure.CONTACT: (1, 1),
        CallbackFigure.COMPLETION: (1, 1),
        CallbackFigure.ATTEMPTS_PER_DONE: (1, 1),
        CallbackFigure.SATISFACTION: (5, 6),
        CallbackFigure.GOOD: (0, 0),
        CallbackFigure.PASSED: (0, 0),
        CallbackFigure.STAGE_SATISFACTION: (1, 1),
        CallbackFigure.PM_PRESENCE: (1, 1),
        CallbackFigure.SOLVED: (0, 0),
    }
    assert [(row.name, row.results, row.satisfied) for row in found.groups] == [("KG", 1, 1)]
    assert found.presence == (("刘工", found.figures[CallbackFigure.PM_PRESENCE]),)
    assert found.delays["0"] == 1
    for by in GroupBy:
        lines = (await reader.read(MANAGER, month, by=by)).groups
        if by is GroupBy.PM:
            assert [(row.name, row.mean.value, row.mean.few) for row in lines] == [
                ("刘工", Decimal("60.0"), True)
            ]
        if by is GroupBy.MONTH:
            assert [row.name for row in lines] == ["2026-03"]
    other = FiguresAsked(since=month.since, until=month.until, kind=CallbackType.CONCEALED)
    assert (await reader.read(MANAGER, other)).figures[CallbackFigure.CONTACT].denominator == 0
    with pytest.raises(Forbidden):
        await reader.read(AGENT, month)
    with pytest.raises(Invalid):
        await reader.read(MANAGER, FiguresAsked(since=month.since, until=month.since + timedelta(days=401)))
