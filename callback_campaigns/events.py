"""Facts about callbacks: what a step of a task sets going, and what talks with customers came to."""

from datetime import datetime

from kernel.events import Event, event


@event
class CallbackMoved(Event):
    """A callback task took a step from which something follows outside of it.

    Attributes:
        effects: words of ``callback_campaigns.domain.task.Effect``.
        attempt_id: the call in which it happened.
    """

    task_id: str
    customer_id: str
    project_id: str | None
    kind: str
    level: str
    status: str
    effects: tuple[str, ...]
    attempt_id: str | None


@event
class TalkTicketsWanted(Event):
    """A customer gave a decisive bad answer; the talk goes on."""

    talk_id: str
    item_id: str


@event
class AnswerCorrected(Event):
    """A customer gave a bad answer before, and now another one to the same item."""

    talk_id: str
    task_id: str
    item_id: str


@event
class TalkEnded(Event):
    """A talk with a customer is over.

    Attributes:
        ending: a word of ``callback_campaigns.domain.talk.TalkEnding``.
        task_ids: of every task that was asked about; ``kept_ids`` of those that have a result by it.
        verdict: of the task that the call was about.
    """

    talk_id: str
    customer_id: str
    attempt_id: str | None
    channel: str
    ending: str
    task_ids: tuple[str, ...]
    kept_ids: tuple[str, ...]
    verdict: str | None


@event
class VoiceKept(Event):
    """A customer said something after the tone, and it was recorded.

    Attributes:
        path: below the folder of recorded answers.
        decisive: it says what is wrong, or was said to a question that decides the result.
    """

    voice_id: str
    path: str
    decisive: bool


@event
class VoiceUnderstood(Event):
    """What a customer said after the tone is text, and what it comes to is known."""

    voice_id: str


@event
class CampaignChanged(Event):
    """A campaign was written, started, paused, stopped, or ended; the dialler looks at it again."""

    campaign_id: str
    state: str
    by: str


@event
class CampaignPulse(Event):
    """How a campaign is doing this moment, from the dialler, at most once a second.

    Attributes:
        dialling, talking: its calls that ring, and that a person or the system talks in.
        agents_free: ``None`` without agents.
        lines_used: of its trunk, by everybody.
        abandoned_share: of the live answers in the window that the cap is held in.
        decision: why so many are dialled now, a :class:`callback_campaigns.pacing.Reason` or the code of
            the refusal that holds the campaign back.
        as_of: of which moment the picture is.
    """

    campaign_id: str
    dialling: int
    talking: int
    agents_free: int | None
    lines_used: int
    abandoned_share: float
    cap: float
    decision: str
    as_of: datetime
