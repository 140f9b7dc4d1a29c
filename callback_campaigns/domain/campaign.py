"""A campaign 外呼任务批: whom it calls, how, over which lines, and whether it may dial now (features.md C2).

========= ===========================================================================================
state     steps
========= ===========================================================================================
DRAFT     start → RUNNING; discard → ENDED
RUNNING   pause → PAUSED; stop → STOPPED; its last day has passed: STOPPED
PAUSED    resume → RUNNING; stop → STOPPED; its last day has passed: STOPPED
STOPPED   the last of its calls has ended → ENDED
ENDED
========= ===========================================================================================

Only RUNNING dials. Calls in progress end as they would in every state. A campaign that was stopped is not
started again: a copy of it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from callback_campaigns.domain.terms import CallbackType
from crm.domain.customer import Level
from crm.domain.machine import refuse
from kernel.errors import Invalid

MAX_CAP = 0.03
"""More than 3 % of answered calls without a person is never permitted."""
MAX_RATIO = 3.0
MAX_LINES = 1_000
MAX_PER_SECOND = 50
MAX_AGENTS = 500
MAX_PRIORITY = 100
MAX_DAYS = 366


class CampaignMode(StrEnum):
    """How customers are dialled."""

    IVR = "ivr"
    """The system asks."""
    PREVIEW = "preview"
    """An agent looks at the task, then has it dialled."""
    PROGRESSIVE = "progressive"
    """One dial for each free agent."""
    POWER = "power"
    """A fixed number of dials for each free agent."""
    PREDICTIVE = "predictive"
    """Also for agents who will be free when the customer answers."""

    @property
    def needs_queue(self) -> bool:
        """Whether customers are handed to whoever is free in a queue."""
        return self in PACED

    @property
    def dials_by_itself(self) -> bool:
        """Whether calls are made without a person asking for each."""
        return self is not CampaignMode.PREVIEW


PACED = frozenset({CampaignMode.PROGRESSIVE, CampaignMode.POWER, CampaignMode.PREDICTIVE})


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """Nothing more is dialled; calls in progress end."""
    ENDED = "ended"


class TasksFrom(StrEnum):
    """Which tasks a campaign works on."""

    ALL = "all"
    """Every planned task that fits its kinds, levels and stores."""
    LIST = "list"
    """Those that were imported for it."""


class CampaignStep(StrEnum):
    """What a person does with a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    DISCARD = "discard"


STEPS: Mapping[CampaignStep, tuple[frozenset[CampaignState], CampaignState]] = {
    CampaignStep.START: (frozenset({CampaignState.DRAFT}), CampaignState.RUNNING),
    CampaignStep.PAUSE: (frozenset({CampaignState.RUNNING}), CampaignState.PAUSED),
    CampaignStep.RESUME: (frozenset({CampaignState.PAUSED}), CampaignState.RUNNING),
    CampaignStep.STOP: (frozenset({CampaignState.RUNNING, CampaignState.PAUSED}), CampaignState.STOPPED),
    CampaignStep.DISCARD: (frozenset({CampaignState.DRAFT}), CampaignState.ENDED),
}
LIVE = frozenset({CampaignState.RUNNING, CampaignState.PAUSED})
DIALS = frozenset({CampaignStep.START, CampaignStep.RESUME})
"""Steps that lead to a dial."""

WHILE_RUNNING = frozenset(
    {"name", "lines", "per_second", "agents_least", "abandon_cap", "ratio", "priority", "ends_on"}
)
"""What may be changed without a pause: how fast and how long, never who is called or how."""
ONLY_DRAFT = frozenset({"tasks_from"})
"""What may not be changed any more once calls were made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A line to the outside.

    Attributes:
        lines: calls that it carries at once.
        caller_ids: the company's own registered numbers that may be shown over it (domain.md §6.3).
        per_second: calls that may begin on it in a second, of all campaigns and agents together.
    """

    name: str
    lines: int
    caller_ids: tuple[str, ...]
    per_second: int = MAX_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What a campaign can be made of here, for the check of its fields."""

    trunks: Mapping[str, Trunk]
    carriers: frozenset[str]
    queues: frozenset[str]
    stores: frozenset[str]
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign.

    Attributes:
        kinds: callbacks that it makes; exactly one when its tasks come from a list.
        levels, store_ids: whose; none named means all.
        queue: who talks to those who answer; ``None`` without people.
        carrier: whose rules hold for the trunk.
        caller_id: what the customer's telephone shows.
        lines: its calls at once, at most.
        per_second: dials begun in a second, at most.
        agents_least: with fewer agents in the queue nothing is dialled ahead of them.
        abandon_cap: share of answered calls that may find nobody, 0 to 0.03.
        ratio: dials for each free agent, in the mode ``power``.
        amd: listen for answering machines.
        live_text: what is said in its calls is shown as text while they go on.
        record: its conversations are recorded, where the centre records any.
        priority: a task that several campaigns want goes to the one with the highest.
        starts_on, ends_on: first and last day, in the site's days.
    """

    campaign_id: str
    name: str
    mode: CampaignMode
    state: CampaignState = CampaignState.DRAFT
    kinds: frozenset[CallbackType]
    levels: frozenset[Level] = frozenset()
    store_ids: frozenset[str] = frozenset()
    tasks_from: TasksFrom = TasksFrom.ALL
    queue: str | None = None
    trunk: str
    carrier: str
    caller_id: str
    lines: int = 10
    per_second: int = 1
    agents_least: int = 1
    abandon_cap: float = MAX_CAP
    ratio: float = 1.0
    amd: bool = False
    live_text: bool = False
    record: bool = True
    priority: int = 50
    starts_on: date
    ends_on: date
    version: int = 1

    def dials_on(self, today: date) -> bool:
        """Tell whether calls may be begun on a day."""
        return self.state is CampaignState.RUNNING and self.starts_on <= today <= self.ends_on


def step(campaign: Campaign, wanted: CampaignStep, today: date) -> Campaign:
    """Return the campaign after a person's step.

    Raises:
        IllegalStep: its state does not allow that.
        Invalid: it would start after its last day.
    """
    since, state = STEPS[wanted]
    if campaign.state not in since:
        raise refuse(wanted.value, campaign.state, possible(campaign), field="state")
    if wanted in DIALS and today > campaign.ends_on:
        raise Invalid("its last day has passed; give it a later one first", field="ends_on")
    return replace(campaign, state=state)


def possible(campaign: Campaign) -> tuple[CampaignStep, ...]:
    """Return the steps that a person may take now."""
    return tuple(one for one, (since, _) in STEPS.items() if campaign.state in since)


def settle(campaign: Campaign, today: date, *, calls: int) -> Campaign:
    """Return the campaign after what happens by itself: the last day passes, the last call ends.

    Args:
        calls: its attempts that are not over.
    """
    if campaign.state in LIVE and today > campaign.ends_on:
        campaign = replace(campaign, state=CampaignState.STOPPED)
    if campaign.state is CampaignState.STOPPED and calls == 0:
        campaign = replace(campaign, state=CampaignState.ENDED)
    return campaign


def check_change(before: Campaign, after: Campaign) -> None:
    """Refuse a change that the state does not allow. Raises Invalid, IllegalStep; names the field."""
    changed = [
        name
        for name in Campaign.__dataclass_fields__
        if name not in {"state", "version"} and getattr(before, name) != getattr(after, name)
    ]
    if not changed:
        return
    if before.state not in LIVE | {CampaignState.DRAFT}:
        raise refuse("change", before.state, (), field="state")
    for name in changed:
        if before.state is CampaignState.RUNNING and name not in WHILE_RUNNING:
            raise Invalid("pause the campaign before this is changed", field=name)
        if before.state is not CampaignState.DRAFT and name in ONLY_DRAFT:
            raise Invalid("not changed any more once the campaign was started; make a copy", field=name)


def check(campaign: Campaign, here: Premises) -> None:
    """Refuse fields that break a rule. Raises Invalid, which names the first of them."""
    _check_whom(campaign, here)
    _check_lines(campaign, here)
    if campaign.mode.needs_queue and campaign.queue is None:
        raise Invalid("this mode hands customers to people: name a queue", field="queue")
    if campaign.mode is CampaignMode.PREVIEW and campaign.queue is not None:
        raise Invalid("the agent who takes the task makes the call: no queue", field="queue")
    if campaign.queue is not None and campaign.queue not in here.queues:
        raise Invalid("no such queue", field="queue")
    _within(campaign.abandon_cap, 0, MAX_CAP, "abandon_cap")
    _within(campaign.ratio, 1, MAX_RATIO, "ratio")
    if campaign.mode is not CampaignMode.POWER and campaign.ratio != 1:
        raise Invalid("only the mode power dials at a fixed ratio", field="ratio")
    if campaign.mode in {CampaignMode.POWER, CampaignMode.PREDICTIVE} and campaign.abandon_cap == 0:
        raise Invalid("dialling ahead needs a cap above 0; choose progressive for none", field="abandon_cap")
    _within(campaign.agents_least, 1, MAX_AGENTS, "agents_least")
    _within(campaign.priority, 1, MAX_PRIORITY, "priority")
    if campaign.ends_on < campaign.starts_on:
        raise Invalid("the last day lies before the first", field="ends_on")
    if (campaign.ends_on - campaign.starts_on).days >= MAX_DAYS:
        raise Invalid(f"at most {MAX_DAYS} days", field="ends_on")


def _check_whom(campaign: Campaign, here: Premises) -> None:
    if not campaign.kinds:
        raise Invalid("name at least one kind of callback", field="kinds")
    if campaign.tasks_from is TasksFrom.LIST and len(campaign.kinds) != 1:
        raise Invalid("a list is of one kind of callback", field="kinds")
    if CallbackType.VISIT in campaign.kinds:
        raise Invalid("a visit is not made by telephone", field="kinds")
    if campaign.mode is CampaignMode.IVR and campaign.levels == {Level.A}:
        raise Invalid("customers of level A are called by a person", field="levels")
    if not campaign.store_ids <= here.stores:
        raise Invalid("no such store", field="store_ids")


def _check_lines(campaign: Campaign, here: Premises) -> None:
    trunk = here.trunks.get(campaign.trunk)
    if trunk is None:
        raise Invalid(f"no such trunk; there is: {', '.join(sorted(here.trunks))}", field="trunk")
    if campaign.carrier not in here.carriers:
        raise Invalid(
            f"no rules for this carrier; known: {', '.join(sorted(here.carriers))}", field="carrier"
        )
    if campaign.caller_id not in trunk.caller_ids:
        own = ", ".join(trunk.caller_ids)
        raise Invalid(f"not a number of the company's own on this trunk; those are: {own}", field="caller_id")
    _within(campaign.lines, 1, min(MAX_LINES, trunk.lines), "lines")
    _within(campaign.per_second, 1, MAX_PER_SECOND, "per_second")


def _within(value: float, least: float, most: float, field: str) -> None:
    # Written so that what is not a number at all is refused too.
    if not least <= value <= most:
        raise Invalid(f"between {least:g} and {most:g}", field=field)
