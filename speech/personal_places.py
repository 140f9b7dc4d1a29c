"""What the tables of speech hold of people (:mod:`kernel.personal`)."""

import speech.after_tables
import speech.clip_tables
import speech.masking_tables
import speech.tables  # noqa: F401 - whoever empties them needs them mapped
from kernel.personal import Personal, Place, Record

PERSONAL = Personal(
    places=(
        Place(
            table="transcript_segment",
            columns=("raw", "text", "words", "corrected"),
            of=Record.CALL,
            by="call_id",
            keeps="ROUTINE",
            rows=True,
        ),
        Place(
            table="transcript_correction",
            columns=("before", "after"),
            of=Record.CALL,
            by="call_id",
            keeps="ROUTINE",
            rows=True,
        ),
        # A recogniser that is still at it finds its row gone, and keeps nothing.
        Place(
            table="transcript_job",
            columns=("reason",),
            of=Record.CALL,
            by="call_id",
            keeps="ROUTINE",
            rows=True,
        ),
    ),
    innocent={
        "how a text was made, not what it says": (
            *("transcript_segment.speaker", "transcript_segment.agent_number", "transcript_segment.engine"),
            *("transcript_segment.model", "transcript_segment.source", "transcript_segment.gap"),
            *("transcript_job.state", "transcript_job.language", "transcript_job.agent_number"),
            "transcript_correction.by",
            *("transcript_job.claimed_by", "said_job.claimed_by"),
            *("mask_job.claimed_by", "speech_silence.speaker", "speech_silence.kind"),
            *("clip_job.language", "clip_job.path", "clip_job.reason", "clip_job.claimed_by"),
        ),
    },
)
