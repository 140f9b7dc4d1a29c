"""What a warranty says when a repair is registered: a snapshot, and loud warnings (domain.md §1.5, §1.10).

The snapshot stays with the repair: what is issued, corrected or runs out later does not change it.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from crm.domain.project import Stage


class WarrantyFlag(StrEnum):
    """How far a home is under warranty (``warranty_flag`` of domain.md §4.3)."""

    NONE = "none"
    """No warranty card was issued 未办理保修."""
    PRE = "pre"
    """Prepared, not issued 预办理."""
    FULL = "full"
    PARTIAL = "partial"
    EXCLUDED = "excluded"
    """Issued as «no warranty» 不保修."""
    EXPIRED = "expired"


class RepairClass(StrEnum):
    """Whether the customer gets it under warranty (``repair_class`` of domain.md §4.3)."""

    IN_WARRANTY = "in_warranty"
    OUT = "out"


CLASS_LABELS = {RepairClass.IN_WARRANTY: "保修", RepairClass.OUT: "非保修"}


class RepairWarning(StrEnum):
    """What the agent must see at once; none of them stops a registration."""

    IN_CONSTRUCTION = "IN_CONSTRUCTION"
    """The home is not finished: a defect during construction is a complaint."""
    NO_PROJECT = "NO_PROJECT"
    WARRANTY_NOT_ISSUED = "WARRANTY_NOT_ISSUED"
    PARTLY_WARRANTED = "PARTLY_WARRANTED"
    NOT_WARRANTED = "NOT_WARRANTED"
    WARRANTY_EXPIRED = "WARRANTY_EXPIRED"
    CLASS_AGAINST_WARRANTY = "CLASS_AGAINST_WARRANTY"
    """Registered as under warranty although the snapshot says otherwise, or the other way round."""


_OF_FLAG = {
    WarrantyFlag.NONE: RepairWarning.WARRANTY_NOT_ISSUED,
    WarrantyFlag.PRE: RepairWarning.WARRANTY_NOT_ISSUED,
    WarrantyFlag.PARTIAL: RepairWarning.PARTLY_WARRANTED,
    WarrantyFlag.EXCLUDED: RepairWarning.NOT_WARRANTED,
    WarrantyFlag.EXPIRED: RepairWarning.WARRANTY_EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the files say of a home's warranty.

    Attributes:
        stage: of the project.
        no: of the warranty card.
        until: its last day.
        flag: how it was issued, where that is written down; else it follows from the rest.
        excluded: items that are not covered, with the reason.
    """

    stage: Stage
    no: str | None = None
    until: date | None = None
    flag: WarrantyFlag | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The warranty as it was on ``taken_on``; ``until`` is the last day, also of one that has expired."""

    flag: WarrantyFlag
    taken_on: date
    until: date | None = None
    no: str | None = None
    in_construction: bool = False
    no_project: bool = False
    excluded: tuple[str, ...] = ()


def take_snapshot(card: Card | None, today: date) -> Snapshot:
    """Return the warranty of a home as it is today; ``None`` for a repair without a project."""
    if card is None:
        return Snapshot(flag=WarrantyFlag.NONE, taken_on=today, no_project=True)
    return Snapshot(
        flag=_flag(card, today),
        taken_on=today,
        until=card.until,
        no=card.no,
        in_construction=card.stage is Stage.SUSPENDED or 0 <= card.stage < Stage.COMPLETED,
        excluded=card.excluded,
    )


def _flag(card: Card, today: date) -> WarrantyFlag:
    issued = card.flag
    if issued is None:
        has_card = card.no is not None or card.until is not None
        issued = WarrantyFlag.FULL if has_card and card.stage >= Stage.DELIVERED else WarrantyFlag.NONE
        if card.stage is Stage.OUT_OF_WARRANTY:
            return WarrantyFlag.EXPIRED
    if issued in {WarrantyFlag.FULL, WarrantyFlag.PARTIAL} and card.until is not None and card.until < today:
        return WarrantyFlag.EXPIRED
    return issued


def warnings_of(snapshot: Snapshot, chosen: RepairClass | None = None) -> tuple[RepairWarning, ...]:
    """Return what the agent must see, the most pressing first."""
    found: list[RepairWarning] = []
    if snapshot.in_construction:
        found.append(RepairWarning.IN_CONSTRUCTION)
    if snapshot.no_project:
        found.append(RepairWarning.NO_PROJECT)
    elif snapshot.flag in _OF_FLAG:
        found.append(_OF_FLAG[snapshot.flag])
    if chosen is not None and not fits(snapshot, chosen):
        found.append(RepairWarning.CLASS_AGAINST_WARRANTY)
    return tuple(found)


def fits(snapshot: Snapshot, chosen: RepairClass) -> bool:
    """Tell whether a class is what the warranty says; partly covered homes fit both."""
    return snapshot.flag is WarrantyFlag.PARTIAL or chosen is suggested_class(snapshot)


def suggested_class(snapshot: Snapshot) -> RepairClass:
    """Return the class that a form begins with."""
    covered = snapshot.flag in {WarrantyFlag.FULL, WarrantyFlag.PARTIAL}
    return RepairClass.IN_WARRANTY if covered else RepairClass.OUT
