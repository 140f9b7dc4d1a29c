"""Complaints that version 0.1 wrote down are worked on like any other after the upgrade."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.schema import upgrade
from crm.cases import CaseRegister
from crm.complaint_input import Acceptance
from crm.complaint_services import ComplaintServices
from crm.domain.case import CaseStatus
from crm.domain.complaint_line import AcceptMode, LineStatus
from crm.handoffs import Dispatch
from crm.journal import Journal
from crm.limits import LimitBook
from crm.search_feed import SearchFeed
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database, create_database
from kernel.ids import new_ulid
from tests.support.complaints import ENGINEER, MANAGER, PIN, SPECIALIST, KnownMembers
from tests.support.postgres import create_test_database, drop_test_database

pytestmark = pytest.mark.integration

STATUSES = ("registered", "handed_off", "accepted", "verified", "planned", "on_site", "done", "closed")


@pytest.fixture(params=["sqlite", "postgresql"])
async def old(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Database]:
    """A database of version 0.1 with a complaint in every state, upgraded."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path / 'old.db'}" if on_sqlite else await create_test_database()
    database = create_database(url)
    await upgrade(database, revision="0001")
    at = clock.now().replace(tzinfo=None) if on_sqlite else clock.now()
    customer_id = new_ulid()
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO department (code, name) VALUES ('ENG', '工程部')"))
        await session.execute(
            text(
                "INSERT INTO customer (id, name, level, do_not_call, elder_mode, created_at, version) "
                "VALUES (:id, '王建国', 'B', :no, :no, :at, 1)"
            ),
            {"id": customer_id, "no": False, "at": at},
        )
        for number, status in enumerate((*STATUSES, "done")):
            await session.execute(
                text(
                    "INSERT INTO service_case (id, no, kind, customer_id, department_code, status, summary, "
                    "opened_at, closed_at) VALUES (:id, :no, 'complaint', :customer, :department, :status, "
                    "'墙砖空鼓', :at, :closed)"
                ),
                {
                    "id": new_ulid(),
                    "no": f"TS20260302{number:04d}",
                    "customer": customer_id,
                    "department": "ENG" if number < len(STATUSES) else None,
                    "status": status,
                    "at": at,
                    "closed": at if status == "closed" else None,
                },
            )
    await upgrade(database)
    yield database
    await database.dispose()
    if not on_sqlite:
        await drop_test_database(url)


async def test_they_have_a_line_and_go_on(old: Database, clock: FakeClock) -> None:
    services = ComplaintServices.build(
        old,
        clock,
        register=CaseRegister(old, clock, zone=SHANGHAI),
        journal=Journal(AuditLog(old, clock)),
        limits=LimitBook(clock),
        feed=SearchFeed(),
        members=KnownMembers(),
    )
    async with old.session() as session:
        rows = (await session.execute(text("SELECT no, id FROM service_case ORDER BY no"))).all()
    found = {no: await services.complaints.get(MANAGER, case_id) for no, case_id in rows}
    assert [view.header.status.value for view in found.values()] == [
        *("registered" if status == "handed_off" else status for status in STATUSES),
        "done",
    ]
    first, *_, closed, bare = found.values()
    assert (closed.lines[0].status, closed.header.status) == (LineStatus.CLOSED, CaseStatus.CLOSED)
    assert bare.lines == ()
    view = await services.complaints.hand_off(SPECIALIST, first.case_id, first.version, Dispatch())
    line = view.lines[0]
    how = Acceptance(signature=PIN, mode=AcceptMode.NO_PLAN)
    line = await services.work.accept(ENGINEER, line.line_id, line.version, how)
    assert line.status is LineStatus.ACCEPTED
    (working,) = [view for view in found.values() if view.header.status is CaseStatus.ON_SITE]
    line = working.lines[0]
    line = await services.work.claim_done(ENGINEER, line.line_id, line.version, note="完工")
    assert line.status is LineStatus.DONE
