"""Problems fed back again: one level up when the second time is late too (CB-6)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crm import opinion_notices
from crm.domain.ticket import Revisit
from crm.events_limits import LimitBreached
from crm.events_tickets import (
    OpinionNoticeIssued,
)
from crm.ticket_services import TicketServices
from kernel.errors import Conflict, Forbidden, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import (
    BOSS,
    DESIGNER,
    ENGINEER,
    MANAGER,
    SPECIALIST,
    Desk,
)
from tests.support.limits import SettableClock, at, facts
from tests.support.tickets import asked, opened, part, solved

pytestmark = pytest.mark.integration


async def test_CB6_the_second_time_and_late_goes_one_level_up(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    first = await opened(services, desk)
    clock.set(at("2026-03-23T09:00"))
    second = await opened(services, desk, callback_ref="HF202603230002")
    assert second.fed_back == 2
    (notice,) = second.notices
    assert (notice.no, notice.why, notice.department) == (f"{second.no}-G01", "again", "ENG")
    assert notice.addressed_to == "总经理"
    assert [time["no"] for time in notice.sheet["times"]] == [first.no, second.no]
    assert notice.sheet["missed"][0]["no"] == first.no
    assert notice.sheet["department_head"] and notice.sheet["address"]
    assert [found.no for found in second.earlier] == [first.no]
    (fact,) = await facts(desk.database, OpinionNoticeIssued)
    assert (fact.department, fact.fed_back) == ("ENG", 2)
    assert (await services.notices.page(ENGINEER)).items[0].no == notice.no
    assert (await services.notices.page(DESIGNER)).items == ()
    with pytest.raises(NotFound):
        await services.notices.get(DESIGNER, notice.notice_id)
    with pytest.raises(Forbidden):
        await services.notices.answer(ENGINEER, notice.notice_id, 1, "知道了")
    answered = await services.notices.answer(BOSS, notice.notice_id, 1, "本周内由工程部经理到场解决")
    assert answered.answered_by == "赵总"
    with pytest.raises(StaleVersion):
        await services.notices.answer(BOSS, notice.notice_id, 1, "再说一次")
    with pytest.raises(Conflict):
        await services.notices.answer(BOSS, notice.notice_id, answered.version, "再说一次")
    assert (await services.notices.page(BOSS, answered=False)).items == ()


async def test_CB6_a_first_time_or_in_time_is_no_notice(
    desk: Desk, services: TicketServices, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await asked(services, await solved(services, await opened(services, desk)), Revisit.SATISFIED)
    await services.end.close(SPECIALIST, view.case_id, view.version)
    clock.advance(timedelta(days=2))
    second = await opened(services, desk, callback_ref="HF202603220001")
    assert (second.fed_back, second.notices) == (2, ())
    monkeypatch.setattr(opinion_notices, "LOOK_BACK", timedelta(hours=1))
    clock.advance(timedelta(days=1))
    later = await opened(services, desk, callback_ref="HF202703220001")
    assert later.fed_back == 1, "what is long ago does not count"


async def test_CB6_a_breach_of_the_second_ticket_issues_the_notice_once(
    desk: Desk, services: TicketServices, clock: SettableClock
) -> None:
    await asked(services, await solved(services, await opened(services, desk)), Revisit.SATISFIED)
    second = await opened(services, desk, callback_ref="HF202603220001")
    assert second.notices == ()
    timer = part(second).limits[0]
    clock.set(at("2026-03-23T12:00"))
    fact = LimitBreached(
        at=desk.now,
        timer_id=timer.timer_id,
        code=timer.code,
        record_kind="ticket",
        record_id=second.case_id,
        line_id=part(second).part_id,
        record_no=second.no,
        department="ENG",
        user_id=None,
        specialist=None,
        started_at=timer.started_at,
        due_at=timer.due_at or desk.now,
    )
    for told in (fact, fact, replace(fact, record_kind="complaint"), replace(fact, record_id=new_ulid())):
        async with desk.database.transaction() as session:
            await services.notices.on_breach(session, told)
    (notice,) = (await services.tickets.get(MANAGER, second.case_id)).notices
    assert (notice.why, notice.sheet["missed"][0]["no"]) == ("late", second.no)


async def test_CB6_a_second_ticket_that_is_still_not_solved(desk: Desk, services: TicketServices) -> None:
    await asked(services, await solved(services, await opened(services, desk)), Revisit.SATISFIED)
    second = await solved(services, await opened(services, desk, callback_ref="HF202603220001"))
    second = await asked(services, second, Revisit.DISSATISFIED)
    assert [notice.why for notice in second.notices] == ["unsolved"]
