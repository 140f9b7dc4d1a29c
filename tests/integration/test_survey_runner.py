"""Surveys led over FastAGI by a fake Asterisk: what is heard, what is kept, what becomes of the call."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from callback_campaigns.domain import questionnaire_frame as frame
from callback_campaigns.domain import survey_words as words
from callback_campaigns.domain.survey import MAILBOX
from callback_campaigns.domain.survey_words import Wording
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.events import TalkTicketsWanted
from callback_campaigns.questionnaire_sets import shipped
from callback_campaigns.survey_prompts import PromptKeeper
from callback_campaigns.survey_voice import SurveyVoice
from callback_campaigns.talk_tables import CallbackVoiceRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.notices.events import NoticeWanted
from crm.tables import CallbackRequest, Customer
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.surveys import SurveyCentre, survey_centre
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def site(tmp_path: Path, sqlite: Database, clock: FakeClock) -> AsyncIterator[SurveyCentre]:
    async with survey_centre(tmp_path, sqlite, clock) as made:
        yield made


async def test_a_satisfied_customer_is_done(site: SurveyCentre) -> None:
    attempt = await site.called()
    channel = await site.survey(attempt, "1111115~1~")
    assert channel.variables["HF_NEXT"] == "hangup"
    # Until the last words are said the dialplan would say goodbye, if we died.
    ends = [line for line in channel.commands if "HF_NEXT" in line or "感谢您的配合" in line]
    assert ["parting" in ends[0], "STREAM" in ends[1], "hangup" in ends[2]] == [True] * 3
    assert site.heard(channel)[-1].startswith("感谢您的配合")
    task, talk = await site.task(), await site.talk(attempt)
    assert (task.status, talk.ended, talk.verdict) == (TaskStatus.DONE, TalkEnding.FINISHED, "satisfied")
    assert talk.score == 100
    keys = [(event["Node"], event["Key"]) for event in channel.events]
    assert keys[:3] == [("opening", "1"), ("KG1", "1"), ("KG2", "1")]
    assert {event["Call"] for event in channel.events} == {attempt.attempt_id}


async def test_a_bad_answer_is_told_to_the_departments_while_the_customer_still_speaks(
    site: SurveyCentre,
) -> None:
    attempt = await site.called()
    channel = await site.survey(attempt, "13vX")
    async with site.centre.database.session() as session:
        facts = [decode(payload) for payload in await session.scalars(select(OutboxRow.payload))]
        voice = (await session.scalars(select(CallbackVoiceRow))).one()
    assert [fact.item_id for fact in facts if isinstance(fact, TalkTicketsWanted)] == ["KG1"]
    talk = await site.talk(attempt)
    assert voice.path == f"{talk.talk_id}/KG1.wav"
    assert (site.answers / voice.path).stat().st_size > 8000
    assert frame.AFTER_BAD in site.heard(channel)
    assert channel.played[channel.played.index(f"/said/{frame.AFTER_BAD}") + 1] == "/sounds/tone"


async def test_who_says_nothing_after_the_tone_leaves_no_file(site: SurveyCentre) -> None:
    attempt = await site.called()
    await site.survey(attempt, "13~X")
    assert not list(site.answers.rglob("*.wav"))
    async with site.centre.database.session() as session:
        assert not list(await session.scalars(select(CallbackVoiceRow)))


async def test_the_message_in_the_end_answers_the_open_question(site: SurveyCentre) -> None:
    attempt = await site.called()
    await site.survey(attempt, "11111151v")
    talk = await site.talk(attempt)
    assert talk.answers["KG10"].voice
    assert [voice.path for voice in talk.voices["KG10"]] == [f"{talk.talk_id}/KG10.wav"]


async def test_hanging_up_midway_keeps_what_was_answered_and_goes_on_from_there(
    site: SurveyCentre, clock: FakeClock
) -> None:
    attempt = await site.called()
    await site.survey(attempt, "111X")
    talk, task = await site.talk(attempt), await site.task()
    assert (talk.ended, set(talk.answers)) == (TalkEnding.BROKEN_OFF, {"KG1", "KG2"})
    assert task.status is TaskStatus.RETRY_WAIT
    await site.over(attempt)
    clock.advance(timedelta(days=1))
    await site.centre.bring_due()
    again = await site.dial(task.task_id)
    channel = await site.survey(again, "1111~51~")
    assert not any("交底了吗" in said for said in site.heard(channel))


async def test_silence_ends_as_partial_and_the_task_is_tried_again(site: SurveyCentre) -> None:
    attempt = await site.called()
    channel = await site.survey(attempt, "11~~~~~")
    assert frame.OFFER_AGENT in site.heard(channel)
    assert (await site.talk(attempt)).skipped == {"KG2", "KG3"}
    assert (await site.task()).status is TaskStatus.RETRY_WAIT


async def test_no_more_calls(site: SurveyCentre) -> None:
    attempt = await site.called()
    channel = await site.survey(attempt, "91")
    assert site.heard(channel)[-1] == words.NO_MORE
    assert (await site.talk(attempt)).ended is TalkEnding.DO_NOT_CALL
    assert (await site.task()).status is TaskStatus.REFUSED


async def test_another_time_is_in_the_calling_window(site: SurveyCentre) -> None:
    attempt = await site.called()
    channel = await site.survey(attempt, "22")
    assert "明天上午" in site.heard(channel)[-1]
    task = await site.task()
    assert task.status is TaskStatus.APPOINTED
    assert site.centre.clock.now() < task.due_at < site.centre.clock.now() + timedelta(days=2)


async def test_0_goes_to_the_campaigns_queue_and_the_talk_to_a_person(site: SurveyCentre) -> None:
    attempt = await site.called()
    channel = await site.survey(attempt, "110")
    assert (channel.variables["HF_NEXT"], channel.variables["HF_QUEUE"]) == ("queue", "service")
    talk = await site.talk(attempt)
    assert (talk.ended, talk.handed_over, set(talk.answers)) == (None, True, {"KG1"})
    assert site.heard(channel)[-1] == words.TRANSFER


async def test_out_of_hours_0_takes_a_message_and_offers_another_time(site: SurveyCentre) -> None:
    attempt = await site.called()
    site.open = False
    await site.survey(attempt, "0v2")
    # Who asked for a person in vain waits to be called back, and customer service hears of it.
    talk = await site.talk(attempt)
    async with site.centre.database.session() as session:
        (voice,) = (await session.scalars(select(CallbackVoiceRow))).all()
        wish = (await session.scalars(select(CallbackRequest))).one()
        facts = [decode(payload) for payload in await session.scalars(select(OutboxRow.payload))]
    assert (voice.item_id, wish.e164, wish.call_id) == (MAILBOX, attempt.number, attempt.attempt_id)
    assert wish.customer_id == talk.customer.customer_id
    told = [fact for fact in facts if isinstance(fact, NoticeWanted)]
    assert [(fact.code, fact.link) for fact in told] == [
        ("callback.message", f"/callback-tasks/{talk.task_id}")
    ]
    talk = await site.talk(attempt)
    assert talk.ended is TalkEnding.APPOINTED
    assert (site.answers / talk.talk_id / "mail.wav").is_file()


async def test_an_unknown_or_ended_call_is_taken_leave_of_politely(site: SurveyCentre) -> None:
    attempt = await site.called()
    await site.survey(attempt, "91")
    for attempt_id in (attempt.attempt_id, new_ulid(), "", "1 OR 1=1"):
        channel = await site.survey(attempt_id, "")
        assert channel.variables["HF_NEXT"] == "hangup"
        assert site.heard(channel) == [site.surveys.wording.nothing_to_ask().text]


async def test_without_a_voice_the_dialplan_says_its_own_words(site: SurveyCentre) -> None:
    attempt = await site.called()
    site.voice.mute = True
    channel = await site.survey(attempt, "1")
    assert channel.variables["HF_NEXT"] == ""
    assert (await site.talk(attempt)).ended is TalkEnding.BROKEN_OFF


async def test_a_name_that_was_not_spoken_in_time_is_left_out(site: SurveyCentre) -> None:
    attempt = await site.called_at_work()
    known = await site.surveys.open(attempt.attempt_id)
    opening = known.script.wording.opening(known.talk.questionnaire.questionnaire)
    assert opening.plain, "a project without a community tests nothing"
    site.voice.missing.add(opening.text)
    assert site.heard(await site.survey(attempt, "X")) == [opening.plain]


async def test_everything_of_a_call_is_spoken_before_it_is_dialled(site: SurveyCentre) -> None:
    attempt = await site.called_at_work()
    task = await site.task()
    async with site.centre.database.transaction() as session:
        customer = await session.get_one(Customer, task.customer_id)
        customer.elder_mode = True
    assert await site.surveys.prepare(task.task_id, SurveyVoice(site.voice))
    spoken = {(text, slow) for text, slow, _ in site.voice.asked}
    site.voice.asked.clear()
    await site.survey(attempt, "111111511~")
    said = {(text, slow) for text, slow, _ in site.voice.asked}
    assert said <= spoken
    assert all(slow for _, slow in said)


async def test_a_locked_database_costs_no_answer(site: SurveyCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = await site.called()
    answer, refused = site.talks.answer, 0

    async def busy(*given: object, **named: object) -> object:
        nonlocal refused
        refused += 1
        if refused <= 2:
            raise ConnectionError("database is locked")
        return await answer(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(site.talks, "answer", busy)
    await site.survey(attempt, "1111X")

    async def kept() -> bool:
        return set((await site.talk(attempt)).answers) == {"KG1", "KG2", "KG3"}

    await eventually(kept)
    assert (await site.talk(attempt)).ended is TalkEnding.BROKEN_OFF


async def test_a_fault_of_ours_ends_in_the_dialplans_words_and_keeps_the_answers(
    site: SurveyCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await site.called()

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Wording, "closing", broken)
    channel = await site.survey(attempt, "1111115~")
    assert channel.variables["HF_NEXT"] == ""
    talk = await site.talk(attempt)
    assert (talk.ended, len(talk.answers)) == (TalkEnding.FINISHED, 6)


async def test_what_is_published_or_due_is_spoken_in_the_background(site: SurveyCentre) -> None:
    await site.called_at_work()
    await site.centre.started("李明", "13800138002")
    site.centre.clock.advance(timedelta(days=1))
    await site.centre.bring_due()
    keeper = PromptKeeper(SurveyVoice(site.voice), site.book, site.surveys)
    site.voice.mute = True
    assert not await keeper.look()
    site.voice.mute = False
    site.voice.asked.clear()
    assert await keeper.look()
    made = {text for text, _, _ in site.voice.asked}
    (opening,) = [text for text, _, passing in site.voice.asked if passing]
    assert "锦秋家园" in opening
    assert {frame.AFTER_BAD, words.appointment(words.When).text} <= made
    for code in ("KG", "YB", "ZQ", "WG", "TS", "BX", "JG"):
        item = shipped(code).items[0]
        assert site.surveys.wording.question(item).text in made
    site.voice.asked.clear()
    assert await keeper.look()
    assert site.voice.asked == []


async def test_a_database_that_is_away_ends_in_the_dialplans_words(
    site: SurveyCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await site.called()

    async def away(_: str) -> None:
        raise ConnectionError("no database")

    monkeypatch.setattr(site.surveys, "open", away)
    channel = await site.survey(attempt, "1")
    assert (channel.variables["HF_NEXT"], site.heard(channel)) == ("", [])


async def test_a_level_customers_are_not_asked_by_a_machine(site: SurveyCentre) -> None:
    attempt = await site.called()
    async with site.centre.database.transaction() as session:
        for row in await session.scalars(select(CallbackTaskRow)):
            row.level = "A"
    channel = await site.survey(attempt, "1")
    assert site.heard(channel) == [site.surveys.wording.nothing_to_ask().text]


async def test_a_full_disk_costs_the_message_and_not_the_survey(site: SurveyCentre) -> None:
    site.answers.parent.mkdir(parents=True, exist_ok=True)
    site.answers.write_bytes(b"a file where the folder should be")
    attempt = await site.called()
    await site.survey(attempt, "13111115~1~")
    assert len((await site.talk(attempt)).answers) == 7


async def test_a_locked_database_leaves_nobody_in_silence(site: SurveyCentre) -> None:
    attempt = await site.called()
    path = site.centre.database.engine.url.database
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        # It is still locked when the decision is there: waiting for it would be waiting for ever.
        channel = await site.survey(attempt, "1")
        other.execute("ROLLBACK")
    assert channel.variables["HF_NEXT"] == ""
    await site.runner.close(timedelta(seconds=20))
