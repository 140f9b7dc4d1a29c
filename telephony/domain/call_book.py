"""The call model of one PBX node: AMI events in, effects out. No clock, no I/O.

The order of events is Asterisk's own, as recorded from the real one (``tests/data/ami``). Three things of it
are not in the manuals: ``QueueCallerAbandon`` is also sent when the queue gives the caller back (timeout,
nobody signed in), so only the caller's own hang-up makes an abandoned call; a rung phone that is given up
gets two ``DialEnd``, the second of them ``CANCEL``; and ``HangupRequest`` is sent for the party that hung up,
``SoftHangupRequest`` for those that Asterisk hangs up after it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from telephony.domain.call import Call, Direction, EndReason, HangupBy
from telephony.domain.call_ears import CallEars
from telephony.domain.call_id import attempted_call
from telephony.domain.call_resync import PbxSnapshot, SeenChannel
from telephony.domain.call_table import CallRules
from telephony.domain.caller_text import ANONYMOUS, caller_name, caller_number, clean_text
from telephony.domain.effects import Effect, RingStarted
from telephony.domain.leg import Leg, LegKind, agent_of_interface
from telephony.domain.listening import is_ear
from telephony.domain.outcome import party
from telephony.domain.signal import ChannelSignal
from telephony.domain.timeline import TimelineKind

_RING = "4"  # a channel that came in, as AST_STATE_RING
_RINGING = "5"
_UP = "6"
WAITING_ROOM = "holding_bridge"
_SHUTDOWN = "4"  # the "cause" of SoftHangupRequest is a flag of AST_SOFTHANGUP_*

Handler = Callable[[ChannelSignal, datetime], None]


class CallBook(CallEars):
    """The calls of a node; feed it every AMI event in order.

    Args:
        node: name of the PBX; every call carries it.
    """

    def __init__(self, node: str, rules: CallRules | None = None) -> None:
        super().__init__(node, rules)
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._handlers: dict[str, Handler] = {
            "Newchannel": self._newchannel,
            "Newstate": self._newstate,
            "NewCallerid": self._newcallerid,
            "Rename": self._rename,
            "HangupRequest": self._hangup_request,
            "SoftHangupRequest": self._soft_hangup_request,
            "Hangup": self._hangup,
            "DialBegin": self._dial_begin,
            "DialEnd": self._dial_end,
            "BridgeEnter": self._bridge_enter,
            "BridgeLeave": self._bridge_leave,
            "Hold": self._hold,
            "Unhold": self._unhold,
            "BlindTransfer": self._blind_transfer,
            "AttendedTransfer": self._attended_transfer,
            "QueueCallerJoin": self._queue_join,
            "QueueCallerLeave": self._queue_leave,
            "AgentCalled": self._agent_called,
            "AgentRingNoAnswer": self._agent_ring_no_answer,
            "AgentConnect": self._agent_connect,
            "UserEvent": self._user_event,
            "ChanSpyStart": self.chan_spy_start,
        }

    def handle(self, event: ChannelSignal, *, now: datetime) -> tuple[Effect, ...]:
        """Take one event; return what follows from it. Never raises on what an event may contain."""
        handler = self._handlers.get(event.name)
        if handler is None:
            return ()
        handler(event, self._tick(now))
        return self._flush() if self._out else ()

    def catch_up(self, logged: Iterable[tuple[datetime, ChannelSignal]]) -> tuple[Effect, ...]:
        """Take events that the PBX logged while nobody listened, in order, with their times.

        What happened before the last thing we saw of a call is known already and skipped.
        """
        seen = {id(call): call.last_at for call in self._calls.values()}
        effects: list[Effect] = []
        self.unseen = True
        try:
            for at, event in logged:
                leg = self._legs.get(event.get("uniqueid"))
                until = seen.get(id(leg.call)) if leg is not None else None
                if until is None or at >= until:
                    effects.extend(self.handle(event, now=at))
        finally:
            self.unseen = False
        return tuple(effects)

    def reconcile(
        self, snapshot: PbxSnapshot, *, now: datetime, since: datetime, spared: Collection[str] = ()
    ) -> tuple[Effect, ...]:
        """Take over a snapshot after a gap that began at ``since``; see :meth:`apply`."""
        self.apply(snapshot, self._tick(now), since=since, spared=spared)
        return self._flush()

    def sweep(
        self, lost: Collection[str], found: tuple[SeenChannel, ...], *, now: datetime
    ) -> tuple[Effect, ...]:
        """Mend what the events did not tell: legs that are gone, channels that are there."""
        now = self._tick(now)
        self.close_lost(lost, now)
        self.adopt(found, now)
        return self._flush()

    def pbx_restarted(self, at: datetime) -> tuple[Effect, ...]:
        """Close every call: Asterisk was started anew at ``at``."""
        self.reboot(at)
        return self._flush()

    def _tick(self, now: datetime) -> datetime:
        """A machine's clock may be set back; a call's times are not."""
        self._latest = max(self._latest, now)
        return self._latest

    def _flush(self) -> tuple[Effect, ...]:
        out = tuple(self._out)
        self._out.clear()
        return out

    # -- the channel an event speaks of --------------------------------------------------------------

    def _leg(self, event: ChannelSignal, now: datetime, *, prefix: str = "") -> Leg | None:
        leg = self._legs.get(event.get(f"{prefix}uniqueid"))
        if leg is None:
            return None
        linkedid = event.get(f"{prefix}linkedid")
        if linkedid and linkedid != leg.linkedid:
            self._relink(leg, linkedid, now)
        if not leg.call.call_id:
            variables = event.variables(f"{prefix}chanvariable")
            if variables.get("HF_CALL"):
                self.promote(leg.call, now, variables)
        return leg

    def _relink(self, leg: Leg, linkedid: str, now: datetime) -> None:
        """Asterisk links channels that have met in a bridge: they are one call from now on."""
        leg.linkedid = linkedid
        other = self._linked.get(linkedid)
        if other is None:
            self._link(leg.call, linkedid)
        elif other is not leg.call:
            self.merge(leg.call, other, now)

    def _call(self, leg: Leg, event: ChannelSignal, now: datetime) -> Call:
        """The leg did what only calls do."""
        call = leg.call
        return call if call.call_id else self.promote(call, now, event.chan_variables)

    # -- channels ------------------------------------------------------------------------------------

    def _newchannel(self, event: ChannelSignal, now: datetime) -> None:
        uniqueid = event.get("uniqueid")
        channel = event.get("channel")
        if not uniqueid or uniqueid in self._legs or is_ear(uniqueid):
            return
        endpoint = self.endpoints.read(channel)
        if endpoint.is_machine:
            return
        linkedid = event.get("linkedid") or uniqueid
        call = self._linked.get(linkedid)
        kind, came_in = endpoint.kind, event.get("channelstate") == _RING
        if call is None:
            if kind is LegKind.OUTSIDE and came_in:
                kind = LegKind.CALLER
            exten = clean_text(event.get("exten"), 64)
            call = self.begin(linkedid, exten, caller_name(event.get("calleridname")), now)
        leg = Leg(
            call=call,
            uniqueid=uniqueid[:64],
            linkedid=linkedid[:64],
            channel=clean_text(channel, 128),
            kind=kind,
            agent_number=endpoint.agent_number,
            number=caller_number(event.get("calleridnum"), default_area=self.rules.default_area),
            started_at=now,
            came_in=came_in,
        )
        self.join(call, leg)
        if call.root is leg:
            variables = event.chan_variables
            if variables.get("HF_CALL"):
                self.promote(call, now, variables)
        else:
            self.changed(call)

    def _newstate(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is None:
            return
        call, state = leg.call, event.get("channelstate")
        if state == _UP and leg.answered_at is None:
            leg.answered_at = now
            call.settle(now)
            self.changed(call)
        elif state == _RINGING and not leg.rang:
            leg.rang = True
            if leg.dialled and leg.kind is LegKind.OUTSIDE and not leg.ringing and call.call_id:
                leg.ringing = True
                call.settle(now)
                self.row(call, TimelineKind.RINGING, now, leg=leg, detail={"number": leg.number})

    def _newcallerid(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._legs.get(event.get("uniqueid"))
        if leg is not None and leg.number == ANONYMOUS:
            leg.number = caller_number(event.get("calleridnum"), default_area=self.rules.default_area)
        self._leg(event, now)

    def _rename(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._legs.get(event.get("uniqueid"))
        if leg is not None:
            leg.channel = clean_text(event.get("newname") or leg.channel, 128)

    def _hangup_request(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is None:
            return
        call = leg.call
        if leg.dialled and not leg.taken and leg.answered_at is None:
            leg.refused = _number(event.get("cause"))
        elif leg.is_asked and leg.told not in ("conference", "transferred"):
            return  # who was asked has answered; the call goes on
        elif not leg.gave_away and call.hangup_by is None:
            call.hangup_by, leg.leaving = party(call, leg), True

    def _soft_hangup_request(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is not None and event.get("cause") == _SHUTDOWN:
            leg.call.end_reason = EndReason.PBX_RESTART

    def _hangup(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is None:
            return
        if leg.is_root:
            self._note_queue(leg.call, event.chan_variables)
        self.lose(leg, now, _number(event.get("cause")))

    def _note_queue(self, call: Call, variables: Mapping[str, str]) -> None:
        """A queue without anybody to answer takes no caller in, and says so in no event.

        Nor does one whose caller hangs up between the menu's decision and the queue: he ends it, in the menu.
        """
        wanted = clean_text(variables.get("HF_QUEUE", ""), 64)
        status = variables.get("QUEUESTATUS", "")[:32]
        refused = bool(status) or call.hangup_by is not HangupBy.CALLER
        if call.queue is None and wanted and refused and call.direction is Direction.IN:
            call.queue = wanted
            status = status or "JOINEMPTY"
        call.queue_status = status or call.queue_status

    # -- dialling ------------------------------------------------------------------------------------

    def _dial_begin(self, event: ChannelSignal, now: datetime) -> None:
        source = self._leg(event, now)
        dest = self._leg(event, now, prefix="dest")
        if dest is None:
            return
        dialled = event.get("dialstring").partition("@")[0].rpartition("/")[2]
        if dest.number == ANONYMOUS and dialled:
            dest.number = caller_number(clean_text(dialled, 64), default_area=self.rules.default_area)
        if source is None:
            # An Originate: the channel that rings is the first of its call.
            if attempted_call(dest.uniqueid) and dest.is_root:
                self._placed(dest, now)
            elif dest.is_asked:
                dest.dialled = dest.call.handled = True
                if dest.agent_number is not None:
                    self.start_ringing(dest, None, now)
                elif dialled:
                    # What it shows as its caller is ours.
                    dest.number = caller_number(clean_text(dialled, 64), default_area=self.rules.default_area)
            elif not dest.call.call_id:
                dest.dialled = dest.is_root
            return
        call = self._call(source, event, now)
        if dest.call is not call:
            call = self.merge(call, dest.call, now)
        dest.dialled = True
        call.dialled_at = call.dialled_at or now
        call.last_dialled = dest
        if dest.agent_number is not None:
            self.start_ringing(dest, None, now)

    def _placed(self, leg: Leg, now: datetime) -> None:
        """The dialler rings somebody: the customer, or first the agent who is to talk to them."""
        if leg.agent_number is not None:
            leg.dialled = True
            self.start_ringing(leg, None, now)
        elif not leg.is_staff:
            leg.dialled = True
            leg.call.dialled_at = leg.call.dialled_at or now
            leg.call.last_dialled = leg

    def _dial_end(self, event: ChannelSignal, now: datetime) -> None:
        source = self._leg(event, now)
        dest = self._leg(event, now, prefix="dest")
        if dest is None:
            return
        status = event.get("dialstatus")[:32]
        if status == "ANSWER":
            if source is not None and dest.kind is not LegKind.OTHER:
                self.take(dest, now)
            elif source is None and dest.is_asked:
                self.stop_ringing(dest, "", now, reason="answered")
            elif source is None and dest.is_root and dest.call.call_id:
                self.stop_ringing(dest, "", now, reason="answered")
                self._originated_answer(dest, now)
            return
        dest.dial_status = dest.dial_status or status
        self.stop_ringing(dest, status, now)

    def _originated_answer(self, leg: Leg, now: datetime) -> None:
        if leg.call.direction is Direction.OUT and leg.kind is LegKind.OUTSIDE and not leg.is_staff:
            self.take(leg, now)

    # -- bridges -------------------------------------------------------------------------------------

    def _bridge_enter(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is None:
            return
        self.leave_bridge(leg)
        bridge = event.get("bridgeuniqueid")[:64]
        if event.get("bridgetechnology") == WAITING_ROOM:
            self.wait_in(leg, bridge, now)
        else:
            self.meet(leg, bridge, now)

    def _bridge_leave(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is None or not leg.bridge:
            return
        bridge = leg.bridge
        self.leave_bridge(leg)
        self.left_by(leg, bridge, now)
        leg.call.settle(now)
        self.changed(leg.call)

    def _hold(self, event: ChannelSignal, now: datetime) -> None:
        self._set_hold(event, now, holding=True)

    def _unhold(self, event: ChannelSignal, now: datetime) -> None:
        self._set_hold(event, now, holding=False)

    def _set_hold(self, event: ChannelSignal, now: datetime, *, holding: bool) -> None:
        leg = self._leg(event, now)
        if leg is None or leg.holding is holding or not leg.call.call_id:
            return
        leg.holding = holding
        leg.call.settle(now)
        self.row(leg.call, TimelineKind.HELD if holding else TimelineKind.UNHELD, now, leg=leg)

    def _blind_transfer(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._legs.get(event.get("transfereruniqueid"))
        if leg is None or event.get("result") != "Success" or not leg.call.call_id:
            return
        leg.gave_away = True
        leg.call.hangup_by = None
        to = clean_text(event.get("extension"), 64)
        self.row(leg.call, TimelineKind.TRANSFERRED, now, leg=leg, detail={"type": "blind", "to": to})

    def _attended_transfer(self, event: ChannelSignal, now: datetime) -> None:
        first = self._legs.get(event.get("origtransfereruniqueid"))
        second = self._legs.get(event.get("secondtransfereruniqueid"))
        if first is None or second is None or event.get("result") != "Success":
            return
        call = self.merge(first.call, second.call, now)
        first.gave_away = second.gave_away = True
        call.hangup_by = None
        for leg in list(call.live.values()):
            if leg.ringing and leg.agent_number is not None:
                # The colleague's page shows whom he is going to talk to now.
                self._out.append(RingStarted(call, leg, leg.ring_queue, now))
        self.changed(call)

    # -- queues and menus ----------------------------------------------------------------------------

    def _queue_join(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is None:
            return
        call = self._call(leg, event, now)
        queue = clean_text(event.get("queue"), 64)
        if call.waiting_in == queue:
            return
        call.queue = call.waiting_in = queue
        call.queued_at = call.queued_at or now
        call.left_queue_at = None
        call.gave_up_waiting = False
        call.hangup_by = None
        call.settle(now)
        position = clean_text(event.get("position"), 8)
        self.row(call, TimelineKind.QUEUED, now, leg=leg, queue=queue, detail={"position": position})

    def _queue_leave(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now)
        if leg is not None and leg.call.waiting_in is not None:
            self.leave_queue(leg.call, now)

    def _agent_called(self, event: ChannelSignal, now: datetime) -> None:
        source = self._leg(event, now)
        leg = self._leg(event, now, prefix="dest")
        if leg is None:
            return
        call = self._call(source, event, now) if source is not None else leg.call
        if leg.call is not call:
            call = self.merge(call, leg.call, now)
        if leg.agent_number is None:
            leg.agent_number = agent_of_interface(event.get("interface"))
        leg.dialled = True
        call.last_dialled = leg
        if leg.agent_number is not None:
            self.start_ringing(leg, clean_text(event.get("queue"), 64) or None, now)

    def _agent_ring_no_answer(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now, prefix="dest")
        if leg is not None:
            self.stop_ringing(leg, "NOANSWER", now)

    def _agent_connect(self, event: ChannelSignal, now: datetime) -> None:
        leg = self._leg(event, now, prefix="dest")
        if leg is not None:
            self.take(leg, now)

    def _user_event(self, event: ChannelSignal, now: datetime) -> None:
        kind = event.get("userevent")
        if not kind.startswith("Huifang") or self.take_ear(event, now):
            return
        leg = self._leg(event, now)
        call = self._call(leg, event, now) if leg is not None else self.get(event.get("call"))
        if call is not None:
            self.told(event, leg, call, now)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
