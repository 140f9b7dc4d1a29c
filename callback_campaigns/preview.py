"""Calls that an agent asks for after looking at the task: their own telephone first, then the customer's.

Every check of the dialler holds here too; only the agent is there already. What is refused is told to them,
and the task stays where it is.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.assignment import check_caller
from callback_campaigns.campaigns import Lines, state_in
from callback_campaigns.dial_attempts import DialAttempts, DialRequest
from callback_campaigns.dial_queries import began_on, numbers_of
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState
from callback_campaigns.domain.refusal import Refusal, RefusalCode, Switch
from callback_campaigns.exchange import DialOrder, Exchange, Way
from callback_campaigns.placing import Placing
from callback_campaigns.task_tables import CallbackTaskRow
from crm.office import Office
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound, Unavailable
from kernel.ids import is_ulid
from kernel.phone import InvalidPhone, Phone


class DialRefused(Conflict):
    """A rule stands against this call now; ``refusal`` says which, and until when."""

    code = "dial_refused"

    def __init__(self, refusal: Refusal, *, field: str = "task_id") -> None:
        super().__init__(f"not to be called now: {refusal.code.value}", field=field)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewConfig:
    """How agents' calls go out without a campaign.

    Attributes:
        carrier: whose rules hold for them.
        ring: how long the agent's telephone rings at most.
        customer_ring: how long the customer's does after that.
    """

    trunk: str
    caller_id: str
    carrier: str = "own"
    ring: timedelta = timedelta(seconds=20)
    customer_ring: timedelta = timedelta(seconds=60)
    stale_after: timedelta = timedelta(seconds=5)


class PreviewCalls:
    """Places calls on behalf of agents."""

    def __init__(
        self,
        office: Office,
        attempts: DialAttempts,
        lines: Lines,
        exchange: Exchange,
        placing: Placing,
        config: PreviewConfig,
    ) -> None:
        self._office = office
        self._attempts = attempts
        self._lines = lines
        self._exchange = exchange
        self._placing = placing
        self._config = config

    async def call(
        self,
        actor: Actor,
        task_id: str,
        *,
        agent_number: str,
        number: str | None = None,
        campaign: Campaign | None = None,
        expected: int | None = None,
    ) -> Attempt:
        """Ring the agent, then the customer; return the attempt, whose id is the call's.

        Args:
            agent_number: the telephone of whoever asks.
            number: which of the customer's; by default where they are reached best.
            campaign: of the mode ``preview``, for whose lines and number the call counts.
            expected: the task's version that was looked at.

        Raises:
            Forbidden: the role calls nobody back.
            AssignedElsewhere: another agent calls about it; a supervisor may all the same.
            NotFound: no such task.
            Invalid: the customer has no such number, or the agent's is none.
            Unavailable: the exchange is not in reach.
            DialRefused: a rule stands against it.
        """
        actor.need(Permission.CALLBACKS_WORK)
        if not (agent_number.isascii() and agent_number.isdigit() and 2 <= len(agent_number) <= 8):
            raise Invalid("no telephone of an agent", field="agent_number")
        if campaign is not None and campaign.mode is not CampaignMode.PREVIEW:
            raise Invalid("this campaign dials by itself", field="campaign_id")
        wanted_number = await self._number(actor, task_id, number)
        await self._exchange.freshen(self._config.stale_after / 2)
        trunk = campaign.trunk if campaign else self._config.trunk
        caller_id = campaign.caller_id if campaign else self._config.caller_id
        wanted = DialRequest(
            task_id=task_id,
            number=wanted_number,
            node=self._exchange.node,
            trunk=trunk,
            carrier=campaign.carrier if campaign else self._config.carrier,
            switch=lambda session: self._switch(session, campaign, trunk, caller_id),
            version=expected,
            campaign_id=campaign.campaign_id if campaign else None,
            agent=actor.name,
            ring=self._config.ring + self._config.customer_ring,
            on_call=self._exchange.on_call(wanted_number),
        )
        made = await self._attempts.begin(wanted)
        if isinstance(made, Refusal):
            # Written down like every other reason; whoever asks may simply ask again.
            if made.code in {RefusalCode.LINK_DOWN, RefusalCode.STALE_STATE}:
                raise Unavailable("the telephone system is not in reach; please try again in a moment")
            raise DialRefused(made)
        self._placing.send(
            made,
            wanted,
            DialOrder(
                attempt_id=made.attempt_id,
                number=made.number,
                trunk=trunk,
                caller_id=caller_id,
                way=Way.PREVIEW,
                ring=self._config.ring,
                agent_number=agent_number,
                record=campaign is None or campaign.record,
            ),
            now=self._office.clock.monotonic(),
        )
        return made

    async def _number(self, actor: Actor, task_id: str, number: str | None) -> str:
        async with self._office.database.session() as session:
            task = await session.get(CallbackTaskRow, task_id) if is_ulid(task_id) else None
            if task is None:
                raise NotFound("no such callback task", field="task_id")
            theirs = await numbers_of(session, task.customer_id)
            check_caller(actor, task.assignee_id)
        if number is None:
            return theirs[0] if theirs else ""
        try:
            wanted = Phone.parse(number, default_area=self._office.default_area).e164
        except InvalidPhone as error:
            raise Invalid("no telephone number", field="number") from error
        if wanted not in theirs:
            raise Invalid("not a number of this customer's", field="number")
        return wanted

    async def _switch(
        self, session: AsyncSession, campaign: Campaign | None, trunk: str, caller_id: str
    ) -> Switch:
        state = await state_in(session, campaign.campaign_id) if campaign else CampaignState.RUNNING
        picture, known = self._exchange.picture(), self._lines.trunks.get(trunk)
        return Switch(
            running=state is CampaignState.RUNNING,
            stopped=state in {None, CampaignState.STOPPED, CampaignState.ENDED},
            caller_id=caller_id,
            link_live=picture.live,
            as_of=picture.as_of,
            stale_after=self._config.stale_after,
            lines_used=self._exchange.used(trunk),
            lines=known.lines if known is not None else 0,
            trunk_started=await began_on(session, trunk, self._office.now()),
            trunk_per_second=known.per_second if known is not None else 0,
        )
