"""What the dialling of campaigns tells whoever watches."""

from datetime import datetime

from kernel.events import Event, event


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
