"""Models of ``/api/v1/calls/{call_id}/transcript`` and ``/transcripts/progress``."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from speech.after_work import TextJob
from web.api.v1.people_schemas import Body
from web.api.v1.schemas import Out, Query, SiteTime

Speaker = Literal["customer", "agent"]
JobStateName = Literal["waiting", "done", "nothing", "failed"]


class TranscriptSegment(Out):
    """What one speaker said, or that something is missing here (``gap``); seconds since the call began."""

    segment_id: str
    speaker: Speaker
    agent_number: str | None
    start: float
    end: float
    shown: str = Field(description="What a reader sees: the correction, if there is one.")
    text: str = Field(description="What the recogniser wrote, made fit to read.")
    raw: str = Field(description="What the recogniser wrote.")
    words: tuple[dict[str, Any], ...] = Field(description="`text`, `start`, `end`, `confidence` (or `null`).")
    engine: str
    model: str
    source: Literal["live", "after"]
    gap: str | None = Field(description="Why sound is missing; `null` for text.")
    version: int


class TranscriptOut(Out):
    """What was said in a call."""

    call_id: str
    state: JobStateName | None = Field(
        description="Of the text from the recording; `null` if none is wanted."
    )
    reason: str = Field(description="Code of what it waits or failed for.")
    segments: tuple[TranscriptSegment, ...]


class TranscriptCorrectionIn(Body):
    """What was really said."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


class TranscriptWork(Out):
    """A call that is listened to at the moment."""

    call_id: str
    audio_seconds: float | None
    heard_seconds: float


class TranscriptProgress(Out):
    """How far text after the calls is."""

    waiting: int
    working: tuple[TranscriptWork, ...]
    oldest_at: datetime | None = Field(description="Since when the one waits that has waited longest.")
    reason: str = Field(description="Why nothing moves; empty if it does.")
    done: int = Field(description="Since the site's midnight.")
    failed: int


class TextJobsQuery(Query):
    """Which calls to list."""

    state: JobStateName = "failed"
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class TextJobOut(Out):
    """A call of which text is wanted."""

    call_id: str
    state: JobStateName
    priority: Literal["complaint", "callback", "other"]
    reason: str = Field(description="Code of what it waits or failed for.")
    audio_seconds: float | None
    heard_seconds: float
    call_at: SiteTime
    created_at: SiteTime
    due_at: SiteTime | None = Field(description="When it is tried, if it waits.")
    finished_at: SiteTime | None
    tries: int


class TextJobList(Out):
    """A page of calls."""

    items: tuple[TextJobOut, ...]
    next_cursor: str | None


def text_job_out(job: TextJob) -> TextJobOut:
    """Return a call as the API shows it."""
    view = job.view
    return TextJobOut.model_validate(
        {
            "call_id": view.call_id,
            "state": view.state.value,
            "priority": view.priority.name.lower(),
            "reason": view.reason,
            "audio_seconds": view.audio_seconds,
            "heard_seconds": view.heard_seconds,
            "call_at": job.call_at,
            "created_at": view.created_at,
            "due_at": job.due_at,
            "finished_at": job.finished_at,
            "tries": job.tries,
        }
    )
