"""Several callbacks to one customer in one call: what joins, what does not, what is asked again."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Channel, Verdict
from callback_campaigns.talk_tables import CallbackAnswerRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.talks import BY, GOOD, TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def centre(sqlite: Database, clock: FakeClock) -> TalkCentre:
    return await centre_with_talks(sqlite, clock)


async def answers(centre: TalkCentre) -> Sequence[CallbackAnswerRow]:
    async with centre.callbacks.database.session() as session:
        return (await session.scalars(select(CallbackAnswerRow).order_by(CallbackAnswerRow.id))).all()


async def second_task(centre: TalkCentre, **changes: Any) -> str:
    """Give the customer another task that is due soon."""
    first = await centre.task()
    task_id = new_ulid()
    known: dict[str, Any] = {
        "id": task_id,
        "key": task_id,
        "current_key": task_id,
        "kind": "YB",
        "category": "site",
        "status": "planned",
        "customer_id": first.customer_id,
        "project_id": first.project_id,
        "level": "B",
        "channel": "ivr",
        "origin": "manual",
        "origin_ref": "x",
        "call_at": centre.clock.now() + timedelta(days=1),
        "tried": [],
        "created_at": centre.clock.now(),
        "tries": 0,
    }
    async with centre.callbacks.database.transaction() as session:
        session.add(CallbackTaskRow(**(known | changes)))
    return task_id


async def test_two_tasks_of_one_customer_are_asked_in_one_call(centre: TalkCentre) -> None:
    other = await second_task(centre)
    talk = await centre.talk()
    assert [one.task_id for one in talk.sets] == [talk.task_id, other]
    asked = [item.id for item in talk.items]
    assert asked[:6] == list(GOOD)
    assert "YB1" in asked
    assert "KG10" not in asked, "other wishes are asked for once"
    talk = await centre.press(talk, **GOOD, YB1="1", YB2="1", YB3="3")
    assert {task.status for task in await centre.callbacks.all()} == {TaskStatus.TALKING, TaskStatus.PLANNED}
    await centre.finish(talk, TalkEnding.BROKEN_OFF)
    first, second = await centre.callbacks.all()
    assert (first.status, second.status, second.answered) == (TaskStatus.DONE, TaskStatus.PLANNED, 3)


async def test_what_was_asked_along_counts_when_enough_was_answered(centre: TalkCentre) -> None:
    await second_task(centre)
    keys = {"YB1": "1", "YB2": "1", "YB3": "3", "YB4": "1", "YB6": "1", "YB9": "5"}
    talk = await centre.finish(await centre.press(await centre.talk(), **GOOD, **keys))
    first, second = await centre.callbacks.all()
    assert (first.status, second.status) == (TaskStatus.DONE, TaskStatus.DONE)
    assert second.attempt_id is None
    assert second.tried == ()
    assert talk.sets[1].verdict is Verdict.SATISFIED


@pytest.mark.parametrize(
    "changes",
    [
        {"call_at": at("2026-03-20 10:00")},
        {"appointed": True},
        {"channel": "agent"},
        {"holds": "customer"},
        {"kind": "KG"},
        {"status": "done"},
    ],
)
async def test_what_does_not_fit_is_left_for_a_call_of_its_own(
    centre: TalkCentre, changes: dict[str, Any]
) -> None:
    await second_task(centre, **changes)
    assert len((await centre.talk()).sets) == 1


async def test_after_key_9_nobody_is_dialled_about_anything_else_at_once(centre: TalkCentre) -> None:
    await second_task(centre, status="ready", call_at=at("2026-03-03 09:00"), kind="RT")
    await centre.finish(await centre.talk(), TalkEnding.DO_NOT_CALL)
    with pytest.raises(AssertionError, match="DO_NOT_CALL"):
        await centre.dial(1)


async def test_what_would_not_end_before_noon_does_not_join(centre: TalkCentre) -> None:
    await second_task(centre)
    centre.clock.advance(at("2026-03-03 11:53") - centre.clock.now())
    assert len((await centre.talk()).sets) == 1


@pytest.mark.parametrize(("carrier", "sets"), [("own", 2), ("alibaba", 1)])
async def test_what_would_not_end_in_the_carriers_hours_does_not_join(
    centre: TalkCentre, carrier: str, sets: int
) -> None:
    """An appointment may last over noon; this carrier ends every call at noon, campaign or not."""
    await second_task(centre)
    centre.clock.advance(at("2026-03-03 11:53") - centre.clock.now())
    database = centre.callbacks.database
    async with database.transaction() as session:
        (await session.get_one(CallbackTaskRow, (await centre.task()).task_id)).appointed = True
    attempt = await centre.dial()
    async with database.transaction() as session:
        (await session.get_one(DialAttemptRow, attempt.attempt_id)).carrier = carrier
    task = await centre.task()
    talk = await centre.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    assert len(talk.sets) == sets


async def test_what_was_not_there_yet_is_asked_again_at_the_next_stage(centre: TalkCentre) -> None:
    talk = await centre.finish(await centre.press(await centre.talk(), **(GOOD | {"KG3": "3"})))
    assert talk.attempt_id is not None
    await centre.hang_up(talk.attempt_id)
    centre.clock.advance(timedelta(days=2))
    now = centre.clock.now()
    await second_task(centre, status="ready", call_at=now)
    talk = await centre.talk(1)
    assert "KG3" in [item.id for item in talk.items]
    talk = await centre.press(talk, KG3="2")
    assert talk.bad == {"KG3"}
    codes = [(row.item_id, row.code) for row in await answers(centre)]
    assert codes[-1] == ("KG3", "YB")
