"""`true` is no number in the bodies of the API, whatever Python says."""

from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from web.api.booleans import as_numbers

pytestmark = pytest.mark.unit


class Grave(IntEnum):
    LITTLE = 1
    MUCH = 2


Count = Annotated[int, Field(ge=0)]


class Item(BaseModel):
    count: Count
    price: Decimal | None = None


class Asked(BaseModel):
    grave: Grave = Grave.LITTLE
    well: bool = False
    either: bool | int = 0
    free: Any = None
    named: dict[str, Annotated[int, Field(le=9)]] = {}
    items: tuple[Item, ...] = ()
    one: Item | None = None


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({"grave": 2, "well": True, "either": True, "free": {"a": True}, "named": {"a": 1}}, ()),
        ({"grave": True}, ("grave",)),
        ({"named": {"a": 1, "b": False}}, ("named.b",)),
        ({"items": [{"count": 1}, {"count": True, "price": True}]}, ("items.1.count", "items.1.price")),
        ({"one": {"count": False}, "grave": 1}, ("one.count",)),
        ({"items": True, "one": None, "unknown": True}, ()),
        (True, ()),
    ],
)
def test_number_fields_take_no_truth_values(given: object, places: tuple[str, ...]) -> None:
    assert tuple(as_numbers(Asked, given)) == places
