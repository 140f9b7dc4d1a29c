"""Models of the search and of customers' time lines."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm.domain.search_text import MAX_QUERY
from crm.search import Kind
from crm.timeline import Channel
from web.api.v1.schemas import Out, Query, SiteTime


class SearchQuery(Query):
    """What to look for."""

    q: Annotated[str, Field(min_length=2, max_length=MAX_QUERY)] = Field(
        description="Words of at least two characters, all of which must be there: any part of Chinese text, "
        "the beginning of words and numbers, pinyin of names, case and contract numbers, a telephone number.",
    )
    kind: Kind | Literal["said"] | None = Field(None, description="Only this kind.")
    limit: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Hits on a page.")
    cursor: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class ShownText(Out):
    """Text with the hits in it."""

    text: str
    marks: tuple[tuple[int, int], ...] = Field(
        description="Start and end of each hit, in characters (Unicode code points)."
    )


class SearchHit(Out):
    """Something that was found."""

    kind: Kind | Literal["said"]
    ref_id: str
    customer_id: str | None
    title: ShownText
    label: ShownText = Field(description="A line about it, such as number and name.")
    snippet: ShownText
    phones: tuple[str, ...] = Field(description="Whole only for those who may see whole numbers.")
    level: Literal[0, 1, 2, 3] = Field(
        description="0: called just so; 1: in title, number or name; 2: elsewhere; 3: said in a call."
    )
    updated_at: SiteTime


class SearchResults(Out):
    """A page of hits: called just so, then title, numbers and names, then the rest; each newest first."""

    items: tuple[SearchHit, ...]
    next_cursor: str | None


class TimelineQuery(Query):
    """Which part of a time line."""

    channel: Channel | None = Field(None, description="Only this channel.")
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="Entries on a page.")
    before: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class TimelineItem(Out):
    """One entry of a time line."""

    entry_id: str
    at: SiteTime
    channel: str
    direction: str
    ref: str
    result: str | None
    agent: str | None
    queue: str | None
    disposition: str | None
    notes: str | None
    detail: dict[str, Any]


class TimelineList(Out):
    """A page of a customer's time line, newest first."""

    items: tuple[TimelineItem, ...]
    next_cursor: str | None
