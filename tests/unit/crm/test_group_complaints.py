"""When complaints are those of a group (domain.md §1.3, severity 3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.classification import read_tables, shipped
from crm.domain.complaint import ComplaintClass
from crm.domain.group import GroupRule, Neighbour, groups
from kernel.errors import ConfigurationError

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = GroupRule(customers=3, within=30 * DAY)
TILES, DELAY = ComplaintClass.WORKMANSHIP, ComplaintClass.DELAY


def one(no: str, customer: str, **more: Any) -> Neighbour:
    what: dict[str, Any] = {"class_": TILES, "opened_at": NOW - DAY}
    return Neighbour(case_id=no, no=no, customer_id=customer, **(what | more))


def test_1_3_three_customers_of_a_community_with_the_same_complaint_are_a_group() -> None:
    found = groups([one("TS1", "B"), one("TS2", "C", opened_at=NOW)], "A", RULE, NOW)
    assert list(found) == [TILES]
    assert (found[TILES].customers, found[TILES].nos) == (3, ("TS2", "TS1"))
    assert not groups([one("TS1", "B")], "A", RULE, NOW)


def test_1_3_a_customer_counts_once_and_the_one_who_complains_is_among_them() -> None:
    twice = [one("TS1", "B"), one("TS2", "B"), one("TS3", "A")]
    assert not groups(twice, "A", RULE, NOW)
    assert groups([*twice, one("TS4", "C")], "A", RULE, NOW)[TILES].nos == ("TS4", "TS2", "TS1")


@pytest.mark.parametrize(
    "other",
    [
        {"class_": DELAY},
        {"opened_at": NOW - 30 * DAY},
        {"opened_at": NOW + DAY},
        {"class_": ComplaintClass.INTEGRITY},
    ],
)
def test_1_3_another_matter_long_ago_or_confidential_makes_no_group(other: dict[str, Any]) -> None:
    assert not groups([one("TS1", "B"), one("TS2", "C", **other)], "A", RULE, NOW)
    secret = [one("TS1", "B", class_=ComplaintClass.INTEGRITY), one("TS2", "C", **other)]
    assert not groups(secret, "A", RULE, NOW)


def test_how_many_within_which_time_is_configuration() -> None:
    assert shipped().group == RULE
    source = "group: {customers: 1, days: 30}"
    with pytest.raises(ConfigurationError):
        read_tables(source)
