"""``/api/v1/calls/…/hold`` and the other steps: what an agent does with their own call in progress."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from kernel.errors import Conflict, Unavailable
from telephony.domain.agent_state import AgentState
from telephony.domain.hand import HandState, Step
from telephony.hand_views import ControlsCalls, HandNotice, HandView, Target, TargetKind
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.deps import DEPS
from web.idempotency import Idempotency
from web.identity import current_user
from web.pages.shell import ROSTER
from web.permissions import Permission
from web.transfer_targets import targets

TAG = "calls"
CALL = (("call_id", "The call's ULID."),)


class CallInHand(Out):
    """A call in progress, as its agent has it."""

    call_id: str
    agent_number: str
    state: HandState = Field(
        description=(
            "`talking`, `held`; `phone_held`: by the telephone's own key; `calling`: somebody is called who "
            "is to be asked; `consulting` with them; `swapped`: with the customer again while they wait; "
            "`conference`; `asked`: a colleague asks; `left`: the customer has hung up; `waiting`; `none`."
        )
    )
    steps: tuple[Step, ...] = Field(description="What may be done now.")
    target: str | None = Field(description="Number of who is asked.")
    target_label: str
    since: SiteTime
    notice: HandNotice | None = Field(description="Why nobody is asked any more; until the next step.")


class CallStep(BaseModel):
    """A step that needs no target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expected: HandState | None = Field(
        None, description="Where the agent saw the call; elsewhere nothing is done."
    )


class CallSentTo(CallStep):
    """Where a customer is to go, or who is to be asked."""

    kind: TargetKind
    target: str = Field(
        min_length=1, max_length=40, description="Agent's number, name of a queue or flow, telephone number."
    )


class TargetsQuery(Query):
    """Whom to look for."""

    q: str = Field("", max_length=40, description="Part of a name, or a number.")


class TransferTarget(Out):
    """Whom a customer can be sent to."""

    kind: TargetKind
    value: str = Field(description="What `target` takes.")
    label: str
    state: AgentState | None = Field(description="Of an agent.")
    free: bool = Field(description="Of an agent: could be rung now.")
    waiting: int | None = Field(description="Of a queue: customers who wait.")


class TransferTargets(Out):
    """Whom a customer can be sent to, colleagues who are free first."""

    items: tuple[TransferTarget, ...]


class NotAnAgent(Conflict):
    """Whoever asks takes no calls."""

    code = "not_an_agent"


def control(request: web.Request) -> ControlsCalls:
    """Return what takes steps. Raises Unavailable."""
    found = request.app[DEPS].control
    if found is None:
        raise Unavailable("no link to the telephone system in this process")
    return found


async def own_agent_number(request: web.Request) -> str:
    """Return the telephone of whoever asks. Raises NotAnAgent."""
    agent_id = current_user(request).agent_id
    if agent_id is None:
        raise NotAnAgent("this user has no extension, and so no calls in hand")
    number: str = (await request.app[ROSTER].agent(agent_id)).number
    return number


async def take_step(call: Call[NoQuery], step: Step) -> HandView:
    """Take a step of the request's call, for whoever asks."""
    request = call.request
    body = call.body(CallSentTo if step in {Step.TRANSFER, Step.CONSULT} else CallStep)
    target = Target(kind=body.kind, value=body.target) if isinstance(body, CallSentTo) else None
    return await control(request).act(
        call.actor,
        request.match_info["call_id"],
        await own_agent_number(request),
        step,
        target=target,
        expected=body.expected,
    )


@operation(
    query=NoQuery,
    response=CallInHand,
    permission=Permission.DESK_USE,
    summary="Tell where an agent is with a call, and what may be done",
    tag=TAG,
    path_parameters=CALL,
)
async def call_in_hand(call: Call[NoQuery]) -> CallInHand:
    """Return it."""
    request = call.request
    number = await own_agent_number(request)
    view = await control(request).look(call.actor, request.match_info["call_id"], number)
    return CallInHand.model_validate(view)


@operation(
    query=TargetsQuery,
    response=TransferTargets,
    permission=Permission.DESK_USE,
    summary="Look for whom a customer can be sent to",
    tag=TAG,
)
async def transfer_targets(call: Call[TargetsQuery]) -> TransferTargets:
    """Return them."""
    own = current_user(call.request).agent_id
    found = await targets(call.request, call.query.q, own_agent=own)
    return TransferTargets(items=tuple(TransferTarget.model_validate(one) for one in found))


_SAID: dict[Step, tuple[str, str]] = {
    Step.HOLD: ("Put the customer on hold", "They hear music. Whoever is not fetched goes back to a queue."),
    Step.UNHOLD: ("Fetch the customer back from hold", ""),
    Step.TRANSFER: (
        "Send the customer to an agent, a queue, a flow or a number",
        "At once, without a word before. Who is not reached there comes back to a queue, before all others.",
    ),
    Step.CONSULT: (
        "Ask an agent or somebody outside while the customer waits",
        "When nobody answers the customer is fetched back, and `notice` says why.",
    ),
    Step.SWAP: ("Talk with the other of the two: the customer, or who was asked", ""),
    Step.CONFERENCE: ("Have all three talk with each other", ""),
    Step.COMPLETE: ("Leave the customer with who was asked", ""),
    Step.CANCEL: ("Let go who was asked, and go on with the customer", ""),
    Step.HANG_UP: (
        "Hang up",
        "Whom the agent is talking with: while somebody is asked, them; the customer waits no longer then.",
    ),
}
_REFUSED = (
    " Refused with `call_step_not_possible` where the call does not stand so, `call_step_under_way` while "
    "another step is being taken, `call_party_gone` when somebody has hung up, `not_your_call`."
)
_NO_TARGET = " `target_unknown`, `target_away`, `outside_refused`, `outside_too_often`: it cannot be reached."


def _operation(step: Step) -> Callable[[web.Request], Awaitable[web.Response]]:
    summary, more = _SAID[step]
    aimed = step in {Step.TRANSFER, Step.CONSULT}

    async def run(call: Call[NoQuery]) -> CallInHand:
        return CallInHand.model_validate(await take_step(call, step))

    run.__name__ = f"call_{step.name.lower()}"
    run.__qualname__ = run.__name__
    run.__doc__ = f"{summary}."
    return operation(
        query=NoQuery,
        response=CallInHand,
        permission=Permission.DESK_USE,
        summary=summary,
        description=(more + _REFUSED + (_NO_TARGET if aimed else "")).strip(),
        tag=TAG,
        path_parameters=CALL,
        body=CallSentTo if aimed else CallStep,
        idempotent=Idempotency.REQUIRED if aimed else Idempotency.NONE,
    )(run)


ROUTES = (
    ("GET", "/calls/{call_id}/hand", call_in_hand),
    *(("POST", f"/calls/{{call_id}}/{step.value}", _operation(step)) for step in Step),
    ("GET", "/transfer-targets", transfer_targets),
)
