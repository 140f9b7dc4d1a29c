"""Models of ``/api/v1/said``."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from crm.domain.search_text import MAX_QUERY
from web.api.v1.schemas import AskedTime, Call, Name, Out, Query
from web.api.v1.search_schemas import ShownText


class SaidQuery(Query):
    """Which words, said by whom and when."""

    q: Annotated[str, Field(min_length=2, max_length=MAX_QUERY)] = Field(
        description="Words of at least two characters, all of which were said in the call: any part of "
        "Chinese text, the beginning of words and numbers.",
    )
    speaker: Literal["customer", "agent"] | None = Field(None, description="Who said all of them.")
    since: AskedTime | None = Field(None, description="In calls that started then or later.")
    until: AskedTime | None = Field(None, description="In calls that started before then.")
    agent: Name | None = Field(None, description="Number of an agent who talked in the call.")
    queue: Name | None = Field(None, description="Name of the queue.")
    campaign_id: Name | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Calls on a page.")
    cursor: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="`next_cursor` of the page before."
    )

    @field_validator("until")
    @classmethod
    def _after_since(cls, until: AskedTime | None, info: ValidationInfo) -> AskedTime | None:
        since = info.data.get("since")
        if until is not None and since is not None and until <= since:
            raise ValueError("must be later than since")
        return until


class SaidSentence(Out):
    """A sentence as people read it; `at` is where the words are in the recording, in seconds."""

    segment_id: str
    speaker: Literal["customer", "agent"]
    at: float
    text: ShownText


class SaidCall(Out):
    """A call in which the words were said."""

    call: Call
    lines: tuple[SaidSentence, ...] = Field(description="The first of them.")
    more: int = Field(description="How many more there are in the call.")


class SaidResults(Out):
    """A page of calls, newest first. It may be shorter than asked, or empty, and yet have a next one."""

    items: tuple[SaidCall, ...]
    next_cursor: str | None
