"""``/api/v1/agents``."""

from telephony.agent_views import AgentSnapshot
from web.api.operation import Call as ApiCall
from web.api.operation import operation
from web.api.v1.schemas import Agent, AgentList, AgentsQuery
from web.deps import DEPS
from web.permissions import Permission


@operation(
    query=AgentsQuery,
    response=AgentList,
    permission=Permission.AGENTS_VIEW,
    summary="List agents",
    description="Every agent with their state now, by number.",
    tag="agents",
)
async def list_agents(call: ApiCall[AgentsQuery]) -> AgentList:
    """Return the agents."""
    deps = call.request.app[DEPS]
    states: tuple[AgentSnapshot, ...] = await deps.desk.states()
    found = [agent for agent in states if _fits(agent, call.query)]
    found.sort(key=lambda agent: agent.number)
    return AgentList(items=tuple(Agent.model_validate(agent) for agent in found), as_of=deps.clock.now())


def _fits(agent: AgentSnapshot, query: AgentsQuery) -> bool:
    if query.state is not None and agent.state != query.state:
        return False
    return query.queue is None or any(member.queue == query.queue for member in agent.queues)
