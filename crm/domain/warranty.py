"""What a warranty says when a repair is registered: a snapshot, and loud warnings (domain.md §1.5, §1.10).

The snapshot stays with the repair: what is issued, corrected or runs out later does not change it.
"""

from collections.abc import Sequence
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


class ItemCover(StrEnum):
    """Whether the customer gets one item of a warranty on a day."""

    COVERED = "covered"
    EXCLUDED = "excluded"
    EXPIRED = "expired"
    AHEAD = "ahead"
    """It begins later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarrantyItem:
    """What a home is warranted for, from and until when; ``why`` it is not (domain.md §4.5 Warranty)."""

    code: str
    name: str
    starts_on: date
    ends_on: date
    excluded: bool = False
    why: str = ""

    def state_on(self, day: date) -> ItemCover:
        """Return whether the customer gets it on a day."""
        if self.excluded:
            return ItemCover.EXCLUDED
        if day > self.ends_on:
            return ItemCover.EXPIRED
        return ItemCover.COVERED if day >= self.starts_on else ItemCover.AHEAD


class RepairWarning(StrEnum):
    """What the agent must see at once; none of them stops a registration."""

    IN_CONSTRUCTION = "IN_CONSTRUCTION"
    """The home is not finished: a defect during construction is a complaint."""
    NO_PROJECT = "NO_PROJECT"
    WARRANTY_NOT_ISSUED = "WARRANTY_NOT_ISSUED"
    PARTLY_WARRANTED = "PARTLY_WARRANTED"
    NOT_WARRANTED = "NOT_WARRANTED"
    WARRANTY_EXPIRED = "WARRANTY_EXPIRED"
    ITEM_EXCLUDED = "ITEM_EXCLUDED"
    """What is broken is an item that the warranty leaves out."""
    ITEM_EXPIRED = "ITEM_EXPIRED"
    """What is broken is warranted no more, or not yet."""
    CLASS_AGAINST_WARRANTY = "CLASS_AGAINST_WARRANTY"
    """Registered as under warranty although the snapshot says otherwise, or the other way round."""


_OF_FLAG = {
    WarrantyFlag.NONE: RepairWarning.WARRANTY_NOT_ISSUED,
    WarrantyFlag.PRE: RepairWarning.WARRANTY_NOT_ISSUED,
    WarrantyFlag.PARTIAL: RepairWarning.PARTLY_WARRANTED,
    WarrantyFlag.EXCLUDED: RepairWarning.NOT_WARRANTED,
    WarrantyFlag.EXPIRED: RepairWarning.WARRANTY_EXPIRED,
}


_OF_ITEM = {
    ItemCover.EXCLUDED: RepairWarning.ITEM_EXCLUDED,
    ItemCover.EXPIRED: RepairWarning.ITEM_EXPIRED,
    ItemCover.AHEAD: RepairWarning.ITEM_EXPIRED,
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
        items: what the home is warranted for, where that is written down item by item.
    """

    stage: Stage
    no: str | None = None
    until: date | None = None
    flag: WarrantyFlag | None = None
    excluded: tuple[str, ...] = ()
    items: tuple[WarrantyItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The warranty as it was on ``taken_on``; ``until`` is the last day, also of one that has expired.

    Attributes:
        items: what the home was warranted for.
        item: code of the item that the repair is about, where somebody said so.
    """

    flag: WarrantyFlag
    taken_on: date
    until: date | None = None
    no: str | None = None
    in_construction: bool = False
    no_project: bool = False
    excluded: tuple[str, ...] = ()
    items: tuple[WarrantyItem, ...] = ()
    item: str | None = None

    @property
    def item_state(self) -> ItemCover | None:
        """Whether the item was covered that the repair is about; ``None`` where nobody said which."""
        about = next((one for one in self.items if one.code == self.item), None)
        return about.state_on(self.taken_on) if about is not None else None


def take_snapshot(card: Card | None, today: date, item: str | None = None) -> Snapshot:
    """Return the warranty of a home as it is today; ``None`` for a repair without a project.

    Args:
        item: code of what is broken.
    """
    if card is None:
        return Snapshot(flag=WarrantyFlag.NONE, taken_on=today, no_project=True)
    return Snapshot(
        flag=_flag(card, today),
        taken_on=today,
        until=last_day(card.items) or card.until,
        no=card.no,
        in_construction=card.stage is Stage.SUSPENDED or 0 <= card.stage < Stage.COMPLETED,
        excluded=excluded_words(card.items) or card.excluded,
        items=card.items,
        item=item,
    )


def last_day(items: Sequence[WarrantyItem]) -> date | None:
    """Return the day on which the last item ends that is not left out."""
    return max((one.ends_on for one in items if not one.excluded), default=None)


def excluded_words(items: Sequence[WarrantyItem]) -> tuple[str, ...]:
    """Return what is left out, each with its reason."""
    return tuple(f"{one.name}：{one.why}" for one in items if one.excluded)


def flag_of(items: Sequence[WarrantyItem], today: date) -> WarrantyFlag:
    """Return how far items cover a home on a day."""
    states = [one.state_on(today) for one in items]
    if ItemCover.COVERED not in states and ItemCover.AHEAD not in states:
        return WarrantyFlag.EXPIRED if ItemCover.EXPIRED in states else WarrantyFlag.EXCLUDED
    whole = all(state in {ItemCover.COVERED, ItemCover.AHEAD} for state in states)
    return WarrantyFlag.FULL if whole else WarrantyFlag.PARTIAL


def _flag(card: Card, today: date) -> WarrantyFlag:
    issued = card.flag
    if issued is None:
        has_card = card.no is not None or card.until is not None
        issued = WarrantyFlag.FULL if has_card and card.stage >= Stage.DELIVERED else WarrantyFlag.NONE
        if card.stage is Stage.OUT_OF_WARRANTY:
            return WarrantyFlag.EXPIRED
    if issued in {WarrantyFlag.FULL, WarrantyFlag.PARTIAL} and card.items:
        return flag_of(card.items, today)
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
    elif snapshot.flag in _OF_FLAG and not _settled_by_item(snapshot):
        found.append(_OF_FLAG[snapshot.flag])
    if _issued(snapshot) and snapshot.item_state in _OF_ITEM:
        found.append(_OF_ITEM[snapshot.item_state])
    if chosen is not None and not fits(snapshot, chosen):
        found.append(RepairWarning.CLASS_AGAINST_WARRANTY)
    return tuple(found)


def fits(snapshot: Snapshot, chosen: RepairClass) -> bool:
    """Tell whether a class is what the warranty says; partial ones fit both, unless the item tells."""
    open_ = snapshot.flag is WarrantyFlag.PARTIAL and snapshot.item_state is None
    return open_ or chosen is suggested_class(snapshot)


def _issued(snapshot: Snapshot) -> bool:
    return snapshot.flag not in {WarrantyFlag.NONE, WarrantyFlag.PRE}


def _settled_by_item(snapshot: Snapshot) -> bool:
    """Whether the item alone tells what a partial warranty means for the repair."""
    return snapshot.flag is WarrantyFlag.PARTIAL and snapshot.item_state is not None


def suggested_class(snapshot: Snapshot) -> RepairClass:
    """Return the class that a form begins with."""
    covered = snapshot.flag in {WarrantyFlag.FULL, WarrantyFlag.PARTIAL}
    if covered and snapshot.item_state is not None:
        covered = snapshot.item_state is ItemCover.COVERED
    return RepairClass.IN_WARRANTY if covered else RepairClass.OUT
