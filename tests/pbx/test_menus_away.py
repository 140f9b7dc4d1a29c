"""FastAGI, the prompts or the voice are away: no caller hears silence (architecture.md §7)."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from app import pbx as pbx_settings
from app.container import Role
from tests.support.days import CALLER, Day, at_work, beginning, over
from tests.support.sipp import customer
from tests.support.waiting import eventually

# One centre for all of them: each day ends with nobody on the line and everybody signed out.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Day]:
    async with beginning(tmp_path_factory.mktemp("days")) as day:
        yield day


@pytest_asyncio.fixture(loop_scope="module")
async def day(shared: Day) -> AsyncIterator[Day]:
    yield shared
    await over(shared)


async def hears_and_reaches_a_person(
    day: Day, *, longest_silence: float, queues: tuple[str, ...] = ("service",)
) -> None:
    """A customer presses nothing, is never left in silence, and talks with whoever comes to work."""
    async with customer(day.centre.pbx, number=CALLER) as caller:
        await caller.until("answered", within=10)
        await eventually(lambda: caller.ear.packets > 200, timeout=15, what="four seconds of listening")
        assert caller.ear.loudness() > 100
        assert caller.ear.silences(longer_than=longest_silence) == ()
        async with at_work(day) as phone:
            call = await phone.rings(within=20)
            await call.answer()
            call_id = (await day.call_is("talking")).call_id
            await caller.hang_up()
            found = await day.stored(call_id)
            assert (found.result, found.agent) == ("ANSWERED", "1001")
            assert found.queue in queues
            await day.saves()


async def test_the_menus_are_gone(day: Day) -> None:
    await day.centre.restart_service(frozenset({Role.TELEPHONY, Role.WEB}))
    try:
        await hears_and_reaches_a_person(day, longest_silence=1.5)
    finally:
        await day.centre.restart_service()


async def test_the_prompts_are_gone_from_the_disk(day: Day) -> None:
    clips = pbx_settings.prompts_dir(day.centre.settings) / "clips"
    aside = clips.with_name("aside")
    clips.rename(aside)
    clips.mkdir()
    try:
        # This customer has a complaint open, and goes where those go, unless that is not known in time.
        await hears_and_reaches_a_person(day, longest_silence=2.0, queues=("complaint", "service"))
    finally:
        shutil.rmtree(clips)
        aside.rename(clips)


async def test_the_voice_and_its_prompts_are_gone(day: Day) -> None:
    centre, runtime, settings = day.centre, day.centre.pbx.runtime, day.centre.settings
    clips = pbx_settings.prompts_dir(settings) / "clips"
    aside, nowhere = clips.with_name("aside"), clips.with_name("no-espeak-ng")
    await centre.stop_service()
    clips.rename(aside)
    clips.mkdir()
    lost = replace(runtime.espeak, program=nowhere, loader=None)
    centre.pbx = replace(centre.pbx, runtime=replace(runtime, tools={**runtime.tools, "espeak": lost}))
    # Nor is another one found.
    voice = settings.voice.model_copy(update={"espeak": str(nowhere)})
    # Sentences with a company's own name in them do not come with the program.
    own_name = settings.centre.model_copy(update={"company": "和美装饰"})
    centre.settings = settings.model_copy(update={"voice": voice, "centre": own_name})
    try:
        await centre.restart_service()
        await hears_and_reaches_a_person(day, longest_silence=2.0)
    finally:
        centre.pbx, centre.settings = replace(centre.pbx, runtime=runtime), settings
        shutil.rmtree(clips)
        aside.rename(clips)
        await centre.restart_service()
