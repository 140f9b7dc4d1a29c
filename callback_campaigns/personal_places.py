"""What the tables of callbacks hold of people, and what they do not (:mod:`kernel.personal`)."""

from typing import Any

import callback_campaigns.campaign_tables
import callback_campaigns.questionnaire_tables
import callback_campaigns.queue_place_tables
import callback_campaigns.talk_tables
import callback_campaigns.task_tables  # noqa: F401 - whoever empties them needs them mapped
from kernel.personal import Owned, Personal, Place, Record


def _task(table: str, *columns: str, **more: Any) -> Place:
    return Place(table=table, columns=columns, of=Record.CALLBACK, by="task_id", keeps="CALLBACK", **more)


PERSONAL = Personal(
    places=(
        _task("callback_talk", "explanation"),
        _task("callback_answer", "text", "reason", "note"),
        _task("callback_voice", "transcript", "said_first", "said_raw", "topics", "note"),
        _task("callback_invalid_attempt", "remark"),
        _task("callback_task_step", "detail", emptied={"detail": {}}),
        _task("dial_attempt", "number", "heard"),
        Place(
            table="dial_attempt",
            columns=("number", "heard"),
            of=Record.CUSTOMER,
            by="customer_id",
            keeps="CALLBACK",
        ),
        Place(
            table="dial_attempt",
            columns=("number", "heard"),
            of=Record.NUMBER,
            by="number",
            keeps="CALLBACK",
        ),
        Place(table="dial_attempt", columns=("number", "heard"), of=Record.CASE, by="case_id", keeps="CASE"),
        Place(
            table="queue_place",
            columns=("number", "open_number"),
            of=Record.CALL,
            by="call_id",
            keeps="ROUTINE",
            rows=True,
        ),
        Place(
            table="queue_place",
            columns=("number", "open_number"),
            of=Record.CUSTOMER,
            by="customer_id",
            keeps="ROUTINE",
            rows=True,
        ),
        Place(
            table="queue_place",
            columns=("number", "open_number"),
            of=Record.NUMBER,
            by="number",
            keeps="ROUTINE",
            rows=True,
        ),
        Place(table="callback_stop", columns=("reason",), of=Record.PROJECT, by="project_id", keeps="CASE"),
        Place(
            table="callback_gate_override",
            columns=("reason",),
            of=Record.PROJECT,
            by="project_id",
            keeps="CASE",
        ),
    ),
    owned=(
        Owned(Record.CALLBACK, "callback_task", "id"),
        Owned(Record.CALLBACK, "callback_talk", "task_id"),
        Owned(Record.CALL, "dial_attempt", "id"),
    ),
    innocent={
        "how a task or a talk stands, and the figures of its answers": (
            *("callback_task.*", "callback_task_step.step", "callback_task_step.status_was"),
            *("callback_talk.began_channel", "callback_talk.skipped", "callback_talk.ending"),
            "callback_talk.next_action",
            *("callback_talk_set.carried", "callback_talk_set.facts", "callback_answer.item_id"),
            *("callback_answer.choices", "callback_answer.value", "callback_answer.measure"),
            *("callback_answer.rated", "callback_answer.replaced_why", "callback_voice.item_id"),
            *(
                "callback_invalid_attempt.outcome",
                "callback_invalid_attempt.agent",
                "dial_attempt.channel_id",
            ),
            *("dial_attempt.trunk", "dial_attempt.carrier", "dial_attempt.agent", "dial_attempt.outcome"),
            "dial_attempt.heard_as",
            *("dial_refusal.*", "callback_form.token_hash", "callback_talk_set.decided_by"),
            "callback_gate_override.gate",
            *("callback_voice.text_state", "callback_voice.text_model", "callback_voice.opinion"),
        ),
        "how a kept place in a queue stands": (
            *("queue_place.queue", "queue_place.language", "queue_place.state"),
            *("queue_place.agent_number", "queue_place.ended_by"),
        ),
        "names the file by talk and question; the file itself goes": ("callback_voice.path",),
        "what the centre asks and how it dials": ("campaign.*", "questionnaire*", "regular_report.*"),
    },
)
