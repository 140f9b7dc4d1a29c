"""Knowledge articles on both databases: versions, votes, who may write, what is found and offered."""

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from app.demo.articles import demo_articles, seed_articles
from crm.domain.knowledge import Area
from crm.journal import Journal
from crm.knowledge import Knowledge
from crm.knowledge_tables import ArticleVersion
from crm.knowledge_views import ArticleText, ArticleView
from crm.search import Kind
from crm.search_feed import SearchFeed
from crm.search_query import Search
from kernel.access import Actor, Role
from kernel.audit import AuditLog, AuditRow
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid

pytestmark = pytest.mark.integration

SUPERVISOR = Actor(user_id=new_ulid(), name="王主管", role=Role.SUPERVISOR)
AGENT = Actor(user_id=new_ulid(), name="李娜", role=Role.AGENT)
FINANCE = Actor(user_id=new_ulid(), name="邓敏", role=Role.FINANCE)
LEAK = ArticleText(
    area=Area.AFTER_SALE,
    question="家里突然漏水,先做什么?",
    answer="1. 关**总阀**\n2. 拍照",
    keywords=("漏水", "渗水"),
    classes=(8, 1, 1),
)


@pytest.fixture
def knowledge(database: Database, clock: FakeClock) -> Knowledge:
    journal = Journal(AuditLog(database, clock))
    return Knowledge(database, clock, journal, SearchFeed(), zone=SHANGHAI)


async def found(database: Database, query: str) -> list[str]:
    page = await Search(database).search(AGENT, query, kinds=(Kind.ARTICLE,))
    return [hit.ref_id for hit in page.items]


async def test_an_article_is_written_read_and_found(database: Database, knowledge: Knowledge) -> None:
    written = await knowledge.write(SUPERVISOR, LEAK)
    assert (written.number, written.version, written.votes, written.valid) == (1, 1, 0, True)
    assert written.classes == (1, 8)
    assert (written.owner, written.valid_from) == ("王主管", date(2026, 3, 2))
    assert await knowledge.read(AGENT, written.article_id) == written
    assert await found(database, "渗水") == [written.article_id]
    assert await found(database, "总阀 拍照") == [written.article_id]


async def test_a_correction_keeps_what_was(
    database: Database, knowledge: Knowledge, clock: FakeClock
) -> None:
    written = await knowledge.write(SUPERVISOR, LEAK)
    clock.advance(timedelta(hours=1))
    better = ArticleText(area=Area.USE, question="漏水怎么办?", answer="关阀", keywords=("漏水",))
    now = await knowledge.correct(
        SUPERVISOR, written.article_id, better, expected=written.version, why="说短一点"
    )
    assert (now.number, now.answer, now.created_at) == (2, "关阀", written.created_at)
    newest, oldest = await knowledge.versions(AGENT, written.article_id)
    assert (newest.number, newest.why, newest.answer) == (2, "说短一点", "关阀")
    assert (oldest.number, oldest.answer, oldest.saved_by) == (1, LEAK.answer, "王主管")
    with pytest.raises(StaleVersion):
        await knowledge.correct(SUPERVISOR, written.article_id, LEAK, expected=written.version)
    async with database.session() as session:
        actions = (await session.scalars(select(AuditRow.action).order_by(AuditRow.seq))).all()
    assert list(actions) == ["knowledge.written", "knowledge.corrected"]


async def test_the_database_refuses_to_change_a_version(database: Database, knowledge: Knowledge) -> None:
    await knowledge.write(SUPERVISOR, LEAK)
    for statement in (update(ArticleVersion).values(answer="改了"), delete(ArticleVersion)):
        with pytest.raises(DBAPIError, match="never changes"):
            async with database.transaction() as session:
                await session.execute(statement)


async def test_a_withdrawn_article_is_read_but_neither_found_nor_offered(
    database: Database, knowledge: Knowledge
) -> None:
    written = await knowledge.write(SUPERVISOR, LEAK)
    gone = await knowledge.withdraw(SUPERVISOR, written.article_id, expected=1, why="制度改了")
    assert not gone.active and not gone.valid
    assert await knowledge.articles(AGENT) == ()
    assert await knowledge.suggest(AGENT, text="漏水") == ()
    assert await found(database, "漏水") == []
    assert (await knowledge.read(AGENT, written.article_id)).answer == LEAK.answer
    back = await knowledge.correct(SUPERVISOR, written.article_id, LEAK, expected=gone.version)
    assert back.valid
    assert await found(database, "漏水") == [written.article_id]


async def test_an_article_is_offered_only_while_it_holds(knowledge: Knowledge, clock: FakeClock) -> None:
    later = ArticleText(
        area=Area.PRICE,
        question="春季活动价格",
        answer="八折",
        keywords=("活动",),
        valid_from=date(2026, 3, 3),
        valid_to=date(2026, 3, 4),
    )
    await knowledge.write(SUPERVISOR, later)
    assert await knowledge.suggest(AGENT, text="有什么活动") == ()
    clock.advance(timedelta(days=1))
    assert [article.question for article in await knowledge.suggest(AGENT, text="有什么活动")] == [
        "春季活动价格"
    ]
    clock.advance(timedelta(days=2))
    assert await knowledge.suggest(AGENT, text="有什么活动") == ()
    assert len(await knowledge.articles(AGENT, valid_only=False)) == 1


async def test_each_person_votes_once_and_a_vote_is_no_new_version(knowledge: Knowledge) -> None:
    written = await knowledge.write(SUPERVISOR, LEAK)

    async def vote(actor: Actor, *, useful: bool) -> ArticleView:
        return await knowledge.vote(actor, written.article_id, useful=useful)

    assert (await vote(AGENT, useful=True)).votes == 1
    again = await vote(AGENT, useful=True)
    assert (again.votes, again.voted, again.version) == (1, True, written.version)
    assert (await vote(SUPERVISOR, useful=True)).votes == 2
    taken_back = await vote(AGENT, useful=False)
    assert (taken_back.votes, taken_back.voted) == (1, False)
    assert (await vote(AGENT, useful=False)).votes == 1


async def test_articles_fit_a_conversation(
    database: Database, knowledge: Knowledge, clock: FakeClock
) -> None:
    assert await seed_articles(database, clock, zone=SHANGHAI) == len(demo_articles())
    assert await seed_articles(database, clock, zone=SHANGHAI) == 0
    offered = await knowledge.suggest(
        AGENT, text="客户说卫生间漏水", menu_path=("报修",), class_code=1, limit=3
    )
    assert offered[0].question == "家里突然漏水，应该先做什么？"
    assert len(offered) == 3
    assert len(await knowledge.suggest(AGENT, text="漏水" * 500_000, limit=2)) == 1
    assert await found(database, "甲醛")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"question": " "}, "question"),
        ({"question": "问" * 121}, "question"),
        ({"answer": "\n\u200b"}, "answer"),
        ({"answer": "答" * 1_000_000}, "answer"),
        ({"keywords": ("水",)}, "keywords"),
        ({"classes": (11,)}, "classes"),
        ({"valid_from": date(2026, 3, 2), "valid_to": date(2026, 3, 1)}, "valid_to"),
    ],
)
async def test_bad_articles_are_refused(knowledge: Knowledge, changes: dict[str, object], field: str) -> None:
    text = ArticleText(**({"area": Area.USE, "question": "问", "answer": "答"} | changes))  # type: ignore[arg-type]
    with pytest.raises(Invalid) as caught:
        await knowledge.write(SUPERVISOR, text)
    assert caught.value.field == field
    assert await knowledge.articles(AGENT, valid_only=False) == ()


async def test_only_some_write_and_only_some_read(knowledge: Knowledge) -> None:
    written = await knowledge.write(SUPERVISOR, LEAK)
    with pytest.raises(Forbidden):
        await knowledge.write(AGENT, LEAK)
    with pytest.raises(Forbidden):
        await knowledge.correct(AGENT, written.article_id, LEAK, expected=1)
    with pytest.raises(Forbidden):
        await knowledge.withdraw(AGENT, written.article_id, expected=1, why="x")
    for asked in (
        knowledge.read(FINANCE, written.article_id),
        knowledge.suggest(FINANCE, text="漏水"),
        knowledge.vote(FINANCE, written.article_id),
    ):
        with pytest.raises(Forbidden):
            await asked
    for missing in (new_ulid(), "nope"):
        with pytest.raises(NotFound):
            await knowledge.read(AGENT, missing)
