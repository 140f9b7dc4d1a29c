"""The open calls of a node: which channel belongs to which, and how calls begin, join and end."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from telephony.domain.call import (
    MAX_LEGS,
    Call,
    CallState,
    Direction,
    EndReason,
    HangupBy,
)
from telephony.domain.call_id import attempted_call, derived_call_id, named_call
from telephony.domain.caller_text import ANONYMOUS, caller_number
from telephony.domain.effects import Changed, Effect, Ended, Merged, Opened, Progressed
from telephony.domain.leg import Endpoints, Leg, LegKind
from telephony.domain.outcome import result_of, who_ended, why_ended
from telephony.domain.timeline import TimelineKind

_REMEMBERED = 4096
_HOPS = 8
_DIRECTIONS = {direction.value: direction for direction in Direction}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """Settings of the call model.

    Attributes:
        short_abandon: who gives up in the queue within this time counts as a short abandon.
        default_area: area code (``010``) that completes local numbers.
        agent_pattern: what an agent's number, and so the name of his SIP endpoint, looks like.
        trunk_prefix: how the SIP endpoints of trunks begin.
    """

    short_abandon: timedelta = timedelta(seconds=5)
    default_area: str | None = None
    agent_pattern: str = r"\d{3,6}"
    trunk_prefix: str = "trunk-"


class CallTable:
    """Calls, legs and the ways to find them. Changes are collected as effects.

    A channel whose dialplan named no call (``HF_CALL``) is kept as a call without id until it does what
    only calls do; a supervisor's ear or a machine never does, and leaves no trace.
    """

    def __init__(self, node: str, rules: CallRules | None = None) -> None:
        self.node = node
        self.rules = rules or CallRules()
        self.endpoints = Endpoints(
            agent_pattern=self.rules.agent_pattern, trunk_prefix=self.rules.trunk_prefix
        )
        self._legs: dict[str, Leg] = {}
        self._linked: dict[str, Call] = {}
        self._calls: dict[str, Call] = {}
        self._latent: dict[int, Call] = {}
        self._gone: OrderedDict[str, str | None] = OrderedDict()
        self._bridges: dict[str, dict[str, Leg]] = {}
        self._out: list[Effect] = []
        # What is taken in now was not seen when it happened, but told later.
        self.unseen = False

    # -- looking things up ---------------------------------------------------------------------------

    def get(self, call_id: str) -> Call | None:
        """Return an open call; of a call that was merged, the one that goes on."""
        into: str | None = call_id
        for _ in range(_HOPS):
            if into is None or into in self._calls:
                break
            into = self._gone.get(into)
        return self._calls.get(into) if into is not None else None

    def open_calls(self) -> tuple[Call, ...]:
        """Return the calls that have not ended."""
        return tuple(self._calls.values())

    def knows(self, call_id: str) -> bool:
        """Whether a call is open, or ended not long ago."""
        return call_id in self._calls or call_id in self._gone

    def call_id_of(self, uniqueid: str) -> str | None:
        """Return the call id of a living channel, ``None`` for a channel that is no call's."""
        leg = self._legs.get(uniqueid)
        return (leg.call.call_id or None) if leg is not None else None

    def __len__(self) -> int:
        return len(self._calls)

    def changed(self, call: Call) -> None:
        """There is something to save."""
        if call.call_id:
            self._out.append(Changed(call))

    # -- beginning -----------------------------------------------------------------------------------

    def begin(self, linkedid: str, exten: str, name: str, now: datetime) -> Call:
        """Make a call without id; the first leg that joins it is its root."""
        call = Call(
            node=self.node,
            direction=Direction.IN,
            from_number=ANONYMOUS,
            to_number="",
            from_name=name,
            started_at=now,
            exten=exten,
        )
        self._latent[id(call)] = call
        self._link(call, linkedid)
        return call

    def join(self, call: Call, leg: Leg) -> None:
        """Add a leg; beyond the bound the oldest finished one is forgotten."""
        if call.root is None:
            call.root, leg.is_root = leg, True
        elif len(call.legs) >= MAX_LEGS:
            for uniqueid, old in call.legs.items():
                if old.ended_at is not None and not old.is_root and not old.taken:
                    del call.legs[uniqueid]
                    break
        self._adopt_leg(call, leg)

    def _adopt_leg(self, call: Call, leg: Leg) -> None:
        leg.call = call
        call.legs[leg.uniqueid] = leg
        if leg.ended_at is None:
            call.live[leg.uniqueid] = leg
            self._legs[leg.uniqueid] = leg

    def _link(self, call: Call, linkedid: str) -> None:
        self._linked[linkedid] = call
        call.linkedids.add(linkedid)

    def promote(self, call: Call, now: datetime, variables: Mapping[str, str] | None = None) -> Call:
        """Give a call its id, from the channel's variables or derived; return the call to go on with."""
        if call.call_id:
            return call
        variables = variables or {}
        call_id = named_call(variables.get("HF_CALL", ""))
        if call_id is None and call.root is not None:
            call_id = attempted_call(call.root.uniqueid)
        if call_id is not None:
            known = self.get(call_id)
            if known is not None:
                self._absorb(call, known)
                return known
        root = call.root
        if call_id is None or call_id in self._gone:
            call_id = derived_call_id(self.node, root.uniqueid if root else "", now=now)
            while call_id in self._gone or call_id in self._calls:
                call_id = derived_call_id(self.node, call_id, now=now)
        call.call_id = call_id
        call.adopted = call.adopted or self.unseen
        del self._latent[id(call)]
        self._calls[call_id] = call
        self._introduce(call, variables)
        row = call.add_row(
            TimelineKind.OFFERED,
            call.started_at,
            leg=root,
            detail={"direction": call.direction.value, "from": call.from_number, "to": call.to_number},
        )
        self._out.append(Opened(call))
        if row is not None:
            self._out.append(Progressed(call, row))
        return call

    def _introduce(self, call: Call, variables: Mapping[str, str]) -> None:
        root = call.root
        if root is None:
            return
        exten = "" if call.exten in ("s", "") else call.exten
        named = variables.get("HF_DIR", "")
        if named in _DIRECTIONS:
            call.direction = _DIRECTIONS[named]
        elif root.kind is LegKind.AGENT:
            inside = self.endpoints.read(f"PJSIP/{exten}").kind is LegKind.AGENT
            call.direction = Direction.INTERNAL if inside else Direction.OUT
        elif root.kind is LegKind.OUTSIDE:
            call.direction = Direction.OUT
        else:
            call.direction = Direction.IN
        area = self.rules.default_area
        called = variables.get("HF_TO", "") if call.direction is Direction.OUT else ""
        if call.direction is Direction.IN:
            to = variables.get("HF_DID", "") or exten
            call.from_number = root.number
        elif called or attempted_call(root.uniqueid):
            # We placed it: what the channel shows as its caller is what we show, the hotline or a customer.
            to = called
            call.from_number = root.agent_number or root.number
            if root.kind is LegKind.OUTSIDE and not root.is_staff:
                root.number = caller_number(called, default_area=area)
        elif root.kind is LegKind.OUTSIDE:
            to = root.number
            call.from_number = caller_number(variables.get("HF_DID", ""), default_area=area)
        else:
            to = exten
            call.from_number = root.agent_number or root.number
        call.to_number = caller_number(to, default_area=area) if to else ""
        if call.direction is Direction.OUT:
            call.agent_number = root.agent_number

    def leave_bridge(self, leg: Leg) -> None:
        """A channel is in no bridge any more."""
        bridge, leg.bridge = leg.bridge, ""
        inside = self._bridges.get(bridge)
        if inside is not None:
            inside.pop(leg.uniqueid, None)
            if not inside:
                del self._bridges[bridge]

    # -- joining -------------------------------------------------------------------------------------

    def _absorb(self, latent: Call, into: Call) -> None:
        """Move the legs of a call without id into ``into``."""
        self._latent.pop(id(latent), None)
        for leg in latent.legs.values():
            leg.is_root = False
            self._adopt_leg(into, leg)
        for linkedid in latent.linkedids:
            self._link(into, linkedid)
        latent.legs, latent.live = {}, {}
        self.changed(into)

    def merge(self, one: Call, other: Call, now: datetime) -> Call:
        """Join two calls that became one conversation; return the one that goes on.

        A customer's call outlives a call between colleagues, an older one a younger.
        """
        if one is other:
            return one
        if not one.call_id:
            one, other = other, one
        if not other.call_id:
            self._absorb(other, one)
            return one
        keep, gone = sorted(
            (one, other), key=lambda call: (call.direction is Direction.INTERNAL, call.started_at)
        )
        self._consume(keep, gone, now)
        return keep

    def _consume(self, keep: Call, gone: Call, now: datetime) -> None:
        consultant = gone.root.agent_number if gone.root is not None else None
        mine = [leg for leg in keep.live.values() if leg.agent_number is not None]
        consultation = consultant is not None and any(leg.agent_number == consultant for leg in mine)
        moved, gone.legs = gone.legs, {}
        gone.live = {}
        for leg in moved.values():
            if leg.is_root:
                leg.is_root = False
                leg.gave_away = consultation
            else:
                # Whoever was asked now talks with the other side: told again, on the call that goes on.
                leg.taken = False
            self._adopt_leg(keep, leg)
        for linkedid in gone.linkedids:
            self._link(keep, linkedid)
        gone.merged_into = keep.call_id
        gone.end_reason = EndReason.MERGED
        self._finish(gone, now, {"into": keep.call_id})
        row = keep.add_row(
            TimelineKind.TRANSFERRED,
            now,
            agent=consultant,
            detail={
                "type": "attended" if consultation else "joined",
                "to": gone.to_number,
                "consultation": gone.call_id,
            },
        )
        self._out.append(Merged(gone, keep, now))
        if row is not None:
            self._out.append(Progressed(keep, row))
        keep.hangup_by = None
        keep.settle(now)

    # -- ending --------------------------------------------------------------------------------------

    def drop(self, call: Call) -> None:
        """Forget a call without id."""
        self._latent.pop(id(call), None)
        for leg in call.live.values():
            self.leave_bridge(leg)
            self._legs.pop(leg.uniqueid, None)
        self._unlink(call)

    def end(self, call: Call, now: datetime) -> None:
        """End a call whose last leg is gone."""
        if call.ended_at is not None:
            return
        if call.waiting_in is not None:
            # One agent was rung for them before the others, and there was nobody else in the call.
            call.gave_up_waiting = call.gave_up_waiting or call.hangup_by is HangupBy.CALLER
            call.waiting_in = None
            call.left_queue_at = call.left_queue_at or now
        if call.answered_at is None and (call.queued_at or call.dialled_at) is not None:
            call.wait = call.wait_until(now)
        if call.end_reason is None:
            call.end_reason = EndReason.GAP if self.unseen else why_ended(call)
        if call.hangup_by is None:
            call.hangup_by = who_ended(call)
        if call.cause is None:
            dialled = call.last_dialled
            if call.answered_at is None and dialled is not None and dialled.refused is not None:
                call.cause = dialled.refused
            elif call.root is not None:
                call.cause = call.root.cause
        self._finish(call, now, {})
        self._out.append(Ended(call))

    def _finish(self, call: Call, now: datetime, detail: dict[str, str]) -> None:
        call.ended_at = max(now, call.last_at or now)
        call.settle(call.ended_at)
        call.result = result_of(call, short_abandon=self.rules.short_abandon)
        call.state = CallState.ENDED
        reason = call.end_reason or EndReason.HANGUP
        facts = {"result": call.result.value, "reason": reason.value, **detail}
        if call.hangup_by is not None:
            facts["by"] = call.hangup_by.value
        row = call.add_row(TimelineKind.ENDED, call.ended_at, detail=facts)
        if row is not None:
            self._out.append(Progressed(call, row))
        self._calls.pop(call.call_id, None)
        if call.merged_into is None:
            self._unlink(call)
        self._remember(call)

    def _unlink(self, call: Call) -> None:
        for linkedid in call.linkedids:
            if self._linked.get(linkedid) is call:
                del self._linked[linkedid]

    def _remember(self, call: Call) -> None:
        self._gone[call.call_id] = call.merged_into
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)
