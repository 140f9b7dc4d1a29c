"""What the doctor asks of Asterisk, over AMI: sign-in, permissions, version and modules."""

import asyncio
import hashlib
import itertools
import ssl
from collections.abc import Sequence
from typing import Self

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs, ManagerLogin
from app.doctor.services import START
from app.runtime.tool import parse_version
from telephony.ami.codec import Decoder, encode_action
from telephony.ami.errors import AmiInvalid, AmiProtocolError
from telephony.ami.message import AmiEvent, AmiMessage, AmiResponse

SUPPORTED = (18, 20, 22)
OLDEST = 18
READ_BYTES = 65536
# Each action that we send, and the class of `write` in manager.conf that allows it.
NEEDED_ACTIONS = {
    "Hangup": "call",
    "Redirect": "call",
    "Bridge": "call",
    "Setvar": "call",
    "Originate": "originate",
    "QueueAdd": "agent",
    "QueueRemove": "agent",
    "QueuePause": "agent",
    "MixMonitor": "system",
    "CoreStatus": "system",
    "CoreShowChannels": "system",
    "QueueStatus": "agent",
    "BridgeList": "reporting",
    "DeviceStateList": "call",
}


class ManagerProbe:
    """A short conversation with AMI: one action after the other, each answered within the deadline.

    Use as ``async with ManagerProbe(...) as probe``; signing in is up to the caller.

    Raises:
        OSError, TimeoutError: nobody answers.
        AmiProtocolError: what answers is no Asterisk.
        EOFError: it hung up.
    """

    def __init__(self, login: ManagerLogin, *, deadline_seconds: float) -> None:
        self._login = login
        self._deadline = deadline_seconds
        self._decoder = Decoder()
        self._ids = itertools.count(1)
        self._events: list[AmiEvent] = []
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._deadline):
                login = self._login
                self._reader, self._writer = await asyncio.open_connection(login.host, login.port)
                while self._decoder.banner is None:
                    await self._more()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def log_in(self) -> AmiResponse:
        """Sign in by challenge, which keeps the secret off the wire; the answer says whether we may."""
        challenge = await self.ask("Challenge", ("AuthType", "MD5"))
        proof = (challenge.get("challenge") + self._login.secret).encode()
        key = hashlib.md5(proof, usedforsecurity=False).hexdigest()
        user = ("Username", self._login.username)
        return await self.ask("Login", user, ("AuthType", "MD5"), ("Key", key), ("Events", "system"))

    async def ask(self, action: str, *headers: tuple[str, str]) -> AmiResponse:
        """Send an action and return its answer."""
        assert self._writer is not None
        action_id = f"doctor-{next(self._ids)}"
        async with asyncio.timeout(self._deadline):
            self._writer.write(encode_action(action, headers, action_id=action_id))
            await self._writer.drain()
            while True:
                for message in await self._more():
                    if isinstance(message, AmiResponse) and message.action_id == action_id:
                        return message

    async def saw(self, event: str) -> bool:
        """Whether this event comes within the deadline."""
        try:
            async with asyncio.timeout(self._deadline):
                while not any(seen.name == event for seen in self._events):
                    await self._more()
        except TimeoutError:
            return False
        return True

    async def _more(self) -> list[AmiMessage]:
        assert self._reader is not None
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise EOFError("the connection was closed")
        messages = self._decoder.feed(data)
        self._events += [message for message in messages if isinstance(message, AmiEvent)]
        return messages


async def check_manager(inputs: DoctorInputs) -> Sequence[Finding]:
    """Banner, sign-in, permissions, version, modules."""
    login = inputs.manager
    place = f"{login.host}:{login.port}"
    try:
        async with ManagerProbe(login, deadline_seconds=inputs.deadline.total_seconds()) as probe:
            return await _talk(probe, inputs)
    except AmiProtocolError:
        said = f"what answers at {place} is not Asterisk's manager interface"
        return [Finding.error("AMI", said, "correct HUIFANG_AMI__HOST and HUIFANG_AMI__PORT")]
    except AmiInvalid as error:
        said = f"user name or secret cannot be sent: {error}"
        return [Finding.error("AMI", said, "correct HUIFANG_AMI__USERNAME and HUIFANG_AMI__SECRET")]
    except (OSError, TimeoutError, EOFError, ssl.SSLError) as error:
        if inputs.private_pbx and isinstance(error, ConnectionRefusedError):
            return [Finding.warning("AMI", "Asterisk is not running", START)]
        words = str(error) or "no answer in time"
        mend = "start Asterisk, enable manager.conf there, or correct HUIFANG_AMI__HOST and _PORT"
        return [Finding.error("AMI", f"{place} does not answer ({words})", mend)]


async def _talk(probe: ManagerProbe, inputs: DoctorInputs) -> list[Finding]:
    login = inputs.manager
    answer = await probe.log_in()
    if not answer.success:
        said = f"user {login.username!r} is refused ({answer.message or 'no reason given'})"
        mend = "make secret and permit in manager.conf agree with HUIFANG_AMI__USERNAME and _SECRET"
        return [Finding.error("AMI", said, mend)]
    findings = [Finding.good("AMI", f"signed in at {login.host}:{login.port} as {login.username}")]
    settings = await probe.ask("CoreSettings")
    findings.append(version(settings.get("AsteriskVersion")))
    allowed = await probe.ask("ListCommands")
    findings.append(permissions(allowed))
    if not await probe.saw("FullyBooted"):
        mend = (
            "add «read = system,call,agent,user» to the user in manager.conf, and wait until it has started"
        )
        findings.append(Finding.error("AMI events", "no FullyBooted came", mend))
    missing = [name for name in inputs.modules if not await _has_module(probe, name)]
    findings.append(_modules(missing))
    return findings


def version(text: str) -> Finding:
    """Whether this version of Asterisk is one that Huifang works with."""
    numbers = parse_version(text)
    if not numbers:
        said = "its version is not told"
        return Finding.warning("Asterisk version", said, "add reporting to write of the user in manager.conf")
    if numbers[0] < OLDEST:
        return Finding.error("Asterisk version", text, "upgrade to Asterisk 18, 20 or 22")
    if numbers[0] not in SUPPORTED:
        said = f"{text} is not one that Huifang is tested with"
        return Finding.warning("Asterisk version", said, "use Asterisk 18, 20 or 22")
    return Finding.good("Asterisk version", text)


def permissions(allowed: AmiResponse) -> Finding:
    """Whether every action that is needed is among those that ListCommands allows."""
    name = "AMI permissions"
    missing = [action for action in NEEDED_ACTIONS if action not in allowed]
    if not missing:
        return Finding.good(name, "every action that is needed may be sent")
    classes = ",".join(sorted({NEEDED_ACTIONS[action] for action in missing}))
    said = f"not allowed, or its module is not loaded: {', '.join(missing)}"
    return Finding.error(name, said, f"add {classes} to write of the user in manager.conf")


async def _has_module(probe: ManagerProbe, name: str) -> bool:
    return (await probe.ask("ModuleCheck", ("Module", name))).success


def _modules(missing: Sequence[str]) -> Finding:
    if not missing:
        return Finding.good("Asterisk modules", "all that are needed are loaded")
    loads = ", ".join(f"{name}.so" for name in missing)
    return Finding.error("Asterisk modules", f"not loaded: {loads}", "install and load them (modules.conf)")
