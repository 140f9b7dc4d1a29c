"""Models of talks: the questions of a callback, and what was answered."""

from datetime import date, time
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from callback_campaigns.domain.planning import NextAction, NextSetting
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import CallbackType, Channel, Verdict
from callback_campaigns.talk_rows import MAX_DEPARTMENTS, MAX_REASON, MAX_TEXT
from web.api.v1.schemas import AskedTime, Out, SiteTime

Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=26)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CallbackCallIn(_In):
    """A call that an agent asks for."""

    number: Annotated[str, StringConstraints(max_length=32)] | None = Field(
        None, description="Which of the customer's numbers; by default where they are reached best."
    )
    campaign_id: Key | None = Field(
        None,
        description="Of a running campaign of the mode `preview`; by default the one that works on the task.",
    )


class PlacedCall(Out):
    """A call that is being placed: the agent's telephone rings first."""

    attempt_id: str = Field(description="Also the id of the call.")
    number: str = Field(description="Masked.")
    began_at: SiteTime


class TalkIn(_In):
    """A talk that begins."""

    attempt_id: Key | None = Field(None, description="Of the call; without one there was no call of ours.")


class TalkAnswerIn(_In):
    """What was answered to one question."""

    values: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)] = ""
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    departments: Annotated[tuple[Code, ...], Field(max_length=MAX_DEPARTMENTS)] = ()


class TalkEndIn(_In):
    """How a talk ended."""

    how: TalkEnding
    appointed: AskedTime | None = Field(None, description="When the customer wants to be called.")
    heard_at: AskedTime | None = Field(None, description="When they said it, if it is written down later.")
    explanation: Annotated[str, StringConstraints(max_length=MAX_TEXT)] = ""
    next_action: NextAction | None = Field(
        None, description="Decides about the next callback: `set` (type and day), `repeat` (day), or `none`."
    )
    next_kind: CallbackType | None = None
    next_on: date | None = Field(None, description="The site's day of the next callback.")
    preferred_from: time | None = Field(
        None, description="From when the customer likes to be called, where that is asked; kept with them."
    )
    preferred_until: time | None = None

    @property
    def setting(self) -> NextSetting | None:
        """What was decided about the next callback; ``None`` where nothing was said of it."""
        if self.next_action is None:
            return None
        return NextSetting(action=self.next_action, kind=self.next_kind, on=self.next_on)


class ItemAnswerOut(Out):
    """An answer."""

    item: str
    values: tuple[str, ...]
    text: str
    reason: str
    departments: tuple[str, ...]
    bad: bool


class VoiceOut(Out):
    """What the customer said after the tone; `GET /callback-voices/{voice_id}` plays it."""

    voice_id: str
    item: str = Field(description="The question; `mail` for a person who was not there, empty for none.")
    seconds: float
    at: SiteTime
    text: str = Field(description="What is said in it, once it was recognised; empty until then.")


class TalkOut(Out):
    """A talk: what is asked now, and what was answered so far."""

    talk_id: str
    task_id: str
    attempt_id: str | None
    channel: Channel
    questionnaire: str = Field(description="Code and number of the version, such as `KG/2`.")
    items: tuple[str, ...] = Field(description="What is asked, in order, as the answers so far have it.")
    next_item: str | None
    answers: tuple[ItemAnswerOut, ...]
    skipped: tuple[str, ...]
    voices: tuple[VoiceOut, ...]
    opened_at: SiteTime
    by: str
    ended: TalkEnding | None
    ended_at: SiteTime | None
    verdict: Verdict | None
    score: int | None
    next_action: NextAction | None
    next_task_id: str | None
    late: bool = Field(description="Written down on a later day than it was heard.")
