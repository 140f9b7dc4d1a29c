"""What became of a call, in the agent's judgement: a tree that the centre keeps itself. Pure.

Agents pick a leaf. Which leaves are offered depends on the queue that the call came through; what else has to
be written depends on the leaf and the groups above it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

MAX_DEPTH = 3
MAX_DISPOSITIONS = 200


class Need(StrEnum):
    """What must be written for a disposition to be saved."""

    NOTES = "notes"
    FOLLOW_UP = "follow_up"
    """When the customer is to be called back."""


class Flaw(StrEnum):
    """Why a tree cannot be."""

    NO_PARENT = "no_parent"
    CIRCLE = "circle"
    TOO_DEEP = "too_deep"
    TOO_MANY = "too_many"
    GROUP_IN_USE = "group_in_use"
    """A retired group with children that are not."""
    NOTHING_LEFT = "nothing_left"
    """Agents of a queue, or of calls through no queue, would have nothing to pick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """One of them.

    Attributes:
        parent: code of the group that it stands in; empty at the top.
        queues: only for calls through these; empty for all, those through no queue included.
        needs: what must be written, here and below.
        active: agents may pick it; one that is not is only shown where it was picked.
        version: counts the changes.
    """

    code: str
    label_zh: str
    label_en: str
    parent: str = ""
    queues: frozenset[str] = frozenset()
    needs: frozenset[Need] = frozenset()
    position: int = 0
    active: bool = True
    version: int = 0


class DispositionTree:
    """All dispositions of a centre, in their order."""

    def __init__(self, items: Iterable[Disposition]) -> None:
        ordered = sorted(items, key=lambda item: (item.position, item.code))
        self._items: Mapping[str, Disposition] = {item.code: item for item in ordered}
        self._below: dict[str, list[Disposition]] = {}
        for item in ordered:
            self._below.setdefault(item.parent, []).append(item)

    def __getitem__(self, code: str) -> Disposition:
        """Return one. Raises KeyError."""
        return self._items[code]

    def __contains__(self, code: str) -> bool:
        """Tell whether there is such a one."""
        return code in self._items

    def __len__(self) -> int:
        """How many there are."""
        return len(self._items)

    def walk(self) -> Iterator[tuple[Disposition, int]]:
        """Go through all of them, each group before what is in it, with their depth from 0."""
        yield from self._walk("", 0)

    def _walk(self, parent: str, depth: int) -> Iterator[tuple[Disposition, int]]:
        for item in self._below.get(parent, ()):
            yield item, depth
            if depth < MAX_DEPTH:
                yield from self._walk(item.code, depth + 1)

    def path(self, code: str) -> tuple[Disposition, ...]:
        """Return the groups above one from the top, and itself; ends also where they run in a circle."""
        found: list[Disposition] = []
        while code in self._items and len(found) <= MAX_DISPOSITIONS:
            found.append(self._items[code])
            code = self._items[code].parent
        return tuple(reversed(found))

    def active(self, code: str) -> bool:
        """Tell whether it and every group above it are in use."""
        return all(item.active for item in self.path(code))

    def is_group(self, code: str) -> bool:
        """Tell whether something in use stands below: then only that is picked."""
        return any(item.active for item in self._below.get(code, ()))

    def needs(self, code: str) -> frozenset[Need]:
        """Return what must be written, with what the groups above ask for."""
        return frozenset[Need]().union(*(item.needs for item in self.path(code)))

    def queues(self, code: str) -> frozenset[str] | None:
        """Return the queues whose calls it is for; ``None`` for every call."""
        limits = [item.queues for item in self.path(code) if item.queues]
        return frozenset.intersection(*limits) if limits else None

    def offered(self, code: str, queue: str) -> bool:
        """Tell whether an agent may pick it for a call through a queue; ``queue`` is empty for none."""
        if code not in self._items or not self.active(code) or self.is_group(code):
            return False
        limit = self.queues(code)
        return limit is None or queue in limit

    def flaw(self, code: str, queues: Iterable[str]) -> Flaw | None:
        """Return what is wrong after ``code`` was changed, in a centre with these queues."""
        item = self._items[code]
        if len(self._items) > MAX_DISPOSITIONS:
            return Flaw.TOO_MANY
        if item.parent and item.parent not in self._items:
            return Flaw.NO_PARENT
        if len(self.path(code)) > MAX_DISPOSITIONS:
            return Flaw.CIRCLE
        if any(depth >= MAX_DEPTH for _, depth in self.walk()):
            return Flaw.TOO_DEEP
        if not item.active and self.is_group(code):
            return Flaw.GROUP_IN_USE
        for queue in ("", *queues):
            if not any(self.offered(each, queue) for each in self._items):
                return Flaw.NOTHING_LEFT
        return None
