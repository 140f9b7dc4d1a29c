"""What we ask of the PBX: one typed method per action.

Every method has a deadline (``timeout``, else the link's settings) and ends in exactly one way: its result,
or ``AmiDown`` (no link; ``sent`` says whether the action may have arrived), ``AmiTimeout`` (written, never
answered), ``AmiRejected``/``AmiNoSuch`` (the PBX refused), ``AmiInvalid`` (a value that cannot be sent;
nothing was). Cancelling a method forgets the answer; it does not take the action back. Nothing is ever
sent twice.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from telephony.ami import metrics
from telephony.ami.codec import encode_action, quoted_variable
from telephony.ami.config import AmiConfig
from telephony.ami.errors import AmiError, AmiInvalid, AmiNoSuch, AmiRejected, AmiTimeout
from telephony.ami.message import AmiEvent, AmiResponse
from telephony.ami.pending import ORIGINATE_PREFIX, ActionTable, Reply
from telephony.ami.results import (
    BridgeDetail,
    CallerId,
    CoreSettings,
    CoreStatus,
    OriginateAccepted,
    QueueStatus,
)

Headers = Iterable[tuple[str, str | Iterable[str]]]

# How long after the Originate's own timeout its OriginateResponse may come.
_DIAL_GRACE = timedelta(seconds=15)
_NO_SUCH = ("no such", "not exist", "not found", "not there")
_AT_ONCE = (
    'PJSIP_HEADER(add,Call-Info)="<sip:huifang>;answer-after=0"',
    'PJSIP_HEADER(add,Alert-Info)="<http://huifang>;info=alert-autoanswer"',
)
"""How telephones are asked to answer by themselves, in the two ways they understand; as the dialplan does."""
_LABELLED = """
    Atxfer BlindTransfer Bridge BridgeInfo BridgeList Challenge Command CoreSettings CoreShowChannels
    CoreStatus DeviceStateList Getvar Hangup Login MixMonitor MixMonitorMute ModuleCheck Originate Ping
    QueueAdd QueuePause QueuePenalty QueueRemove QueueStatus QueueSummary Redirect Reload Setvar Status
    StopMixMonitor
"""
_LABELS = frozenset(_LABELLED.split())


class AmiActions:
    """Typed actions of one link; reachable as ``link.actions``."""

    def __init__(self, config: AmiConfig, table: ActionTable, write: Callable[[bytes], None]) -> None:
        self._config = config
        self._table = table
        self._write = write

    # -- calls ---------------------------------------------------------------------------------------

    async def originate(
        self,
        channel: str,
        *,
        channel_id: str,
        context: str | None = None,
        exten: str | None = None,
        priority: int = 1,
        application: str | None = None,
        data: str = "",
        other_channel_id: str | None = None,
        variables: Mapping[str, str] | None = None,
        caller_id: CallerId | None = None,
        ring_timeout: timedelta = timedelta(seconds=30),
        early_media: bool = False,
        codecs: str | None = None,
        account: str | None = None,
        answer_at_once: bool = False,
        timeout: timedelta | None = None,
    ) -> OriginateAccepted:
        """Place a call; return as soon as the PBX has queued it.

        The far end goes to ``context``/``exten`` or to ``application``/``data`` once it answers. The channel
        gets ``channel_id`` as its uniqueid, so that it can be found after any failure. How the call ended
        comes as the ``OriginateResponse`` event in the stream and from ``result()`` of what is returned.
        A variable whose name begins with ``__`` is inherited by the channels that this one creates.
        ``account`` is what the PBX's log of channel events knows the call by. ``answer_at_once`` asks a SIP
        telephone to answer by itself.
        """
        if (context is None or exten is None) == (application is None):
            raise AmiInvalid("originate needs either context and exten or an application")
        headers: list[tuple[str, str | Iterable[str]]] = [
            ("Channel", channel),
            ("ChannelId", channel_id),
            ("Async", "true"),
            ("Timeout", str(max(1, round(ring_timeout.total_seconds() * 1000)))),
        ]
        if context is not None and exten is not None:
            headers += [("Context", context), ("Exten", exten), ("Priority", str(priority))]
        elif application is not None:
            headers += [("Application", application), ("Data", data)]
        if other_channel_id is not None:
            headers.append(("OtherChannelId", other_channel_id))
        if caller_id is not None:
            headers.append(("CallerID", caller_id.header()))
        if early_media:
            headers.append(("EarlyMedia", "true"))
        if codecs is not None:
            headers.append(("Codecs", codecs))
        if account is not None:
            headers.append(("Account", account))
        made = [quoted_variable(k, v) for k, v in (variables or {}).items()]
        if answer_at_once:
            made += _AT_ONCE
        if made:
            headers.append(("Variable", made))
        outcome = self._table.dial(channel_id, expires_in=(ring_timeout + _DIAL_GRACE).total_seconds())
        action_id = ORIGINATE_PREFIX + channel_id
        try:
            await self._ask("Originate", headers, timeout=timeout, action_id=action_id)
        except AmiError as error:
            if not error.sent or isinstance(error, AmiRejected):
                self._table.stop_dialling(channel_id)
            raise
        return OriginateAccepted(channel_id=channel_id, action_id=action_id, outcome=outcome)

    async def hangup(
        self, channel: str, *, cause: int | None = None, timeout: timedelta | None = None
    ) -> None:
        """Hang a channel up; ``channel`` is a name or a uniqueid. AmiNoSuch when it is gone already."""
        headers = [("Channel", channel)]
        if cause is not None:
            headers.append(("Cause", str(cause)))
        await self._ask("Hangup", headers, timeout=timeout)

    async def redirect(
        self,
        channel: str,
        *,
        context: str,
        exten: str,
        priority: int = 1,
        extra_channel: str | None = None,
        extra_context: str | None = None,
        extra_exten: str | None = None,
        extra_priority: int = 1,
        timeout: timedelta | None = None,
    ) -> None:
        """Send a channel (and with ``extra_channel`` its peer, at the same instant) elsewhere.

        Asterisk does not check the extension: a channel sent to one that does not exist is hung up.
        """
        headers = [("Channel", channel), ("Context", context), ("Exten", exten), ("Priority", str(priority))]
        if extra_channel is not None:
            headers.append(("ExtraChannel", extra_channel))
            if extra_context is not None and extra_exten is not None:
                headers += [
                    ("ExtraContext", extra_context),
                    ("ExtraExten", extra_exten),
                    ("ExtraPriority", str(extra_priority)),
                ]
        await self._ask("Redirect", headers, timeout=timeout)

    async def blind_transfer(
        self, channel: str, *, context: str, exten: str, timeout: timedelta | None = None
    ) -> None:
        """Send whoever is bridged with ``channel`` to an extension; ``channel`` itself is hung up."""
        headers = [("Channel", channel), ("Context", context), ("Exten", exten)]
        await self._ask("BlindTransfer", headers, timeout=timeout)

    async def attended_transfer(
        self, channel: str, *, context: str, exten: str, timeout: timedelta | None = None
    ) -> None:
        """Start an attended transfer on behalf of ``channel``: its peer waits while it consults."""
        headers = [("Channel", channel), ("Context", context), ("Exten", exten)]
        await self._ask("Atxfer", headers, timeout=timeout)

    async def bridge(
        self, channel1: str, channel2: str, *, tone: bool = False, timeout: timedelta | None = None
    ) -> None:
        """Connect two channels that are up."""
        headers = [("Channel1", channel1), ("Channel2", channel2), ("Tone", "Both" if tone else "no")]
        await self._ask("Bridge", headers, timeout=timeout)

    async def setvar(
        self, name: str, value: str, *, channel: str | None = None, timeout: timedelta | None = None
    ) -> None:
        """Set a variable of a channel, or a global one."""
        headers = [("Variable", name), ("Value", value)]
        if channel is not None:
            headers.append(("Channel", channel))
        await self._ask("Setvar", headers, timeout=timeout)

    async def getvar(self, name: str, *, channel: str | None = None, timeout: timedelta | None = None) -> str:
        """Return a variable of a channel, or a global one; an unset one is an empty string."""
        headers = [("Variable", name)]
        if channel is not None:
            headers.append(("Channel", channel))
        return (await self._ask("Getvar", headers, timeout=timeout)).response.get("value")

    async def mixmonitor_start(
        self, channel: str, *, file: str, options: str = "", timeout: timedelta | None = None
    ) -> str:
        """Record a channel to a file under Asterisk's monitor directory; return the recording's id."""
        if "i(" not in options:
            # Asterisk tells the id only when it may also put it into a channel variable.
            options += "i(HF_MIXMONITOR)"
        headers = [("Channel", channel), ("File", file), ("Options", options)]
        return (await self._ask("MixMonitor", headers, timeout=timeout)).response.get("mixmonitorid")

    async def mixmonitor_stop(
        self, channel: str, *, mixmonitor_id: str = "", timeout: timedelta | None = None
    ) -> None:
        """End one recording of a channel, or all of them."""
        headers = [("Channel", channel)]
        if mixmonitor_id:
            headers.append(("MixMonitorID", mixmonitor_id))
        await self._ask("StopMixMonitor", headers, timeout=timeout)

    async def mixmonitor_mute(self, channel: str, *, muted: bool, timeout: timedelta | None = None) -> None:
        """Write silence to a channel's recordings, or let them go on; they keep their time.

        ``AmiRejected`` when nothing is recorded on the channel.
        """
        headers = [("Channel", channel), ("Direction", "both"), ("State", "1" if muted else "0")]
        await self._ask("MixMonitorMute", headers, timeout=timeout)

    # -- queues --------------------------------------------------------------------------------------

    async def queue_add(
        self,
        queue: str,
        interface: str,
        *,
        penalty: int = 0,
        paused: bool = False,
        reason: str = "",
        member_name: str = "",
        state_interface: str = "",
        timeout: timedelta | None = None,
    ) -> bool:
        """Make an interface a member of a queue; return False when it was one already.

        ``AmiNoSuch`` when there is no such queue.
        """
        headers = [("Queue", queue), ("Interface", interface), ("Penalty", str(penalty))]
        headers.append(("Paused", "true" if paused else "false"))
        optional = (("Reason", reason), ("MemberName", member_name), ("StateInterface", state_interface))
        headers += [(key, value) for key, value in optional if value]
        try:
            await self._ask("QueueAdd", headers, timeout=timeout)
        except AmiRejected as error:
            if "already there" in error.answer.lower():
                return False
            raise
        return True

    async def queue_remove(self, queue: str, interface: str, *, timeout: timedelta | None = None) -> bool:
        """Take a member out of a queue; return False when it was none."""
        try:
            await self._ask("QueueRemove", [("Queue", queue), ("Interface", interface)], timeout=timeout)
        except AmiNoSuch as error:
            if "not there" in error.answer.lower():
                return False
            raise
        return True

    async def queue_pause(
        self,
        interface: str,
        *,
        paused: bool,
        queue: str | None = None,
        reason: str = "",
        timeout: timedelta | None = None,
    ) -> None:
        """Pause or unpause a member in one queue, or in all it belongs to. AmiNoSuch when in none."""
        headers = [("Interface", interface), ("Paused", "true" if paused else "false")]
        if queue is not None:
            headers.append(("Queue", queue))
        if reason:
            headers.append(("Reason", reason))
        await self._ask("QueuePause", headers, timeout=timeout)

    async def queue_penalty(
        self, interface: str, penalty: int, *, queue: str | None = None, timeout: timedelta | None = None
    ) -> None:
        """Change a member's penalty in one queue, or in all it belongs to."""
        headers = [("Interface", interface), ("Penalty", str(penalty))]
        if queue is not None:
            headers.append(("Queue", queue))
        await self._ask("QueuePenalty", headers, timeout=timeout)

    async def queue_status(
        self, queue: str | None = None, *, member: str | None = None, timeout: timedelta | None = None
    ) -> QueueStatus:
        """Snapshot of one queue or all. A queue that does not exist gives an empty answer."""
        headers = [("Queue", queue)] if queue is not None else []
        if member is not None:
            headers.append(("Member", member))
        rows = await self._list("QueueStatus", headers, timeout=timeout)
        return QueueStatus(
            queues=tuple(row for row in rows if row.name == "QueueParams"),
            members=tuple(row for row in rows if row.name == "QueueMember"),
            callers=tuple(row for row in rows if row.name == "QueueEntry"),
        )

    async def queue_summary(
        self, queue: str | None = None, *, timeout: timedelta | None = None
    ) -> tuple[AmiEvent, ...]:
        """``QueueSummary`` rows: members logged in and available, callers, longest wait."""
        headers = [("Queue", queue)] if queue is not None else []
        return await self._list("QueueSummary", headers, timeout=timeout)

    # -- snapshots -----------------------------------------------------------------------------------

    async def core_show_channels(self, *, timeout: timedelta | None = None) -> tuple[AmiEvent, ...]:
        """``CoreShowChannel`` rows: every channel with its state, linkedid, bridge and variables."""
        return await self._list("CoreShowChannels", [], timeout=timeout)

    async def status(
        self, channel: str | None = None, *, timeout: timedelta | None = None
    ) -> tuple[AmiEvent, ...]:
        """``Status`` rows of one channel or all. AmiNoSuch when the channel is gone."""
        headers = [("Channel", channel)] if channel is not None else []
        return await self._list("Status", headers, timeout=timeout)

    async def device_state_list(self, *, timeout: timedelta | None = None) -> tuple[AmiEvent, ...]:
        """``DeviceStateChange`` rows: device and state. Needs module res_manager_devicestate."""
        return await self._list("DeviceStateList", [], timeout=timeout)

    async def bridge_list(self, *, timeout: timedelta | None = None) -> tuple[AmiEvent, ...]:
        """``BridgeListItem`` rows."""
        return await self._list("BridgeList", [], timeout=timeout)

    async def bridge_info(self, bridge_id: str, *, timeout: timedelta | None = None) -> BridgeDetail:
        """One bridge with the channels in it. AmiNoSuch when it is gone."""
        limit = timeout or self._config.list_timeout
        reply = await self._ask("BridgeInfo", [("BridgeUniqueid", bridge_id)], timeout=limit, collect=True)
        # The closing event itself describes the bridge; the channels come before it.
        return BridgeDetail(
            bridge_id=bridge_id,
            bridge=reply.closing if reply.closing is not None else AmiEvent.of("BridgeInfoComplete"),
            channels=reply.items,
        )

    # -- the PBX itself ------------------------------------------------------------------------------

    async def ping(self, *, timeout: timedelta | None = None) -> None:
        """Return when the PBX has answered."""
        await self._ask("Ping", [], timeout=timeout)

    async def core_status(self, *, timeout: timedelta | None = None) -> CoreStatus:
        """Which run of Asterisk this is (``boot_id``), calls now and since its start."""
        answer = (await self._ask("CoreStatus", [], timeout=timeout)).response
        return CoreStatus(
            boot_id=f"{answer.get('corestartupdate')} {answer.get('corestartuptime')}".strip(),
            current_calls=_number(answer.get("corecurrentcalls")),
            processed_calls=_number(answer.get("coreprocessedcalls")),
        )

    async def core_settings(self, *, timeout: timedelta | None = None) -> CoreSettings:
        """Versions and name of the PBX."""
        answer = (await self._ask("CoreSettings", [], timeout=timeout)).response
        return CoreSettings(
            asterisk_version=answer.get("asteriskversion"),
            ami_version=answer.get("amiversion"),
            system_name=answer.get("systemname"),
        )

    async def module_check(self, module: str, *, timeout: timedelta | None = None) -> bool:
        """Whether a module is loaded (``app_queue``)."""
        try:
            await self._ask("ModuleCheck", [("Module", module)], timeout=timeout)
        except AmiRejected:
            return False
        return True

    async def reload(self, module: str, *, timeout: timedelta | None = None) -> None:
        """Read a module's configuration again (``app_queue.so``)."""
        await self._ask("Reload", [("Module", module)], timeout=timeout)

    async def command(self, command: str, *, timeout: timedelta | None = None) -> tuple[str, ...]:
        """Run a CLI command and return its lines. Only where the settings allow it (``allow_commands``)."""
        if not self._config.allow_commands:
            raise AmiInvalid("CLI commands are not allowed on this link")
        limit = timeout or self._config.list_timeout
        return (await self._ask("Command", [("Command", command)], timeout=limit)).response.output

    async def request(
        self,
        name: str,
        headers: Headers = (),
        *,
        timeout: timedelta | None = None,
        collect: bool = False,
    ) -> tuple[AmiResponse, tuple[AmiEvent, ...]]:
        """Any other action: its response, and with ``collect`` the events of its list."""
        reply = await self._ask(name, headers, timeout=timeout, collect=collect)
        return reply.response, reply.items

    async def _list(self, name: str, headers: Headers, *, timeout: timedelta | None) -> tuple[AmiEvent, ...]:
        limit = timeout or self._config.list_timeout
        return (await self._ask(name, headers, timeout=limit, collect=True)).items

    async def _ask(
        self,
        name: str,
        headers: Headers,
        *,
        timeout: timedelta | None,
        collect: bool = False,
        action_id: str | None = None,
    ) -> Reply:
        limit = timeout or self._config.action_timeout
        label = name if name in _LABELS else "other"
        started = time.perf_counter()
        outcome = "cancelled"
        action_id, future = self._table.open(collect=collect, action_id=action_id)
        try:
            self._write(encode_action(name, headers, action_id=action_id))
            async with asyncio.timeout(limit.total_seconds()):
                reply = await future
            if not reply.response.success:
                raise _rejected(name, reply.response.message)
            outcome = "ok"
        except TimeoutError:
            outcome = AmiTimeout.code
            raise AmiTimeout(f"the PBX did not answer {label} in time", action=label) from None
        except AmiError as error:
            outcome = error.code
            raise
        finally:
            self._table.close(action_id)
            metrics.ACTION_SECONDS.labels(label, outcome).observe(time.perf_counter() - started)
        return reply


def _rejected(name: str, answer: str) -> AmiRejected:
    kind = AmiNoSuch if any(words in answer.lower() for words in _NO_SUCH) else AmiRejected
    return kind(f"the PBX refused {name}: {answer[:200]}", answer=answer)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
