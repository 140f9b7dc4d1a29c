"""A channel of Asterisk as FastAGI sees it: connects to our server and obeys its commands.

The caller is a list of deeds, used up in order:

- ``"1"``: presses a key while we wait for one (or at once, when a prompt may be interrupted and the deed
  says so with a leading ``!``, as in ``"!1"``);
- ``"~"``: stays silent until the wait is over;
- ``"X"``: hangs up, while a prompt plays or while we wait;
- ``"v"``: speaks, while we record; anything else there is silence, or the key that ends it.

When the list is empty the caller stays silent.
"""

import asyncio
import re
import shlex
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telephony.audio import RATE, write_wav

ENVIRONMENT: Mapping[str, str] = {
    "agi_network": "yes",
    "agi_network_script": "flow/4001",
    "agi_request": "agi://127.0.0.1/flow/4001",
    "agi_channel": "PJSIP/trunk-main-00000001",
    "agi_language": "zh",
    "agi_type": "PJSIP",
    "agi_uniqueid": "1700000000.1",
    "agi_version": "22.10.0",
    "agi_callerid": "13800138000",
    "agi_calleridname": "张三",
    "agi_callingpres": "0",
    "agi_dnid": "4001",
    "agi_rdnis": "unknown",
    "agi_context": "from-trunk",
    "agi_extension": "4001",
    "agi_priority": "5",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140000000000000",
}
CALL_ID = "01JD0000000000000000000001"


def environment_bytes(**changes: str | bytes) -> bytes:
    """Return the block Asterisk sends; a value may be raw bytes."""
    block = bytearray()
    for name, value in {**ENVIRONMENT, **changes}.items():
        raw = value if isinstance(value, bytes) else value.encode()
        block += name.encode() + b": " + raw + b"\n"
    return bytes(block + b"\n")


@dataclass
class FakeChannel:
    """The channel's state and what our side made it do."""

    deeds: deque[str] = field(default_factory=deque)
    variables: dict[str, str] = field(default_factory=lambda: {"HF_CALL": CALL_ID, "HF_DIR": "in"})
    commands: list[str] = field(default_factory=list)
    played: list[str] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    broken_files: set[str] = field(default_factory=set)
    recorded: list[str] = field(default_factory=list)
    hung_up: bool = False

    def reply(self, line: str) -> str:
        """Carry out one command line and return Asterisk's answer, without its line feed."""
        self.commands.append(line)
        words = shlex.split(line)
        verb = " ".join(words[:2]).upper()
        if self.hung_up:
            return "511 Command Not Permitted on a dead channel or intercept routine"
        if verb == "GET VARIABLE":
            value = self.variables.get(words[2])
            return "200 result=0" if value is None else f"200 result=1 ({value})"
        if verb == "SET VARIABLE":
            self.variables[words[2]] = words[3]
            return "200 result=1"
        if verb == "STREAM FILE":
            return self._stream(words[2], words[3])
        if verb == "WAIT FOR":
            return self._wait()
        if verb == "RECORD FILE":
            return self._record(words[2], words[4])
        if words[0].upper() == "EXEC":
            return self._exec(words[1], words[2] if len(words) > 2 else "")
        if words[0].upper() in {"ANSWER", "HANGUP"}:
            return "200 result=0"
        return "510 Invalid or unknown command"

    def _stream(self, path: str, escape: str) -> str:
        if path in self.broken_files:
            return "200 result=-1 endpos=0"
        self.played.append(path)
        deed = self.deeds[0] if self.deeds else ""
        if deed == "X":
            return self._hang_up()
        if deed.startswith("!") and deed[1:] in escape:
            self.deeds.popleft()
            return f"200 result={ord(deed[1:])} endpos=800"
        return "200 result=0 endpos=16000"

    def _wait(self) -> str:
        deed = self.deeds.popleft() if self.deeds else "~"
        if deed == "X":
            return self._hang_up()
        return "200 result=0" if deed == "~" else f"200 result={ord(deed.removeprefix('!'))}"

    def _record(self, path: str, escape: str) -> str:
        deed = self.deeds.popleft() if self.deeds else "~"
        loud = 1500 if deed == "v" else 0
        write_wav(Path(f"{path}.wav"), array("h", [loud, loud, -loud, -loud] * RATE))
        self.recorded.append(path)
        ended = f"{ord(deed)} (dtmf)" if deed in escape else "0 (timeout)"
        return f"200 result={ended} endpos=32000"

    def _exec(self, application: str, options: str) -> str:
        if application == "UserEvent":
            name, *headers = options.split(",")
            pairs = (header.partition(": ") for header in headers)
            self.events.append({"UserEvent": name, **{key: value for key, _, value in pairs}})
        return "200 result=0"

    def _hang_up(self) -> str:
        self.deeds.clear()
        self.hung_up = True
        return "200 result=-1 endpos=800"


async def call(
    port: int, channel: FakeChannel, *, environment: bytes | None = None, host: str = "127.0.0.1"
) -> FakeChannel:
    """Place one call to the server and obey until it closes the connection."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(environment if environment is not None else environment_bytes())
        while line := await reader.readline():
            was_up = not channel.hung_up
            answer = channel.reply(line.decode().rstrip("\n"))
            writer.write(answer.encode() + b"\n")
            if was_up and channel.hung_up:
                # Asterisk answers the command it was in first, then says so.
                writer.write(b"HANGUP\n")
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
    return channel


def deeds(keys: Iterable[str]) -> deque[str]:
    """Return the deeds written in one string, ``"!1~2X"``, or as they are given."""
    if isinstance(keys, str):
        return deque(re.findall(r"!?[^!]", keys))
    return deque(keys)
