"""What is told once, and what no longer holds: corrected answers, wrong persons, the customer's time line."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.task_tables import CallbackTaskRow
from crm.complaint_tables import CaseHandoff
from crm.limits import LimitBook
from crm.tables import Contact, CustomerPhone, ServiceCase
from crm.ticket_tables import TicketPart, TicketRow
from kernel.clock import FakeClock
from kernel.db import Database
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


async def lines(done: Followed) -> list[Contact]:
    """Return the callbacks on the customer's time line, oldest first."""
    query = select(Contact).where(Contact.channel == "callback").order_by(Contact.at, Contact.id)
    async with done.centre.callbacks.database.session() as session:
        return list(await session.scalars(query))


async def signed(done: Followed) -> None:
    """Let a department begin."""
    async with done.centre.callbacks.database.transaction() as session:
        part = (await session.scalars(select(TicketPart).order_by(TicketPart.position))).first()
        assert part is not None
        part.status = "in_hand"


async def test_an_answer_that_is_taken_back_withdraws_its_ticket_and_may_come_again(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="3")
    await done.follow()
    talk = await done.centre.press(talk, KG1="1")
    await done.follow()
    await done.follow(again=True)
    (case,) = await done.cases()
    assert case.status == "closed"
    async with done.centre.callbacks.database.session() as session:
        assert set(await session.scalars(select(TicketPart.status))) == {"unfounded"}
        assert set(await session.scalars(select(CaseHandoff.state))) == {"rejected"}
        assert (await session.scalars(select(TicketPart.settled_why))).first() == "答案已更正：都到了"
        open_limits = await LimitBook(done.centre.clock).timers(session, [case.id])
        assert not [timer for timer in open_limits[case.id] if timer.is_open]
    assert await done.notices() == []
    # They meant it after all: another ticket, and no feedback of the same problem for the second time.
    await done.centre.press(talk, KG1="2")
    await done.follow()
    first, second = await done.cases()
    assert (first.status, second.status) == ("closed", "open")
    assert (await done.tickets())["KG1"] == ("DES",)
    async with done.centre.callbacks.database.session() as session:
        assert (await session.get_one(TicketRow, second.id)).fed_back == 1


async def test_a_ticket_that_somebody_works_on_stays_and_says_that_the_answer_was_corrected(
    done: Followed,
) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="3")
    await done.follow()
    await signed(done)
    await done.centre.press(talk, KG1="1")
    await done.follow()
    await done.follow(again=True)
    (case,) = await done.cases()
    async with done.centre.callbacks.database.session() as session:
        ticket = await session.get_one(TicketRow, case.id)
    assert (case.status, ticket.answer) == ("open", "都没到（答案已更正：都到了）")
    assert await done.notices() == ["ticket.corrected"]


async def test_a_ticket_that_is_a_complaint_is_not_taken_back_by_a_key(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG5="2")
    await done.follow()
    await done.centre.press(talk, KG5="1")
    await done.follow()
    assert [case.status for case in await done.cases() if case.kind == "ticket"] == ["converted"]
    assert await done.notices() == ["ticket.corrected"]


async def test_what_was_corrected_before_anybody_looked_is_no_ticket(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="3")
    await done.centre.press(talk, KG1="1")
    await done.follow()
    assert await done.cases() == []


async def test_what_somebody_said_who_was_not_the_customer_is_taken_back(done: Followed) -> None:
    talk = await done.centre.press(await done.centre.talk(), KG1="3")
    await done.follow()
    await done.centre.finish(talk, TalkEnding.WRONG_PERSON)
    await done.follow()
    (case,) = await done.cases()
    assert case.status == "closed"
    async with done.centre.callbacks.database.session() as session:
        assert (await session.scalars(select(TicketPart.settled_why))).first() == "接听者不是客户本人"


async def test_a_REVISIT_that_reaches_nobody_tells_its_ticket_which_waits_on(done: Followed) -> None:
    first = await done.centre.task()
    talk = await done.centre.press(await done.centre.talk(), **(GOOD | {"KG1": "3"}))
    await done.centre.finish(talk)
    await done.centre.hang_up(talk.attempt_id or "")
    await done.follow()
    (ticket,) = await done.cases()
    await done.solved(ticket, first)
    clock = done.centre.clock
    for _ in range(8):
        # No number is called twice within half an hour.
        clock.advance(max((await done.centre.task(1)).due_at - clock.now(), timedelta(minutes=31)))
        await done.centre.callbacks.bring_due()
        await done.centre.hang_up(await done.centre.dial(1, answer=False), Outcome.NO_ANSWER)
        await done.follow()
        if (await done.centre.task(1)).status is TaskStatus.UNREACHED:
            break
    await done.follow(again=True)
    async with done.centre.callbacks.database.session() as session:
        row = await session.get_one(TicketRow, ticket.id)
        status = (await session.get_one(ServiceCase, ticket.id)).status
    assert (status, row.not_reached, row.revisit_note) == ("solved", 1, "再次回访多次未联系上客户")
    assert "ticket.unreached" in await done.notices()


async def test_every_attempt_is_on_the_time_line_and_a_talk_stands_there_once(done: Followed) -> None:
    attempt = await done.centre.dial(answer=False)
    await done.centre.hang_up(attempt, Outcome.BUSY)
    await done.follow()
    (line,) = await lines(done)
    assert (line.ref, line.result, line.detail["title"]) == (attempt.attempt_id, "busy", "开工回访")
    assert line.detail["attempt"] is True
    done.centre.clock.advance((await done.centre.task()).due_at - done.centre.clock.now())
    await done.centre.callbacks.bring_due()
    talk = await done.centre.press(await done.centre.talk(), KG1="1")
    await done.centre.finish(talk, TalkEnding.BROKEN_OFF)
    await done.centre.hang_up(talk.attempt_id or "")
    await done.follow()
    assert [line.ref for line in await lines(done)] == [attempt.attempt_id, talk.talk_id]


async def test_a_call_that_never_left_is_not_on_it(done: Followed) -> None:
    await done.centre.hang_up(await done.centre.dial(answer=False), Outcome.CONGESTION)
    await done.follow()
    assert await lines(done) == []


async def test_nobody_looks_for_a_number_while_another_good_one_is_there(done: Followed) -> None:
    async with done.centre.callbacks.database.transaction() as session:
        row = (await session.scalars(select(CallbackTaskRow))).one()
        session.add(
            CustomerPhone(customer_id=row.customer_id, e164="+8613900139009", kind="mobile", position=2)
        )
    await done.centre.hang_up(await done.centre.dial(answer=False), Outcome.EMPTY)
    await done.follow()
    assert await done.notices() == []
    assert (await done.centre.task()).status is TaskStatus.READY
    async with done.centre.callbacks.database.transaction() as session:
        for phone in await session.scalars(select(CustomerPhone).where(CustomerPhone.bad_since.is_(None))):
            other = phone.e164
    assert other == "+8613900139009"
