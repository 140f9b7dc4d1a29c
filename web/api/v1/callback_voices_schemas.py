"""Models of what customers said in their own words."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from callback_campaigns.answer_review import MAX_WORDS
from callback_campaigns.answer_said import Heard
from crm.domain.spoken import MAX_SAID, Opinion, TextProgress
from web.api.v1.schemas import Out, Query, SiteTime

Key = Annotated[str, StringConstraints(min_length=1, max_length=26)]
Words = Annotated[str, StringConstraints(max_length=MAX_WORDS)]


class CallbackVoicesQuery(Query):
    """Which of them, the newest first."""

    written: bool = Field(False, description="Answers in writing instead of recordings.")
    heard: Heard = Heard.ALL
    store_id: Key | None = None
    class_code: int | None = Field(
        None, ge=-1, le=10, description="0 for no complaint in it, -1 for those nobody has classified."
    )
    opinion: Opinion | None = Field(
        None, description="Of recordings: what the rules make of them; `unclear` need a person."
    )
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    limit: int = Field(50, ge=1, le=100)


class SaidCase(Out):
    """A problem ticket that was opened for what was said."""

    case_id: str
    no: str


class SaidTranscript(Out):
    """The text of a recording, and what it comes to by the rules: never a person's word."""

    state: TextProgress = Field(description="Empty where nobody listens.")
    first: str = Field(description="As it was recognised, where somebody has put it right.")
    corrected_at: SiteTime | None
    corrected_by: str
    opinion: Opinion | None
    sure: float = Field(description="0 to 1; below 0.7 a person listens.")
    topics: tuple[str, ...]


class SaidOut(Out):
    """What a customer said: a recording, which `GET /callback-voices/{voice_id}` plays, or an answer."""

    said_id: str
    at: SiteTime
    task_id: str
    customer_id: str
    customer: str
    asked: str = Field(description="The question; empty for a message to none.")
    text: str
    seconds: float | None = Field(description="Of a recording; `null` for what was written.")
    heard_at: SiteTime | None
    heard_by: str | None
    class_code: int | None = Field(
        description="1 workmanship … 10 contract (domain.md §4.3), 0 for no complaint in it."
    )
    classed_at: SiteTime | None = Field(description="`null` of a class that a machine guessed.")
    classed_by: str | None
    note: str = Field(description="Why it was classified anew.")
    cases: tuple[SaidCase, ...]
    transcript: SaidTranscript | None = Field(description="Of a recording.")
    version: int


class SaidList(Out):
    """A page, and how many the filter finds whether they were heard or not."""

    items: tuple[SaidOut, ...]
    unheard: int
    heard: int
    next_cursor: str | None


class SaidTextIn(BaseModel):
    """What was really said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SAID)]


class SaidClassIn(BaseModel):
    """What somebody says of what they heard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_code: int = Field(ge=0, le=10, description="0 for no complaint in it.")
    why: Words = Field("", description="Needed where it was of another class before.")
    department: Key | None = Field(None, description="Opens a problem ticket there.")
    words: Words = Field("", description="What the customer said; needed for a ticket.")
