"""What customers say when called back about their complaint goes into the complaint (domain.md §3.5)."""

import pytest
from sqlalchemy import select

import app.models  # noqa: F401 - every table
from callback_campaigns.domain.terms import Channel
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.case import CaseStatus
from crm.domain.complaint import NextStep
from crm.ticket_tables import TicketRow
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.callback_centre import make_centre
from tests.support.callback_effects import make_followed
from tests.support.complaints import open_desk
from tests.support.limits import SettableClock, at
from tests.support.talks import make_talks

pytestmark = pytest.mark.integration

SOLVED = {"TS1": "1", "TS2": "1", "TS3": "1", "TS4": "1", "TS5": "1", "TS6": "1", "TS7": "1"}


@pytest.mark.parametrize(
    ("changes", "status", "leads_to", "rounds"),
    [
        ({}, CaseStatus.CALLBACK, NextStep.CLOSE, 1),
        ({"TS2": "2"}, CaseStatus.VERIFIED, NextStep.NEW_ROUND, 2),
        ({"TS4": "3"}, CaseStatus.VERIFIED, NextStep.NEW_ROUND, 2),
        ({"TS1": "2", "TS2": "3"}, CaseStatus.VERIFIED, NextStep.NEW_ROUND, 2),
    ],
)
async def test_TS_the_complaint_hears_of_it_once_and_moves_by_its_own_rules(
    sqlite: Database, changes: dict[str, str], status: CaseStatus, leads_to: NextStep, rounds: int
) -> None:
    clock = SettableClock(at("2026-03-20T16:30"))
    desk = await open_desk(sqlite, clock)
    complaint = await desk.handed_off()
    await desk.done(complaint.lines[0])
    followed = await make_followed(make_talks(make_centre(sqlite, clock)), departments=())
    task_id, now = new_ulid(), clock.now()
    async with sqlite.transaction() as session:
        session.add(
            CallbackTaskRow(
                id=task_id,
                key=task_id,
                kind="TS",
                category="case",
                status="ready",
                customer_id=desk.customer_id,
                project_id=desk.project_id,
                case_id=complaint.case_id,
                level="B",
                channel="agent",
                origin="auto_event",
                origin_ref="x",
                call_at=now,
                tried=[],
                created_at=now,
                tries=0,
            )
        )
    talks = followed.centre.talks
    talk = await talks.open(task_id, attempt_id=None, channel=Channel.AGENT, by="李")
    await followed.centre.finish(await followed.centre.press(talk, **(SOLVED | changes)))
    await followed.follow()
    found = await desk.get(complaint)
    assert (found.header.status, found.next_step, found.header.round) == (status, leads_to, rounds)
    assert [one.leads_to for one in found.callbacks] == [leads_to]
    async with sqlite.session() as session:
        assert (await session.scalars(select(TicketRow))).all() == []
