"""What a department is told about a hand-off leads to where it signs; class 9 goes to the manager at once."""

from datetime import timedelta

import pytest

from crm.events_cases import ConfidentialRegistered, HandOffChased, HandOffSent, LineAssigned
from crm.events_tickets import TicketHandedOff
from crm.notices.domain import Channel
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.notice_board import read, take, who_sees
from tests.support.notices import NoticeStage

pytestmark = pytest.mark.integration

CASE, LINE, HANDOFF = new_ulid(), new_ulid(), new_ulid()


@pytest.fixture
def stage(sqlite: Database, clock: FakeClock) -> NoticeStage:
    return NoticeStage(sqlite, clock)


def sent(clock: FakeClock) -> HandOffSent:
    return HandOffSent(
        at=clock.now(),
        case_id=CASE,
        no="TS202603020001",
        line_id=LINE,
        handoff_id=HANDOFF,
        receipt_no="TS202603020001-01",
        department="ENG",
        specialist_id="u-agent",
        summary="https://evil.example/ <b>漏水</b>",
        due_at=clock.now() + timedelta(hours=3),
        again_at=None,
    )


@pytest.mark.parametrize("base_url", ["https://cc.example.com", ""])
async def test_2_3_the_message_to_the_head_has_the_link_to_sign(
    stage: NoticeStage, clock: FakeClock, base_url: str
) -> None:
    await stage.address("u-head", Channel.SMS, "+8613800138001")
    await stage.address("u-head", Channel.WECOM, "chenjg")
    await take(stage, sent(clock))
    (notice,) = await read(stage, "u-head")
    assert notice.link == f"/handoffs/{HANDOFF}"
    await stage.worker(base_url=base_url).run_once()
    expected = f"https://cc.example.com/handoffs/{HANDOFF}" if base_url else ""
    assert {message.channel for message in stage.sender.sent} == {Channel.SMS, Channel.WECOM}
    for message in stage.sender.sent:
        assert message.link == expected, "the page alone: who opens it signs in first"
        assert "evil" not in message.title + message.text, "what a customer said is in no message"


async def test_2_3_being_chased_and_put_in_charge_lead_there_too(
    stage: NoticeStage, clock: FakeClock
) -> None:
    chased = HandOffChased(
        at=clock.now(),
        case_id=CASE,
        no="TS1",
        line_id=LINE,
        handoff_id=HANDOFF,
        department="ENG",
        specialist_id="u-agent",
        due_at=None,
    )
    part = TicketHandedOff(
        at=clock.now(),
        case_id=CASE,
        no="TD1",
        part_id=LINE,
        handoff_id=HANDOFF,
        receipt_no="TD1-01",
        department="ENG",
        specialist_id="u-agent",
        summary="",
        due_at=None,
        again_at=None,
    )
    assigned = LineAssigned(
        at=clock.now(),
        case_id=CASE,
        no="TS1",
        line_id=LINE,
        department="ENG",
        person="刘",
        person_id="u-member",
        specialist_id="u-agent",
    )
    await take(stage, chased, part, assigned)
    assert {notice.link for notice in await read(stage, "u-head")} == {f"/handoffs/{HANDOFF}"}
    assert [notice.link for notice in await read(stage, "u-member")] == [f"/lines/{LINE}"]


async def test_4_3_class_9_is_told_to_the_manager_at_registration_and_to_nobody_else(
    stage: NoticeStage, clock: FakeClock
) -> None:
    def registered() -> ConfidentialRegistered:
        return ConfidentialRegistered(
            at=clock.now(), case_id=CASE, no="TS1", line_id=new_ulid(), specialist_id="u-agent"
        )

    await take(stage, registered(), registered())
    assert await who_sees(stage) == {"u-manager"}
    (notice,) = await read(stage, "u-manager")
    assert (notice.code, notice.link, notice.parameters) == (
        "complaint.confidential",
        f"/cases/{CASE}",
        {"no": "TS1"},
    )
