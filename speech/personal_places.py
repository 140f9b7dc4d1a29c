"""What the tables of speech hold of people (:mod:`kernel.personal`)."""

import speech.tables  # noqa: F401 - whoever empties them needs them mapped
from kernel.personal import Personal, Place, Record

PERSONAL = Personal(
    places=(
        Place(
            table="transcript_segment",
            columns=("raw", "text", "words"),
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
        ),
    },
)
