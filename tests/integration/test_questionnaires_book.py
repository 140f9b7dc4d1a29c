"""The book of questionnaires: shipped sets, drafts, publishing, versions that never change."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from callback_campaigns.domain.questionnaire_problems import QuestionnaireInvalid
from callback_campaigns.questionnaire_book import NoDraft, QuestionnaireBook
from callback_campaigns.questionnaire_sets import SHIPPED, shipped_text
from crm.journal import Journal
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id=new_ulid(), name="孟岚", role=Role.MANAGER)
AGENT = Actor(user_id=new_ulid(), name="李静", role=Role.AGENT)
CHANGED = shipped_text("KG").replace("您满意吗？", "您觉得怎么样？")


def book_on(database: Database, clock: FakeClock) -> QuestionnaireBook:
    return QuestionnaireBook(database, clock, Journal(AuditLog(database, clock)))


async def test_a_draft_is_published_and_the_old_version_stays_as_it_was(
    database: Database, clock: FakeClock
) -> None:
    book = book_on(database, clock)
    # Another process that ships the same sets at the same time does no harm.
    assert [view.code for view in await book_on(database, clock).all(AGENT)] == list(SHIPPED)
    assert [view.published for view in await book.all(AGENT)] == [1] * len(SHIPPED)

    draft = await book.save_draft(MANAGER, "KG", CHANGED, expected=1)
    assert (draft.draft, draft.published, draft.problems, draft.draft_by) == (CHANGED, 1, (), "孟岚")
    done = await book.publish(MANAGER, "KG", expected=draft.version, why="说法更自然")

    assert (done.published, done.text, done.draft) == (2, CHANGED, None)
    assert [(version.number, version.why) for version in await book.versions(AGENT, "KG")] == [
        (2, "说法更自然"),
        (1, ""),
    ]
    old, new = await book.published("KG", 1), await book.published("KG")
    assert (old.number, new.number) == (1, 2)
    assert old.questionnaire.items[1].ask != new.questionnaire.items[1].ask
    for change in ("UPDATE questionnaire_version SET text = 'x'", "DELETE FROM questionnaire_version"):
        with pytest.raises(DBAPIError, match="never changes"):
            async with database.transaction() as session:
                await session.execute(text(change))
    async with database.session() as session:
        actions = (
            (await session.execute(text("SELECT action FROM audit_record ORDER BY seq"))).scalars().all()
        )
    assert list(actions) == ["questionnaire.draft_saved", "questionnaire.published"]


async def test_a_draft_with_mistakes_is_kept_but_not_published(sqlite: Database, clock: FakeClock) -> None:
    book = book_on(sqlite, clock)
    draft = await book.save_draft(MANAGER, "KG", CHANGED.replace("to: MAT", "to: XX"), expected=1)
    assert draft.problems[0].item == "KG3"
    with pytest.raises(QuestionnaireInvalid):
        await book.publish(MANAGER, "KG", expected=draft.version, why="试试")
    other = await book.save_draft(MANAGER, "YB", CHANGED, expected=1)
    with pytest.raises(QuestionnaireInvalid, match="the text says KG"):
        await book.publish(MANAGER, "YB", expected=other.version, why="试试")
    back = await book.discard_draft(MANAGER, "KG", expected=draft.version)
    assert (back.draft, back.published) == (None, 1)
    with pytest.raises(NoDraft):
        await book.publish(MANAGER, "KG", expected=back.version, why="试试")


async def test_who_may_not_and_what_is_refused(sqlite: Database, clock: FakeClock) -> None:
    book = book_on(sqlite, clock)
    with pytest.raises(Forbidden):
        await book.save_draft(AGENT, "KG", CHANGED, expected=1)
    with pytest.raises(Forbidden):
        await book.publish(AGENT, "KG", expected=1, why="试试")
    with pytest.raises(Forbidden):
        await book.all(Actor(user_id=new_ulid(), name="人事", role=Role.HR))
    with pytest.raises(StaleVersion):
        await book.save_draft(MANAGER, "KG", CHANGED, expected=7)
    with pytest.raises(NotFound):
        await book.save_draft(MANAGER, "QQ", CHANGED, expected=1)
    with pytest.raises(Invalid):
        await book.save_draft(MANAGER, "KG", " ", expected=1)
    with pytest.raises(Invalid, match="why"):
        await book.publish(MANAGER, "KG", expected=1, why=" ")
    with pytest.raises(NotFound):
        await book.published("KG", 9)


async def test_a_questionnaire_of_ones_own(sqlite: Database, clock: FakeClock) -> None:
    book = book_on(sqlite, clock)
    own = shipped_text("LW").replace("LW", "SX").replace("流失客户回访", "随访")
    begun = await book.begin(MANAGER, own)
    assert (begun.code, begun.published, begun.draft) == ("SX", 0, own)
    with pytest.raises(NotFound):
        await book.published("SX")
    with pytest.raises(Conflict):
        await book.begin(MANAGER, own)
    with pytest.raises(NoDraft):
        await book.discard_draft(MANAGER, "SX", expected=begun.version)
    await book.publish(MANAGER, "SX", expected=begun.version, why="新问卷")
    assert (await book.published("SX")).questionnaire.title == "随访"
    assert (await book.all(MANAGER))[-1].code == "SX"
