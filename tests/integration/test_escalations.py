"""Major complaints E0–E10 on both databases: domain.md §1.3b, §4.4 Escalation and Compensation."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from crm.compensations import NewCompensation, VoucherTaken
from crm.complaint_input import NewPlan
from crm.complaint_views import ComplaintView
from crm.domain.case import CaseStatus, Severity
from crm.domain.compensation import Bearer, LiableParty, LiablePerson, RecoveryShare
from crm.domain.complaint import NextStep, NotYet, Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.escalation import EscalationState, Owed
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.escalation_read import EscalationFilter
from crm.escalation_tables import CompensationRow, RecoveryRow
from crm.escalation_views import EscalationView
from crm.escalations import AlreadyMajor, Liability, NewEscalation
from crm.events_cases import CompensationDecided, EscalationMoved, RecoverySent, SeverityRaised
from crm.limits import TimerState
from kernel.access import Actor, Permission, Role
from kernel.audit import AuditLog
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import (
    ADMIN,
    BOSS,
    DESIGNER,
    ENGINEER,
    FINANCE,
    HOUR,
    HR,
    MANAGER,
    SPECIALIST,
    Desk,
    open_desk,
    person,
)
from tests.support.limits import SettableClock, at, facts, local

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)
SHARES = {
    LiableParty.MANUFACTURER: Decimal("33.33"),
    LiableParty.CREW: Decimal("33.33"),
    LiableParty.CUSTOMER: Decimal("0"),
    LiableParty.COMPANY: Decimal("33.34"),
}
SECOND_MANAGER = person("白雪", Role.MANAGER)
SECOND_BOSS = person("钱总", Role.GENERAL_MANAGER)


@pytest.fixture
def clock() -> SettableClock:
    """Thursday 26 March 2026, 10:00; the next days off are the weekend."""
    return SettableClock(at("2026-03-26T10:00"))


@dataclass
class Office:
    """A desk, and a major complaint on it."""

    desk: Desk
    complaint: ComplaintView
    found: EscalationView

    async def again(self) -> EscalationView:
        self.found = await self.desk.services.escalations.get(MANAGER, self.found.escalation_id)
        return self.found

    async def go(self, service: str, actor: Actor, *given: Any, **more: Any) -> EscalationView:
        """Take a step of ``Escalations`` or ``Compensations`` with the version of now."""
        found = await self.again()
        where, _, name = service.partition(".")
        step = getattr(getattr(self.desk.services, where), name)
        self.found = await step(actor, found.escalation_id, found.version, *given, **more)
        return self.found

    async def to_plan(self, *, costs: bool = True) -> None:
        """E0 → E4, with a visit."""
        now = self.desk.now
        await self.go("escalations.review", MANAGER, visit_needed=True)
        await self.go(
            "escalations.agree_visit",
            MANAGER,
            visit_from=now + HOUR,
            visit_until=now + 2 * HOUR,
            visit_with="陈建国、王先生",
        )
        self.desk.clock.advance(3 * HOUR)
        await self.go(
            "escalations.record_visit", MANAGER, visited_at=now + HOUR, record="墙砖大面积空鼓，客户情绪激动"
        )
        await self.go("escalations.settle_liability", MANAGER, Liability(shares=SHARES, with_head="陈建国"))
        await self.go("escalations.plan", MANAGER, plan="返工并赔付三千元", costs=costs)

    async def to_voucher(self, **changes: Any) -> None:
        """E4 → E6 with the voucher written."""
        await self.go("compensations.request", MANAGER, money(**changes))
        await self.go("compensations.review", BOSS, agreed=True)
        await self.go(
            "compensations.write_voucher", FINANCE, voucher_no=f"PZ-{new_ulid()[-6:]}", amount=Decimal(3000)
        )

    async def solved(self) -> None:
        """The complaint is done and called back."""
        await self.desk.done(self.complaint.lines[0])
        await self.desk.call_back(self.complaint)


def money(**changes: Any) -> NewCompensation:
    """Return a request for 3000.00, a third of it borne by two of the staff."""
    what: dict[str, Any] = {
        "amount": Decimal("3000.00"),
        "bearers": {
            Bearer.COMPANY: Decimal("1000"),
            Bearer.CREW: Decimal("1000"),
            Bearer.STAFF: Decimal("1000"),
        },
        "recovery": (
            RecoveryShare(name="刘铁柱", amount=Decimal("700.00")),
            RecoveryShare(name="孙伟", amount=Decimal("300.00")),
        ),
        "reason": "返工影响入住，协商一致",
    }
    return NewCompensation(**(what | changes))


NEW = NewEscalation(
    cause="墙砖空鼓反复返工两次", process_so_far="3月20日登记，两次上门未解决", demand="返工并赔偿三千元"
)


@pytest.fixture
async def office(database: Database, clock: SettableClock) -> Office:
    desk = await open_desk(database, clock)
    complaint = await desk.handed_off()
    found = await desk.services.escalations.submit(SPECIALIST, complaint.case_id, complaint.version, NEW)
    return Office(desk, complaint, found)


async def test_all_the_way_from_E0_to_E10(office: Office) -> None:
    assert (office.found.code, office.found.header.severity, office.found.header.major) == ("E0", 3, True)
    await office.to_plan()
    assert office.found.code == "E4"
    assert office.found.shares == {
        "manufacturer": Decimal("33.33"),
        "crew": Decimal("33.33"),
        "customer": 0,
        "company": Decimal("33.34"),
    }
    await office.to_voucher()
    assert office.found.code == "E6"
    office.desk.clock.set(at("2026-03-31T20:00"))  # type: ignore[attr-defined]
    await office.go("compensations.approve", BOSS, approved=True)
    assert office.found.code == "E7"
    assert {share.payroll_month for share in office.found.compensations[-1].recovery} == {"2026-03"}
    office.desk.clock.set(at("2026-04-01T09:00"))  # type: ignore[attr-defined]
    await office.go("compensations.pay", FINANCE, receipt_no="SJ-0401", paid_at=None)
    assert office.found.code == "E8"
    await office.go("compensations.send_recovery", FINANCE)
    assert office.found.code == "E9"
    (sent,) = await facts(office.desk.database, RecoverySent)
    assert (sent.month, sent.people, sent.amount) == ("2026-03", 2, "1000.00")
    listed = await office.desk.services.compensations.recoveries(HR, month="2026-03", is_open=True)
    assert [share.name for share in listed.items] == ["刘铁柱", "孙伟"]
    for share in listed.items:
        await office.go("compensations.recovered", HR, share.recovery_id, note="四月工资扣回")
    with pytest.raises(Owed) as owed:
        await office.go("escalations.close", SPECIALIST, outcome="客户满意")
    assert owed.value.field == "callback"
    await office.solved()
    await office.go("escalations.close", SPECIALIST, outcome="客户满意")
    assert (office.found.code, office.found.state) == ("E10", EscalationState.CLOSED)
    closed = await office.desk.close(office.complaint)
    assert closed.header.status is CaseStatus.CLOSED
    assert closed.escalation is not None
    assert closed.escalation.code == "E10"
    moves = [fact.state for fact in await facts(office.desk.database, EscalationMoved)]
    assert moves == ["E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10"]
    verdict = await AuditLog(office.desk.database, office.desk.clock).verify()
    assert verdict.sound
