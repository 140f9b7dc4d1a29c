"""Facts about customers and projects, for whoever calls back, counts, or tells somebody."""

from datetime import date

from kernel.events import Event, event


@event
class PersonErased(Event):
    """Somebody was made anonymous, or their ordinary calls were; by ids of ours alone.

    Whoever remembers anything of these calls, or of a name that was spoken, forgets it.
    """

    customer_ids: tuple[str, ...]
    call_ids: tuple[str, ...]


@event
class StageReached(Event):
    """A project reached a stage; ``stage`` is its rank, ``planned_on`` the day it was planned for."""

    project_id: str
    customer_id: str
    contract_no: str
    stage: int
    happened_on: date
    planned_on: date | None
    stage_event_id: str
    recorded_by: str


@event
class StageCorrected(Event):
    """The manager took a project back from ``stage_was`` to ``stage``; ``voided`` stages count no more."""

    project_id: str
    customer_id: str
    contract_no: str
    stage_was: int
    stage: int
    voided: tuple[int, ...]
    reason: str


@event
class ProjectSuspended(Event):
    """The work stands still; callbacks about its stages wait."""

    project_id: str
    customer_id: str
    contract_no: str
    since: date
    reason: str


@event
class ProjectResumed(Event):
    """The work goes on at ``stage``."""

    project_id: str
    customer_id: str
    contract_no: str
    stage: int
    since: date
    until: date


@event
class ProjectEnded(Event):
    """The contract was cancelled (stage -1) or terminated (-3)."""

    project_id: str
    customer_id: str
    contract_no: str
    stage: int
    reason: str


@event
class DeliveryMoved(Event):
    """The hand-over is at another state: N, S, Y, X, T or W."""

    project_id: str
    customer_id: str
    contract_no: str
    state_was: str
    state: str


@event
class PaymentPosted(Event):
    """Finance posted a payment; ``amount`` in yuan with two decimals."""

    project_id: str
    customer_id: str
    contract_no: str
    payment_id: str
    period: str
    amount: str
    receipt_no: str


@event
class PaymentReversed(Event):
    """Finance took a payment back."""

    project_id: str
    customer_id: str
    contract_no: str
    payment_id: str
    period: str
    amount: str
    reason: str


@event
class CustomerFrozen(Event):
    """Callbacks of ``scope`` (site, case, all) to a customer stand still."""

    customer_id: str
    freeze_id: str
    scope: str
    planned_thaw: date | None
    reason: str


@event
class CustomerThawed(Event):
    """A freeze ended, ``by_itself`` on the planned day."""

    customer_id: str
    freeze_id: str
    scope: str
    by_itself: bool


@event
class ThawAnswered(Event):
    """Somebody said whether a callback is needed after a thaw, of which kind, on which day."""

    customer_id: str
    freeze_id: str
    callback_needed: bool
    callback_kind: str | None
    callback_on: date | None


@event
class LevelSet(Event):
    """The manager gave a customer another level: A, B or C."""

    customer_id: str
    level: str


@event
class NumbersChanged(Event):
    """Somebody wrote down a customer's telephone numbers anew: added, corrected, found good or bad."""

    customer_id: str


@event
class CallsRefused(Event):
    """A customer, or whoever has a number, wants no calls of ``level`` (1 surveys, 2 marketing, 3 all)."""

    customer_id: str | None
    entry_id: str
    level: int
    source: str


@event
class RefusalLifted(Event):
    """The customer took a refusal back."""

    customer_id: str | None
    entry_id: str
    level: int


@event
class ConsentWithdrawn(Event):
    """A customer withdrew a consent; it holds at once."""

    customer_id: str
    consent_id: str
    purpose: str


@event
class CustomersMerged(Event):
    """Two customers turned out to be one: ``gone_id`` leads to ``kept_id`` from now on."""

    kept_id: str
    gone_id: str
    merge_id: str


@event
class MergeUndone(Event):
    """Two customers are two again."""

    kept_id: str
    gone_id: str
    merge_id: str
