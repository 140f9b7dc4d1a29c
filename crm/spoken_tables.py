"""Columns of recordings that text is made of."""

from datetime import datetime

from sqlalchemy import Float, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.domain.spoken import Opinion, Spoken, TextProgress, Transcript
from kernel.db import UtcDateTime

BETWEEN = "、"


class SpokenColumns:
    """What somebody said, as text.

    Attributes:
        transcript: as it holds; ``said_first`` as it was recognised, fit to read; ``said_raw`` untouched.
        text_state: a :class:`crm.domain.spoken.TextProgress`.
        opinion, opinion_sure: what it comes to by the rules.
        topics: what speaks for that, a few words.
    """

    transcript: Mapped[str] = mapped_column(Text, default="", server_default="")
    said_first: Mapped[str] = mapped_column(Text, default="", server_default="")
    said_raw: Mapped[str] = mapped_column(Text, default="", server_default="")
    text_state: Mapped[str] = mapped_column(String(8), default="", server_default="")
    text_model: Mapped[str] = mapped_column(String(60), default="", server_default="")
    opinion: Mapped[str | None] = mapped_column(String(12))
    opinion_sure: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    opinion_severity: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    topics: Mapped[str] = mapped_column(String(120), default="", server_default="")
    corrected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    corrected_by: Mapped[str | None] = mapped_column(String(80))


def write_spoken(row: SpokenColumns, spoken: Spoken) -> None:
    """Write down what a recogniser made of a recording; a text that a person wrote there stays."""
    row.text_state = spoken.state.value
    row.said_raw, row.said_first, row.text_model = spoken.raw, spoken.text, spoken.model[:60]
    if row.corrected_at is None:
        row.transcript = spoken.text
    row.opinion = spoken.opinion.value if spoken.opinion is not None else None
    row.opinion_sure, row.opinion_severity = spoken.sure, spoken.severity
    row.topics = BETWEEN.join(topic[:20] for topic in spoken.topics[:5])


def to_transcript(row: SpokenColumns) -> Transcript:
    """Return the text of a recording."""
    return Transcript(
        state=TextProgress(row.text_state),
        text=row.transcript,
        first=row.said_first if row.corrected_at is not None else "",
        corrected_by=row.corrected_by or "",
        corrected_at=row.corrected_at,
        opinion=Opinion(row.opinion) if row.opinion else None,
        sure=row.opinion_sure,
        topics=tuple(topic for topic in row.topics.split(BETWEEN) if topic),
    )
