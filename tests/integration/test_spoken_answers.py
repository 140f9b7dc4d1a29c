"""What customers say after the tone: a problem is a ticket and a worse result, a wish a call; once each."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from callback_campaigns.answer_text import AnswerTexts
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Verdict
from callback_campaigns.events import VoiceKept
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_tables import CallbackTalkSetRow, CallbackVoiceRow
from crm.domain.spoken import Opinion, Spoken, TextProgress
from crm.tables import CallbackRequest, Contact
from crm.ticket_tables import TicketRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.callback_effects import Followed, make_followed
from tests.support.talks import GOOD, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration

LEAK = Spoken(
    state=TextProgress.DONE,
    raw="卫生间漏水了没人管",
    text="卫生间漏水了，没人管",
    model="fake",
    opinion=Opinion.DISSATISFIED,
    sure=0.9,
    topics=("防水",),
    class_code=1,
)
UNSURE = Spoken(
    state=TextProgress.DONE, text="凑合吧", opinion=Opinion.DISSATISFIED, sure=0.6, topics=("凑合",)
)
PRAISE = Spoken(state=TextProgress.DONE, text="挺好的", opinion=Opinion.SATISFIED, sure=0.9)
CALL = Spoken(
    state=TextProgress.DONE, text="请给我回个电话", opinion=Opinion.CALL, sure=0.85, wants_call=True
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def done(sqlite: Database, clock: FakeClock) -> Followed:
    return await make_followed(await centre_with_talks(sqlite, clock))


async def says(done: Followed, talk: Talk, item_id: str, spoken: Spoken) -> CallbackVoiceRow:
    """Record something, and have it understood; told and kept twice it is the same."""
    path = f"{talk.talk_id}/{item_id or 'message'}.wav"
    await done.centre.talks.voice(talk.talk_id, item_id, path, 6)
    office = done.centre.callbacks.desk.office
    texts = AnswerTexts(office)
    async with office.database.transaction() as session:
        row = (await session.scalars(select(CallbackVoiceRow).where(CallbackVoiceRow.path == path))).one()
        assert await texts.waits(session, row.id) is True
        assert await texts.waits(session, row.id) is False
        await texts.keep(session, row.id, spoken)
    await done.follow()
    await done.follow(again=True)
    async with office.database.session() as session:
        return await session.get_one(CallbackVoiceRow, row.id)


async def one_ticket(done: Followed) -> TicketRow:
    async with done.centre.callbacks.database.session() as session:
        return (await session.scalars(select(TicketRow))).one()


async def test_a_problem_after_good_marks_is_a_ticket_and_makes_the_result_worse(
    database: Database, clock: FakeClock
) -> None:
    done = await make_followed(await centre_with_talks(database, clock))
    talk = await done.centre.press(await done.centre.talk(), **GOOD)
    talk = await done.centre.finish(talk)
    assert talk.verdict is Verdict.SATISFIED
    voice = await says(done, talk, "KG10", LEAK)
    assert (voice.transcript, voice.said_raw, voice.class_code) == (LEAK.text, LEAK.raw, 1)
    assert await done.tickets() == {f"KG10-{voice.id}": ("ENG",)}
    ticket = await one_ticket(done)
    assert (ticket.answer, ticket.recording_ref, ticket.class_code) == (LEAK.text, voice.path, 1)
    task = await done.centre.task()
    assert task.finding is not None
    assert (task.finding.verdict, task.finding.departments) == (Verdict.DISSATISFIED, ("ENG",))
    assert LEAK.text in task.finding.explanation
    async with database.session() as session:
        one = (await session.scalars(select(CallbackTalkSetRow))).one()
        line = (await session.scalars(select(Contact).where(Contact.channel == "callback"))).one()
    assert (one.verdict, line.result) == ("dissatisfied", "dissatisfied")


async def test_understood_while_the_call_is_on_the_ticket_is_there_at_once_and_the_result_follows(
    done: Followed,
) -> None:
    talk = await done.centre.press(await done.centre.talk(), **GOOD)
    voice = await says(done, talk, "", LEAK)
    assert await done.tickets() == {f"message-{voice.id}": ("ENG",)}
    assert (await done.centre.task()).status is TaskStatus.TALKING
    await done.centre.finish(talk)
    await done.follow()
    task = await done.centre.task()
    assert task.finding is not None
    assert task.finding.verdict is Verdict.DISSATISFIED
    assert (await done.centre.talks.get(talk.talk_id)).verdict is Verdict.DISSATISFIED


async def test_words_after_a_bad_answer_are_put_on_its_ticket(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), **(GOOD | {"KG2": "3"}))
    assert await done.tickets() == {}
    await says(done, talk, "KG2", LEAK)
    assert await done.tickets() == {"KG2": ("DES",)}
    assert (await one_ticket(done)).answer.endswith(f"（客户留言：{LEAK.text}）")
    await done.centre.finish(talk)
    await done.follow()
    await done.follow(again=True)
    assert await done.tickets() == {"KG2": ("DES",)}


async def test_what_is_not_certain_is_for_a_person(done: Followed) -> None:
    talk = await done.centre.finish(await done.centre.press(await done.centre.talk(), **GOOD))
    voice = await says(done, talk, "KG10", UNSURE)
    assert (voice.opinion, voice.class_code, voice.heard_at) == ("dissatisfied", None, None)
    assert await done.tickets() == {}
    task = await done.centre.task()
    assert task.finding is not None
    assert task.finding.verdict is Verdict.SATISFIED


async def test_praise_makes_nothing_better(done: Followed) -> None:
    talk = await done.centre.finish(
        await done.centre.press(await done.centre.talk(), **(GOOD | {"KG1": "3"}))
    )
    await done.follow()
    before = await done.tickets()
    voice = await says(done, talk, "KG10", PRAISE)
    assert voice.class_code == 0
    task = await done.centre.task()
    assert task.finding is not None
    assert task.finding.verdict is Verdict.DISSATISFIED
    assert await done.tickets() == before


async def test_who_wants_a_call_waits_for_one(done: Followed) -> None:
    talk = await done.centre.finish(await done.centre.press(await done.centre.talk(), **GOOD))
    await says(done, talk, "KG10", CALL)
    async with done.centre.callbacks.database.session() as session:
        wish = (await session.scalars(select(CallbackRequest))).one()
    assert (wish.call_id, wish.open_key) == (talk.attempt_id, wish.e164)
    assert await done.tickets() == {}


async def test_what_a_person_has_classified_is_theirs(done: Followed) -> None:
    talk = await done.centre.finish(await done.centre.press(await done.centre.talk(), **GOOD))
    path = f"{talk.talk_id}/KG10.wav"
    await done.centre.talks.voice(talk.talk_id, "KG10", path, 6)
    async with done.centre.callbacks.database.transaction() as session:
        row = (await session.scalars(select(CallbackVoiceRow))).one()
        row.class_code, row.classed_at, row.classed_by = 0, done.centre.clock.now(), "李娜"
        await AnswerTexts(done.centre.callbacks.desk.office).keep(session, row.id, LEAK)
    await done.follow()
    assert await done.tickets() == {}


async def test_of_somebody_else_s_words_nothing_follows(done: Followed) -> None:
    talk = await done.centre.talk()
    await done.centre.finish(talk, TalkEnding.WRONG_PERSON)
    await says(done, talk, "", LEAK)
    assert await done.tickets() == {}


async def test_what_decides_the_result_is_heard_first(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="3")
    for item_id in ("KG1", "KG10"):
        await done.centre.talks.voice(talk.talk_id, item_id, f"t/{item_id}.wav", 6)
    done.centre.clock.advance(timedelta(seconds=1))
    told = [fact for fact in await done.facts() if isinstance(fact, VoiceKept)]
    assert [(fact.path, fact.decisive) for fact in told] == [("t/KG1.wav", True), ("t/KG10.wav", False)]
