"""What the fake manager interface is a manager of: queues with members, channels, calls that it places.

Events and answers have the headers that Asterisk 22 sends, as far as our services read them.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Message = dict[str, str | Iterable[str]]
Headers = Mapping[str, list[str]]


def response(action_id: str, success: bool, text: str = "", **more: str) -> Message:
    """A response with ``Message`` and further headers."""
    answer: Message = {"Response": "Success" if success else "Error", "ActionID": action_id}
    if text:
        answer["Message"] = text
    return {**answer, **more}


@dataclass(slots=True)
class Member:
    """A dynamic member of one queue."""

    interface: str
    name: str
    penalty: int = 0
    paused: bool = False
    reason: str = ""
    status: int = 1  # AST_DEVICE_NOT_INUSE


@dataclass(slots=True)
class Channel:
    """A channel that exists."""

    name: str
    uniqueid: str
    linkedid: str
    state: str = "Up"
    context: str = "from-agent"
    exten: str = "s"
    number: str = "<unknown>"
    caller: str = "<unknown>"
    bridge: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def headers(self) -> Message:
        """The headers that every channel event carries."""
        states = {"Down": "0", "Ring": "4", "Ringing": "5", "Up": "6"}
        shown = ("HF_CALL", "HF_DIR", "HF_QUEUE")
        return {
            "Channel": self.name,
            "ChannelState": states.get(self.state, "6"),
            "ChannelStateDesc": self.state,
            "CallerIDNum": self.number,
            "CallerIDName": self.caller,
            "ConnectedLineNum": "<unknown>",
            "ConnectedLineName": "<unknown>",
            "Language": "zh",
            "AccountCode": self.variables.get("HF_CALL", ""),
            "Context": self.context,
            "Exten": self.exten,
            "Priority": "1",
            "Uniqueid": self.uniqueid,
            "Linkedid": self.linkedid,
            "ChanVariable": [f"{name}={self.variables.get(name, '')}" for name in shown],
        }


@dataclass(slots=True)
class Answer:
    """What goes back to the asker, and what happens on the PBX afterwards."""

    messages: list[Message]
    after: Callable[[], None] | None = None


class FakePbx:
    """The state behind the manager interface. ``originates`` decides how placed calls end."""

    def __init__(self, queues: Iterable[str], *, emit: Callable[[str, Message], None]) -> None:
        self.queues: dict[str, dict[str, Member]] = {name: {} for name in queues}
        self.channels: dict[str, Channel] = {}
        self.device_states: dict[str, str] = {}
        self.global_variables: dict[str, str] = {}
        # The outcome of the next Originates: ("Success", "4"), ("Failure", "5"), or None for silence.
        self.originates: tuple[str, str] | None = ("Success", "4")
        self.boots = 1
        self.uptime = 42
        self._emit = emit
        self._numbers = itertools.count(1)
        self._actions: dict[str, Callable[[str, Headers], Answer]] = {
            "ping": lambda action_id, _: Answer([response(action_id, True, Ping="Pong", Timestamp="1.5")]),
            "events": lambda action_id, _: Answer([response(action_id, True, Events="On")]),
            "corestatus": self._core_status,
            "coresettings": self._core_settings,
            "modulecheck": self._module_check,
            "reload": lambda action_id, _: Answer([response(action_id, True, "Module Reloaded")]),
            "queueadd": self._queue_add,
            "queueremove": self._queue_remove,
            "queuepause": self._queue_pause,
            "queuepenalty": self._queue_penalty,
            "queuestatus": self._queue_status,
            "queuesummary": self._queue_summary,
            "coreshowchannels": self._core_show_channels,
            "status": self._status,
            "devicestatelist": self._device_state_list,
            "bridgelist": self._bridge_list,
            "bridgeinfo": self._bridge_info,
            "originate": self._originate,
            "hangup": self._hangup,
            "redirect": self._redirect,
            "blindtransfer": self._redirect,
            "atxfer": self._redirect,
            "bridge": self._bridge,
            "setvar": self._setvar,
            "getvar": self._getvar,
            "mixmonitor": self._mixmonitor,
            "stopmixmonitor": self._mixmonitor,
        }

    def restart(self) -> None:
        """Another run of Asterisk."""
        self.boots += 1
        self.uptime = 1
        self.channels.clear()
        for members in self.queues.values():
            members.clear()

    def add_channel(self, channel: Channel) -> None:
        """Make a channel appear, with its event."""
        self.channels[channel.uniqueid] = channel
        self._emit("Newchannel", channel.headers())

    def end_channel(self, uniqueid: str, *, cause: int = 16) -> None:
        """Make a channel disappear, with its event."""
        channel = self.channels.pop(uniqueid)
        self._emit("Hangup", {**channel.headers(), "Cause": str(cause), "Cause-txt": "Normal Clearing"})

    def answer(self, name: str, headers: Headers) -> Answer:
        """Answer an action."""
        action_id = _first(headers, "actionid")
        handler = self._actions.get(name.lower())
        if handler is None:
            return Answer([response(action_id, False, f"Invalid/unknown command: {name}.")])
        return handler(action_id, headers)

    # -- the PBX itself --------------------------------------------------------------------------------

    def _core_status(self, action_id: str, headers: Headers) -> Answer:
        return Answer(
            [
                response(
                    action_id,
                    True,
                    CoreStartupDate="2026-03-02",
                    CoreStartupTime=f"08:00:{self.boots:02d}",
                    CoreCurrentCalls=str(len(self.channels)),
                    CoreProcessedCalls="7",
                )
            ]
        )

    def _core_settings(self, action_id: str, headers: Headers) -> Answer:
        more = {"AMIversion": "11.0.0", "AsteriskVersion": "22.10.1", "SystemName": "假交换机"}
        return Answer([response(action_id, True, **more)])

    def _module_check(self, action_id: str, headers: Headers) -> Answer:
        known = _first(headers, "module") in {"app_queue", "app_queue.so"}
        return Answer([response(action_id, known, "" if known else "Module not loaded")])

    # -- queues ----------------------------------------------------------------------------------------

    def _queue_add(self, action_id: str, headers: Headers) -> Answer:
        queue, interface = _first(headers, "queue"), _first(headers, "interface")
        members = self.queues.get(queue)
        if members is None:
            return Answer([response(action_id, False, "Unable to add interface to queue: No such queue")])
        if interface in members:
            return Answer([response(action_id, False, "Unable to add interface: Already there")])
        member = Member(
            interface,
            _first(headers, "membername") or interface,
            int(_first(headers, "penalty") or "0"),
            _first(headers, "paused") == "true",
            _first(headers, "reason"),
        )
        members[interface] = member
        return Answer(
            [response(action_id, True, "Added interface to queue")],
            lambda: self._emit("QueueMemberAdded", _member_event(queue, member)),
        )

    def _queue_remove(self, action_id: str, headers: Headers) -> Answer:
        queue, interface = _first(headers, "queue"), _first(headers, "interface")
        members = self.queues.get(queue)
        if members is None:
            text = "Unable to remove interface from queue: No such queue"
            return Answer([response(action_id, False, text)])
        member = members.pop(interface, None)
        if member is None:
            return Answer([response(action_id, False, "Unable to remove interface: Not there")])
        return Answer(
            [response(action_id, True, "Removed interface from queue")],
            lambda: self._emit("QueueMemberRemoved", _member_event(queue, member)),
        )

    def _chosen(self, headers: Headers) -> list[tuple[str, Member]]:
        queue, interface = _first(headers, "queue"), _first(headers, "interface")
        return [
            (name, members[interface])
            for name, members in self.queues.items()
            if interface in members and queue in {"", name}
        ]

    def _queue_pause(self, action_id: str, headers: Headers) -> Answer:
        chosen = self._chosen(headers)
        if not chosen:
            return Answer([response(action_id, False, "Interface not found")])
        for _, member in chosen:
            member.paused = _first(headers, "paused") == "true"
            member.reason = _first(headers, "reason") if member.paused else ""

        def tell() -> None:
            for queue, member in chosen:
                self._emit("QueueMemberPause", _member_event(queue, member))

        done = "paused" if chosen[0][1].paused else "unpaused"
        return Answer([response(action_id, True, f"Interface {done} successfully")], tell)

    def _queue_penalty(self, action_id: str, headers: Headers) -> Answer:
        chosen = self._chosen(headers)
        for _, member in chosen:
            member.penalty = int(_first(headers, "penalty"))
        text = "Interface penalty set successfully" if chosen else "Invalid interface, queuename or penalty"
        return Answer([response(action_id, bool(chosen), text)])

    def _queue_status(self, action_id: str, headers: Headers) -> Answer:
        wanted = _first(headers, "queue")
        rows: list[Message] = []
        for queue, members in self.queues.items():
            if wanted not in {"", queue}:
                continue
            params = {"Max": "0", "Strategy": "rrmemory", "Calls": "0", "Completed": "0", "Abandoned": "0"}
            rows.append({"Event": "QueueParams", "Queue": queue, **params})
            for member in members.values():
                row = _member_event(queue, member)
                name = row.pop("MemberName")
                rows.append({"Event": "QueueMember", "Name": name, "Location": row.pop("Interface"), **row})
        return _listed(action_id, "Queue status will follow", rows, "QueueStatusComplete")

    def _queue_summary(self, action_id: str, headers: Headers) -> Answer:
        wanted = _first(headers, "queue")
        rows: list[Message] = [
            {
                "Event": "QueueSummary",
                "Queue": queue,
                "LoggedIn": str(len(members)),
                "Available": str(sum(not member.paused for member in members.values())),
                "Callers": "0",
                "HoldTime": "0",
                "TalkTime": "0",
                "LongestHoldTime": "0",
            }
            for queue, members in self.queues.items()
            if wanted in {"", queue}
        ]
        return _listed(action_id, "Queue summary will follow", rows, "QueueSummaryComplete")

    # -- channels --------------------------------------------------------------------------------------

    def _find(self, name: str) -> Channel | None:
        found = self.channels.get(name)
        return found or next((each for each in self.channels.values() if each.name == name), None)

    def _core_show_channels(self, action_id: str, headers: Headers) -> Answer:
        rows: list[Message] = [
            {"Event": "CoreShowChannel", **channel.headers(), "BridgeId": channel.bridge}
            for channel in self.channels.values()
        ]
        return _listed(action_id, "Channels will follow", rows, "CoreShowChannelsComplete")

    def _status(self, action_id: str, headers: Headers) -> Answer:
        wanted = _first(headers, "channel")
        chosen = list(self.channels.values())
        if wanted:
            found = self._find(wanted)
            if found is None:
                return Answer([response(action_id, False, "No such channel")])
            chosen = [found]
        rows: list[Message] = [{"Event": "Status", **channel.headers()} for channel in chosen]
        return _listed(action_id, "Channel status will follow", rows, "StatusComplete")

    def _device_state_list(self, action_id: str, headers: Headers) -> Answer:
        rows: list[Message] = [
            {"Event": "DeviceStateChange", "Device": device, "State": state}
            for device, state in self.device_states.items()
        ]
        return _listed(action_id, "Device State Changes will follow", rows, "DeviceStateListComplete")

    def _bridges(self) -> dict[str, list[Channel]]:
        bridges: dict[str, list[Channel]] = {}
        for channel in self.channels.values():
            if channel.bridge:
                bridges.setdefault(channel.bridge, []).append(channel)
        return bridges

    def _bridge_list(self, action_id: str, headers: Headers) -> Answer:
        rows: list[Message] = [
            {"Event": "BridgeListItem", "BridgeUniqueid": bridge, "BridgeNumChannels": str(len(channels))}
            for bridge, channels in self._bridges().items()
        ]
        return _listed(action_id, "Bridge listing will follow", rows, "BridgeListComplete")

    def _bridge_info(self, action_id: str, headers: Headers) -> Answer:
        bridge = _first(headers, "bridgeuniqueid")
        channels = self._bridges().get(bridge)
        if channels is None:
            return Answer([response(action_id, False, "Specified BridgeUniqueid not found")])
        rows: list[Message] = [{"Event": "BridgeInfoChannel", **channel.headers()} for channel in channels]
        more = {"BridgeUniqueid": bridge, "BridgeNumChannels": str(len(channels))}
        return _listed(action_id, "Bridge channel listing will follow", rows, "BridgeInfoComplete", **more)

    def _originate(self, action_id: str, headers: Headers) -> Answer:
        uniqueid = _first(headers, "channelid") or f"fake-{next(self._numbers)}"
        variables = {}
        for text in headers.get("variable", []):
            name, _, value = text.partition("=")
            variables[name.lstrip("_")] = value.strip('"').replace('\\"', '"').replace("\\\\", "\\")
        channel = Channel(
            name=f"{_first(headers, 'channel').split('@')[0]}-{next(self._numbers):08x}",
            uniqueid=uniqueid,
            linkedid=uniqueid,
            context=_first(headers, "context"),
            exten=_first(headers, "exten"),
            variables=variables,
        )
        outcome = self.originates

        def happen() -> None:
            self.add_channel(channel)
            if outcome is None:
                return
            if outcome[0] != "Success":
                self.end_channel(uniqueid, cause=17 if outcome[1] == "5" else 0)
            result = {"Response": outcome[0], "Reason": outcome[1], "Uniqueid": uniqueid}
            about = {
                "Channel": _first(headers, "channel"),
                "Context": channel.context,
                "Exten": channel.exten,
            }
            self._emit("OriginateResponse", {"ActionID": action_id, **result, **about})

        return Answer([response(action_id, True, "Originate successfully queued")], happen)

    def _hangup(self, action_id: str, headers: Headers) -> Answer:
        found = self._find(_first(headers, "channel"))
        if found is None:
            return Answer([response(action_id, False, "No such channel")])
        cause = int(_first(headers, "cause") or "16")
        return Answer(
            [response(action_id, True, "Channel Hungup")],
            lambda: self.end_channel(found.uniqueid, cause=cause),
        )

    def _redirect(self, action_id: str, headers: Headers) -> Answer:
        name = _first(headers, "channel")
        found = self._find(name)
        if found is None:
            return Answer([response(action_id, False, f"Channel does not exist: {name}")])
        found.context, found.exten = _first(headers, "context"), _first(headers, "exten")
        return Answer([response(action_id, True, "Redirect successful")])

    def _bridge(self, action_id: str, headers: Headers) -> Answer:
        found = [self._find(_first(headers, key)) for key in ("channel1", "channel2")]
        bridge = f"bridge-{next(self._numbers)}"
        for channel, key in zip(found, ("Channel1", "Channel2"), strict=True):
            if channel is None:
                text = f"{key} does not exist: {_first(headers, key.lower())}"
                return Answer([response(action_id, False, text)])
            channel.bridge = bridge
        return Answer([response(action_id, True, "Channels have been bridged")])

    def _setvar(self, action_id: str, headers: Headers) -> Answer:
        variables = self._variables(headers)
        if variables is None:
            return Answer([response(action_id, False, "No such channel")])
        variables[_first(headers, "variable")] = _first(headers, "value")
        return Answer([response(action_id, True, "Variable Set")])

    def _getvar(self, action_id: str, headers: Headers) -> Answer:
        variables = self._variables(headers)
        if variables is None:
            return Answer([response(action_id, False, "No such channel")])
        name = _first(headers, "variable")
        return Answer([response(action_id, True, Variable=name, Value=variables.get(name, ""))])

    def _variables(self, headers: Headers) -> dict[str, str] | None:
        name = _first(headers, "channel")
        if not name:
            return self.global_variables
        found = self._find(name)
        return None if found is None else found.variables

    def _mixmonitor(self, action_id: str, headers: Headers) -> Answer:
        if self._find(_first(headers, "channel")) is None:
            return Answer([response(action_id, False, "No such channel")])
        return Answer([response(action_id, True, MixMonitorID=f"0x{next(self._numbers):x}")])


def _first(headers: Headers, key: str) -> str:
    return headers.get(key, [""])[0]


def _member_event(queue: str, member: Member) -> Message:
    return {
        "Queue": queue,
        "MemberName": member.name,
        "Interface": member.interface,
        "StateInterface": member.interface,
        "Membership": "dynamic",
        "Penalty": str(member.penalty),
        "CallsTaken": "0",
        "LastCall": "0",
        "LastPause": "0",
        "InCall": "0",
        "Status": str(member.status),
        "Paused": "1" if member.paused else "0",
        "PausedReason": member.reason,
        "Wrapuptime": "0",
    }


def _listed(action_id: str, text: str, rows: list[Message], closing: str, **more: str) -> Answer:
    start = response(action_id, True, text, EventList="start")
    tagged: list[Message] = [{**row, "ActionID": action_id} for row in rows]
    end: Message = {
        "Event": closing,
        "ActionID": action_id,
        "EventList": "Complete",
        "ListItems": str(len(rows)),
        **more,
    }
    return Answer([start, *tagged, end])
