"""What the telephone in the agent's page tells of its line while the agent speaks and afterwards."""

from typing import Annotated, Self

from aiohttp import web
from pydantic import Field, model_validator

from telephony.call_quality import CallQualities, Measures, Spread
from web.deps import DEPS
from web.pages.agent import Body, read_body
from web.pages.shell import ROSTER
from web.permissions import Permission, requires
from web.softphone import agent_id_of

LONGEST_SECONDS = 24 * 3600

Value = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]


class Measured(Body):
    """Lowest, mean and highest value of a measure."""

    low: Value
    mean: Value
    high: Value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.mean <= self.high:
            raise ValueError("low, mean and high must be in this order")
        return self

    def spread(self) -> Spread:
        """Return it for the record."""
        return Spread(round(self.low, 2), round(self.mean, 2), round(self.high, 2))


class Report(Body):
    """What was measured since the conversation began."""

    call_id: Annotated[str, Field(max_length=26)]
    stretch: Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")]
    seconds: Annotated[int, Field(ge=1, le=LONGEST_SECONDS)]
    poor_seconds: Annotated[int, Field(ge=0, le=LONGEST_SECONDS)]
    rtt_ms: Measured | None = None
    loss_in: Measured | None = None
    loss_out: Measured | None = None
    jitter_in_ms: Measured | None = None
    jitter_out_ms: Measured | None = None

    @model_validator(mode="after")
    def _no_longer_than_all(self) -> Self:
        if self.poor_seconds > self.seconds:
            raise ValueError("poor_seconds must not be more than seconds")
        return self

    def measures(self) -> Measures:
        """Return the measures for the record."""
        given = {name: getattr(self, name) for name in ("rtt_ms", "loss_in", "loss_out")}
        given |= {name: getattr(self, name) for name in ("jitter_in_ms", "jitter_out_ms")}
        return Measures(**{name: one.spread() if one is not None else None for name, one in given.items()})


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_post("/agent/phone/quality", keep)


@requires(Permission.DESK_USE)
async def keep(request: web.Request) -> web.StreamResponse:
    """Keep how the line of the agent's call has been so far."""
    report, agent_id, deps = await read_body(request, Report), agent_id_of(request), request.app[DEPS]
    agent = await request.app[ROSTER].agent(agent_id)
    await CallQualities(deps.database, deps.clock).keep(
        report.call_id,
        agent_id=agent_id,
        agent_number=agent.number,
        stretch=report.stretch,
        seconds=report.seconds,
        poor_seconds=report.poor_seconds,
        measures=report.measures(),
    )
    return web.Response(status=204)
