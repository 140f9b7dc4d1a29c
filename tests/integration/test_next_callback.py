"""The next callback as an agent sets it when one is over: set, none, repeat (domain.md §1.1; CB-1 link)."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import aiohttp
import pytest

from callback_campaigns.domain.planning import NextAction, NextSetting
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel, Origin
from callback_campaigns.next_setting import NextNotNow
from callback_campaigns.talk_store import Talk
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from tests.support.callback_calls import ready_task
from tests.support.people import AGENT
from tests.support.talks import GOOD, TalkCentre, centre_with_talks
from tests.support.web_stage import Stage, web_stage
from tests.unit.callback_campaigns.times import at, local
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

DAY = date(2026, 3, 10)


@pytest.fixture
async def centre(sqlite: Database) -> TalkCentre:
    return await centre_with_talks(sqlite, FakeClock(at("2026-03-02 15:00")))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path, clock=FakeClock(at("2026-03-02 15:00"))) as found:
        yield found


async def ended(centre: TalkCentre, setting: NextSetting, how: TalkEnding = TalkEnding.FINISHED) -> Talk:
    talk = await centre.talk()
    if how is TalkEnding.FINISHED:
        talk = await centre.press(talk, **GOOD)
    return await centre.talks.end(talk.talk_id, how, by="周晓梅", setting=setting)


async def newest(centre: TalkCentre) -> tuple[Task, Task]:
    first, second = await centre.callbacks.all()
    return first, second


async def test_repeat_asks_the_same_again_linked_to_the_one_that_is_over(centre: TalkCentre) -> None:
    talk = await ended(centre, NextSetting(action=NextAction.REPEAT, on=DAY))
    first, again = await newest(centre)
    assert (first.status, again.kind, again.origin) == (TaskStatus.DONE, first.kind, Origin.NEXT_OF)
    assert (again.previous_id, local(again.due_at)) == (first.task_id, "2026-03-10 09:30")
    assert (talk.next_action, talk.next_task_id) == (NextAction.REPEAT, again.task_id)
    # Told twice it ends once, and nothing more is planned.
    await centre.finish(talk)
    assert len(await centre.callbacks.all()) == 2


async def test_set_plans_another_kind_and_none_plans_nothing(centre: TalkCentre) -> None:
    setting = NextSetting(action=NextAction.SET, kind=CallbackType.RANDOM, on=DAY)
    await ended(centre, setting)
    first, other = await newest(centre)
    assert (other.kind, other.origin, other.previous_id) == (
        CallbackType.RANDOM,
        Origin.NEXT_OF,
        first.task_id,
    )
    steps = (await centre_steps(centre, first.task_id))[-1]
    assert steps == "next_set"


async def centre_steps(centre: TalkCentre, task_id: str) -> list[str]:
    return [step.step for step in (await centre.callbacks.callbacks.get(AGENT, task_id)).steps]


async def test_none_is_written_down(centre: TalkCentre) -> None:
    talk = await ended(centre, NextSetting(action=NextAction.NONE))
    (task,) = await centre.callbacks.all()
    assert (talk.next_action, talk.next_task_id) == (NextAction.NONE, None)
    assert (await centre_steps(centre, task.task_id))[-1] == "next_none"


async def test_what_is_refused_leaves_the_talk_as_it_was(centre: TalkCentre) -> None:
    talk = await centre.press(await centre.talk(), **GOOD)
    for wrong in (
        NextSetting(action=NextAction.REPEAT),
        NextSetting(action=NextAction.SET, on=DAY),
        NextSetting(action=NextAction.REPEAT, on=date(2026, 3, 1)),
        NextSetting(action=NextAction.NONE, on=DAY),
    ):
        with pytest.raises(Invalid):
            await centre.talks.end(talk.talk_id, TalkEnding.FINISHED, by="周晓梅", setting=wrong)
    assert (await centre.talks.get(talk.talk_id)).ended is None
    with pytest.raises(NextNotNow):  # it will be called about once more
        await centre.talks.end(
            talk.talk_id,
            TalkEnding.APPOINTED,
            by="周晓梅",
            appointed=at("2026-03-05 10:00"),
            setting=NextSetting(action=NextAction.REPEAT, on=DAY),
        )
    assert len(await centre.callbacks.all()) == 1


async def test_it_is_set_in_the_agents_end_form(stage: Stage) -> None:
    task_id = await ready_task(stage)
    cookies = {SESSION_COOKIE: await stage.session_secret("agent")}
    async with aiohttp.ClientSession(stage.url, cookies=cookies, headers={"Origin": stage.url}) as agent:
        async with agent.post(f"/api/v1/callback-tasks/{task_id}/talks", json={}) as answer:
            talk = await answer.json()
        for _ in range(30):
            if talk["next_item"] is None:
                break
            path = f"/api/v1/callback-talks/{talk['talk_id']}"
            item = talk["next_item"]
            for given in ({"values": ["1"]}, {"values": ["5"]}, {"values": ["yes"]}, {"text": "好"}):
                async with agent.put(f"{path}/answers/{item}", json=given) as answer:
                    if answer.status == 200:
                        talk = await answer.json()
                        break
            else:
                async with agent.put(f"{path}/skips/{item}", json={}) as answer:
                    talk = await answer.json()
        async with agent.get(f"/callback-tasks/{task_id}") as page:
            text = await page.text()
        assert 'name="next_action"' in text and 'name="next_on"' in text
        body = {"how": "refused", "next_action": "repeat", "next_on": "2026-03-10"}
        async with agent.post(f"/callback-talks/{talk['talk_id']}/end", json=body) as answer:
            shown = await answer.text()
        assert answer.status == 200, shown
        assert "runner-next-done" in shown and "重新回访" in shown
        async with agent.get("/api/v1/callback-tasks?kind=KG&open=true") as listed:
            (again,) = [one for one in (await listed.json())["items"] if one["previous_id"] == task_id]
    assert (again["origin"], again["due_at"][:10]) == ("next_of", "2026-03-10")
    assert Channel.AGENT.value == again["channel"]
