"""A major complaint on a desk, for tests: the steps from E0 on."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm.compensations import NewCompensation
from crm.complaint_views import ComplaintView
from crm.domain.compensation import Bearer, LiableParty, RecoveryShare
from crm.escalation_views import EscalationView
from crm.escalations import Liability, NewEscalation
from kernel.access import Actor
from kernel.ids import new_ulid
from tests.support.complaints import (
    BOSS,
    FINANCE,
    HOUR,
    MANAGER,
    Desk,
)

SHARES = {
    LiableParty.MANUFACTURER: Decimal("33.33"),
    LiableParty.CREW: Decimal("33.33"),
    LiableParty.CUSTOMER: Decimal("0"),
    LiableParty.COMPANY: Decimal("33.34"),
}


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
