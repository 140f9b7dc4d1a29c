"""Talks in the database: answers kept at once, tasks moved by them, nothing lost or told twice."""


import pytest

from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Verdict
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.talks import GOOD, TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def centre(sqlite: Database, clock: FakeClock) -> TalkCentre:
    return await centre_with_talks(sqlite, clock)


async def test_a_whole_talk_gives_its_task_a_result(centre: TalkCentre) -> None:
    talk = await centre.talk()
    assert [item.id for item in talk.items] == [*GOOD, "KG9", "KG10"]
    talk = await centre.press(talk, **GOOD)
    assert talk.next_item is not None
    assert talk.next_item.id == "KG9"
    talk = await centre.finish(await centre.talks.skip(talk.talk_id, "KG10", by="ivr"))
    task = await centre.task()
    assert (talk.ended, talk.verdict, talk.score) == (TalkEnding.FINISHED, Verdict.SATISFIED, 100)
    assert (task.status, task.result_code) == (TaskStatus.DONE, "no_problem")
