"""Which closed cases are followed up, and by whom (property pattern, domain.md §1.13)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.case import CaseKind, Severity
from crm.domain.follow_up import SCALE, Share, drawn, needed, place, rule_for
from crm.follow_ups import PATH, read_rules, shipped
from kernel.access import Role
from kernel.errors import ConfigurationError
from kernel.ids import new_ulid

pytestmark = pytest.mark.unit

THIRTY = Fraction(30, 100)
IDS = st.sets(st.text("0123456789ABCDEF", min_size=4, max_size=8), max_size=60)


def test_the_property_pattern_general_by_supervisor_major_by_manager_repairs_30_complaints_100() -> None:
    found = {}
    for kind in (CaseKind.COMPLAINT, CaseKind.REPAIR):
        for severity in Severity:
            rule = rule_for(shipped(), kind, severity)
            assert rule is not None
            found[kind, severity] = (rule.ratio, rule.rank)
    assert found[CaseKind.COMPLAINT, Severity.GENERAL] == (Fraction(1), Role.SUPERVISOR)
    assert found[CaseKind.COMPLAINT, Severity.MAJOR] == (Fraction(1), Role.MANAGER)
    assert found[CaseKind.REPAIR, Severity.GENERAL] == (THIRTY, Role.SUPERVISOR)
    assert found[CaseKind.REPAIR, Severity.MAJOR][1] is Role.MANAGER
    assert rule_for(shipped(), CaseKind.TICKET, Severity.GENERAL) is None


@given(IDS)
def test_at_least_30_percent_are_drawn_and_the_same_for_everybody(ids: set[str]) -> None:
    chosen = drawn(ids, THIRTY)
    assert len(chosen) >= needed(len(ids), THIRTY)
    assert len(chosen) * 100 >= len(ids) * 30
    assert chosen == drawn(sorted(ids, reverse=True), THIRTY)
    assert set(chosen) <= ids
    assert {case_id for case_id in ids if place(case_id) < THIRTY * SCALE} <= set(chosen)


@given(IDS)
def test_100_percent_are_all(ids: set[str]) -> None:
    assert set(drawn(ids, Fraction(1))) == ids


def test_about_as_many_are_drawn_as_asked_for() -> None:
    ids = [new_ulid() for _ in range(4000)]
    assert 0.27 < len(drawn(ids, THIRTY)) / 4000 < 0.33


def test_a_share_shows_numerator_and_denominator_and_nothing_of_nothing() -> None:
    assert (Share(3, 10).text, Share(0, 0).text) == ("30.0 % (3/10)", "–")
    assert (Share(3, 10).value, Share(0, 0).value) == (0.3, None)
    assert Share(3, 10).reaches(THIRTY) and Share(0, 0).reaches(THIRTY)
    assert not Share(3, 11).reaches(THIRTY), "3.3 cases are 4"


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("kind: repair", "kind: wish"),
        ("ratio: 30", "ratio: 300"),
        ("rank: manager", "rank: boss"),
        ("rules:", "rules: ["),
    ],
)
def test_rules_that_cannot_be_are_refused(was: str, now: str) -> None:
    with pytest.raises(ConfigurationError, match=r"follow_up\.yaml"):
        read_rules(PATH.read_text(encoding="utf-8").replace(was, now, 1))
