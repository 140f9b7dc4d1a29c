"""The stable codes of cases, word for word as domain.md §4.3 and §4.4 list them."""

from enum import StrEnum

import pytest

from crm.domain.case import Severity, Source
from crm.domain.compensation import Bearer, CompensationKind, LiableParty
from crm.domain.complaint import CLASS_LABELS, SUBCLASSES, ComplaintClass
from crm.domain.freeze import RefusalSource
from crm.domain.project import Stage
from crm.domain.repair_cost import CostBearer, CostKind

pytestmark = pytest.mark.unit

SUBCLASS_TABLE = {
    1: "water_electric waterproof tile carpentry paint installation",
    2: "start progress delivery visit",
    3: "add_ons final_account refund",
    4: "not_as_agreed defect missing smell",
    5: "drawing_error effect change briefing",
    6: "manner no_contact promise_broken",
    7: "safety tidiness damage neighbour",
    8: "late repeated refused",
    9: "private_charge false_promise",
    10: "contract other",
}
STAGE_TABLE = {
    "PROPOSAL": 10,
    "AUDIT": 15,
    "SIGNED": 20,
    "REGISTERED": 25,
    "AWAIT_DISPATCH": 30,
    "CREW_ASSIGNED": 35,
    "START_DATE": 40,
    "STARTED": 50,
    "CONCEALED": 60,
    "MIDTERM": 70,
    "MID_PAID": 75,
    "COMPLETED": 80,
    "FINAL_PAID": 85,
    "DELIVERED": 90,
    "IN_WARRANTY": 95,
    "OUT_OF_WARRANTY": 99,
    "CANCELLED": -1,
    "SUSPENDED": -2,
    "TERMINATED": -3,
}


@pytest.mark.parametrize(
    ("codes", "listed"),
    [
        (
            Source,
            "phone callback visit wechat web store department letter regulator media hotline_forward",
        ),
        (CompensationKind, "cash discount rework goods"),
        (LiableParty, "manufacturer crew customer company"),
        (CostBearer, "crew customer company manufacturer other"),
        (Bearer, "crew customer company manufacturer other staff"),
        (CostKind, "normal abnormal"),
        (RefusalSource, "key9 agent sms wechat letter regulator import"),
    ],
)
def test_codes_are_those_of_the_specification(codes: type[StrEnum], listed: str) -> None:
    assert {code.value for code in codes} == set(listed.split())


def test_severity_has_three_degrees() -> None:
    assert [severity.value for severity in Severity] == [1, 2, 3]


def test_classes_of_complaints_and_what_each_is_divided_into() -> None:
    assert {int(kind): " ".join(parts) for kind, parts in SUBCLASSES.items()} == SUBCLASS_TABLE
    assert set(CLASS_LABELS) == set(ComplaintClass)
    assert all(label for parts in SUBCLASSES.values() for label in parts.values())


def test_a_stage_is_its_rank() -> None:
    assert {stage.name: stage.value for stage in Stage} == STAGE_TABLE
