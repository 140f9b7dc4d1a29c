"""What follows from callbacks: tickets at once, refusals, forms, notices, hand-over; each done once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from callback_campaigns.dial_attempts import to_attempt
from callback_campaigns.domain.early_media import Announcement, HeardBefore
from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Effect, Moved, TaskStatus
from callback_campaigns.domain.terms import Channel, Outcome, Verdict
from callback_campaigns.forms import Forms
from callback_campaigns.talk_tables import CallbackFormRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.people_tables import DoNotCallRow
from crm.tables import Contact, CustomerPhone, Project
from crm.ticket_tables import TicketRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import NotFound
from tests.support.callback_effects import Followed, make_followed
from tests.support.talks import GOOD, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def done(sqlite: Database, clock: FakeClock) -> Followed:
    return await make_followed(await centre_with_talks(sqlite, clock))


async def test_on_both_databases_a_talk_and_what_follows_from_it(
    database: Database, clock: FakeClock
) -> None:
    done = await make_followed(await centre_with_talks(database, clock))
    talk = await done.centre.press(await done.centre.talk(), **(GOOD | {"KG5": "2", "KG2": "3"}))
    talk = await done.centre.press(talk, KG2="1")
    await done.centre.talks.voice(talk.talk_id, "KG10", "a/2.wav", 20)
    await done.centre.finish(talk, TalkEnding.DO_NOT_CALL)
    await done.follow()
    await done.follow(again=True)
    assert await done.tickets() == {"KG5": ("CS", "ENG")}
    async with database.session() as session:
        assert len((await session.scalars(select(DoNotCallRow))).all()) == 1


async def change(done: Followed, **fields: object) -> None:
    """Make the task what a test needs."""
    async with done.centre.callbacks.database.transaction() as session:
        row = (await session.scalars(select(CallbackTaskRow))).one()
        for name, value in fields.items():
            setattr(row, name, value)


async def test_CB5_a_decisive_bad_answer_is_a_ticket_while_the_call_is_on(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="3")
    await done.follow()
    assert await done.tickets() == {"KG1": ("DES", "ENG")}
    (case,) = await done.cases()
    assert (case.call_id, case.source) == (talk.attempt_id, "callback")
    assert "都没到" in case.content
    assert (await done.centre.task()).status is TaskStatus.TALKING
    # What they say about it comes after the ticket, and belongs to it.
    await done.centre.talks.voice(talk.talk_id, "KG1", "t/KG1.wav", 9)
    async with done.centre.callbacks.database.session() as session:
        assert list(await session.scalars(select(TicketRow.recording_ref))) == ["t/KG1.wav"]
    await done.follow(again=True)
    talk = await done.centre.finish(await done.centre.press(talk, **(GOOD | {"KG1": "3"})))
    await done.follow()
    await done.follow(again=True)
    assert await done.tickets() == {"KG1": ("DES", "ENG")}
    assert talk.verdict is Verdict.DISSATISFIED


async def test_other_bad_answers_are_tickets_when_the_talk_has_ended_however_it_ended(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="1", KG2="3")
    await done.follow()
    assert await done.tickets() == {}
    await done.centre.finish(talk, TalkEnding.BROKEN_OFF)
    await done.follow()
    assert await done.tickets() == {"KG2": ("DES",)}
    assert (await done.centre.task()).status is TaskStatus.RETRY_WAIT


async def test_two_neutral_answers_are_a_care_ticket_for_customer_service(done: Followed) -> None:
    keys = GOOD | {"KG2": "2", "KG4": "2"}
    await done.centre.finish(await done.centre.press(await done.centre.talk(), **keys))
    await done.follow()
    assert await done.tickets() == {"neutral": ("CS",)}


async def test_a_serious_answer_goes_to_the_manager_s_department_and_a_person_calls(done: Followed) -> None:
    await done.centre.finish(await done.centre.press(await done.centre.talk(), **(GOOD | {"KG5": "2"})))
    await done.follow()
    assert await done.tickets() == {"KG5": ("CS", "ENG")}
    assert {case.kind for case in await done.cases()} == {"ticket", "complaint"}
    assert await done.notices() == ["callback.call"]


async def test_a_bad_score_alone_is_a_ticket_as_well(done: Followed) -> None:
    talk = await done.centre.press(
        await done.centre.talk(), KG1="1", KG2="1", KG3="1", KG4="1", KG5="1", KG7="1"
    )
    await done.centre.finish(talk)
    await done.follow()
    assert await done.tickets() == {"KG7": ("CS",)}
    assert "请先听录音" in (await done.cases())[0].content


async def test_level_A_dissatisfied_tells_the_manager_and_the_head_calls(done: Followed) -> None:
    await change(done, level="A", channel="agent")
    talk = await done.centre.talk(channel=Channel.AGENT)
    talk = await done.centre.press(talk, **(GOOD | {"KG1": "3"}), KG6="1", KG8="1")
    talk = await done.centre.write(talk, "KG10", "交底没人来")
    await done.centre.finish(talk)
    await done.follow()
    assert "请部门主管在受理时限内致电客户" in (await done.cases())[0].content
    assert sorted(await done.notices()) == ["callback.bad", "callback.manager"]


async def test_do_not_call_by_key_is_on_the_list_and_on_the_record(done: Followed) -> None:
    talk = await done.centre.finish(await done.centre.talk(), TalkEnding.DO_NOT_CALL)
    await done.follow()
    await done.follow(again=True)
    async with done.centre.callbacks.database.session() as session:
        (entry,) = (await session.scalars(select(DoNotCallRow))).all()
        line = (await session.scalars(select(Contact).where(Contact.channel == "callback"))).one()
    assert (entry.level, entry.source) == (1, "key9")
    assert (line.ref, line.result) == (talk.talk_id, "do_not_call")


async def test_a_wrong_number_is_the_store_s_to_correct(done: Followed) -> None:
    await done.centre.finish(await done.centre.talk(), TalkEnding.WRONG_PERSON)
    await done.follow()
    assert await done.notices() == ["callback.number"]
    assert await done.tickets() == {}


async def unreached(done: Followed, level: str = "B") -> None:
    """Let the last attempt fail."""
    await change(done, level=level)
    task = await done.centre.task()
    effects: tuple[Effect, ...] = (Effect.SEND_FORM,)
    if level == "A":
        effects = (Effect.TO_PERSON, Effect.TELL_MANAGER)
    async with done.centre.callbacks.database.transaction() as session:
        over = replace(task, status=TaskStatus.UNREACHED, ended_at=done.centre.clock.now())
        await done.centre.callbacks.tasks.apply(
            session, task.task_id, "not_reached", lambda _: Moved(over, effects), by="timers"
        )
    await done.follow()


async def test_CB7_levels_B_and_C_get_the_form_and_it_counts_when_it_comes_back(done: Followed) -> None:
    await unreached(done)
    await done.follow(again=True)
    (message,) = await done.messages()
    link = message.parameters["link"]
    assert message.template == "callback.form"
    assert link.startswith("https://cc.example.com/f/")
    forms = Forms(done.centre.callbacks.desk.office, done.centre.talks)
    token = link.rsplit("/", 1)[1]
    talk = await forms.open(token)
    assert talk.channel is Channel.SMS_FORM
    assert "KG6" in [item.id for item in talk.items]
    keys = {**GOOD, "KG6": "1", "KG2": "3"}
    answers = {}
    for name, key in keys.items():
        item = talk.item(name)
        assert item is not None
        option = item.at_key(key)
        assert option is not None
        answers[name] = Answer(values=(option.value,))
    shown = frozenset(item.id for item in talk.items)
    more = await forms.send_in(token, answers, shown - {"KG6"})
    assert more.ended is None
    talk = await forms.send_in(token, answers, shown)
    assert talk.ended is TalkEnding.FINISHED
    task = await done.centre.task()
    assert (task.status, task.channel) == (TaskStatus.DONE, Channel.SMS_FORM)
    for again in (token, "x" * 32, "short"):
        with pytest.raises(NotFound):
            await forms.open(again)
        assert await forms.was_sent_in(again) is (again == token)  # sent twice, it is thanked for twice
    await done.follow()
    assert "KG2" in await done.tickets()


async def test_a_form_ends_after_seven_days_and_only_its_hash_is_kept(done: Followed) -> None:
    await unreached(done)
    token = (await done.messages())[0].parameters["link"].rsplit("/", 1)[1]
    async with done.centre.callbacks.database.session() as session:
        (row,) = (await session.scalars(select(CallbackFormRow))).all()
    assert token not in row.token_hash
    done.centre.clock.advance(timedelta(days=7))
    with pytest.raises(NotFound):
        await Forms(done.centre.callbacks.desk.office, done.centre.talks).open(token)


async def test_CB7_level_A_is_taken_on_by_a_person_and_the_manager_hears(done: Followed) -> None:
    await unreached(done, level="A")
    assert sorted(await done.notices()) == ["callback.person", "callback.unreached"]
    assert await done.messages() == []


@pytest.mark.parametrize(
    ("effect", "states"),
    [
        (Effect.HANDOVER_YES, {"N": "Y", "S": "Y", "X": "Y", "Y": "Y", "W": "W"}),
        (Effect.HANDOVER_FAILED, {"N": "X", "S": "X", "Y": "Y"}),
        (Effect.HANDOVER_NOT_REACHED, {"S": "N", "N": "N", "Y": "Y"}),
    ],
)
async def test_the_completion_callback_moves_the_hand_over(
    done: Followed, effect: Effect, states: dict[str, str]
) -> None:
    task = await done.centre.task()
    for before, after in states.items():
        async with done.centre.callbacks.database.transaction() as session:
            project = (await session.scalars(select(Project))).one()
            project.stage, project.delivery_state = 80, before
            await done.centre.callbacks.tasks.follow_up(session, task.task_id, effect)
        await done.follow()
        async with done.centre.callbacks.database.session() as session:
            assert (await session.scalars(select(Project.delivery_state))).one() == after


async def test_a_number_that_does_not_exist_is_told_where_attempts_move(done: Followed) -> None:
    attempt = await done.centre.dial(answer=False)
    await done.centre.hang_up(attempt, Outcome.EMPTY)
    await done.follow()
    assert await done.notices() == ["callback.number"]
    assert (await done.centre.task()).status is TaskStatus.BAD_NUMBER


@pytest.mark.parametrize("said", [Announcement.EMPTY, Announcement.SUSPENDED], ids=lambda said: said.value)
async def test_a_number_is_marked_by_what_the_network_said_of_it(done: Followed, said: Announcement) -> None:
    attempt = await done.centre.dial(answer=False)
    heard = HeardBefore(announcement=said, text="您拨打的电话……", sure=0.95)
    await done.centre.hang_up(attempt, Outcome.EMPTY, heard)
    async with done.centre.callbacks.database.session() as session:
        phone = (await session.scalars(select(CustomerPhone))).one()
        row = (await session.scalars(select(DialAttemptRow))).one()
    assert phone.bad_reason == {"empty": "empty", "suspended": "out_of_service"}[said.value]
    assert to_attempt(row).heard == heard


async def test_the_record_shows_each_talk_with_what_it_came_to(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), **GOOD)
    await done.centre.talks.voice(talk.talk_id, "KG10", "a/2.wav", 20)
    await done.centre.finish(talk)
    await done.follow()
    async with done.centre.callbacks.database.session() as session:
        line = (await session.scalars(select(Contact).where(Contact.channel == "callback"))).one()
    assert (line.result, line.detail["title"], line.detail["voices"]) == ("satisfied", "开工回访", 1)
    assert line.detail["call_id"] == talk.attempt_id


async def test_a_question_after_a_thaw_is_put_to_somebody(done: Followed) -> None:
    task = await done.centre.task()
    async with done.centre.callbacks.database.transaction() as session:
        await done.centre.callbacks.tasks.follow_up(session, task.task_id, Effect.ASK_IF_NEEDED)
    await done.follow()
    assert await done.notices() == ["callback.needed"]


@pytest.mark.parametrize(("key", "status"), [("1", "verified"), ("3", "converted")])
async def test_REVISIT_verifies_the_ticket_or_makes_a_complaint_of_it(
    done: Followed, key: str, status: str
) -> None:
    first = await done.centre.task()
    await done.centre.finish(await done.centre.press(await done.centre.talk(), **(GOOD | {"KG1": "3"})))
    await done.follow()
    (ticket,) = await done.cases()
    await done.solved(ticket, first)
    _, again = await done.centre.callbacks.all()
    talk = await done.centre.talks.open(again.task_id, attempt_id=None, channel=Channel.VISIT, by="李")
    talk = await done.centre.press(talk, **(GOOD | {"KG1": key}), KG6="1")
    await done.follow()
    await done.centre.finish(talk)
    await done.follow()
    await done.follow(again=True)
    cases = await done.cases()
    assert [case.status for case in cases if case.id == ticket.id] == [status]
    assert await done.tickets() == {"KG1": ("DES", "ENG")}, "no second ticket about the same"
    assert len(cases) == (2 if status == "converted" else 1)


async def test_a_wrong_number_is_marked_when_the_talk_ends(done: Followed) -> None:
    await done.centre.finish(await done.centre.talk(), TalkEnding.WRONG_PERSON)
    async with done.centre.callbacks.database.session() as session:
        phone = (await session.scalars(select(CustomerPhone))).one()
    assert (phone.bad_reason, phone.bad_since) == ("wrong_person", done.centre.clock.now())
