"""What customers say when called back about their complaint goes into the complaint (domain.md §3.5)."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

import app.models  # noqa: F401 - every table
from app.callback_tasks import build_tasks
from app.container import Role as Part
from app.container import open_centre
from app.runtime.redis_server import RedisServer
from app.settings import load_settings
from app.store import bring_up_to_date
from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.terms import Channel
from callback_campaigns.task_tables import CallbackTaskRow
from crm.complaint_views import ComplaintView
from crm.domain.case import CaseStatus
from crm.domain.complaint import NextStep
from crm.notices.events import NoticeWanted
from crm.tables import Contact, Department
from crm.ticket_tables import TicketRow
from kernel.db import Database
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.callback_centre import make_centre
from tests.support.callback_effects import make_followed
from tests.support.complaints import Desk, open_desk
from tests.support.limits import SettableClock, at
from tests.support.people import make_desk
from tests.support.talks import make_talks
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SOLVED = {"TS1": "1", "TS2": "1", "TS3": "1", "TS4": "1", "TS5": "1", "TS6": "1", "TS7": "1"}


async def called_back(sqlite: Database, changes: dict[str, str]) -> tuple[Desk, ComplaintView]:
    """Have a customer whose complaint is said to be solved called back, and what they say carried out."""
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
    return desk, complaint


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
    desk, complaint = await called_back(sqlite, changes)
    found = await desk.get(complaint)
    assert (found.header.status, found.next_step, found.header.round) == (status, leads_to, rounds)
    assert [(one.leads_to, one.timeliness) for one in found.callbacks] == [(leads_to, "timely")]
    async with sqlite.session() as session:
        assert (await session.scalars(select(TicketRow))).all() == []
        (line,) = (await session.scalars(select(Contact).where(Contact.channel == "callback"))).all()
    assert (line.detail["title"], line.detail["no"]) == ("投诉处理回访", found.header.no)


async def test_TS7_a_new_problem_is_a_case_of_its_own_beside_the_one_that_was_asked_about(
    sqlite: Database,
) -> None:
    desk, complaint = await called_back(sqlite, {"TS7": "2"})
    assert (await desk.get(complaint)).next_step is NextStep.CLOSE
    async with sqlite.session() as session:
        assert list(await session.scalars(select(TicketRow.question_id))) == ["TS7-new_case"]


async def test_TS3_the_department_hears_that_its_people_came_late(sqlite: Database) -> None:
    await called_back(sqlite, {"TS3": "2"})
    async with sqlite.session() as session:
        facts = [decode(row.payload) for row in await session.scalars(select(OutboxRow))]
    told = [one for one in facts if isinstance(one, NoticeWanted) and one.code == "callback.remind"]
    assert [(one.also, one.parameters["said"]) for one in told] == [
        (("department:ENG",), "上门时间是否按约定？没按时")
    ]


async def test_a_running_centre_has_the_ticket_while_the_talk_goes_on(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data", redis_url=redis_server.url, web={"port": 0})
    await bring_up_to_date(settings)
    async with open_centre(settings, frozenset({Part.WEB})) as running:
        base, task_id = running.base, new_ulid()
        customer = await make_desk(base.database, base.clock).customer()
        async with base.database.transaction() as session:
            session.add(Department(code="CS", name="客服监察部"))
            session.add(
                CallbackTaskRow(
                    id=task_id,
                    key=task_id,
                    kind="KG",
                    category="site",
                    status="ready",
                    customer_id=customer.customer_id,
                    level="B",
                    channel="agent",
                    origin="manual",
                    origin_ref="x",
                    call_at=base.clock.now(),
                    tried=[],
                    created_at=base.clock.now(),
                    tries=0,
                )
            )
        talks = build_tasks(settings, base.database, base.clock, base.bus).talks
        talk = await talks.open(task_id, attempt_id=None, channel=Channel.AGENT, by="李")
        await talks.answer(talk.talk_id, "KG1", Answer(values=("nobody_came",)), by="李")

        async def found() -> Sequence[str | None]:
            async with base.database.session() as session:
                return (await session.scalars(select(TicketRow.question_id))).all()

        await eventually(found, timeout=20)
        assert await found() == ["KG1"]
        assert (await talks.get(talk.talk_id)).ended is None
        health = base.tasks.health()
        assert health["callback-effects"].crashes == health["callback-sweep"].crashes == 0
