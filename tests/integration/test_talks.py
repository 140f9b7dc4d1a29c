"""Talks in the database: answers kept at once, tasks moved by them, nothing lost or told twice."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from callback_campaigns.domain.questionnaire import Answer, NoSuchAnswer
from callback_campaigns.domain.questionnaire_plan import ChannelRefused
from callback_campaigns.domain.result import ComplaintNotAccepted, ResultCode
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Effect, TaskStatus
from callback_campaigns.domain.terms import Channel, Outcome, Verdict
from callback_campaigns.events import CallbackMoved
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.talk_access import NotYourTalk
from callback_campaigns.talk_sweep import TalkSweep
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackVoiceRow
from callback_campaigns.talks import Talk, TalkOver
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.machine import IllegalStep
from crm.tables import Project, ServiceCase
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.people import AGENT, MANAGER, actor
from tests.support.talks import BY, GOOD, TalkCentre, centre_with_talks
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.integration

HR = actor(Role.HR)
FEW = {"KG1": "1", "KG2": "1"}
ENOUGH = {"KG1": "1", "KG2": "1", "KG3": "1", "KG4": "1"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def centre(sqlite: Database, clock: FakeClock) -> TalkCentre:
    return await centre_with_talks(sqlite, clock)


def sweep(centre: TalkCentre) -> TalkSweep:
    callbacks = centre.callbacks
    return TalkSweep(callbacks.desk.office, callbacks.tasks, centre.talks, shipped_dialling())


async def rows(centre: TalkCentre) -> Sequence[CallbackAnswerRow]:
    async with centre.callbacks.database.session() as session:
        return (await session.scalars(select(CallbackAnswerRow).order_by(CallbackAnswerRow.id))).all()


async def test_a_whole_talk_gives_its_task_a_result(centre: TalkCentre) -> None:
    talk = await centre.talk()
    assert [item.id for item in talk.items] == [*GOOD, "KG9", "KG10"]
    assert (talk.customer.elder, talk.questionnaire.code, talk.questionnaire.number) == (False, "KG", 1)
    talk = await centre.press(talk, **GOOD)
    assert talk.next_item is not None
    assert talk.next_item.id == "KG9"
    for item_id in ("KG9", "KG10"):
        talk = await centre.talks.skip(talk.talk_id, item_id, by=BY)
    assert talk.next_item is None
    talk = await centre.finish(talk)
    task = await centre.task()
    assert (talk.ended, talk.verdict, talk.score) == (TalkEnding.FINISHED, Verdict.SATISFIED, 100)
    assert (task.status, task.result_code) == (TaskStatus.DONE, ResultCode.NO_PROBLEM)
    assert (task.answered, task.attempt_id) == (6, None)


async def test_the_talk_may_be_quicker_than_the_news_that_somebody_answered(centre: TalkCentre) -> None:
    attempt = await centre.dial(answer=False)
    task = await centre.task()
    open_it = centre.talks.open
    talk = await open_it(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    assert (await centre.task()).status is TaskStatus.TALKING
    again = await open_it(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    assert again.talk_id == talk.talk_id
    with pytest.raises(Conflict):
        await open_it(task.task_id, attempt_id=new_ulid(), channel=Channel.IVR, by=BY)


async def test_an_answer_told_twice_is_one_and_a_correction_keeps_the_original(centre: TalkCentre) -> None:
    talk = await centre.press(await centre.talk(), KG1="1")
    talk = await centre.press(talk, KG1="1")
    assert len(await rows(centre)) == 1
    talk = await centre.press(talk, KG1="2")
    old, new = await rows(centre)
    assert (old.value, old.replaced_by, old.replaced_why) == ("both_came", new.id, "corrected")
    assert (new.value, new.bad, new.replaced_at) == ("one_came", True, None)
    assert talk.answers["KG1"].values == ("one_came",)
    assert talk.bad == {"KG1"}


async def test_an_answer_names_whom_it_rates_as_they_are_then(centre: TalkCentre) -> None:
    async with centre.callbacks.database.transaction() as session:
        project = (await session.scalars(select(Project))).one()
        project.project_manager = "刘工"
    talk = await centre.press(await centre.talk(), KG4="2")
    async with centre.callbacks.database.transaction() as session:
        (await session.scalars(select(Project))).one().project_manager = "高工"
    await centre.press(talk, KG5="1")
    row, after = await rows(centre)
    assert (row.code, row.number, row.score, row.rated) == ("KG", 1, 60, ",pm,crew,")
    assert (row.project_manager, after.project_manager) == ("刘工", "高工")
    assert row.crew_id


async def test_what_is_not_asked_or_no_answer_is_refused(centre: TalkCentre) -> None:
    talk = await centre.talk()
    for item_id, answer in (
        ("KG8", Answer(values=("satisfied",))),
        ("KG1", Answer(values=("maybe",))),
        ("KG1", Answer(text="都到了")),
        ("KG10", Answer()),
    ):
        with pytest.raises(NoSuchAnswer):
            await centre.talks.answer(talk.talk_id, item_id, answer, by=BY)
    with pytest.raises(NotFound):
        await centre.talks.get(new_ulid())


async def test_hung_up_midway_with_60_percent_it_is_kept(centre: TalkCentre) -> None:
    talk = await centre.finish(await centre.press(await centre.talk(), **ENOUGH), TalkEnding.BROKEN_OFF)
    task = await centre.task()
    assert (task.status, talk.verdict) == (TaskStatus.PARTIAL, Verdict.SATISFIED)


async def test_hung_up_earlier_it_is_tried_again_and_the_answers_are_still_there(centre: TalkCentre) -> None:
    attempt = await centre.dial()
    task = await centre.task()
    talk = await centre.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    await centre.finish(await centre.press(talk, **FEW), TalkEnding.BROKEN_OFF)
    task = await centre.task()
    assert (task.status, task.answered) == (TaskStatus.RETRY_WAIT, 2)
    await centre.hang_up(attempt)
    centre.clock.advance(task.due_at - centre.clock.now())
    await centre.callbacks.bring_due()
    talk = await centre.talk()
    assert set(talk.answers) == set(FEW)
    assert talk.next_item is not None
    assert talk.next_item.id == "KG3"
    talk = await centre.press(talk, KG3="1", KG4="1")
    await centre.finish(talk, TalkEnding.BROKEN_OFF)
    assert (await centre.task()).status is TaskStatus.PARTIAL


async def test_an_end_told_twice_ends_once(centre: TalkCentre) -> None:
    talk = await centre.finish(await centre.press(await centre.talk(), **GOOD))
    task = await centre.task()
    assert await centre.finish(talk, TalkEnding.BROKEN_OFF) == talk
    assert await centre.task() == task
    with pytest.raises(TalkOver):
        await centre.talks.end(talk.talk_id, TalkEnding.REFUSED, by="李", actor=AGENT)
    with pytest.raises(TalkOver):
        await centre.press(talk, KG1="2")


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (TalkEnding.REFUSED, TaskStatus.REFUSED),
        (TalkEnding.DO_NOT_CALL, TaskStatus.REFUSED),
        (TalkEnding.WRONG_PERSON, TaskStatus.BAD_NUMBER),
    ],
)
async def test_other_endings_move_the_task(centre: TalkCentre, how: TalkEnding, status: TaskStatus) -> None:
    talk = await centre.finish(await centre.press(await centre.talk(), **FEW), how)
    assert (await centre.task()).status is status
    kept = [row.item_id for row in await rows(centre) if row.replaced_at is None]
    assert kept == ([] if how is TalkEnding.WRONG_PERSON else list(FEW))
    assert talk.ended is how


async def test_an_appointment_is_kept_and_must_lie_ahead(centre: TalkCentre) -> None:
    talk = await centre.talk()
    end = centre.talks.end
    with pytest.raises(Invalid):
        await end(talk.talk_id, TalkEnding.APPOINTED, by=BY)
    with pytest.raises(Invalid):
        await end(talk.talk_id, TalkEnding.APPOINTED, by=BY, appointed=centre.clock.now())
    for closed in ("2026-03-04 03:00", "2026-03-04 20:27"):  # at night; and too late for so many questions
        with pytest.raises(Invalid):
            await end(talk.talk_id, TalkEnding.APPOINTED, by=BY, appointed=at(closed))
    when = at("2026-03-04 15:00")
    await end(talk.talk_id, TalkEnding.APPOINTED, by=BY, appointed=when)
    task = await centre.task()
    assert (task.status, local(task.due_at)) == (TaskStatus.APPOINTED, "2026-03-04 15:00")


async def test_a_person_goes_on_where_the_machine_stopped(centre: TalkCentre) -> None:
    talk = await centre.press(await centre.talk(), KG1="1")
    talk = await centre.finish(talk, TalkEnding.TO_AGENT)
    assert (talk.ended, talk.channel, talk.handed_over) == (None, Channel.AGENT, True)
    assert "KG6" in [item.id for item in talk.items]
    assert set(talk.answers) == {"KG1"}
    found = await centre.talks.of_task(talk.task_id)
    assert found is not None
    assert found.talk_id == talk.talk_id
    answer = Answer(values=("satisfied",))
    with pytest.raises(NotYourTalk):
        await centre.talks.answer(talk.talk_id, "KG2", answer, by="李静", actor=AGENT)
    talk = await centre.talks.take_over(talk.talk_id, AGENT)
    talk = await centre.talks.answer(talk.talk_id, "KG2", answer, by="李静", actor=AGENT)
    assert [row.channel for row in await rows(centre)] == ["ivr", "agent"]


async def test_who_works_no_callbacks_talks_to_nobody(centre: TalkCentre) -> None:
    talk = await centre.talk()
    for step in (
        centre.talks.open(talk.task_id, attempt_id=None, channel=Channel.AGENT, by="x", actor=HR),
        centre.talks.answer(talk.talk_id, "KG1", Answer(values=("both_came",)), by="x", actor=HR),
        centre.talks.skip(talk.talk_id, "KG1", by="x", actor=HR),
        centre.talks.end(talk.talk_id, TalkEnding.FINISHED, by="x", actor=HR),
    ):
        with pytest.raises(Forbidden):
            await step


async def test_level_A_is_not_asked_by_a_machine(centre: TalkCentre) -> None:
    task = await centre.task()
    async with centre.callbacks.database.transaction() as session:
        (await session.get_one(CallbackTaskRow, task.task_id)).level = "A"
    with pytest.raises(ChannelRefused):
        await centre.talk()


async def test_CB4_nothing_about_a_case_while_a_complaint_waits_to_be_accepted(centre: TalkCentre) -> None:
    task = await centre.task()
    async with centre.callbacks.database.transaction() as session:
        (await session.get_one(CallbackTaskRow, task.task_id)).category = "case"
        session.add(
            ServiceCase(
                id=new_ulid(),
                no="TS202603020001",
                kind="complaint",
                status="handed_off",
                customer_id=task.customer_id,
                summary="漏水",
                severity=1,
                opened_at=centre.clock.now(),
            )
        )
    with pytest.raises(ComplaintNotAccepted):
        # A call of ours is refused before; what is written down without one as well.
        await centre.talks.open(task.task_id, attempt_id=None, channel=Channel.AGENT, by=BY)


async def test_CB12_what_is_written_down_on_a_later_day_is_marked(centre: TalkCentre) -> None:
    talk = await centre.press(await centre.talk(), **GOOD)
    talk = await centre.talks.take_over(talk.talk_id, AGENT)
    heard = centre.clock.now()
    centre.clock.advance(timedelta(days=1))
    later = centre.clock.now() + timedelta(minutes=1)
    with pytest.raises(Invalid):
        await centre.talks.end(talk.talk_id, TalkEnding.FINISHED, by="李", actor=AGENT, heard_at=later)
    talk = await centre.talks.end(talk.talk_id, TalkEnding.FINISHED, by="李", actor=AGENT, heard_at=heard)
    task = await centre.task()
    assert talk.late
    assert task.finding is not None
    assert task.finding.done_at == heard


async def test_CB2_a_problem_has_code_explanation_and_departments(centre: TalkCentre) -> None:
    talk = await centre.press(await centre.talk(), **(GOOD | {"KG5": "2"}))
    talk = await centre.talks.take_over(talk.talk_id, MANAGER)
    await centre.talks.end(talk.talk_id, TalkEnding.FINISHED, by="李", actor=MANAGER, explanation="收了现金")
    found = (await centre.task()).finding
    assert found is not None
    assert (found.code, found.problem_code) == (ResultCode.PROBLEM, "KG5")
    assert found.departments == ("MGR", "ENG")
    assert found.explanation == "收了现金\n有没有人向您收取合同以外的费用？有"


async def test_an_open_question_is_answered_by_voice_even_after_hanging_up(centre: TalkCentre) -> None:
    talk = await centre.press(await centre.talk(), KG1="3")
    await centre.talks.voice(talk.talk_id, "KG1", "a/1.wav", 12.5)
    await centre.talks.voice(talk.talk_id, "KG10", "a/2.wav", 20)
    await centre.talks.voice(talk.talk_id, "KG10", "a/2.wav", 20)
    await centre.finish(talk, TalkEnding.BROKEN_OFF)
    await centre.talks.voice(talk.talk_id, "KG2", "a/3.wav", 3)
    talk = await centre.talks.get(talk.talk_id)
    assert {name: [voice.path for voice in found] for name, found in talk.voices.items()} == {
        "KG1": ["a/1.wav"],
        "KG10": ["a/2.wav"],
        "KG2": ["a/3.wav"],
    }
    assert talk.answers["KG10"].voice == talk.voices["KG10"][0].voice_id
    async with centre.callbacks.database.session() as session:
        assert len((await session.scalars(select(CallbackVoiceRow))).all()) == 3


async def test_our_process_died_midway_and_the_sweep_ends_the_talk(centre: TalkCentre) -> None:
    attempt = await centre.dial()
    task = await centre.task()
    talk = await centre.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    await centre.press(talk, **ENOUGH)
    centre.clock.advance(timedelta(hours=1))
    assert await sweep(centre).run_once() == 0
    await centre.hang_up(attempt)
    assert await sweep(centre).run_once() == 0
    centre.clock.advance(timedelta(minutes=2))
    assert await sweep(centre).run_once() == 1
    assert await sweep(centre).run_once() == 0
    assert (await centre.task()).status is TaskStatus.PARTIAL
    assert (await centre.talks.get(talk.talk_id)).ended is TalkEnding.BROKEN_OFF


async def swept(centre: TalkCentre, **pressed: str) -> Talk:
    """Return a talk that the sweep took for over, though its customer is still on the line."""
    attempt = await centre.dial()
    task = await centre.task()
    talk = await centre.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=Channel.IVR, by=BY)
    await centre.press(talk, **pressed)
    await centre.hang_up(attempt)
    centre.clock.advance(timedelta(minutes=2))
    assert await sweep(centre).run_once() == 1
    return await centre.talks.get(talk.talk_id)


async def test_a_survey_goes_on_that_the_sweep_took_for_over(centre: TalkCentre) -> None:
    talk = await swept(centre, **FEW)
    assert ((await centre.task()).status, talk.ended) == (TaskStatus.RETRY_WAIT, TalkEnding.BROKEN_OFF)
    talk = await centre.press(talk, **{name: key for name, key in GOOD.items() if name not in FEW})
    assert talk.ended is None
    talk = await centre.finish(talk)
    assert ((await centre.task()).status, talk.ended) == (TaskStatus.DONE, TalkEnding.FINISHED)


@pytest.mark.parametrize(
    ("pressed", "how", "status", "never"),
    [
        (FEW, TalkEnding.DO_NOT_CALL, TaskStatus.REFUSED, True),
        (FEW, TalkEnding.REFUSED, TaskStatus.REFUSED, False),
        (ENOUGH, TalkEnding.DO_NOT_CALL, TaskStatus.PARTIAL, True),
        (FEW, TalkEnding.WRONG_PERSON, TaskStatus.BAD_NUMBER, False),
    ],
)
async def test_a_wish_is_heeded_though_the_sweep_took_the_talk_for_over(
    centre: TalkCentre, pressed: dict[str, str], how: TalkEnding, status: TaskStatus, never: bool
) -> None:
    talk = await swept(centre, **pressed)
    for _ in range(2):
        talk = await centre.finish(talk, how)
    assert ((await centre.task()).status, talk.ended) == (status, how)
    async with centre.callbacks.database.session() as session:
        facts = [decode(row.payload) for row in await session.scalars(select(OutboxRow))]
    told = [word for fact in facts if isinstance(fact, CallbackMoved) for word in fact.effects]
    assert told.count(Effect.DO_NOT_CALL) == never


async def test_a_customer_wants_no_more_calls_while_the_task_was_given_up(centre: TalkCentre) -> None:
    """As when the doubt about the call was settled under way, and it was the last one allowed."""
    talk = await centre.press(await centre.talk(), **FEW)
    async with centre.callbacks.database.transaction() as session:
        row = await session.get_one(CallbackTaskRow, talk.task_id)
        row.status, row.result_code, row.current_key, row.attempt_id = "unreached", "not_reached", None, None
    talk = await centre.finish(talk, TalkEnding.DO_NOT_CALL)
    assert talk.ended is TalkEnding.DO_NOT_CALL
    async with centre.callbacks.database.session() as session:
        facts = [decode(row.payload) for row in await session.scalars(select(OutboxRow))]
    assert any(Effect.DO_NOT_CALL in fact.effects for fact in facts if isinstance(fact, CallbackMoved))


async def test_somebody_answered_and_nobody_asked_so_it_is_tried_again(centre: TalkCentre) -> None:
    attempt = await centre.dial()
    await centre.hang_up(attempt)
    centre.clock.advance(timedelta(minutes=2))
    assert await sweep(centre).run_once() == 1
    task = await centre.task()
    assert task.status is TaskStatus.RETRY_WAIT
    assert [one.outcome for one in task.tried] == [Outcome.ANSWERED]


async def test_a_customer_who_was_not_reached_is_asked_at_a_visit(centre: TalkCentre) -> None:
    task = await centre.task()
    async with centre.callbacks.database.transaction() as session:
        row = await session.get_one(CallbackTaskRow, task.task_id)
        row.status, row.result_code, row.current_key = "unreached", "not_reached", None
    opened = await centre.talks.open(task.task_id, attempt_id=None, channel=Channel.VISIT, by="李")
    assert "KG6" in [item.id for item in opened.items]
    talk = await centre.press(opened, **GOOD, KG6="1")
    await centre.finish(talk)
    task = await centre.task()
    assert (task.status, task.channel, task.result_code) == (
        TaskStatus.DONE,
        Channel.VISIT,
        ResultCode.NO_PROBLEM,
    )
    with pytest.raises(IllegalStep):
        await centre.talks.open(task.task_id, attempt_id=None, channel=Channel.VISIT, by="李")


async def test_RT_asks_a_customer_whose_work_goes_on_about_the_work(centre: TalkCentre) -> None:
    async with centre.callbacks.database.transaction() as session:
        (await session.scalars(select(CallbackTaskRow))).one().kind = "RT"
        (await session.scalars(select(Project))).one().stage = 60
    talk = await centre.talk()
    assert talk.questionnaire.code == "YB"


async def test_a_questionnaire_that_was_begun_is_gone_on_with_as_it_was(centre: TalkCentre) -> None:
    await centre.finish(await centre.press(await centre.talk(), **FEW), TalkEnding.BROKEN_OFF)
    view = await centre.book.get(MANAGER, "KG")
    draft = await centre.book.save_draft(MANAGER, "KG", view.text + "\n", expected=view.version)
    await centre.book.publish(MANAGER, "KG", why="改字", expected=draft.version)
    task = await centre.task()
    assert (await centre.talks.asks(task.task_id)).number == 1
    assert (await centre.book.published("KG")).number == 2
