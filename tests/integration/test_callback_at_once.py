"""What domain.md §3 asks of single answers: a leak, an old problem, consent; and of the end of a callback."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from callback_campaigns.domain.figures import CallbackFigure
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Channel, Outcome
from callback_campaigns.figures import FiguresAsked, FiguresReader
from callback_campaigns.rule_files import shipped_plan
from callback_campaigns.talk_facts import facts_of
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.project import Stage
from crm.tables import Project
from crm.ticket_tables import OpinionNotice, TicketRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.callback_effects import Followed, make_followed
from tests.support.people import MANAGER
from tests.support.talks import GOOD, centre_with_talks
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
async def done(sqlite: Database, clock: FakeClock) -> Followed:
    return await make_followed(await centre_with_talks(sqlite, clock))


async def change(done: Followed, **fields: object) -> None:
    """Make the task what a test needs."""
    async with done.centre.callbacks.database.transaction() as session:
        row = (await session.scalars(select(CallbackTaskRow))).one()
        for name, value in fields.items():
            setattr(row, name, value)


async def test_JG2_a_leak_is_a_repair_order_of_severity_2_while_the_call_is_on_and_one_only(
    done: Followed,
) -> None:
    await change(done, kind="JG", category="warranty", point="M1")
    talk = await done.centre.press(await done.centre.talk(), JG1="1", JG2="2")
    await done.follow()
    (repair,) = await done.cases()
    assert (repair.kind, repair.severity, repair.source) == ("repair", 2, "callback")
    assert (repair.status, repair.call_id) == ("registered", talk.attempt_id)
    # Lists show what it is about.
    assert repair.summary.startswith("竣工客户回访：有没有漏水、渗水的情况？客户回答：有")
    assert (await done.centre.task()).status is TaskStatus.TALKING
    await done.centre.finish(await done.centre.press(talk, JG4="1", JG5="1"))
    await done.follow()
    await done.follow(again=True)
    assert await done.repairs(talk.task_id) == {"JG2": 2}
    assert len(await done.cases()) == 1, "neither twice, nor a ticket besides"
    assert await done.tickets() == {}


async def test_JG3_JG4_cracks_are_a_repair_and_a_dead_socket_one_of_severity_2(done: Followed) -> None:
    await change(done, kind="JG", category="warranty", point="M6")
    talk = await done.centre.press(await done.centre.talk(), JG1="1", JG2="1", JG3="2", JG4="2", JG7="4")
    await done.centre.finish(talk)
    await done.follow()
    assert await done.repairs(talk.task_id) == {"JG3": 1, "JG4": 2}


async def test_JG2_who_tracks_the_repair_hears_that_the_answer_is_another_one(done: Followed) -> None:
    await change(done, kind="JG", category="warranty", point="M1")
    talk = await done.centre.press(await done.centre.talk(), JG1="1", JG2="2")
    await done.follow()
    await done.centre.press(talk, JG2="1")
    await done.follow()
    assert await done.repairs(talk.task_id) == {"JG2": 2}
    assert "ticket.corrected" in await done.notices()


async def test_YB7_CB6_an_old_problem_is_fed_back_again_while_the_call_is_on(done: Followed) -> None:
    talk = await done.centre.finish(
        await done.centre.press(await done.centre.talk(), **(GOOD | {"KG2": "3"}))
    )
    await done.centre.hang_up(talk.attempt_id or "")
    await done.follow()
    callbacks, office = done.centre.callbacks, done.centre.callbacks.desk.office
    project_id = (await done.centre.task()).project_id
    assert project_id is not None
    await callbacks.desk.reach(project_id, Stage.CONCEALED, office.today())
    await callbacks.tell()
    done.centre.clock.advance(timedelta(days=1, hours=1))
    await callbacks.bring_due()
    await done.centre.press(await done.centre.talk(1), YB7="2")
    await done.follow()
    assert await done.tickets() == {"KG2": ("DES",), "YB7-reopen": ("DES",)}
    async with done.centre.callbacks.database.session() as session:
        rows = (await session.scalars(select(TicketRow).order_by(TicketRow.case_id))).all()
        assert [row.fed_back for row in rows] == [1, 2]
        (notice,) = (await session.scalars(select(OpinionNotice))).all()
    assert notice.case_id == rows[1].case_id, "fed back twice and not solved in time: one level up"


async def test_JG8_is_never_asked_again_after_a_2(done: Followed) -> None:
    await change(done, kind="JG", category="warranty", point="M1")
    talk = await done.centre.talk()
    assert "JG8" in [item.id for item in talk.items]
    await done.centre.finish(await done.centre.press(talk, JG1="1", JG2="1", JG4="1", JG5="1", JG8="2"))
    await done.follow()
    async with done.centre.callbacks.database.session() as session:
        facts = await facts_of(session, await done.centre.task(), today=done.centre.clock.now().date())
    assert facts["marketing_consent"] == "refused"


@pytest.mark.parametrize(("level", "thanked"), [("A", ["callback.thanks"]), ("B", [])])
async def test_WG_a_customer_of_level_A_is_thanked_by_the_manager(
    done: Followed, level: str, thanked: list[str]
) -> None:
    await change(done, kind="WG", level=level, channel="agent")
    async with done.centre.callbacks.database.transaction() as session:
        project = (await session.scalars(select(Project))).one()
        project.stage, project.delivery_state = 85, "S"
    talk = await done.centre.talk(channel=Channel.AGENT)
    keys = {item.id: "5" if item.overall else "1" for item in talk.items if item.kind.has_options}
    talk = await done.centre.press(talk, **keys)
    await done.centre.finish(await done.centre.write(talk, "WG14", "没有了"))
    await done.follow()
    assert [code for code in await done.notices() if code == "callback.thanks"] == thanked


async def test_an_attempt_is_settled_though_next_year_s_holidays_are_not_loaded(done: Followed) -> None:
    centre = done.centre
    centre.clock.advance(at("2026-12-31 18:00") - centre.clock.now())
    attempt = await centre.dial(answer=False)
    await centre.hang_up(attempt, Outcome.NO_ANSWER)
    task = await centre.task()
    assert (task.status, len(task.tried)) == (TaskStatus.RETRY_WAIT, 1)
    assert task.due_at >= at("2026-12-31 20:00")


async def test_dissatisfied_to_solved_is_counted_against_the_tickets_that_were_due(done: Followed) -> None:
    talk = await done.centre.finish(
        await done.centre.press(await done.centre.talk(), **(GOOD | {"KG1": "3"}))
    )
    await done.follow()
    assert talk.ended is not None
    reader = FiguresReader(done.centre.callbacks.desk.office, shipped_plan())

    async def solved(**changes: object) -> tuple[int, int]:
        async with done.centre.callbacks.database.transaction() as session:
            ticket = (await session.scalars(select(TicketRow))).one()
            for name, value in changes.items():
                setattr(ticket, name, value)
        month = FiguresAsked(since=at("2026-03-01 00:00"), until=at("2026-04-01 00:00"))
        found = (await reader.read(MANAGER, month)).figures[CallbackFigure.SOLVED]
        return int(found.numerator), int(found.denominator)

    assert await solved() == (0, 0), "the department still has time"
    done.centre.clock.advance(timedelta(days=2))
    assert await solved() == (0, 1), "nobody has asked again yet"
    assert await solved(verified_at=done.centre.clock.now()) == (1, 1)
    assert await solved(waived_why="客户出国") == (0, 1)
