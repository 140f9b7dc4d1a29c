"""What supervisors do to agents: ``/agents/…/state``, ``/agent-messages``, ``/pause-reasons``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from crm.domain.staff import MAX_SKILLS
from kernel.errors import NotFound
from telephony.agent_messages import LONGEST, AgentMessages
from telephony.directing import Directed, Directing
from telephony.domain.agent_state import AgentState
from telephony.roster import LONGEST_PAUSE, MAX_PENALTY, Roster
from web.api.operation import Call, operation
from web.api.v1.schemas import Agent, NoQuery, Out, SiteTime
from web.crm_part import CRM
from web.deps import DEPS
from web.identity import current_user
from web.permissions import Permission

TAG = "supervision"
AGENT = (("agent_id", "The agent's ULID."),)
Penalty = Annotated[int, Field(ge=0, le=MAX_PENALTY)]
Name = Annotated[str, StringConstraints(max_length=32)]


class Wish(BaseModel):
    """What an agent is to be."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentDirection(Wish):
    """In which state an agent is to be."""

    state: Directed
    reason: Name = Field("", description="Of a pause: a code from `/pause-reasons`.")
    seen: AgentState | None = Field(
        None,
        description="In which state you saw the agent; in another one nothing is done (`agent_changed`).",
    )


class AgentQueues(Wish):
    """In which queues an agent works: queue → penalty, 0 is rung first."""

    queues: dict[Name, Penalty] = Field(max_length=100)
    before: dict[Name, Penalty] | None = Field(
        None, max_length=100, description="As you saw them; else nothing is done (`agent_queues_changed`)."
    )


class MessageToAgents(Wish):
    """Words to one agent, or (without `agent_id`) to all who are at work."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
    agent_id: Annotated[str, StringConstraints(max_length=26)] | None = None


class PauseLimit(Wish):
    """How long a pause for a reason may last."""

    limit_seconds: int | None = Field(ge=60, le=LONGEST_PAUSE, description="`null`: as long as it does.")
    ends_itself: bool = Field(False, description="Then the agent is free again; else supervisors are told.")


class AgentMessageOut(Out):
    """A message that its agent has not read yet."""

    message_id: str
    text: str
    by: str
    sent_at: SiteTime


class MessageReceipt(Out):
    """Whom a message is for."""

    agent_id: str
    number: str
    name: str
    confirmed_at: SiteTime | None


class SentAgentMessage(AgentMessageOut):
    """A message, and who has read it."""

    to_all: bool
    receipts: tuple[MessageReceipt, ...]


class UnreadMessages(Out):
    """What one has not read yet, oldest first."""

    items: tuple[AgentMessageOut, ...]


class SentAgentMessages(Out):
    """The newest messages first."""

    items: tuple[SentAgentMessage, ...]


class AgentSkills(Wish):
    """What an agent can do, in the centre's own words."""

    skills: tuple[Name, ...] = Field(max_length=MAX_SKILLS)
    before: tuple[Name, ...] = Field(
        max_length=MAX_SKILLS, description="As you saw them; else nothing is done (`skills_changed`)."
    )


class SkilledAgent(Out):
    """What somebody with a telephone can do."""

    agent_no: str
    name: str
    skills: tuple[str, ...]


class SkilledAgents(Out):
    """Who is on the staff and has a telephone, by its number."""

    items: tuple[SkilledAgent, ...]


class PauseReasonOut(Out):
    """Why agents take no calls for a while."""

    code: str
    label_zh: str
    label_en: str
    selectable: bool = Field(description="False: only the system gives it.")
    limit_seconds: int | None
    ends_itself: bool


class PauseReasons(Out):
    """All of them, in their order."""

    items: tuple[PauseReasonOut, ...]


def _directing(call: Call[NoQuery]) -> Directing:
    deps = call.request.app[DEPS]
    return Directing(deps.database, deps.clock, deps.desk, _roster(call))


def _roster(call: Call[NoQuery]) -> Roster:
    deps = call.request.app[DEPS]
    return Roster(deps.database, deps.clock, deps.bus)


def _messages(call: Call[NoQuery]) -> AgentMessages:
    deps = call.request.app[DEPS]
    return AgentMessages(deps.database, deps.clock)


async def _unread(call: Call[NoQuery]) -> UnreadMessages:
    agent_id = current_user(call.request).agent_id
    found = await _messages(call).unread(agent_id) if agent_id is not None else ()
    return UnreadMessages(items=tuple(AgentMessageOut.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=Agent,
    permission=Permission.AGENTS_DIRECT,
    body=AgentDirection,
    summary="Have an agent paused, free or signed out",
    description=(
        "In a call and its wrap-up a pause and a sign-out come after them; `available` ends a break, a "
        "wrap-up (what was written is kept) and a wish to leave. An agent who is signed out is nobody's to "
        "direct (`agent_not_signed_in`). The agent may come back by themselves at any time."
    ),
    tag=TAG,
    path_parameters=AGENT,
)
async def direct_agent(call: Call[NoQuery]) -> Agent:
    """Do it."""
    wish, agent_id = call.body(AgentDirection), call.request.match_info["agent_id"]
    found = await _directing(call).force(call.actor, agent_id, wish.state, reason=wish.reason, seen=wish.seen)
    return Agent.model_validate(found)


@operation(
    query=NoQuery,
    response=Agent,
    permission=Permission.AGENTS_DIRECT,
    body=AgentQueues,
    summary="Change in which queues an agent works, and how early they are rung there",
    description="Takes effect at once, also during a call, and is kept when the telephone system restarts.",
    tag=TAG,
    path_parameters=AGENT,
)
async def move_agent(call: Call[NoQuery]) -> Agent:
    """Do it."""
    wish, agent_id = call.body(AgentQueues), call.request.match_info["agent_id"]
    return Agent.model_validate(
        await _directing(call).set_queues(call.actor, agent_id, wish.queues, before=wish.before)
    )


@operation(
    query=NoQuery,
    response=SkilledAgents,
    permission=Permission.AGENTS_DIRECT,
    summary="List what agents can do",
    tag=TAG,
)
async def list_skills(call: Call[NoQuery]) -> SkilledAgents:
    """Return them."""
    found = await call.request.app[CRM].people.skills.everybody(call.actor)
    return SkilledAgents(items=tuple(SkilledAgent.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=SkilledAgent,
    permission=Permission.AGENTS_DIRECT,
    body=AgentSkills,
    summary="Say what an agent can do",
    description="The next caller is routed by it. The agent must be on the staff, with their number.",
    tag=TAG,
    path_parameters=AGENT,
)
async def set_skills(call: Call[NoQuery]) -> SkilledAgent:
    """Do it."""
    wish = call.body(AgentSkills)
    brief = await _roster(call).agent(call.request.match_info["agent_id"])
    skills = call.request.app[CRM].people.skills
    found = await skills.put(call.actor, brief.number, wish.skills, before=wish.before)
    return SkilledAgent.model_validate(found)


@operation(
    query=NoQuery,
    response=SentAgentMessage,
    permission=Permission.AGENTS_DIRECT,
    body=MessageToAgents,
    summary="Send a message to an agent, or to all who are at work",
    description="It stands on the agent's page until they say that they have read it, for a day at most.",
    tag=TAG,
    status=201,
)
async def send_message(call: Call[NoQuery]) -> SentAgentMessage:
    """Send it."""
    wish = call.body(MessageToAgents)
    sent = await _messages(call).send(call.actor, wish.text, agent_id=wish.agent_id)
    return SentAgentMessage.model_validate(sent)


@operation(
    query=NoQuery,
    response=SentAgentMessages,
    permission=Permission.AGENTS_DIRECT,
    summary="List the newest messages to agents, with who has read them",
    tag=TAG,
)
async def list_sent(call: Call[NoQuery]) -> SentAgentMessages:
    """Return them."""
    found = await _messages(call).sent(call.actor)
    return SentAgentMessages(items=tuple(SentAgentMessage.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=UnreadMessages,
    permission=Permission.DESK_USE,
    summary="List the messages that one has not read yet",
    tag=TAG,
)
async def list_unread(call: Call[NoQuery]) -> UnreadMessages:
    """Return one's own."""
    return await _unread(call)


@operation(
    query=NoQuery,
    response=UnreadMessages,
    permission=Permission.DESK_USE,
    summary="Say that one has read a message",
    tag=TAG,
    path_parameters=(("message_id", "The message's ULID."),),
)
async def confirm_message(call: Call[NoQuery]) -> UnreadMessages:
    """Confirm it; answer what is left."""
    agent_id, message_id = current_user(call.request).agent_id, call.request.match_info["message_id"]
    if agent_id is None:
        raise NotFound("no such message", field="message_id")
    await _messages(call).confirm(call.actor, agent_id, message_id)
    return await _unread(call)


@operation(
    query=NoQuery,
    response=PauseReasons,
    permission=Permission.AGENTS_VIEW,
    summary="List the reasons of pauses with their limits",
    tag=TAG,
)
async def list_pause_reasons(call: Call[NoQuery]) -> PauseReasons:
    """Return them."""
    found = await _roster(call).pause_reasons(all_of_them=True)
    return PauseReasons(items=tuple(PauseReasonOut.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=PauseReasons,
    permission=Permission.AGENTS_DIRECT,
    body=PauseLimit,
    summary="Limit how long pauses for a reason may last",
    description="Then the break ends by itself, or supervisors are told and see it in red.",
    tag=TAG,
    path_parameters=(("reason_code", "The reason's code."),),
)
async def limit_pause(call: Call[NoQuery]) -> PauseReasons:
    """Change it."""
    wish, code = call.body(PauseLimit), call.request.match_info["reason_code"]
    await _directing(call).limit_pause(
        call.actor, code, limit_seconds=wish.limit_seconds, ends_itself=wish.ends_itself
    )
    found = await _roster(call).pause_reasons(all_of_them=True)
    return PauseReasons(items=tuple(PauseReasonOut.model_validate(one) for one in found))


ROUTES = (
    ("POST", "/agents/{agent_id}/state", direct_agent),
    ("PUT", "/agents/{agent_id}/queues", move_agent),
    ("GET", "/skills", list_skills),
    ("PUT", "/agents/{agent_id}/skills", set_skills),
    ("POST", "/agent-messages", send_message),
    ("GET", "/agent-messages", list_sent),
    ("GET", "/agent-messages/unread", list_unread),
    ("POST", "/agent-messages/{message_id}/read", confirm_message),
    ("GET", "/pause-reasons", list_pause_reasons),
    ("PUT", "/pause-reasons/{reason_code}", limit_pause),
)
