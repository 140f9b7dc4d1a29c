"""Items of a warranty: the company's terms, the law's floor, what a repair sees (domain.md §1.10, §4.5)."""

from datetime import date

import pytest

from crm.domain.project import Stage
from crm.domain.warranty import (
    Card,
    ItemCover,
    RepairClass,
    RepairWarning,
    WarrantyFlag,
    WarrantyItem,
    suggested_class,
    take_snapshot,
    warnings_of,
)
from crm.domain.warranty_terms import checked_items, default_items, months_after, parse_terms, shipped_terms
from crm.repair_store import from_json, to_json
from kernel.errors import ConfigurationError, Invalid

pytestmark = pytest.mark.unit

ACCEPTED = date(2026, 2, 28)
TODAY = date(2027, 6, 1)
TERMS = shipped_terms()
ITEMS = default_items(TERMS, ACCEPTED)


def item(code: str, ends_on: date, *, excluded: bool = False, why: str = "") -> WarrantyItem:
    name = TERMS[code].name if code in TERMS else code
    return WarrantyItem(code=code, name=name, starts_on=ACCEPTED, ends_on=ends_on, excluded=excluded, why=why)


def card(*items: WarrantyItem, flag: WarrantyFlag = WarrantyFlag.FULL) -> Card:
    return Card(stage=Stage.IN_WARRANTY, no="BX-1", flag=flag, items=items)


def test_the_terms_run_from_the_acceptance_and_are_no_less_than_the_law() -> None:
    ends = {one.code: one.ends_on for one in ITEMS}
    assert ends["decoration"] == ends["wiring"] == ends["pipes"] == date(2028, 2, 28)
    assert ends["waterproof"] == ends["concealed"] == date(2031, 2, 28)
    assert (ends["woodwork"], ends["fittings"]) == (date(2029, 2, 28), date(2027, 2, 28))
    assert months_after(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert months_after(date(2026, 12, 31), 2) == date(2027, 2, 28)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("items: []", "1 to 40"),
        ("things: 1", "items"),
        ("items: [{code: a, name: 防水, months: 12, floor: 60}]", "months"),
        ("items: [{code: waterproof, name: 防水, months: 36}]", "the law gives at least 60"),
        ("items: [{code: A, name: 防水, months: 60}]", "code"),
        ("items: [{code: a, name: '', months: 60}]", "name"),
        ("items: [{code: a, name: 防水, months: true}]", "months"),
        ("items: [{code: a, name: x, months: 1}, {code: a, name: y, months: 1}]", "twice"),
        ("items: [{code: a, name: x, months: 1, other: 2}]", "perhaps floor"),
        ("items: [", "YAML"),
    ],
)
def test_terms_that_cannot_be_are_refused_with_their_place(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_terms(text)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ((item("waterproof", date(2031, 2, 27)),), "items.0.ends_on"),
        ((item("fittings", date(2026, 2, 27)),), "items.0.ends_on"),
        ((ITEMS[0], ITEMS[0]), "items.1.code"),
        ((item("woodwork", date(2029, 1, 1), excluded=True),), "items.0.why"),
        ((item("no good", date(2029, 1, 1)),), "items.0.code"),
    ],
)
def test_items_are_refused_that_the_law_or_the_card_does_not_allow(
    given: tuple[WarrantyItem, ...], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        checked_items(given, TERMS)
    assert caught.value.field == field


def test_what_is_left_out_says_why_and_may_be_shorter() -> None:
    (kept,) = checked_items((item("waterproof", ACCEPTED, excluded=True, why="客户自做"),), TERMS)
    assert (kept.excluded, kept.why) == (True, "客户自做")


@pytest.mark.parametrize(
    ("flag", "items", "found"),
    [
        (WarrantyFlag.FULL, ITEMS[:2], WarrantyFlag.FULL),
        (WarrantyFlag.FULL, ITEMS, WarrantyFlag.PARTIAL),  # fittings have run out
        (WarrantyFlag.FULL, (item("fittings", date(2027, 2, 28)),), WarrantyFlag.EXPIRED),
        (WarrantyFlag.PARTIAL, (item("woodwork", TODAY, excluded=True, why="x"),), WarrantyFlag.EXCLUDED),
        (WarrantyFlag.PRE, ITEMS, WarrantyFlag.PRE),
    ],
)
def test_how_far_a_home_is_covered_follows_from_its_items(
    flag: WarrantyFlag, items: tuple[WarrantyItem, ...], found: WarrantyFlag
) -> None:
    assert take_snapshot(card(*items, flag=flag), TODAY).flag is found


@pytest.mark.parametrize(
    ("code", "warnings", "suggested"),
    [
        (None, (RepairWarning.PARTLY_WARRANTED,), RepairClass.IN_WARRANTY),
        ("waterproof", (), RepairClass.IN_WARRANTY),
        ("fittings", (RepairWarning.ITEM_EXPIRED,), RepairClass.OUT),
        ("woodwork", (RepairWarning.ITEM_EXCLUDED,), RepairClass.OUT),
    ],
)
def test_a_repair_is_warned_of_an_item_that_is_out_or_left_out(
    code: str | None, warnings: tuple[RepairWarning, ...], suggested: RepairClass
) -> None:
    items = [one for one in ITEMS if one.code != "woodwork"]
    items.append(item("woodwork", date(2029, 2, 28), excluded=True, why="客户自购"))
    snapshot = take_snapshot(card(*items, flag=WarrantyFlag.PARTIAL), TODAY, code)
    assert (warnings_of(snapshot), suggested_class(snapshot)) == (warnings, suggested)
    assert snapshot.excluded == ("定制木作：客户自购",)
    if code == "fittings":
        told = warnings_of(snapshot, RepairClass.IN_WARRANTY)
        assert told[-1] is RepairWarning.CLASS_AGAINST_WARRANTY
        assert warnings_of(snapshot, RepairClass.OUT) == warnings
    assert from_json(to_json(snapshot), TODAY) == snapshot, "the snapshot stays as it was"


def test_an_item_begins_on_its_day() -> None:
    late = WarrantyItem(code="a", name="a", starts_on=date(2027, 7, 1), ends_on=date(2028, 7, 1))
    assert late.state_on(TODAY) is ItemCover.AHEAD
    assert late.state_on(date(2028, 7, 1)) is ItemCover.COVERED
    assert late.state_on(date(2028, 7, 2)) is ItemCover.EXPIRED
