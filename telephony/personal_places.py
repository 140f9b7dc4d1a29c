"""What the tables of calls and agents hold of people, and what they do not (:mod:`kernel.personal`)."""

import telephony.agent_message_tables
import telephony.agent_tables
import telephony.board_limit_tables
import telephony.call_quality_tables
import telephony.call_rating_tables
import telephony.day_tables
import telephony.listening_tables
import telephony.quality_tables
import telephony.recording_pause_tables
import telephony.recording_tables
import telephony.tables  # noqa: F401 - whoever empties them needs them mapped
from kernel.personal import Owned, Personal, Place, Record

_SHELF = "telephony.retention.CallShelf.erase"


def _call(table: str, *columns: str, by_hand: str = "") -> Place:
    return Place(table=table, columns=columns, of=Record.CALL, by="call_id", keeps="ROUTINE", by_hand=by_hand)


PERSONAL = Personal(
    places=(
        _call("call", "from_number", "to_number", "from_name", by_hand=_SHELF),
        _call("call_leg", "number", by_hand=_SHELF),
        _call("call_event", "detail", by_hand=_SHELF),
        _call("wrap_up", "notes", "draft_notes"),
        Place(
            table="quality_review",
            columns=("comment", "marks", "dispute", "settle_reason"),
            of=Record.CALL,
            by="call_id",
            keeps="ROUTINE",
            emptied={"marks": []},
        ),
    ),
    owned=(Owned(Record.CALL, "call", "call_id"), Owned(Record.CALL, "wrap_up", "call_id")),
    innocent={
        "how a call went, without whose it was": (
            *("call.agent_number", "call.menu_path", "call.language", "call.hangup_by"),
            *("call.end_reason", "call.resume"),
            *("call_leg.uniqueid", "call_leg.linkedid", "call_leg.agent_number"),
            *("call_leg.resume", "call_event.agent", "ami_epoch.*"),
            *("wrap_up.customer_id", "wrap_up.disposition", "wrap_up.draft_disposition"),
        ),
        "when a recording was paused, by whom of ours and why": ("recording_pause.*",),
        "names of files, made of ids; gone with the call's numbers": ("recording.*", "recording_check.*"),
        "what supervisors told agents, gone after thirty days": (
            *("agent_message.*", "agent_message_receipt.*"),
        ),
        "who of ours listened to which call": ("listening.*",),
        "how a line was, of which of ours": ("call_quality.*",),
        "how a call was for the customer, in keys": ("call_rating.*",),
        "how agents of ours were judged, and by what form": (
            *("quality_form.*", "quality_review.*", "quality_calibration.*"),
        ),
        "counts of a queue's half hours": ("queue_slot.*",),
        "from which on a queue's figure is an alert": ("board_limit.*",),
        "who works here, and their telephones": ("agent.*", "agent_session.*", "agent_state_log.*"),
        "words of the centre's own lists": ("queue.*", "pause_reason.*", "disposition.*"),
    },
)
