"""Models of questionnaires."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from callback_campaigns.domain.questionnaire import Do
from callback_campaigns.domain.questionnaire_yaml import MAX_TEXT
from callback_campaigns.domain.terms import Channel, Verdict
from crm.domain.customer import Level
from web.api.v1.schemas import Out, SiteTime

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, description="The questionnaire as YAML.")]
Code = Annotated[str, Field(min_length=1, max_length=40)]


class QuestionnaireBody(BaseModel):
    """Base of bodies: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemOut(Out):
    """One mistake."""

    line: int = Field(description="From 1; 0 where it has none.")
    item: str = Field(description="The item at fault; empty for the whole.")
    message: str
    code: str = Field(description="Stable word for the commonest mistakes; else empty.")
    values: tuple[str, ...]


class QuestionnaireOut(Out):
    """A questionnaire: what is asked now, and the draft of the next version."""

    code: str
    title: str
    published: int = Field(description="Number of the version that is asked; 0 before the first.")
    published_at: SiteTime | None
    published_by: str
    text: str = Field(description="YAML of that version.")
    draft: str | None = Field(description="YAML of the draft.")
    draft_at: SiteTime | None
    draft_by: str
    problems: tuple[ProblemOut, ...] = Field(description="What is wrong with the draft.")
    version: int


class QuestionnaireList(Out):
    """All questionnaires."""

    items: tuple[QuestionnaireOut, ...]


class QuestionnaireVersionOut(Out):
    """A questionnaire as it was published once. It never changes."""

    code: str
    number: int
    title: str
    text: str
    why: str
    published_at: SiteTime
    published_by: str


class QuestionnaireVersions(Out):
    """All that was ever published, newest first."""

    items: tuple[QuestionnaireVersionOut, ...]


class QuestionnaireTextIn(QuestionnaireBody):
    """A questionnaire as somebody writes it."""

    text: Text


class QuestionnairePublishIn(QuestionnaireBody):
    """Why it is asked otherwise from now on."""

    why: Annotated[str, Field(min_length=1, max_length=200)]


class QuestionnaireProblems(Out):
    """What is wrong with a text; nothing if it may be published."""

    problems: tuple[ProblemOut, ...]


class CircumstancesIn(QuestionnaireBody):
    """Of whom it is asked, by what, and what is known beforehand."""

    level: Level = Level.B
    channel: Channel = Channel.IVR
    number: int | None = Field(None, ge=1, description="Of the version; the one that is asked unless given.")
    facts: dict[Code, Annotated[str, Field(max_length=40)] | int | bool] = Field(
        default_factory=dict,
        max_length=20,
        description="Such as `earlier_ticket`, `days_since_start`, `plan_point`, `severity`.",
    )


class SpokenOut(Out):
    """One prompt."""

    part: str = Field(description="`opening`, `item`, `message` or `closing`.")
    item_id: str
    text: str
    keys: tuple[tuple[str, str], ...] = Field(description="Pairs of key and meaning.")
    decisive: bool
    seconds: int


class PreviewOut(Out):
    """What a customer hears or reads, in order."""

    code: str
    number: int
    items: tuple[SpokenOut, ...]


class ItemAnswerIn(QuestionnaireBody):
    """What was answered to one item."""

    values: tuple[Code, ...] = Field((), max_length=20)
    text: str = Field("", max_length=2000)
    reason: str = Field("", max_length=2000)
    departments: tuple[Code, ...] = Field((), max_length=8)
    voice: str = Field("", max_length=64)


class EvaluateIn(CircumstancesIn):
    """Answers by item."""

    answers: dict[Code, ItemAnswerIn] = Field(max_length=60)


class FindingOut(Out):
    """One answered item."""

    item_id: str
    values: tuple[str, ...]
    score: int | None
    bad: bool
    neutral: bool
    decisive: bool


class TicketToOpen(Out):
    """A ticket that these answers open."""

    items: tuple[str, ...]
    departments: tuple[str, ...]
    severity: int
    care: bool
    confidential: bool
    listen_first: bool
    head_calls: bool


class EffectOut(Out):
    """Something else that an answer sets going."""

    item_id: str
    do: Do
    to: tuple[str, ...]
    within: str
    detail: str
    severity: int
    value: str


class JudgementOut(Out):
    """What the answers come to. Nothing is stored by asking."""

    verdict: Verdict | None
    score: Decimal | None
    decided_by: tuple[str, ...]
    departments: tuple[str, ...]
    findings: tuple[FindingOut, ...]
    tickets: tuple[TicketToOpen, ...]
    effects: tuple[EffectOut, ...]
    completeness: int
    whole: bool
    kept: bool
