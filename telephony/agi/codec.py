"""The AGI wire format, without I/O: the environment block, commands out, replies in.

Source: Asterisk's ``res/res_agi.c``. Each read has a limit; text is decoded only when its frame is whole,
so that no character is lost where TCP cuts it (architecture.md §3, hazards 2 and 11).
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from telephony.agi.errors import AgiError, AgiValueRefused

MAX_ENVIRONMENT = 64 * 1024
MAX_REPLY = 64 * 1024
# res_agi.c reads a command into 2048 bytes and would take the rest for the next command.
MAX_COMMAND = 2000
MAX_WORDS = 120

_STATUS = re.compile(r"(?P<code>\d{3})(?P<more>[ -])(?P<rest>.*)", re.DOTALL)
_RESULT = re.compile(r"result=(?P<result>\S*)(?:\s+\((?P<data>.*)\))?(?P<tail>[^()]*)$", re.DOTALL)
_ENDPOS = re.compile(r"endpos=(\d+)")
# Control characters of both ranges and the line separators that some loggers treat as a new line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Printable ASCII but for the quote and the backslash: nearly every word, and nothing to look at twice.
_PLAIN_WORD = re.compile(r"[!#-\[\]-~]+")
_SIMPLE_REPLY = re.compile(rb"200 result=(-?\d{1,9})(?: endpos=(\d{1,12}))?\n")


def printable(text: str, *, limit: int = 512) -> str:
    """Return hostile text on one line: control characters become spaces, the length is bounded."""
    return _CONTROL.sub(" ", text[:limit])


class AgiEnvironment(Mapping[str, str]):
    """The ``agi_*`` variables that Asterisk sends first.

    The first of two lines with one name wins: a line feed inside a caller name cannot replace what
    Asterisk itself said before it. The arguments stand at the very end, so of them the last one wins.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def parse(cls, block: bytes) -> "AgiEnvironment":
        """Read the block up to its blank line. Undecodable bytes become U+FFFD; odd lines are left out."""
        values: dict[str, str] = {}
        for raw in block.split(b"\n"):
            name, colon, value = raw.decode("utf-8", errors="replace").rstrip("\r").partition(":")
            if colon and name.startswith("agi_") and (name not in values or name.startswith("agi_arg_")):
                values[name] = printable(value.strip(), limit=MAX_ENVIRONMENT)
        return cls(values)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def script(self) -> str:
        """Path of the ``agi://`` address without the leading slash, without a query."""
        return self.get("agi_network_script", "").split("?", 1)[0].strip("/")

    @property
    def channel(self) -> str:
        """Name of the channel."""
        return self.get("agi_channel", "")[:128]

    @property
    def uniqueid(self) -> str:
        """Asterisk's unique id of the channel."""
        return self.get("agi_uniqueid", "")[:128]

    @property
    def caller_number(self) -> str:
        """Number as the network gave it; empty when withheld or absurdly long."""
        number = self.get("agi_callerid", "")
        return "" if number == "unknown" or len(number) > 64 else number

    @property
    def caller_name(self) -> str:
        """Name as the network gave it, bounded; never to be trusted."""
        name = self.get("agi_calleridname", "")
        return "" if name == "unknown" else name[:128]

    @property
    def arguments(self) -> tuple[str, ...]:
        """``agi_arg_1`` … in order."""
        found: list[str] = []
        while (value := self.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value)
        return tuple(found)


def encode_command(*words: str) -> str:
    """Return one command line without its line feed. The only place where AGI text is quoted.

    Raises:
        AgiValueRefused: a control character, or more than Asterisk's buffer holds.
    """
    line = " ".join([quote(word) for word in words])
    if not words or len(words) > MAX_WORDS or _too_long(line):
        raise AgiValueRefused("AGI command is empty or too long", words=len(words), characters=len(line))
    return line


def _too_long(line: str) -> bool:
    # A character is at most four bytes: most lines need no encoding to be measured.
    return len(line) * 4 > MAX_COMMAND and len(line.encode()) > MAX_COMMAND


def quote(word: str) -> str:
    """Return one word of a command, quoted where Asterisk needs it.

    Raises:
        AgiValueRefused: a control character.
    """
    if _PLAIN_WORD.fullmatch(word):
        return word
    if _CONTROL.search(word):
        raise AgiValueRefused("control character in an AGI command")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# Separators of Asterisk's application arguments; the look-alikes read the same to a person.
_ARGUMENT_SAFE = str.maketrans(
    {",": "，", '"': "”", "\\": "＼", "(": "（", ")": "）", "[": "［", "]": "］", "$": "＄", "|": "｜"}
)


def argument_text(text: str, *, limit: int = 200) -> str:
    """Return free text that cannot be taken for a separator in an application's arguments."""
    return printable(text, limit=limit).translate(_ARGUMENT_SAFE).strip()


class AgiReply(NamedTuple):
    """One reply.

    Attributes:
        code: 100, 200, 510, 511, 520 …
        result: what follows ``result=``; empty when absent.
        data: what stands in the brackets after it; ``None`` when absent.
        endpos: sample where playing stopped.
        text: the whole reply for the log.
    """

    code: int
    result: str = ""
    data: str | None = None
    endpos: int | None = None
    text: str = ""

    @property
    def number(self) -> int:
        """``result`` as a number; 0 when it is none."""
        try:
            return int(self.result)
        except ValueError:
            return 0


class HangupNotice:
    """Asterisk's ``HANGUP`` line: the caller is gone, the channel lives a little longer."""

    __slots__ = ()


HANGUP = HangupNotice()


class ReplyDecoder:
    """Bytes in, replies out, whatever the pieces they come in.

    A line that is neither a reply nor ``HANGUP`` is left out: it is the rest of an environment whose
    caller name held a blank line, or the usage text of a command.
    """

    def __init__(self, *, limit: int = MAX_REPLY) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._pending: list[str] = []

    def feed(self, received: bytes) -> list[AgiReply | HangupNotice]:
        """Take bytes and return what they complete.

        Raises:
            AgiError: a line or a multi-line reply is longer than the limit.
        """
        if not self._buffer and not self._pending and (simple := _SIMPLE_REPLY.fullmatch(received)):
            # By far the most replies, whole in one piece.
            return [_simple_reply(simple)]
        self._buffer += received
        found: list[AgiReply | HangupNotice] = []
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for raw in lines:
            item = self._line(raw.decode("utf-8", errors="replace").rstrip("\r"))
            if item is not None:
                found.append(item)
        if len(self._buffer) + sum(len(line) + 1 for line in self._pending) > self._limit:
            raise AgiError("AGI reply is too long")
        return found

    def _line(self, line: str) -> AgiReply | HangupNotice | None:
        if self._pending:
            return self._continue(line)
        if line == "HANGUP":
            return HANGUP
        status = _STATUS.match(line)
        if status is None:
            return None
        if status["more"] == "-" or _open_bracket(line):
            self._pending = [line]
            return None
        return _reply(line)

    def _continue(self, line: str) -> AgiReply | None:
        first = self._pending[0]
        self._pending.append(line)
        # 520-Invalid …<usage>…520 End of proper usage.
        ends = line.startswith(first[:3] + " ") if first[3] == "-" else _closes_bracket(line)
        if not ends:
            return None
        whole = "\n".join(self._pending)
        self._pending = []
        return _reply(whole)


def _open_bracket(line: str) -> bool:
    """A variable's value may hold line feeds: ``200 result=1 (first`` goes on until a line ends in ``)``."""
    return line.startswith("200 result=1 (") and not _closes_bracket(line)


def _closes_bracket(line: str) -> bool:
    return line.endswith(")") or re.search(r"\) endpos=\d+$", line) is not None


def _simple_reply(found: re.Match[bytes]) -> AgiReply:
    result, endpos = found.groups()
    return AgiReply(200, result.decode(), None, int(endpos) if endpos else None, found[0][:-1].decode())


def _reply(whole: str) -> AgiReply:
    code, rest = int(whole[:3]), whole[4:]
    result = _RESULT.search(rest)
    endpos = _ENDPOS.search(rest)
    return AgiReply(
        code=code,
        result=result["result"] if result else "",
        data=result["data"] if result else None,
        endpos=int(endpos[1]) if endpos else None,
        text=whole,
    )
