"""The PBX's own log of channel events (CEL), for what happened while nobody listened.

Asterisk writes one CSV line per event (``cel_custom.conf``): event, time, channel, unique id, linked id,
call id, caller number, extension, context, application, its data, peer, extra (JSON). The lines are turned
into the manager events that would have been seen, so that the one call model understands both. What the log
does not tell (menu choices, holds, names) stays unknown.
"""

import asyncio
import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import structlog
from prometheus_client import Counter

from telephony.ami.message import AmiEvent
from telephony.domain.caller_text import clean_text

log = structlog.get_logger(__name__)

UNREADABLE = Counter(
    "huifang_event_log_unreadable_total", "Lines of the channel event log that made no sense"
)

MAX_BYTES = 64 * 1024 * 1024
_MAX_LINE = 16 * 1024
_FIELDS = 13
# Between leaving a bridge or a queue and the hang-up that caused it.
_TAIL = timedelta(milliseconds=300)
LoggedEvent = tuple[datetime, AmiEvent]
_TAIL_EVENTS = frozenset({"BRIDGE_EXIT", "APP_END"})


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line."""

    event: str
    at: datetime
    channel: str
    uniqueid: str
    linkedid: str
    call_id: str
    number: str
    exten: str
    application: str
    data: str
    extra: dict[str, str]


class EventLog:
    """The file, read in a thread; Asterisk writes it.

    Args:
        max_bytes: how far back from its end it is read at most.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def read(self, since: datetime) -> list[LogRow]:
        """Return the lines from ``since`` on, in order. No file, no lines; it blocks."""
        try:
            with open(self.path, "rb") as file:
                self._seek(file, since)
                return [row for row in _rows(file) if row.at >= since]
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning("event_log_unreadable", error=type(error).__name__)
            return []

    def turn_over(self) -> bool:
        """Begin another file when this one is longer than is ever read; the one before stays beside it.

        Asterisk opens the file for each line. Returns whether it was done; it blocks.
        """
        try:
            if self.path.stat().st_size <= self._max_bytes:
                return False
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("event_log_not_turned_over", error=type(error).__name__)
            return False
        return True

    async def keep_short(self, *, every: timedelta = timedelta(minutes=10)) -> None:
        """Look at its length again and again, until cancelled."""
        while True:
            await asyncio.to_thread(self.turn_over)
            await asyncio.sleep(every.total_seconds())

    def _seek(self, file: BinaryIO, since: datetime) -> None:
        """Go to a line not later than the first that is wanted, by halving."""
        high = file.seek(0, os.SEEK_END)
        low = max(0, high - self._max_bytes)
        while high - low > _MAX_LINE:
            middle = (low + high) // 2
            file.seek(middle)
            file.readline(_MAX_LINE)
            row = next(_rows(file), None)
            if row is None or row.at >= since:
                high = middle
            else:
                low = middle
        file.seek(low)
        if low:
            file.readline(_MAX_LINE)


def _rows(file: BinaryIO) -> Iterator[LogRow]:
    while line := file.readline(_MAX_LINE):
        row = parse_line(line)
        if row is not None:
            yield row
        elif line.strip():
            UNREADABLE.inc()


def parse_line(line: bytes) -> LogRow | None:
    """Read one line, ``None`` for what is none."""
    text = line.decode("utf-8", "replace").replace("\0", "")
    try:
        fields = next(csv.reader([text]), [])
        if len(fields) != _FIELDS:
            return None
        extra = json.loads(fields[12]) if fields[12].strip() else {}
        return LogRow(
            event=fields[0],
            at=datetime.fromtimestamp(float(fields[1]), UTC),
            channel=clean_text(fields[2], 128),
            uniqueid=clean_text(fields[3], 64),
            linkedid=clean_text(fields[4], 64),
            call_id=clean_text(fields[5], 64),
            number=clean_text(fields[6], 64),
            exten=clean_text(fields[7], 64),
            application=fields[9],
            data=clean_text(fields[10], 200),
            extra={str(key): clean_text(str(value), 128) for key, value in dict(extra).items()},
        )
    except (csv.Error, ValueError, TypeError, OverflowError, OSError):
        return None


def as_events(rows: Sequence[LogRow]) -> list[LoggedEvent]:
    """Return what a listener would have heard, and when."""
    requests = _hangup_requests(rows)
    # The dialplan names the call a moment after the channel's birth.
    named = {row.uniqueid: row.call_id for row in rows if row.call_id}
    rows = [replace(row, call_id=row.call_id or named.get(row.uniqueid, "")) for row in rows]
    found: list[LoggedEvent] = []
    for number, row in enumerate(rows):
        found.extend(
            _made("HangupRequest", asked, row.at, Cause=asked.extra.get("hangupcause", ""))
            for asked in requests.get(number, ())
        )
        found.extend(_translated(row, named))
    return found


def _hangup_requests(rows: Sequence[LogRow]) -> dict[int, list[LogRow]]:
    """Who hung up by himself, before which line: the log tells it after its consequences."""
    found: dict[int, list[LogRow]] = {}
    for number, row in enumerate(rows):
        if row.event != "HANGUP" or row.extra.get("hangupsource") != row.channel:
            continue
        place = number
        for back in range(number - 1, -1, -1):
            before = rows[back]
            if row.at - before.at > _TAIL:
                break
            if before.uniqueid == row.uniqueid:
                if before.event not in _TAIL_EVENTS:
                    break
                place = back
        found.setdefault(place, []).append(row)
    return found


def _translated(row: LogRow, named: Mapping[str, str]) -> Iterable[LoggedEvent]:
    match row.event:
        case "CHAN_START":
            came_in = row.uniqueid == row.linkedid and row.exten not in ("", "s")
            yield _made("Newchannel", row, row.at, ChannelState="4" if came_in else "0")
            if row.uniqueid != row.linkedid:
                yield _dialled(row, named.get(row.linkedid, ""))
        case "ANSWER":
            if row.number:
                yield _made("NewCallerid", row, row.at)
            yield _made("Newstate", row, row.at, ChannelState="6")
        case "APP_START" if row.application == "Queue":
            yield _made("QueueCallerJoin", row, row.at, Queue=row.data.partition(",")[0])
        case "APP_END" if row.application == "Queue":
            yield _made("QueueCallerLeave", row, row.at)
        case "APP_START" if row.application == "UserEvent":
            name, *parts = row.data.split(",")
            yield _made("UserEvent", row, row.at, UserEvent=name, **_headers(parts))
        case "BRIDGE_ENTER" | "BRIDGE_EXIT":
            name = "BridgeEnter" if row.event == "BRIDGE_ENTER" else "BridgeLeave"
            yield _made(name, row, row.at, BridgeUniqueid=row.extra.get("bridge_id", ""))
        case "BLINDTRANSFER":
            yield _made(
                "BlindTransfer",
                row,
                row.at,
                TransfererUniqueid=row.uniqueid,
                Result="Success",
                Extension=row.extra.get("extension", ""),
            )
        case "ATTENDEDTRANSFER":
            yield _made(
                "AttendedTransfer",
                row,
                row.at,
                OrigTransfererUniqueid=row.uniqueid,
                SecondTransfererUniqueid=row.extra.get("channel2_uniqueid", ""),
                Result="Success",
            )
        case "HANGUP":
            yield _made("Hangup", row, row.at, Cause=row.extra.get("hangupcause", ""))
        case _:
            pass


def _headers(parts: Sequence[str]) -> dict[str, str]:
    """What a UserEvent was given, as ``Name: value``."""
    pairs = (part.partition(":") for part in parts)
    return {name.strip(): value.strip() for name, colon, value in pairs if colon and name.strip()}


def _dialled(row: LogRow, call_id: str) -> LoggedEvent:
    """A channel of somebody else's chain was made to ring."""
    headers = {
        "Uniqueid": row.linkedid,
        "Linkedid": row.linkedid,
        "DestUniqueid": row.uniqueid,
        "DestLinkedid": row.linkedid,
        "DestChannel": row.channel,
        "ChanVariable": f"HF_CALL={call_id}",
    }
    return row.at, AmiEvent.of("DialBegin", headers)


def _made(name: str, row: LogRow, at: datetime, **headers: str) -> LoggedEvent:
    common = {
        "Uniqueid": row.uniqueid,
        "Linkedid": row.linkedid,
        "Channel": row.channel,
        "CallerIDNum": row.number,
        "Exten": row.exten,
    }
    if row.call_id:
        common["ChanVariable"] = f"HF_CALL={row.call_id}"
    return at, AmiEvent.of(name, {**common, **headers})
