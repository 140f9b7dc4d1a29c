"""The rows K2 to K5 of domain.md §1.5: who moves a settlement on, from where, and what it is then."""

from datetime import UTC, date, datetime

import pytest

from crm.domain import repair_cost as machine
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.domain.repair_cost import CostState, Settlement, Signature
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 31, 2, 0, tzinfo=UTC)
TODAY = date(2026, 3, 31)


def by(name: str) -> Signature:
    return Signature(user_id=name, name=name, at=NOW)


def costed() -> Settlement:
    return machine.written(None, author="赵队长")


def cs_signed() -> Settlement:
    return machine.signed_by_service(costed(), by("陈经理"))


def company_signed() -> Settlement:
    return machine.signed_by_company(cs_signed(), by("钱总"))


def filed() -> Settlement:
    return machine.filed(company_signed(), at=NOW)


def reconciled() -> Settlement:
    return machine.reconciled(filed(), month="2026-03", filed_on=TODAY, today=TODAY)


def test_K2_the_company_signs_after_customer_service_and_is_somebody_else() -> None:
    assert company_signed().state is CostState.COMPANY_SIGNED
    with pytest.raises(IllegalStep):
        machine.signed_by_company(costed(), by("钱总"))
    for same in ("赵队长", "陈经理"):
        with pytest.raises(SamePerson):
            machine.signed_by_company(cs_signed(), by(same))


def test_K3_is_filed_once_both_have_signed() -> None:
    assert filed().state is CostState.FILED
    for early in (costed(), cs_signed()):
        with pytest.raises(IllegalStep):
            machine.filed(early, at=NOW)


def test_K4_is_reconciled_in_a_month_that_is_neither_ahead_nor_before_the_filing() -> None:
    assert reconciled().state is CostState.RECONCILED
    with pytest.raises(IllegalStep):
        machine.reconciled(company_signed(), month="2026-03", filed_on=TODAY, today=TODAY)
    for month in ("2026-02", "2026-04"):
        with pytest.raises(Invalid):
            machine.reconciled(filed(), month=month, filed_on=TODAY, today=TODAY)


def test_K5_is_settled_after_the_months_end_only_and_once() -> None:
    settled = machine.settled(reconciled())
    assert settled.state is CostState.SETTLED
    for wrong in (filed(), settled):
        with pytest.raises(IllegalStep):
            machine.settled(wrong)
