"""Calls are drawn, judged, disputed, settled and calibrated, on both databases."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kernel.access import Actor, Role
from kernel.audit import AuditLog, AuditRow
from kernel.bus import Bus
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from telephony.agent_tables import WrapUpRow
from telephony.call_rating_tables import CallRatingRow
from telephony.domain.quality import FormInvalid, Mark, State, Typed
from telephony.quality import QualityReviews, spread
from telephony.quality_forms import QualityBook, shipped_form
from telephony.recording_tables import RecordingRow
from telephony.roster import Roster
from telephony.tables import CallRow

pytestmark = pytest.mark.integration


def person(number: int, name: str, role: Role) -> Actor:
    return Actor(user_id=f"01JD000000000000000000000{number}", name=name, role=role)


SUPERVISOR = person(1, "王主管", Role.SUPERVISOR)
OTHER = person(2, "赵主管", Role.SUPERVISOR)
MANAGER = person(3, "陈经理", Role.MANAGER)
AGENT = person(4, "林晓", Role.AGENT)
GOOD: dict[str, int | None] = {
    "greeting": 5,
    "identity": 10,
    "listening": 10,
    "empathy": 10,
    "repeated": 15,
    "recorded": 15,
    "knowledge": 15,
    "times": 10,
    "anything_else": 5,
    "farewell": 5,
}


class Office:
    """The services and calls to judge."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database, self.clock = database, clock
        audit = AuditLog(database, clock)
        self.book = QualityBook(database, clock, audit)
        self.reviews = QualityReviews(database, clock, audit, self.book, zone=SHANGHAI)
        self.agents: dict[str, str] = {}

    async def agent(self, number: str) -> str:
        if number not in self.agents:
            roster = Roster(self.database, self.clock, Bus())
            self.agents[number] = await roster.put_agent(
                number=number, name=f"坐席{number}", sip_password="x" * 16
            )
        return self.agents[number]

    async def call(self, number: str = "1001", *, ago: timedelta = timedelta(hours=1), **more: Any) -> str:
        call_id, agent_id = new_ulid(), await self.agent(number)
        ended = self.clock.now() - ago
        talk, queue = more.get("talk", 120), more.get("queue", "service")
        async with self.database.transaction() as session:
            session.add(
                CallRow(
                    call_id=call_id,
                    node="pbx1",
                    direction="in",
                    from_number="13800138000",
                    to_number="4008001234",
                    from_name="",
                    queue=queue,
                    agent_id=agent_id,
                    agent_number=number,
                    state="ended",
                    result="ANSWERED",
                    menu_path=[],
                    started_at=ended - timedelta(seconds=talk),
                    answered_at=ended - timedelta(seconds=talk),
                    ended_at=ended,
                    talk_ms=talk * 1000,
                    hold_ms=0,
                )
            )
            session.add(WrapUpRow(call_id=call_id, agent_id=agent_id, queue=queue, taken_at=ended))
            if more.get("recorded", True):
                session.add(
                    RecordingRow(
                        recording_id=new_ulid(), name=call_id, call_id=call_id, node="pbx1", noted_at=ended
                    )
                )
            if "service" in more:
                session.add(CallRatingRow(call_id=call_id, service=more["service"], rated_at=ended))
        return call_id

    async def judged(self, actor: Actor = SUPERVISOR, **points: int | None) -> tuple[str, str]:
        """A published judgement and its agent."""
        review_id = await self.reviews.add(actor, await self.call())
        await self.reviews.publish(actor, review_id, Typed(points={**GOOD, **points}), expected=1)
        return review_id, self.agents["1001"]

    async def listed(self) -> dict[str, str]:
        """Call → why it is there."""
        page = await self.reviews.page(SUPERVISOR, list(State))
        return {one.call_id: one.reason for one in page.items}


@pytest.fixture
def office(database: Database, clock: FakeClock) -> Office:
    return Office(database, clock)


async def test_judged_and_seen(office: Office) -> None:
    review_id = await office.reviews.add(SUPERVISOR, await office.call())
    agent_id = office.agents["1001"]
    draft = Typed(
        points={"greeting": 5}, marks=(Mark(at=12.5, code="greeting", text="报了姓"),), comment="再看"
    )
    saved = await office.reviews.save(SUPERVISOR, review_id, draft, expected=1)
    assert (saved.state, saved.scorer, saved.typed, saved.score) == (State.DRAFT, "王主管", draft, None)
    with pytest.raises(NotFound):
        await office.reviews.get(AGENT, review_id, agent_id=agent_id)
    with pytest.raises(Invalid) as refused:
        await office.reviews.publish(SUPERVISOR, review_id, draft, expected=saved.version)
    assert refused.value.field == "identity"
    typed = Typed(points={**GOOD, "recorded": 5}, marks=draft.marks, comment="不错")
    done = await office.reviews.publish(SUPERVISOR, review_id, typed, expected=saved.version)
    assert (done.state, done.score, done.passed, done.published_at) == (
        *(State.PUBLISHED, 90.0, True),
        office.clock.now(),
    )
    assert (await office.reviews.get(AGENT, review_id, agent_id=agent_id)).score == 90.0
    with pytest.raises(NotFound):
        await office.reviews.get(AGENT, review_id, agent_id=await office.agent("1002"))
    with pytest.raises(Conflict):
        await office.reviews.save(SUPERVISOR, review_id, typed, expected=done.version)
    (standing,) = await office.reviews.standings(SUPERVISOR)
    assert (standing.agent_id, standing.reviews, standing.mean, standing.failed) == (agent_id, 1, 90.0, 0)


async def test_one_judgement_per_call(office: Office) -> None:
    call_id = await office.call()
    first, second = await asyncio.gather(
        office.reviews.add(SUPERVISOR, call_id), office.reviews.add(OTHER, call_id)
    )
    assert first == second
    with pytest.raises(NotFound):
        await office.reviews.add(SUPERVISOR, new_ulid())
    with pytest.raises(Forbidden):
        await office.reviews.add(AGENT, call_id)


async def test_two_people_do_not_write_over_each_other(office: Office) -> None:
    review_id = await office.reviews.add(SUPERVISOR, await office.call())
    await office.reviews.save(SUPERVISOR, review_id, Typed(comment="甲"), expected=1)
    with pytest.raises(StaleVersion):
        await office.reviews.save(OTHER, review_id, Typed(comment="乙"), expected=1)
    assert (await office.reviews.get(OTHER, review_id)).typed.comment == "甲"


async def test_disputed_and_corrected(office: Office) -> None:
    review_id, agent_id = await office.judged(recorded=0)
    with pytest.raises(NotFound):
        await office.reviews.dispute(AGENT, await office.agent("1002"), review_id, "不是我")
    disputed = await office.reviews.dispute(AGENT, agent_id, review_id, " 记录写在工单里了 ")
    assert (disputed.state, disputed.dispute) == (State.DISPUTED, "记录写在工单里了")
    with pytest.raises(Conflict):
        await office.reviews.dispute(AGENT, agent_id, review_id, "再说一次")
    typed = Typed(points=GOOD)
    with pytest.raises(Forbidden):
        await office.reviews.settle(SUPERVISOR, review_id, None, reason="维持", expected=disputed.version)
    settled = await office.reviews.settle(
        OTHER, review_id, typed, reason="工单里确实有", expected=disputed.version
    )
    assert (settled.state, settled.outcome, settled.first_score, settled.score) == (
        *(State.SETTLED, "corrected"),
        *(85.0, 100.0),
    )
    with pytest.raises(Conflict):
        await office.reviews.settle(OTHER, review_id, None, reason="维持", expected=settled.version)
    async with office.database.session() as session:
        actions = (await session.scalars(select(AuditRow.action).order_by(AuditRow.seq))).all()
    assert actions == ["quality.published", "quality.disputed", "quality.settled"]


async def test_upheld_and_too_late(office: Office) -> None:
    review_id, agent_id = await office.judged(recorded=0)
    disputed = await office.reviews.dispute(AGENT, agent_id, review_id, "我不同意")
    upheld = await office.reviews.settle(OTHER, review_id, None, reason="没有记录", expected=disputed.version)
    assert (upheld.outcome, upheld.score, upheld.first_score) == ("upheld", 85.0, None)
    second, _ = await office.judged()
    office.clock.advance(timedelta(days=7, seconds=1))
    with pytest.raises(Conflict, match="seven days"):
        await office.reviews.dispute(AGENT, agent_id, second, "晚了")


async def test_agents_see_their_own(office: Office) -> None:
    await office.judged()
    await office.reviews.add(SUPERVISOR, await office.call())
    own = office.agents["1001"]
    page = await office.reviews.page(AGENT, list(State), agent_id=own)
    assert [one.state for one in page.items] == [State.PUBLISHED]
    assert (await office.reviews.page(AGENT, list(State), agent_id=await office.agent("1002"))).items == ()
    with pytest.raises(Forbidden):
        await office.reviews.page(AGENT, list(State))
    with pytest.raises(Forbidden):
        await office.reviews.standings(AGENT)


async def test_drawn_by_rule(office: Office) -> None:
    text = shipped_form().replace("per_week: 3", "per_week: 2").replace("queues: []", "queues: [complaint]")
    await office.book.publish(MANAGER, text, why="每周两通，投诉全查", expected=0)
    last_week = timedelta(days=office.clock.now().astimezone(SHANGHAI).weekday() + 2)
    weekly = {await office.call(ago=last_week) for _ in range(5)}
    unhappy = await office.call(service=3)
    complaint = await office.call(queue="complaint")
    await office.call(service=1)
    await office.call(service=3, talk=20)
    await office.call(service=3, recorded=False)
    await office.call()
    assert await office.reviews.draw() == 4
    drawn = await office.listed()
    assert drawn.pop(unhappy) == "rating"
    assert drawn.pop(complaint) == "queue"
    assert len(drawn) == 2
    assert set(drawn) < weekly
    assert set(drawn.values()) == {"week"}
    assert await office.reviews.draw() == 0


async def test_two_processes_draw_the_same(office: Office) -> None:
    last_week = timedelta(days=office.clock.now().astimezone(SHANGHAI).weekday() + 2)
    for _ in range(8):
        await office.call(ago=last_week)
    drawn = await asyncio.gather(office.reviews.draw(), office.reviews.draw())
    assert sum(drawn) == 3
    assert len(await office.listed()) == 3


async def test_forms_have_versions(office: Office) -> None:
    review_id = await office.reviews.add(SUPERVISOR, await office.call())
    text = shipped_form().replace("      farewell:", "      bye:")
    with pytest.raises(Forbidden):
        await office.book.publish(SUPERVISOR, text, why="改", expected=0)
    with pytest.raises(FormInvalid):
        await office.book.publish(MANAGER, "pass: 1", why="改", expected=0)
    with pytest.raises(Invalid):
        await office.book.publish(MANAGER, text, why=" ", expected=0)
    await office.book.publish(MANAGER, text, why="改名", expected=0)
    with pytest.raises(StaleVersion):
        await office.book.publish(MANAGER, text, why="改名", expected=0)
    # What was begun is judged by the form it was begun with.
    done = await office.reviews.publish(SUPERVISOR, review_id, Typed(points=GOOD), expected=1)
    assert (done.form_version, done.score) == (0, 100.0)
    assert (await office.book.form()).version == 1


async def test_calibrated_without_seeing_each_other(office: Office) -> None:
    calibration = await office.reviews.calibrate(SUPERVISOR, await office.call())
    mine = await office.reviews.own_of(SUPERVISOR, calibration)
    assert await office.reviews.own_of(SUPERVISOR, calibration) == mine
    theirs = await office.reviews.own_of(OTHER, calibration)
    with pytest.raises(NotFound):
        await office.reviews.get(OTHER, mine)
    await office.reviews.publish(SUPERVISOR, mine, Typed(points=GOOD), expected=1)
    await office.reviews.publish(OTHER, theirs, Typed(points={**GOOD, "empathy": 4}), expected=1)
    seen = await office.reviews.calibration(SUPERVISOR, calibration)
    assert (seen.scorers, [one.scorer for one in seen.reviews]) == (2, ["王主管"])
    await office.reviews.close_calibration(SUPERVISOR, calibration)
    seen = await office.reviews.calibration(SUPERVISOR, calibration)
    assert [one.scorer for one in seen.reviews] == ["王主管", "赵主管"]
    assert spread(seen.reviews, await office.book.form(seen.form_version)) == {"empathy": (10, 4)}
    with pytest.raises(Conflict):
        await office.reviews.own_of(MANAGER, calibration)
    # It counts for nobody's figures, and no agent sees it.
    assert await office.reviews.standings(SUPERVISOR) == ()
    assert (await office.reviews.page(SUPERVISOR, list(State))).items == ()
    with pytest.raises(NotFound):
        await office.reviews.get(AGENT, mine, agent_id=office.agents["1001"])
