"""The catalogue of materials that cost sheets pick from (domain.md §2.4 «materials picked from list»).

A line whose item is in the catalogue has its code, unit and kind, and the price of that moment, which stays
on the sheet. Any other line needs a reason, as long as there is a catalogue at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from crm.domain.lines import one_line
from crm.domain.repair_cost import Material, MaterialKind
from kernel.errors import Invalid

MAX_WHY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A material of the catalogue."""

    code: str
    name: str
    unit: str
    price: Decimal
    kind: MaterialKind


def pick(
    lines: Sequence[Material], catalogue: Mapping[str, Listed], agreed: Mapping[str, Decimal]
) -> tuple[Material, ...]:
    """Return the lines of a sheet as the catalogue has them.

    Args:
        catalogue: by name, what may be picked now.
        agreed: by code, prices that stand on the sheet already; they stay although the catalogue's change.

    Raises:
        Invalid: another price than the catalogue's, or something that is not in it without a reason.
    """
    found = []
    for at, line in enumerate(lines):
        listed = catalogue.get(" ".join(line.item.split()))
        if listed is None:
            why = one_line(line.why, field=f"material.{at}.why", limit=MAX_WHY) if line.why.strip() else ""
            if catalogue and not why:
                raise Invalid("is not in the catalogue: say why", field=f"material.{at}.why")
            found.append(replace(line, code="", why=why))
            continue
        if line.price not in {listed.price, agreed.get(listed.code)}:
            raise Invalid(f"the catalogue says {listed.price}", field=f"material.{at}.price")
        found.append(
            replace(line, code=listed.code, item=listed.name, unit=listed.unit, kind=listed.kind, why="")
        )
    return tuple(found)
