"""Tells pages with lists which list changed; they read themselves again, with their own permissions."""

import asyncio
from collections.abc import Mapping

from kernel.bus import Bus, Lagged
from kernel.list_watch import MOST_KEYS, ListChanged
from speech.events import TranscriptCorrected, TranscriptMade
from web.live_hub import LiveHub

KIND = "list"
EVENT = "list"
GATHER_SECONDS = 0.3
"""Much changes in a moment during a call; pages are told once."""

CALL_TEXT = "call-text"
"""What was said in a call, on its page; the keys are calls."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "people": ("customer", "customer_phone", "customer_merge", "customer_consent"),
    "freezes": ("customer_freeze",),
    "do-not-call": ("do_not_call_entry", "do_not_call_number"),
    "data-requests": ("data_request",),
    "organisation": ("store", "department", "crew", "staff"),
    "projects": (
        *("project", "stage_event", "project_suspension", "project_payment", "warranty", "warranty_item"),
    ),
    "contacts": ("contact", "call_note"),
    "callbacks": ("callback_request", "voice_message"),
    "queue-places": ("queue_place",),
    "queues": ("queue", "queue_member", "agent"),
    "callback-tasks": ("callback_task",),
    "callback-voices": ("callback_voice", "callback_answer"),
    "calls": ("call",),
    "said": ("said_call",),
    "transcripts": ("transcript_job",),
    CALL_TEXT: (),
    "follow-ups": ("case_follow_up",),
    "forwarded": ("source_reply",),
    "points": (
        *("repair_point", "part_issue", "monthly_repair_account", "quality_feedback", "repair_point_visit"),
        *("repair_point_file", "repair_point_job"),
    ),
    "costs": ("repair_cost", "deposit_posting", "crew_receivable"),
    "appraisals": ("appraisal_proposal",),
    "alert-rules": ("alert_rule",),
    "heaps": ("cause_cluster",),
    "improvements": ("improvement_measure", "improvement_step", "improvement_file"),
    "voices": ("customer_voice",),
    "reports": ("regular_report",),
    "deposits": ("deposit_rule", "deposit_share"),
    "materials": ("material",),
    "duty": ("duty_shift", "duty_entry", "patrol"),
    "knowledge": ("knowledge_article", "knowledge_version"),
    "campaigns": ("campaign", "dial_attempt", "dial_refusal"),
    "campaign-lists": ("import_job",),
    "questionnaires": ("questionnaire", "questionnaire_version"),
    "speech-rules": ("speech_rule_set", "speech_rule_version", "speech_phrase"),
    "suggestions": (),
    "routing": ("ivr_routing_rule",),
    "quality-form": ("quality_form",),
    "quality": ("quality_review", "quality_calibration"),
    "flows": ("ivr_flow_version", "ivr_active_flow"),
    "line-messages": ("ivr_line_message",),
    "wall-screens": ("wall_screen",),
    "board-limits": ("board_limit",),
    "dispositions": ("disposition",),
    "pause-reasons": ("pause_reason",),
    "messages": ("outgoing_message",),
    "listenings": ("listening",),
    "users": ("user_account",),
    "agent-messages": ("agent_message", "agent_message_receipt"),
}
"""What a page names in ``data-live-list`` → the tables whose rows it shows."""


def topic_of(name: str) -> str:
    """Return the live topic of a list."""
    return f"{KIND}:{name}"


class ListFeed:
    """One task for all pages with lists. Frames hold a list's name and ids, and nothing else."""

    def __init__(self, *, bus: Bus, hub: LiveHub) -> None:
        self._bus = bus
        self._hub = hub
        hub.provide(KIND, self.snapshot)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that makes a page read itself again: it cannot know what it missed."""
        return [(EVENT, {"name": topic.partition(":")[2], "keys": []})]

    async def run(self) -> None:
        """Push until cancelled."""
        told = (ListChanged, TranscriptMade, TranscriptCorrected)
        async with self._bus.subscribe(*told, name="list_feed", maxsize=2000) as changes:
            async for first in changes:
                await asyncio.sleep(GATHER_SECONDS)
                gathered = [first, *changes.waiting()]
                if any(isinstance(item, Lagged) for item in gathered):
                    self._hub.resync(KIND)
                    continue
                by_name: dict[str, set[str]] = {}
                for item in gathered:
                    if isinstance(item, TranscriptMade | TranscriptCorrected):
                        by_name.setdefault(CALL_TEXT, set()).add(item.call_id)
                    elif isinstance(item, ListChanged):
                        by_name.setdefault(item.name, set()).update(item.keys or ("",))
                for name, keys in by_name.items():
                    few = [] if "" in keys or len(keys) > MOST_KEYS else sorted(keys)
                    self._hub.publish(topic_of(name), EVENT, {"name": name, "keys": few})
