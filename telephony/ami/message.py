"""One AMI message, framed already: an event or the response to an action.

Headers are looked up without regard to case. A repeated header keeps all its values in order
(``get_all``); ``get`` returns the first, because Asterisk writes its own headers before any that a
dialplan or a caller may add (``UserEvent``), so that a repeated one can never mask the true one.

The bytes are decoded as a whole and only when a header is asked for: a consumer that ignores an event by
its name pays next to nothing for it.
"""

import re
from collections.abc import ItemsView, Iterable, Mapping

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CACHE_LIMIT = 4096
# The escapes of utils.c, ast_escape_c_alloc(); what would be a control character becomes a space.
_ESCAPE = re.compile(r"\\(.)")
# Headers of a channel that Asterisk writes with these escapes (manager_channels.c).
_ESCAPED_HEADERS = ("calleridname", "connectedlinename")
_ESCAPED = {"a": " ", "b": " ", "f": " ", "n": " ", "r": " ", "t": " ", "v": " "}


def _unescape(match: re.Match[str]) -> str:
    character = match.group(1)
    return _ESCAPED.get(character, character)


class _LowerKeys(dict[str, str]):
    """Header name as sent → lower case; bounded, because a dialplan may invent header names."""

    def __missing__(self, key: str) -> str:
        lower = key.strip().lower()
        if len(self) < _CACHE_LIMIT:
            self[key] = lower
        return lower


_KEYS = _LowerKeys()


class AmiMessage:
    """Headers of one message; see the module's text for the rules of lookup."""

    __slots__ = ("_fields", "_repeated", "raw", "truncated")

    def __init__(self, raw: bytes, *, truncated: bool = False) -> None:
        self.raw = raw
        self.truncated = truncated
        self._fields: dict[str, str] | None = None
        self._repeated: dict[str, list[str]] | None = None

    @property
    def fields(self) -> Mapping[str, str]:
        """Lower-case header name → its first value."""
        return self._fields if self._fields is not None else self._parse()

    def get(self, key: str, default: str = "") -> str:
        """Return the first value of a header, or ``default`` when it is absent."""
        fields = self._fields
        if fields is None:
            fields = self._parse()
        return fields.get(key.lower(), default)

    def get_all(self, key: str) -> tuple[str, ...]:
        """Return every value of a header, in the order they came."""
        fields = self.fields
        lower = key.lower()
        if self._repeated is not None and lower in self._repeated:
            return tuple(self._repeated[lower])
        return (fields[lower],) if lower in fields else ()

    def variables(self, header: str) -> dict[str, str]:
        """Return headers of the form ``name=value`` as a dict; the first of equal names wins.

        Asterisk writes values of channel variables with C escapes; they are undone here.
        """
        found: dict[str, str] = {}
        for text in self.get_all(header):
            name, equals, value = text.partition("=")
            if equals:
                if "\\" in value:
                    value = _ESCAPE.sub(_unescape, value)
                found.setdefault(name, value)
        return found

    @property
    def chan_variables(self) -> dict[str, str]:
        """The channel variables that ``channelvars`` of manager.conf attaches to channel events."""
        return self.variables("chanvariable")

    @property
    def action_id(self) -> str:
        """The ActionID this message answers, or an empty string."""
        return self.get("actionid")

    def items(self) -> ItemsView[str, str]:
        """Return lower-case names with their first values."""
        return self.fields.items()

    def __getitem__(self, key: str) -> str:
        return self.fields[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self.fields

    def _parse(self) -> dict[str, str]:
        raw = self.raw
        lines = raw.decode("utf-8", "replace").split("\r\n")
        ends = len(lines) - 1
        if raw.count(b"\n") != ends or raw.count(b"\r") != ends or b"\0" in raw:
            # A lone CR, LF or NUL inside a value: shown as a space, it must not travel further.
            lines = [_CONTROL.sub(" ", line) for line in lines]
        fields: dict[str, str] = {}
        keys = _KEYS
        escapes = b"\\" in raw
        for line in lines:
            key, colon, value = line.partition(": ")
            if not colon:
                key, colon, value = line.partition(":")
                if not colon:
                    continue
            key = keys[key]
            if escapes and key.endswith(_ESCAPED_HEADERS):
                value = _ESCAPE.sub(_unescape, value)
            if key in fields:
                if self._repeated is None:
                    self._repeated = {}
                if key in self._repeated:
                    self._repeated[key].append(value)
                else:
                    self._repeated[key] = [fields[key], value]
            else:
                fields[key] = value
        self._fields = fields
        return fields


class AmiEvent(AmiMessage):
    """Something that happened on the PBX. ``name`` is the event's name as Asterisk spells it."""

    __slots__ = ("name", "tagged")

    def __init__(self, name: str, raw: bytes, tagged: bool = False, *, truncated: bool = False) -> None:
        # Spelled out instead of super().__init__: this runs for every event on the wire.
        self.name = name
        self.raw = raw
        self.tagged = tagged
        self.truncated = truncated
        self._fields = None
        self._repeated = None

    @classmethod
    def of(cls, name: str, headers: Mapping[str, str | Iterable[str]] | None = None) -> "AmiEvent":
        """Build an event from headers (a header with several values is repeated)."""
        lines = [f"Event: {name}"]
        for key, value in (headers or {}).items():
            values = (value,) if isinstance(value, str) else value
            lines.extend(f"{key}: {text}" for text in values)
        raw = "\r\n".join(lines).encode()
        return cls(name, raw, b"\r\nActionID: " in raw)

    def __repr__(self) -> str:
        return f"<AmiEvent {self.name} {len(self.raw)} bytes>"


class AmiResponse(AmiMessage):
    """The answer to an action."""

    __slots__ = ()

    @property
    def success(self) -> bool:
        """Whether the PBX accepted the action."""
        return self.get("response").lower() in {"success", "follows", "goodbye"}

    @property
    def message(self) -> str:
        """The PBX's own words."""
        return self.get("message")

    @property
    def starts_list(self) -> bool:
        """Whether events of a list follow, up to one with ``EventList: Complete``."""
        return self.get("eventlist").lower() == "start"

    @property
    def output(self) -> tuple[str, ...]:
        """The lines a ``Command`` printed."""
        return self.get_all("output")

    def __repr__(self) -> str:
        return f"<AmiResponse {self.get('response')} {len(self.raw)} bytes>"
