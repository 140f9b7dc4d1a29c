"""Bytes of the AMI wire to messages and back. No I/O here.

Framing is done on bytes and a message is decoded as a whole, so a character cut by a TCP segment is never
lost. A message ends with ``CR LF CR LF``; the ``CR LF LF`` that some Asterisk modules write is accepted. A
bare ``LF LF`` is *not* an end: it may be part of a value that a caller chose.

Asterisk writes a caller's number as it came. One with line breaks (``sip:1%0d%0a…@``) looks like further
headers, or like the end of the message and another one: it could say that somebody else's call is over. So
what is told of a channel must be whole, in Asterisk's own order; what stands between the number and the name
is the number.
"""

import re
from collections.abc import Iterable

from panoramisk import utils as panoramisk_utils
from panoramisk.actions import Action

from telephony.ami.errors import AmiInvalid, AmiProtocolError
from telephony.ami.message import AmiEvent, AmiMessage, AmiResponse

MAX_MESSAGE = 256 * 1024
MAX_LINE = 64 * 1024
MAX_BANNER = 256
# Limits of Asterisk's own input: manager.c reads lines of at most 1024 bytes and keeps 128 headers.
MAX_SENT_LINE = 1022
MAX_SENT_HEADERS = 120

_BANNER = b"Asterisk Call Manager/"
_END = b"\r\n\r\n"
_TAG = b"\r\nActionID: "
_NUMBER = b"\r\nCallerIDNum: "
_CHANNEL = b"\r\nChannelStateDesc: "
# Longer than any number can be (AST_CHANNEL_NAME, 80 bytes), so that none can hold it.
_REST = rb"".join(
    rb"\r\n%s: [^\r]*" % name
    for name in (b"CallerIDName", b"ConnectedLineNum", b"ConnectedLineName", b"Language", b"AccountCode")
)
_WHOLE = re.compile(rb"\r\nCallerIDNum: [^\r]*" + _REST)
_AFTER_NUMBER = re.compile(_REST)
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]+")
_MAX_TORN = 4096
_MESSAGE_START = re.compile(rb"(?:^|\n)((?:Event|Response): )")
_UNSAFE = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NAME_END = re.compile(r'[=,"\\\s]')
_NAMES_LIMIT = 512


class _Names(dict[bytes, str]):
    """Event name as bytes → str; bounded."""

    def __missing__(self, raw: bytes) -> str:
        name = raw.decode("utf-8", "replace").strip()
        if len(self) < _NAMES_LIMIT:
            self[raw] = name
        return name


class Decoder:
    """Feed it whatever the socket gives; it returns whole messages.

    Args:
        discard: event names that are dropped on sight of their first line, unless they answer an action.
        max_message: a longer message is delivered cut off (``truncated``) and the rest skipped.
        max_line: a longer header is cut off.

    Attributes:
        banner: the protocol version Asterisk announced, None until its line has arrived.
        counts: events seen by name, also the discarded ones; the reader of metrics empties it.
        malformed: messages that made no sense and were skipped.
    """

    def __init__(
        self,
        discard: Iterable[str] = (),
        *,
        max_message: int = MAX_MESSAGE,
        max_line: int = MAX_LINE,
    ) -> None:
        self.banner: str | None = None
        self.counts: dict[bytes, int] = {}
        self.malformed = 0
        self._discard = frozenset(name.encode() for name in discard)
        self._max_message = max_message
        self._max_line = max_line
        self._tail = b""
        self._skipping = False
        self._torn = b""
        # Only once this Asterisk has shown that it keeps the order: another version must not be lost over it.
        self._ordered = False
        self._names = _Names()

    @property
    def buffered(self) -> int:
        """Bytes of an unfinished message, never more than ``max_message`` and one read."""
        return len(self._tail)

    def feed(self, data: bytes) -> list[AmiMessage]:
        """Take bytes, return the messages that are complete now.

        Raises:
            AmiProtocolError: the first line is not the banner of Asterisk.
        """
        if self._tail:
            data = self._tail + data
        if self.banner is None:
            data = self._take_banner(data)
            if self.banner is None:
                self._tail = data
                return []
        if b"\r\n\n" in data:
            data = data.replace(b"\r\n\n", _END)
        pieces = data.split(_END)
        tail = pieces.pop()
        if self._skipping:
            if not pieces:
                self._tail = tail[-3:]
                return []
            del pieces[0]
            self._skipping = False
        found = self._messages(pieces)
        if len(tail) > self._max_message:
            cut = self._oversized(tail)
            if cut is not None:
                found.append(cut)
            self._skipping = True
            tail = tail[-3:]
        self._tail = tail
        return found

    def _take_banner(self, data: bytes) -> bytes:
        line, end, rest = data.partition(b"\n")
        if not _BANNER.startswith(line[: len(_BANNER)]) or len(line) > MAX_BANNER:
            raise AmiProtocolError("the peer did not greet as an Asterisk manager")
        if not end:
            return data
        if not line.startswith(_BANNER):
            raise AmiProtocolError("the peer did not greet as an Asterisk manager")
        self.banner = line[len(_BANNER) :].decode("ascii", "replace").strip()
        return rest

    def _messages(self, pieces: list[bytes]) -> list[AmiMessage]:
        found: list[AmiMessage] = []
        counts = self.counts
        for raw in pieces:
            if self._torn or not self._whole(raw):
                raw = self._mended(raw)
                if not raw:
                    continue
            if len(raw) > self._max_line:
                message = self._oversized(raw)
                if message is not None:
                    found.append(message)
            elif raw.startswith(b"Event: "):
                end = raw.find(b"\r\n", 7)
                name = raw[7:end] if end > 0 else raw[7:]
                if name in counts:
                    counts[name] += 1
                else:
                    self._count_first(name)
                tagged = _TAG in raw
                if tagged or name not in self._discard:
                    found.append(AmiEvent(self._names[name], raw, tagged))
            elif raw.startswith(b"Response: "):
                found.append(AmiResponse(raw))
            else:
                message = self._resynchronised(raw)
                if message is not None:
                    found.append(message)
        return found

    def _whole(self, raw: bytes) -> bool:
        """Whether nothing of a caller's stands between the headers of a channel."""
        number = raw.find(_NUMBER)
        if number < 0 or _CHANNEL not in raw:
            return True
        if _WHOLE.match(raw, number) is None:
            return not self._ordered
        self._ordered = True
        return True

    def _mended(self, raw: bytes) -> bytes:
        """Return a message torn by its caller's number made whole; nothing while its end is not here."""
        raw = self._torn + raw
        number = raw.find(_NUMBER) + len(_NUMBER)
        rest = _AFTER_NUMBER.search(raw, number)
        if rest is not None:
            self._torn = b""
            self.malformed += 1
            return raw[:number] + _CONTROLS.sub(b" ", raw[number : rest.start()]) + raw[rest.start() :]
        self._torn = raw + _END
        if len(self._torn) > _MAX_TORN:
            self._torn = b""
            self.malformed += 1
        return b""

    def _count_first(self, name: bytes) -> None:
        key = name if len(self.counts) < _NAMES_LIMIT else b"other"
        self.counts[key] = self.counts.get(key, 0) + 1

    def _resynchronised(self, raw: bytes) -> AmiMessage | None:
        """Find the message after garbage, or the banner's echo, that stands before its first line."""
        start = _MESSAGE_START.search(raw)
        if start is None:
            if raw.strip():
                self.malformed += 1
            return None
        if raw[: start.start(1)].strip():
            self.malformed += 1
        found = self._messages([raw[start.start(1) :]])
        return found[0] if found else None

    def _oversized(self, raw: bytes) -> AmiMessage | None:
        """Keep what fits: Asterisk writes the headers that identify a channel first."""
        start = _MESSAGE_START.search(raw)
        if start is None:
            self.malformed += 1
            return None
        raw = raw[start.start(1) :]
        truncated = len(raw) > self._max_message
        if truncated:
            raw = raw[: self._max_message]
        lines = raw.split(b"\r\n")
        if truncated and len(lines) > 1 and len(lines[-1]) <= self._max_line:
            lines.pop()  # cut somewhere inside
        truncated = truncated or any(len(line) > self._max_line for line in lines)
        raw = b"\r\n".join(line[: self._max_line] for line in lines)
        if not raw.startswith(b"Event: "):
            return AmiResponse(raw, truncated=truncated)
        name = lines[0][7:263]
        self._count_first(name)
        tagged = _TAG in raw
        if name in self._discard and not tagged:
            return None
        return AmiEvent(self._names[name], raw, tagged, truncated=truncated)


class _WireAction(Action):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's serialisation without the future it makes for every action."""

    def __init__(self, headers: dict[str, str | list[str]]) -> None:
        panoramisk_utils.CaseInsensitiveDict.__init__(self, headers)


def encode_action(name: str, headers: Iterable[tuple[str, str | Iterable[str]]], *, action_id: str) -> bytes:
    """Return the bytes of one action. A header with several values is repeated.

    This is the one place where text enters the AMI wire, so it is where text is refused.

    Raises:
        AmiInvalid: a control character, a malformed header name, a line Asterisk would not take, or text
            that has no UTF-8 form.
    """
    fields: dict[str, str | list[str]] = {"Action": _checked("Action", name)}
    fields["ActionID"] = _checked("ActionID", action_id)
    count = 2
    for key, value in headers:
        if _HEADER_NAME.fullmatch(key) is None or key.lower() in {"action", "actionid"}:
            raise AmiInvalid("an AMI header name is malformed", field=repr(key)[:80])
        values = [value] if isinstance(value, str) else list(value)
        fields[key] = [_checked(key, text) for text in values]
        count += len(values)
    if count > MAX_SENT_HEADERS:
        raise AmiInvalid(f"an AMI action has more than {MAX_SENT_HEADERS} headers")
    return str(_WireAction(fields)).encode()


def _checked(key: str, value: str) -> str:
    if _UNSAFE.search(value):
        raise AmiInvalid(f"control characters are not allowed in {key}", field=key)
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise AmiInvalid(f"{key} is not valid text", field=key) from error
    if size + len(key) + 2 > MAX_SENT_LINE:
        raise AmiInvalid(f"{key} is too long for the PBX", field=key)
    return value


def quoted_variable(name: str, value: str) -> str:
    """Return ``name="value"`` for a ``Variable`` header of Originate.

    Asterisk splits that header at commas, so a value is quoted and its quotes and backslashes escaped;
    otherwise a value could set further variables.

    Raises:
        AmiInvalid: the name has a character that would end it.
    """
    if not name or _NAME_END.search(name):
        raise AmiInvalid("a channel variable's name is malformed", field="variables")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'
