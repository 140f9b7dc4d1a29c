"""Models of what is listened for, and of what it proposes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from speech.rule_book import MAX_TEXT
from speech.rules.finder import MAX_TEXT as MAX_SENTENCE
from speech.rules.findings import RuleKind, Speaker
from speech.rules.suggest import Form, Mode
from web.api.v1.schemas import Out, Query, SiteTime


class SpeechBody(BaseModel):
    """Base of bodies: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SpeechRulesOut(Out):
    """The rules in force, and the draft of the next version."""

    language: str
    published: int = Field(description="Number of the version in force.")
    published_at: SiteTime | None
    published_by: str
    text: str = Field(description="YAML of that version.")
    draft: str | None = Field(description="YAML of the draft.")
    draft_at: SiteTime | None
    draft_by: str
    problems: tuple[str, ...] = Field(description="What is wrong with the draft.")
    version: int


class SpeechRulesVersionOut(Out):
    """The rules as they were published once. They never change."""

    number: int
    text: str
    why: str
    published_at: SiteTime
    published_by: str


class SpeechRulesVersions(Out):
    """All that was ever published, newest first."""

    items: tuple[SpeechRulesVersionOut, ...]


class SpeechRulesTextIn(SpeechBody):
    """Rules as somebody writes them."""

    text: str = Field(min_length=1, max_length=MAX_TEXT, description="The rules as YAML.")


class SpeechRulesPublishIn(SpeechBody):
    """Why they are changed."""

    why: str = Field(min_length=1, max_length=200)


class SentenceIn(SpeechBody):
    """A sentence to look at."""

    text: str = Field(min_length=1, max_length=MAX_SENTENCE)
    speaker: Speaker = Speaker.CUSTOMER
    draft: bool = Field(False, description="With the rules of the draft, if there is one without mistakes.")


class WhenOut(Out):
    """A time that was said."""

    since: SiteTime
    until: SiteTime
    exact: bool = Field(description="An hour was said.")


class FindingOut(Out):
    """One thing found."""

    rule: str
    kind: RuleKind
    value: str
    label: str
    start: int = Field(description="Where it stands in `text`, in characters.")
    end: int
    confidence: float
    speaker: Speaker
    when: WhenOut | None


class SentenceOut(Out):
    """What a sentence reads like, and what is found in it."""

    text: str = Field(description="Fit to read; identity and bank cards are hidden.")
    items: tuple[FindingOut, ...]


class SpeechPhraseIn(SpeechBody):
    """A word of the company's own."""

    text: str = Field(min_length=2, max_length=40)
    language: Annotated[str, Field(pattern="^(zh|en)$")] = "zh"


class SpeechPhraseOut(Out):
    """A word that was added by hand."""

    phrase_id: str
    language: str
    text: str
    added_at: SiteTime
    added_by: str


class SpeechPhraseList(Out):
    """All words added by hand."""

    items: tuple[SpeechPhraseOut, ...]


class SuggestionsQuery(Query):
    """For which form."""

    form: Form = Form.COMPLAINT


class BecauseOut(Out):
    """The words a proposal comes from."""

    segment: str
    speaker: Speaker
    text: str
    start: int
    end: int


class SuggestionOut(Out):
    """A proposal for one field of a form. Nothing is filled in by itself."""

    field: str = Field(description="Name of the field of the form, such as `lines.0.kind`.")
    value: str
    label: str
    mode: Mode = Field(description="`set`: unless somebody chose already; `add`: behind what stands there.")
    because: BecauseOut
    confidence: float
    rules: tuple[str, ...]


class SuggestionList(Out):
    """What a form might hold, from what was said in the call so far."""

    items: tuple[SuggestionOut, ...]
    topics: tuple[str, ...] = Field(
        description="Classes of complaints that are spoken of, the clearest first."
    )
