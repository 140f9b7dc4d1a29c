"""A call between memory, the database and the spool: plain rows, made and read in one place."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.errors import Invalid
from kernel.events import decode, encode
from telephony.domain.call import Call, CallResult, CallState, Direction, EndReason, HangupBy, Phase
from telephony.domain.leg import Leg, LegKind
from telephony.events import CallEnded

Row = dict[str, Any]

_CALL_TIMES = ("started_at", "queued_at", "answered_at", "ended_at")
_LEG_TIMES = ("started_at", "answered_at", "ended_at")
_LEG_FLAGS = ("is_root", "came_in", "rang", "ringing", "gave_away", "dialled", "holding", "held")


@dataclass(slots=True)
class CallRecord:
    """What is to be written of one call.

    Attributes:
        events: the rows of the time line that are not stored yet.
        ended: the fact of its end, once it has ended.
    """

    call: Row
    legs: list[Row]
    events: list[Row]
    ended: CallEnded | None = None

    @property
    def call_id(self) -> str:
        """Id of the call."""
        return str(self.call["call_id"])

    def to_json(self) -> bytes:
        """Return one line for the spool."""
        body = {
            "call": self.call,
            "legs": self.legs,
            "events": self.events,
            "ended": encode(self.ended).decode() if self.ended is not None else None,
        }
        return json.dumps(body, ensure_ascii=False, default=_plain).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> "CallRecord":
        """Read a line of the spool.

        Raises:
            Invalid: it is not one.
        """
        try:
            body = json.loads(line)
            call, legs, events = body["call"], body["legs"], body["events"]
            _revive([call], _CALL_TIMES)
            _revive(legs, _LEG_TIMES)
            _revive(events, ("at",))
            ended = decode(body["ended"].encode()) if body["ended"] else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Invalid("not a line of the call spool") from error
        if ended is not None and not isinstance(ended, CallEnded):
            raise Invalid("not a line of the call spool")
        return cls(call, legs, events, ended)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _revive(rows: list[Row], keys: tuple[str, ...]) -> None:
    for row in rows:
        for key in keys:
            if row.get(key) is not None:
                row[key] = datetime.fromisoformat(row[key])


def _millis(value: timedelta) -> int:
    return round(value / timedelta(milliseconds=1))


def seconds(value: timedelta | None) -> float | None:
    """Return seconds to the millisecond, as the edges want them."""
    return None if value is None else round(value.total_seconds(), 3)


def record_of(call: Call, *, saved: int, agent_id: str | None, ended: CallEnded | None) -> CallRecord:
    """Return the rows of ``call``; of its time line those after number ``saved``."""
    open_ = call.ended_at is None
    wait = call.wait if call.wait is not None or open_ else call.wait_until(call.ended_at or call.started_at)
    row = {
        "call_id": call.call_id,
        "node": call.node,
        "direction": call.direction.value,
        "from_number": call.from_number,
        "to_number": call.to_number,
        "from_name": call.from_name,
        "queue": call.queue,
        "agent_id": agent_id,
        "agent_number": call.agent_number,
        "state": call.state.value,
        "result": call.result.value if call.result is not None else None,
        "menu_path": list(call.menu_path),
        "language": call.language or None,
        "started_at": call.started_at,
        "queued_at": call.queued_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "wait_ms": _millis(wait) if wait is not None else None,
        "talk_ms": _millis(call.talk),
        "hold_ms": _millis(call.hold),
        "hangup_by": call.hangup_by.value if call.hangup_by is not None and not open_ else None,
        "end_reason": call.end_reason.value if call.end_reason is not None else None,
        "cause": call.cause,
        "adopted": call.adopted,
        "merged_into": call.merged_into,
        "resume": _call_resume(call) if open_ else None,
    }
    legs = [_leg_row(call, leg) for leg in call.legs.values()]
    events = [
        {
            "call_id": call.call_id,
            "seq": item.seq,
            "at": item.at,
            "kind": item.kind.value,
            "channel": item.channel,
            "agent": item.agent,
            "queue": item.queue,
            "detail": dict(item.detail),
        }
        for item in call.rows
        if item.seq > saved
    ]
    return CallRecord(row, legs, events, ended)


def _leg_row(call: Call, leg: Leg) -> Row:
    resume: Row | None = None
    if call.ended_at is None:
        resume = {name: getattr(leg, name) for name in _LEG_FLAGS}
        resume |= {"ring_queue": leg.ring_queue, "refused": leg.refused, "status": leg.dial_status}
        resume |= {"bridge": leg.bridge, "told": leg.told}
    return {
        "node": call.node,
        "uniqueid": leg.uniqueid,
        "call_id": call.call_id,
        "linkedid": leg.linkedid,
        "channel": leg.channel,
        "kind": leg.kind.value,
        "agent_number": leg.agent_number,
        "number": leg.number,
        "started_at": leg.started_at,
        "answered_at": leg.answered_at,
        "ended_at": leg.ended_at,
        "taken": leg.taken,
        "cause": leg.cause,
        "resume": resume,
    }


def _call_resume(call: Call) -> Row:
    return {
        "exten": call.exten,
        "waiting_in": call.waiting_in,
        "queue_status": call.queue_status,
        "gave_up": call.gave_up_waiting,
        "in_menu": call.in_menu,
        "handled": call.handled,
        "left_queue_at": _iso(call.left_queue_at),
        "dialled_at": _iso(call.dialled_at),
        "phase": call.phase.value,
        "phase_since": _iso(call.phase_since),
        "hangup_by": call.hangup_by.value if call.hangup_by is not None else None,
        "last_dialled": call.last_dialled.uniqueid if call.last_dialled is not None else None,
        "seq": call.seq,
        "last_at": _iso(call.last_at),
    }


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None


def call_of(row: Row, legs: list[Row], *, seq: int) -> Call:
    """Return the open call that was written as ``row`` and ``legs``; its time line goes on after ``seq``."""
    resume: Row = row["resume"] or {}
    wait = row["wait_ms"]
    call = Call(
        node=row["node"],
        direction=Direction(row["direction"]),
        from_number=row["from_number"],
        to_number=row["to_number"],
        from_name=row["from_name"],
        started_at=row["started_at"],
        call_id=row["call_id"],
        state=CallState(row["state"]),
        result=CallResult(row["result"]) if row["result"] else None,
        queue=row["queue"],
        waiting_in=resume.get("waiting_in"),
        queue_status=resume.get("queue_status", ""),
        gave_up_waiting=bool(resume.get("gave_up")),
        agent_number=row["agent_number"],
        menu_path=list(row["menu_path"]),
        language=row.get("language") or "",
        in_menu=bool(resume.get("in_menu")),
        handled=bool(resume.get("handled")),
        queued_at=row["queued_at"],
        left_queue_at=_time(resume.get("left_queue_at")),
        dialled_at=_time(resume.get("dialled_at")),
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        wait=timedelta(milliseconds=wait) if wait is not None else None,
        talk=timedelta(milliseconds=row["talk_ms"]),
        hold=timedelta(milliseconds=row["hold_ms"]),
        phase=Phase(resume.get("phase", "none")),
        phase_since=_time(resume.get("phase_since")),
        hangup_by=HangupBy(resume["hangup_by"]) if resume.get("hangup_by") else None,
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        cause=row["cause"],
        adopted=row["adopted"],
        exten=resume.get("exten", ""),
        seq=max(seq, int(resume.get("seq", 0))),
        last_at=_time(resume.get("last_at")),
    )
    for leg_row in legs:
        _restore_leg(call, leg_row)
    last = resume.get("last_dialled")
    call.last_dialled = call.legs.get(last) if isinstance(last, str) else None
    return call


def _restore_leg(call: Call, row: Row) -> None:
    resume: Row = row["resume"] or {}
    leg = Leg(
        call=call,
        uniqueid=row["uniqueid"],
        linkedid=row["linkedid"],
        channel=row["channel"],
        kind=LegKind(row["kind"]),
        agent_number=row["agent_number"],
        number=row["number"],
        started_at=row["started_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        cause=row["cause"],
        taken=row["taken"],
        ring_queue=resume.get("ring_queue"),
        refused=resume.get("refused"),
        dial_status=resume.get("status", ""),
        bridge=resume.get("bridge", ""),
        told=resume.get("told", ""),
    )
    for name in _LEG_FLAGS:
        setattr(leg, name, bool(resume.get(name)))
    call.legs[leg.uniqueid] = leg
    call.linkedids.add(leg.linkedid)
    if leg.is_root:
        call.root = leg
    if leg.ended_at is None:
        call.live[leg.uniqueid] = leg
