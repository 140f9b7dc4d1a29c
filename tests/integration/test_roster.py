"""The lists an administrator keeps: agents, queues, memberships and codes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from telephony.agent_events import RosterChanged
from telephony.dispositions import DispositionBook
from telephony.domain.agent_state import Stance
from telephony.domain.queue import Membership
from tests.support.agents import QUEUES, Centre, Heard, centre

pytestmark = pytest.mark.integration


@pytest.fixture
async def here(database: Database, clock: FakeClock) -> Centre:
    return await centre(database, clock)


async def test_the_codes_a_new_centre_starts_with(here: Centre) -> None:
    await here.roster.seed_codes()
    pauses = await here.roster.pause_reasons()
    assert [(item.code, item.label_zh) for item in pauses] == [
        ("lunch", "午休"),
        ("break", "短休"),
        ("training", "培训"),
        ("meeting", "会议"),
        ("outbound", "外呼"),
        ("other", "其他"),
    ]
    assert {"no_answer", "tab_asleep"} <= {i.code for i in await here.roster.pause_reasons(all_of_them=True)}
    assert [
        item.label_zh for item, _ in (await DispositionBook(here.database, here.clock).tree()).walk()
    ] == [
        "咨询已答复",
        "已登记投诉",
        "已登记报修",
        "转其他部门",
        "客户挂断",
        "骚扰/打错",
        "需回电",
    ]


async def test_agents_are_known_by_their_number(here: Centre) -> None:
    again = await here.roster.put_agent(number="1001", name=" 李  静 ", sip_password="another1001")
    assert again == here.jing
    (jing, wei) = await here.roster.agents()
    assert (jing.name, jing.sip_password, wei.number) == ("李 静", "another1001", "1002")


@pytest.mark.parametrize(
    ("number", "name", "password"),
    [
        ("1", "李静", "phone1001"),
        ("1001\n", "李静", "phone1001"),
        ("１００１", "李静", "phone1001"),
        ("1003", "", "phone1001"),
        ("1003", "长" * 41, "phone1001"),
        ("1003", "李\x00静", "phone1001"),
        ("1003", "李静", "short"),
        ("1003", "李静", "with space and ;"),
        ("1003", "李静", "密码密码密码密码"),
    ],
)
async def test_agents_that_cannot_be(here: Centre, number: str, name: str, password: str) -> None:
    with pytest.raises(Invalid):
        await here.roster.put_agent(number=number, name=name, sip_password=password)
    assert len(await here.roster.agents()) == 2


async def test_queues_keep_their_settings(here: Centre) -> None:
    changed = replace(QUEUES[1], wrap_up=timedelta(seconds=45), position=9, strategy="leastrecent")
    await here.roster.put_queue(changed)
    assert await here.roster.queues() == [QUEUES[0], QUEUES[2], changed]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Repair"},
        {"name": "re pair"},
        {"name": "x;y"},
        {"ring_timeout": timedelta(0)},
        {"wrap_up": timedelta(seconds=-1)},
        {"answer_within": timedelta(0)},
    ],
)
async def test_queues_that_cannot_be(here: Centre, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await here.roster.put_queue(replace(QUEUES[1], **changes))  # type: ignore[arg-type]


async def test_memberships_are_replaced_as_a_whole_and_told(here: Centre) -> None:
    await here.desk.sign_in(here.jing)
    before = here.follower.plans["1001"].version
    async with Heard(here.bus, RosterChanged) as heard:
        await here.roster.set_memberships(here.jing, {"complaint": 2})
    assert [event.agent_ids for event in heard.events if isinstance(event, RosterChanged)] == [(here.jing,)]
    book = await here.desk.member_book()
    (plan,) = [plan for plan in book.plans if plan.number == "1001"]
    assert plan.memberships == (Membership("complaint", 2),)
    assert plan.stance == Stance(present=True)
    assert plan.version > before
    assert book.queues == {"complaint", "repair", "service"}


async def test_memberships_that_cannot_be(here: Centre) -> None:
    with pytest.raises(NotFound):
        await here.roster.set_memberships(here.jing, {"no_such": 0})
    with pytest.raises(NotFound):
        await here.roster.set_memberships("nobody", {"repair": 0})
    with pytest.raises(Invalid):
        await here.roster.set_memberships(here.jing, {"repair": -1})
    assert (await here.desk.state(here.jing)).queues == (Membership("repair", 0), Membership("service", 5))


async def test_who_left_is_no_agent_any_more(here: Centre) -> None:
    with pytest.raises(NotFound):
        await here.roster.retire_agent("nobody")
    await here.desk.sign_in(here.jing)
    await here.roster.retire_agent(here.jing)
    assert [agent.number for agent in await here.roster.agents()] == ["1002"]
