"""Materials of a cost sheet are picked from a list (domain.md §2.4)."""

from dataclasses import replace
from decimal import Decimal

import pytest

from crm.domain.material import Listed, pick
from crm.domain.repair_cost import Material, MaterialKind
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

DRAIN = Listed(code="F-001", name="地漏(铜)", unit="个", price=Decimal("45.00"), kind=MaterialKind.AUXILIARY)
CATALOGUE = {DRAIN.name: DRAIN}
LINE = Material(item=" 地漏(铜) ", kind=MaterialKind.MAIN, quantity=Decimal(2), price=Decimal(45), unit="只")


def test_2_4_a_picked_material_has_the_catalogues_code_unit_kind_and_price() -> None:
    (line,) = pick([LINE], CATALOGUE, {})
    assert (line.code, line.item, line.unit, line.kind) == ("F-001", "地漏(铜)", "个", MaterialKind.AUXILIARY)
    with pytest.raises(Invalid) as refused:
        pick([replace(LINE, price=Decimal(44))], CATALOGUE, {})
    assert refused.value.field == "material.0.price"


def test_2_4_the_price_of_that_moment_stays_on_the_sheet() -> None:
    old = replace(LINE, price=Decimal(40))
    assert pick([old], CATALOGUE, {"F-001": Decimal("40.00")})[0].price == 40


def test_a_free_line_needs_a_reason_as_long_as_there_is_a_catalogue() -> None:
    free = replace(LINE, item="特制堵头")
    with pytest.raises(Invalid) as refused:
        pick([LINE, free], CATALOGUE, {})
    assert refused.value.field == "material.1.why"
    assert pick([replace(free, why=" 急修 ")], CATALOGUE, {})[0].why == "急修"
    assert pick([free], {}, {})[0].code == ""
