"""The models of the figures about complaints and repairs."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from crm.domain.case_figures import FigureCode, Unit
from web.api.v1.complaints_schemas import Code
from web.api.v1.schemas import AskedTime, Out, Query, Seconds, SiteTime

Number = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]


class CaseFiguresQuery(Query):
    """Which records: by the event that each figure names."""

    since: AskedTime = Field(description="Happened then or later.")
    until: AskedTime = Field(description="Happened before then; at most 400 days later.")
    store: Annotated[str, Field(min_length=1, max_length=60)] | None = Field(
        None, description="Name of the store as it was recorded."
    )
    department: Code | None = Field(None, description="Cases it has a part in; lines and limits of its own.")


class CrewRepairsOut(Out):
    """A crew's repairs of a period."""

    crew_id: str | None = Field(description="Of the crew that built the home, where it is known.")
    crew: str
    repairs: int
    normal: int = Field(description="Whose cost is computed, without material.")
    abnormal: int = Field(description="Whose cost is computed, with material.")
    cost: Number
    repeats: int = Field(description="The same place of the same home within 90 days.")


class CrewRepairsList(Out):
    """The crews, those with most repairs first."""

    items: tuple[CrewRepairsOut, ...]


class FigureOut(Out):
    """A figure and what it was made of."""

    code: FigureCode
    unit: Unit
    numerator: Number
    denominator: Number
    value: Number | None = Field(description="`null` when the denominator is nothing; shown as «–».")
    whole_company: bool = Field(description="It is of the whole company, whatever was asked about.")


class SpreadOut(Out):
    """How long something took; `null` of nothing."""

    code: str
    count: int
    mean_seconds: Seconds | None
    median_seconds: Seconds | None
    p90_seconds: Seconds | None


class CaseFiguresOut(Out):
    """All figures of a period."""

    since: SiteTime
    until: SiteTime
    store: str | None
    department: str | None
    as_of: SiteTime
    figures: tuple[FigureOut, ...]
    responses: tuple[SpreadOut, ...] = Field(
        description="`accept`: from the hand-off to the receipt; `verify`: from there to the call."
    )
