"""Notices given, read and forgotten, on both databases."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from crm.notices.domain import NoticeRequest, Party, Severity
from crm.notices.events import NoticesChanged
from crm.notices.rules import shipped
from crm.notices.service import MOST_COUNTED, seed_rules
from crm.notices.tables import Notice, NoticeRead, NoticeRecipient, NoticeRule
from crm.notices.tidy import NoticeTidier
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.errors import Invalid, NotFound
from kernel.ids import new_ulid
from tests.support.notice_board import PARTY, give, read, who_sees
from tests.support.notices import NoticeStage

pytestmark = pytest.mark.integration


ELSEWHERE = ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", "/a\nb", "x")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("limit.warned", {"u-member", "u-agent"}),
        ("limit.breached", {"u-member", "u-head", "u-agent"}),
        ("limit.red", {"u-manager"}),
        ("limit.escalated", {"u-gm"}),
    ],
)
async def test_breach_chain_tells_whom_it_should(stage: NoticeStage, code: str, expected: set[str]) -> None:
    """domain.md §0: 80 % owner, specialist; 100 % the head as well; +3 h manager; +24 h general manager."""
    assert await give(stage, code)
    assert await who_sees(stage) == expected


async def test_a_department_without_a_person_is_its_head(stage: NoticeStage) -> None:
    await give(stage, "limit.warned", party=Party(owner_department="DES"))
    assert await who_sees(stage) == {"u-design"}


async def test_whoever_is_added_by_role_or_department(stage: NoticeStage) -> None:
    also = ("role:finance", "department:ENG", "user:u-gm")
    await give(stage, "limit.red", also=also)
    assert await who_sees(stage) == {"u-manager", "u-head", "u-member", "u-gm"}
    with pytest.raises(Invalid, match="names nobody"):
        await give(stage, "limit.red", key="k2", also=("everybody",))


async def test_the_same_key_is_never_shown_twice(stage: NoticeStage) -> None:
    first = await give(stage)
    assert await give(stage, parameters={"no": "TS20260302-0002"}) is None
    (notice,) = await read(stage, "u-agent")
    assert notice.notice_id == first
    assert notice.parameters["no"] == "TS20260302-0001"
    assert notice.severity is Severity.URGENT


async def test_two_writers_with_one_key_give_one_notice(stage: NoticeStage) -> None:
    given = await asyncio.gather(*(give(stage) for _ in range(5)))
    assert len([one for one in given if one]) == 1
    assert len(await read(stage, "u-agent")) == 1


async def test_nobody_meant_and_a_rule_that_is_off(stage: NoticeStage) -> None:
    assert await give(stage, "limit.warned", party=Party()) is None
    async with stage.database.transaction() as session:
        await seed_rules(session)
        rule = await session.get_one(NoticeRule, "limit.warned")
        rule.active = False
    assert await give(stage, "limit.warned") is None


async def test_seeding_again_keeps_what_was_edited(stage: NoticeStage) -> None:
    async with stage.database.transaction() as session:
        assert await seed_rules(session) == len(shipped().notices)
        rule = await session.get_one(NoticeRule, "limit.red")
        rule.recipients = ["role:supervisor"]
        rule.severity = "info"
    async with stage.database.transaction() as session:
        assert await seed_rules(session) == 0
    await give(stage, "limit.red")
    assert await who_sees(stage) == set()
    stage.people.staff["u-lead"] = (Role.SUPERVISOR, None)
    (notice,) = await read(stage, "u-lead")
    assert notice.severity is Severity.INFO


@pytest.mark.parametrize("link", ELSEWHERE)
async def test_links_lead_to_our_own_pages_only(stage: NoticeStage, link: str) -> None:
    with pytest.raises(Invalid, match="link"):
        await give(stage, link=link)


async def test_unknown_codes_and_bad_keys_are_refused(stage: NoticeStage) -> None:
    with pytest.raises(Invalid, match="no rule"):
        await give(stage, "limit.unheard_of")
    with pytest.raises(Invalid, match="key"):
        await give(stage, key="")
    with pytest.raises(Invalid, match="parameters"):
        await give(stage, parameters={str(n): "x" for n in range(31)})


async def test_hostile_parameters_are_cut_and_flattened(stage: NoticeStage) -> None:
    await give(stage, parameters={"no": "a\r\nb\x00\u202ec", "limit": "x" * 1_000_000})
    (notice,) = await read(stage, "u-agent")
    assert notice.parameters["no"] == "a b c"
    assert len(notice.parameters["limit"]) == 200


async def test_reading_is_ones_own(stage: NoticeStage) -> None:
    notice_id = await give(stage)
    assert notice_id
    agent, head, stranger = (stage.actor(user) for user in ("u-agent", "u-head", "u-design"))
    assert (await stage.board.unread(agent), await stage.board.unread(head)) == (1, 1)
    marked = await stage.board.mark_read(agent, notice_id)
    assert marked.read_at == stage.clock.now()
    assert isinstance(stage.clock, FakeClock)
    stage.clock.advance(timedelta(minutes=5))
    assert (await stage.board.mark_read(agent, notice_id)).read_at == marked.read_at
    assert (await stage.board.unread(agent), await stage.board.unread(head)) == (0, 1)
    for notice in (notice_id, new_ulid()):
        with pytest.raises(NotFound):
            await stage.board.mark_read(stranger, notice)
    assert [one.notice_id for one in await read(stage, "u-head", which="unread")] == [notice_id]
    assert not await read(stage, "u-agent", which="unread")


async def test_all_read_leaves_what_came_since(stage: NoticeStage) -> None:
    for n in range(3):
        await give(stage, key=f"k{n}")
        await asyncio.sleep(0.002)  # ids of one millisecond have no order
    shown = await read(stage, "u-agent")
    await give(stage, key="later")
    agent = stage.actor("u-agent")
    assert await stage.board.mark_all_read(agent, up_to=shown[0].notice_id) == 3
    assert await stage.board.unread(agent) == 1
    assert await stage.board.mark_all_read(agent) == 1
    assert await stage.board.mark_all_read(agent) == 0


async def test_pages_of_the_list(stage: NoticeStage) -> None:
    for n in range(7):
        await give(stage, "limit.warned" if n % 2 else "limit.breached", key=f"k{n}")
    agent, seen, cursor = stage.actor("u-agent"), list[str](), None
    while True:
        page = await stage.board.page(agent, cursor=cursor, limit=3)
        seen += [item.notice_id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)
    assert len(await read(stage, "u-agent", which="urgent")) == 4
    with pytest.raises(Invalid, match="cursor"):
        await stage.board.page(agent, cursor="'; drop table notice")


async def test_the_count_ends_at_a_hundred(stage: NoticeStage) -> None:
    for n in range(MOST_COUNTED + 5):
        await give(stage, "limit.red", key=f"k{n}")
    assert await stage.board.unread(stage.actor("u-manager")) == MOST_COUNTED


async def test_pages_are_told_after_the_commit_and_not_of_what_was_undone(stage: NoticeStage) -> None:
    async with stage.bus.subscribe(NoticesChanged, name="test") as changes:
        with contextlib.suppress(RuntimeError):
            async with stage.database.transaction() as session:
                await stage.notices.give(session, NoticeRequest(code="limit.red", key="k", party=PARTY))
                raise RuntimeError
        notice_id = await give(stage, "limit.red", key="k")
        told = await changes.get()
        assert isinstance(told, NoticesChanged)
        assert told.targets == ("role:manager",)
        assert notice_id
        await stage.board.mark_read(stage.actor("u-manager"), notice_id)
        told = await changes.get()
        assert isinstance(told, NoticesChanged)
        assert told.targets == ("user:u-manager",)


async def test_what_expired_is_gone_and_old_ones_are_forgotten(stage: NoticeStage, clock: FakeClock) -> None:
    await give(stage, key="short", expires_at=clock.now() + timedelta(hours=1))
    kept = await give(stage, key="long")
    assert kept
    await stage.board.mark_read(stage.actor("u-agent"), kept)
    clock.advance(timedelta(hours=2))
    assert [notice.notice_id for notice in await read(stage, "u-agent")] == [kept]
    clock.advance(timedelta(days=89))
    tidier = NoticeTidier(stage.database, clock)
    assert await tidier.run_once() == 0
    clock.advance(timedelta(days=2))
    assert await tidier.run_once() == 2
    async with stage.database.session() as session:
        for table in (Notice, NoticeRecipient, NoticeRead):
            assert (await session.execute(select(func.count()).select_from(table))).scalar_one() == 0
