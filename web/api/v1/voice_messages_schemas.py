"""Models of messages that callers left."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from crm.domain.spoken import MAX_SAID, TextProgress
from crm.domain.voicemail import Route
from web.api.v1.schemas import Out, Query, SiteTime


class VoiceMessagesQuery(Query):
    """Which of them, the newest first."""

    route: Route | None = Field(None, description="Whose they are, by what was said.")
    unheard: bool = Field(False, description="Only those that nobody has listened to.")
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    limit: int = Field(50, ge=1, le=100)


class VoiceMessageOut(Out):
    """A message; `GET /voice-messages/{message_id}/audio` plays it."""

    message_id: str
    request_id: str | None = Field(description="The wish to be called back that it belongs to.")
    call_id: str
    at: SiteTime
    seconds: float
    route: Route | None = Field(description="`null` until it is text.")
    urgent: bool = Field(description="It speaks of danger by water, electricity or gas.")
    hidden: bool = Field(description="About integrity: its text and sound are for the managers.")
    text_state: TextProgress = Field(description="Empty where nobody listens.")
    text: str
    first: str = Field(description="As it was recognised, where somebody has put it right.")
    corrected_by: str
    heard_at: SiteTime | None
    heard_by: str
    version: int


class VoiceMessageList(Out):
    """A page."""

    items: tuple[VoiceMessageOut, ...]
    next_cursor: str | None


class VoiceMessageTextIn(BaseModel):
    """What was really said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SAID)]
