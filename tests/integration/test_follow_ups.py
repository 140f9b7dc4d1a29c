"""Closed cases followed up: who must, who may, how many (domain.md §1.13), on both databases."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from crm.cases import NewCase
from crm.domain.case import CaseKind, CaseStatus, Severity
from crm.follow_ups import FollowUps
from crm.tables import ServiceCase
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound
from kernel.ids import new_ulid
from tests.support.complaints import ENGINEER, MANAGER, SPECIALIST, Desk, open_desk, person

pytestmark = pytest.mark.integration

SUPERVISOR = person("王主管", Role.SUPERVISOR)


@pytest.fixture
async def desk(database: Database, clock: FakeClock) -> Desk:
    made = await open_desk(database, clock)
    async with database.transaction() as session:
        # The demo company's own cases are not part of this.
        await session.execute(update(ServiceCase).values(closed_at=clock.now() - timedelta(days=300)))
    return made


@pytest.fixture
def follow_ups(desk: Desk) -> FollowUps:
    return FollowUps(desk.database, desk.clock, desk.register, desk.journal)


async def closed(
    desk: Desk, kind: CaseKind, severity: Severity = Severity.GENERAL, count: int = 1
) -> list[str]:
    made: list[str] = []
    async with desk.database.transaction() as session:
        for number in range(count):
            new = NewCase(
                kind=kind,
                customer_id=desk.customer_id,
                project_id=desk.project_id,
                content=f"第{number}件",
                severity=severity,
            )
            row = await desk.register.open(session, SPECIALIST, new, at=desk.now)
            desk.register.move(row, CaseStatus.CLOSED, at=desk.now)
            made.append(row.id)
    return made


def window(desk: Desk) -> tuple[datetime, datetime]:
    return desk.now - timedelta(days=30), desk.now + timedelta(days=1)


async def test_each_rank_has_its_own_list(desk: Desk, follow_ups: FollowUps) -> None:
    general = await closed(desk, CaseKind.COMPLAINT, count=3)
    major = await closed(desk, CaseKind.COMPLAINT, Severity.MAJOR)
    repairs = await closed(desk, CaseKind.REPAIR, count=10)
    mine = await follow_ups.owed(SUPERVISOR, *window(desk))
    ids = [item.case.case_id for item in mine]
    assert set(general) <= set(ids) and not set(major) & set(ids)
    assert len(set(repairs) & set(ids)) >= 3
    assert {item.rank for item in mine} == {Role.SUPERVISOR}
    everything = await follow_ups.owed(SUPERVISOR, *window(desk), mine=False)
    assert set(major) <= {item.case.case_id for item in everything}
    assert await follow_ups.owed(SPECIALIST, *window(desk)) == ()
    assert len(await follow_ups.owed(SUPERVISOR, *window(desk), limit=2)) == 2


async def test_a_note_takes_a_case_off_the_list_and_counts(desk: Desk, follow_ups: FollowUps) -> None:
    first, second = await closed(desk, CaseKind.COMPLAINT, count=2)
    (major,) = await closed(desk, CaseKind.COMPLAINT, Severity.MAJOR)
    noted = await follow_ups.note(SUPERVISOR, first, sound=True, text="")
    assert (noted.done_by, noted.sound) == ("王主管", True)
    await follow_ups.note(MANAGER, major, sound=False, text="客户说没有回访过")
    left = await follow_ups.owed(SUPERVISOR, *window(desk), mine=False)
    assert [item.case.case_id for item in left] == [second]
    ratios = await follow_ups.ratios(MANAGER, *window(desk))
    general, serious, repairs, grave = ratios
    assert (general.share.text, general.needed, general.reached) == ("50.0 % (1/2)", 2, False)
    assert (serious.share.text, serious.reached) == ("100.0 % (1/1)", True)
    assert (repairs.share.text, repairs.reached, grave.share.value) == ("–", True, None)


async def test_notes_that_cannot_be_are_refused(desk: Desk, follow_ups: FollowUps) -> None:
    (general,) = await closed(desk, CaseKind.COMPLAINT)
    (major,) = await closed(desk, CaseKind.COMPLAINT, Severity.MAJOR)
    (ticket,) = await closed(desk, CaseKind.TICKET)
    view = await desk.new()
    for actor, case_id, error in (
        (SPECIALIST, general, Forbidden),
        (ENGINEER, general, Forbidden),
        (SUPERVISOR, major, Forbidden),
        (SUPERVISOR, ticket, Conflict),
        (SUPERVISOR, view.case_id, Conflict),
        (SUPERVISOR, new_ulid(), NotFound),
    ):
        with pytest.raises(error):
            await follow_ups.note(actor, case_id, sound=True, text="")
    for text in ("", "好" * 500_000):
        with pytest.raises(Invalid) as caught:
            await follow_ups.note(SUPERVISOR, general, sound=False, text=text)
        assert caught.value.field == "text"
    await follow_ups.note(MANAGER, general, sound=True, text="好")
    with pytest.raises(Conflict):
        await follow_ups.note(SUPERVISOR, general, sound=True, text="")
    since, until = window(desk)
    for wrong in ((until, since), (since, since + timedelta(days=93))):
        with pytest.raises(Invalid) as bad:
            await follow_ups.ratios(MANAGER, *wrong)
        assert bad.value.field == "until"
    with pytest.raises(Forbidden):
        await follow_ups.ratios(ENGINEER, since, until)
