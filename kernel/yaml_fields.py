"""Typed access to a YAML mapping that collects every mistake instead of stopping at the first."""

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import TypeVar

from kernel.yaml_tree import Sequence, Table, Tree, Value

T = TypeVar("T")
Complain = Callable[[int, str], None]
"""Writes a mistake down: its line and what it is."""


class Fields:
    """The entries of one mapping.

    Args:
        tree: what should be a mapping.
        complain: where mistakes are written.
        what: what the mapping is, for messages.
        entry: what one entry is, for messages.

    Each getter returns a harmless value where the file has a mistake, so that reading goes on; the
    whole is refused in the end.
    """

    def __init__(self, tree: Tree, complain: Complain, what: str, entry: str = "entry") -> None:
        self.complain = complain
        self._what = what
        self._read: set[str] = set()
        self._entries: dict[str, tuple[int, Tree]] = {}
        self.line = tree.line
        if not isinstance(tree, Table):
            self.complain(tree.line, f"{what} must be a mapping of names to values")
            return
        for key, value in tree.entries:
            if key.text in self._entries:
                first = self._entries[key.text][0]
                self.complain(key.line, f"{entry} {key.text} appears twice (first in line {first})")
            else:
                self._entries[key.text] = (key.line, value)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def line_of(self, name: str) -> int:
        """Line of an entry, or of the mapping where it is missing."""
        return self._entries[name][0] if name in self._entries else self.line

    def items(self) -> Iterator[tuple[str, int, Tree]]:
        """All entries as (name, line, value); they count as read."""
        for name, (line, value) in self._entries.items():
            self._read.add(name)
            yield name, line, value

    def done(self) -> None:
        """Complain about entries that nobody asked for."""
        for name, (line, _) in self._entries.items():
            if name not in self._read:
                known = ", ".join(sorted(self._read))
                self.complain(line, f"{self._what} has no “{name}”; it knows {known}")

    def tree(self, name: str) -> Tree | None:
        """The raw value of an entry."""
        self._read.add(name)
        found = self._entries.get(name)
        return found[1] if found else None

    def _scalar(self, name: str, kind: str, read: Callable[[Value], T | None], default: T | None) -> T | None:
        tree = self.tree(name)
        if tree is None:
            return default
        value = read(tree) if isinstance(tree, Value) else None
        if value is None:
            self.complain(tree.line, f"{name} must be {kind}")
            return default
        return value

    def text(self, name: str, default: str = "") -> str:
        """A word or a sentence."""
        return (
            self._scalar(name, "a text", lambda value: None if value.empty else value.text, default)
            or default
        )

    def required(self, name: str, kind: str = "a text") -> str:
        """A text that must be there; empty after a complaint."""
        if name not in self._entries:
            self._read.add(name)
            self.complain(self.line, f"{name} is missing")
            return ""
        return self._scalar(name, kind, lambda value: None if value.empty else value.text, "") or ""

    def optional(self, name: str) -> str | None:
        """A text that may be missing."""
        return self.text(name) or None

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self._scalar(name, "true or false", lambda value: value.boolean, default)
        return default if value is None else value

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number within limits."""

        def read(value: Value) -> int | None:
            number = value.integer
            return number if number is not None and low <= number <= high else None

        value = self._scalar(name, f"a whole number from {low} to {high}", read, default)
        return default if value is None else value

    def seconds(self, name: str, default: timedelta, *, low: int = 1, high: int = 30) -> timedelta:
        """A duration in whole seconds."""
        return timedelta(seconds=self.number(name, int(default.total_seconds()), low=low, high=high))

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of a few words."""
        kind = "one of " + ", ".join(sorted(allowed))
        return (
            self._scalar(name, kind, lambda value: value.text if value.text in allowed else None, default)
            or default
        )

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """One word or a list of them."""
        tree = self.tree(name)
        if tree is None:
            return default
        items = tree.items if isinstance(tree, Sequence) else (tree,)
        found = tuple(item.text for item in items if isinstance(item, Value) and not item.empty)
        if len(found) != len(items):
            self.complain(tree.line, f"{name} must be a name or a list of names")
        return found

    def nested(self, tree: Tree, what: str) -> "Fields":
        """A mapping that is the value of an entry got from :meth:`items`."""
        return Fields(tree, self.complain, what)

    def fields(self, name: str, entry: str = "entry") -> "Fields":
        """A mapping inside; an empty one where it is missing."""
        tree = self.tree(name)
        if tree is None:
            tree = Table((), self.line)
        return Fields(tree, self.complain, name, entry)
