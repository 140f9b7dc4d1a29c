"""What the dialler remembers of its campaigns from moment to moment: their pace, and what is told of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from callback_campaigns.attempt_keeper import AttemptKeeper
from callback_campaigns.dial_attempts import to_attempt
from callback_campaigns.dial_outcomes import CallOver, outcome_of
from callback_campaigns.dial_pace import CampaignPace
from callback_campaigns.dial_queries import live_answer
from callback_campaigns.domain.attempt import AT_ONCE, Attempt, AttemptState
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.events import CampaignPulse
from callback_campaigns.exchange import Exchange
from callback_campaigns.task_tables import DialAttemptRow
from crm.office import Office
from kernel.bus import Bus
from kernel.events import Event
from telephony.agent_tables import AgentStateLogRow
from telephony.domain.agent_state import AgentState
from telephony.events import AgentStateChanged, CallAnswered, CallEnded, CallProgressed

PULSE = timedelta(seconds=1)
AGAIN = timedelta(minutes=1)
"""How often it is asked whether a reason that holds a campaign back is to be written down."""
LEARNT_FROM = timedelta(days=1)
MOST = 5_000
MOST_COUNTED = 200_000
LOST = 5.0
"""Seconds after which a dial whose attempt is over has ended, whether or not that was heard."""
HEARD: tuple[type[Event], ...] = (CallProgressed, CallAnswered, CallEnded, AgentStateChanged)
_WRITING = AgentState.WRAP_UP.value
_BUSY = frozenset({AgentState.ON_CALL.value, _WRITING})
_READY = frozenset({AgentState.AVAILABLE.value, AgentState.RINGING.value})


class DialWatch:
    """Keeps a :class:`CampaignPace` for each campaign that runs, and publishes its pulse."""

    def __init__(self, office: Office, exchange: Exchange, keeper: AttemptKeeper, bus: Bus) -> None:
        self._office = office
        self._exchange = exchange
        self._keeper = keeper
        self._bus = bus
        self._paces: dict[str, CampaignPace] = {}
        self._campaign_of: dict[str, str] = {}
        self._answered_at: dict[str, datetime] = {}
        self._missed: dict[str, float] = {}
        self._queue_of: dict[str, str] = {}
        self._agents: dict[str, AgentStateChanged] = {}
        self._pulsed: dict[str, tuple[datetime, str]] = {}
        self._noted: dict[tuple[str, RefusalCode], datetime] = {}
        keeper.on_over = self.over

    # -- campaigns -----------------------------------------------------------------------------------

    async def open(self, campaign: Campaign) -> None:
        """Have a pace for a campaign; the first time it is learnt from the calls of the last day."""
        before = self._paces.get(campaign.campaign_id)
        self._paces[campaign.campaign_id] = made = CampaignPace.of(campaign, before)
        if campaign.queue is not None:
            self._queue_of[campaign.campaign_id] = campaign.queue
        if before is None and campaign.mode.needs_queue:
            await self._learn(campaign, made)

    def close_others(self, running: Sequence[Campaign]) -> None:
        """Forget campaigns that are over, once none of their dials waits for an agent."""
        known = {campaign.campaign_id for campaign in running}
        for campaign_id in [one for one in self._paces if one not in known]:
            if not self._paces[campaign_id].dials:
                del self._paces[campaign_id]

    def pace(self, campaign: Campaign) -> CampaignPace:
        """Return the pace of a campaign that was opened."""
        found = self._paces.get(campaign.campaign_id)
        if found is None:
            found = self._paces[campaign.campaign_id] = CampaignPace.of(campaign)
        return found

    def began(self, campaign: Campaign, attempt: Attempt, now: float) -> None:
        """A call was begun."""
        self.pace(campaign).began(attempt.attempt_id, now)
        self._campaign_of[attempt.attempt_id] = campaign.campaign_id

    # -- what happens --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hear how dials end for the agents, until cancelled."""
        async with self._bus.subscribe(*HEARD, name="dial-watch", maxsize=20_000) as heard:
            async for event in heard:
                if isinstance(event, AgentStateChanged):
                    self.agent(event)
                elif isinstance(event, CallProgressed | CallAnswered | CallEnded):
                    self.hear(event)

    def agent(self, event: AgentStateChanged) -> None:
        """Learn how long people write after a call; who writes nothing is free at once."""
        before = self._agents.get(event.agent_number)
        if before is not None and event.version <= before.version:
            return
        self._agents[event.agent_number] = event
        if before is None or before.state not in _BUSY or event.state in _BUSY:
            return
        wrote = event.since - before.since if before.state == _WRITING else timedelta(0)
        for campaign_id, queue in self._queue_of.items():
            if queue == before.queue and campaign_id in self._paces:
                self._paces[campaign_id].history.wrap_up_ended(
                    max(0.0, wrote.total_seconds()), free=event.state in _READY
                )

    def hear(self, event: CallProgressed | CallAnswered | CallEnded) -> None:
        """Take what telephony tells of one of our calls."""
        campaign_id = self._campaign_of.get(event.call_id)
        pace = self._paces.get(campaign_id) if campaign_id is not None else None
        if pace is None:
            return
        now = self._office.clock.monotonic()
        match event:
            case CallAnswered(agent_number=str()):
                answered_at = self._answered_at.get(event.call_id, event.answered_at)
                waited = (event.answered_at - answered_at).total_seconds()
                pace.connected(event.call_id, now, waited)
            case CallAnswered():
                self._answered_at.setdefault(event.call_id, event.answered_at)
                pace.picked_up(event.call_id, now)
            case CallProgressed(kind="queued"):
                pace.person(event.call_id, now)
            case CallProgressed(kind="menu"):
                node = dict(event.detail).get("node")
                if node == "nobody":
                    pace.abandoned(event.call_id, now)
                elif node == "machine":
                    pace.failed(event.call_id, now)
            case CallEnded():
                over = CallOver.of(event)
                waited = over.connect_seconds or 0.0
                self._settle(pace, event.call_id, outcome_of(over), taken=over.taken, waited=waited)
                if event.agent_number is not None and event.talk_seconds:
                    pace.history.talk_ended(event.talk_seconds)
                self._forget(event.call_id)
            case _:
                pass

    def over(self, attempt: Attempt) -> None:
        """Take how an attempt ended, also where nobody heard the call's own end."""
        campaign_id = self._campaign_of.get(attempt.attempt_id)
        pace = self._paces.get(campaign_id) if campaign_id is not None else None
        if pace is not None and attempt.outcome is not None:
            taken = attempt.outcome is Outcome.ANSWERED
            waited = attempt.connect_seconds or 0.0
            self._settle(pace, attempt.attempt_id, attempt.outcome, taken=taken, waited=waited)

    def _settle(
        self, pace: CampaignPace, attempt_id: str, outcome: Outcome, *, taken: bool, waited: float
    ) -> None:
        """Count a dial once; who answered and was not put through to anybody was abandoned."""
        now = self._office.clock.monotonic()
        if outcome is Outcome.ANSWERED and taken:
            pace.connected(attempt_id, now, waited)
        elif outcome in {Outcome.ANSWERED, Outcome.ABANDONED}:
            pace.abandoned(attempt_id, now)
        else:
            pace.failed(attempt_id, now)

    def _forget_lost(self) -> None:
        """Dials whose end was not heard would keep agents waiting for ever."""
        now = self._office.clock.monotonic()
        opened = {one.attempt.attempt_id for one in self._keeper.open_attempts()}
        for attempt_id in opened & self._missed.keys():
            del self._missed[attempt_id]
        for attempt_id in [one for one in self._campaign_of if one not in opened]:
            pace = self._paces.get(self._campaign_of[attempt_id])
            known = pace is not None and attempt_id in pace.dials
            if not known or now - self._missed.setdefault(attempt_id, now) > LOST:
                self._forget(attempt_id)
                if pace is not None:
                    pace.failed(attempt_id, now)

    def _forget(self, attempt_id: str) -> None:
        del self._campaign_of[attempt_id]
        self._answered_at.pop(attempt_id, None)
        self._missed.pop(attempt_id, None)

    async def _learn(self, campaign: Campaign, pace: CampaignPace) -> None:
        """Take over from whoever dialled before: times, the account of abandoned calls, calls in progress."""
        now, mono = self._office.now(), self._office.clock.monotonic()
        row, log_row = DialAttemptRow, AgentStateLogRow
        mine = row.campaign_id == campaign.campaign_id
        lately = select(row).where(mine, row.began_at > now - LEARNT_FROM).order_by(row.began_at.desc())
        answered = (
            select(row.answered_at, row.outcome, row.connect_seconds)
            .where(mine, row.answered_at > now - LEARNT_FROM, live_answer())
            .order_by(row.answered_at)
            .limit(MOST_COUNTED)
        )
        wrote = (
            select(log_row.started_at, log_row.ended_at)
            .where(
                log_row.state == _WRITING,
                log_row.queue == campaign.queue,
                log_row.started_at > now - LEARNT_FROM,
                log_row.ended_at.is_not(None),
            )
            .order_by(log_row.started_at.desc())
            .limit(MOST)
        )
        async with self._office.database.session() as session:
            found = [to_attempt(one) for one in await session.scalars(lately.limit(MOST))]
            live = list(await session.execute(answered))
            writing = list(await session.execute(wrote))
        for answered_at, outcome, connect in live:
            assert answered_at is not None
            late = outcome == Outcome.ABANDONED.value or (connect or 0.0) > AT_ONCE
            pace.remember(mono - (now - answered_at).total_seconds(), abandoned=late)
        for began, ended in reversed(writing):
            assert ended is not None
            pace.history.wrap_up_ended((ended - began).total_seconds())
        for attempt in reversed(found):
            self._learn_from(attempt, pace, campaign, now, mono)

    def _learn_from(
        self, attempt: Attempt, pace: CampaignPace, campaign: Campaign, now: datetime, mono: float
    ) -> None:
        answered_at, ended_at = attempt.answered_at, attempt.ended_at
        if ended_at is None:
            if attempt.connect_seconds is None:
                since = mono - (now - attempt.began_at).total_seconds()
                picked_up = mono - (now - answered_at).total_seconds() if answered_at is not None else None
                pace.resume(attempt.attempt_id, since, picked_up)
                self._campaign_of[attempt.attempt_id] = campaign.campaign_id
                if answered_at is not None:
                    self._answered_at[attempt.attempt_id] = answered_at
            return
        person = attempt.outcome in {Outcome.ANSWERED, Outcome.ABANDONED}
        if not person or answered_at is None:
            pace.history.dial_failed((ended_at - attempt.began_at).total_seconds())
            return
        pace.history.dial_answered((answered_at - attempt.began_at).total_seconds())
        if attempt.outcome is Outcome.ANSWERED:
            pace.history.talk_ended((ended_at - answered_at).total_seconds())

    # -- what is told --------------------------------------------------------------------------------

    def is_new(self, campaign: Campaign, code: RefusalCode) -> bool:
        """Tell whether a reason that holds a campaign back is worth writing down again."""
        key, now = (campaign.campaign_id, code), self._office.now()
        noted = self._noted.get(key)
        if noted is not None and abs(now - noted) < AGAIN:
            return False
        self._noted[key] = now
        return True

    def pulse(self, campaign: Campaign, decision: str) -> None:
        """Tell whoever watches how a campaign is doing, once a second."""
        now, campaign_id = self._office.now(), campaign.campaign_id
        before = self._pulsed.get(campaign_id)
        if before is not None and abs(now - before[0]) < PULSE:
            return
        self._pulsed[campaign_id] = (now, decision)
        self._forget_lost()
        mine = [one.attempt for one in self._keeper.open_attempts() if one.campaign_id == campaign_id]
        talking = sum(one.state is AttemptState.ANSWERED for one in mine)
        queue = campaign.queue if campaign.mode.needs_queue else None
        picture = self._exchange.picture()
        self._bus.publish(
            CampaignPulse(
                at=now,
                campaign_id=campaign_id,
                dialling=len(mine) - talking,
                talking=talking,
                agents_free=self._exchange.people(queue).free if queue is not None else None,
                lines_used=self._exchange.used(campaign.trunk),
                abandoned_share=self.pace(campaign).share(self._office.clock.monotonic()),
                cap=campaign.abandon_cap,
                decision=decision,
                as_of=picture.as_of or now,
            )
        )
