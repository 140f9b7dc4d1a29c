"""YAML read as a tree that knows its lines, and that no file can blow up.

Only plain YAML is taken: mappings, lists, scalars. Anchors, aliases and tags are refused, the size and the
depth are bounded before anything is built, and a key that stands twice is a mistake, not an overwriting.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_EVENTS = 40_000

_INTEGER = re.compile(r"-?\d{1,9}")


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar. ``plain`` tells that it was written without quotes."""

    text: str
    line: int
    plain: bool

    @property
    def integer(self) -> int | None:
        """The value as a whole number, ``None`` when it is none."""
        return int(self.text) if self.plain and _INTEGER.fullmatch(self.text) else None

    @property
    def boolean(self) -> bool | None:
        """The value as true or false, ``None`` when it is neither."""
        return {"true": True, "yes": True, "false": False, "no": False}.get(self.text) if self.plain else None

    @property
    def empty(self) -> bool:
        """Whether nothing was written (``key:`` alone, ``~``, ``null``)."""
        return self.plain and self.text in {"", "~", "null"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple["Tree", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, as written: a key may stand several times."""

    entries: tuple[tuple[Value, "Tree"], ...]
    line: int


Tree = Value | Sequence | Table


class YamlRefused(Exception):
    """The text is no YAML that we take.

    Attributes:
        line: where, from 1; 0 for the text as a whole.
        message: what is wrong and what would be right.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read_yaml(text: str) -> Tree:
    """Return the only document of ``text``.

    Raises:
        YamlRefused: not YAML, too big, too deep, or with anchors, aliases, tags or several documents.
    """
    if len(text.encode("utf-8", errors="replace")) > MAX_BYTES:
        raise YamlRefused(0, f"file is larger than {MAX_BYTES // 1024} KiB")
    try:
        return _Builder().document(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise YamlRefused(line, _explain(error)) from error
    except yaml.YAMLError as error:
        # The reader's error names a character that YAML does not allow.
        raise YamlRefused(0, "not YAML: it holds a control character") from error


def _explain(error: yaml.MarkedYAMLError) -> str:
    if "alias" in f"{error.context} {error.problem}":
        return 'anchors and aliases are not used here; write the star key in quotes: "*"'
    return f"not YAML: {error.problem or error.context}"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


class _Builder:
    """Builds the tree from the parser's events, without recursion that a file could exhaust."""

    def document(self, text: str) -> Tree:
        roots: list[Tree] = []
        open_nodes: list[tuple[yaml.Event, list[Tree]]] = []
        for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            line = _line(event)
            if count > MAX_EVENTS:
                self._refuse(line, "file has too many entries")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                self._refuse(line, 'anchors and aliases are not used here; write the star key in quotes: "*"')
            # In an event the tag is set only where the file writes one.
            if getattr(event, "tag", None):
                self._refuse(line, f"tags such as {event.tag} are not used here")  # type: ignore[attr-defined]
            finished: Tree | None = None
            if isinstance(event, yaml.ScalarEvent):
                finished = Value(event.value, line, plain=event.style is None)
            elif isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event, []))
                if len(open_nodes) > MAX_DEPTH:
                    self._refuse(line, f"nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                finished = self._close(*open_nodes.pop())
            if finished is not None:
                (open_nodes[-1][1] if open_nodes else roots).append(finished)
        if len(roots) != 1:
            self._refuse(0, "file is empty" if not roots else "file has several documents")
        return roots[0]

    def _close(self, start: yaml.Event, parts: list[Tree]) -> Tree:
        line = _line(start)
        if isinstance(start, yaml.SequenceStartEvent):
            return Sequence(tuple(parts), line)
        entries: list[tuple[Value, Tree]] = []
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, Value):
                self._refuse(key.line, "a key must be a word, not a list or a mapping")
            entries.append((key, value))
        return Table(tuple(entries), line)

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise YamlRefused(line, message)
