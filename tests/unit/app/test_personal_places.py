"""Every text column of the product is said to hold something of people, or not, and why (domain.md §6.4)."""

from fnmatch import fnmatchcase

import pytest
from sqlalchemy import JSON

from app.models import MODULES
from crm.domain.retention import RetentionClass
from kernel.db import Base
from web.personal_places import PERSONAL

pytestmark = pytest.mark.unit


def test_every_text_column_is_a_place_or_innocent_for_a_reason() -> None:
    assert MODULES, "all tables are mapped"
    unsaid = list(PERSONAL.unsaid())
    assert unsaid == [], "say in the package's personal_places.py what these hold"


def test_what_is_said_is_of_columns_that_are_there() -> None:
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.c}
    patterns = [pattern for group in PERSONAL.innocent.values() for pattern in group]
    assert [one for one in patterns if not any(fnmatchcase(name, one) for name in columns)] == []
    for place in PERSONAL.places:
        wanted = {place.by, *place.columns, *place.emptied, *([place.unless[0]] if place.unless else [])}
        assert {f"{place.table}.{name}" for name in wanted} <= columns, place
        assert place.keeps in set(RetentionClass)
        table = Base.metadata.tables[place.table]
        for name in place.columns:
            column = table.c[name]
            if isinstance(column.type, JSON) and not (place.rows or place.by_hand):
                assert column.nullable or name in place.emptied, f"{place.table}.{name}: what is empty?"
